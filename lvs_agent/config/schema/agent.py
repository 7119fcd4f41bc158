"""The tables of the configuration file that are about the program itself, as models."""

from __future__ import annotations

from typing import Annotated, Literal

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
    """What happens to services when the agent stops: "keep" leaves them in the kernel, "remove" deletes them."""


class AgentTable(StopKeys):
    """The agent itself."""

    model_config = ConfigDict(title="agent")

    listen: Annotated[Listen, Mark.AT_START] = parse_listen("0.0.0.0:9659")
    """Address and port on which /metrics, the API and the status page are served."""

    state_dir: Annotated[OwnFile, Mark.AT_START] = "/var/lib/lvs-agent"
    """Directory for the state that survives a restart.  A relative path is relative to the directory of the
    configuration file."""

    reconcile_interval: Annotated[Duration, Field(ge=0.1, le=3_600), Mark.SHARED] = 10.0
    """Time between two full reconciliations of the IPVS table."""

    compare_interval: Annotated[Duration, Field(ge=0.1, le=3_600), Mark.SHARED] = 1.0
    """Time between two quick comparisons of the IPVS table, which find changes by others early."""

    reload_on_change: bool = True
    """Whether a configuration file that was replaced is reloaded automatically.  SIGHUP always reloads it."""

    maintenance_dir: OwnFile | None = None
    """Directory with maintenance files: while a file named after a real server exists, that server is out of service.
    Names: "10.0.0.1", "10.0.0.1:80", "[2001:db8::1]:80", a host name or its first part, each with or without a port."""

    web_config_file: Annotated[OwnFile | None, Mark.AT_START] = None
    """File with TLS and passwords for /metrics, the API and the status page, in the web configuration format of
    Prometheus exporters.  A relative path is relative to the directory of the configuration file."""

    web_connections: Annotated[int, Field(ge=16, le=65_536), Mark.AT_START] = 512
    """Maximum number of connections to /metrics, the API and the status page.  Beyond it, the client with the most
    connections loses one; a few more are accepted for /livez and /readyz."""

    web_connections_per_client: Annotated[int, Field(ge=4, le=65_536), Mark.AT_START] = 64
    """Maximum number of these connections from one address; an IPv6 /64 network counts as one address."""

    command_concurrency: Annotated[int, Field(ge=1, le=1_024), Mark.AT_START] = 16
    """Maximum number of command checks that run at the same time."""

    thread_concurrency: Annotated[int, Field(ge=4, le=1_024), Mark.AT_START] = 64
    """Maximum number of threads that wait for database servers.  A mysql check uses one while it talks to a server that
    has sent its greeting."""

    workers: Annotated[Literal["auto"] | Annotated[int, Field(ge=1, le=64)], Mark.AT_START] = "auto"
    """Number of processes that run the checks, or "auto": one for each 8,000 checks a second, at most one for each
    processor."""

    command_user: Annotated[UserName | None, Mark.AT_START] = None
    """User that runs commands which do not set a user.  The default is lvs-agent-command, or nobody if there is no such
    user; the user of lvs-agent if it may not change users."""


class MetricsTable(Strict):
    """Which metrics are exported."""

    model_config = ConfigDict(title="metrics")

    real_servers: Annotated[ServerDetail, FROM_TEXT, Mark.SHARED] = ServerDetail.FULL
    """Metrics of each real server: "full" (all), "state" (only whether it is in service) or "off" (none)."""

    drop: Annotated[frozenset[MetricName], FROM_TEXT, Mark.SHARED] = frozenset()
    """Names of metrics that are not exported."""


class LogTable(Strict):
    """The log, written to standard error."""

    model_config = ConfigDict(title="log")

    format: Annotated[LogFormat, FROM_TEXT, Mark.AT_START] = LogFormat.LOGFMT
    """Format of each line: "logfmt" (key=value pairs) or "json" (one object)."""

    level: Annotated[LogLevel, FROM_TEXT, Mark.AT_START] = LogLevel.INFO
    """Lowest level that is logged."""
