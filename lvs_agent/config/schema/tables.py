"""The tables of virtual services and real servers.

Only what a single table can say about itself is decided here.  What several tables must agree on is decided in
``resolve``.  A class without "Table" in its name holds keys that stand on several levels.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from lvs_agent.config.schema.agent import AgentTable, LogTable, MetricsTable, StopKeys
from lvs_agent.config.schema.keys import Mark
from lvs_agent.config.schema.values import (
    FROM_TEXT,
    MAX_PERSISTENCE_S,
    Address,
    CommandLine,
    EngineWord,
    FamilyWord,
    FlagName,
    Forwarding,
    Fwmark,
    Label,
    Line,
    Name,
    Netmask,
    Port,
    PortOrAny,
    SchedulerName,
    Threshold,
    Timeout,
    UserName,
    Weight,
)
from lvs_agent.model.intent import Initial, OnDown, PassWhen
from lvs_agent.model.ipvs import Protocol, TunnelChecksum, TunnelType
from lvs_agent.settings.scalars import Duration, OwnFile
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


class ForwardingKeys(Strict):
    """Keys of [defaults], virtual services, real servers and sorry servers."""

    forwarding: Annotated[Forwarding, FROM_TEXT, Mark.INHERITED, Mark.DECIDES] = Forwarding.DIRECT
    """How packets reach the real servers: "direct", "masquerade" or "tunnel"."""

    tunnel: Annotated[TunnelTable, Mark.INHERITED] = TunnelTable()
    """Encapsulation, where forwarding is "tunnel"."""


class PoolKeys(ForwardingKeys):
    """Keys of [defaults], virtual services and real servers."""

    weight: Annotated[Weight, Mark.INHERITED] = 1
    """Share of a real server among the others; 0 takes no new connections."""

    on_down: Annotated[OnDown, FROM_TEXT, Mark.INHERITED] = OnDown.REMOVE
    """What happens to a real server that is down: "remove" its entry, or "quiesce" it at weight 0."""

    initial: Annotated[Initial, FROM_TEXT, Mark.INHERITED] = Initial.DOWN
    """How a real server counts until its first check has spoken: "down" or "up"."""

    readd_quiesced: Annotated[bool, Mark.INHERITED] = True
    """Whether the row of a real server that is quiesced is added again where somebody else has deleted it, or stays
    deleted until the real server is up."""

    checked: Annotated[bool, Mark.INHERITED] = True
    """Whether the real servers are checked.  One that is not stays as it is in the table, or out of it."""

    pass_when: Annotated[PassWhen, FROM_TEXT, Mark.INHERITED] = PassWhen.ALL
    """Whether "all" checks of a real server must pass, or "any" of them."""


class CheckTables(Strict):
    """Checks of [defaults], virtual services and real servers.  They inherit key by key (``check_sets``)."""

    checks: dict[str, CheckTable] | None = None
    """More checks, each with a name of its own; keys that are left out come from the one of that name further out."""

    check: CheckTable | None = None
    """How to find out whether a real server works; keys that are left out come from the table further out."""


class LimitKeys(Strict):
    """Keys of virtual services and real servers."""

    upper_threshold: Annotated[Threshold, Mark.INHERITED, Mark.DECIDES] = 0
    """A real server gets no new connection while it has this many; 0 means no limit."""

    lower_threshold: Annotated[Threshold, Mark.INHERITED, Mark.DECIDES] = 0
    """Once a real server was full, it gets new connections again below this many; 0 means three quarters of the upper
    one."""


class SchedulerKeys(Strict):
    """Keys of [defaults] and virtual services."""

    scheduler: Annotated[SchedulerName, Mark.INHERITED, Mark.DECIDES] = "wlc"
    """How connections are shared out."""


class EndpointKeys(Strict):
    """Keys of real servers and sorry servers."""

    address: Annotated[Address, Mark.DECIDES]
    """Its address."""

    port: Annotated[PortOrAny | None, Mark.DECIDES] = None
    """Its port; only masquerading can have one that differs from the service's, which is the default."""


class SorryServerTable(ForwardingKeys, EndpointKeys):
    """The server that answers while no real server of the service can."""

    model_config = ConfigDict(title="sorry server")

    weight: Annotated[int, Field(ge=1, le=65_535)] = 1
    """Its weight while it serves."""


class SorryCommandTable(Strict):
    """A program that learns when the last real server has gone and when the first one is back."""

    model_config = ConfigDict(title="sorry command")

    command: CommandLine
    """Program (full path) and arguments; no shell.  Three are added: "start" or "stop"; the virtual address and port,
    like "192.0.2.1:80" (a firewall mark: "10:0"); and "tcp", "udp", "sctp" or "fwm"."""

    user: UserName | None = None
    """User to run as; the default is agent.command_user."""

    timeout: Timeout = 30.0
    """After this time it is killed, with every process that it has started in its group."""


class DefaultsTable(CheckTables, PoolKeys, SchedulerKeys):
    """What holds for every virtual service that does not say otherwise."""

    model_config = ConfigDict(title="defaults")


class RealServerTable(CheckTables, LimitKeys, PoolKeys, EndpointKeys):
    """One real server of a virtual service."""

    model_config = ConfigDict(title="real server")

    monitor_label: Label | None = None
    """What stands for it in the service's monitor file; the default tells its check, address, weight and forwarding."""


class ServiceKeys(Strict):
    """What a virtual service is called, and which packets are its own."""

    name: Name | None = None
    """How logs, metrics and the API call it; the default looks like "tcp/192.0.2.1:443"."""

    comment: Line | None = None
    """What people should know about it: shown on the status page and in the API, and logged with each change."""

    protocol: Annotated[Protocol, FROM_TEXT, Mark.DECIDES] = Protocol.TCP
    """Transport protocol."""

    address: Annotated[Address | None, Mark.DECIDES] = None
    """The virtual address."""

    port: Annotated[PortOrAny | None, Mark.DECIDES] = None
    """The virtual port; 0 means every port, and needs persistence."""

    fwmark: Annotated[Fwmark | None, Mark.DECIDES] = None
    """Firewall mark, instead of protocol, address and port."""

    family: Annotated[FamilyWord, FROM_TEXT, Mark.DECIDES] = FamilyWord.INET
    """Address family of the packets with this mark."""


class ScheduleKeys(SchedulerKeys, ServiceKeys):
    """How the connections of a virtual service are shared out."""

    scheduler_flags: Annotated[tuple[FlagName, ...], FROM_TEXT, Mark.DECIDES] = ()
    """Flags of the scheduler: "sh-port", "sh-fallback", "mh-port", "mh-fallback", or "flag-1" to "flag-3"."""

    persistence: Annotated[PersistenceTable | None, Mark.DECIDES] = None
    """Clients keep their real server."""

    one_packet: bool = False
    """Every datagram is scheduled on its own (udp and firewall marks only)."""


class VirtualServiceTable(CheckTables, StopKeys, LimitKeys, PoolKeys, ScheduleKeys):
    """One virtual service: either address and port, or a firewall mark."""

    model_config = ConfigDict(title="virtual service")

    quorum: Annotated[int, Field(ge=1)] = 1
    """How many real servers must be up for the service to count as healthy; only reported."""

    monitor_file: OwnFile | None = None
    """File that gets a line for each result of a check; a relative path starts at the configuration file's
    directory."""

    allow_weight_zero: Annotated[bool, Mark.DECIDES] = False
    """Take on_down = "quiesce" and weight 0 even where the scheduler then refuses clients (sh, mh, dh)."""

    real_server: Annotated[tuple[RealServerTable, ...], Mark.DECIDES] = ()
    """The real servers."""

    sorry_server: SorryServerTable | None = None
    """The server that answers while no real server can."""

    sorry_command: SorryCommandTable | None = None
    """Program to run when the last real server has gone, and when the first one is back."""


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
