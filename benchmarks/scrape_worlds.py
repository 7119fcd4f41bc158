"""The same services and servers for each exporter: as a reading, as a configuration, and as procfs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from random import Random

from lvs_agent.core.snapshot import CHECK_BOUNDS, CheckStatus, Histogram
from lvs_agent.ipvs import wire
from lvs_agent.ipvs.codec import encode
from lvs_agent.ipvs.uapi import Dest, Stat, Top
from lvs_agent.metrics.reading import Reading, Source, SourceRun
from lvs_agent.model.check import CheckId
from lvs_agent.model.intent import VirtualService
from lvs_agent.model.ipvs import AddDestination
from lvs_agent.model.statistics import Counters, DestinationStatistics, KernelInfo
from lvs_agent.view.series_index import IndexCache
from tests.builders import (
    NOW,
    check_status,
    real_server,
    report,
    service,
    service_key,
    snapshot,
    statistics,
    table_of,
    virtual_service,
)

SERVERS_A_SERVICE = 50
_FIRST_PORT = 1_000
_GENERIC_HEADER = bytes(4)
_ORDER_OF_A_ROW = (
    *(Dest.ADDR, Dest.PORT, Dest.FWD_METHOD, Dest.WEIGHT, Dest.TUN_TYPE, Dest.TUN_PORT, Dest.TUN_FLAGS),
    *(Dest.U_THRESH, Dest.L_THRESH, Dest.ACTIVE_CONNS, Dest.INACT_CONNS, Dest.PERSIST_CONNS, Dest.ADDR_FAMILY),
    *(Dest.STATS, Dest.STATS64),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """``servers`` real servers, 50 per service, with the same values in each run."""

    servers: int

    def places(self) -> Iterator[tuple[int, IPv4Address]]:
        """The service's port and the server's address, service by service."""
        for number in range(self.servers):
            yield _FIRST_PORT + number // SERVERS_A_SERVICE, IPv4Address("10.0.0.1") + number

    def services(self) -> list[VirtualService]:
        """What is configured."""
        addresses: dict[int, list[str]] = {}
        for port, address in self.places():
            addresses.setdefault(port, []).append(str(address))
        return [
            virtual_service(
                name=f"service-{port}",
                service=service(key=service_key(port=port)),
                real_servers=[real_server(address=one, checks=[f"{port}/{one}"]) for one in found],
            )
            for port, found in addresses.items()
        ]

    def readings(self) -> Callable[[], Reading]:
        """Gives a new reading of the same, in which every server has been checked and has carried something."""
        random, services = Random(1), self.services()
        pairs = [(one.service.key, server.key) for one in services for server in one.real_servers]
        checks = [check for one in services for server in one.real_servers for check in server.checks]
        return partial(
            Reading,
            snapshot=snapshot(services=services, checks={check: _checked(check, random) for check in checks}),
            statistics=statistics(
                table=table_of(*services),
                services={one.service.key: _counters(random) for one in services},
                destinations={pair: _counted(random) for pair in pairs},
            ),
            info=KernelInfo(version="1.2.1", connection_table_size=4_096, totals=_counters(random)),
            sources={source: SourceRun(success=True, duration_s=0.01) for source in Source},
            indexes=IndexCache(),
        )

    def configuration(self, directory: Path) -> str:
        """The same for the agent, without checks and with rare rounds, so that only scrapes take time."""
        text = f'[agent]\nstate_dir = "{directory}"\nreconcile_interval = "1h"\ncompare_interval = "1h"\n'
        last = 0
        for port, address in self.places():
            if port != last:
                text += (
                    f'[[virtual_service]]\nname = "service-{port}"\nprotocol = "tcp"\naddress = "192.0.2.1"\n'
                    f'port = {port}\nscheduler = "wrr"\nforwarding = "masquerade"\n'
                    '[virtual_service.check]\ntype = "none"\n'
                )
                last = port
            text += f'[[virtual_service.real_server]]\naddress = "{address}"\nport = 80\n'
        return text

    def write_procfs(self, root: Path) -> None:
        """``net/ip_vs`` and ``net/ip_vs_stats`` as the kernel writes them."""
        lines = [
            "IP Virtual Server version 1.2.1 (size=4096)",
            "Prot LocalAddress:Port Scheduler Flags",
            "  -> RemoteAddress:Port Forward Weight ActiveConn InActConn",
        ]
        random, last = Random(1), 0
        for port, address in self.places():
            if port != last:
                lines.append(f"TCP  C0000201:{port:04X} wrr ")
                last = port
            active, inactive = random.randrange(1_000), random.randrange(1_000)
            lines.append(f"  -> {int(address):08X}:0050      Masq    1      {active:<10} {inactive:<10}")
        stats = [
            "   Total Incoming Outgoing         Incoming         Outgoing",
            "   Conns  Packets  Packets            Bytes            Bytes",
            " 16AA370 E33656E5        0     51D8C8883AB3                0",
            "",
            " Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s",
            "       4       1F        0             1282                0",
        ]
        (root / "net").mkdir(parents=True)
        (root / "net" / "ip_vs").write_text("\n".join([*lines, ""]))
        (root / "net" / "ip_vs_stats").write_text("\n".join([*stats, ""]))

    def netlink_rows(self, *, reading: int) -> list[bytes]:
        """The attributes that Linux sends of each destination, in its order; each ``reading`` has other numbers."""
        random = Random(reading)
        key = service_key()
        rows = []
        for _, address in self.places():
            request = encode(AddDestination(key, real_server(address=str(address)).destination))
            known = wire.walk(wire.walk(request.attributes)[Top.DEST])
            known |= {Dest.TUN_TYPE: bytes(1), Dest.TUN_PORT: bytes(2), Dest.TUN_FLAGS: bytes(2)}
            known |= {kind: random.randbytes(4) for kind in (Dest.ACTIVE_CONNS, Dest.INACT_CONNS, Dest.PERSIST_CONNS)}
            known[Dest.STATS] = bytes(88)
            known[Dest.STATS64] = b"".join(wire.number(kind, random.randrange(2**40), 8) for kind in Stat)
            attributes = (wire.attribute(kind, known[kind]) for kind in _ORDER_OF_A_ROW)
            rows.append(_GENERIC_HEADER + wire.nested(Top.DEST, *attributes))
        return rows


def _checked(check: CheckId, random: Random) -> CheckStatus:
    durations = Histogram.empty(CHECK_BOUNDS).with_values(random.random() for _ in range(5))
    last = report(check=check, ended_at=NOW + random.random(), duration_s=random.random())
    return check_status(last=last, durations=durations)


def _counters(random: Random) -> Counters:
    return Counters(
        connections=random.randrange(10**7),
        incoming_packets=random.randrange(10**9),
        outgoing_packets=random.randrange(10**9),
        incoming_bytes=random.randrange(10**12),
        outgoing_bytes=random.randrange(10**12),
    )


def _counted(random: Random) -> DestinationStatistics:
    return DestinationStatistics(
        counters=_counters(random),
        active_connections=random.randrange(1_000),
        inactive_connections=random.randrange(1_000),
    )
