"""The configuration: from a file to a checked, frozen ``Config``, or to every problem that the file has.

The way of a file: ``load`` reads it, ``draft`` validates table by table (models in ``schema`` and ``agent_schema``,
single values in ``values``, check tables in ``inheritance``, ``checks`` and ``secrets``), ``resolve`` makes the
intent (rules in ``services`` and ``destinations``, doubts in ``lints``).  ``findings``, ``sentences`` and ``suggest``
make problems readable.  ``ldirectord`` makes the same tables of an ldirectord.cf.  Nothing here knows the kernel or
the time, and nothing but ``ldirectord.names`` the network.
"""

from __future__ import annotations

from lvs_agent.config.load import ConfigForm, config_from_tables, form_of, load_config, parse_config
from lvs_agent.config.settings import AgentSettings, Config, MetricsSettings, ServerDetail
from lvs_agent.config.values import ListenAddress, parse_listen

__all__ = [
    "AgentSettings",
    "Config",
    "ConfigForm",
    "ListenAddress",
    "MetricsSettings",
    "ServerDetail",
    "config_from_tables",
    "form_of",
    "load_config",
    "parse_config",
    "parse_listen",
]
