from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.core.health import UNKNOWN, CheckState, Health, combine, judge
from lvs_agent.model.check import CheckResult, Errored, ErrorReason, Failed, FailureReason, Passed
from lvs_agent.model.intent import PassWhen

PASS, FAIL, ERROR = Passed(), Failed(FailureReason.STATUS), Errored(ErrorReason.NO_DESCRIPTORS)
RESULTS: dict[str, CheckResult] = {"p": PASS, "f": FAIL, "e": ERROR}


def after(results: str, *, rise: int, fall: int, state: CheckState = UNKNOWN) -> CheckState:
    """The state after ``results``, one letter each."""
    for letter in results:
        state = judge(state, RESULTS[letter], rise=rise, fall=fall)
    return state


@pytest.mark.parametrize(
    ("results", "health"),
    [
        pytest.param("", Health.UNKNOWN, id="nothing is known before the first result"),
        pytest.param("p", Health.UP, id="the first success settles it"),
        pytest.param("f", Health.UNKNOWN, id="the first failure does not"),
        pytest.param("ff", Health.UNKNOWN, id="nor does the one before the last"),
        pytest.param("fff", Health.DOWN, id="as many failures as fall do"),
        pytest.param("fpff", Health.UP, id="a success starts the count again"),
        pytest.param("pff", Health.UP, id="fewer failures than fall keep it up"),
        pytest.param("pfff", Health.DOWN, id="fall failures in a row take it down"),
        pytest.param("pffpff", Health.UP, id="only failures in a row count"),
        pytest.param("fffp", Health.DOWN, id="fewer successes than rise keep it down"),
        pytest.param("fffpp", Health.UP, id="rise successes in a row bring it up"),
        pytest.param("fffpfp", Health.DOWN, id="only successes in a row count"),
        pytest.param("pfeff", Health.DOWN, id="an error of ours neither counts nor interrupts"),
        pytest.param("eeee", Health.UNKNOWN, id="errors of ours settle nothing"),
    ],
)
def test_rise_and_fall(results: str, health: Health) -> None:
    """With rise 2 and fall 3, each row of results ends in the health that the rules give."""
    assert after(results, rise=2, fall=3).health is health


def model(results: list[CheckResult], *, rise: int, fall: int) -> Health:
    """The rules once more, read off the whole history instead of a state."""
    health = Health.UNKNOWN
    told = [isinstance(result, Passed) for result in results if not isinstance(result, Errored)]
    for end in range(1, len(told) + 1):
        streak = 0
        for passed in reversed(told[:end]):
            if passed is not told[end - 1]:
                break
            streak += 1
        if told[end - 1] and streak >= (rise if health is Health.DOWN else 1):
            health = Health.UP
        if not told[end - 1] and streak >= fall:
            health = Health.DOWN
    return health


@given(st.lists(st.sampled_from([PASS, FAIL, ERROR]), max_size=14), st.integers(1, 4), st.integers(1, 4))
def test_any_history_agrees_with_the_rules(results: list[CheckResult], rise: int, fall: int) -> None:
    """For every history the state machine says what the rules say of the history as a whole."""
    state = UNKNOWN
    for result in results:
        state = judge(state, result, rise=rise, fall=fall)

    assert state.health is model(results, rise=rise, fall=fall)


@given(st.sampled_from(list(Health)), st.integers(0, 3))
def test_own_errors_change_nothing(health: Health, against: int) -> None:
    """A result of our own fault leaves every state as it is."""
    state = CheckState(health, against)

    assert judge(state, ERROR, rise=1, fall=1) == state


@given(st.lists(st.sampled_from(list(Health)), min_size=1))
def test_server_is_as_well_as_its_worst_check(healths: list[Health]) -> None:
    """One check that is down takes the server down; one that is unknown keeps it from being up."""
    combined = combine(healths)

    assert (combined is Health.DOWN) == (Health.DOWN in healths)
    assert (combined is Health.UP) == (set(healths) == {Health.UP})
    assert combine(map(_turned, healths), pass_when=PassWhen.ANY) is _turned(combined)


def _turned(health: Health) -> Health:
    """Any is to up what all is to down."""
    return {Health.UP: Health.DOWN, Health.DOWN: Health.UP, Health.UNKNOWN: Health.UNKNOWN}[health]
