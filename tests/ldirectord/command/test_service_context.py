"""What the agent is started with."""

from __future__ import annotations

import shlex
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lvs_agent.errors import StartError
from lvs_agent.ldirectord.command.service_context import service_context

CONFIG = Path("/etc/ha.d/web.cf")

values = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\0"))


def own(directory: Path, **more: str) -> dict[str, str]:
    """An environment whose defaults are in ``directory``."""
    return {"LVS_LDIRECTORD_DEFAULTS": str(directory / "lvs-agent"), **more}


def test_no_file_means_no_options(tmp_path: Path) -> None:
    """The files are optional."""
    found = service_context(CONFIG, own=own(tmp_path, HOME="/"))

    assert found.options == ()
    assert found.environment == own(tmp_path, HOME="/")


def test_nearer_place_wins(tmp_path: Path) -> None:
    """The environment over the configuration's own file, and that over the file for all."""
    (tmp_path / "lvs-agent").write_text("A=all\nB=all\nC=all\n")
    (tmp_path / "lvs-agent-web.cf").write_text("B=one\nC=one\n")
    found = service_context(CONFIG, own=own(tmp_path, C="environment")).environment

    assert [found[name] for name in "ABC"] == ["all", "one", "environment"]


@given(value=values)
@example("it's # not a comment")
@example("a\u2028b")
def test_value_in_quotes_is_read_as_a_shell_would(value: str) -> None:
    """Whatever is in it, except the end of a line."""
    with TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "lvs-agent").write_text(f"A={shlex.quote(value)} # what it is for\n", encoding="utf-8", newline="")

        assert service_context(CONFIG, own=own(directory)).environment["A"] == value


@given(options=st.lists(values))
def test_options_are_words_and_no_shell_sees_them(options: list[str]) -> None:
    """Dollars, semicolons and backquotes mean nothing."""
    given_here = own(Path("/nowhere"), LVS_AGENT_OPTIONS=shlex.join(options))

    assert service_context(CONFIG, own=given_here).options == tuple(options)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("# a comment, don't read it\n; another\n\n  A=1\n", id="comments and blanks"),
        pytest.param("export A=1\n", id="export"),
        pytest.param("B=2 A=1\r\n", id="two on a line, and its end from elsewhere"),
        pytest.param("A=1", id="no end of line"),
    ],
)
def test_usual_ways_to_write_it_are_read(tmp_path: Path, text: str) -> None:
    """As init scripts and systemd do."""
    (tmp_path / "lvs-agent").write_text(text, newline="")

    assert service_context(CONFIG, own=own(tmp_path)).environment["A"] == "1"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param('A=1\nB="2\n', "line 2: no closing quotation", id="open quote"),
        pytest.param("A=1 --listen\n", "line 1: '--listen' is not NAME=value", id="blank in a value"),
        pytest.param("A-B=1\n", "line 1: 'A-B=1' is not NAME=value", id="not a name"),
    ],
)
def test_line_that_means_nothing_is_named(tmp_path: Path, text: str, problem: str) -> None:
    """With its file and number."""
    (tmp_path / "lvs-agent").write_text(text)

    with pytest.raises(StartError) as caught:
        service_context(CONFIG, own=own(tmp_path))
    assert str(caught.value).startswith(f"{tmp_path / 'lvs-agent'}, {problem}")


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Rather than passed over."""
    (tmp_path / "lvs-agent").mkdir()

    with pytest.raises(StartError, match="lvs-agent cannot be read"):
        service_context(CONFIG, own=own(tmp_path))


def test_service_manager_of_the_caller_is_not_that_of_the_agent(tmp_path: Path) -> None:
    """Its watchdog would wait for the wrong process."""
    of_caller = {"NOTIFY_SOCKET": "/run/systemd/notify", "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"}

    assert service_context(CONFIG, own=own(tmp_path, **of_caller)).environment == own(tmp_path)
