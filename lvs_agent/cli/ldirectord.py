"""What the commands know of ldirectord.  Its package is imported when it is used: most agents never need it."""

from __future__ import annotations

from lvs_agent.config import ConfigFormat, SourceTables


class _LdirectordCf:
    """The format of an ldirectord.cf."""

    name = "ldirectord"
    suffixes = (".cf",)

    def read(self, content: bytes, *, name: str) -> SourceTables:
        from lvs_agent.ldirectord.reader.source import read_source  # noqa: PLC0415 - some thirty modules

        return read_source(content, name=name)


LDIRECTORD_CF: ConfigFormat = _LdirectordCf()
