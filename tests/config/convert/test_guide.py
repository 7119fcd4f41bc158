"""The migration guide says what the code does."""

from __future__ import annotations

import re

from lvs_agent.config.ldirectord.directives import DIRECTIVES
from tests.config.convert.directive_table import GUIDE, with_table


def test_table_of_directives_is_that_of_the_code() -> None:
    """After a change of the code, ``make docs`` writes it anew."""
    guide = GUIDE.read_text(encoding="utf-8")

    assert with_table(guide) == guide


def test_every_directive_is_in_the_guide() -> None:
    """Whoever looks for his directive finds a row."""
    section = GUIDE.read_text(encoding="utf-8").partition("### Directives")[2].partition("\n### ")[0]
    rows = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)

    assert rows == list(DIRECTIVES)


def test_links_lead_somewhere() -> None:
    """To headings of the guide."""
    text = GUIDE.read_text(encoding="utf-8")
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
    links = re.findall(r"\]\(([^)]+)\)", text)

    assert {link for link in links if link.startswith("#") and link[1:] not in anchors} == set()
