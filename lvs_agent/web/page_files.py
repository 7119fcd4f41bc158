"""The style and the script of the status page, and how every answer names them."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources


def _own_file(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


STYLE, SCRIPT = _own_file("page.css"), _own_file("page.js")
STYLE_HASH, SCRIPT_HASH = _hash(STYLE), _hash(SCRIPT)
"""What a Content-Security-Policy allows instead of any style and any script."""
