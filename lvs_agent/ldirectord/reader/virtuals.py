"""From the block of a virtual service to what ldirectord makes of it: every default and inheritance applied."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from lvs_agent.config.suggest import enumerate_words, nearest
from lvs_agent.ldirectord.reader.addresses import VirtualText, parse_virtual
from lvs_agent.ldirectord.reader.blocks import Block
from lvs_agent.ldirectord.reader.notes import Notes
from lvs_agent.ldirectord.reader.servers import Real, Servers
from lvs_agent.ldirectord.reader.services import PORTS, SERVICES, service_of
from lvs_agent.ldirectord.reader.settings import Globals, limits
from lvs_agent.ldirectord.reader.values import Placed, Values, bounded, shown
from lvs_agent.model.ipvs import Family, IPAddress

_NUMBER_ALONE = re.compile(r"(?:negotiate\s+)?([0-9]+)(?:\s|$)")
_WORD = re.compile(r"[A-Za-z0-9_-]*")


class CheckType(Enum):
    """``checktype=``; COMBINED is a number."""

    NEGOTIATE = "negotiate"
    CONNECT = "connect"
    PING = "ping"
    EXTERNAL = "external"
    EXTERNAL_PERL = "external-perl"
    ON = "on"
    OFF = "off"
    COMBINED = "combined"


@dataclass(frozen=True, slots=True, kw_only=True)
class Virtual:
    """One virtual service.

    ``mark`` None: it has ``address`` and ``port``; otherwise ``port`` is 0.  ``protocol``: tcp, udp or fwm.
    ``connects``: N of a combined check.  The time limits are in seconds.  ``values`` has the directives that nothing
    else is made of.
    """

    line: int
    family: Family
    protocol: str
    mark: int | None
    address: IPAddress | None
    port: int
    service: Placed[str]
    check_type: Placed[CheckType]
    connects: int
    check_port: Placed[int] | None
    check_limit: Placed[int]
    negotiate_limit: Placed[int]
    request: Placed[str] | None
    receive: Placed[str] | None
    http_method: Placed[str] | None
    virtual_host: Placed[str] | None
    check_command: Placed[str] | None
    fallback: Real | None
    reals: tuple[Real, ...]
    values: Values


def read_virtual(block: Block, *, around: Globals, servers: Servers, notes: Notes) -> Virtual | None:
    """The virtual service of ``block``; None after an error that leaves nothing to go on with."""
    return _Reader(block, around, servers, notes).virtual()


class _Reader:
    def __init__(self, block: Block, around: Globals, servers: Servers, notes: Notes) -> None:
        self._block = block
        self._line = block.opener.line
        self._around = around
        self._servers = servers
        self._notes = notes
        self._values = Values(block.entries, notes)
        self._six = block.opener.directive.name.endswith("6")

    def virtual(self) -> Virtual | None:
        text = parse_virtual(self._block.opener.value, line=self._line, notes=self._notes)
        if text is None:
            self._reals(Family.INET6 if self._six else Family.INET)
            return None
        protocol = self._protocol(text)
        family, address = self._address(text)
        reals = self._reals(family)
        port = self._port(text, protocol=protocol, reals=reals)
        if port is None or (text.mark is None and address is None):
            return None
        values = self._values
        check_limit, negotiate_limit = limits(values, around=self._around, line=self._line, notes=self._notes)
        check_type, connects = self._check_type()
        return Virtual(
            line=self._line,
            family=family,
            protocol=protocol,
            mark=text.mark,
            address=address,
            port=port,
            service=self._service() or Placed("none" if text.mark is not None else service_of(port), self._line),
            check_type=check_type,
            connects=connects,
            check_port=self._check_port(),
            check_limit=check_limit,
            negotiate_limit=negotiate_limit,
            request=values.quoted("request"),
            receive=values.quoted("receive"),
            http_method=self._http_method(),
            virtual_host=values.word("virtualhost"),
            check_command=values.text("checkcommand"),
            fallback=self._fallback(family),
            reals=reals,
            values=values,
        )

    # --- address and port ------------------------------------------------------------------------------------------

    def _address(self, text: VirtualText) -> tuple[Family, IPAddress | None]:
        family = Family.INET6 if self._six else Family.INET
        if text.mark is not None:
            return family, None
        address = self._servers.resolver.host(text.host, family=family, line=self._line)
        if address is None or (address.version == 6) == self._six:
            return family, address
        right, wrong = ("virtual6", "virtual") if address.version == 6 else ("virtual", "virtual6")
        self._notes.warning(self._line, f"{wrong} has an address of IPv{address.version}: {right} is meant")
        return Family.INET6 if address.version == 6 else Family.INET, address

    def _port(self, text: VirtualText, *, protocol: str, reals: tuple[Real, ...]) -> int | None:
        if text.mark is not None:
            return 0
        if text.port is not None:
            return self._servers.resolver.port(text.port, protocol=protocol, line=self._line)
        source, port = self._missing_port(reals)
        if port is None:
            self._notes.error(self._line, "a virtual service needs a port; write virtual=ADDRESS:PORT")
            return None
        octet = text.host.partition(".")[0]
        fwmark = f"; ldirectord makes it the firewall mark {octet}" if octet.isdecimal() else "; ldirectord refuses it"
        self._notes.warning(self._line, f"the port is missing; {port} is taken, {source}{fwmark}")
        return port

    def _missing_port(self, reals: tuple[Real, ...]) -> tuple[str, int | None]:
        service = self._service()
        if service is not None and service.value in PORTS:
            return f"the port of service={service.value}", PORTS[service.value]
        ports = {real.port for real in reals if real.port}
        if len(ports) == 1:
            return "the port of its real servers", ports.pop()
        check_port = self._check_port()
        return "its checkport", None if check_port is None else check_port.value

    def _protocol(self, text: VirtualText) -> str:
        usual = "fwm" if text.mark is not None else "udp" if text.port in ("53", "domain") else "tcp"
        found = self._values.word("protocol")
        if found is None:
            return usual
        word = found.value.lower()
        if word != found.value:
            self._notes.warning(found.line, f"{found.value} is read as {word}; ldirectord refuses it")
        if usual == "fwm":
            if word != "fwm":
                text_ = f"protocol={shown(word)[1:-1]} has no effect with a firewall mark; ldirectord refuses it"
                self._notes.warning(found.line, text_)
            return usual
        if word not in ("tcp", "udp"):
            self._notes.error(found.line, "protocol must be tcp or udp; a firewall mark is written virtual=NUMBER")
            return usual
        return word

    # --- servers ---------------------------------------------------------------------------------------------------

    def _reals(self, family: Family) -> tuple[Real, ...]:
        found: list[Real] = []
        for entry in self._block.entries:
            if entry.directive.name not in ("real", "real6"):
                continue
            right = "real6" if family is Family.INET6 else "real"
            if entry.directive.name != right:
                text = f"{entry.directive.name} is read as {right}, for the address family of the virtual service"
                self._notes.warning(entry.line, f"{text}; ldirectord refuses it")
            found += self._servers.reals(entry, family=family)
        return tuple(found)

    def _fallback(self, family: Family) -> Real | None:
        right, wrong = ("fallback6", "fallback") if family is Family.INET6 else ("fallback", "fallback6")
        entry, other = self._values.entry(right), self._values.entry(wrong)
        if other is not None:
            self._notes.warning(other.line, f"{wrong} is read as {right} here; ldirectord refuses it")
        return self._servers.fallback(entry or other, family=family)

    # --- the check -------------------------------------------------------------------------------------------------

    def _service(self) -> Placed[str] | None:
        found = self._values.word("service")
        if found is None:
            return None
        word = (_WORD.match(found.value) or found.value)[0].lower()
        if word not in SERVICES:
            guess = nearest(word, known=SERVICES)
            hint = f"; did you mean {guess}?" if guess else ""
            text = f"service must be {enumerate_words(sorted(SERVICES))}{hint}"
            self._notes.error(found.line, text)
            return None
        if word != found.value:
            self._notes.warning(found.line, f"service: {shown(found.value)} is read as {word}")
        return Placed(word, found.line)

    def _check_type(self) -> tuple[Placed[CheckType], int]:
        entry = self._values.entry("checktype")
        if entry is None:
            return Placed(CheckType.NEGOTIATE, self._line), 0
        number = _NUMBER_ALONE.match(entry.value)
        if number is not None:
            if number[0] != entry.value:
                self._notes.warning(entry.line, f"checktype: only the number {bounded(number[1])} counts")
            return Placed(CheckType.COMBINED, entry.line), bounded(number[1])
        words = [kind.value for kind in CheckType if kind is not CheckType.COMBINED]
        found = self._values.word("checktype")
        word = "" if found is None else found.value.lower()
        if word not in words:
            guess = nearest(word, known=words)
            hint = f"; did you mean {guess}?" if guess else ""
            self._notes.error(entry.line, f"checktype must be {', '.join(words)} or a number{hint}")
            return Placed(CheckType.NEGOTIATE, entry.line), 0
        if found is not None and found.value != word:
            self._notes.warning(entry.line, f"{found.value} is read as {word}; ldirectord refuses it")
        return Placed(CheckType(word), entry.line), 0

    def _check_port(self) -> Placed[int] | None:
        found = self._values.number("checkport")
        if found is not None and found.value > 65_535:
            self._notes.error(found.line, "checkport must be from 1 to 65535")
            return None
        return found

    def _http_method(self) -> Placed[str] | None:
        found = self._values.word("httpmethod")
        if found is None:
            return None
        if found.value.upper() not in ("GET", "HEAD"):
            self._notes.error(found.line, "httpmethod must be GET or HEAD")
            return None
        return Placed(found.value.upper(), found.line)
