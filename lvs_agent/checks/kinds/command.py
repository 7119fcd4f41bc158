"""A program that must exit with status 0."""

from __future__ import annotations

import asyncio
import errno
import re
import time
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field

from lvs_agent.checks.net.doubt import Doubt
from lvs_agent.checks.net.outcome import outcome_of
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.checks.net.progress import Stage
from lvs_agent.commands.command import ENVIRONMENT, OUTPUT_LIMIT, Command, Ended
from lvs_agent.commands.command_runner import RunnerLost
from lvs_agent.model.check import CheckResult, Errored, ErrorReason, Failed, FailureReason, Passed, Target
from lvs_agent.model.ipvs import AddressKey, FwmarkKey
from lvs_agent.settings.check import CheckSettings
from lvs_agent.settings.scalars import Secret, Size

EXAMPLE = """
[virtual_service.check]
type = "command"
command = ["/usr/local/lib/lvs-agent/check-app", "--host", "{address}", "--port", "{port}"]
environment = { LEVEL = "quick" }
timeout = "10s"
"""
PASSES = "The program ends with exit status 0 within the timeout."
FAILS = {
    FailureReason.EXEC: "another exit status, or the end by a signal; the first line of the output is shown",
    FailureReason.READ_TIMEOUT: "the program does not end in time; it is killed with everything that it has started",
}
SEEN = "Whatever the program does."

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_PLACEHOLDERS = ("address", "port", "virtual_address", "virtual_port")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NOT_EXECUTABLE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ENOEXEC, errno.ELOOP, errno.ETXTBSY})


def _command(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value or not value[0].startswith("/"):
        raise ValueError('must be a list that starts with the full path of a program, like ["/usr/lib/check", "-v"]')
    for argument in value:
        _check_text(argument)
    return value


def _environment(value: dict[str, Secret]) -> dict[str, Secret]:
    for name, secret in value.items():
        if not _VARIABLE.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a variable")
        _check_text(secret.get_secret_value())
    return value


def _check_text(text: str) -> None:
    if "\0" in text:
        raise ValueError("a NUL character cannot be passed to a program")
    for name in _PLACEHOLDER.findall(text):
        if name not in _PLACEHOLDERS:
            known = ", ".join(f"{{{known}}}" for known in _PLACEHOLDERS)
            raise ValueError(f"{{{name}}} is not a placeholder; use {known}")


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


class Settings(CheckSettings):
    """Keys of a check with ``type = "command"``."""

    wants_identity: ClassVar[bool] = True
    default_port: ClassVar[int | None] = 0

    command: Annotated[
        tuple[str, ...], AfterValidator(_command), BeforeValidator(_as_tuple, json_schema_input_type=list[str])
    ]
    """Program (full path) and arguments; no shell.  {address}, {port}, {virtual_address} and {virtual_port} stand for
    the server and its service (empty if there is none; for a firewall mark service virtual_address is the mark).
    Exit status 0 passes, any other fails; the first line of the output is shown with the result.  The program has no
    capability, and at most 1 GiB of memory, 60 s of CPU time, 1,024 open files and, unless it is root's, 512
    processes."""
    environment: Annotated[dict[str, Secret], AfterValidator(_environment)] = Field(default_factory=dict)
    """Environment variables of the program, with the same placeholders.  It also gets PATH and LANG, and no others.
    Values are never printed."""
    user: Annotated[str, Field(min_length=1)] | None = None
    """User to run as; the default is agent.command_user."""
    output_limit: Annotated[Size, Field(ge=1, le=1_048_576)] = OUTPUT_LIMIT
    """Maximum output that is kept; the rest is read and discarded.  At most 1MiB."""


async def probe(target: Target, run: ProbeRun) -> CheckResult:
    """Run the program once.  A cancelled probe has it killed with everything that it has started.

    Time in the queue for a place is ours: the program has its whole time limit, from its start.
    """
    progress, doubt = run.progress, run.cached(Doubt)
    progress.stage = Stage.QUEUED
    progress.waiting_for = "a free slot to run the command"
    held_at, hung = doubt.began_at, False

    def started(waited: bool) -> None:  # noqa: FBT001 - its only argument
        progress.stage, progress.waiting_for = Stage.CONNECTED, "the command to end"
        doubt.began_at = time.monotonic()
        if waited:
            run.restart_deadline()

    def silent(is_silent: bool) -> None:  # noqa: FBT001 - its only argument
        if is_silent:
            progress.stage, progress.waiting_for = Stage.QUEUED, "the process that runs commands"
        else:
            progress.stage, progress.waiting_for = Stage.CONNECTED, "the command to end"
            run.restart_deadline()

    try:
        command = command_of(target)
        return judge(
            await run.commands.run(command, started=started, silent=silent, doubtful=doubt.hangs, held_at=held_at)
        )
    except RunnerLost:
        return Errored(ErrorReason.INTERNAL, "the process that runs commands has died; the agent starts it again")
    except OSError as problem:
        return _not_started(problem, target.settings)
    except asyncio.CancelledError:
        hung = progress.stage is Stage.CONNECTED or doubt.hangs  # a run that did not begin says nothing new
        raise
    finally:
        doubt.hangs = hung


def judge(ended: Ended) -> Passed | Failed:
    """What the program's end means for the server."""
    line = ended.first_line
    if ended.exit_status == 0:
        return Passed(line)
    how = f"exit status {ended.exit_status}" if ended.signal is None else f"killed by {ended.signal_name}"
    return Failed(FailureReason.EXEC, f"{how}: {line}" if line else how)


def _not_started(problem: OSError, settings: Settings) -> Errored:
    detail = f"{settings.command[0]}: {(problem.strerror or str(problem)).lower()}"
    if problem.errno in _NOT_EXECUTABLE:
        return Errored(ErrorReason.FILE_MISSING, detail)
    result = outcome_of(problem)
    reason = result.reason if isinstance(result, Errored) else ErrorReason.INTERNAL
    return Errored(reason, detail)


def command_of(target: Target) -> Command:
    """The program that a check of this kind runs."""
    settings: Settings = target.settings
    values = _values(target)
    return Command(
        argv=[_filled(argument, values) for argument in settings.command],
        environment={
            **ENVIRONMENT,
            **{name: _filled(secret.get_secret_value(), values) for name, secret in settings.environment.items()},
        },
        user=settings.user,
        output_limit=settings.output_limit,
    )


def _values(target: Target) -> dict[str, str]:
    match target.service:
        case AddressKey(_, address, port):
            virtual_address, virtual_port = str(address), str(port)
        case FwmarkKey(mark):
            virtual_address, virtual_port = str(mark), ""
        case None:
            virtual_address = virtual_port = ""
    return {
        "address": str(target.address),
        "port": str(target.port or ""),
        "virtual_address": virtual_address,
        "virtual_port": virtual_port,
    }


def _filled(text: str, values: dict[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda found: values[found[1]], text)
