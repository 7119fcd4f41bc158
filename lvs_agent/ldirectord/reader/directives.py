"""Every directive of ldirectord 4.12: where it may stand, how its value looks, and what becomes of it here.

The reader, its error messages and the table in the migration guide are all made from this one table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType


class Scope(Enum):
    """Where a directive may stand: before the virtual services, within one, or both."""

    GLOBAL = "global"
    VIRTUAL = "virtual"
    BOTH = "both"


class Shape(Enum):
    """How a value is written, and so where it ends.

    ``WORDS``: a few words with a grammar of their own.  ``TEXT``: everything to the end of the line.
    """

    NUMBER = "a number"
    SWITCH = "yes or no"
    WORD = "one word"
    QUOTED = "a text in quotes"
    WORDS = "words"
    TEXT = "a text"


class Support(Enum):
    """What becomes of a directive here."""

    SAME = "same"
    BETTER = "better"
    REPLACED = "replaced"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Directive:
    """One directive.  ``why`` goes on after the word of ``support``: what is better, by what it is replaced."""

    name: str
    scope: Scope
    shape: Shape
    meaning: str
    support: Support = Support.SAME
    why: str = ""


_MAIL = "`lvs-agent convert --alertmanager` writes a route and receivers that do it"

_ALL = (
    Directive("virtual", Scope.VIRTUAL, Shape.WORDS, "begins a virtual service: `address:port`, or a firewall mark"),
    Directive("virtual6", Scope.VIRTUAL, Shape.WORDS, "begins a virtual service of IPv6"),
    Directive(
        "real",
        Scope.VIRTUAL,
        Shape.WORDS,
        "a real server, or a range of them: address, port, forwarding, weight, request, response, thresholds",
        Support.BETTER,
        "ranges that cross a digit boundary work, `u:` counts in either order, and two ports in a range are understood",
    ),
    Directive("real6", Scope.VIRTUAL, Shape.WORDS, "a real server of an IPv6 service", Support.BETTER, "as real"),
    Directive(
        "fallback",
        Scope.BOTH,
        Shape.WORDS,
        "the server that answers while no real server can",
        Support.BETTER,
        "the global one also works for firewall marks, and it may be one of the real servers",
    ),
    Directive("fallback6", Scope.BOTH, Shape.WORDS, "the same for IPv6", Support.BETTER, "as fallback"),
    Directive(
        "fallbackcommand",
        Scope.BOTH,
        Shape.TEXT,
        "program to run when the fallback server becomes active and when it is no longer active",
        Support.BETTER,
        "never blocks a check, has a time limit, runs as agent.command_user, and is also called when the agent stops;"
        " no shell",
    ),
    Directive("service", Scope.VIRTUAL, Shape.WORD, "what a negotiate check speaks; the default comes from the port"),
    Directive(
        "checktype",
        Scope.VIRTUAL,
        Shape.WORDS,
        "negotiate, connect, ping, external, external-perl, on, off, or N connects and then one negotiate",
        Support.BETTER,
        "all checks run at the same time, each with a limit on its total time",
    ),
    Directive(
        "checkcommand",
        Scope.VIRTUAL,
        Shape.TEXT,
        "program of an external check",
        Support.BETTER,
        "runs as agent.command_user and not as root; one that is killed by a signal has failed",
    ),
    Directive("checkport", Scope.VIRTUAL, Shape.NUMBER, "port to check, where it is not the real server's"),
    Directive(
        "checktimeout",
        Scope.BOTH,
        Shape.NUMBER,
        "time limit in seconds of connect, ping and external checks",
        Support.BETTER,
        "it holds for the whole check",
    ),
    Directive(
        "negotiatetimeout",
        Scope.BOTH,
        Shape.NUMBER,
        "time limit in seconds of negotiate checks",
        Support.BETTER,
        "it holds for the whole check",
    ),
    Directive(
        "checkinterval",
        Scope.BOTH,
        Shape.NUMBER,
        "seconds between two checks of a server",
        Support.BETTER,
        "measured from start to start, independent of other servers; one of a virtual service always counts",
    ),
    Directive(
        "failurecount",
        Scope.BOTH,
        Shape.NUMBER,
        "failures in a row after which a server is down",
        Support.BETTER,
        "counted once for each check, however many virtual services share the server",
    ),
    Directive(
        "checkcount",
        Scope.BOTH,
        Shape.NUMBER,
        "tries of one ping check",
        Support.REPLACED,
        "failurecount, which says the same for every kind of check",
    ),
    Directive("request", Scope.VIRTUAL, Shape.QUOTED, "what a negotiate check asks for"),
    Directive(
        "receive",
        Scope.VIRTUAL,
        Shape.QUOTED,
        "regular expression that the answer must match",
        Support.BETTER,
        "translated from Perl once at the start, so an invalid one is found then",
    ),
    Directive("httpmethod", Scope.VIRTUAL, Shape.WORD, "GET or HEAD"),
    Directive(
        "virtualhost",
        Scope.VIRTUAL,
        Shape.WORD,
        "Host header of http and https checks",
        Support.BETTER,
        "also sent as SNI",
    ),
    Directive("login", Scope.VIRTUAL, Shape.QUOTED, "user of a negotiate check that logs in"),
    Directive("passwd", Scope.VIRTUAL, Shape.QUOTED, "password of a negotiate check that logs in"),
    Directive("database", Scope.VIRTUAL, Shape.QUOTED, "database of a negotiate check"),
    Directive("secret", Scope.VIRTUAL, Shape.QUOTED, "secret of a radius check"),
    Directive("load", Scope.VIRTUAL, Shape.QUOTED, "nothing", Support.IGNORED, "ldirectord itself never used it"),
    Directive("scheduler", Scope.VIRTUAL, Shape.WORD, "scheduler of the kernel"),
    Directive("schedflags", Scope.VIRTUAL, Shape.WORD, "flags of the scheduler"),
    Directive("persistent", Scope.VIRTUAL, Shape.NUMBER, "seconds for which a client keeps its server"),
    Directive("netmask", Scope.VIRTUAL, Shape.WORD, "clients of one such network count as one; needs persistent"),
    Directive("ops", Scope.VIRTUAL, Shape.SWITCH, "each datagram is scheduled on its own (udp)"),
    Directive("protocol", Scope.VIRTUAL, Shape.WORD, "tcp, udp or fwm"),
    Directive(
        "quiescent",
        Scope.BOTH,
        Shape.SWITCH,
        "whether a server that is down stays at weight 0",
        Support.BETTER,
        "also works for servers without a port, or with a port that the kernel overrides",
    ),
    Directive(
        "readdquiescent",
        Scope.GLOBAL,
        Shape.SWITCH,
        "whether the row of a server at weight 0 that somebody deleted is added again",
        Support.BETTER,
        "at a start no server is added before its first check result",
    ),
    Directive("cleanstop", Scope.BOTH, Shape.SWITCH, "whether the table is cleared at a stop"),
    Directive(
        "maintenancedir",
        Scope.GLOBAL,
        Shape.TEXT,
        "directory: a file in it that is named after a server takes that server out of service",
        Support.BETTER,
        "reverse lookups hold up no check, and a server in maintenance gets no traffic at a start",
    ),
    Directive(
        "autoreload",
        Scope.GLOBAL,
        Shape.SWITCH,
        "whether a changed file is read again",
        Support.BETTER,
        "an invalid file changes nothing, and a metric shows it",
    ),
    Directive(
        "monitorfile",
        Scope.VIRTUAL,
        Shape.TEXT,
        "file that gets a line for each check",
        Support.BETTER,
        "a write error does not stop anything",
    ),
    Directive(
        "servicename", Scope.VIRTUAL, Shape.TEXT, "name for people", Support.BETTER, "in the API, page and log too"
    ),
    Directive("comment", Scope.VIRTUAL, Shape.TEXT, "text for people", Support.BETTER, "in the API, page and log too"),
    Directive(
        "callback",
        Scope.GLOBAL,
        Shape.TEXT,
        "program to run when the file has changed",
        Support.REPLACED,
        "the metric lvs_agent_config_last_reload_success_timestamp_seconds, or a systemd path unit on the file",
    ),
    Directive(
        "execute",
        Scope.GLOBAL,
        Shape.TEXT,
        "another file to run beside this one",
        Support.REPLACED,
        "an agent of its own for each file, as a systemd unit or a cluster resource",
    ),
    Directive(
        "fork",
        Scope.GLOBAL,
        Shape.SWITCH,
        "a process for each virtual service",
        Support.IGNORED,
        "all checks run at the same time anyway",
    ),
    Directive(
        "supervised",
        Scope.GLOBAL,
        Shape.SWITCH,
        "whether it stays in the foreground",
        Support.IGNORED,
        "`lvs-agent run` always does",
    ),
    Directive(
        "logfile",
        Scope.GLOBAL,
        Shape.TEXT,
        "file or syslog facility of the log",
        Support.REPLACED,
        "standard error, which systemd writes to the journal",
    ),
    Directive("emailalert", Scope.BOTH, Shape.WORDS, "addresses to write to", Support.REPLACED, _MAIL),
    Directive("emailalertfreq", Scope.BOTH, Shape.NUMBER, "seconds between reminders", Support.REPLACED, _MAIL),
    Directive("emailalertstatus", Scope.BOTH, Shape.WORDS, "in which states to write", Support.REPLACED, _MAIL),
    Directive("emailalertfrom", Scope.GLOBAL, Shape.WORDS, "sender of the mails", Support.REPLACED, _MAIL),
    Directive("smtp", Scope.BOTH, Shape.WORD, "server that takes the mails", Support.REPLACED, _MAIL),
    Directive(
        "connecttimeout",
        Scope.BOTH,
        Shape.NUMBER,
        "refused by ldirectord: the old name of negotiatetimeout",
        Support.BETTER,
        "read as negotiatetimeout, with a warning",
    ),
    Directive(
        "timeout",
        Scope.GLOBAL,
        Shape.NUMBER,
        "refused by ldirectord: the old name of checktimeout and negotiatetimeout",
        Support.BETTER,
        "read as both, with a warning",
    ),
)

DIRECTIVES: Mapping[str, Directive] = MappingProxyType({each.name: each for each in _ALL})
"""Every directive by its name."""
