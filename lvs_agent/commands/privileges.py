"""What a program that the runner starts may do: no capability, never a new privilege, and not more than its limits.

Called between fork and exec, in a process of one thread.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import resource
import signal
import struct
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

# linux/prctl.h
_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_PR_SET_KEEPCAPS = 8
# linux/capability.h
CAP_DAC_READ_SEARCH = 2
CAP_KILL = 5
CAP_SETGID = 6
CAP_SETUID = 7
CAP_NET_ADMIN = 12
CAP_NET_RAW = 13
OF_THE_RUNNER = (CAP_KILL, CAP_SETGID, CAP_SETUID)
"""To start programs as other users, and to end them."""
_CAPABILITY_VERSION_3 = 0x20080522

_LIBC = ctypes.CDLL(None, use_errno=True)


class Limits(NamedTuple):
    """What each process of a program may use, and how many processes its user may have (setrlimit(2)).

    ``memory``: bytes of data; ``file_size``: bytes of a file that it writes; ``cpu_s``: seconds of CPU time.  None: as
    the agent.  The number of processes holds for a user other than root, all of whose processes count.
    """

    memory: int | None = None
    processes: int | None = None
    file_size: int | None = None
    cpu_s: int | None = None


OF_A_CHECK = Limits(memory=1 << 30, processes=512, file_size=64 << 20, cpu_s=60)
OF_A_SERVICE = Limits()
"""Of a command that may start what serves: that must not end after so much work."""
_DESCRIPTORS = 1_024


def give_up_privileges() -> None:
    """Have no capability, in no set, whoever the process runs as; also root gets none back by exec.

    Without new privileges, exec adds nothing to the permitted capabilities, and those are none (capabilities(7)).
    """
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    keep_only()


def keep_only(*capabilities: int) -> None:
    """Have no other capability than these, and of these only the permitted ones; programs get none by exec."""
    with suppress(OSError):  # kernels before 4.3 have no ambient set
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    kept = sum(1 << capability for capability in capabilities) & _permitted()
    low, high = kept & 0xFFFFFFFF, kept >> 32
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    _succeed(_LIBC.capset(header, struct.pack("=6I", low, low, 0, high, high, 0)), "capset")


def hand_on(*capabilities: int) -> None:
    """Have no other capability than these, as far as they are permitted, and let the next exec keep them."""
    kept = [capability for capability in capabilities if _permitted() >> capability & 1]
    bits = sum(1 << capability for capability in kept)
    low, high = bits & 0xFFFFFFFF, bits >> 32
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    _succeed(_LIBC.capset(header, struct.pack("=6I", low, low, low, high, high, high)), "capset")
    for capability in kept:
        _succeed(_LIBC.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0), "prctl")


def have(*capabilities: int) -> bool:
    """Whether all of these are permitted."""
    return all(_permitted() >> capability & 1 for capability in capabilities)


def _permitted() -> int:
    """The permitted capabilities, a bit for each."""
    header, data = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0), ctypes.create_string_buffer(24)
    _succeed(_LIBC.capget(header, data), "capget")
    _, low, _, _, high, _ = struct.unpack("=6I", data.raw)
    return int(low | high << 32)


def become(user: str, *, keeping: Sequence[int] = ()) -> None:
    """Become ``user``, with the group of its entry alone, and keep these capabilities of those that are permitted.

    Raises KeyError if there is no such user, OSError if this process may not change users.
    """
    entry = pwd.getpwnam(user)
    _prctl(_PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
    _prctl(_PR_SET_KEEPCAPS, 0)
    keep_only(*keeping)


def set_name(name: str) -> None:
    """Be called that in lists of processes; 15 characters at most."""
    _succeed(_LIBC.prctl(_PR_SET_NAME, name.encode(), 0, 0, 0), "prctl")


def obey(limits: Limits) -> None:
    """Be limited, with everything that is started from here on.  A limit that is lower already stays.

    No program writes core files or has more than 1,024 descriptors: the agent may have very many.
    """
    for kind, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _DESCRIPTORS),
        (resource.RLIMIT_DATA, limits.memory),
        (resource.RLIMIT_NPROC, limits.processes),
        (resource.RLIMIT_FSIZE, limits.file_size),
        (resource.RLIMIT_CPU, limits.cpu_s),
    ):
        if most is None:
            continue
        hard = resource.getrlimit(kind)[1]
        value = most if hard == resource.RLIM_INFINITY else min(hard, most)
        resource.setrlimit(kind, (value, value))


def inherit_orphans() -> None:
    """Be the parent of every descendant whose own parent ends, whatever session it has moved to."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def end_with_parent(number: int = signal.SIGKILL) -> None:
    """Get this signal when the parent ends.  A change of user undoes it, so that comes before."""
    _prctl(_PR_SET_PDEATHSIG, number)


def _prctl(option: int, value: int) -> None:
    _succeed(_LIBC.prctl(option, value, 0, 0, 0), "prctl")


def _succeed(status: int, name: str) -> None:
    if status != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
