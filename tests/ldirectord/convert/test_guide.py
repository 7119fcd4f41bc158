"""The migration guide says what the code does."""

from __future__ import annotations

import re

from lvs_agent.ldirectord.reader.directives import DIRECTIVES
from tests.ldirectord.convert.directive_table import GUIDE, with_table


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
    """To files of the repository and to headings of the guide."""
    text = GUIDE.read_text(encoding="utf-8")
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}
    links = re.findall(r"\]\(([^)]+)\)", text)

    assert {link for link in links if link.startswith("#") and link[1:] not in anchors} == set()
    files = {link.partition("#")[0] for link in links if not link.startswith("#")}
    assert {file for file in files if not (GUIDE.parent / file).is_file()} == set()


def test_every_alert_that_the_guide_names_has_a_rule() -> None:
    """Nobody waits for a mail that nothing raises."""
    rules = (GUIDE.parents[1] / "alerts/lvs-agent.rules.yml").read_text(encoding="utf-8")
    named = set(re.findall(r"`(LVS[A-Za-z]+)`", GUIDE.read_text(encoding="utf-8")))

    assert named
    assert named <= set(re.findall(r"alert: (LVS\w+)", rules))
