"""Builds a dashboard from its rows: positions and ids of the panels, and the settings of all dashboards."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    AnnotationContainer,
    AnnotationQuery,
    Dashboard,
    DashboardCursorSync,
    DashboardDashboardTemplating,
    DashboardDashboardTime,
    DashboardLink,
    DashboardLinkType,
    GridPos,
    Panel,
    RowPanel,
    VariableModel,
)

from grafana.panels import WIDTH

TAG = "lvs_agent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Panels below one heading, from left to right, in as many lines as they need."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The part that differs between dashboards.  ``uid`` never changes, because links and bookmarks contain it."""

    uid: str
    title: str
    description: str
    variables: Sequence[VariableModel]
    annotations: Sequence[AnnotationQuery]
    rows: Sequence[Row]


def dashboard(page: Page) -> Dashboard:
    """The whole dashboard, ready to be written."""
    return Dashboard(
        uid=page.uid,
        title=page.title,
        description=page.description,
        tags=[TAG],
        timezone="browser",
        editable=False,
        graph_tooltip=DashboardCursorSync.CROSSHAIR,
        time=DashboardDashboardTime(from_val="now-3h", to="now"),
        refresh="30s",
        panels=list(_placed(page.rows)),
        templating=DashboardDashboardTemplating(list_val=list(page.variables)),
        annotations=AnnotationContainer(list_val=list(page.annotations)),
        links=[
            DashboardLink(
                title="LVS",
                type_val=DashboardLinkType.DASHBOARDS,
                icon="dashboard",
                tooltip="The other dashboards, with the same time range and variables",
                tags=[TAG],
                include_vars=True,
                keep_time=True,
            )
        ],
    )


def text_of(built: Dashboard) -> str:
    """The text of the file; always the same for the same dashboard."""
    return json.dumps(built, cls=JSONEncoder, indent=2, ensure_ascii=False) + "\n"


def _placed(rows: Sequence[Row]) -> Iterator[Panel | RowPanel]:
    number, y = 0, 0
    for row in rows:
        number += 1
        yield RowPanel(id_val=number, title=row.title, collapsed=False, grid_pos=GridPos(x=0, y=y, w=WIDTH, h=1))
        y += 1
        x = height = 0
        for panel in row.panels:
            size = panel.grid_pos or GridPos()
            if x + size.w > WIDTH:
                x, y, height = 0, y + height, 0
            number += 1
            panel.id_val, panel.grid_pos = number, GridPos(x=x, y=y, w=size.w, h=size.h)
            yield panel
            x, height = x + size.w, max(height, size.h)
        y += height
