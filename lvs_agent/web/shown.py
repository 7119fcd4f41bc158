"""What is shown of one moment: the status, why a server is as it is, and the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lvs_agent.model.event import TRANSITIONS, EventQuery
from lvs_agent.model.statistics import Statistics
from lvs_agent.view.inventory import inventory_of
from lvs_agent.web.document import StatusDocument
from lvs_agent.web.sources import Sources
from lvs_agent.web.status import status_document
from lvs_agent.web.why_answer import Explainer, WhyDocument, answer

RECENT = 20
"""How many of the last transitions the status has."""


class Shown:
    """One snapshot with one reading of the kernel; ``statistics`` None: it could not be read."""

    def __init__(self, sources: Sources, statistics: Statistics | None) -> None:
        self._sources = sources
        self._statistics = statistics
        self._snapshot = sources.snapshot()
        self._inventory = inventory_of(self._snapshot, statistics)

    def status(self) -> StatusDocument:
        """The document of /api/v1/status."""
        recent = self._sources.events(EventQuery(kinds=TRANSITIONS, limit=RECENT))
        return status_document(self._snapshot, self._statistics, inventory=self._inventory, recent=recent)

    def why(self, parameters: Mapping[str, str]) -> WhyDocument:
        """The document of /api/v1/why.  Raises Unanswerable."""
        return answer(
            self._snapshot,
            self._inventory,
            virtual_service=parameters.get("virtual_service"),
            real_server=parameters.get("real_server"),
        )

    def page(self, parameters: Sequence[tuple[str, str]]) -> str:
        """The page, as the parameters of its address ask for it."""
        from lvs_agent.web.page import PageQuery, render_page  # noqa: PLC0415 - see there

        explain = Explainer(self._snapshot, self._inventory)
        return render_page(self.status(), explain=explain, query=PageQuery.read(parameters))
