"""Events in words: one plain sentence for each kind, from the facts that are there.

An event may come from a file that another version has written, so that any fact may be missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lvs_agent.model.event import Event, EventKind

_OTHERS = {"missing": "deleted", "unexpected": "added", "modified": "changed"}
_OPERATIONS = {
    "add_service": "{service} was added to the table, scheduler {scheduler}",
    "update_service": "{service} was changed in the table{changed}",
    "delete_service": "{service} was deleted from the table",
    "add_destination": "{server} was added to {service}, weight {weight}",
    "update_destination": "{who} was changed in the table{changed}",
    "delete_destination": "{server} was deleted from {service}",
}
_CAUSES = {"sighup": "SIGHUP", "file_changed": "its file has changed"}


def sentence(event: Event) -> str:
    """What happened, without the time; what servers and programs said in it is as they said it."""
    said = _SENTENCES[event.kind](event).strip()
    more = event.facts.get("repeated")
    return f"{said} ({more} times more)" if isinstance(more, int) and more > 0 else said


def _fact(event: Event, name: str) -> str:
    """The fact of that name in words; empty where it is missing."""
    return str(event.facts.get(name, ""))


def _why(event: Event) -> str:
    """What a check says: its detail where it has one, else its reason."""
    return _fact(event, "detail") or _fact(event, "reason").replace("_", " ")


def _because(text: str) -> str:
    return f": {text}" if text else ""


def _in_brackets(text: str) -> str:
    return f" ({text})" if text else ""


def _who(event: Event) -> str:
    """The real server of the service, or the service alone, or nobody."""
    if event.real_server and event.virtual_service:
        return f"{event.real_server} of {event.virtual_service}"
    return event.real_server or event.virtual_service


def _check(event: Event) -> str:
    return f"{_fact(event, 'check')} check".strip()


def _count(event: Event, name: str, one: str) -> str:
    number = _fact(event, name) or "some"
    return f"{number} {one}" if number == "1" else f"{number} {one}s"


def _started(event: Event) -> str:
    services, checks = _count(event, "virtual_services", "virtual service"), _count(event, "checks", "check")
    observes = "" if event.facts.get("writes", True) else "; it observes and writes nothing"
    return f"lvs-agent {_fact(event, 'version')} has started with {services} and {checks}{observes}"


def _stopped(event: Event) -> str:
    error = "" if event.facts.get("orderly", True) else " because of an error"
    return f"lvs-agent {_fact(event, 'version')} has stopped{error}"


def _reloaded(event: Event) -> str:
    same = "" if event.facts.get("changed", True) else "; nothing has changed"
    cause = _fact(event, "cause")
    return f"the configuration was reloaded{_in_brackets(_CAUSES.get(cause, cause))}{same}"


def _refused_configuration(event: Event) -> str:
    first = _because(_fact(event, "problem"))
    return f"the new configuration was refused ({_count(event, 'problems', 'problem')}){first}"


def _up(event: Event) -> str:
    return f"{_who(event)} is up: {_check(event)} passed{_in_brackets(_fact(event, 'detail'))}"


def _down(event: Event) -> str:
    return f"{_who(event)} went down: {_check(event)} failed{_in_brackets(_why(event))}"


def _quorum_lost(event: Event) -> str:
    return f"{event.virtual_service} has lost its quorum: {_of_quorum(event)}"


def _quorum_regained(event: Event) -> str:
    return f"{event.virtual_service} has regained its quorum: {_of_quorum(event)}"


def _of_quorum(event: Event) -> str:
    return f"{_count(event, 'up', 'real server')} up, the quorum is {_fact(event, 'quorum') or 'not known'}"


def _sorry_command(event: Event) -> str:
    outcome = _fact(event, "outcome").replace("_", " ")
    status = _fact(event, "exit_status") if outcome == "exit status" else _fact(event, "signal")
    ended = f"{outcome} {status}".strip()
    call = f"{_fact(event, 'command')} {_fact(event, 'action')}".strip()
    return f"sorry command of {event.virtual_service}, {call}: {ended}{_in_brackets(_fact(event, 'error'))}"


def _applied(event: Event) -> str:
    operation, changed = _fact(event, "operation"), _fact(event, "changed")
    if operation == "update_destination" and changed == "weight":
        return f"{_who(event)} now has weight {_fact(event, 'weight')}"
    done = _OPERATIONS.get(operation, "{operation} {who}")
    return done.format(
        operation=operation,
        who=_who(event),
        server=event.real_server,
        service=event.virtual_service,
        weight=_fact(event, "weight"),
        scheduler=_fact(event, "scheduler"),
        changed=_because(changed.replace(",", ", ")),
    )


def _refused(event: Event) -> str:
    what = f"{_fact(event, 'operation')} {_who(event)}".strip()
    return f"the kernel refused {what}{_because(_fact(event, 'error'))}"


def _changed_by_others(event: Event) -> str:
    return f"another program has {_OTHERS.get(_fact(event, 'kind'), 'changed')} {_who(event)} in the table"


def _worker_lost(event: Event) -> str:
    why = _because(_fact(event, "detail"))
    return f"the process that runs {_count(event, 'checks', 'check')} was replaced ({_fact(event, 'cause')}){why}"


_SENTENCES: Mapping[EventKind, Callable[[Event], str]] = {
    EventKind.AGENT_STARTED: _started,
    EventKind.AGENT_STOPPED: _stopped,
    EventKind.PREVIOUS_RUN_CRASHED: lambda _: "the previous run of lvs-agent crashed",
    EventKind.CONFIGURATION_RELOADED: _reloaded,
    EventKind.CONFIGURATION_REFUSED: _refused_configuration,
    EventKind.SERVER_UP: _up,
    EventKind.SERVER_DOWN: _down,
    EventKind.SERVER_UNKNOWN: lambda event: f"{_who(event)} is unknown: its checks have not decided",
    EventKind.QUORUM_LOST: _quorum_lost,
    EventKind.QUORUM_REGAINED: _quorum_regained,
    EventKind.MAINTENANCE_STARTED: lambda event: f"maintenance of {_who(event)} has started",
    EventKind.MAINTENANCE_ENDED: lambda event: f"maintenance of {_who(event)} has ended",
    EventKind.SORRY_SERVER_ACTIVATED: lambda event: (
        f"{event.virtual_service} has failed over to its sorry server {event.real_server}"
    ),
    EventKind.SORRY_SERVER_DEACTIVATED: lambda event: (
        f"{event.virtual_service} no longer uses its sorry server {event.real_server}"
    ),
    EventKind.SORRY_COMMAND: _sorry_command,
    EventKind.OPERATION_APPLIED: _applied,
    EventKind.OPERATION_REFUSED: _refused,
    EventKind.OPERATION_WITHOUT_EFFECT: lambda event: (
        f"{_fact(event, 'operation')} {_who(event)} had no effect".strip()
    ),
    EventKind.TABLE_CHANGED_BY_OTHERS: _changed_by_others,
    EventKind.TABLE_NOT_READ: lambda event: f"the table could not be read{_because(_fact(event, 'error'))}",
    EventKind.TABLE_READ_AGAIN: lambda event: f"the table could be read again after {_fact(event, 'after_s')} s",
    EventKind.CHECK_NOT_POSSIBLE: lambda event: f"{_check(event)} of {_who(event)} cannot run{_because(_why(event))}",
    EventKind.CHECK_WORKER_LOST: _worker_lost,
    EventKind.CHECK_RECOVERED: lambda event: f"{_check(event)} of {_who(event)} can run again",
}
