"""What an oracle check does with python-oracledb: login, and a query.

The library opens its own connection, so a server that accepts and hangs looks like one that does not accept:
both have the reason connect_timeout until the login is through.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from contextlib import suppress

import oracledb

from lvs_agent.checks.kinds._sql import row_fits
from lvs_agent.checks.kinds.oracle.settings import Settings
from lvs_agent.checks.net.dialogue import CheckFailed
from lvs_agent.checks.net.outcome import outcome_of
from lvs_agent.checks.net.probe_run import ProbeRun
from lvs_agent.checks.net.progress import Stage
from lvs_agent.checks.net.tls import ContextUnusable, context_for, failure_of
from lvs_agent.model.check import CheckResult, Failed, FailureReason, Passed, Target

_DAY_S = 86_400.0
_GOODBYE_S = 0.2
_NOWHERE = "/nonexistent/lvs-agent"
_NUMBER = re.compile(r"\b((?:ORA|DPY)-\d{4,5}): *([^\n]*)")
_ERRNO = re.compile(r"\[Errno (\d+)\]")
_PROTOCOL = frozenset({"DPY-4011", "DPY-5006", "DPY-5001", "DPY-5002", "DPY-5004"})
"""The server has hung up, or says what Oracle's protocol does not have."""
_CANNOT_CONNECT = "DPY-6005"


async def examine(target: Target, run: ProbeRun) -> CheckResult:
    """The result of a probe.  Raises OSError."""
    settings: Settings = target.settings
    run.progress.waiting_for = "connection and login"
    try:
        connection = await _connected(target)
        run.progress.stage = Stage.CONNECTED
        try:
            return Passed(await _answer(connection, target.settings, run))
        finally:
            # A server that hangs does not answer a goodbye either.
            with suppress(oracledb.Error, OSError, TimeoutError):
                async with asyncio.timeout(_GOODBYE_S):
                    await connection.close()
    except CheckFailed as end:
        return end.result
    except ContextUnusable as problem:
        return problem.result
    except oracledb.Error as problem:
        return _failure(problem, settings)


async def _connected(target: Target) -> oracledb.AsyncConnection:
    """Everything is said, so that neither the environment nor a tnsnames.ora has a say."""
    settings: Settings = target.settings
    tls = settings.tls
    context: ssl.SSLContext | None = None if tls is None else context_for(tls, alpn=())
    connection: oracledb.AsyncConnection = await oracledb.connect_async(
        user=settings.user,
        password=None if settings.password is None else settings.password.get_secret_value(),
        host=str(target.address),
        port=target.port or settings.default_port or 0,
        protocol="tcp" if tls is None else "tcps",
        service_name=settings.service_name,
        sid=settings.sid,
        ssl_context=context,
        ssl_server_dn_match=False if tls is None else tls.verify,
        tcp_connect_timeout=_DAY_S,  # the deadline is the engine's
        retry_count=0,
        config_dir=_NOWHERE,
        program="lvs-agent",
    )
    return connection


async def _answer(connection: oracledb.AsyncConnection, settings: Settings, run: ProbeRun) -> str:
    if settings.query is None:
        return "login"
    run.progress.waiting_for = "an answer to the query"
    with connection.cursor() as cursor:
        cursor.arraysize = 1
        cursor.prefetchrows = 1
        await cursor.execute(settings.query)
        return row_fits(settings, await cursor.fetchone() if cursor.description else None)


def _failure(problem: oracledb.Error, settings: Settings) -> CheckResult:
    """The numbers say whose words they are: the most exact one is the last."""
    cause = problem.__cause__ or problem.__context__
    if isinstance(cause, ssl.SSLError):
        return failure_of(cause)
    text = str(problem)
    if (system := _ERRNO.search(text)) is not None:
        return outcome_of(OSError(int(system[1]), text))
    found = [each for each in _NUMBER.findall(text) if each[0] != _CANNOT_CONNECT]
    number, words = found[-1] if found else ("", text)
    reason = FailureReason.PROTOCOL if number in _PROTOCOL or not number else FailureReason.STATUS
    return Failed(reason, settings.words(f"{number}: {words}" if number else words))
