"""Network namespaces for the calling thread."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lvs_agent.ipvs.namespace import enter_new_network_namespace

_CLONE_NEWNS = 0x0002_0000
_CLONE_NEWNET = 0x4000_0000
_MS_BIND, _MS_REC, _MS_SLAVE = 1 << 12, 1 << 14, 1 << 19
_LIBC = ctypes.CDLL(None, use_errno=True)


@contextmanager
def new_network_namespace() -> Iterator[None]:
    """Within the block this thread is in a network namespace of its own, with ``lo`` up."""
    with _and_back():
        enter_new_network_namespace()
        yield


@contextmanager
def within(name: str) -> Iterator[None]:
    """Within the block this thread is in the network namespace that ``ip netns`` calls ``name``."""
    with _and_back():
        enter(name)
        yield


def enter(name: str) -> None:
    """Let this thread be in the network namespace that ``ip netns`` calls ``name`` from now on."""
    descriptor = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _enter(descriptor)
    finally:
        os.close(descriptor)


def ip(namespace: str | None, *commands: str) -> None:
    """Run ``commands`` in ``namespace`` (None: where this thread is) with one start of the program.

    Raises RuntimeError with what it says.
    """
    done = subprocess.run(
        ["ip", *([] if namespace is None else ["-n", namespace]), "-batch", "-"],
        input="\n".join(commands),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"ip in {namespace or 'this namespace'}: {done.stderr}")


@contextmanager
def _and_back() -> Iterator[None]:
    descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield
    finally:
        _enter(descriptor)
        os.close(descriptor)


def enter_with_files(name: str) -> None:
    """Let this process be in the namespace ``name`` as ``ip netns exec`` does: with the files of /etc/netns/NAME."""
    enter(name)
    own = sorted(Path("/etc/netns", name).glob("*"))
    if not own:
        return
    _succeed(_LIBC.unshare(_CLONE_NEWNS))
    _succeed(_LIBC.mount(b"", b"/", None, _MS_SLAVE | _MS_REC, None))
    for file in own:
        _succeed(_LIBC.mount(os.fsencode(file), os.fsencode(Path("/etc", file.name)), None, _MS_BIND, None))


def _enter(descriptor: int) -> None:
    _succeed(_LIBC.setns(descriptor, _CLONE_NEWNET))


def _succeed(status: int) -> None:
    if status != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
