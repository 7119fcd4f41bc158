"""What people do to a file with editors and web pages, and everything besides checks and servers."""

from __future__ import annotations

import codecs
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.config import config_from_source
from lvs_agent.errors import ConfigError
from lvs_agent.ldirectord.reader import AlertSettings, Reading, read_ldirectord
from lvs_agent.ldirectord.reader.directives import DIRECTIVES, Support
from lvs_agent.ldirectord.reader.reading import understand
from lvs_agent.ldirectord.reader.source import source_of
from tests.differential.oracle import Oracle
from tests.ldirectord.reader.expected import BASE, HOSTS, config_of, lines_of, table_of
from tests.ldirectord.reader.test_servers import told

BLOCK = "virtual=203.0.113.1:80\n\treal=192.0.2.1:80 gate\n\tchecktype=connect\n"
RULES = ("-A -t 203.0.113.1:80 -s wrr", "-a -t 203.0.113.1:80 -r 192.0.2.1:80 -g -w 1")


def reading_of(text: str | bytes) -> Reading:
    """The reading of a file without errors."""
    return read_ldirectord(text.encode() if isinstance(text, str) else text, name="web.cf", names=HOSTS)


def tables_of(text: str) -> dict[str, Any]:
    """Its tables."""
    return reading_of(text).tables


# --- bytes and lines ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "warning"),
    [
        pytest.param(codecs.BOM_UTF8 + BLOCK.encode(), "line 1: a byte order mark", id="mark"),
        pytest.param(BLOCK.encode("utf-16"), "line 1: text that is not UTF-8 is read as UTF-16", id="UTF-16"),
        pytest.param(BLOCK.replace("\n", "\r\n").encode(), "line 1: lines end in CR and LF", id="CR and LF"),
        pytest.param(
            b"# \xd6\xd0\xce\xc4\n" + BLOCK.encode(), "line 1: text that is not UTF-8 is read as GB18030", id="GBK"
        ),
        pytest.param(
            b"# d\xe9j\xe0 vu\n" + BLOCK.encode(), "line 1: text that is not UTF-8 is read as Latin-1", id="Latin-1"
        ),
        pytest.param(BLOCK.replace("\t", "\u3000").encode(), "line 2: U+3000 (ideographic space) counts", id="U+3000"),
        pytest.param(BLOCK.replace(" gate", "\u00a0gate").encode(), "line 2: U+00A0 (no-break space)", id="U+00A0"),
        pytest.param(BLOCK.replace(" gate", "\u2003gate").encode(), "line 2: U+2003 counts as a blank", id="U+2003"),
        pytest.param(BLOCK.replace("real", "\u200breal").encode(), None, id="invisible"),
        pytest.param(
            BLOCK.replace("\t", "  ").encode(), "line 2: ldirectord requires an indentation of", id="two blanks"
        ),
        pytest.param(BLOCK.replace("\t", "").encode(), "line 2: belongs to the virtual service above", id="none"),
        pytest.param(BLOCK.replace("\t", "\t\t   ").encode(), None, id="more than enough"),
        pytest.param(BLOCK.replace("\treal", "\n\treal").encode(), "line 3: continues the virtual service", id="gap"),
        pytest.param(BLOCK.replace("gate\n", "gate# x\n").encode(), None, id="comment without a blank"),
        pytest.param(BLOCK.replace("\tcheck", "# x\n\t# y\n\tcheck").encode(), None, id="comments between"),
        pytest.param(f" {BLOCK}".encode(), "line 1: is a global directive, though it is indented", id="indented"),
        pytest.param(BLOCK.replace("real=", "REAL=").encode(), "line 2: upper case is read as lower", id="upper case"),
        pytest.param(BLOCK.replace("\n", "\r").encode(), None, id="CR alone"),
        pytest.param(f"```\n{BLOCK}```\n".encode(), "line 1: has no letter and no digit", id="fence of a web page"),
        pytest.param(BLOCK.encode().rstrip(), None, id="no last line end"),
    ],
)
def test_whatever_an_editor_did_is_taken(content: bytes, warning: str | None) -> None:
    """The same table in every shape, and a warning with the first line where ldirectord would stumble."""
    found = told_bytes(content)

    assert table_of(config_of(content)) == RULES
    assert [line.startswith(f"warning {warning}") for line in found] == ([] if warning is None else [True])


def told_bytes(content: bytes) -> list[str]:
    """The warnings of ``content``."""
    return [line for line in lines_of(content) if line.startswith("warning") and "time limit" not in line]


def test_oddity_is_told_once_with_its_other_lines() -> None:
    """A file that was pasted from a web page gets a few warnings, not hundreds."""
    lines = "".join(f"  real=192.0.2.{number}:80 gate\n" for number in range(1, 31))

    text = (
        "warning line 2: ldirectord requires an indentation of four blanks or a tab; any indentation is accepted here"
    )

    assert told(f"virtual=203.0.113.1:80\n  checktype=connect\n{lines}") == [
        f"{text} (also lines 3, 4, 5, 6, 7, 8, 9, 10 and 22 more)"
    ]


@pytest.mark.parametrize(
    ("directive", "regex"),
    [
        pytest.param('receive="a#b" # c', "a#b", id="hash in quotes"),
        pytest.param('receive="a" # "b"', "a", id="quotes in the comment"),
        pytest.param("receive=“a b”", "a b", id="curly quotes"),
        pytest.param('receive=“a b"', "a b", id="one curly quote"),
        pytest.param('receive="“a”"', "“a”", id="curly quotes within straight ones"),
        pytest.param('receive="a "b" c"', 'a "b" c', id="quotes within quotes"),
        pytest.param('receive="a', "a", id="no closing quote"),
        pytest.param('receive="a # b', "a", id="no closing quote, comment"),
        pytest.param("receive=a b", "a b", id="no quotes"),
        pytest.param('receive="a"   the text', "a", id="text behind it"),
        pytest.param('receive="a\tb"', "a\tb", id="tab"),
        pytest.param('receive=""', None, id="empty"),
    ],
)
def test_text_in_quotes_is_what_was_meant(directive: str, regex: str | None) -> None:
    """Quotes and comments as people write them."""
    service = tables_of(f"virtual=203.0.113.1:80\n\t{directive}\n\treal=192.0.2.1:80 gate\n")["virtual_service"][0]

    assert service["check"].get("body_regex") == regex


def test_directives_on_one_line_are_taken_one_by_one() -> None:
    """As when a web page has lost the line ends; a free text takes the rest of its line."""
    text = (
        "checkinterval=3 quiescent=yes\n"
        'virtual=5 real=192.0.2.1:80 gate 2 request="a quiescent=no" service=http comment=service=none\n'
    )
    tables = tables_of(text)

    assert tables["defaults"]["check"]["interval"] == "3s"
    assert tables["defaults"]["on_down"] == "quiesce"
    assert tables["virtual_service"][0]["check"]["path"] == "/a%20quiescent=no"
    assert tables["virtual_service"][0]["comment"] == "service=none"


def test_commented_out_directives_stay_so() -> None:
    """A comment counts only where the file has nothing else, and then only with three directives on its line."""
    glued = "# globals checkinterval=3 quiescent=yes autoreload=yes\n"

    assert "on_down" not in tables_of(f"{glued}{BLOCK}")["defaults"]
    assert tables_of(glued)["defaults"]["on_down"] == "quiesce"
    assert "on_down" not in tables_of("# globals checkinterval=3 quiescent=yes\n")["defaults"]


# --- which service a directive belongs to ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "own", "everywhere"),
    [
        pytest.param(f"{BLOCK}\tquiescent=yes\n", True, False, id="indented"),
        pytest.param(f"{BLOCK}quiescent=yes\n", False, True, id="not indented, as ldirectord takes it"),
        pytest.param(f"{BLOCK}\nquiescent=yes\n", False, True, id="after an empty line"),
        pytest.param(f"{BLOCK}\n\tquiescent=yes\n", True, False, id="indented after an empty line"),
        pytest.param(f"{BLOCK}quiescent=yes\n\tservice=http\n", True, False, id="between others of the service"),
        pytest.param(f"{BLOCK}quiescent=yes\n# x\n\n\tcheckport=80\n", True, False, id="between, with a comment"),
        pytest.param(f"{BLOCK}quiescent=yes\nvirtual=5\n\tcheckport=80\n", False, True, id="before another service"),
        pytest.param(f"{BLOCK}service=http\nquiescent=yes\n", True, False, id="service that is not indented"),
        pytest.param(f"{BLOCK}service=http\n\nquiescent=yes\n", False, True, id="not indented, empty line: doubt"),
        pytest.param(f"{BLOCK}autoreload=yes\n\tquiescent=yes\n", True, False, id="after a global one"),
        pytest.param(f"quiescent=yes\n{BLOCK}", False, True, id="before the first service"),
        pytest.param(f"\tquiescent=yes\n{BLOCK}", False, True, id="indented before the first service"),
    ],
)
def test_directive_belongs_to(oracle: Oracle, *, text: str, own: bool, everywhere: bool) -> None:
    """Where ldirectord takes the file, to what ldirectord gives it; elsewhere to what was plainly meant."""
    tables = tables_of(text)
    found = (tables["virtual_service"][0].get("on_down"), tables["defaults"].get("on_down"))

    assert found == ("quiesce" if own else None, "quiesce" if everywhere else None)
    if oracle.refused_at(text.encode()) is not None:
        assert told(text)


def test_directive_without_a_service_is_refused() -> None:
    """There is nothing that it could belong to."""
    assert told("\treal=192.0.2.1:80 gate\n") == [
        "error line 1: real belongs to a virtual service; write virtual=ADDRESS:PORT on a line before it"
    ]


# --- everything else ------------------------------------------------------------------------------------------------


def test_defaults_are_those_of_ldirectord() -> None:
    """An empty file says all that is otherwise here."""
    assert tables_of("") == {
        "agent": {"state_dir": "/var/lib/lvs-agent/web.cf", "on_stop": "remove", "reload_on_change": False},
        "defaults": {
            "scheduler": "wrr",
            "readd_quiesced": False,
            "check": {"interval": "10s", "rise": 1, "fall": 1},
        },
    }


def test_global_directives_become_agent_and_defaults() -> None:
    """Each with its own key."""
    text = (
        "checkinterval=2\nfailurecount=3\nquiescent=yes\nreaddquiescent=yes\ncleanstop=no\nautoreload=yes\n"
        'maintenancedir="/etc/ha.d/out of service"\n'
    )

    assert tables_of(text) == {
        "agent": {
            "state_dir": "/var/lib/lvs-agent/web.cf",
            "on_stop": "keep",
            "reload_on_change": True,
            "maintenance_dir": "/etc/ha.d/out of service",
        },
        "defaults": {
            "scheduler": "wrr",
            "on_down": "quiesce",
            "readd_quiesced": True,
            "check": {"interval": "2s", "rise": 1, "fall": 3},
        },
    }


def test_directives_of_a_service_become_its_keys() -> None:
    """Each with its own key; own ones replace global ones."""
    text = (
        "quiescent=no\nvirtual=203.0.113.1:80\n\tservicename=Shop\n\tcomment=the web shop # x\n\tscheduler=sh\n"
        "\tschedflags=sh-port,sh-fallback\n\tpersistent=600\n\tnetmask=255.255.255.0\n\tprotocol=udp\n\tops=yes\n"
        "\tquiescent=yes\n\tcleanstop=no\n\tmonitorfile=/var/log/shop\n\tchecktype=on\n\tfallbackcommand=/x 'a b' c\n"
    )
    service = tables_of(text)["virtual_service"][0]

    assert service == {
        "name": "Shop",
        "comment": "the web shop",
        "protocol": "udp",
        "address": "203.0.113.1",
        "port": 80,
        "scheduler": "sh",
        "scheduler_flags": ["sh-port", "sh-fallback"],
        "persistence": {"timeout": "600s", "netmask": "255.255.255.0"},
        "one_packet": True,
        "on_down": "quiesce",
        "on_stop": "keep",
        "allow_weight_zero": True,
        "monitor_file": "/var/log/shop",
        "sorry_command": {"command": ["/x", "a b", "c"]},
    }


@pytest.mark.parametrize(
    ("directive", "command"),
    [
        ("fallbackcommand=/x y", ["/x", "y"]),
        ('fallbackcommand="/x y"', ["/x", "y"]),
        ("fallbackcommand=logger", ["/usr/bin/env", "logger"]),
        ("fallbackcommand=/x 'a|b' \"c d\"", ["/x", "a|b", "c d"]),
    ],
)
def test_global_fallback_command_is_split_into_words(directive: str, command: list[str]) -> None:
    """As the shell would do it, without one."""
    assert tables_of(f"{directive}\n{BLOCK}")["virtual_service"][0]["sorry_command"] == {"command": command}


def test_names_are_made_unique() -> None:
    """A servicename that two services have says which of them is meant."""
    text = BLOCK + "\tservicename=Web\n" + BLOCK.replace("80\n", "81\n", 1) + "\tservicename=Web\n"

    assert [each["name"] for each in tables_of(text)["virtual_service"]] == [
        "Web (tcp/203.0.113.1:80)",
        "Web (tcp/203.0.113.1:81)",
    ]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        pytest.param(
            "\tservice=http\n\treal=192.0.2.1:80 gate\n", "negotiate http tcp 192.0.2.1 80 1 gate / ", id="short"
        ),
        pytest.param(
            '\tcheckport=81\n\tvirtualhost=www\n\treal=192.0.2.1 masq 3 "a:b", "c::d\\."\n',
            "negotiate http tcp 192.0.2.1 0 www 81 3 masq /a b c  d.",
            id="everything",
        ),
        pytest.param("\tchecktype=2\n\treal=192.0.2.1:80 gate\n", "combined http tcp 192.0.2.1 80 1 gate / ", id="N"),
        pytest.param(
            "\tchecktype=external\n\tcheckcommand=/x\n\treal=192.0.2.1:80 gate\n",
            "external /x tcp 192.0.2.1 80 1 gate / ",
            id="external",
        ),
        pytest.param("\tchecktype=ping\n\treal=192.0.2.1:80 gate\n", "ping tcp 192.0.2.1 80 1 gate / ", id="ping"),
    ],
)
def test_label_is_what_ldirectord_writes_to_its_monitor_file(text: str, label: str) -> None:
    """Colons become blanks; what reads such files goes on reading them."""
    service = tables_of(f"virtual=203.0.113.1:80\n\tmonitorfile=/m\n{text}")["virtual_service"][0]

    assert service["real_server"][0]["monitor_label"] == label


def test_places_name_the_line_of_each_value() -> None:
    """What is wrong with a table is reported by the line of the file."""
    places = reading_of(f"quiescent=no\n\n{BLOCK}\tfailurecount=3\n").places

    assert places["defaults", "on_down"] == 1
    assert places["virtual_service", 0] == 3
    assert places["virtual_service", 0, "real_server", 0, "address"] == 4
    assert places["virtual_service", 0, "check", "type"] == 5
    assert places["virtual_service", 0, "check", "fall"] == 6


def test_comments_stay_with_what_they_are_about() -> None:
    """Head of the file, before a line, behind a value, and the last ones of a service."""
    text = (
        "# head\n\n# how often\nquiescent=no # careful\n\n# the shop\nvirtual=203.0.113.1:80\n\t# first\n"
        "\treal=192.0.2.1:80 gate # old\n\tchecktype=connect\n\t#persistent=600\n\n# next\nvirtual=5\n\tchecktype=on\n"
    )

    assert reading_of(text).comments == {
        (): ("head",),
        ("defaults", "on_down"): ("how often", "careful"),
        ("virtual_service", 0): ("the shop", "persistent=600"),
        ("virtual_service", 0, "real_server", 0): ("first", "old"),
        ("virtual_service", 1): ("next",),
    }


@pytest.mark.parametrize(
    ("written", "recipients"),
    [
        ("root", ("root",)),
        ('"root, operator"', ("root", "operator")),
        ("admin@example.net when down", ("admin@example.net",)),
        ("管理员", None),
    ],
)
def test_local_users_get_mail_too(written: str, recipients: tuple[str, ...] | None) -> None:
    """A name without a host is a user of the mail server; behind an address it is a remark."""
    alerts = reading_of(f"emailalert={written}\n{BLOCK}").alerts

    assert [each.recipients for each in alerts] == ([] if recipients is None else [recipients])


def test_mail_settings_are_kept_for_each_service() -> None:
    """Own ones before global ones; "all" is every status."""
    text = (
        'emailalert="a@example.net, b@example.net"\nemailalertfreq=60\n'
        "emailalertfrom=lvs@example.net\nsmtp=mail.example.net\n"
        f"{BLOCK}\tservicename=Web\n"
        "virtual=5\n\tchecktype=on\n\temailalert=c@example.net\n\temailalertfreq=0\n\temailalertstatus=running,stopping\n"
        "virtual=6\n\tchecktype=on\n\temailalertstatus=none\n"
    )
    both = {"sender": "lvs@example.net", "smtp": "mail.example.net"}

    assert reading_of(text).alerts == (
        AlertSettings(
            virtual_service="Web",
            recipients=("a@example.net", "b@example.net"),
            frequency_s=60,
            statuses=frozenset({"starting", "running", "stopping", "reloading"}),
            **both,
        ),
        AlertSettings(
            virtual_service="fwm/5/inet",
            recipients=("c@example.net",),
            frequency_s=0,
            statuses=frozenset({"running", "stopping"}),
            **both,
        ),
        AlertSettings(
            virtual_service="fwm/6/inet",
            recipients=("a@example.net", "b@example.net"),
            frequency_s=60,
            statuses=frozenset(),
            **both,
        ),
    )


@pytest.mark.parametrize(
    "name", [name for name, each in DIRECTIVES.items() if each.support in (Support.REPLACED, Support.IGNORED)]
)
def test_directive_without_effect_says_what_replaces_it(name: str) -> None:
    """It is taken, and nobody waits for what does not come."""
    value = {"emailalertstatus": "all", "emailalertfreq": "60", "checkcount": "3", "fork": "yes", "supervised": "yes"}
    text = f"{name}={value.get(name, 'x')}\n"
    found = told(f"{BLOCK}\t{text}" if name == "load" else text)

    assert [line for line in found if f": {name} has no effect" in line and DIRECTIVES[name].why in line]


def test_bare_supervised_is_taken() -> None:
    """The one directive that needs no value."""
    assert told("supervised\n") == told("supervised=yes\n")


def test_every_directive_says_what_becomes_of_it() -> None:
    """The migration guide is made of this table."""
    assert all(each.meaning and (each.why or each.support is Support.SAME) for each in DIRECTIVES.values())


def test_password_is_in_no_message() -> None:
    """Whatever else is wrong on its line."""
    secret = "s3cr3t-x"
    lines = [f'passwd="{secret}', f"passwd={secret} {secret}", f'passwd="a" {secret}', f'secret="{secret}" x',
             f"passwd {secret}", f'login="u" passwd="{secret}" sevrice=http', f'"{secret}"']  # fmt: skip

    for line in lines:
        found = understand(f"{BLOCK}\t{line}\n".encode(), name="x.cf", names=HOSTS)
        assert secret not in str((found.errors, found.reading.warnings)), line


def test_zeros_before_a_number_mean_nothing() -> None:
    """However many there are, wherever a number may stand."""
    zeros = "0" * 5_000
    (service,) = tables_of(
        f"virtual=192.0.2.1:{zeros}80\n\treal=192.0.2.2:{zeros}81 masq {zeros}3\n\tpersistent={zeros}5\n"
    )["virtual_service"]

    assert (service["port"], service["persistence"]["timeout"]) == (80, "5s")
    assert [(server["port"], server["weight"]) for server in service["real_server"]] == [(81, 3)]


# --- limits ---------------------------------------------------------------------------------------------------------


def test_too_much_is_refused() -> None:
    """A file that cannot be what it should be costs no time."""
    assert told("x" * (4 * 1024 * 1024 + 1)) == [
        "error line 1: the file is larger than 4 MiB; it is surely not an ldirectord.cf"
    ]
    assert told(f"comment={'x' * 17_000}\n") == [
        "error line 1: is longer than 16384 characters; each directive needs a line of its own"
    ]
    servers = "".join(f"\treal=10.{number}.0.0->10.{number}.15.255:80 gate\n" for number in range(17))
    assert told(f"virtual=203.0.113.1:80\n\tchecktype=connect\n{servers}") == [
        "error line 19: the file has more than 65536 real servers"
    ]


def test_errors_beyond_counting_are_counted() -> None:
    """Whoever gives a wrong file gets the first of its errors."""
    found = told("".join(f"word{number}=x\n" for number in range(700)))

    assert len(found) == 501
    assert found[-1] == "error and 200 more"


WORDS = st.sampled_from(
    [
        *DIRECTIVES,
        "=",
        "\n",
        "\n\t",
        "\n  ",
        "#",
        '"',
        "“",
        "'",
        "192.0.2.1",
        ":80",
        "->",
        "[2001:db8::1]",
        "gate",
        "masq",
        "5",
        "99999999999999999999",
        "yes",
        "\u00a0",
        "\u3000",
        "\r\n",
        "l:5",
        '"a","(b"',
        "http",
        "mysql",
        "external",
        "3",
        "sh",
        "fwm",
        "a@b",
        "\x00",
        "é",
        "{x}",
        "|",
        " ",
        "\\x{41}",
        "ftp",
        "off",
        "virtual=203.0.113.9:80\n\t",
    ]
)


@given(st.one_of(st.binary(max_size=300), st.lists(WORDS, max_size=40).map("".join).map(str.encode)))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    """Nothing but ConfigError comes out, and each of its problems has a line or says what it is about."""
    understood = understand(content, name="x.cf", names=HOSTS)
    with suppress(ConfigError):
        config_from_source(source_of(understood), base=BASE)

    assert all(problem.path.startswith("line ") for problem in understood.reading.warnings)


LARGE: dict[str, Callable[[int], str]] = {
    "servers": lambda n: "virtual=5\n" + "".join(f"\treal=10.0.{i >> 8}.{i & 255}:80 gate\n" for i in range(n)),
    "services": lambda n: "".join(f"virtual={i}\n\tchecktype=on\n" for i in range(1, n)),
    "unknown": lambda n: "".join(f"word{i}=x\n" for i in range(n)),
    "blanks": lambda n: "virtual=5\n" + ("\treal=a" + " " * 10_000 + "x\n") * (n // 100),
    "quotes": lambda n: "virtual=5\n" + ("\treceive=" + '" ' * 5_000 + "\n") * (n // 100),
    "loose": lambda n: "virtual=5\nservice=http\n" + "quiescent=yes\n" * n,
}


@pytest.mark.parametrize("kind", LARGE)
def test_time_grows_with_the_file_and_no_faster(kind: str) -> None:
    """Four times the file takes nowhere near sixteen times as long."""

    def seconds(size: int) -> float:
        content = LARGE[kind](size).encode()
        times = []
        for _ in range(3):
            began = time.process_time()
            understand(content, name="x.cf", names=HOSTS)
            times.append(time.process_time() - began)
        return min(times)

    assert seconds(1_600) < 9 * max(seconds(400), 0.002)
