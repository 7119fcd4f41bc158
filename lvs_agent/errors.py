"""Every exception that this program raises on purpose, as one tree.

LvsAgentError
├── ConfigError             a configuration that cannot be used: every problem as ``path: problem``
│   └── InternalConfigError   reading it failed with an unexpected exception; the cause is chained
├── StartError              the process cannot start here (port in use, unreadable file): one line and a remedy
├── StarterLost             the process that starts check workers has ended: so must the agent
├── NoAnswer                no running agent could be reached: one line and a remedy
└── IpvsError               the kernel refused a request, or could not be reached
    ├── NotPermitted        EPERM: CAP_NET_ADMIN is missing
    ├── ModuleMissing       ip_vs is not loaded, so the netlink family does not exist
    ├── AlreadyExists       EEXIST: the entry to add exists
    ├── NoSuchEntry         ESRCH, ENOENT: the entry to change or delete does not exist
    ├── Refused             any other errno: the kernel does not accept this value
    ├── NotOwned            never sent to the kernel: the service is not the agent's
    └── Unavailable         no answer in time, or a reply that could not be read

Foreign exceptions are translated at the edges (ipvs, config, web) and nowhere else.  A failing check is not an
exception but a result (``lvs_agent.model.check``).
"""

from __future__ import annotations

import errno as _errno
from collections.abc import Sequence
from typing import NamedTuple


class LvsAgentError(Exception):
    """Base of every error that lvs-agent raises on purpose."""


class Problem(NamedTuple):
    """One error in a configuration: its place, and what must be changed."""

    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}" if self.path else self.text


class ConfigError(LvsAgentError):
    """A configuration cannot be used.  ``problems`` holds every reason, in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))

    def in_file(self, path: object) -> ConfigError:
        """This error with the name of the file ``path`` before each problem."""
        file = str(path)
        return ConfigError([one if one.path == file else Problem(file, str(one)) for one in self.problems])


class InternalConfigError(ConfigError):
    """Reading a configuration, or putting it in force, failed with an unexpected exception.

    ``__cause__`` is that exception.
    """


class StartError(LvsAgentError):
    """The process cannot start here.  The message is one line: what is wrong, then the remedy."""


class StarterLost(LvsAgentError):
    """The process that starts check workers has ended, or hangs, so that none could be replaced; the agent must start
    anew.
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"the process that starts the check workers {what}")


class NoAnswer(LvsAgentError):
    """No running agent could be reached.  The message is one line: what is wrong, then the remedy."""


class IpvsError(LvsAgentError):
    """The kernel refused an IPVS request, or could not be reached.

    ``errno_name`` is the symbolic errno (``"EPERM"``), or another word if there is no errno.  It becomes a metric
    label, so it is always one short word.
    """

    def __init__(self, message: str, *, errno_name: str) -> None:
        super().__init__(message)
        self.errno_name = errno_name


class NotPermitted(IpvsError):
    """CAP_NET_ADMIN is missing."""


class ModuleMissing(IpvsError):
    """The running kernel has no ip_vs (module not loaded, or not built)."""


class AlreadyExists(IpvsError):
    """The service or destination to add exists."""


class NoSuchEntry(IpvsError):
    """The service or destination to change or delete does not exist."""


class Refused(IpvsError):
    """The kernel does not accept a value of this request."""


class NotOwned(IpvsError):
    """The operation is on a service that no configuration of the agent has named; the kernel was not asked."""

    def __init__(self, doing: str) -> None:
        super().__init__(f"{doing}: no configuration has ever named this service", errno_name="not_owned")


class Unavailable(IpvsError):
    """No answer in time, or a reply that could not be read."""


_BY_ERRNO: dict[int, type[IpvsError]] = {
    _errno.EPERM: NotPermitted,
    _errno.EACCES: NotPermitted,
    _errno.EEXIST: AlreadyExists,
    _errno.ESRCH: NoSuchEntry,
    _errno.ENOENT: NoSuchEntry,
}


def ipvs_error(errno: int, doing: str) -> IpvsError:
    """The exception for ``errno`` (a positive number) while ``doing`` something (``"add service tcp/..."``)."""
    name = _errno.errorcode.get(errno, f"errno_{errno}")
    return _BY_ERRNO.get(errno, Refused)(f"{doing}: {name}", errno_name=name)
