"""Perl's regular expressions in Python, held against Perl itself."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvs_agent.ldirectord.reader.perl_regex import Untranslatable, translate

TEXTS = (
    "",
    "All Well",
    "all well\n",
    "first\nsecond",
    "a.b\tc  d",
    "x(y)[z]{2}",
    "aaab",
    "<html>\r\n<title>Test Page</title>",
    "10.0.0.1:80",
    "A-Z_09 ~!&|",
    "tab\there\x0b\x1b",
    "y",
)
PATTERNS = (
    "Well",
    "^all",
    "well$",
    r"well\z",
    r"well\Z",
    r"\Aall",
    "(?i)ALL WELL",
    "x|(?i)ALL|WELL",
    "(a(?i)LL|WELL) x|A",
    r"\h\h",
    r"\H{3}",
    r"a\vb|t\v",
    r"first\Rsecond",
    r"\N{4}",
    "[[:alpha:]]+[[:digit:]]",
    "[[:^digit:]]{20}",
    r"[\h]d",
    r"\x{41}\x2dZ",
    r"\x5A\x5f",
    r"\e",
    r"\cK",
    r"\011here",
    r"\y",
    r"[\y]$",
    r"\<html\>",
    r"(?<name>a)\k<name>\g{name}b",
    r"(a)\g1\g{-1}b",
    "(?>a+)b",
    "a++b",
    "(?:aa)(?=a)",
    "(?<=a)b",
    "[]a]b",
    "[^]a]$",
    "[a-]",
    "[&|~]{2}",
    "a{3}b",
    "x{1,}",
    "a{x",
    r"x\(y\)\[z\]\{2\}",
    r"\d+\.\d+",
    r"\bWell\b",
    "t(?#a remark)itle",
    "(?x) all \\s well # a remark",
    "(?s)first.second",
    "(?m)^second",
    "(?-i)All",
    "(?^:All)",
    r"l\K Well",
    r"\p{L}\pL",
    r"\N{U+41}ll",
    r"[\x41\101]ll",
    r"[\w\s]{9}",
    r"(a)\1\1",
)
_PERL = """
use strict; no warnings; binmode STDIN; local $/; my $case = JSON::PP::decode_json(<STDIN>);
my @rows = map { my $regex = $_; [ map { my $found = eval { $_ =~ /$regex/ ? 1 : 0 }; $found } @{$case->[1]} ] }
  @{$case->[0]};
print JSON::PP::encode_json(\\@rows);
"""


def perls(patterns: Sequence[str]) -> list[list[int | None]]:
    """For each pattern, whether it is found in each of TEXTS; None where Perl does not take it."""
    run = subprocess.run(
        ["perl", "-MJSON::PP", "-e", _PERL],
        input=json.dumps([patterns, TEXTS]),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    rows: list[list[int | None]] = json.loads(run.stdout)
    return rows


@pytest.mark.skipif(shutil.which("perl") is None, reason="Perl is not installed")
def test_translation_finds_what_perl_finds() -> None:
    """Every construct that people write, in every text."""
    ours = [[int(re.search(translate(pattern), text) is not None) for text in TEXTS] for pattern in PATTERNS]

    assert dict(zip(PATTERNS, ours, strict=True)) == dict(zip(PATTERNS, perls(PATTERNS), strict=True))


@pytest.mark.skipif(shutil.which("perl") is None, reason="Perl is not installed")
def test_every_ordinary_letter_means_itself_as_in_perl() -> None:
    """Escaped or not, within a class or not: what has no meaning in Perl gets none in Python."""
    letters = "".join(chr(code) for code in range(33, 127))
    plain = [letter for letter in letters if letter not in r"\^$.|?*+()[]{}" and not letter.isalnum()]
    patterns = [*plain, *(f"\\{each}" for each in "!\"#%&',-/:;<=>@_`~ijmqyFIJLMOQUYE"), *(f"[{one}]" for one in plain)]
    patterns = [pattern for pattern in patterns if pattern not in (r"\Q", "[^]", "[\\]")]
    ours = {each: [int(re.search(translate(each), text) is not None) for text in TEXTS] for each in patterns}

    assert ours == dict(zip(patterns, perls(patterns), strict=True))


def test_quoted_part_is_literal() -> None:
    r"""Between \Q and \E nothing is special, which is what whoever writes it means."""
    assert re.search(translate(r"^\Qa.b\E\t"), "a.b\tc")
    assert not re.search(translate(r"\Qa.b"), "axb")


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(a", "a parenthesis is not closed"),
        ("(?#a", "a parenthesis is not closed"),
        ("a)", "a parenthesis is closed that was not opened"),
        ("[a", "a [ is not closed"),
        ("a\\", "it ends in a backslash"),
        ("(?R)", "'(?R' has no counterpart in Python"),
        ("(?{ die })", "'(?{' has no counterpart in Python"),
        ("(*ACCEPT)", "'(*A' has no counterpart in Python"),
        (r"\p{Han}", r"\p{Han} has no counterpart in Python"),
        (r"\X", r"\X has no counterpart in Python"),
        ("[[:^alpha:]]", "[:^alpha:] has no counterpart in Python"),
        (r"\x{110000}", "it names a character that does not exist"),
        ("*a", "it is not a regular expression: nothing to repeat at position 0"),
        ("a{99999999999}", "it is not a regular expression: the repetition number is too large"),
        ("(" * 900 + ")" * 900, "its groups are nested too deeply"),
    ],
)
def test_what_cannot_be_had_is_said(pattern: str, reason: str) -> None:
    """At the start, rather than at the first check."""
    with pytest.raises(Untranslatable) as refused:
        translate(pattern)

    assert str(refused.value) == reason


@given(st.text(st.sampled_from("ab09 \\[](){}^$.|?*+-:<>=!#QExzZhvRNpgk'&~"), max_size=20))
def test_whatever_is_written_is_translated_or_refused(pattern: str) -> None:
    """No expression makes the reader fail, and what is translated can be compiled without a warning."""
    try:
        translated = translate(pattern)
    except Untranslatable:
        return

    re.compile(translated)
