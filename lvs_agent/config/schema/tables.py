"""The tables of virtual services and real servers.

Only what a single table can say about itself is decided here.  What several tables must agree on is decided in
``resolve``.  A class without "Table" in its name holds keys that are allowed on several levels.
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
    """Encapsulation of packets to a real server with forwarding = "tunnel"."""

    model_config = ConfigDict(title="tunnel")

    type: Annotated[TunnelType, FROM_TEXT] = TunnelType.IPIP
    """Type of the tunnel.  The real server needs an interface of the same type."""

    port: Port | None = None
    """UDP port of a gue tunnel.  Required for gue, not allowed for other types."""

    checksum: Annotated[TunnelChecksum, FROM_TEXT] = TunnelChecksum.NONE
    """Checksum of the tunnel header: "none", "csum" (gue and gre) or "remcsum" (remote checksum offload, gue)."""


class PersistenceTable(Strict):
    """Persistence: a client is sent to the same real server for some time after its last connection."""

    model_config = ConfigDict(title="persistence")

    timeout: Annotated[Duration, Field(ge=1, le=MAX_PERSISTENCE_S)]
    """Persistence timeout, in whole seconds."""

    netmask: Netmask | None = None
    """IPv4 netmask: clients of the same network count as one client.  The default is each address on its own."""

    prefix_length: Annotated[int, Field(ge=1, le=128)] | None = None
    """The same as netmask, as a prefix length; required for IPv6 networks."""

    engine: Annotated[EngineWord, FROM_TEXT] | None = None
    """Persistence engine: "sip" uses the Call-ID (udp only)."""


class ForwardingKeys(Strict):
    """Keys of [defaults], virtual services, real servers and sorry servers."""

    forwarding: Annotated[Forwarding, FROM_TEXT, Mark.INHERITED, Mark.DECIDES] = Forwarding.DIRECT
    """Forwarding method: "direct" (direct routing), "masquerade" (NAT) or "tunnel"."""

    tunnel: Annotated[TunnelTable, Mark.INHERITED] = TunnelTable()
    """Encapsulation for forwarding = "tunnel"."""


class PoolKeys(ForwardingKeys):
    """Keys of [defaults], virtual services and real servers."""

    weight: Annotated[Weight, Mark.INHERITED] = 1
    """Weight of the real server.  A server with weight 0 gets no new connections."""

    on_down: Annotated[OnDown, FROM_TEXT, Mark.INHERITED] = OnDown.REMOVE
    """What happens to a real server that is down: "remove" deletes its entry, "quiesce" sets its weight to 0."""

    initial: Annotated[Initial, FROM_TEXT, Mark.INHERITED] = Initial.DOWN
    """State of a new real server until its first check result: "down" or "up"."""

    readd_quiesced: Annotated[bool, Mark.INHERITED] = True
    """Whether the entry of a quiesced real server is added again after others have deleted it.  With false it stays
    deleted until the real server is up."""

    checked: Annotated[bool, Mark.INHERITED] = True
    """Whether the real server is checked.  The entry of a server that is not checked is left as it is."""

    pass_when: Annotated[PassWhen, FROM_TEXT, Mark.INHERITED] = PassWhen.ALL
    """Whether "all" checks of a real server must pass for it to be up, or "any" of them."""


class CheckTables(Strict):
    """Checks of [defaults], virtual services and real servers.  They inherit key by key (``check_sets``)."""

    checks: dict[str, CheckTable] | None = None
    """Additional checks by name.  Missing keys are inherited from the check of that name in the table around it."""

    check: CheckTable | None = None
    """The check of the real servers.  Missing keys are inherited from the check in the table around it."""


class LimitKeys(Strict):
    """Keys of virtual services and real servers."""

    upper_threshold: Annotated[Threshold, Mark.INHERITED, Mark.DECIDES] = 0
    """Maximum number of connections of a real server; 0 means no limit."""

    lower_threshold: Annotated[Threshold, Mark.INHERITED, Mark.DECIDES] = 0
    """Number of connections below which a real server that reached the upper threshold gets new ones again; 0 means
    three quarters of the upper threshold."""


class SchedulerKeys(Strict):
    """Keys of [defaults] and virtual services."""

    scheduler: Annotated[SchedulerName, Mark.INHERITED, Mark.DECIDES] = "wlc"
    """Scheduler of the virtual service."""


class EndpointKeys(Strict):
    """Keys of real servers and sorry servers."""

    address: Annotated[Address, Mark.DECIDES]
    """IP address of the server."""

    port: Annotated[PortOrAny | None, Mark.DECIDES] = None
    """Port of the server.  The default is the port of the virtual service; only forwarding = "masquerade" allows
    another one."""


class SorryServerTable(ForwardingKeys, EndpointKeys):
    """The server that is active while no real server of the service is up.  It is not checked."""

    model_config = ConfigDict(title="sorry server")

    weight: Annotated[int, Field(ge=1, le=65_535)] = 1
    """Its weight while it is active."""


class SorryCommandTable(Strict):
    """A program that runs when the last real server has failed and when the first one has recovered."""

    model_config = ConfigDict(title="sorry command")

    command: CommandLine
    """Program (full path) and arguments, run without a shell.  Three arguments are added: "start" or "stop"; the
    virtual address and port, like "192.0.2.1:80" (firewall mark: "10:0"); and "tcp", "udp", "sctp" or "fwm"."""

    user: UserName | None = None
    """User that runs the program.  The default is agent.command_user."""

    timeout: Timeout = 30.0
    """Time limit after which the program and its process group are killed."""


class DefaultsTable(CheckTables, PoolKeys, SchedulerKeys):
    """Defaults for all virtual services and real servers."""

    model_config = ConfigDict(title="defaults")


class RealServerTable(CheckTables, LimitKeys, PoolKeys, EndpointKeys):
    """A real server of a virtual service."""

    model_config = ConfigDict(title="real server")

    monitor_label: Label | None = None
    """Label of the server in monitor_file.  The default has its check, address, weight and forwarding."""


class ServiceKeys(Strict):
    """What a virtual service is called, and which packets are its own."""

    name: Name | None = None
    """Name in logs, metrics and the API.  The default is like "tcp/192.0.2.1:443"."""

    comment: Line | None = None
    """Note for operators: shown on the status page and in the API, and logged with each change."""

    protocol: Annotated[Protocol, FROM_TEXT, Mark.DECIDES] = Protocol.TCP
    """Transport protocol."""

    address: Annotated[Address | None, Mark.DECIDES] = None
    """The virtual address."""

    port: Annotated[PortOrAny | None, Mark.DECIDES] = None
    """The virtual port; 0 means every port and requires persistence."""

    fwmark: Annotated[Fwmark | None, Mark.DECIDES] = None
    """Firewall mark, used instead of protocol, address and port."""

    family: Annotated[FamilyWord, FROM_TEXT, Mark.DECIDES] = FamilyWord.INET
    """Address family of the packets with this firewall mark."""


class ScheduleKeys(SchedulerKeys, ServiceKeys):
    """How the connections of a virtual service are shared out."""

    scheduler_flags: Annotated[tuple[FlagName, ...], FROM_TEXT, Mark.DECIDES] = ()
    """Flags of the scheduler: "sh-port", "sh-fallback", "mh-port", "mh-fallback", or "flag-1" to "flag-3"."""

    persistence: Annotated[PersistenceTable | None, Mark.DECIDES] = None
    """Persistence of clients."""

    one_packet: bool = False
    """One-packet scheduling: each datagram is scheduled separately (udp and firewall marks only)."""


class VirtualServiceTable(CheckTables, StopKeys, LimitKeys, PoolKeys, ScheduleKeys):
    """A virtual service: either an address and a port, or a firewall mark."""

    model_config = ConfigDict(title="virtual service")

    quorum: Annotated[int, Field(ge=1)] = 1
    """Number of real servers that must be up.  Below it, the service is reported as below its quorum; nothing else
    happens."""

    monitor_file: OwnFile | None = None
    """File to which a line is appended for each check result.  A relative path is relative to the directory of the
    configuration file."""

    allow_weight_zero: Annotated[bool, Mark.DECIDES] = False
    """Allow on_down = "quiesce" and weight 0 although the scheduler (sh, mh, dh) then refuses clients."""

    real_server: Annotated[tuple[RealServerTable, ...], Mark.DECIDES] = ()
    """The real servers."""

    sorry_server: SorryServerTable | None = None
    """The server that is active while no real server is up."""

    sorry_command: SorryCommandTable | None = None
    """Program that runs when the last real server has failed, and when the first one has recovered."""


class File(Strict):
    """Configuration of lvs-agent, the health controller and exporter for IPVS."""

    model_config = ConfigDict(title="lvs-agent configuration")

    agent: AgentTable = AgentTable()
    """The agent itself."""

    metrics: MetricsTable = MetricsTable()
    """Which metrics are exported."""

    log: LogTable = LogTable()
    """The log."""

    defaults: DefaultsTable = DefaultsTable()
    """Defaults for all virtual services and real servers."""

    virtual_service: tuple[VirtualServiceTable, ...] = ()
    """The virtual services.  Without any, the agent only exports the metrics of the kernel's table."""
