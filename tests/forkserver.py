"""Starts ``python -m lvs_agent`` from a process that has imported it already, and the servers and clients of the lab.

The tests start it hundreds of times, and importing it takes 0.5 s each time; in the lab kernel, where a page fault
costs 150 µs and a system call 50 to 140 µs, it takes 3 s.  A fork takes 0.01 s, or 0.2 s in the lab kernel.  From
``__main__`` on, the program does the same; only its ``/proc/PID/cmdline`` differs.  Other tests start it normally: as
``lvs-ldirectord``, with the resource agent, and in the demonstration.

``Program`` is a ``subprocess.Popen`` that only creates the process differently: the process is a child of the test too,
because the server creates it with CLONE_PARENT.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import inspect
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from lvs_agent.errors import ConfigError
from tests.lab.namespace import enter_with_files

ROOT = Path(__file__).parents[1]
COMMAND = (sys.executable, "-m", "lvs_agent")
SERVER, LOAD = (sys.executable, "-m", "tests.lab.server"), (sys.executable, "-m", "tests.lab.load")
_AGENT, _LAB = "lvs_agent", "lab"
_IMPORTED = {
    _AGENT: (
        "lvs_agent.cli.main",
        *(f"lvs_agent.cli.{name}" for name in ("run", "check_config", "events", "plan", "status", "why")),
        "lvs_agent.checks.kinds.http.exchange",
        "lvs_agent.checks.kinds.tcp.steps",
        "lvs_agent.metrics.selection",
        "lvs_agent.web.guard",
        "lvs_agent.web.serving",
        "uvicorn.lifespan.off",
        "uvicorn.protocols.http.httptools_impl",
        "encodings.idna",
    ),
    _LAB: ("argparse", "asyncio", "http.server", "tests.lab"),
}
"""What the agent imports when it runs, rather than at its start, but no library whose absence or late loading is tested
(``tests/process/test_libraries.py``); and the libraries of the programs of the lab.
"""
_CLONE_PARENT = 0x8000
_SYS_CLONE = {"x86_64": 56, "aarch64": 220}
"""By ``uname -m`` (asm/unistd_64.h, asm-generic/unistd.h)."""
_MESSAGE_LIMIT = 1 << 17
_PARAMETERS = inspect.signature(getattr(subprocess.Popen, "_execute_child"))  # noqa: B009 - it is private


def is_ours(args: Sequence[str], env: Mapping[str, str] | None = None) -> bool:
    """Whether a fork can run ``args``: the agent or a program of the lab, in an environment that the interpreter itself
    need not read.
    """
    path = (os.environ if env is None else env).get("PYTHONPATH")
    return tuple(args[:3]) in {COMMAND, SERVER, LOAD} and path in {None, os.environ.get("PYTHONPATH")}


def popen(args: Sequence[str], *, env: Mapping[str, str] | None = None, **options: Any) -> subprocess.Popen[Any]:
    """Start a program, the agent by a fork: ``subprocess.Popen`` for both."""
    return (Program if is_ours(args, env) else subprocess.Popen)(list(args), env=env, **options)


def run(
    args: Sequence[str | Path], *, env: Mapping[str, str] | None = None, timeout_s: float = 150.0
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end without input, as ``subprocess.run`` does, and return its output."""
    words, pipe = [str(word) for word in args], subprocess.PIPE
    with popen(words, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, env=env, text=True) as program:
        try:
            said, complained = program.communicate(timeout=timeout_s)
        except BaseException:
            program.kill()
            raise
    return subprocess.CompletedProcess(args, program.returncode, said, complained)


class Program(subprocess.Popen[Any]):
    """Runs ``args``, which must be ``python -m MODULE ARGUMENTS``, in the network namespace ``namespace``."""

    _servers: ClassVar[dict[str, tuple[socket.socket, subprocess.Popen[bytes]]]] = {}

    def __init__(self, args: list[str], *, namespace: str = "", **options: Any) -> None:
        self._namespace = namespace
        super().__init__(args, **options)

    def _execute_child(self, *arguments: Any, **named: Any) -> None:
        """Let the server create the process.  ``Popen`` has created the pipes before it calls this."""
        given = _PARAMETERS.bind(self, *arguments, **named).arguments
        ends = (given["p2cread"], given["c2pwrite"], given["errwrite"])
        fallen_back = [end if end != -1 else number for number, end in enumerate(ends)]
        environment = os.environ if given["env"] is None else given["env"]
        request = {
            "argv": list(map(str, given["args"][2:])),
            "environment": dict(environment),
            "directory": str(given["cwd"] or Path.cwd()),
            "namespace": self._namespace,
            "session": given["start_new_session"],
        }
        kind = _AGENT if request["argv"][0] == _AGENT else _LAB
        if kind not in Program._servers:
            Program._servers[kind] = _started(kind)
        server, _ = Program._servers[kind]
        socket.send_fds(server, [json.dumps(request).encode()], fallen_back)
        self.pid = int(server.recv(_MESSAGE_LIMIT))
        self._child_created = True
        for ours, theirs in (("p2cwrite", "p2cread"), ("c2pread", "c2pwrite"), ("errread", "errwrite")):
            # A file from the caller has no end here.
            if given[ours] != -1 and given[theirs] != -1:
                os.close(given[theirs])


def _started(kind: str) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        fd = theirs.fileno()
        command = [sys.executable, "-m", "tests.forkserver", kind, str(fd)]
        process = subprocess.Popen(command, cwd=ROOT, pass_fds=(fd,), stdin=subprocess.DEVNULL, start_new_session=True)
    return ours, process


def main(kind: str, descriptor: int) -> None:
    """Serve until the other end of ``descriptor`` is closed."""
    for name in _IMPORTED[kind]:
        importlib.import_module(name)
    if kind == _AGENT:
        _read_configurations()
    gc.collect()
    gc.freeze()  # a collection in a child would write to every page
    with socket.socket(fileno=descriptor) as tests:
        tests.set_inheritable(False)
        while True:
            message, descriptors, _, _ = socket.recv_fds(tests, _MESSAGE_LIMIT, 3)
            if not message:
                return
            child = _fork()
            if child == 0:
                tests.close()
                _become(json.loads(message), descriptors)
            tests.send(str(child).encode())
            for one in descriptors:
                os.close(one)


def _read_configurations() -> None:
    """Read one of each format: pydantic makes the validators of a table when the first such table is read."""
    from lvs_agent.cli.formats import FORMATS  # noqa: PLC0415 - the tests need none of it
    from lvs_agent.cli.options import load_in_format  # noqa: PLC0415 - the same

    load_in_format(ROOT / "config.toml.example", None)
    for name in FORMATS.names:
        with suppress(ConfigError):
            FORMATS.of(ROOT, name).read(b"", name="")


def _fork() -> int:
    """``os.fork``, but the parent of this process becomes the parent of the child."""
    python = ctypes.pythonapi
    libc = ctypes.PyDLL(None, use_errno=True)
    python.PyOS_BeforeFork()
    child = int(libc.syscall(_SYS_CLONE[os.uname().machine], _CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0))
    if child == 0:
        python.PyOS_AfterFork_Child()
    else:
        python.PyOS_AfterFork_Parent()
    if child < 0:
        raise OSError(ctypes.get_errno(), "clone")
    return child


def _become(request: dict[str, Any], descriptors: list[int]) -> None:
    """Run the program in this process, and end it."""
    status: object = 1
    try:
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        if request["session"]:
            os.setsid()
        if request["namespace"]:
            enter_with_files(request["namespace"])
        os.chdir(request["directory"])
        os.environ.clear()
        os.environ.update(request["environment"])
        module, *arguments = request["argv"]
        sys.argv = [module, *arguments]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as end:
        status = end.code
    except BaseException:  # noqa: BLE001 - print it as the interpreter does
        traceback.print_exc()
    if isinstance(status, str):
        sys.stderr.write(f"{status}\n")
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else 0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
