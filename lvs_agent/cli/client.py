"""How commands ask a running agent: the options that say where it is, and its answers or one clear line."""

from __future__ import annotations

import functools
import json
import os
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from ipaddress import ip_address
from pathlib import Path
from typing import Any, TypeVar

import click
import httpx
from click.core import ParameterSource

from lvs_agent.cli.access import (
    PASSWORD_VARIABLE,
    USER_VARIABLE,
    Access,
    certificate_of,
    client_context,
    refusal_of_tls,
    user_of_environment,
    without_user,
)
from lvs_agent.cli.options import LISTEN_VARIABLE, config_format_option, listening, read_config
from lvs_agent.config import AgentSettings
from lvs_agent.errors import NoAnswer
from lvs_agent.model.ipvs import address_and_port
from lvs_agent.one_line import one_line

DEFAULT_URL = "http://127.0.0.1:9659"
DEFAULT_TIMEOUT_S = 5.0
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - who listens everywhere is asked here
_STATUS_PATH = "/api/v1/status"
_MAX_ANSWER = 256 * 1024 * 1024
"""Bytes: some hundred thousand real servers."""
_MAX_ERROR_TEXT = 500

_Command = TypeVar("_Command", bound=Callable[..., Any])


class AgentClient:
    """Asks the agent at ``url``, which may end in a slash or in the path of its status.

    An answer may take ``timeout`` seconds in all.  ``access`` says how to speak with it, unless a name and a password
    stand in ``url``.
    """

    def __init__(self, url: str, *, timeout: float = DEFAULT_TIMEOUT_S, access: Access | None = None) -> None:
        self.url, user = without_user(url)
        """As it was given, without any password; it stands in messages."""
        self._access = access or Access()
        self._auth = user or self._access.auth
        self._base = self.url.rstrip("/").removesuffix(_STATUS_PATH)
        self._timeout = timeout

    def get(self, path: str, params: Sequence[tuple[str, str]] = ()) -> bytes:
        """The body of the answer to ``path``, such as "/api/v1/status".

        Raises UsageError where the agent refuses the parameters, with its reason, and NoAnswer for everything else.
        """
        try:
            status, body = self._fetch(path, params)
        except httpx.TimeoutException as error:
            raise self._too_late() from error
        except httpx.NetworkError as error:
            said = refusal_of_tls(error) or f"cannot be reached ({error}): is lvs-agent running there? see --url"
            raise NoAnswer(f"{self.url} {said}") from error
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise NoAnswer(f"{self.url} cannot be reached ({error}): is lvs-agent running there? see --url") from error
        except httpx.HTTPError as error:
            remedy = (
                "if it requires a client certificate, give --cert and --key"
                if self.url.startswith("https:")
                else "if it speaks TLS, give https:// in --url"
            )
            raise NoAnswer(f"{self.url} does not answer like an lvs-agent ({error}); {remedy}") from error
        if status != httpx.codes.OK:
            raise self._refusal(path, status, body)
        return body

    def _fetch(self, path: str, params: Sequence[tuple[str, str]]) -> tuple[int, bytes]:
        """Status and body.  The limits of the library hold for each read alone: here they hold for all of them."""
        deadline = time.monotonic() + self._timeout
        body = bytearray()
        # Not through a proxy: an agent listens where its operator is, and may well be on loopback.
        with (
            httpx.Client(
                timeout=self._timeout, trust_env=False, verify=self._access.context or True, auth=self._auth
            ) as client,
            client.stream("GET", self._base + path, params=list(params) or None) as response,
        ):
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > _MAX_ANSWER:
                    much = f"more than {_MAX_ANSWER} bytes"
                    raise NoAnswer(f"{self.url} sends {much}: it does not seem to be lvs-agent; see --url")
                if time.monotonic() > deadline:
                    raise self._too_late()
        return response.status_code, bytes(body)

    def _too_late(self) -> NoAnswer:
        return NoAnswer(f"{self.url} did not answer within {self._timeout:g} s; try a longer --timeout")

    def _refusal(self, path: str, status: int, body: bytes) -> Exception:
        """What an answer other than 200 is raised as."""
        reason = _reason(body)
        if status == httpx.codes.UNAUTHORIZED:
            remedy = f"{USER_VARIABLE} and {PASSWORD_VARIABLE}, or give them in --url"
            if self._auth is None:
                return NoAnswer(f"{self.url} requires a user and a password: set {remedy}")
            return NoAnswer(f"{self.url} refuses this user and password: see {remedy}")
        if reason is None:
            return NoAnswer(f"{self.url} answers with status {status}: it does not seem to be lvs-agent; see --url")
        unknown_path = status == httpx.codes.NOT_FOUND and reason == HTTPStatus.NOT_FOUND.phrase
        if status in {httpx.codes.BAD_REQUEST, httpx.codes.NOT_FOUND} and not unknown_path:
            return click.UsageError(reason, click.get_current_context(silent=True))
        if unknown_path:
            return NoAnswer(f"{self.url} has no {path}: use the lvs-agent command of the version of the agent")
        return NoAnswer(f"{self.url} answers with status {status}: {reason}")


def _reason(body: bytes) -> str | None:
    """Why the agent refuses, if ``body`` is an answer of its API.  What comes from outside cannot steer a terminal."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    reason = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(reason, str):
        return None
    return one_line(reason)[:_MAX_ERROR_TEXT]


def agent_options(command: _Command) -> _Command:
    """Add the options that say where the agent is; the command gets them as one parameter, ``agent``."""

    @functools.wraps(command)
    def with_agent(
        *arguments: object,
        url: str,
        path: Path | None,
        config_format: str | None,
        timeout: float,
        ca_file: Path | None,
        cert: Path | None,
        key: Path | None,
        **others: object,
    ) -> object:
        def access(only: str | None) -> Access:
            user, password = user_of_environment() or (None, "")
            context = client_context(ca_file=ca_file, cert=cert, key=key, only=only)
            return Access(context=context, user=user, password=password)

        return command(*arguments, agent=_agent(url, path, config_format, timeout, access), **others)

    decorated: Callable[..., Any] = with_agent
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated  # type: ignore[return-value]  # click fills in the parameters


_FILE = click.Path(path_type=Path, readable=False)
_OPTIONS: tuple[Callable[[Callable[..., Any]], Callable[..., Any]], ...] = (
    click.option(
        "--url",
        default=DEFAULT_URL,
        show_default=True,
        help="Where the agent listens; by default where --config says, if given.",
    ),
    click.option(
        "--config",
        "path",
        type=_FILE,
        metavar="FILE",
        help="The agent's configuration (TOML, or an ldirectord.cf): it says where the agent listens.",
    ),
    config_format_option,
    click.option("--timeout", default=DEFAULT_TIMEOUT_S, show_default=True, help="Seconds to wait for the answer."),
    click.option(
        "--ca-file", type=_FILE, metavar="FILE", help="CA certificates to trust, in PEM, if the agent speaks TLS."
    ),
    click.option("--cert", type=_FILE, metavar="FILE", help="Client certificate, in PEM."),
    click.option("--key", type=_FILE, metavar="FILE", help="Key of the client certificate, if it is in another file."),
)


def _agent(
    url: str, path: Path | None, config_format: str | None, timeout: float, access: Callable[[str | None], Access]
) -> AgentClient:
    url_is_given = click.get_current_context().get_parameter_source("url") is not ParameterSource.DEFAULT
    if path is None or url_is_given:
        return AgentClient(url, timeout=timeout, access=access(None))
    settings = read_config(path, config_format).agent
    certificate = None if settings.web_config_file is None else certificate_of(settings.web_config_file)
    scheme = "http" if certificate is None else "https"
    return AgentClient(f"{scheme}://{_where(settings)}", timeout=timeout, access=access(certificate))


def _where(settings: AgentSettings) -> str:
    """Where the agent that runs with this configuration, and in this environment, listens."""
    if written := os.environ.get(LISTEN_VARIABLE):
        host, port = listening(written)
    else:
        host, port = str(settings.listen.address), settings.listen.port
    return address_and_port(ip_address(_LOOPBACK.get(host, host)), port)
