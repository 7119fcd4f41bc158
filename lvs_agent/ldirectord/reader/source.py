"""An ldirectord.cf as one format of configuration files among others."""

from __future__ import annotations

from lvs_agent.config.formats import SourceTables
from lvs_agent.ldirectord.reader.notes import merge_problems
from lvs_agent.ldirectord.reader.places import by_line
from lvs_agent.ldirectord.reader.reading import Understanding, understand


def read_source(content: bytes, *, name: str) -> SourceTables:
    """What ``lvs_agent.config.ConfigFormat`` asks of ``read``."""
    return source_of(understand(content, name=name))


def source_of(understood: Understanding) -> SourceTables:
    """What was understood of a file, with problems named by their lines."""
    reading = understood.reading
    return SourceTables(
        tables=reading.tables,
        errors=understood.errors,
        warnings=reading.warnings,
        formatter=by_line(reading.places),
        merged=merge_problems,
    )
