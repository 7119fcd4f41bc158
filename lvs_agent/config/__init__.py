"""The configuration: from a file to a checked, frozen ``Config``, or to every problem that the file has.

The way of a file, each step handing its result to the next:

1. ``load`` reads the file; a format (``formats``; ``toml_text`` is that of TOML) makes tables of it.
2. ``draft`` validates table by table against the models in ``schema``.  Checks inherit as written (``check_sets``) and
   are validated as what holds in the end (``check_plans``, with their ``secrets`` read in).
3. ``resolve`` makes the intent of the draft: what keys mean, the rules between tables, what is doubtful.
4. ``build`` makes the ``Config`` (``settings``) of both, or raises every finding as a problem.

All steps report to one ``findings.Report``; ``messages`` and ``suggest`` word what is found.  ``jsonschema`` describes
the schema to editors.  Nothing here knows the kernel, the time or the network.
"""

from __future__ import annotations

from lvs_agent.config.build import config_from_tables
from lvs_agent.config.formats import ConfigFormat, Formats, SourceTables
from lvs_agent.config.load import config_from_source, load_config, parse_config
from lvs_agent.config.schema.values import ListenAddress, ServerDetail, parse_listen
from lvs_agent.config.settings import AgentSettings, Config, MetricsSettings
from lvs_agent.config.toml_text import TOML

__all__ = [
    "TOML",
    "AgentSettings",
    "Config",
    "ConfigFormat",
    "Formats",
    "ListenAddress",
    "MetricsSettings",
    "ServerDetail",
    "SourceTables",
    "config_from_source",
    "config_from_tables",
    "load_config",
    "parse_config",
    "parse_listen",
]
