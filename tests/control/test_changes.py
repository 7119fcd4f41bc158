from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from lvs_agent.control.changes import Changes


def test_reader_waits_for_the_end_of_a_change() -> None:
    """What is copied while a change is under way is copied again after it."""
    changes = Changes()
    numbers = [0, 0]
    asked = threading.Event()

    def copy() -> tuple[int, ...]:
        return tuple(numbers)

    def read() -> tuple[int, ...]:
        asked.set()
        return changes.read(copy)

    with ThreadPoolExecutor(1) as readers:
        with changes:
            numbers[0] = 1
            answer = readers.submit(read)
            assert asked.wait(5)
            assert not answer.done()
            numbers[1] = 1

        assert answer.result(5) == (1, 1)


def test_copy_that_a_change_came_into_is_made_again() -> None:
    """A reader gets what held at one moment, also where the whole change happened during its copying."""
    changes = Changes()
    numbers = [0, 0]

    def disturbed_once() -> tuple[int, int]:
        first = numbers[0]
        if numbers == [0, 0]:
            with changes:
                numbers[:] = [1, 1]
        return first, numbers[1]

    with pytest.raises(RuntimeError, match="inside a change"):
        changes.read(disturbed_once)

    assert changes.read(disturbed_once) == (1, 1)


def test_only_the_thread_that_owns_the_state_may_change_it() -> None:
    """A change that another thread tries is refused before anything has happened."""
    changes = Changes()

    def change() -> None:
        with changes:
            raise AssertionError

    with ThreadPoolExecutor(1) as others, pytest.raises(RuntimeError, match="loop's thread only"):
        others.submit(change).result(5)
    assert changes.read(lambda: "as before") == "as before"


def test_changes_do_not_nest() -> None:
    """A change inside another one would let readers in too early."""
    changes = Changes()

    with changes, pytest.raises(RuntimeError, match="inside another"), changes:
        pass  # pragma: no cover


def test_change_that_fails_does_not_lock_readers_out() -> None:
    """Readers go on after an exception."""
    changes = Changes()
    with pytest.raises(ZeroDivisionError), changes:
        _ = 1 // 0

    assert changes.read(lambda: 1) == 1
