"""Words and names that the project no longer uses, what to write instead, and why.

An operator searches the web and the log for the words that he reads, and a colleague guesses a name before he looks for
it.  ``tests/test_words.py`` searches the repository for the entries of this list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

LDIRECTORD = (
    "docs/ldirectord-*.md",
    "docs/migrating-from-ldirectord.md",
    "lvs_agent/ldirectord/*",
    "tests/differential/*",
    "tests/ldirectord/*",
    "tests/ldirectord_faults/*",
    "tests/lab/test_ldirectord_faults.py",
)
"""Files about ldirectord, which may use its words."""

RENAMED = ("docs/metrics.md", "docs/events.md", "tests/metrics_document.py", "lvs_agent/core/event_line.py")
"""Files with a table of old and new names."""


_SPACE = r"(?:[ \t]+|[ \t]*\n[ \t]*(?:[#*>][ \t]*)?)"
"""Between two words of a phrase: blanks, or the end of a line and the sign of a comment or a quotation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One entry.

    ``pattern`` is a regular expression.  A space in it also matches a line break within a paragraph or a comment.
    ``before`` is an example, ``instead`` what to write for it, ``why`` the reason.  ``unless``: patterns of
    the paths in which it is allowed.
    """

    pattern: str
    before: str
    instead: str
    why: str
    unless: tuple[str, ...] = ()

    def is_searched_in(self, path: str) -> bool:
        """Whether the file at ``path`` must not have it."""
        return not _matches(path, self.unless)

    def find(self, text: str) -> Iterator[tuple[int, str]]:
        """The number of the line of each occurrence in ``text``, and what stands there."""
        for match in re.finditer(self.pattern.replace(" ", _SPACE), text):
            yield text.count("\n", 0, match.start()) + 1, " ".join(match[0].split())


def _matches(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)


_NOUN = "a name is a noun that a colleague of the field guesses"
_VERB = "a function is a verb with an object, a boolean reads as a statement"
_FIELD = "the field's word, which the reader can search for"
_ENGLISH = "plain English"


def _name(pattern: str, before: str, instead: str, *, why: str = _NOUN) -> Word:
    """A name of the code."""
    return Word(pattern=pattern, before=before, instead=instead, why=why)


_NAMES = (
    _name(r"\bAttending\b|\battending\.py\b|\.attending\b", "class Attending:", "class OperatorHooks:"),
    _name(r"\bSuite(?=[()\[\],]| =)|\bimport Suite\b", "def of(suite: Suite)", "def of(checks: CheckSet)"),
    _name(r"\bUnfit\b", "raise Unfit(detail)", "raise CheckFailed(detail)"),
    _name(r"\bLEAN\b", "LEAN = True", "INLINE = True"),
    _name(r"\bRoll(?=[(\[\]])|\b[Rr]osters?\b|_rosters?\b", "with_rosters()", "SeriesIndex, ServiceIndex"),
    _name(r"\bin_distress\b", "if in_distress(pool):", "if has_no_serving_server(pool):", why=_VERB),
    _name(r"\bFate\b", "Fate.SAME", "Support.SAME"),
    _name(r"\bldirectord[./]text\b", "ldirectord/text.py", "line_protocols.py"),
    _name(r"\bLivingContext\b", "LivingContext(settings)", "ReloadingSSLContext(settings)"),
    _name(r"\bTold(?=[(\[\]])", "Told(line)", "ProblemFormatter or MonitorEntry: Told had two meanings"),
    _name(r"\bSurroundings\b", "class Surroundings:", "class ServiceContext:"),
    _name(r"\bPlaces\b", "Places(limit)", "PrioritySemaphore(limit)"),
    _name(r"\bhurry\b", "engine.hurry(check)", "engine.request_early_run(check)", why=_VERB),
    _name(r"\bright_once\b", "if state.right_once:", "if state.converged_once:", why=_VERB),
    _name(r"\bStanding\b|\bstanding_of\b", "standing_of(service)", "ServiceCondition"),
    _name(r"\bwith_doubts\b", "with_doubts(config)", "with_metric_warnings(config)", why=_VERB),
    _name(r"\btogether\(", "together(first, second)", "merge_problems(first, second)", why=_VERB),
    _name(r"\bkeys_of_a_start\b", "keys_of_a_start()", "restart_only_changes()", why=_VERB),
    _name(r"\bHOST_NAMES\b", "HOST_NAMES.encode(name)", "IDNA_CODEC.encode(name)"),
)

_RENAMED_EVENTS = tuple(
    Word(
        pattern=rf"(?i)\b{before}\b",
        before=before,
        instead=instead,
        why="the name of an event is plain English",
        unless=RENAMED,
    )
    for before, instead in {
        "maintenance_begun": "maintenance_started",
        "sorry_server_begun": "sorry_server_activated",
        "sorry_server_ended": "sorry_server_deactivated",
        "sorry_command_failed": "sorry_command",
        "sorry_command_ended": "sorry_command",
    }.items()
)

_EXPORTED = (
    *_RENAMED_EVENTS,
    Word(
        pattern=r"(?i)\bcheck_possible_again\b",
        before="check_possible_again",
        instead="check_recovered",
        why=_FIELD,
        unless=RENAMED,
    ),
    Word(
        pattern=r"\bVANISHED\b|[\"`]vanished[\"`]|--kind vanished\b",
        before="`vanished`",
        instead="`previous_run_crashed`",
        why="the name of an event says what has happened",
        unless=RENAMED,
    ),
    Word(
        pattern=r"\b_?fallback_active\b|_fallback_active\b|\bLVSServiceFallbackActive\b",
        before="lvs_virtual_service_fallback_active",
        instead="lvs_virtual_service_sorry_server_active",
        why="everything else of lvs-agent says sorry server",
        unless=RENAMED,
    ),
)

_PHRASES = (
    Word(
        pattern=(
            r"(?i)\b(?:put(?:s|ting)?|makes?|made)(?: \w+){0,3} right\b(?! (?:away|now))"
            r"|\btable (?:is|was) right\b"
        ),
        before="the agent puts its rows right",
        instead="the agent repairs its entries; the table is in sync",
        why=_FIELD,
    ),
    Word(
        pattern=r"(?i)\bwell again\b|\bthat (?:is|are) well\b",
        before="when a server is well again",
        instead="when a server has recovered",
        why=_FIELD,
    ),
    Word(
        pattern=(
            r"(?i)\bsorry server's turn\b|\bsorry server (?:\w+ )?serves\b"
            r"|\b(?:to step|steps|stepped) in\b(?! (?:the|this|order))"
        ),
        before="it is the sorry server's turn",
        instead="the service fails over to the sorry server, or: the sorry server is active",
        why=_FIELD,
    ),
    Word(
        pattern=r"(?i)\bfallback servers?\b",
        before="the fallback server",
        instead="the sorry server",
        why="one word for one thing; only ldirectord's own files say fallback",
        unless=(*LDIRECTORD, "docs/alerting.md", "docs/checks.md"),
    ),
    Word(
        pattern=r"(?i)\bwho wants\b|\bfor who accepts\b|\bnobody else can tell\b",
        before="for who accepts it",
        instead="for clients that accept it",
        why=_ENGLISH,
    ),
    Word(
        pattern=r"(?i)\b(?:is|are) wanted\b",
        before="a number of seconds is wanted",
        instead="must be a number of seconds",
        why="a message says what a value must be",
    ),
    Word(
        pattern=r"(?i)\bmay stand only once\b",
        before="a name may stand only once",
        instead="a name must not be repeated",
        why="a message says what must not be",
    ),
    Word(
        pattern=r"(?i)\b(?!there\b|here\b)[\w'`]+[^\w\s]{0,2} is no (?!longer\b|more\b|less\b|one\b)[a-z]",
        before="'web' is no address",
        instead="'web' is not an address",
        why=_ENGLISH,
    ),
    Word(
        pattern=r"(?i)\b(?:is|are|was|were|been|nobody) told\b(?! apart\b)",
        before="the operator is told",
        instead="the log shows it, or: an event records it, or: Alertmanager notifies the operator",
        why="the reader must know where to look",
        unless=("docs/alerting.md", "docs/events.md"),  # links lead to their headings
    ),
    Word(
        pattern=r"(?i)\btable that should be\b|\btable that is and\b",
        before="the table that is and the table that should be",
        instead="the observed table and the desired table",
        why=_FIELD,
    ),
    Word(
        pattern=(
            r"(?i)\bcomes? (?:and|or) go(?:es)?\b|\bcame (?:and|or) went\b"
            r"|\bown begin and end\b|\bbegins and ends\b"
        ),
        before="servers that came or went",
        instead="servers that went up or down; an agent that starts and stops",
        why=_FIELD,
    ),
    Word(
        pattern=r"(?i)\bwords? of (?:the|a) server's own\b",
        before="a word of the server's own",
        instead="a status reported by the server",
        why=_FIELD,
    ),
    Word(
        pattern=r"(?i)\bin the place of\b|\bover (?:a|the|every) restart\b|\bby (?:itself|themselves)\b",
        before="the server comes back by itself",
        instead="automatically; across restarts; instead of",
        why=_ENGLISH,
    ),
    Word(
        pattern=r"(?i)\bweight (?:that is )?wanted\b|\bwanted weight\b|\bweights? in the kernel\b",
        before="the weight wanted and the weight in the kernel",
        instead="the desired weight and the kernel weight",
        why=_FIELD,
    ),
    Word(
        pattern=r"(?i)\bno verdict\b|\bhas a verdict on\b|\bverdict on\b",
        before="a server that has no verdict yet",
        instead="a server without a check result",
        why="a check has a result: one word for one thing",
    ),
    Word(
        pattern=r"(?i)\bwhich is its quorum\b",
        before="2 of 3 real servers are up; which is its quorum.",
        instead="2 of 3 real servers are up; the quorum is 2.",
        why=_ENGLISH,
    ),
    Word(
        pattern=r"(?i)\bin IPv6 clothing\b",
        before="an address in IPv6 clothing",
        instead="an IPv4-mapped IPv6 address",
        why="the term of RFC 4291",
    ),
)

WORDS = (*_NAMES, *_EXPORTED, *_PHRASES)
