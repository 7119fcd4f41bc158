"""The status page: the status document as one HTML file, without script or outside resource."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from lvs_agent.web.document import StatusDocument

_STYLE = resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8")
STYLE_HASH = "sha256-" + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
"""What a Content-Security-Policy allows instead of any style."""


def render_page(document: StatusDocument) -> str:
    """The page for ``document``.  Everything that comes from it is escaped."""
    style = Markup(_STYLE)  # noqa: S704 - our own file, no input
    return _TEMPLATE.render(document=document, style=style, totals=_totals(document), problems=_problems(document))


def _totals(document: StatusDocument) -> dict[str, int]:
    services = document["services"]
    return {
        "up": sum(service["up"] for service in services),
        "servers": sum(len(service["real_servers"]) for service in services),
        "quorate": sum(service["quorum_reached"] for service in services),
    }


def _problems(document: StatusDocument) -> list[str]:
    """What an operator must see before everything else."""
    config, reconcile = document["agent"]["config"], document["reconcile"]
    problems = [f"The configuration was not loaded: {problem}" for problem in config["problems"]]
    problems += [f"Configuration: {warning}" for warning in config["warnings"]]
    if reconcile["last_error"]:
        problems.append(f"The table could not be made right: {reconcile['last_error']}")
    if not document["kernel_read"]:
        problems.append("The kernel's statistics could not be read; rows are those of the last round.")
    return problems


def _instant(text: str | None) -> str:
    """``2023-11-14 22:13:20 UTC``: a status page needs no milliseconds."""
    return "" if text is None else f"{text[:10]} {text[11:19]} UTC"


def _duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


_ENVIRONMENT = Environment(loader=PackageLoader("lvs_agent.web", ""), autoescape=True, undefined=StrictUndefined)
_ENVIRONMENT.filters.update(instant=_instant, duration=_duration)
_TEMPLATE = _ENVIRONMENT.get_template("page.html")
