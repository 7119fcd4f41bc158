from __future__ import annotations

import json

import jsonschema
import pytest
from pydantic import TypeAdapter

from lvs_agent.core.snapshot import EngineStatus, ReconcileStatus, ServerStatus
from lvs_agent.model.check import CheckId, Failed, FailureReason
from lvs_agent.web.document import StatusDocument
from lvs_agent.web.events import event_entry
from lvs_agent.web.status import is_live, status_document, what_is_missing
from tests.builders import check_status, destination_key, report, service_key, snapshot, virtual_service
from tests.web.showcase import showcase_backend, showcase_events, showcase_snapshot
from tests.web.worlds import world_backend, world_snapshot


@pytest.fixture
def document() -> StatusDocument:
    """The status of the whole world."""
    return status_document(world_snapshot(), world_backend().read_statistics())


def test_document_keeps_to_its_schema(document: StatusDocument) -> None:
    """The answer, as it goes over the wire, is what the described shape allows, and nothing besides."""
    schema = TypeAdapter(StatusDocument).json_schema()
    for shape in (schema, *schema["$defs"].values()):
        shape["additionalProperties"] = False
    jsonschema.validate(json.loads(json.dumps(document)), schema)

    assert "unexpected" in schema["$defs"]["Service"]["properties"]


def test_document_describes_the_agent(document: StatusDocument) -> None:
    """Who it is, whether it writes and is ready, and which configuration it follows."""
    agent = document["agent"]

    assert (document["schema"], document["taken"]) == (1, "2023-11-14T22:13:20.000Z")
    assert agent["writes"] is True
    assert agent["ready"] is False
    assert agent["missing"] == ["1 of 4 checks have not run yet"]
    assert agent["started"] == "2023-11-14T22:12:20.000Z"
    assert agent["config"]["problems"] == ["service.shop: no real server"]
    assert agent["config"]["last_reload_ok"] is False


def test_document_describes_the_reconcile_loop(document: StatusDocument) -> None:
    """What went wrong, what somebody changed, and what is left to do, in the log's words."""
    reconcile = document["reconcile"]

    assert reconcile["last_error"] == "add service tcp/192.0.2.1:80: EPERM"
    assert reconcile["drift"] == [{"kind": "unexpected", "virtual_service": "shop", "real_server": "10.0.0.77:80"}]
    assert reconcile["repairs"] == 3
    assert reconcile["pending"] == [
        {
            "operation": "update_destination",
            "virtual_service": "shop",
            "real_server": "10.0.0.1:80",
            "forwarding": "direct",
            "weight": 1,
            "changed": "weight",
        }
    ]


def test_document_describes_a_service(document: StatusDocument) -> None:
    """A service has its row, its quorum and its sorry server."""
    shop, empty = document["services"]

    assert (shop["name"], shop["key"], shop["scheduler"], shop["flags"]) == (
        "shop",
        "tcp/192.0.2.1:80",
        "wrr",
        ["persistent"],
    )
    assert shop["persistence"] == {"timeout_s": 600, "netmask": "255.255.255.255", "engine": None}
    assert (shop["up"], shop["quorum"], shop["quorum_reached"]) == (1, 2, False)
    assert shop["sorry_server"] is not None
    assert shop["sorry_server"]["active"] is False
    assert shop["sorry_server"]["weight"] == {"configured": None, "wanted": None, "kernel": None}
    assert empty["sorry_server"] is not None
    assert empty["sorry_server"]["active"] is True
    assert empty["sorry_server"]["weight"] == {"configured": None, "wanted": 1, "kernel": 1}
    assert [row["name"] for row in shop["unexpected"]] == ["10.0.0.77:80"]


def test_document_describes_a_real_server(document: StatusDocument) -> None:
    """State and since when, desired and kernel weight, connections, and the last check with its reason."""
    well, broken, unknown = document["services"][0]["real_servers"]

    assert (well["health"], well["membership"]) == ("up", "pooled")
    assert well["connections"] == {"active": 152, "inactive": 2310, "persistent": 0}
    assert well["weight"] == {"configured": 1, "wanted": 1, "kernel": 1}
    assert (broken["health"], broken["since"], broken["membership"]) == ("down", "2023-11-14T22:12:49.500Z", "removed")
    assert broken["weight"] == {"configured": 3, "wanted": None, "kernel": None}
    assert broken["connections"] is None
    assert broken["checks"] == [
        {
            "kind": "http",
            "address": "10.0.0.2",
            "port": 80,
            "interval_s": 5.0,
            "timeout_s": 2.0,
            "health": "down",
            "done": 5,
            "failed": 2,
            "errored": 0,
            "last": {
                "result": "failed",
                "reason": "status",
                "detail": "status 503 <b>&</b>",
                "ended": "2023-11-14T22:13:20.000Z",
                "duration_s": 0.0123,
            },
        }
    ]
    assert (unknown["health"], unknown["since"], unknown["membership"]) == ("unknown", None, "held")
    assert unknown["checks"][0]["last"] is not None
    assert unknown["checks"][0]["last"]["result"] == "errored"


def test_check_that_has_not_run_has_no_last_result(document: StatusDocument) -> None:
    """Null says that there is nothing to say yet; a ping has no port."""
    check = document["services"][1]["real_servers"][0]["checks"][0]

    assert (check["last"], check["port"]) == (None, None)


def test_detail_that_is_no_unicode_is_shown_all_the_same() -> None:
    """What a server sent, decoded as far as it goes, can always be written out again."""
    failed = check_status(last=report(result=Failed(FailureReason.CONTENT, "\udcff")))
    document = status_document(snapshot(services=[virtual_service()], checks={CheckId("check"): failed}), None)
    last = document["services"][0]["real_servers"][0]["checks"][0]["last"]

    assert last is not None
    assert last["detail"] == "?"


def test_state_is_one_word_for_everybody() -> None:
    """Maintenance where the operator has said so, whatever is known of the health; the same word for API and page."""
    document = status_document(showcase_snapshot(), showcase_backend().read_statistics())
    words = {server["name"]: server["state"] for service in document["services"] for server in service["real_servers"]}
    states = {service["name"]: service["state"] for service in document["services"]}

    assert [words[name] for name in ("web1", "web3", "web5", "replica2")] == ["up", "down", "maintenance", "up"]
    assert [states[name] for name in ("shop", "api", "intranet", "dns")] == ["up", "below_quorum", "down", "up"]
    assert [service["state"] for service in document["foreign_services"]] == ["foreign"]


def test_service_is_not_called_down_before_its_checks_have_spoken() -> None:
    """After a start nobody knows; below quorum is what is known to be."""
    waiting = snapshot(services=[virtual_service()], servers={(service_key(), destination_key()): ServerStatus()})

    assert status_document(waiting, None)["services"][0]["state"] == "unknown"


def test_rates_are_those_of_the_kernel() -> None:
    """Of each row and of the service; what goes out is only seen where it comes back through the director."""
    api = status_document(showcase_snapshot(), showcase_backend().read_statistics())["services"][1]

    assert api["rates"] == api["real_servers"][0]["rates"]
    assert api["rates"] == {
        "connections_per_s": 840,
        "incoming_packets_per_s": 7_560,
        "outgoing_packets_per_s": 9_240,
        "incoming_bytes_per_s": 4_090_800,
        "outgoing_bytes_per_s": 15_456_000,
    }
    assert api["connections"] == {"active": 2_856, "inactive": 1_428, "persistent": 0}


def test_rates_that_mean_nothing_are_not_known() -> None:
    """A kernel that does not estimate has old numbers or none."""
    told = showcase_backend().read_statistics().without_rates()
    document = status_document(showcase_snapshot(), told)

    assert document["services"][1]["rates"] is None
    assert document["services"][1]["real_servers"][0]["rates"] is None
    assert document["services"][1]["connections"] is not None


def test_recent_transitions_are_told_as_events_are() -> None:
    """The same entries, the newest last."""
    recent = status_document(showcase_snapshot(), None, recent=showcase_events())["recent"]

    assert [one["number"] for one in recent] == list(range(1, 10))
    assert recent[-1] == event_entry(showcase_events()[-1])


def test_foreign_services_are_listed_as_such(document: StatusDocument) -> None:
    """A service that nobody configured here is apart from ours, with all its rows."""
    (foreign,) = document["foreign_services"]

    assert (foreign["key"], foreign["scheduler"]) == ("fwm/10/inet", "mh")
    assert [(row["name"], row["weight"]["kernel"]) for row in foreign["destinations"]] == [("172.16.0.9:0", 7)]


def test_without_statistics_rows_are_those_of_the_last_round() -> None:
    """A kernel that cannot be read now leaves what was read last, and the document says so."""
    document = status_document(world_snapshot(), None)

    assert document["kernel_read"] is False
    well = document["services"][0]["real_servers"][0]
    assert (well["weight"]["kernel"], well["connections"]) == (1, None)
    assert len(document["foreign_services"]) == 1


def test_before_the_first_round_the_table_is_not_known() -> None:
    """Nobody has looked: neither in the table nor absent from it."""
    document = status_document(snapshot(services=[virtual_service()], reconcile=ReconcileStatus()), None)

    assert document["services"][0]["in_kernel"] is None
    assert document["services"][0]["real_servers"][0]["membership"] is None


def test_settings_of_checks_are_never_shown(document: StatusDocument) -> None:
    """A check's settings may hold a password: no part of them is in the answer."""
    assert "hunter2" not in json.dumps(document)
    assert "password" not in json.dumps(document)


def test_ready_needs_every_check_and_a_right_table() -> None:
    """What is missing is said in words; nothing missing means ready."""
    waiting = snapshot(
        services=[virtual_service()], checks={CheckId("check"): check_status()}, reconcile=ReconcileStatus()
    )

    assert what_is_missing(waiting.vitals) == ["1 of 1 checks have not run yet", "the table has not been in sync yet"]
    assert not waiting.ready
    assert what_is_missing(snapshot(services=[virtual_service()]).vitals) == []


@pytest.mark.parametrize(("age_s", "live"), [(0.0, True), (5.0, True), (5.1, False)])
def test_live_means_that_the_check_loop_turned_lately(age_s: float, live: bool) -> None:  # noqa: FBT001 - a table
    """Five seconds without a turn of the check loop are too many."""
    assert is_live(snapshot(engine=EngineStatus(last_turn_age_s=age_s)).vitals) is live
