"""The check tables of negotiate checks with http, https and http_proxy."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote

from lvs_agent.ldirectord.reader.notes import Notes, Oddity
from lvs_agent.ldirectord.reader.perl_regex import Untranslatable, translate
from lvs_agent.ldirectord.reader.servers import Real
from lvs_agent.ldirectord.reader.services import PORTS
from lvs_agent.ldirectord.reader.tree import Table, given
from lvs_agent.ldirectord.reader.values import Placed
from lvs_agent.ldirectord.reader.virtuals import Virtual

REDIRECTS = 7
"""How many ldirectord's library follows."""
BODY_LIMIT = "1MiB"
LONGEST_REGEX = 1_000

_URL = re.compile(r"/?https?://(?P<host>[^/?]+)(?P<path>.*)", re.DOTALL | re.IGNORECASE)
_AS_IT_IS = "/%;?:@&=+$,[]!~*'()-_."


def http_keys(virtual: Virtual, real: Real, notes: Notes) -> Table:
    """What ``service=http`` asks of ``real``, without port and times."""
    request = virtual.request if real.request is None else Placed(real.request, real.line)
    host, path = _target(request, notes=notes)
    regex = receive_regex(virtual.receive if real.receive is None else Placed(real.receive, real.line), notes=notes)
    return given(
        type=Placed("http", virtual.service.line),
        method=_method(virtual, reads_body=regex is not None, notes=notes),
        path=path,
        virtual_host=virtual.virtual_host or host,
        body_regex=regex,
        body_limit=None if regex is None else Placed(BODY_LIMIT, regex.line),
        follow_redirects=Placed(REDIRECTS, virtual.service.line),
    )


def https_keys(virtual: Virtual, real: Real, notes: Notes) -> Table:
    """The same for ``service=https``; no certificate is verified, as ldirectord wants it."""
    line = virtual.service.line
    notes.oddity(Oddity.UNVERIFIED, line, "https")
    tls = given(verify=Placed(value=False, line=line))
    return http_keys(virtual, real, notes) | given(type=Placed("https", line), tls=Placed(tls, line))


def http_proxy_keys(virtual: Virtual, real: Real, notes: Notes) -> Table:
    """What ``service=http_proxy`` asks of ``real``, without port and times."""
    request = virtual.request if real.request is None else Placed(real.request, real.line)
    regex = receive_regex(virtual.receive if real.receive is None else Placed(real.receive, real.line), notes=notes)
    url = _url(request, virtual, real, notes=notes)
    keys = given(
        type=virtual.service,
        url=url,
        method=_method(virtual, reads_body=regex is not None, notes=notes),
        body_regex=regex,
        body_limit=None if regex is None else Placed(BODY_LIMIT, regex.line),
        follow_redirects=Placed(REDIRECTS, virtual.service.line),
    )
    if url.value.lower().startswith("https:"):
        text = "https is asked for through a tunnel of the proxy; ldirectord asks the server without the proxy"
        notes.warning(url.line, text)
        notes.oddity(Oddity.UNVERIFIED, url.line)
        keys["tls"] = Placed(given(verify=Placed(value=False, line=url.line)), url.line)
    return keys


def _url(request: Placed[str] | None, virtual: Virtual, real: Real, *, notes: Notes) -> Placed[str]:
    """The URL to ask a proxy for; a request that is none is asked of the proxy itself."""
    if request is not None and _URL.fullmatch(request.value):
        return Placed(quote(request.value.removeprefix("/"), safe=_AS_IT_IS), request.line)
    line = virtual.service.line if request is None else request.line
    notes.warning(
        line, "request is not a whole URL: the proxy is asked for itself; ldirectord mostly reports it as down"
    )
    written = real.port or virtual.port if virtual.check_port is None else virtual.check_port.value
    port = written or PORTS["http_proxy"]
    path = "" if request is None else quote(request.value.removeprefix("/"), safe=_AS_IT_IS)
    return Placed(f"http://{real.host}:{port}/{path}", line)


def _target(request: Placed[str] | None, *, notes: Notes) -> tuple[Placed[str] | None, Placed[str] | None]:
    """Host header and path that the request asks for; None for what need not be said."""
    if request is None:
        return None, None
    found = _URL.fullmatch(request.value)
    path = request.value if found is None else found["path"]
    path = quote(path if path.startswith("/") else f"/{path}", safe=_AS_IT_IS)
    placed = None if path == "/" else Placed(path, request.line)
    if found is None:
        return None, placed
    text = "the request names a host of its own: it is sent to the real server with that host in its Host header"
    notes.warning(request.line, text)
    return Placed(found["host"], request.line), placed


def _method(virtual: Virtual, *, reads_body: bool, notes: Notes) -> Placed[str] | None:
    method = virtual.http_method
    if method is None or method.value == "GET":
        return None
    if reads_body:
        text = "httpmethod=HEAD has no text that could match receive, so GET is asked"
        notes.warning(method.line, f"{text}; ldirectord reports the server as down")
        return None
    return method


def receive_regex(receive: Placed[str] | None, *, notes: Notes) -> Placed[str] | None:
    """``receive`` for Python; None where there is none, or none that can be used, which is reported."""
    if receive is None or not receive.value:
        return None
    regex, problem = _translated(receive.value)
    if problem:
        text = f"receive cannot be used: {problem}; write another regular expression that finds the same"
        notes.error(receive.line, text)
        return None
    return Placed(regex, receive.line)


@lru_cache(maxsize=256)
def _translated(pattern: str) -> tuple[str, str]:
    """The expression for Python, and what is wrong with it (else empty)."""
    if len(pattern) > LONGEST_REGEX:
        return "", f"it is longer than {LONGEST_REGEX} characters"
    try:
        regex = translate(pattern)
    except Untranslatable as error:
        return "", str(error)
    return regex, "" if len(regex) <= LONGEST_REGEX else f"it is longer than {LONGEST_REGEX} characters"
