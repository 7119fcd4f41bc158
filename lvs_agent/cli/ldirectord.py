"""What the commands know of ldirectord.  Its package is imported when it is used: most agents never need it."""

from __future__ import annotations

from lvs_agent.config import ConfigFormat, SourceTables
from lvs_agent.model.check import CheckReport, CheckSpec
from lvs_agent.model.intent import RealServer, VirtualService


class _LdirectordCf:
    """The format of an ldirectord.cf."""

    name = "ldirectord"
    suffixes = (".cf",)

    def read(self, content: bytes, *, name: str) -> SourceTables:
        from lvs_agent.ldirectord.reader.source import read_source  # noqa: PLC0415 - some thirty modules

        return read_source(content, name=name)


LDIRECTORD_CF: ConfigFormat = _LdirectordCf()


def monitor_line(
    report: CheckReport, spec: CheckSpec, *, service: VirtualService, server: RealServer, in_maintenance: bool
) -> str | None:
    """A line of a monitor file as ldirectord writes it."""
    from lvs_agent.ldirectord import monitor_line as lines  # noqa: PLC0415 - most configurations have no monitor files

    return lines.monitor_line(report, spec, service=service, server=server, in_maintenance=in_maintenance)
