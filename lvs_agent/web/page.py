"""The status page: the status document as one HTML file, with nothing from anywhere else.

Imported when the page is first asked for: jinja2 and the template take a fifth of the time of a start, and most agents
are only scraped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from lvs_agent.core.instant import parse_rfc3339
from lvs_agent.model.ipvs import address_and_port
from lvs_agent.view.spans import ago, amount, plural, span
from lvs_agent.view.why import Sentence
from lvs_agent.web.document import Row, StatusDocument
from lvs_agent.web.page_files import SCRIPT, STYLE
from lvs_agent.web.page_view import PageView, differs, view_page

MOST_ASKED = 100
LONGEST_FILTER = 200

Explain = Callable[[str, str], Sequence[Sentence]]
"""Why a server is as it is, by the names of its service and of itself."""


@dataclass(frozen=True, slots=True)
class PageQuery:
    """What the address asks for: services to be shown whole, by name, and words that everything shown must have."""

    services: tuple[str, ...] = ()
    filtered_by: str = ""

    @classmethod
    def read(cls, parameters: Sequence[tuple[str, str]]) -> PageQuery:
        """The query of an address; what it does not know, and what is too much, is left out."""
        names = [value for name, value in parameters if name == "service"]
        words = [value for name, value in parameters if name == "filter"]
        return cls(tuple(dict.fromkeys(names))[:MOST_ASKED], "".join(words[-1:])[:LONGEST_FILTER])

    def address(self, *more: str) -> str:
        """The address that asks for this, and for services ``more``."""
        pairs = [("service", name) for name in dict.fromkeys((*self.services, *more))]
        pairs += [("filter", self.filtered_by)] if self.filtered_by else []
        return f"/?{urlencode(pairs, errors='replace')}" if pairs else "/"


_ALL_AS_IT_IS = PageQuery()


def _no_explanation(_service: str, _server: str) -> Sequence[Sentence]:
    return ()


def render_page(
    document: StatusDocument, *, explain: Explain = _no_explanation, query: PageQuery = _ALL_AS_IT_IS
) -> str:
    """The page for ``document``.  Everything that comes from it is escaped."""
    view = view_page(document, asked=frozenset(query.services), filtered_by=query.filtered_by)
    headline = _headline(view)
    return _TEMPLATE.render(
        document=document,
        view=view,
        explain=explain,
        filtered_by=query.filtered_by,
        address=query.address(),
        address_with=query.address,
        headline=headline,
        title=f"{headline} · lvs-agent" if view.problems else "lvs-agent",
        style=Markup(STYLE),  # noqa: S704 - our own file, no input
        script=Markup(SCRIPT),  # noqa: S704 - our own file, no input
    )


def _headline(view: PageView) -> str:
    count = len(view.problems) + view.more_problems
    return f"{plural(count, 'problem')}: {view.problems[0].text}" if view.problems else "No problem is known"


# --- filters of the template -------------------------------------------------------------------------------------


def _instant(text: str | None) -> str:
    """``2023-11-14 22:13:20 UTC``: a status page needs no milliseconds."""
    return "" if text is None else f"{text[:10]} {text[11:19]} UTC"


def _when(text: str, document: StatusDocument) -> str:
    """``22:13:20 UTC`` of the same day, else ``2023-11-11 22:00 UTC``."""
    return f"{text[11:19]} UTC" if text[:10] == document["taken"][:10] else f"{text[:10]} {text[11:16]} UTC"


def _age(text: str, document: StatusDocument) -> float:
    return parse_rfc3339(document["taken"]) - parse_rfc3339(text)


def _since(text: str, document: StatusDocument) -> str:
    return span(_age(text, document))


def _ago(text: str, document: StatusDocument) -> str:
    return ago(_age(text, document))


def _differs(row: Row, document: StatusDocument) -> bool:
    return differs(row, writes=document["agent"]["writes"])


def _endpoint(row: Row) -> str:
    return address_and_port(ip_address(row["address"]), row["port"])


_ENVIRONMENT = Environment(
    loader=PackageLoader("lvs_agent.web", ""), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
_ENVIRONMENT.filters.update(
    instant=_instant,
    when=_when,
    since=_since,
    ago=_ago,
    span=span,
    amount=amount,
    plural=plural,
    differs=_differs,
    endpoint=_endpoint,
)
_TEMPLATE = _ENVIRONMENT.get_template("page.html")
