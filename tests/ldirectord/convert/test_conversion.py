"""From an ldirectord.cf to TOML: the same meaning, with everything that was said beside it."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings

from lvs_agent.checks.kinds import checkers
from lvs_agent.config import Config, config_from_tables, parse_config
from lvs_agent.config.secrets import SecretSource
from lvs_agent.errors import ConfigError
from lvs_agent.ldirectord.convert.conversion import Conversion, conversion
from lvs_agent.ldirectord.convert.toml import _UNPRINTABLE
from lvs_agent.ldirectord.convert.unused import with_unused, without_secrets
from lvs_agent.ldirectord.reader import Reading, read_ldirectord
from lvs_agent.ldirectord.reader.names import FixedNames
from lvs_agent.model.ipvs import IPAddress
from tests.differential.texts import texts

BASE = Path("/etc/ha.d")
SAMPLES = Path(__file__).parents[2] / "data" / "ldirectord"


class EveryName(FixedNames):
    """Knows a host by every name."""

    def host(self, name: str, family: socket.AddressFamily) -> IPAddress:
        try:
            return super().host(name, family)
        except LookupError:
            prefix = "2001:db8::" if family is socket.AF_INET6 else "192.0.2."
            return ip_address(f"{prefix}{sum(name.encode()) % 250 + 1}")


NAMES = EveryName({"localhost": "127.0.0.1"})

WEB = b"""# The web site.

checktimeout=3\t\t# \xe8\xb6\x85\xe6\x97\xb6
checkinterval=1
quiescent=yes
fork=yes

# Sample for an http virtual service
virtual=192.0.2.1:80
\treal=10.0.0.1:80 gate 1\t# old
\treal=10.0.0.2:80 gate 3
\tscheduler=rr  # fair
\trequest="test.html"
\tmonitorfile=monitor.log
virtual=192.0.2.1:8080
\treal=10.0.0.1:8080 masq
\treal=10.0.0.2:8080 masq
\tservice=http
\trequest="test.html"
"""

DATABASE = b"""virtual=192.0.2.1:3306
\treal=10.0.0.1:3306 masq
\tservice=mysql
\tlogin="monitor"
\t#passwd="the old one"
\tpasswd="hunter2"
\tdatabase="shop"
\trequest="SELECT 1"
"""


def read(content: bytes) -> tuple[Reading, Config]:
    """The file as it is read.  Raises ConfigError."""
    reading = with_unused(read_ldirectord(content, name="site.cf", names=NAMES))
    return reading, config_from_tables(reading.tables, source=SecretSource.of_process(BASE))


def converted(content: bytes) -> Conversion:
    """The conversion of a file that can be used."""
    reading, _ = read(content)
    return conversion(reading, content=content, file="site.cf", base=BASE, checkers=checkers())


@settings(max_examples=60, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow], deadline=None)
@given(texts())
def test_toml_means_the_same(content: bytes) -> None:
    """Whatever file can be used, also where the TOML is in another directory; and nothing that was said is lost."""
    try:
        reading, config = read(content)
    except ConfigError:
        assume(condition=False)
    text = converted(content).toml()

    assert parse_config(text, base=Path("/elsewhere")).digest == config.digest
    assert lost(reading, text) == []


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.cf")), ids=lambda path: path.stem)
def test_files_of_users_mean_the_same(path: Path) -> None:
    """With the oddities that people write."""
    content = path.read_bytes()
    reading, config = read(content)
    text = converted(content).toml()

    assert parse_config(text, base=Path("/elsewhere")).digest == config.digest
    assert lost(reading, text) == []


def lost(reading: Reading, text: str) -> list[str]:
    """The comments and warnings that are not in ``text``."""
    comments = [
        _UNPRINTABLE.sub("\ufffd", without_secrets(comment)) for each in reading.comments.values() for comment in each
    ]
    said = [f"# site.cf {warning.path}: " for warning in reading.warnings]
    return [one for one in (*comments, *said) if one not in text]


def test_toml_reads_like_written_by_hand() -> None:
    """What both services share is said once, and each comment and warning is where it belongs."""
    assert converted(WEB).toml() == (
        "# Made of site.cf by lvs-agent convert.\n"
        "# The web site.\n"
        "# site.cf line 6: fork has no effect: all checks run at the same time anyway\n"
        "\n"
        "[agent]\n"
        'state_dir = "/var/lib/lvs-agent/site.cf"\n'
        'on_stop = "remove"\n'
        "reload_on_change = false\n"
        "\n"
        "[defaults]\n"
        'scheduler = "wrr"\n'
        'on_down = "quiesce"\n'
        "readd_quiesced = false\n"
        "\n"
        "[defaults.check]\n"
        'type = "http"\n'
        'path = "/test.html"\n'
        "follow_redirects = 7\n"
        'interval = "1s"\n'
        'timeout = "3s"  # \u8d85\u65f6\n'
        "rise = 1\n"
        "fall = 1\n"
        "\n"
        "# Sample for an http virtual service\n"
        "[[virtual_service]]\n"
        'address = "192.0.2.1"\n'
        "port = 80\n"
        'scheduler = "rr"  # fair\n'
        'monitor_file = "/etc/ha.d/monitor.log"\n'
        "real_server = [\n"
        '  { address = "10.0.0.1", weight = 1, monitor_label = "negotiate http tcp 10.0.0.1 80 1 gate /test.html " },'
        "  # old\n"
        '  { address = "10.0.0.2", weight = 3, monitor_label = "negotiate http tcp 10.0.0.2 80 3 gate /test.html " },\n'
        "]\n"
        "\n"
        "[[virtual_service]]\n"
        'address = "192.0.2.1"\n'
        "port = 8080\n"
        'forwarding = "masquerade"\n'
        "real_server = [\n"
        '  { address = "10.0.0.1" },\n'
        '  { address = "10.0.0.2" },\n'
        "]\n"
    )


def test_login_of_a_check_that_is_not_there_is_kept_without_its_password() -> None:
    """The remark says what was asked, and neither the password nor one that was switched off is in the TOML."""
    text = converted(DATABASE + b"\tchecktype=connect\n").toml()

    assert '# site.cf line 4: has no effect for this check: login="monitor"\n' in text
    assert "# site.cf line 6: has no effect for this check: passwd (its value is not carried over)\n" in text
    assert '# site.cf line 8: has no effect for this check: request="SELECT 1"\n' in text
    assert "# passwd=...\n" in text
    assert "hunter2" not in text
    assert "the old one" not in text


def test_what_a_check_uses_is_not_called_useless() -> None:
    """A request of an http check is in its table."""
    reading, _ = read(WEB)

    assert [warning.text for warning in reading.warnings if "no use" in warning.text] == []


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"# only a comment\n", id="comment"),
        pytest.param(b"checktimeout=3\r\rvirtual=1.2.3.4:80\r\treal=10.0.0.1:80 gate # x\r", id="old Macintosh"),
        pytest.param("\ufeffcheckinterval=5\r\n".encode(), id="mark and CRLF"),
        pytest.param("checkinterval=5  # x\nvirtual=3\n\treal=10.0.0.1 gate # y\n".encode("utf-16"), id="UTF-16"),
    ],
)
def test_every_form_of_a_file_is_converted(content: bytes) -> None:
    """Comments of odd files find a place too."""
    _, config = read(content)

    assert parse_config(converted(content).toml(), base=BASE).digest == config.digest
