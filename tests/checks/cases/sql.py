"""The checkers of databases."""

from __future__ import annotations

from functools import partial
from typing import Any

from tests.checks import servers, sql_servers
from tests.checks.cases import Case, at_server, at_unused_port

LOGIN: dict[str, Any] = {"user": "monitor", "password": "secret"}
ORACLE = {**LOGIN, "service_name": "shop"}
HOSTILE = {
    "silent": servers.silent,
    "flooding": servers.flooding,
    "flooding garbage": servers.flooding_garbage,
    "garbage": servers.garbage,
    "resetting": servers.resetting,
    "closing early": servers.closing_early,
}
HOSTILE_TO_MYSQL = {
    **HOSTILE,
    **{f"{name} after the greeting": sql_servers.then(handler) for name, handler in HOSTILE.items()},
    "dripping": sql_servers.dripping,
    "flooding rows": sql_servers.flooding_rows,
    "silent after login": sql_servers.mysql(),
}

HOSTILE_TO_PGSQL = {
    **HOSTILE,
    **{f"{name} after the startup": sql_servers.after_startup(handler) for name, handler in HOSTILE.items()},
    "dripping": sql_servers.dripping_login,
    "flooding row": sql_servers.flooding_row,
    "silent after login": sql_servers.pgsql(),
}

CASES = {
    "mysql": Case(
        healthy=partial(at_server, kind="mysql", handler=sql_servers.mysql(), **LOGIN),
        hostile={"refused": partial(at_unused_port, kind="mysql", **LOGIN)}
        | {
            name: partial(at_server, kind="mysql", handler=handler, query="SELECT 1", **LOGIN)
            for name, handler in HOSTILE_TO_MYSQL.items()
        },
        hanging=partial(at_server, kind="mysql", handler=sql_servers.then(servers.silent), **LOGIN),
    ),
    "pgsql": Case(
        healthy=partial(at_server, kind="pgsql", handler=sql_servers.pgsql(), **LOGIN),
        hostile={"refused": partial(at_unused_port, kind="pgsql", **LOGIN)}
        | {
            name: partial(at_server, kind="pgsql", handler=handler, query="SELECT 1", **LOGIN)
            for name, handler in HOSTILE_TO_PGSQL.items()
        },
        hanging=partial(at_server, kind="pgsql", handler=sql_servers.after_startup(servers.silent), **LOGIN),
    ),
    "oracle": Case(
        healthy=None,
        hostile={"refused": partial(at_unused_port, kind="oracle", **ORACLE)}
        | {name: partial(at_server, kind="oracle", handler=handler, **ORACLE) for name, handler in HOSTILE.items()},
        hanging=partial(at_server, kind="oracle", handler=servers.silent, **ORACLE),
    ),
}
