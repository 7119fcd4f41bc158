from __future__ import annotations

import errno

import pytest

from lvs_agent import errors
from lvs_agent.errors import (
    AlreadyExists,
    ConfigError,
    IpvsError,
    LvsAgentError,
    NoSuchEntry,
    NotPermitted,
    Problem,
    Refused,
    ipvs_error,
)


@pytest.mark.parametrize(
    ("number", "kind", "name"),
    [
        (errno.EPERM, NotPermitted, "EPERM"),
        (errno.EACCES, NotPermitted, "EACCES"),
        (errno.EEXIST, AlreadyExists, "EEXIST"),
        (errno.ESRCH, NoSuchEntry, "ESRCH"),
        (errno.ENOENT, NoSuchEntry, "ENOENT"),
        (errno.EINVAL, Refused, "EINVAL"),
        (99_999, Refused, "errno_99999"),
    ],
)
def test_errno_becomes_the_error_that_callers_know(number: int, kind: type[IpvsError], name: str) -> None:
    """The message says what was done, and the symbol becomes a label."""
    error = ipvs_error(number, "add service tcp/192.0.2.1:80")

    assert type(error) is kind
    assert error.errno_name == name
    assert str(error) == f"add service tcp/192.0.2.1:80: {name}"


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_every_errno_is_one_short_word(number: int) -> None:
    """It is a metric label."""
    assert ipvs_error(number, "x").errno_name.isidentifier()


def test_config_error_keeps_every_problem_in_its_order() -> None:
    """As data for programs, as lines for people."""
    problems = [Problem("agent.listen", "is wrong"), Problem("", "line without a place")]
    error = ConfigError(problems)

    assert error.problems == tuple(problems)
    assert str(error) == "agent.listen: is wrong\nline without a place"


def test_tree_of_errors_is_the_one_that_is_drawn() -> None:
    """Every error of the module is in the drawing, one level deeper than its base."""
    depths = {"LvsAgentError": 0}
    for line in (errors.__doc__ or "").splitlines():
        branch, found, rest = line.partition("── ")
        if found:
            depths[rest.split()[0]] = len(branch) // 4 + 1
    classes = {
        name: one for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, LvsAgentError)
    }

    assert depths == {name: one.__mro__.index(LvsAgentError) for name, one in classes.items()}
