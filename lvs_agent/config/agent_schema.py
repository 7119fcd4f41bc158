"""The tables of the configuration file that are about the program itself, as models."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from lvs_agent.config.settings import ServerDetail
from lvs_agent.config.values import FROM_TEXT, Listen, parse_listen
from lvs_agent.log import LogFormat, LogLevel
from lvs_agent.model.intent import OnStop
from lvs_agent.settings.scalars import Duration
from lvs_agent.settings.strict import Strict


class AgentTable(Strict):
    """The program itself."""

    model_config = ConfigDict(title="agent")

    listen: Listen = parse_listen("0.0.0.0:9659")
    """Address and port of /metrics, the API and the status page."""

    state_dir: Annotated[str, Field(min_length=1)] = "/var/lib/lvs-agent"
    """Directory for what must survive a restart; a relative path starts at the configuration file's directory."""

    reconcile_interval: Annotated[Duration, Field(ge=0.1, le=3_600)] = 10.0
    """How often the kernel's whole table is read and put right."""

    compare_interval: Annotated[Duration, Field(ge=0.1, le=3_600)] = 1.0
    """How often the kernel's table is compared the cheap way, to notice a foreign change early."""

    on_stop: Annotated[OnStop, FROM_TEXT] = OnStop.KEEP
    """Whether our services stay in the kernel and go on forwarding when the program stops."""

    reload_on_change: bool = True
    """Whether a configuration file that was replaced is read again; SIGHUP always does it."""

    maintenance_dir: Annotated[str, Field(min_length=1)] | None = None
    """Directory in which a file named after a real server ("10.0.0.1", "10.0.0.1:80", "[2001:db8::1]:80", a host name,
    its first part, each with a port or without) takes it out of service while it is there."""

    web_config_file: Annotated[str, Field(min_length=1)] | None = None
    """TLS and passwords for /metrics, the API and the status page, in the web configuration format of Prometheus'
    exporters; a relative path starts at the configuration file's directory."""

    command_concurrency: Annotated[int, Field(ge=1, le=1_024)] = 16
    """How many programs of command checks may run at once."""

    thread_concurrency: Annotated[int, Field(ge=4, le=1_024)] = 64
    """How many threads may wait for database servers at once.  There is one only while a mysql check speaks with a
    server that has greeted it."""

    command_user: Annotated[str, Field(min_length=1)] | None = None
    """User that commands run as where they name none.  Without it: nobody where lvs-agent is root, else the user that
    lvs-agent is."""


class MetricsTable(Strict):
    """What /metrics shows."""

    model_config = ConfigDict(title="metrics")

    real_servers: Annotated[ServerDetail, FROM_TEXT] = ServerDetail.FULL
    """Which metrics there are of each real server: all, only those that say whether it is in service, or none."""

    drop: list[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]] = Field(default_factory=list)
    """Names of metrics that are left out."""


class LogTable(Strict):
    """The log, written to standard error."""

    model_config = ConfigDict(title="log")

    format: Annotated[LogFormat, FROM_TEXT] = LogFormat.LOGFMT
    """One line of key=value pairs, or one JSON object, an event."""

    level: Annotated[LogLevel, FROM_TEXT] = LogLevel.INFO
    """The least important kind of line that is written."""
