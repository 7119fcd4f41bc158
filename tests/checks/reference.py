"""docs/checks.md: what each checker asks, and how it is configured.  ``make docs`` (this module's command) writes it.

Everything comes from the checkers: the module's docstring, its ``EXAMPLE`` (TOML), ``PASSES``, ``FAILS`` (reason: when)
and ``SEEN`` (by the server), and the fields of its ``Settings`` with the texts below them.
"""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from types import MappingProxyType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, SecretStr
from pydantic.fields import FieldInfo

from lvs_agent.checks.kinds import Checker, checkers
from lvs_agent.checks.net.tls import TlsSettings
from lvs_agent.config import ListenAddress
from lvs_agent.config.schema.check import CheckKeys
from lvs_agent.config.schema.docstrings import field_texts
from lvs_agent.config.schema.keys import models_in
from lvs_agent.config.schema.secret_keys import secret_places, variants
from lvs_agent.model.check import FailureReason
from lvs_agent.settings.scalars import parse_duration, parse_size, with_unit

DOCUMENT = Path(__file__).parents[2] / "docs" / "checks.md"
TABLE = "[virtual_service.check]"
_PARTS = ("EXAMPLE", "PASSES", "FAILS", "SEEN")
_INTRODUCTION = (
    "What each kind of check does, what passes and what fails. This file is generated from the checkers (`make docs`)."
)
_TABLES = (
    "A check is a table: `[virtual_service.check]` for all real servers of a service, "
    "`[virtual_service.real_server.check]` for one, `[defaults.check]` for all; a table further in replaces single "
    'keys of one further out. Durations and sizes are texts with their unit: `"500ms"`, `"2s"`, `"64KiB"`. '
    "For a key with a secret, the same key with `_file` or `_env` appended names a file or an environment "
    "variable that has it."
)
_REASONS: Mapping[FailureReason, str] = MappingProxyType(
    {
        FailureReason.REFUSED: "the server refuses the connection: the port is closed",
        FailureReason.UNREACHABLE: "the server cannot be reached: no answer to ARP, or a router reports it",
        FailureReason.CONNECT_TIMEOUT: "the time limit was reached before the connection was established",
        FailureReason.READ_TIMEOUT: "the time limit was reached before the answer came; what was waited for is shown",
        FailureReason.PROTOCOL: "the connection was reset",
    }
)
"""What may happen to every check that opens a connection."""
_TYPES: Mapping[type, str] = MappingProxyType(
    {
        bool: "true or false",
        int: "whole number",
        float: "number",
        str: "text",
        SecretStr: "secret",
        IPv4Address: "address",
        IPv6Address: "address",
        ListenAddress: "address and port",
    }
)


class Part(NamedTuple):
    """What a module says of its checker; a field is None where it does not say it."""

    example: str | None
    passes: str | None
    fails: Mapping[FailureReason, str] | None
    seen: str | None


def said(kind: str) -> Part:
    """What the checker's module says."""
    module = importlib.import_module(f"lvs_agent.checks.kinds.{kind}")
    return Part(*(getattr(module, name, None) for name in _PARTS))


def missing(kind: str) -> list[str]:
    """The names of what the checker's module does not say."""
    return [name for name, value in zip(_PARTS, said(kind), strict=True) if not value]


def document() -> str:
    """The document, as it must be."""
    kinds = checkers()
    lines = ["# Checks", "", _INTRODUCTION, "", _TABLES, "", "| type | asks |", "|---|---|"]
    lines += [f"| [`{kind}`](#{kind}) | {cell(each.summary)} |" for kind, each in kinds.items()]
    lines += ["", "## Keys of every check", "", *_keys(CheckKeys), "", "## Reasons of every check", ""]
    lines += ["A check that opens a connection can also fail for these reasons:", ""]
    lines += [*_reasons(_REASONS)]
    for checker in kinds.values():
        lines += ["", *_section(checker)]
    lines += ["", "## The tls table", "", *_keys(TlsSettings)]
    return "\n".join(lines) + "\n"


def _section(checker: Checker) -> Iterator[str]:
    part = said(checker.kind)
    module = importlib.import_module(f"lvs_agent.checks.kinds.{checker.kind}")
    yield f"## {checker.kind}"
    for paragraph in inspect.cleandoc(module.__doc__ or "").split("\n\n"):
        yield from ("", _sentence(paragraph))
    if part.example:
        yield from ("", "```toml", in_table(part.example), "```")
    if part.passes:
        yield from ("", f"**Passes:** {_sentence(part.passes)}")
    if part.fails:
        yield from ("", "**Fails:**", "", *_reasons(part.fails))
    if part.seen:
        yield from ("", f"**The server sees:** {_sentence(part.seen)}")
    yield from ("", f"**Port:** {_port(checker)}")
    if checker.settings.model_fields:
        yield from ("", *_keys(checker.settings))
    for name, model in _inner(checker.settings):
        yield from ("", f"Keys of `{name}`:", "", *_keys(model))


def in_table(example: str) -> str:
    """An example that begins with its table."""
    text = inspect.cleandoc(example)
    return text if text.startswith("[") else f"{TABLE}\n{text}"


def _port(checker: Checker) -> str:
    if not checker.settings.uses_port:
        return "None."
    default = checker.settings.default_port
    usual = f" without one, {default}." if default else " one of them must have one."
    return f"`port`, or that of the real server, or that of the service;{usual}"


def _reasons(reasons: Mapping[FailureReason, str]) -> Iterator[str]:
    for reason, when in reasons.items():
        yield f"- `{reason.value}`: {_prose(when)}"


def _keys(model: type[BaseModel]) -> Iterator[str]:
    texts, places = field_texts(model), secret_places(model)
    yield from ("| key | type | default | meaning |", "|---|---|---|---|")
    for name, info in model.model_fields.items():
        key = info.alias or name
        also = f"  Also {' and '.join(f'`{form}`' for form in variants(key))}." if key in places.keys else ""
        cells = (
            f"`{key}`",
            type_words(info.annotation, info.metadata),
            default_words(info),
            texts.get(name, "") + also,
        )
        yield f"| {' | '.join(cell(each) for each in cells)} |"


def _inner(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Tables within the table, but for tls, which has a section of its own."""
    for name, info in model.model_fields.items():
        for found in models_in(info.annotation):
            if not issubclass(found, TlsSettings):
                yield prefix + name, found
                yield from _inner(found, f"{prefix}{name}.")


def type_words(annotation: object, metadata: list[Any] | tuple[Any, ...] = ()) -> str:
    """A type in the words of TOML."""
    readers = {each.func for each in metadata if isinstance(each, BeforeValidator)}
    if parse_duration in readers or parse_size in readers:
        return "duration" if parse_duration in readers else "size"
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_words(arguments[0], arguments[1:])
    if origin in (Union, UnionType):
        words = [type_words(each, metadata) for each in arguments if each is not type(None)]
        return " or ".join(dict.fromkeys(words))
    if origin is Literal:
        return ", ".join(json.dumps(each) for each in arguments)
    if origin in (tuple, list, frozenset, set):
        return f"array: {type_words(arguments[0])}"
    if origin in (dict, Mapping) and arguments[1] is Any:
        return "table"
    if origin in (dict, Mapping):
        return f"table of {type_words(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(json.dumps(each.value) for each in annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "table, [see below](#the-tls-table)" if issubclass(annotation, TlsSettings) else "table, see below"
    return _TYPES[annotation] if isinstance(annotation, type) and annotation in _TYPES else "text"


def default_words(info: FieldInfo) -> str:
    """What holds where the key is not written, as TOML has it; nothing where that is nothing."""
    if info.is_required():
        return "required"
    value = info.get_default(call_default_factory=True, validated_data={})
    if value is None or isinstance(value, BaseModel) or value in ((), {}, frozenset()):
        return ""
    words = type_words(info.annotation, info.metadata)
    if words in {"duration", "size"}:
        return f'`"{with_unit(value, size=words == "size")}"`'
    return f"`{json.dumps(_plain(value), ensure_ascii=False)}`"


def _plain(value: object) -> object:
    """A default as JSON, which is TOML for these, would have it."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple | frozenset):
        return [_plain(each) for each in value]
    return value if isinstance(value, bool | int | float | str | dict) else str(value)


def cell(text: str) -> str:
    """A text of the code in a table of Markdown."""
    return _prose(text).replace("|", "\\|")


def _prose(text: str) -> str:
    """A text of the code as a paragraph of Markdown."""
    return re.sub(r"\s+", " ", text.replace("``", "`")).strip()


def _sentence(text: str) -> str:
    prose = _prose(text)
    return prose[:1].upper() + prose[1:] + ("" if prose.endswith((".", ":")) else ".")


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
