"""Tables: one query for each column, joined by their labels, with readable headers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from grafana_foundation_sdk.models.common import (
    TableCellHeight,
    TableColorTextCellOptions,
    TableSortByFieldState,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardFieldConfigSourceOverrides,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldConfig,
    FieldConfigSource,
    GridPos,
    MatcherConfig,
    Panel,
    ThresholdsConfig,
    ValueMapping,
)
from grafana_foundation_sdk.models.table import FieldConfig as TableFieldConfig
from grafana_foundation_sdk.models.table import Options as TableOptions

from grafana import meanings
from grafana.panels import DATASOURCE, WIDTH, table_target

_HIDDEN = ("Time", "__name__", "job")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of values: its header, the expression, and how its values are shown."""

    name: str
    expr: str
    unit: str = "short"
    decimals: int | None = None
    mappings: list[ValueMapping] = field(default_factory=list)
    thresholds: ThresholdsConfig | None = None

    def properties(self) -> list[DynamicConfigValue]:
        """The properties that differ from the defaults of the table."""
        found = [DynamicConfigValue(id_val="unit", value=self.unit)]
        if self.decimals is not None:
            found.append(DynamicConfigValue(id_val="decimals", value=self.decimals))
        if self.mappings:
            found.append(DynamicConfigValue(id_val="mappings", value=self.mappings))
        if self.mappings or self.thresholds:
            found += [
                DynamicConfigValue(id_val="thresholds", value=self.thresholds or meanings.plain()),
                DynamicConfigValue(id_val="custom.cellOptions", value=TableColorTextCellOptions()),
            ]
        return found


def table(
    title: str,
    text: str,
    *columns: Column,
    labels: Mapping[str, str],
    links: Mapping[str, str] | None = None,
    hidden: Sequence[str] = (),
    sort: str | None = None,
    span: int = WIDTH,
    height: int = 9,
) -> Panel:
    """A table with a row for each combination of labels.

    ``labels``: the label and the header of each text column, in order; the results of all ``columns`` have exactly
    these labels and ``job``.  ``links``: the URL that a click on a cell opens, by the header of its column.
    ``hidden``: labels that are not shown.  ``sort``: the header of the column to sort by.
    """
    refs = [chr(ord("A") + index) for index in range(len(columns))]
    values = [f"Value #{ref}" for ref in refs] if len(columns) > 1 else ["Value"]
    names = dict(labels) | {value: column.name for value, column in zip(values, columns, strict=True)}
    organize = {
        "excludeByName": dict.fromkeys((*_HIDDEN, *hidden), True),
        "indexByName": {name: index for index, name in enumerate(names)},
        "renameByName": names,
    }
    return Panel(
        type_val="table",
        title=title,
        description=text,
        datasource=DATASOURCE,
        grid_pos=GridPos(w=span, h=height),
        targets=[table_target(ref, column.expr) for ref, column in zip(refs, columns, strict=True)],
        transformations=[
            DataTransformerConfig(id_val="merge", options={}),
            DataTransformerConfig(id_val="organize", options=organize),
        ],
        options=TableOptions(
            cell_height=TableCellHeight.SM,
            sort_by=[] if sort is None else [TableSortByFieldState(display_name=sort, desc=False)],
        ),
        field_config=FieldConfigSource(
            defaults=FieldConfig(
                unit="short", thresholds=meanings.plain(), mappings=[], custom=TableFieldConfig(filterable=True)
            ),
            overrides=[
                *(_override(column.name, *column.properties()) for column in columns),
                *(_override(name, _link(url)) for name, url in (links or {}).items()),
            ],
        ),
    )


def _override(name: str, *properties: DynamicConfigValue) -> DashboardFieldConfigSourceOverrides:
    return DashboardFieldConfigSourceOverrides(
        matcher=MatcherConfig(id_val="byName", options=name), properties=list(properties)
    )


def _link(url: str) -> DynamicConfigValue:
    link = {"title": "Show ${__value.text}", "url": url, "targetBlank": False}
    return DynamicConfigValue(id_val="links", value=[link])
