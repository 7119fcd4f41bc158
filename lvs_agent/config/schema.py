"""The configuration file as models: one class a TOML table, one field a key.

Only what a single table can say about itself is decided here.  What several tables must agree on is decided in
``resolve``; the keys that belong to one kind of check are in that checker's own ``Settings``.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from lvs_agent.config.agent_schema import AgentTable, LogTable, MetricsTable
from lvs_agent.config.values import (
    FROM_TEXT,
    MAX_PERSISTENCE_S,
    Address,
    CommandLine,
    EngineWord,
    FamilyWord,
    FlagName,
    Forwarding,
    Fwmark,
    Interval,
    Label,
    Line,
    Name,
    Netmask,
    OnFailure,
    Port,
    PortOrAny,
    SchedulerName,
    Streak,
    Threshold,
    Timeout,
    Weight,
)
from lvs_agent.model.intent import Initial, OnDown, OnStop, PassWhen
from lvs_agent.model.ipvs import Protocol, TunnelChecksum, TunnelType
from lvs_agent.settings.scalars import Duration
from lvs_agent.settings.strict import Strict

CheckTable = dict[str, Any]
"""A check as written: some of its keys may come from a table further out, so it is read only after merging."""


class TunnelTable(Strict):
    """Encapsulation of packets to a real server whose forwarding is "tunnel"."""

    model_config = ConfigDict(title="tunnel")

    type: Annotated[TunnelType, FROM_TEXT] = TunnelType.IPIP
    """Kind of tunnel; the real server needs an interface of the same kind."""

    port: Port | None = None
    """UDP port of a gue tunnel; required there and nowhere else."""

    checksum: Annotated[TunnelChecksum, FROM_TEXT] = TunnelChecksum.NONE
    """Checksum of the tunnel's header: "csum" for gue and gre, "remcsum" (remote checksum offload) for gue."""


class PersistenceTable(Strict):
    """Clients keep their real server for some time after their last connection."""

    model_config = ConfigDict(title="persistence")

    timeout: Annotated[Duration, Field(ge=1, le=MAX_PERSISTENCE_S)]
    """How long, in whole seconds."""

    netmask: Netmask | None = None
    """Clients of one such IPv4 network count as one client; the default tells every address apart."""

    prefix_length: Annotated[int, Field(ge=1, le=128)] | None = None
    """The same as a prefix length; the only way for IPv6."""

    engine: Annotated[EngineWord, FROM_TEXT] | None = None
    """Persistence engine: "sip" tells calls apart by their Call-ID (udp only)."""


class SorryServerTable(Strict):
    """The server that answers while no real server of the service can."""

    model_config = ConfigDict(title="sorry server")

    address: Address
    """Its address."""

    port: PortOrAny | None = None
    """Its port; only masquerading can have one that differs from the service's."""

    forwarding: Annotated[Forwarding, FROM_TEXT] | None = None
    """How packets reach it; the default is the service's."""

    tunnel: TunnelTable | None = None
    """Encapsulation, where forwarding is "tunnel"; the default is the service's."""

    weight: Annotated[int, Field(ge=1, le=65_535)] = 1
    """Its weight while it serves."""


class SorryCommandTable(Strict):
    """A program that learns when the last real server has gone and when the first one is back."""

    model_config = ConfigDict(title="sorry command")

    command: CommandLine
    """Program (full path) and arguments; no shell.  Three are added: "start" or "stop"; the virtual address and port,
    like "192.0.2.1:80" (a firewall mark: "10:0"); and "tcp", "udp", "sctp" or "fwm"."""

    user: Annotated[str, Field(min_length=1)] | None = None
    """User to run as; the default is agent.command_user."""

    timeout: Timeout = 30.0
    """After this time it is killed, with every process that it has started in its group."""


class PoolKeys(Strict):
    """Keys that may stand in [defaults], in a virtual service and in a real server; the innermost one counts."""

    forwarding: Annotated[Forwarding, FROM_TEXT] | None = None
    """How packets reach the real servers: "direct" (the default), "masquerade" or "tunnel"."""

    tunnel: TunnelTable | None = None
    """Encapsulation, where forwarding is "tunnel"."""

    weight: Weight | None = None
    """Share of a real server among the others; 0 takes no new connections.  The default is 1."""

    on_down: Annotated[OnDown, FROM_TEXT] | None = None
    """What happens to a real server that is down: "remove" its entry (the default), or "quiesce" it at weight 0."""

    initial: Annotated[Initial, FROM_TEXT] | None = None
    """How a real server counts until its first check has spoken: "down" (the default) or "up"."""

    readd_quiesced: bool | None = None
    """Whether the row of a real server that is quiesced is added again where somebody else has deleted it (the
    default), or stays deleted until the real server is up."""

    checked: bool | None = None
    """Whether the real servers are checked (the default).  One that is not stays as it is in the table, or out of
    it."""

    pass_when: Annotated[PassWhen, FROM_TEXT] | None = None
    """Whether "all" checks of a real server must pass (the default), or "any" of them."""

    checks: dict[str, CheckTable] | None = None
    """More checks, each with a name of its own; keys that are left out come from the one of that name further out."""

    check: CheckTable | None = None
    """How to find out whether a real server works; keys that are left out come from the table further out."""


class DefaultsTable(PoolKeys):
    """What holds for every virtual service that does not say otherwise."""

    model_config = ConfigDict(title="defaults")

    scheduler: SchedulerName | None = None
    """How connections are shared out; the default is "wlc"."""


class RealServerTable(PoolKeys):
    """One real server of a virtual service."""

    model_config = ConfigDict(title="real server")

    address: Address
    """Its address."""

    port: PortOrAny | None = None
    """Its port; only masquerading can have one that differs from the service's, which is the default."""

    upper_threshold: Threshold | None = None
    """It gets no new connection while it has this many; 0 means no limit."""

    lower_threshold: Threshold | None = None
    """Once it was full, it gets new connections again below this many; 0 means three quarters of the upper one."""

    monitor_label: Label | None = None
    """What stands for it in the service's monitor file; the default tells its check, address, weight and forwarding."""


class VirtualServiceTable(PoolKeys):
    """One virtual service: either address and port, or a firewall mark."""

    model_config = ConfigDict(title="virtual service")

    name: Name | None = None
    """How logs, metrics and the API call it; the default looks like "tcp/192.0.2.1:443"."""

    comment: Line | None = None
    """What people should know about it: shown on the status page and in the API, and logged with each change."""

    protocol: Annotated[Protocol, FROM_TEXT] | None = None
    """Transport protocol; the default is "tcp"."""

    address: Address | None = None
    """The virtual address."""

    port: PortOrAny | None = None
    """The virtual port; 0 means every port, and needs persistence."""

    fwmark: Fwmark | None = None
    """Firewall mark, instead of protocol, address and port."""

    family: Annotated[FamilyWord, FROM_TEXT] | None = None
    """Address family of the packets with this mark; the default is "inet"."""

    scheduler: SchedulerName | None = None
    """How connections are shared out; the default is "wlc"."""

    scheduler_flags: Annotated[tuple[FlagName, ...], FROM_TEXT] = ()
    """Flags of the scheduler: "sh-port", "sh-fallback", "mh-port", "mh-fallback", or "flag-1" to "flag-3"."""

    persistence: PersistenceTable | None = None
    """Clients keep their real server."""

    one_packet: bool = False
    """Every datagram is scheduled on its own (udp and firewall marks only)."""

    upper_threshold: Threshold | None = None
    """Connection limit of each real server that has none of its own; 0 means no limit."""

    lower_threshold: Threshold | None = None
    """Lower connection limit of each real server that has none of its own; it needs an upper one."""

    quorum: Annotated[int, Field(ge=1)] = 1
    """How many real servers must be up for the service to count as healthy; only reported."""

    sorry_server: SorryServerTable | None = None
    """The server that answers while no real server can."""

    sorry_command: SorryCommandTable | None = None
    """Program to run when the last real server has gone, and when the first one is back."""

    on_stop: Annotated[OnStop, FROM_TEXT] | None = None
    """What becomes of it in the kernel when the program stops; the default is agent.on_stop."""

    monitor_file: Annotated[str, Field(min_length=1)] | None = None
    """File that gets a line for each result of a check; a relative path starts at the configuration file's
    directory."""

    allow_weight_zero: bool = False
    """Take on_down = "quiesce" and weight 0 even where the scheduler then refuses clients (sh, mh, dh)."""

    real_server: tuple[RealServerTable, ...] = ()
    """The real servers."""


class CheckKeys(Strict):
    """Keys that every kind of check has."""

    type: str = "tcp"
    """Kind of check."""

    address: Address | None = None
    """Address to check; the default is the real server's."""

    port: Port | None = None
    """Port to check; the default is the real server's, else the service's, else the usual one of this kind."""

    interval: Interval = 2.0
    """Time from the start of one probe to the start of the next."""

    down_interval: Interval | None = None
    """The same while the real server is down; the default is interval."""

    fast_interval: Interval | None = None
    """The same while the last result speaks against what the check says: a first failure is looked into soon, and so is
    a first success.  The default is no other interval."""

    timeout: Timeout = 1.0
    """The whole time that a probe has; at most a minute."""

    connects_between: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """This many probes only open a TCP connection before the next one does all that the check is about.  A connection
    that fails is a failure, and the next probe is a whole one."""

    on_failure: Annotated[OnFailure, FROM_TEXT] = OnFailure.DOWN
    """Whether a real server goes "down" while this check fails (the default), or only loses "weight"."""

    failed_weight: Annotated[int, Field(ge=1, le=100)] = 50
    """With on_failure = "weight": so many percent of its weight are left to the server, at least 1."""

    rise: Streak = 2
    """Successes in a row that bring a real server up."""

    fall: Streak = 3
    """Failures in a row that take a real server down."""


class File(Strict):
    """Configuration of lvs-agent, the health controller and exporter for IPVS."""

    model_config = ConfigDict(title="lvs-agent configuration")

    agent: AgentTable = AgentTable()
    """The program itself."""

    metrics: MetricsTable = MetricsTable()
    """What /metrics shows."""

    log: LogTable = LogTable()
    """The log."""

    defaults: DefaultsTable = DefaultsTable()
    """What holds for every virtual service that does not say otherwise."""

    virtual_service: tuple[VirtualServiceTable, ...] = ()
    """The virtual services; with none, the program only exports what the kernel has."""
