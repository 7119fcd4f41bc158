"""Value mappings (words for numbers) and thresholds."""

from __future__ import annotations

from collections.abc import Mapping

from grafana_foundation_sdk.models.dashboard import (
    DashboardRangeMapOptions,
    RangeMap,
    Threshold,
    ThresholdsConfig,
    ThresholdsMode,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)

from grafana.limits import Limit

GOOD, BAD, WARNING, CALM = "green", "red", "orange", "blue"


def words(meanings: Mapping[int | tuple[int, int], tuple[str, str]]) -> list[ValueMapping]:
    """Text and colour for each number, or for each range of numbers (both ends included)."""
    mappings: list[ValueMapping] = []
    for index, (number, (text, color)) in enumerate(meanings.items()):
        result = ValueMappingResult(text=text, color=color, index=index)
        if isinstance(number, tuple):
            first, last = number
            mappings.append(RangeMap(options=DashboardRangeMapOptions(from_val=first, to=last, result=result)))
        else:
            mappings.append(ValueMap(options={str(number): result}))
    return mappings


NONE = words({0: ("none", GOOD)})
SERVICE = words(
    {0: ("ok", GOOD), 1: ("below quorum", WARNING), (2, 3): ("no real server", BAD), (4, 7): ("sorry server", BAD)}
)
SERVER = words(
    {
        0: ("down", BAD),
        1: ("up", GOOD),
        (2, 3): ("maintenance", CALM),
        4: ("unknown", WARNING),
        (6, 7): ("maintenance", CALM),
    }
)
SORRY = words({0: ("standby", GOOD), 1: ("active", BAD)})
ACTIVE = words({0: ("observes", CALM), 1: ("writes", GOOD)})
ANSWERS = words({0: ("no answer", BAD), 1: ("ok", GOOD)})
ACCEPTED = words({0: ("refused", BAD), 1: ("ok", GOOD)})
EQUAL = words({1: ("equal", GOOD), (2, 1000): ("different", BAD)})
UNLIMITED = words({0: ("no limit", "text")})
DAEMON = words({1: ("running", GOOD)})


def plain() -> ThresholdsConfig:
    """No threshold: one quiet colour for everything."""
    return _steps(Threshold(value=None, color=CALM))


def bad_from(value: float) -> ThresholdsConfig:
    """Red from ``value`` on.

    A step starts at its value, but the rules compare with ``>``: at exactly ``value``, a panel is red and the alert
    does not fire.  If ``value`` is 0, the panel maps 0 to a word with its own colour.
    """
    return _steps(Threshold(value=None, color=GOOD), Threshold(value=value, color=BAD))


def bad_below(value: float) -> ThresholdsConfig:
    """Red below ``value``."""
    return _steps(Threshold(value=None, color=BAD), Threshold(value=value, color=GOOD))


def of(limit: Limit | None) -> ThresholdsConfig:
    """The threshold at the limit of an alert; no threshold if ``limit`` is None."""
    if limit is None:
        return plain()
    return bad_below(limit.value) if limit.below else bad_from(limit.value)


def below(*, warning: Limit, critical: Limit) -> ThresholdsConfig:
    """The thresholds of a warning and a critical alert that fire below their limits."""
    return _steps(
        Threshold(value=None, color=BAD),
        Threshold(value=critical.value, color=WARNING),
        Threshold(value=warning.value, color=GOOD),
    )


def _steps(*steps: Threshold) -> ThresholdsConfig:
    return ThresholdsConfig(mode=ThresholdsMode.ABSOLUTE, steps=list(steps))
