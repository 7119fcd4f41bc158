"""The table of directives in the migration guide: ``make docs`` (this module's command) writes it anew."""

from __future__ import annotations

from pathlib import Path

from lvs_agent.ldirectord.reader.directives import DIRECTIVES, Directive, Scope, Support

GUIDE = Path(__file__).parents[3] / "docs" / "migrating-from-ldirectord.md"
_BEGIN = "<!-- made of lvs_agent/ldirectord/reader/directives.py: make docs -->\n"
_END = "<!-- end -->\n"
_WHERE = {Scope.GLOBAL: "global", Scope.VIRTUAL: "service", Scope.BOTH: "both"}
_SUPPORT = {
    Support.SAME: "same",
    Support.BETTER: "better: {}",
    Support.REPLACED: "replaced: {}",
    Support.IGNORED: "ignored: {}",
}


def table() -> str:
    """The table in Markdown."""
    rows = [f"| {' | '.join(_cells(each))} |\n" for each in DIRECTIVES.values()]
    return "".join(["| directive | where | meaning | here |\n", "|---|---|---|---|\n", *rows])


def with_table(guide: str) -> str:
    """``guide`` with the table as it should be."""
    before, begin, rest = guide.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{GUIDE} has no place for the table")
    return f"{before}{begin}\n{table()}\n{end}{after}"


def _cells(directive: Directive) -> tuple[str, str, str, str]:
    meaning = directive.meaning.replace("|", "\\|")
    support = _SUPPORT[directive.support].format(directive.why.replace("|", "\\|"))
    return f"`{directive.name}`", _WHERE[directive.scope], meaning, support


if __name__ == "__main__":
    GUIDE.write_text(with_table(GUIDE.read_text(encoding="utf-8")), encoding="utf-8")
