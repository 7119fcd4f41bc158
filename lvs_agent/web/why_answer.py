"""The answer of /api/v1/why: which service and servers are meant, and why they are as they are.  Pure."""

from __future__ import annotations

from http import HTTPStatus

from typing_extensions import TypedDict

from lvs_agent.core.instant import rfc3339
from lvs_agent.core.snapshot import Snapshot
from lvs_agent.view.inventory import Inventory
from lvs_agent.view.lookup import AmbiguousName, UnknownName, find_servers, find_service, known_names
from lvs_agent.view.why import Case, Sentence, explain, explain_service
from lvs_agent.view.words import ServerWord, ServiceWord, server_word, service_word

SCHEMA = 1


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
    """The question has no answer; ``status`` is that of the reply."""

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
            f"virtual_service is missing; {known_names('virtual service', [one.name for one in inventory.services])}",
        )
    explainer = Explainer(snapshot, inventory)
    try:
        service = find_service(inventory.services, virtual_service)
        servers = find_servers(service, real_server) if real_server else service.servers
    except UnknownName as error:
        raise Unanswerable(HTTPStatus.NOT_FOUND, str(error)) from error
    except AmbiguousName as error:
        raise Unanswerable(HTTPStatus.BAD_REQUEST, str(error)) from error
    return WhyDocument(
        schema=SCHEMA,
        taken=rfc3339(snapshot.taken_at),
        virtual_service=service.name,
        key=str(service.key),
        state=service_word(service),
        sentences=list(explain_service(service, table_known=inventory.table_known)),
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
