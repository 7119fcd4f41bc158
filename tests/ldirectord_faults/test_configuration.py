"""Faults 37 to 41: files that are refused, and files that are read as something else."""

from __future__ import annotations

from typing import Any

import pytest

from lvs_agent.ldirectord.reader import Reading, read_ldirectord
from lvs_agent.ldirectord.reader.names import FixedNames
from tests.differential.oracle import Oracle
from tests.ldirectord_faults.commands import check_config
from tests.ldirectord_faults.conftest import CfFile

NAMES = FixedNames({"web_1.example.com": "192.0.2.7"})
TIDY = """checktimeout=3
checkinterval=1
autoreload=yes
quiescent=no
virtual=192.0.2.1:80
    real=192.0.2.7:80 gate 2
    real=192.0.2.8:80 gate
    service=http
    request="index.html"
    receive="Test Page"
    virtualhost=www.example.com
"""


def read(text: bytes) -> Reading:
    """What lvs-agent makes of a file."""
    return read_ldirectord(text, name="web.cf", names=NAMES)


def servers(text: str) -> list[tuple[Any, Any]]:
    """Address and port (None: the service's) of every real server of the one virtual service."""
    (service,) = read(text.encode()).tables["virtual_service"]
    return [(server["address"], server.get("port")) for server in service["real_server"]]


@pytest.mark.fault(37)
@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("    ", "  ", id="two blanks"),
        pytest.param("    service", "service", id="no indentation"),
        pytest.param("    service", "\n    service", id="blank line within a block"),
        pytest.param("    service", "       \n    service", id="line of blanks within a block"),
        pytest.param("autoreload=yes", "autoreload=yes   # at once", id="comment behind a global value"),
        pytest.param("quiescent=no", "quiescent=no ", id="blank behind yes or no"),
        pytest.param("quiescent=no", "quiescent=no\nlogfile=/var/log/web.log", id="path without quotes"),
        pytest.param("    ", "\u00a0\u00a0\u00a0\u00a0", id="no-break space"),
        pytest.param("quiescent=no", "quiescent=no\u3000# ideographic", id="ideographic space"),
        pytest.param("checktimeout", "\ufeffchecktimeout", id="byte order mark"),
        pytest.param("\n", "\r\n", id="carriage returns"),
        pytest.param('"Test Page"', "\u201cTest Page\u201d", id="curly quotes"),
        pytest.param("gate 2", "gate 2  (weight)", id="remark without #"),
    ],
)
def test_file_as_people_write_it_means_what_is_plainly_meant(oracle: Oracle, old: str, new: str) -> None:
    """ldirectord refuses most of the examples that are published, for a blank or a comment in the wrong place;
    lvs-agent takes what is plainly meant, and names the line.
    """
    odd = TIDY.replace(old, new).encode()
    taken, tidy = read(odd), read(TIDY.encode())

    assert oracle.refused_at(odd) is not None
    assert oracle.refused_at(TIDY.encode()) is None
    assert taken.tables == tidy.tables
    assert len(taken.warnings) > len(tidy.warnings)


@pytest.mark.fault(37)
def test_hash_within_quotes_is_text() -> None:
    """ldirectord cuts a line at the first #, also within quotes; lvs-agent leaves quoted texts as they are."""
    odd = TIDY.replace('"Test Page"', '"Page #1"').encode()
    (service,) = read(odd).tables["virtual_service"]

    assert service["check"]["body_regex"] == "Page #1"


@pytest.mark.fault(38)
def test_address_without_a_port_is_no_firewall_mark() -> None:
    """ldirectord takes virtual=192.0.2.1 for the firewall mark 192; lvs-agent takes the port of the service, and says
    that it was missing.
    """
    reading = read(TIDY.replace("192.0.2.1:80", "192.0.2.1").encode())
    (service,) = reading.tables["virtual_service"]

    assert (service["address"], service["port"], service.get("fwmark")) == ("192.0.2.1", 80, None)
    assert any(one.path == "line 5" and "port is missing" in one.text for one in reading.warnings)


@pytest.mark.fault(38)
@pytest.mark.parametrize(
    ("written", "meant"),
    [
        pytest.param("192.0.2.7::5060 masq", [("192.0.2.7", 5060)], id="two colons"),
        pytest.param(
            "192.0.2.7:1000->192.0.2.9:1000 masq",
            [("192.0.2.7", 1000), ("192.0.2.8", 1000), ("192.0.2.9", 1000)],
            id="port at both ends of a range",
        ),
        pytest.param(
            "59.154.201.254->59.154.202.1:80 gate",
            [(f"59.154.{end}", None) for end in ("201.254", "201.255", "202.0", "202.1")],
            id="range whose ends have different numbers of digits",
        ),
    ],
)
def test_servers_are_those_that_were_written(written: str, meant: list[tuple[str, int | None]]) -> None:
    """ldirectord makes other servers, two thousand servers or none at all of some ways to write them, and says nothing;
    lvs-agent has exactly those that were meant.
    """
    assert servers(f"virtual=192.0.2.1:80\n    real={written}\n") == meant


@pytest.mark.fault(39)
def test_every_error_is_told_at_once_and_at_its_line(cf: CfFile) -> None:
    """ldirectord stops at the first error, names the line after a block for what is wrong in it, and has no command
    that only checks; lvs-agent has check-config, which names every error at its line.
    """
    block = "virtual=192.0.2.1:80\n    real=192.0.2.7:80 gate\n    scheduler={}\n"
    said = check_config(cf.write("checktimeuot=3\n" + block.format("round") + block.format("rr") + "    htp=1\n"))

    assert said.code == 2
    lines = [line.partition(f"{cf.path}: ")[2].partition(":")[0] for line in said.err.splitlines() if "error: " in line]
    assert lines == ["line 1", "line 4", "line 5", "line 8"]


@pytest.mark.fault(41)
def test_names_of_services_and_hosts_are_looked_up() -> None:
    """ldirectord came to accept service names as ports of real servers, and underscores in names, by and by only;
    lvs-agent looks up whatever is a name.
    """
    text = "virtual=192.0.2.1:domain\n    real=web_1.example.com:sip masq\n    real=192.0.2.8:www masq\n"
    (service,) = read(text.encode()).tables["virtual_service"]

    assert (service["protocol"], service["port"]) == ("udp", 53)
    assert servers(text) == [("192.0.2.7", 5060), ("192.0.2.8", 80)]
