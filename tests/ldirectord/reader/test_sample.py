"""The sample that ldirectord's package ships, with each of its blocks switched on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.ldirectord.reader.expected import config_of, table_of

SAMPLE = Path("/usr/share/doc/ldirectord/examples/ldirectord.cf")
EXPECTED = Path(__file__).parents[2] / "data" / "ldirectord" / "debian-sample.expected"
BLOCK = re.compile(r"^#?(virtual6?\s*=.*\n(?:#?\t.*\n)+)", re.MULTILINE)

pytestmark = pytest.mark.skipif(not SAMPLE.exists(), reason="the package ldirectord is not installed")


def parts() -> tuple[str, list[str]]:
    """The global directives, all switched on, and the virtual services."""
    text = SAMPLE.read_text(encoding="utf-8")
    head = text[: text.index("\nvirtual=")]
    switched_on = re.sub(r"^#(?=\w+=)", "", head, flags=re.MULTILINE)
    blocks = [re.sub(r"^#+(?=\t)", "", block, flags=re.MULTILINE) for block in BLOCK.findall(text)]
    return switched_on + "\n", [_with_options(block) for block in blocks]


def _with_options(block: str) -> str:
    """What is switched off within a block is switched on, but for the netmask of IPv4 in the block of IPv6."""
    off = r"^\t#netmask=.*\n" if block.startswith("virtual6") else r"^$\n"
    return re.sub(r"^\t#(?=\w+=)", "\t", re.sub(off, "", block, flags=re.MULTILINE), flags=re.MULTILINE)


def test_each_block_gives_the_table_that_it_describes() -> None:
    """Every kind of service, ranges, a mark, IPv6; two of them have one address, so each is read alone."""
    head, blocks = parts()
    found = [rule for block in blocks for rule in table_of(config_of(head + block))]

    assert len(blocks) == 20
    assert found == EXPECTED.read_text(encoding="utf-8").splitlines()


def test_all_blocks_together_are_one_configuration() -> None:
    """Apart from the blocks that repeat an address; every server that the sample names is there."""
    head, blocks = parts()
    different = {block.splitlines()[0]: block for block in blocks}
    config = config_of(head + "\n".join(different.values()))

    assert len(config.intent.services) == len(different) == 19
