"""Whoever sees little contrast can read the page in both of its schemes (WCAG 2.1, 1.4.3: at least 4.5 to 1)."""

from __future__ import annotations

import re
from importlib import resources

import pytest

STYLE = resources.files("lvs_agent.web").joinpath("page.css").read_text(encoding="utf-8")
LIGHT, DARK = (
    dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))
    for block in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
)
TEXT_ON = {
    "ground": ("ink", "soft", "link", "warn"),
    "card": ("ink", "soft", "link", "good", "bad", "warn", "calm"),
    "good-tint": ("good",),
    "bad-tint": ("bad",),
    "warn-tint": ("warn",),
    "calm-tint": ("calm", "ink", "soft", "good", "bad", "warn"),
}
"""Which colours stand on which: on ``calm-tint`` everything in the line of a service that is pointed at."""


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb``, as WCAG defines it."""
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast of two colours, 1 to 21."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_what_the_standard_says() -> None:
    """Black on white has the most there is; the grey that just passes is the known one."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_can_be_read(scheme: dict[str, str]) -> None:
    """Every colour that text has, on everything that it stands on."""
    weak = [
        f"{text} on {ground}: {found:.2f}"
        for ground, texts in TEXT_ON.items()
        for text in texts
        if (found := contrast(scheme[text], scheme[ground])) < 4.5
    ]

    assert weak == []


def test_both_schemes_have_the_same_colours_and_no_others_are_used() -> None:
    """A colour that only one scheme knows, or that no scheme knows, would not be looked at here."""
    outside = re.sub(r":root \{.*?\}", "", STYLE, flags=re.DOTALL)
    used = {"line", *TEXT_ON, *(text for texts in TEXT_ON.values() for text in texts)}

    assert LIGHT.keys() == DARK.keys() == used
    assert re.findall(r"#[0-9a-f]{3,8}\b(?=[;, )])", outside) == []
    assert set(re.findall(r"var\(--([a-z-]+)\)", outside)) <= LIGHT.keys()
