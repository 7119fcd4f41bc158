"""The TOML keys of an ``http_proxy`` check."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from lvs_agent.checks.kinds.http.settings import AnswerSettings
from lvs_agent.checks.net.tls import TlsSettings
from lvs_agent.settings.scalars import Secret

_VISIBLE = re.compile(r"[\x21-\x7e]+")
_OF_PROXY = "proxy-authorization"


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not _VISIBLE.fullmatch(value) or "#" in value or "@" in parts.netloc:
        raise ValueError('must be an absolute URL, like "http://www.example.com/" or "https://www.example.com/"')
    return value


class Settings(AnswerSettings):
    """Keys of a check with ``type = "http_proxy"``."""

    libraries: ClassVar[tuple[str, ...]] = (
        "lvs_agent.checks.kinds.http_proxy.session",
        "httpcore",
        "anyio._backends._asyncio",
    )
    default_port: ClassVar[int | None] = 3_128

    url: Annotated[str, AfterValidator(_url)]
    """URL to request through the proxy: http with the absolute URL in the request, https through a tunnel (CONNECT)."""
    user: Annotated[str, Field(min_length=1)] | None = None
    """User to log in to the proxy as (Basic authentication)."""
    password: Secret | None = None
    """The user's password."""
    follow_redirects: Annotated[int, Field(ge=0, le=10)] = 0
    """Maximum number of redirects to follow if the status does not pass; each goes through the same proxy."""
    tls: TlsSettings = Field(default_factory=TlsSettings)
    """Settings of TLS with the server of an https URL, and of its certificate's verification.  server_name is always
    the name in the URL."""

    @model_validator(mode="after")
    def _user_and_password(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password must be set together")
        if self.user is not None and ":" in self.user:
            raise ValueError("user must not have a colon (RFC 7617, 2)")
        if any(name.lower() == _OF_PROXY for name in self.headers):
            raise ValueError("use user and password for Proxy-Authorization")
        if self.tls.server_name is not None:
            raise ValueError("tls.server_name has no effect here: the name in url is asked for and verified")
        return self
