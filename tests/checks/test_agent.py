from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.checks.kinds.agent import judge
from lvs_agent.model.check import Failed, FailureReason, Passed
from tests.checks.servers import result_of, run, serving, spec


@pytest.mark.parametrize(
    ("line", "percent"),
    [
        ("up", 100),
        ("ready", 100),
        ("75%", 75),
        ("75% up", 75),
        ("up,50%", 50),
        ("drain", 0),
        ("drain 75%", 0),
        ("ready up 30% maxconn:20", 30),
        ("9999%", 256),
        ("UP\r", 100),
        ("up # all is well", 100),
    ],
)
def test_word_of_a_working_server_is_its_share(line: str, percent: int) -> None:
    """HAProxy's grammar: words in any order, parted by blanks or commas; what concerns HAProxy alone is passed over."""
    result = judge(line)

    assert isinstance(result, Passed)
    assert result.weight_percent == percent


@pytest.mark.parametrize("word", ["down", "failed", "fail", "stopped", "maint", "up down", "75% maint"])
def test_word_against_the_server_fails(word: str) -> None:
    """With the agent's own reason."""
    assert judge(f"{word} # disk full") == Failed(FailureReason.STATUS, f"the agent says {word} (disk full)")


@pytest.mark.parametrize("line", ["", "   ", "# well", "HTTP/1.1 200 OK", "75", "%", "-1%"])
def test_what_no_agent_says_fails_as_such(line: str) -> None:
    """A server that is not an agent must not pass for one."""
    result = judge(line)

    assert isinstance(result, Failed)
    assert result.reason is FailureReason.PROTOCOL


@given(st.text(max_size=60))
def test_any_line_is_judged(line: str) -> None:
    """With one printable line."""
    assert judge(line).detail.isprintable()


def test_agent_may_want_to_be_asked() -> None:
    """What is sent arrives before the answer is read."""

    async def main() -> None:
        async def asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if await reader.readline() == b"state\n":
                writer.write(b"drain\n")
                await writer.drain()

        async with serving(asked) as port:
            result = await result_of(spec("agent", port=port, send="state\n"))

        assert result == Passed("the agent says drain", weight_percent=0)

    run(main())
