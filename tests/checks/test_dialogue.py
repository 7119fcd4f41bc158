from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvs_agent.checks.net.dialogue import LINE_LIMIT, LINES_LIMIT, TOTAL_LIMIT, Dialogue, converse, printable
from lvs_agent.checks.net.progress import Stage
from lvs_agent.checks.net.tls import TlsSettings
from lvs_agent.model.check import CheckResult, Errored, ErrorReason, Failed, FailureReason, Passed
from tests.checks import servers
from tests.checks.conftest import Certificate, Certificates
from tests.checks.servers import Handler, probe_run, run, serving

Talk = Callable[[Dialogue], Awaitable[Passed | Failed]]


def saying(*pieces: bytes) -> Handler:
    """A handler that sends these pieces one after the other, reads one line, and closes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        await reader.readline()

    return handle


def result_of(
    handler: Handler, talk: Talk, *, tls: TlsSettings | None = None, of: Certificate | None = None
) -> CheckResult:
    """What ``converse`` makes of ``talk`` with such a server, which speaks TLS with the certificate ``of``."""

    async def main() -> CheckResult:
        async with serving(handler, tls=of.server_context() if of else None) as port, probe_run() as given:
            return await converse(servers.target("tcp", port=port), given, talk, tls=tls)

    return run(main())


async def reply(dialogue: Dialogue) -> Passed:
    """The code and lines of one reply."""
    found = await dialogue.reply(of="the answer")
    await dialogue.leave("BYE")
    return Passed(f"{found.code}:{'|'.join(found.lines)}")


async def line(dialogue: Dialogue) -> Passed:
    """One line."""
    return Passed(repr(await dialogue.line(of="the answer")))


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"220 hello\r\n", "220:hello"),
        (b"220 hello\n", "220:hello"),
        (b"220\r\n", "220:"),
        (b"220 \r\n", "220:"),
        (b"250-one\r\n250-two\r\n250 three\r\n", "250:one|two|three"),
        (b"250-one\r\n250\r\n", "250:one|"),
        (b"211-Features\r\n MDTM\r\n 250 x\r\n211 End\r\n", "211:Features| MDTM| 250 x|End"),
        (b"211-Features\r\n250 inner\r\n211 End\r\n", "211:Features|250 inner|End"),
        (b"220 \xff\r\n", "220:\ufffd"),
    ],
)
def test_numbered_reply_is_read_to_its_end(sent: bytes, expected: str) -> None:
    """One line, or many of which the last one has the code and a blank."""
    assert result_of(saying(sent), reply) == Passed(expected)


@settings(max_examples=10, deadline=None)
@given(st.data())
def test_reply_does_not_depend_on_how_it_travels(data: st.DataObject) -> None:
    """Wherever the network cuts a reply, it is the same."""
    sent = b"250-one\r\n250-two\r\n250 three\r\n"
    cuts = sorted(data.draw(st.sets(st.integers(1, len(sent) - 1), max_size=4)))
    pieces = [sent[start:end] for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True)]

    assert result_of(saying(*pieces), reply) == Passed("250:one|two|three")


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n", "HTTP/1.1 400 Bad Request"),
        (b"\r\n", "an empty line"),
        (b"22 x\r\n", "22 x"),
        (b"2200 x\r\n", "2200 x"),
        ("٢٢٠ x\r\n".encode(), "٢٢٠ x"),
        (b"\x1b[2J\x00\r\n", "?[2J?"),
    ],
)
def test_what_is_no_reply_violates_the_protocol(sent: bytes, shown: str) -> None:
    """The words are shown, without control characters."""
    assert result_of(saying(sent), reply) == Failed(FailureReason.PROTOCOL, f"the answer: not a reply: {shown}")


@pytest.mark.parametrize(
    ("codes", "passes"), [((220,), True), ((2,), True), ((250, 220), True), ((250,), False), ((3, 5), False)]
)
def test_expected_codes_are_whole_or_first_digits(codes: tuple[int, ...], *, passes: bool) -> None:
    """A refusal has the server's words."""

    async def talk(dialogue: Dialogue) -> Passed:
        return Passed(str(await dialogue.expect(*codes, of="banner")))

    found = result_of(saying(b"220 hello\r\n"), talk)

    assert found == (Passed("220 hello") if passes else Failed(FailureReason.STATUS, "banner: 220 hello"))


@pytest.mark.parametrize(
    ("sent", "detail"),
    [
        (b"", "the answer: the server has closed the connection"),
        (b"220 he", "the answer: the server has closed the connection"),
        (b"220-hello\r\n", "the answer: the server has closed the connection"),
        (b"2" * (LINE_LIMIT + 1), f"the answer: a line is longer than {LINE_LIMIT} bytes"),
        (b"2" * (LINE_LIMIT + 1) + b"\r\n", f"the answer: a line is longer than {LINE_LIMIT} bytes"),
        (b"220-\n" * (LINES_LIMIT + 1), f"the answer: more than {LINES_LIMIT} lines"),
        ((b"220-" + b"x" * 4_000 + b"\n") * 100, f"the answer: more than {TOTAL_LIMIT} bytes"),
    ],
)
def test_what_is_read_is_capped(sent: bytes, detail: str) -> None:
    """Neither a line, nor all lines, nor their number grow for ever."""

    async def handle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        await writer.drain()

    assert result_of(handle, reply) == Failed(FailureReason.PROTOCOL, detail)


def test_longest_line_is_taken() -> None:
    """The limit itself is within."""
    sent = b"x" * LINE_LIMIT

    assert result_of(saying(sent + b"\n"), line) == Passed(repr(sent))


def test_bytes_are_counted_out() -> None:
    """What comes behind stays for the next one who reads."""

    async def talk(dialogue: Dialogue) -> Passed:
        first = await dialogue.exactly(7, of="literal")
        return Passed(repr((first, await dialogue.line(of="rest"))))

    assert result_of(saying(b"a\r", b"\nb", b"c\n rest\r\n"), talk) == Passed(repr((b"a\r\nbc\n ", b"rest")))


def test_secrets_are_taken_out_of_what_the_server_says() -> None:
    """A server that repeats the command does not put a password into our log, not even a part of it."""
    secret = "pass\tword" + "x" * 200

    async def talk(dialogue: Dialogue) -> Passed:
        dialogue.hide(secret, "")
        await dialogue.send(f"PASS {secret}")
        await dialogue.expect(2, of="answer to PASS")
        return Passed()

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"500 what is " + await reader.readline())
        await writer.drain()

    assert result_of(echo, talk) == Failed(FailureReason.STATUS, "answer to PASS: 500 what is PASS ***")


@pytest.mark.parametrize("goodbye", [b"221 bye\r\n", b"500 what?\r\n", b"", b"\x00"])
def test_nothing_that_happens_at_the_end_counts(goodbye: bytes) -> None:
    """The server has proved itself before; it sees our goodbye, and may answer what it likes."""
    heard = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readline())
        writer.write(goodbye)
        await writer.drain()

    async def talk(dialogue: Dialogue) -> Passed:
        await dialogue.leave("QUIT")
        return Passed("done")

    assert result_of(handle, talk) == Passed("done")
    assert heard == [b"QUIT\r\n"]


def test_tls_from_the_start_tells_the_expiry(certificates: Certificates) -> None:
    """With the result, passed or failed."""
    good = certificates.good
    tls = TlsSettings(ca_file=str(good.path))

    assert result_of(saying(b"220 x\r\n"), reply, tls=tls, of=good) == Passed("220:x", good.not_after)
    assert result_of(saying(b"x\r\n"), reply, tls=tls, of=good) == Failed(
        FailureReason.PROTOCOL, "the answer: not a reply: x", good.not_after
    )


def test_certificate_that_nobody_trusts_fails(certificates: Certificates) -> None:
    """Verification is on by default."""
    found = result_of(saying(b"220 x\r\n"), reply, tls=TlsSettings(), of=certificates.good)

    assert found == Failed(FailureReason.TLS, "certificate verify failed: self-signed certificate")


def test_missing_file_of_ours_is_no_fault_of_the_server() -> None:
    """Nothing is said about the server."""
    found = result_of(saying(b"220 x\r\n"), reply, tls=TlsSettings(ca_file="/nonexistent.pem"))

    assert found == Errored(ErrorReason.FILE_MISSING, "/nonexistent.pem: no such file or directory")


def test_words_before_tls_are_an_attack() -> None:
    """What is put in behind the answer to STARTTLS must not pass for something said under TLS."""

    async def talk(dialogue: Dialogue) -> Passed:
        await dialogue.expect(220, of="answer to STARTTLS")
        await dialogue.start_tls(TlsSettings(verify=False))
        return Passed()

    found = result_of(saying(b"220 go ahead\r\n250 injected\r\n"), talk)

    assert found == Failed(FailureReason.PROTOCOL, "the server sent more than its answer before TLS began")


def test_refused_connection_is_told() -> None:
    """Nobody listens."""

    async def main() -> CheckResult:
        async with probe_run() as given:
            return await converse(servers.target("tcp", port=servers.unused_port()), given, reply)

    assert run(main()) == Failed(FailureReason.REFUSED, "connection refused")


def test_reset_connection_violates_the_protocol() -> None:
    """A server that resets is not one that is hard to reach."""

    async def talk(dialogue: Dialogue) -> Passed:
        await dialogue.send("HELLO")
        return await reply(dialogue)

    assert result_of(servers.resetting, talk) == Failed(FailureReason.PROTOCOL, "connection reset by peer")


def test_progress_says_what_is_waited_for() -> None:
    """So that running out of time can tell it."""

    async def main() -> tuple[Stage, str]:
        async with serving(servers.silent) as port, probe_run() as given:
            target = servers.target("tcp", port=port)

            async def talk(dialogue: Dialogue) -> Passed:
                await dialogue.send("HELLO")
                await dialogue.reply(of="answer to HELLO")
                return Passed()

            with pytest.raises(TimeoutError):
                await asyncio.wait_for(converse(target, given, talk), 0.1)
            return given.progress.stage, given.progress.waiting_for

    assert run(main()) == (Stage.CONNECTED, "answer to HELLO")


@given(st.text())
def test_printable_text_is_one_short_line(text: str) -> None:
    """Whatever a server says can stand in a log."""
    shown = printable(text)

    assert shown.isprintable()
    assert len(shown) <= 160
