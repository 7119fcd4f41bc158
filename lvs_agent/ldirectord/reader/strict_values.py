"""What ldirectord 4.12 takes as the value of each directive.

Each rule gets the value as ldirectord sees it (from the first character after ``=`` that is no blank to the end of
the line) and gives None where it is taken, else what is wrong with it and the remedy.  Letters, digits and blanks are
those of ASCII: ldirectord reads bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from lvs_agent.model.ipvs import Family

BLANKS = " \t\n\r\x0b\x0c"
Rule = Callable[[str], str | None]

_SERVICES = frozenset(
    {
        *("dns", "ftp", "http", "http_proxy", "https", "imap", "imaps", "ldap", "ldaps", "mysql", "nntp", "none"),
        *("oracle", "pgsql", "pop", "pops", "radius", "simpletcp", "sip", "smtp", "submission"),
    }
)
_CHECK_TYPES = frozenset({"connect", "negotiate", "ping", "off", "on", "external", "external-perl"})
_ALERT_STATUSES = frozenset({"all", "starting", "running", "stopping", "reloading"})
_DOTTED_QUAD = re.compile(r"[0-9]+(?:\.[0-9]+){3}")
DIGITS = re.compile("[0-9]+")
WORD = re.compile("[0-9A-Za-z_]+")
_WORD_OR_DASH = re.compile("[-0-9A-Za-z_]+")

# --- single values ------------------------------------------------------------------------------------------------


def quoted(value: str) -> str | None:
    """What is between the first and the last of the quotes, or None where the value does not begin with any."""
    end = value.rfind('"')
    return value[1:end] if value.startswith('"') and end > 0 else None


def anything(value: str) -> str | None:
    """Every value is taken."""
    del value
    return None


def _something(value: str) -> str | None:
    return None if value else "there is no value; write one, or delete the line"


def _yes_or_no(value: str) -> str | None:
    return None if value in {"yes", "no"} else "must be exactly yes or no; delete whatever else is on the line"


def _digits(value: str) -> str | None:
    return None if DIGITS.search(value) else "there is no number; write one"


def _number(value: str) -> str | None:
    """One "0" alone counts as nothing; more of them are taken."""
    digits = DIGITS.search(value)
    return None if digits and digits[0] != "0" else "there is no number above 0; write one"


def _positive_number(value: str) -> str | None:
    digits = DIGITS.search(value)
    return None if digits and digits[0].strip("0") else "there is no number above 0; write one"


def size_of(digits: str) -> int:
    """The number, or one just as much too big for anything."""
    return int(digits.lstrip("0")[:9] or "0")


def _in_quotes(value: str) -> str | None:
    return "must be in quotes; put them around it" if quoted(value) is None else None


def _text_in_quotes(value: str) -> str | None:
    return _in_quotes(value) or (None if quoted(value) else "the quotes are empty; write something between them")


def _word_in_quotes(value: str) -> str | None:
    if wrong := _text_in_quotes(value):
        return wrong
    return None if WORD.search(quoted(value) or "") else "there is no letter and no digit; write a name"


def _command(value: str) -> str | None:
    return None if (value if (inner := quoted(value)) is None else inner) else "there is no command; write its path"


def _file(value: str) -> str | None:
    path = value if (inner := quoted(value)) is None else inner
    return None if path.strip(BLANKS) else "there is no path; write one"


def _leading_digits(value: str) -> str | None:
    return None if value[:1] in set("0123456789") else "must begin with a number of seconds; write it"


def _mail_address(value: str) -> str | None:
    return None if value not in {"", '""'} else "there is no address; write one, or delete the line"


def _mail_server(value: str) -> str | None:
    return None if re.match(r"[-.+_0-9A-Za-z]", value) else "must begin with a host name or an IPv4 address; write it"


def _alert_statuses(value: str) -> str | None:
    words = re.split(rf"[{BLANKS}]*,[{BLANKS}]*", value)
    while words and not words[-1]:
        words.pop()
    if unknown := set(words) - _ALERT_STATUSES - {"none"}:
        return f"{min(unknown)!r} is none of {', '.join(sorted(_ALERT_STATUSES))} and none; choose from these"
    return "none excludes all others; delete it, or the others" if "none" in words and set(words) != {"none"} else None


def _check_type(value: str) -> str | None:
    word = _WORD_OR_DASH.search(value)
    if DIGITS.search(value) or (word and word[0] in _CHECK_TYPES):
        return None
    return f"must be a number, or one of {', '.join(sorted(_CHECK_TYPES))}; choose one of them"


def _service(value: str) -> str | None:
    word = WORD.search(value)
    return None if word and word[0] in _SERVICES else f"must be one of {', '.join(sorted(_SERVICES))}; choose one"


def _http_method(value: str) -> str | None:
    word = WORD.search(value)
    return None if word and word[0].upper() in {"GET", "HEAD"} else "must be GET or HEAD; choose one of them"


def _check_port(value: str) -> str | None:
    digits = DIGITS.search(value)
    return None if digits and 0 < size_of(digits[0]) < 65_536 else "must be a port from 1 to 65535; write one"


def _scheduler(value: str) -> str | None:
    return None if re.search("[a-z]", value) else "must be a word of small letters; write the scheduler's name"


def netmask(value: str, family: Family) -> str | None:
    """The rule for ``netmask``, which depends on the family of the service."""
    if family is Family.INET:
        return None if _DOTTED_QUAD.fullmatch(value) else "must be four numbers with dots, such as 255.255.255.0"
    right = DIGITS.fullmatch(value) and 1 <= size_of(value) <= 128
    return None if right else "must be a prefix length from 1 to 128 and nothing else"


def protocol_of(value: str) -> str | None:
    """The protocol that a value of ``protocol`` names; None where there is no word in it."""
    word = WORD.search(value)
    return word[0] if word else None


def _not_any_more(instead: str) -> Rule:
    return lambda _value: f"is not taken any more; use {instead}"


_IN_BOTH: Mapping[str, Rule] = {
    "checkcount": _number,
    "checkinterval": _number,
    "cleanstop": _yes_or_no,
    "connecttimeout": _not_any_more("negotiatetimeout"),
    "emailalert": _mail_address,
    "emailalertfreq": _leading_digits,
    "emailalertstatus": _alert_statuses,
    "failurecount": _number,
    "quiescent": _yes_or_no,
    "smtp": _mail_server,
}
GLOBAL: Mapping[str, Rule] = MappingProxyType(
    {
        **_IN_BOTH,
        "autoreload": _yes_or_no,
        "callback": _in_quotes,
        "checktimeout": _positive_number,
        "emailalertfrom": _something,
        "execute": anything,
        "fallbackcommand": _something,
        "fork": _yes_or_no,
        "logfile": _in_quotes,
        "maintenancedir": _something,
        "negotiatetimeout": _positive_number,
        "readdquiescent": _yes_or_no,
        "supervised": _yes_or_no,
        "timeout": _not_any_more("checktimeout and negotiatetimeout"),
    }
)
"""Directives before the virtual services, but for ``fallback`` and ``fallback6``."""
VIRTUAL: Mapping[str, Rule] = MappingProxyType(
    {
        **_IN_BOTH,
        "checkcommand": _command,
        "checkport": _check_port,
        "checktimeout": _number,
        "checktype": _check_type,
        "comment": anything,
        "database": _text_in_quotes,
        "fallbackcommand": _command,
        "httpmethod": _http_method,
        "load": _word_in_quotes,
        "login": _text_in_quotes,
        "monitorfile": _file,
        "negotiatetimeout": _number,
        "ops": _yes_or_no,
        "passwd": _text_in_quotes,
        "persistent": _digits,
        "receive": _text_in_quotes,
        "request": _text_in_quotes,
        "schedflags": _something,
        "scheduler": _scheduler,
        "secret": _text_in_quotes,
        "service": _service,
        "servicename": anything,
        "virtualhost": anything,
    }
)
"""Directives of a virtual service, but for those that depend on it: real, fallback, netmask and protocol."""
