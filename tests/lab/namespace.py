"""Network namespaces for the calling thread."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

from lvs_agent.ipvs.namespace import enter_new_network_namespace

_CLONE_NEWNET = 0x4000_0000
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
        descriptor = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _enter(descriptor)
        finally:
            os.close(descriptor)
        yield


@contextmanager
def _and_back() -> Iterator[None]:
    descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield
    finally:
        _enter(descriptor)
        os.close(descriptor)


def _enter(descriptor: int) -> None:
    if _LIBC.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
