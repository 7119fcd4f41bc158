"""What ldirectord refuses: cases in the real program's own words, and that lvs-agent reports each of them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, example, given, settings

from lvs_agent.config import config_from_source
from lvs_agent.errors import ConfigError, Problem
from lvs_agent.ldirectord.reader.reading import understand
from lvs_agent.ldirectord.reader.source import source_of
from tests.differential.oracle import LocalNames, Oracle, refused_by_the_program
from tests.differential.texts import texts
from tests.ldirectord.reader.expected import BASE

TEXTS = int(os.environ.get("LVS_DIFFERENTIAL_TEXTS", "200"))
"""How many texts ldirectord is asked about."""
REAL = "    real=10.0.0.5:80 gate"
HEAD = "virtual=10.0.0.1:80"
HEAD6 = "virtual6=[2001:db8::1]:80"


_FALLBACK_PORT = re.compile(rb"(?m)^fallback6?[ \t]*=.*:[a-z]")
"""A global fallback server with the name of a port: ldirectord refuses a name that only one protocol has."""


def lines(*texts: str) -> bytes:
    """A file of these lines."""
    return "".join(f"{text}\n" for text in texts).encode()


CASES: dict[str, tuple[int | None, bytes]] = {
    "empty file": (None, b""),
    "a service": (None, lines(HEAD, REAL)),
    "no line end at the end": (None, f"{HEAD}\n{REAL}".encode()),
    "a service of one line that ends the file is read twice": (1, lines(HEAD)),
    "a comment behind it helps": (None, lines(HEAD, "# end")),
    "a tab counts for four blanks": (None, lines(HEAD, "\treal=10.0.0.5:80 gate")),
    "two blanks": (2, lines(HEAD, "  real=10.0.0.5:80 gate")),
    "an empty line ends the block": (3, lines(HEAD, "", REAL)),
    "four blanks end it too": (4, lines(HEAD, REAL, "    ", REAL)),
    "five blanks are a directive": (3, lines(HEAD, REAL, "     ", REAL)),
    "a comment at the margin does not end it": (None, lines(HEAD, "# why", REAL)),
    "a comment behind a value of a block": (None, lines(HEAD, f"{REAL} # why", "    quiescent=no# why")),
    "a comment behind a global value": (1, lines("autoreload=yes # why")),
    "a comment behind a global number": (None, lines("checktimeout=3 # why")),
    "a comment behind a global fallback": (1, lines("fallback=127.0.0.1:80 # why")),
    "a blank behind yes": (3, lines(HEAD, REAL, "    quiescent=no ")),
    "CRLF and numbers": (None, b"checktimeout=3\r\nvirtual=10.0.0.1:80\r\n    real=10.0.0.5:80 gate\r\n"),
    "CRLF and a switch": (1, b"autoreload=yes\r\n"),
    "byte order mark": (1, b"\xef\xbb\xbfchecktimeout=3\n"),
    "no-break space in front": (2, lines(HEAD, "\u00a0\u00a0\u00a0\u00a0real=10.0.0.5:80 gate")),
    "no-break space behind a weight": (2, lines(HEAD, f"{REAL} 1\u00a0")),
    "log file without quotes": (1, lines("logfile=/var/log/ldirectord.log")),
    "bare supervised": (None, lines("supervised")),
    "directive of a service outside": (1, lines("scheduler=rr")),
    "global directive in a service": (2, lines(HEAD, "    autoreload=yes")),
    "directive that is no more": (1, lines("timeout=3")),
    "number 0": (1, lines("checkinterval=0")),
    "number 00 of a service": (None, lines(HEAD, REAL, "    checktimeout=00")),
    "number 00 globally": (1, lines("checktimeout=00")),
    "number of more digits than Python reads": (1, lines(f"checktimeout={'0' * 9999}")),
    "address without a port is a mark": (None, lines("virtual=10.0.0.1", REAL)),
    "port of the wrong protocol": (1, lines("virtual=10.0.0.1:http", REAL, "    protocol=udp")),
    "global fallback by a name that only tcp has": (1, lines("fallback=127.0.0.1:http")),
    "fallback of a mark by a name": (3, lines("virtual=7", REAL, "    fallback=127.0.0.1:http")),
    "IPv6 under virtual": (1, lines("virtual=[2001:db8::1]:80", REAL)),
    "real under virtual6": (2, lines(HEAD6, REAL)),
    "real6 under virtual6": (None, lines(HEAD6, "    real6=[2001:db8::5]:80 gate")),
    "range of IPv6": (2, lines(HEAD6, "    real6=[2001:db8::5]->[2001:db8::7]:80 gate")),
    "no method": (2, lines(HEAD, "    real=10.0.0.5:80")),
    "no weight but another word": (2, lines(HEAD, "    real=10.0.0.5:80 gate x")),
    "another word before the weight": (None, lines(HEAD, "    real=10.0.0.5:80 gate x 5")),
    "upper threshold first": (None, lines(HEAD, "    real=10.0.0.5:80 gate 5 u:9 l:1")),
    "nonsense behind a request with a slash": (None, lines(HEAD, f'{REAL} 1 "/a", "b" x')),
    "nonsense behind a request without": (2, lines(HEAD, f'{REAL} 1 "a", "b" x')),
    "two colons": (None, lines(HEAD, "    real=10.0.0.5::5060 gate")),
    "range from its end": (2, lines(HEAD, "    real=10.0.0.9->10.0.0.5:80 gate")),
    "nonsense behind a range in which nobody is": (None, lines(HEAD, "    real=5.245.224.255->5.245.225.0:80 x")),
    "names are looked up at the end": (3, lines(HEAD, "    real=300.1.1.1:80 gate", "    quiescent=x")),
    "the fallback server first": (3, lines(HEAD, "    real=300.1.1.1:80 gate", "    fallback=300.1.1.1")),
    "the service before its real servers": (1, lines("virtual=300.1.1.1:80", "    real=300.1.1.1:80 gate")),
    "twice: the line behind the second": (5, lines(HEAD, REAL, HEAD, REAL, "")),
    "twice, at the end of the file": (4, lines(HEAD, REAL, HEAD, REAL)),
    "ports 80 and 080 are two": (None, lines(HEAD, REAL, "virtual=10.0.0.1:080", REAL)),
    "tcp and udp are two": (None, lines(HEAD, REAL, HEAD, REAL, "    protocol=udp")),
    "quotes with nothing in them": (2, lines(HEAD, '    request=""')),
    "a number sign in quotes": (2, lines(HEAD, '    request="a#b"')),
    "curly quotes": (2, lines(HEAD, "    receive=“OK”")),
    "status none and another": (1, lines("emailalertstatus=none,running")),
    "netmask of the other family": (2, lines(HEAD6, "    netmask=255.255.255.0")),
}


def said_of(text: bytes) -> Sequence[Problem]:
    """Every error and warning about a file with ``text``."""
    understood = understand(text, name="it.cf", names=LocalNames())
    try:
        return config_from_source(source_of(understood), base=BASE).warnings
    except ConfigError as error:
        return error.problems


@pytest.mark.parametrize(("line", "text"), CASES.values(), ids=CASES.keys())
def test_cases_are_what_ldirectord_says(oracle: Oracle, line: int | None, text: bytes) -> None:
    """The table above is the program's word and not ours."""
    assert oracle.refused_at(text) == line


def test_whatever_ldirectord_refuses_is_reported(oracle: Oracle) -> None:
    """No file that ldirectord would not start with is read without a word: the way back is never blocked unseen."""

    @settings(max_examples=TEXTS, deadline=None, suppress_health_check=list(HealthCheck))
    @given(text=texts())
    @example(text=lines("fallback=[::1]:80"))
    @example(text=lines("fallback6=127.0.0.1:80"))
    @example(text=lines("virtual6=[::ffff:102:304]:80", "    real6=[::1]:80 gate", "virtual6=[::102:304]:81", "#"))
    def ask(text: bytes) -> None:
        if not _FALLBACK_PORT.search(text):
            assert oracle.refused_at(text) is None or said_of(text)

    ask()


@pytest.mark.parametrize("text", [text for line, text in CASES.values() if line and not _FALLBACK_PORT.search(text)])
def test_case_that_ldirectord_refuses_is_reported(text: bytes) -> None:
    """As an error, or as a warning where it is plain what is meant."""
    assert said_of(text)


@pytest.mark.parametrize("text", [text for _, text in list(CASES.values())[:12:3]])
def test_loaded_reading_is_the_program_s_own(oracle: Oracle, text: bytes) -> None:
    """Asking the loaded reading is as good as starting ldirectord."""
    assert oracle.refused_at(text) == refused_by_the_program(text)
