"""What a value means, as text that is equal for equal meaning: the ground of check ids and of the digest."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from pydantic import BaseModel, SecretStr


def fingerprint(value: object) -> str:
    """SHA-256 of what ``value`` means, as 64 hexadecimal digits.  Secrets take part, and cannot be read from it."""
    text = json.dumps(_plain(value), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: object) -> Any:
    """``value`` as what JSON can hold; fields that do not take part in comparison are left out."""
    plain: Any
    match value:
        case Enum():
            plain = _plain(value.value)
        case None | bool() | str() | int() | float():
            plain = value
        case SecretStr():
            plain = value.get_secret_value()
        case BaseModel():
            plain = {name: _plain(getattr(value, name)) for name in type(value).model_fields}
        case Mapping():
            plain = {str(key): _plain(inner) for key, inner in value.items()}
        case AbstractSet():
            plain = sorted((_plain(inner) for inner in value), key=repr)
        case list() | tuple():
            plain = [_plain(inner) for inner in value]
        case re.Pattern():
            plain = [value.pattern, value.flags]
        case _ if is_dataclass(value):
            plain = {each.name: _plain(getattr(value, each.name)) for each in fields(value) if each.compare}
        case _:
            plain = str(value)
    return plain
