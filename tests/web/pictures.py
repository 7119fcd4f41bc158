"""Writes the pictures of the status page that the documentation shows: ``python -m tests.web.pictures``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from playwright.sync_api import Browser, sync_playwright

from tests.cli.agents import serving
from tests.web.test_browser import CHROMIUM

IMAGES = Path(__file__).parents[2] / "docs" / "images"


class Picture(NamedTuple):
    """One picture: its file, and the browser that it is taken in; ``asked``: whose reasons are open."""

    name: str
    width: int
    height: int
    scheme: Literal["light", "dark"]
    asked: str


PICTURES = (
    Picture("status-light", 1200, 940, "light", "tcp/203.0.113.12:80 wiki2"),
    Picture("status-dark", 1200, 940, "dark", "tcp/203.0.113.12:80 wiki2"),
    Picture("status-narrow", 390, 844, "light", ""),
)


def main() -> None:
    """Take every picture."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with serving() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for picture in PICTURES:
            _take(browser, url, picture)
        browser.close()


def _take(browser: Browser, url: str, picture: Picture) -> None:
    page = browser.new_page(viewport={"width": picture.width, "height": picture.height}, color_scheme=picture.scheme)
    page.goto(url)
    page.locator("#pause").wait_for(state="visible")
    if picture.asked:
        page.evaluate("(id) => { document.getElementById(id).open = true; }", f"why {picture.asked}")
    path = IMAGES / f"{picture.name}.png"
    page.screenshot(path=path)
    page.close()
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
