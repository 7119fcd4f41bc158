"""A table in memory that can be made to fail, and that remembers what was asked of it."""

from __future__ import annotations

from collections.abc import Callable, Collection

from lvs_agent.errors import IpvsError, ipvs_error
from lvs_agent.ipvs.memory import MemoryIpvs
from lvs_agent.model.ipvs import Operation, ServiceKey, Table
from lvs_agent.model.outline import Outline, outline_of


class FlakyIpvs(MemoryIpvs):
    """A kernel in memory.

    ``refuse`` gives the errno for an operation that is to be refused, or 0; ``deaf`` makes every reading fail;
    ``deaf_after_writes`` only those after the next write.  ``blind``: operations are taken and do nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.refuse: Callable[[Operation], int] = lambda _: 0
        self.deaf = False
        self.deaf_after_writes = False
        self.blind = False
        self.applied: list[Operation] = []
        self.read_scopes: list[Collection[ServiceKey] | None] = []
        self.outlines = 0

    def read_table(self, services: Collection[ServiceKey] | None = None) -> Table:
        self._listen()
        self.read_scopes.append(services)
        return super().read_table(services)

    def read_outline(self) -> Outline:
        self._listen()
        self.outlines += 1
        return outline_of(super().read_table())

    def apply(self, operation: Operation) -> None:
        if number := self.refuse(operation):
            raise ipvs_error(number, "apply")
        if not self.blind:
            super().apply(operation)
        self.applied.append(operation)
        if self.deaf_after_writes:
            self.deaf = True

    def _listen(self) -> None:
        if self.deaf:
            raise IpvsError("the kernel does not answer", errno_name="ETIMEDOUT")
