"""What the directives about mail ask for, service by service."""

from __future__ import annotations

import re

from lvs_agent.ldirectord.reader.document import AlertSettings
from lvs_agent.ldirectord.reader.notes import Notes
from lvs_agent.ldirectord.reader.values import Placed, Values, shown

STATUSES = ("starting", "running", "stopping", "reloading")

_SEPARATORS = re.compile(r"[\s,;]+")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9._-]*")
_SERVER = re.compile(r"[0-9A-Za-z._+-]+")


def alert_settings(own: Values, around: Values, *, name: str, notes: Notes) -> AlertSettings | None:
    """The settings of the virtual service called ``name``; None where nobody is to be written to."""
    recipients = _recipients(own) or _recipients(around)
    frequency = own.number("emailalertfreq", least=0) or around.number("emailalertfreq", least=0)
    written = _statuses(own, notes=notes), _statuses(around, notes=notes)
    statuses = next((each for each in written if each is not None), frozenset(STATUSES))
    smtp = _smtp(own, notes=notes) or _smtp(around, notes=notes)
    sender = around.text("emailalertfrom")
    if not recipients:
        return None
    return AlertSettings(
        virtual_service=name,
        recipients=recipients,
        frequency_s=frequency.value if frequency else 0,
        statuses=statuses,
        sender=sender.value if sender else None,
        smtp=smtp.value if smtp else None,
    )


def _recipients(values: Values) -> tuple[str, ...]:
    """Addresses, or else local users; beside addresses a bare word is a remark."""
    found = values.text("emailalert")
    if found is None:
        return ()
    words = _SEPARATORS.split(found.value.strip('"'))
    return tuple(word for word in words if "@" in word) or tuple(word for word in words if _USER.fullmatch(word))


def _statuses(values: Values, *, notes: Notes) -> frozenset[str] | None:
    found = values.text("emailalertstatus")
    if found is None:
        return None
    words = [word for word in _SEPARATORS.split(found.value.lower()) if word]
    wrong = [word for word in words if word not in (*STATUSES, "all", "none")]
    if wrong:
        text = f"emailalertstatus has {shown(wrong[0])}; it takes all, none, {', '.join(STATUSES)}"
        notes.error(found.line, text)
    elif "none" in words and len(words) > 1:
        notes.error(found.line, "emailalertstatus has none together with others; write none, or only the others")
    return frozenset(STATUSES) if "all" in words else frozenset(words) - {"none"}


def _smtp(values: Values, *, notes: Notes) -> Placed[str] | None:
    found = values.word("smtp")
    if found is not None and not _SERVER.fullmatch(found.value):
        notes.error(found.line, "smtp must be the name of a server, or its IPv4 address")
        return None
    return found
