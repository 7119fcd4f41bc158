"""Whether this process may use the kernel's IPVS, and a new network namespace to use it in."""

from __future__ import annotations

import ctypes
import os
import socket
from pathlib import Path

from lvs_agent.errors import IpvsError, StartError
from lvs_agent.ipvs.netlink import KernelIpvs
from lvs_agent.model.ipvs import IPAddress

_CLONE_NEWNET = 0x4000_0000
_IFA_F_NODAD = 0x02


def has_ipvs(*, procfs: Path) -> bool:
    """Whether this process may read and write an IPVS table of the running kernel."""
    try:
        kernel = KernelIpvs(procfs=procfs)
    except IpvsError:
        return False
    try:
        kernel.read_info()
    except IpvsError:
        return False
    finally:
        kernel.close()
    return True


def enter_new_network_namespace() -> None:
    """Move the calling thread, and its later children, into a new network namespace with ``lo`` up.

    Call it before there are other threads, because they would stay in the old namespace.  Raises StartError.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise StartError(f"cannot make a network namespace: {reason}; this needs the capability CAP_SYS_ADMIN")
    from pyroute2 import IPRoute  # noqa: PLC0415 - heavy, and only a demonstration needs it

    with IPRoute() as routes:
        routes.link("set", index=socket.if_nametoindex("lo"), state="up")


def add_loopback_address(address: IPAddress) -> None:
    """Add an address to ``lo`` of this namespace."""
    from pyroute2 import IPRoute  # noqa: PLC0415 - heavy, and only a demonstration needs it

    with IPRoute() as routes:
        routes.addr(
            "add",
            index=socket.if_nametoindex("lo"),
            address=str(address),
            prefixlen=address.max_prefixlen,
            # Without duplicate address detection, an IPv6 address can be bound at once.
            flags=_IFA_F_NODAD,
        )
