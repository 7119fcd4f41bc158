"""Numbers of IPVS's netlink interface, from ``include/uapi/linux/ip_vs.h``: those that the agent uses."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType

FAMILY_NAME = "IPVS"
FAMILY_VERSION = 1


class Command(IntEnum):
    """``IPVS_CMD_*``: those that the agent uses."""

    NEW_SERVICE = 1
    SET_SERVICE = 2
    DEL_SERVICE = 3
    GET_SERVICE = 4
    NEW_DEST = 5
    SET_DEST = 6
    DEL_DEST = 7
    GET_DEST = 8
    GET_DAEMON = 11
    GET_INFO = 15


class Top(IntEnum):
    """``IPVS_CMD_ATTR_*``."""

    SERVICE = 1
    DEST = 2
    DAEMON = 3


class Svc(IntEnum):
    """``IPVS_SVC_ATTR_*``."""

    AF = 1
    PROTOCOL = 2
    ADDR = 3
    PORT = 4
    FWMARK = 5
    SCHED_NAME = 6
    FLAGS = 7
    TIMEOUT = 8
    NETMASK = 9
    PE_NAME = 11
    STATS64 = 12


class Dest(IntEnum):
    """``IPVS_DEST_ATTR_*``."""

    ADDR = 1
    PORT = 2
    FWD_METHOD = 3
    WEIGHT = 4
    U_THRESH = 5
    L_THRESH = 6
    ACTIVE_CONNS = 7
    INACT_CONNS = 8
    PERSIST_CONNS = 9
    STATS = 10
    ADDR_FAMILY = 11
    STATS64 = 12
    TUN_TYPE = 13
    TUN_PORT = 14
    TUN_FLAGS = 15


class Stat(IntEnum):
    """``IPVS_STATS_ATTR_*``, in the order of their numbers: five counters, then the same five per second."""

    CONNS = 1
    INPKTS = 2
    OUTPKTS = 3
    INBYTES = 4
    OUTBYTES = 5
    CPS = 6
    INPPS = 7
    OUTPPS = 8
    INBPS = 9
    OUTBPS = 10


F_PERSISTENT, F_ONEPACKET = 0x1, 0x4
F_SCHEDULER = 0x38
F_SETTABLE = F_PERSISTENT | F_ONEPACKET | F_SCHEDULER
FORWARDING_MASK = 0x7
TUNNEL_CSUM, TUNNEL_REMCSUM = 0x1, 0x2
DAEMON_STATE, DAEMON_INTERFACE = 1, 2
DAEMON_ROLES: Mapping[int, str] = MappingProxyType({1: "master", 2: "backup"})
INFO_VERSION, INFO_TABLE_SIZE = 1, 2

MAX_TIMEOUT_S = 31 * 86_400
"""Longest persistence, as in ipvsadm: the kernel counts it in ticks of up to 1,000 Hz in 32 bits, which would wrap."""
