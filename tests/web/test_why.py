from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.core.health import CheckState, Health, combine, judge
from lvs_agent.core.pool import Membership, Placement, Pool
from lvs_agent.core.snapshot import CheckStatus, ReconcileStatus, ServerStatus
from lvs_agent.model.check import CheckId, CheckResult, CheckSpec, Errored, ErrorReason, Failed, FailureReason, Passed
from lvs_agent.model.intent import PassWhen, RealServer
from lvs_agent.model.ipvs import Destination, ServiceKey
from lvs_agent.model.statistics import Statistics
from lvs_agent.view.inventory import inventory_of
from lvs_agent.view.why_checks import outlook, until_next
from lvs_agent.web.why_answer import Unanswerable, WhyDocument, answer
from tests.builders import (
    NOW,
    check_spec,
    destination,
    real_server,
    report,
    service_entry,
    service_key,
    snapshot,
    statistics,
    table,
    virtual_service,
)
from tests.web.worlds import world_backend, world_snapshot

BROKEN = Failed(FailureReason.STATUS, "status 503")
OURS = Errored(ErrorReason.NO_ROUTE, "no route to host")
ROW = destination(weight=10)
SPEC = check_spec(rise=3, fall=2)
SERVER = real_server(weight=10)


def status(health: Health, *, against: int = 0, result: CheckResult | None = None, age_s: float = 3.0) -> CheckStatus:
    """A check of that health whose last run ended so long ago."""
    last = report(result=result or Passed(), ended_at=NOW - age_s, duration_s=0.5)
    return CheckStatus(state=CheckState(health, against), last=last)


def explained(
    *,
    server: RealServer = SERVER,
    checks: Mapping[str, CheckStatus],
    specs: tuple[CheckSpec, ...] = (SPEC,),
    membership: Membership | None = Membership.POOLED,
    wanted: Destination | None = None,
    present: Destination | None = None,
    writes: bool = True,
    last_error: str = "",
    read: bool = True,
) -> dict[str, list[str]]:
    """What is said of the only server of a service, by what it is about."""
    web = virtual_service(real_servers=[server])
    pools: dict[ServiceKey, Pool] = {}
    if membership is not None:
        pools = {service_key(): Pool({server.key: Placement(membership, wanted)}, sorry_active=False)}
    health = combine((checks[check].state.health for check in server.checks), pass_when=server.pass_when)
    shown = snapshot(
        services=[web],
        specs=specs,
        checks={CheckId(name): one for name, one in checks.items()},
        servers={(service_key(), server.key): ServerStatus(health, NOW - 90)},
        reconcile=ReconcileStatus(pools=pools, last_error=last_error),
        writes=writes,
    )
    kernel = table(service_entry(service=web.service, destinations=[present] if present else []))
    told: Statistics | None = statistics(table=kernel) if read else None
    found: dict[str, list[str]] = {}
    for one in answer(shown, inventory_of(shown, told), virtual_service="web", real_server=None)["servers"][0][
        "sentences"
    ]:
        found.setdefault(one["about"], []).append(one["text"])
    return found


def final(health: Health, *, result: CheckResult | None = None) -> CheckStatus:
    """The same, and the check does not run again."""
    said = status(health, result=result)
    return replace(said, last=said.last and said.last._replace(is_final=True))


WEIGHT_0 = replace(ROW, weight=0)
UP, DOWN, UNKNOWN = status(Health.UP), status(Health.DOWN, result=BROKEN), status(Health.UNKNOWN, result=OURS)


# --- what is said of each state ----------------------------------------------------------------------------------


def test_server_in_service_has_nothing_to_wait_for() -> None:
    """What it is, since when, what its check says, what the kernel has, and that this is right."""
    assert explained(checks={"check": UP}, wanted=ROW, present=ROW) == {
        "state": ["It is up for 90 s, since 2023-11-14 22:11:50 UTC."],
        "checks": [
            "http on 10.0.0.1:80 says up: the last run, 3.0 s ago, passed in 500.0 ms.",
            "2 failures in a row would take it down. It runs again in about 2 s.",
        ],
        "pool": ["It is up and in service."],
        "table": [
            "It should have weight 10.",
            "The kernel has it with weight 10, forwarding direct, 0 active connections and 0 inactive.",
        ],
        "next": ["There is nothing to do: the table is in sync."],
    }


def test_check_whose_result_cannot_change_promises_nothing() -> None:
    """It does not run again, and no success of it is waited for."""
    up = explained(checks={"check": final(Health.UP)}, wanted=ROW, present=ROW)
    down = explained(checks={"check": final(Health.DOWN, result=BROKEN)}, membership=Membership.REMOVED)

    assert up["checks"][1:] == down["checks"][1:] == ["Its result cannot change, so it does not run again."]
    assert up["next"] == down["next"] == ["There is nothing to do: the table is in sync."]


@pytest.mark.parametrize(
    ("pass_when", "text"),
    [
        (PassWhen.ALL, None),
        (PassWhen.ANY, "It comes up after 3 more successes in a row of http on 10.0.0.1:80"),
    ],
)
def test_server_comes_back_by_its_other_checks_where_they_are_enough(pass_when: PassWhen, text: str | None) -> None:
    """A check that stays down keeps it out only where all must pass."""
    told = explained(
        server=replace(real_server(weight=10, checks=["fixed", "check"]), pass_when=pass_when),
        specs=(check_spec(name="fixed", kind="none"), SPEC),
        checks={"fixed": final(Health.DOWN, result=BROKEN), "check": status(Health.DOWN, result=BROKEN)},
        membership=Membership.REMOVED,
    )

    assert [line.partition(", in about")[0] for line in told["next"][1:]] == ([] if text is None else [text])


def test_server_that_is_down_is_told_when_it_comes_back() -> None:
    """How many successes are left, and how long they take at the least."""
    down = status(Health.DOWN, against=1)
    told = explained(checks={"check": down}, membership=Membership.REMOVED)

    assert told["checks"][1] == "It has 1 of the 3 successes in a row that bring it up. It runs again in about 2 s."
    assert told["pool"] == ["It is down, so it is removed from the table."]
    assert told["table"] == ["It should have no row in the table.", "The kernel has no row for it."]
    assert told["next"] == [
        "There is nothing to do: the table is in sync.",
        "It comes up after 2 more successes in a row of http on 10.0.0.1:80, in about 6 s at the earliest.",
    ]


def test_server_in_doubt_is_told_when_it_goes() -> None:
    """One failure of two."""
    doubted = status(Health.UP, against=1, result=BROKEN)
    told = explained(checks={"check": doubted}, wanted=ROW, present=ROW)

    assert "failed with status (status 503) after 500.0 ms" in told["checks"][0]
    assert told["checks"][1].startswith("It has 1 of the 2 failures in a row that take it down.")
    assert told["next"][1:] == [
        "It goes down after 1 more failure of http on 10.0.0.1:80, in about 2 s at the earliest."
    ]


def test_fault_of_ours_is_not_laid_on_the_server() -> None:
    """Nothing is known, and why."""
    told = explained(checks={"check": UNKNOWN}, membership=Membership.HELD, wanted=ROW, present=ROW)

    assert told["state"] == ["Its health is not known for 90 s, since 2023-11-14 22:11:50 UTC."]
    assert "was not possible, which is not the server's fault: no_route (no route to host)" in told["checks"][0]
    assert told["next"][1].startswith("It is up after 1 more success")


@pytest.mark.parametrize(
    ("membership", "words"),
    [
        (Membership.POOLED, "in service"),
        (Membership.HELD, "stays as the kernel has it"),
        (Membership.ADMITTED, "It is new"),
        (Membership.WAITING, "waits for the first results"),
        (Membership.QUIESCED, "stays in the table with weight 0"),
        (Membership.REMOVED, "removed from the table"),
        (Membership.MAINTENANCE, "an entry in the maintenance directory names it"),
        (Membership.DRAINED, "asks for no new connections"),
        (Membership.WITHDRAWN, "somebody else has deleted its row"),
    ],
)
def test_every_membership_has_its_words(membership: Membership, words: str) -> None:
    """None is left without an explanation."""
    (sentence,) = explained(checks={"check": UP}, membership=membership)["pool"]

    assert words in sentence


def test_every_membership_is_in_the_table_above() -> None:
    """A new one must be told too."""
    cases = test_every_membership_has_its_words.pytestmark[0].args[1]  # type: ignore[attr-defined]  # pytest's own

    assert {membership for membership, _ in cases} == set(Membership)


def test_maintenance_ends_with_its_entry() -> None:
    """Whether its checks say up or down."""
    well = explained(checks={"check": UP}, membership=Membership.MAINTENANCE, wanted=WEIGHT_0, present=WEIGHT_0)
    broken = explained(checks={"check": DOWN}, membership=Membership.MAINTENANCE)

    assert well["next"][1:] == ["It returns to service when that entry is removed and its checks say up."]
    assert broken["next"][1].startswith("It is up after 3 more successes")
    assert broken["next"][2:] == well["next"][1:]
    assert well["table"][0] == "It should have weight 0; its configured weight is 10."


def test_share_of_the_weight_is_told_with_who_asks_for_it() -> None:
    """An agent on the server wants half of its weight."""
    half = status(Health.UP, result=Passed(weight_percent=50))
    told = explained(checks={"check": half}, wanted=replace(ROW, weight=5), present=replace(ROW, weight=5))

    assert told["pool"][1:] == ["Its checks leave it 50 % of its configured weight of 10."]


def test_check_that_only_lowers_the_weight_is_told_as_such() -> None:
    """It never takes the server out."""
    server = replace(SERVER, lowering=((CheckId("load"), 20),))
    specs = (SPEC, check_spec(name="load", kind="command", port=None))
    told = explained(server=server, specs=specs, checks={"check": UP, "load": DOWN}, wanted=replace(ROW, weight=2))

    assert "It only lowers the weight: while it is down, the server has 20 % of its weight." in told["checks"]
    assert "Its checks leave it 20 % of its configured weight of 10." in told["pool"]


@pytest.mark.parametrize(
    ("pass_when", "words", "back"),
    [
        (PassWhen.ALL, "all of them pass", "3 more successes in a row of http on 10.0.0.1:80 and 3 more"),
        (PassWhen.ANY, "any of them passes", "3 more successes in a row of http on 10.0.0.1:80, in"),
    ],
)
def test_server_with_several_checks_is_told_how_many_must_pass(pass_when: PassWhen, words: str, back: str) -> None:
    """All of them must come back, or the soonest is enough."""
    server = replace(real_server(checks=["check", "other"]), pass_when=pass_when)
    specs = (SPEC, check_spec(name="other", kind="tcp", port=81, rise=3, interval_s=60))
    told = explained(server=server, specs=specs, checks={"check": DOWN, "other": DOWN}, membership=Membership.REMOVED)

    assert told["checks"][0] == f"It has 2 checks, and is up when {words}."
    assert back in told["next"][1]


def test_server_without_checks_stays_as_it_is() -> None:
    """Nobody asks, so nobody knows."""
    server = real_server(weight=10, checks=[])
    told = explained(server=server, specs=(), checks={}, membership=Membership.HELD, wanted=ROW, present=ROW)

    assert told["checks"][0].startswith("It has no check that decides")
    assert told["next"] == ["There is nothing to do: the table is in sync."]


# --- the table and what is done about it -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "present", "words"),
    [
        (ROW, None, "add its row with weight 10"),
        (None, ROW, "delete its row"),
        (ROW, WEIGHT_0, "update its row"),
    ],
)
def test_next_round_does_what_differs(wanted: Destination | None, present: Destination | None, words: str) -> None:
    """An agent that writes says what it does and when; one that only observes says what it would."""
    writing = explained(checks={"check": UP}, wanted=wanted, present=present, last_error="add_destination: EPERM")
    observing = explained(checks={"check": UP}, wanted=wanted, present=present, writes=False)

    assert writing["next"] == [
        f"The next round will {words}; it starts within 10 s.",
        "The last round failed: add_destination: EPERM.",
    ]
    assert observing["next"] == [f"The agent only observes: it would {words}, and does not."]


def test_differing_row_is_told_field_by_field() -> None:
    """What the kernel has, and what it should have instead."""
    other = destination(weight=3, upper_threshold=7)
    told = explained(checks={"check": UP}, wanted=ROW, present=other)

    assert told["table"][2] == "Its row differs in weight (3 instead of 10), upper threshold (7 instead of 0)."


def test_before_the_first_round_nothing_is_decided() -> None:
    """Neither what it should have, nor what is done."""
    told = explained(checks={"check": UP}, membership=None, read=False)

    assert told["pool"] == ["No round has decided about it yet."]
    assert told["table"] == ["The kernel's table could not be read, so its row is not known."]
    assert told["next"] == ["The next round decides."]


def test_table_that_cannot_be_read_is_not_changed() -> None:
    """The agent knows what it wants, and waits."""
    told = explained(checks={"check": UP}, wanted=ROW, read=False)

    assert told["next"] == ["Nothing is changed before the table can be read again."]


# --- when ---------------------------------------------------------------------------------------------------------


@given(
    health=st.sampled_from(Health),
    against=st.integers(0, 4),
    rise=st.integers(1, 5),
    fall=st.integers(1, 5),
    passes=st.booleans(),
)
def test_outlook_is_what_the_rule_of_health_makes_of_it(
    health: Health, against: int, rise: int, fall: int, *, passes: bool
) -> None:
    """So many results as are promised turn the check, and one less does not."""
    against = min(against, {Health.DOWN: rise, Health.UP: fall, Health.UNKNOWN: fall}[health] - 1)
    spec = check_spec(rise=rise, fall=fall)
    towards, result = (Health.UP, Passed()) if passes else (Health.DOWN, BROKEN)
    # what speaks against the state is what comes; a streak of the other kind would have to begin anew
    state = CheckState(health, against if passes is (health is Health.DOWN) else 0)
    need = outlook(spec, CheckStatus(state, UP.last), towards=towards, now=NOW)
    reached = [state]
    for _ in range(need.results):
        reached.append(judge(reached[-1], result, rise=rise, fall=fall))

    assert reached[-1].health is towards
    assert all(one.health is not towards for one in reached[:-1])
    assert need.seconds >= 0


@pytest.mark.parametrize(
    ("status", "seconds"),
    [
        (CheckStatus(), 0.0),
        (status(Health.UP), 1.5),
        (status(Health.UP, age_s=60), 0.0),
        (status(Health.DOWN, result=BROKEN), 26.5),
        (status(Health.DOWN, against=1), 0.0),
        (status(Health.UP, against=1, result=BROKEN, age_s=0.1), 0.4),
        (status(Health.DOWN, result=OURS), 26.5),
    ],
)
def test_next_run_follows_the_interval_that_holds(status: CheckStatus, seconds: float) -> None:
    """The usual one, the one for servers that are down, or the fast one in doubt; from the start of the last run."""
    spec = replace(check_spec(interval_s=5, down_interval_s=30), fast_interval_s=1)

    assert until_next(spec, status, now=NOW) == pytest.approx(seconds)


# --- whom the question means --------------------------------------------------------------------------------------


def asked(virtual_service: str | None, real_server: str | None = None) -> WhyDocument:
    """The answer about the world with everything in it."""
    shown, told = world_snapshot(), world_backend().read_statistics()
    return answer(shown, inventory_of(shown, told), virtual_service=virtual_service, real_server=real_server)


@pytest.mark.parametrize("name", ["shop", "SHOP", "tcp/192.0.2.1:80", "192.0.2.1:80"])
def test_service_is_found_by_name_key_or_address(name: str) -> None:
    """Whatever stands in somebody's notes."""
    assert asked(name)["virtual_service"] == "shop"


def test_address_of_several_services_is_not_guessed() -> None:
    """Both are named."""
    with pytest.raises(
        Unanswerable, match=r"'192\.0\.2\.1' may mean any of the virtual services shop, empty"
    ) as caught:
        asked("192.0.2.1")

    assert caught.value.status == HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize("name", ["broken", "Broken", "10.0.0.2:80", "10.0.0.2"])
def test_server_is_found_by_name_or_address(name: str) -> None:
    """One server, or all of its address."""
    assert [server["real_server"] for server in asked("shop", name)["servers"]] == ["broken"]


def test_everything_in_a_service_can_be_asked_for() -> None:
    """Its sorry server and what nobody configured too, and what is somebody else's."""
    (sorry,) = asked("empty", "10.0.1.99")["servers"]
    (unexpected,) = asked("shop", "10.0.0.77")["servers"]
    (foreign,) = asked("fwm/10/inet")["servers"]

    assert [one["state"] for one in (sorry, unexpected, foreign)] == ["active", "foreign", "foreign"]
    assert "No real server has a weight above 0, so the service fails over to it." in [
        one["text"] for one in sorry["sentences"]
    ]
    assert unexpected["sentences"][-2]["text"] == "The next round will delete its row; it starts within 10 s."
    assert foreign["sentences"][0]["text"].endswith("it is shown, and the agent never changes it.")


@pytest.mark.parametrize(
    ("service", "server", "status", "words"),
    [
        (None, None, HTTPStatus.BAD_REQUEST, "virtual_service is missing; known are shop, empty, fwm/10/inet"),
        ("shpo", None, HTTPStatus.NOT_FOUND, "there is no virtual service 'shpo'; did you mean shop?"),
        ("x" * 10_000, None, HTTPStatus.NOT_FOUND, "known are shop, empty, fwm/10/inet"),
        ("shop", "brokn", HTTPStatus.NOT_FOUND, "there is no real server of shop 'brokn'; did you mean broken?"),
    ],
)
def test_question_without_an_answer_says_what_could_be_asked(
    service: str | None, server: str | None, status: HTTPStatus, words: str
) -> None:
    """The nearest names, or the known ones; never all that somebody sent."""
    with pytest.raises(Unanswerable) as caught:
        asked(service, server)

    assert caught.value.status == status
    assert words in str(caught.value)
    assert len(str(caught.value)) < 500


def test_answer_about_a_service_begins_with_the_service() -> None:
    """How many are up, what the quorum is, whether it has failed over to its sorry server."""
    assert asked("shop")["sentences"] == ["1 of 3 real servers are up; the quorum is 2.", "On call: <web> team"]
    assert (
        asked("empty")["sentences"][1]
        == "It has failed over to its sorry server, because no real server has a weight above 0."
    )
    assert (asked("shop")["state"], asked("empty")["state"]) == ("unknown", "down")
