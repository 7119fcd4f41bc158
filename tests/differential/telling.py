"""A story told to both programs, step by step, and where they end with different tables."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from lvs_agent.errors import ConfigError
from tests.differential.files import Story, stories
from tests.differential.ldirectord import Ldirectord
from tests.differential.ours import Ours
from tests.differential.world import World

_FAILURES = re.compile(rb"failurecount\s*=\s*(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Both tables after one step, as sorted lines of ``ipvsadm -S -n``.  ``text`` is the file in force.

    ``problems``: what lvs-agent said when it did not take the file; there is no table of its then.
    """

    step: str
    text: bytes
    theirs: tuple[str, ...]
    ours: tuple[str, ...]
    problems: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        return not self.problems and self.theirs == self.ours


def story(number: int, *, most: int = 3) -> Story:
    """The story with this number, always the same.  ``most``: how large it is."""
    drawn: list[Story] = []

    # The first one of a run is always the simplest that there is.
    @seed(number)
    @settings(
        max_examples=2, phases=[Phase.generate], database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(stories(most=most))
    def draw(one: Story) -> None:
        drawn.append(one)

    draw()
    return drawn[-1]


def tell(one: Story, *, world: World) -> Iterator[Ending]:
    """The endings of a story's steps."""
    before, after = one.before, one.after
    world.take_down([])
    with tempfile.TemporaryDirectory(prefix="lvs-differential-") as name, Ldirectord(Path(name), before) as theirs:
        try:
            ours = Ours(before)
        except ConfigError as error:
            yield _untaken("start", before, theirs, error)
            return
        rounds = max([1, *map(int, _FAILURES.findall(before + after))]) + 1
        steps: list[tuple[str, Iterable[str]]] = [
            ("all up", []),
            ("one down", [one.down]),
            ("all down", world.hosts),
            ("all up again", []),
        ]
        for step, down in steps:
            world.take_down(down)
            theirs.rounds(rounds)
            ours.step()
            yield _ending(step, before, theirs, ours)
        world.take_down([one.down] if one.down_at_reload else [])
        theirs.reload(after, by_signal=one.by_signal)
        try:
            ours.reload(after)
        except ConfigError as error:
            yield _untaken("reload", after, theirs, error)
            return
        theirs.rounds(rounds)
        ours.step()
        yield _ending("reload", after, theirs, ours)


def _ending(step: str, text: bytes, theirs: Ldirectord, ours: Ours) -> Ending:
    return Ending(step=step, text=text, theirs=tuple(theirs.rules()), ours=tuple(ours.rules()))


def _untaken(step: str, text: bytes, theirs: Ldirectord, error: ConfigError) -> Ending:
    return Ending(step=step, text=text, theirs=tuple(theirs.rules()), ours=(), problems=tuple(map(str, error.problems)))
