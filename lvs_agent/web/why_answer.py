"""The answer of /api/v1/why: which service and servers are meant, and why they are as they are.  Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from http import HTTPStatus

from typing_extensions import TypedDict

from lvs_agent.core.instant import rfc3339
from lvs_agent.core.reconcile import changed_fields
from lvs_agent.core.snapshot import Snapshot
from lvs_agent.metrics.inventory import Inventory, KnownServer, KnownService
from lvs_agent.model.ipvs import AddressKey
from lvs_agent.web.document import ServerWord, ServiceWord
from lvs_agent.web.states import server_word, service_word
from lvs_agent.web.why import Case, Sentence, explain

SCHEMA = 1
_NAMES_TOLD = 20


class ServerAnswer(TypedDict):
    """One server of the service.  ``state`` is the word that the status has for it.  ``settled``: its row in the kernel
    is as it should be, and no result of its checks speaks against what they say.
    """

    real_server: str
    address: str
    state: ServerWord
    membership: str | None
    settled: bool
    sentences: list[Sentence]


class WhyDocument(TypedDict):
    """The whole answer.  ``sentences`` are about the service; times are RFC 3339 in UTC."""

    schema: int
    taken: str
    virtual_service: str
    key: str
    state: ServiceWord
    sentences: list[str]
    servers: list[ServerAnswer]


class Unanswerable(Exception):
    """There is no answer to the question; ``status`` is that of the reply."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def answer(
    snapshot: Snapshot, inventory: Inventory, *, virtual_service: str | None, real_server: str | None
) -> WhyDocument:
    """Why the servers of a service are as they are, or one of them.

    Names, keys and addresses will do, these with or without a port.  Raises Unanswerable.
    """
    if not virtual_service:
        raise Unanswerable(
            HTTPStatus.BAD_REQUEST,
            f"virtual_service is missing; {_known('virtual service', [one.name for one in inventory.services])}",
        )
    explainer = Explainer(snapshot, inventory)
    service = _find_service(inventory.services, virtual_service)
    servers = _find_servers(service, real_server) if real_server else service.servers
    return WhyDocument(
        schema=SCHEMA,
        taken=rfc3339(snapshot.taken_at),
        virtual_service=service.name,
        key=str(service.key),
        state=service_word(service),
        sentences=list(_service_sentences(service, table_known=inventory.table_known)),
        servers=[
            ServerAnswer(
                real_server=server.name,
                address=str(server.key),
                state=server_word(server, service),
                membership=None if server.placement is None else server.placement.membership.value,
                settled=server.wanted == server.present
                and not any(status.state.against for _, status in server.checks),
                sentences=explainer(service.name, server.name),
            )
            for server in servers
        ],
    )


class Explainer:
    """Says why a server is as it is, by the names that the status has."""

    def __init__(self, snapshot: Snapshot, inventory: Inventory) -> None:
        self._snapshot = snapshot
        self._table_known = inventory.table_known
        self._servers = {
            (service.name, server.name): (service, server)
            for service in inventory.services
            for server in service.servers
        }

    def __call__(self, virtual_service: str, real_server: str) -> list[Sentence]:
        """The sentences about one server.  Raises KeyError for names that nothing has."""
        service, server = self._servers[virtual_service, real_server]
        return explain(Case(snapshot=self._snapshot, service=service, server=server, table_known=self._table_known))


def _find_service(services: Sequence[KnownService], wanted: str) -> KnownService:
    exact = [service for service in services if service.name == wanted or str(service.key) == wanted]
    loose = [service for service in services if wanted.lower() in _service_names(service)]
    found = exact or loose
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(service.name for service in found)
        raise Unanswerable(HTTPStatus.BAD_REQUEST, f"{wanted!r} may mean any of the virtual services {names}")
    known = [service.name for service in services]
    raise Unanswerable(HTTPStatus.NOT_FOUND, _unknown("virtual service", wanted, known))


def _service_names(service: KnownService) -> Iterator[str]:
    """Everything, in small letters, that may be said for a service besides its name and key."""
    yield service.name.lower()
    yield str(service.key).lower()
    if isinstance(service.key, AddressKey):
        yield str(service.key).partition("/")[2].lower()
        yield str(service.key.address)


def _find_servers(service: KnownService, wanted: str) -> tuple[KnownServer, ...]:
    exact = tuple(server for server in service.servers if server.name == wanted or str(server.key) == wanted)
    if exact:
        return exact
    small = wanted.lower()
    found = tuple(
        server for server in service.servers if small in {server.name.lower(), str(server.key), str(server.key.address)}
    )
    if found:
        return found
    known = [server.name for server in service.servers]
    raise Unanswerable(HTTPStatus.NOT_FOUND, _unknown(f"real server of {service.name}", wanted, known))


def _unknown(what: str, wanted: str, known: list[str]) -> str:
    near = get_close_matches(wanted[:100], known, n=3, cutoff=0.6)
    meant = f"; did you mean {' or '.join(near)}?" if near else f"; {_known(what, known)}"
    return f"there is no {what} {wanted[:100]!r}{meant}"


def _known(what: str, known: list[str]) -> str:
    if not known:
        return f"no {what} is known"
    more = f" and {len(known) - _NAMES_TOLD} more" if len(known) > _NAMES_TOLD else ""
    return f"known are {', '.join(known[:_NAMES_TOLD])}{more}"


def _service_sentences(service: KnownService, *, table_known: bool) -> Iterator[str]:
    if service.configured is None:
        yield "It is in the kernel's table but not in the configuration: it is shown, and never changed."
        return
    up = sum(server.state == "up" for server in service.real_servers)
    quorum = service.configured.quorum
    reached = "which is its quorum" if up == quorum else f"quorum {quorum} is {'' if up > quorum else 'not '}reached"
    yield f"{up} of {len(service.real_servers)} real servers are up; {reached}."
    if service.configured.comment:
        yield service.configured.comment
    if service.sorry_active:
        yield "Its sorry server serves, because no real server has a weight above 0."
    if table_known and service.present is None:
        yield "The kernel does not have it."
    elif service.present is not None and (
        differing := changed_fields(service.present.service, service.configured.service)
    ):
        yield f"Its own row in the kernel differs in {', '.join(differing)}."
