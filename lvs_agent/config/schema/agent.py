"""The tables of the configuration file that are about the program itself, as models."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from lvs_agent.config.schema.keys import Mark
from lvs_agent.config.schema.values import FROM_TEXT, Listen, MetricName, ServerDetail, UserName, parse_listen
from lvs_agent.log import LogFormat, LogLevel
from lvs_agent.model.intent import OnStop
from lvs_agent.settings.scalars import Duration, OwnFile
from lvs_agent.settings.strict import Strict


class StopKeys(Strict):
    """Keys of [agent] and virtual services."""

    on_stop: Annotated[OnStop, FROM_TEXT, Mark.INHERITED, Mark.SHARED] = OnStop.KEEP
    """Whether our services stay in the kernel and go on forwarding when the program stops."""


class AgentTable(StopKeys):
    """The program itself."""

    model_config = ConfigDict(title="agent")

    listen: Annotated[Listen, Mark.AT_START] = parse_listen("0.0.0.0:9659")
    """Address and port of /metrics, the API and the status page."""

    state_dir: Annotated[OwnFile, Mark.AT_START] = "/var/lib/lvs-agent"
    """Directory for what must survive a restart; a relative path starts at the configuration file's directory."""

    reconcile_interval: Annotated[Duration, Field(ge=0.1, le=3_600), Mark.SHARED] = 10.0
    """How often the kernel's whole table is read and put right."""

    compare_interval: Annotated[Duration, Field(ge=0.1, le=3_600), Mark.SHARED] = 1.0
    """How often the kernel's table is compared the cheap way, to notice a foreign change early."""

    reload_on_change: bool = True
    """Whether a configuration file that was replaced is read again; SIGHUP always does it."""

    maintenance_dir: OwnFile | None = None
    """Directory in which a file named after a real server ("10.0.0.1", "10.0.0.1:80", "[2001:db8::1]:80", a host name,
    its first part, each with a port or without) takes it out of service while it is there."""

    web_config_file: Annotated[OwnFile | None, Mark.AT_START] = None
    """TLS and passwords for /metrics, the API and the status page, in the web configuration format of Prometheus'
    exporters; a relative path starts at the configuration file's directory."""

    command_concurrency: Annotated[int, Field(ge=1, le=1_024), Mark.AT_START] = 16
    """How many programs of command checks may run at once."""

    thread_concurrency: Annotated[int, Field(ge=4, le=1_024), Mark.AT_START] = 64
    """How many threads may wait for database servers at once.  There is one only while a mysql check speaks with a
    server that has greeted it."""

    command_user: Annotated[UserName | None, Mark.AT_START] = None
    """User that commands run as where they name none.  Without it: nobody where lvs-agent is root, else the user that
    lvs-agent is."""


class MetricsTable(Strict):
    """What /metrics shows."""

    model_config = ConfigDict(title="metrics")

    real_servers: Annotated[ServerDetail, FROM_TEXT, Mark.SHARED] = ServerDetail.FULL
    """Which metrics there are of each real server: all, only those that say whether it is in service, or none."""

    drop: Annotated[frozenset[MetricName], FROM_TEXT, Mark.SHARED] = frozenset()
    """Names of metrics that are left out."""


class LogTable(Strict):
    """The log, written to standard error."""

    model_config = ConfigDict(title="log")

    format: Annotated[LogFormat, FROM_TEXT, Mark.AT_START] = LogFormat.LOGFMT
    """One line of key=value pairs, or one JSON object, an event."""

    level: Annotated[LogLevel, FROM_TEXT, Mark.AT_START] = LogLevel.INFO
    """The least important kind of line that is written."""
