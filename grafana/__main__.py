"""Generate the files of the dashboards."""

from __future__ import annotations

from pathlib import Path

from grafana import agent, overview, virtual_service
from grafana.build import Page, dashboard, text_of

DIRECTORY = Path(__file__).with_name("dashboards")


def pages() -> tuple[Page, ...]:
    """All dashboards, freshly made."""
    return overview.page(), virtual_service.page(), agent.page()


def texts() -> dict[str, str]:
    """The text of each file in ``DIRECTORY``, by its name."""
    return {f"{page.uid}.json": text_of(dashboard(page)) for page in pages()}


def main() -> None:
    """Write each file, and remove what is not a dashboard any more."""
    DIRECTORY.mkdir(exist_ok=True)
    found = texts()
    for path in DIRECTORY.glob("*.json"):
        if path.name not in found:
            path.unlink()
    for name, text in found.items():
        (DIRECTORY / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
