"""Panels in one style, each from a title, a description and expressions.  Tables are in ``tables``."""

from __future__ import annotations

from dataclasses import dataclass

from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphDrawStyle,
    GraphThresholdsStyleConfig,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    ReduceDataOptions,
    SortOrder,
    TooltipDisplayMode,
    VisibilityMode,
    VizLegendOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    FieldColor,
    FieldColorModeId,
    FieldConfig,
    FieldConfigSource,
    GridPos,
    Panel,
    ThresholdsConfig,
    ValueMapping,
)
from grafana_foundation_sdk.models.prometheus import Dataquery, PromQueryFormat, QueryEditorMode
from grafana_foundation_sdk.models.stat import Options as StatOptions
from grafana_foundation_sdk.models.statetimeline import FieldConfig as TimelineFieldConfig
from grafana_foundation_sdk.models.statetimeline import Options as TimelineOptions
from grafana_foundation_sdk.models.timeseries import FieldConfig as GraphFieldConfig
from grafana_foundation_sdk.models.timeseries import Options as GraphOptions

from grafana import meanings
from grafana.limits import Limit

WIDTH = 24
"""Columns of a dashboard's grid."""
DATASOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """An expression and the legend of its series.  Names of labels in double braces are replaced by their values."""

    expr: str
    legend: str


def stat(
    title: str,
    text: str,
    expr: str,
    *,
    legend: str = "{{instance}}",
    unit: str = "short",
    mappings: list[ValueMapping] | None = None,
    thresholds: ThresholdsConfig | None = None,
    span: int = 4,
) -> Panel:
    """One current number from an instant query, so that no old number is shown for an agent that is down."""
    return Panel(
        type_val="stat",
        title=title,
        description=text,
        datasource=DATASOURCE,
        grid_pos=GridPos(w=span, h=4),
        targets=[_target("A", Query(expr=expr, legend=legend), now=True)],
        options=StatOptions(
            color_mode=BigValueColorMode.VALUE,
            graph_mode=BigValueGraphMode.NONE,
            text_mode=BigValueTextMode.AUTO,
            reduce_options=ReduceDataOptions(calcs=["lastNotNull"], fields="", values=False),
        ),
        field_config=_fields(unit, mappings=mappings, thresholds=thresholds or meanings.plain()),
    )


def graph(
    title: str,
    text: str,
    *queries: Query,
    unit: str = "short",
    limit: Limit | None = None,
    span: int = 12,
    bars: bool = False,
    most: float | None = None,
) -> Panel:
    """Lines over time, with gaps where values are missing.

    ``limit`` draws a line at the limit of an alert, ``most`` fixes the upper end of the axis, and ``bars`` is for
    counts of single events.
    """
    style = GraphThresholdsStyleMode.DASHED if limit else GraphThresholdsStyleMode.OFF
    custom = GraphFieldConfig(
        draw_style=GraphDrawStyle.BARS if bars else GraphDrawStyle.LINE,
        fill_opacity=60 if bars else 5,
        line_width=1,
        show_points=VisibilityMode.NEVER if bars else VisibilityMode.AUTO,
        span_nulls=False,
        axis_soft_min=0,
        thresholds_style=GraphThresholdsStyleConfig(mode=style),
    )
    fields = _fields(unit, thresholds=meanings.of(limit), custom=custom)
    fields.defaults.color = FieldColor(mode=FieldColorModeId.PALETTE_CLASSIC)
    fields.defaults.max_val = most
    return Panel(
        type_val="timeseries",
        title=title,
        description=text,
        datasource=DATASOURCE,
        grid_pos=GridPos(w=span, h=8),
        targets=[_target(chr(ord("A") + index), query) for index, query in enumerate(queries)],
        options=GraphOptions(legend=_legend("lastNotNull", "max"), tooltip=_tooltip()),
        field_config=fields,
    )


def timeline(title: str, text: str, query: Query, *, mappings: list[ValueMapping], height: int = 8) -> Panel:
    """States over time, one line for each series."""
    fields = _fields(
        "none",
        mappings=mappings,
        thresholds=meanings.plain(),
        custom=TimelineFieldConfig(line_width=0, fill_opacity=70),
    )
    fields.defaults.color = FieldColor(mode=FieldColorModeId.THRESHOLDS)
    return Panel(
        type_val="state-timeline",
        title=title,
        description=text,
        datasource=DATASOURCE,
        grid_pos=GridPos(w=WIDTH, h=height),
        targets=[_target("A", query)],
        options=TimelineOptions(
            show_value=VisibilityMode.NEVER, row_height=0.8, merge_values=True, legend=_legend(), tooltip=_tooltip()
        ),
        field_config=fields,
    )


def table_target(ref: str, expr: str) -> Dataquery:
    """An instant query: each of its series becomes a row with a column for each label."""
    return Dataquery(
        expr=expr,
        ref_id=ref,
        instant=True,
        range_val=False,
        format_val=PromQueryFormat.TABLE,
        editor_mode=QueryEditorMode.CODE,
        datasource=DATASOURCE,
    )


def _target(ref: str, query: Query, *, now: bool = False) -> Dataquery:
    return Dataquery(
        expr=query.expr,
        ref_id=ref,
        instant=now,
        range_val=not now,
        format_val=PromQueryFormat.TIME_SERIES,
        legend_format=query.legend,
        editor_mode=QueryEditorMode.CODE,
        datasource=DATASOURCE,
    )


def _fields(
    unit: str,
    *,
    mappings: list[ValueMapping] | None = None,
    thresholds: ThresholdsConfig,
    custom: object | None = None,
) -> FieldConfigSource:
    defaults = FieldConfig(unit=unit, mappings=mappings or [], thresholds=thresholds, custom=custom)
    return FieldConfigSource(defaults=defaults, overrides=[])


def _legend(*calculations: str) -> VizLegendOptions:
    mode = LegendDisplayMode.TABLE if calculations else LegendDisplayMode.LIST
    return VizLegendOptions(
        display_mode=mode, placement=LegendPlacement.BOTTOM, show_legend=True, calcs=list(calculations)
    )


def _tooltip() -> VizTooltipOptions:
    return VizTooltipOptions(mode=TooltipDisplayMode.MULTI, sort=SortOrder.DESCENDING)
