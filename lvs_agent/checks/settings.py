"""What the settings models of all checkers share: strictness, and the types that people write in TOML.

Used by the configuration too, so that a duration is written the same everywhere.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationInfo

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_SIZE = re.compile(r"(\d+)\s*(B|KiB|MiB)")
_BYTES = {"B": 1, "KiB": 1_024, "MiB": 1_048_576}


def parse_duration(value: object) -> float:
    """Seconds of ``"500ms"``, ``"2s"``, ``"1.5m"``, ``"1h"`` or ``"1d"``.  Raises ValueError for everything else."""
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError('a duration with its unit is wanted, like "500ms", "2s" or "1m"')
    return float(match[1]) * _SECONDS[match[2]]


def parse_size(value: object) -> int:
    """Bytes of ``"512B"``, ``"64KiB"`` or ``"1MiB"``.  Raises ValueError for everything else."""
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError('a size with its unit is wanted, like "64KiB" or "1MiB"')
    return int(match[1]) * _BYTES[match[2]]


def _from_base(value: str, info: ValidationInfo) -> str:
    base = info.context.get(BASE) if info.context else None
    return str(base / value) if isinstance(base, Path) else value


Duration = Annotated[float, BeforeValidator(parse_duration, json_schema_input_type=str)]
"""Seconds; written with a unit."""

Size = Annotated[int, BeforeValidator(parse_size, json_schema_input_type=str)]
"""Bytes; written with a unit."""

HOST_NAMES = "encodings.idna"
"""A library: what the interpreter imports when it is first given a name of a host, or its address as a text."""

BASE = "base"
"""Key of the validation context under which the directory of the configuration file is."""

OwnFile = Annotated[str, Field(min_length=1), AfterValidator(_from_base)]
"""Path of a file of this host; a relative one starts at the configuration file's directory."""

Secret = SecretStr
"""A text that is never printed; a probe reads it with ``get_secret_value()``.

A field ``password: Secret | None`` may also be written ``password_file = "PATH"`` or ``password_env = "NAME"``, and a
value of a field ``headers: dict[str, Secret]`` also ``{ file = "PATH" }`` or ``{ env = "NAME" }``.  The configuration
reads them before the model is made.
"""


class Strict(BaseModel):
    """A frozen model that takes no unknown key and converts nothing silently.

    It is built when the first table is validated, and the texts below its fields are read when the JSON Schema is
    made (``lvs_agent.config.docstrings``): at a start, most models are not needed, and the texts never.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


class CheckSettings(Strict):
    """Base of every checker's ``Settings``: each field is a key of the check's TOML table.

    ``default_port``: the port to check where neither the check nor the real server has one (None: there must be one).
    ``uses_port``: False where the checker has no ports at all (ping, none).
    ``gives_weight``: True where a probe that passes may ask for a share of the server's weight.
    ``wants_identity``: True where a probe must know on behalf of which service and server it runs.
    ``libraries``: modules that its probes import, besides what TLS needs; ``libraries.load`` does it before they run.
    ``extra_library``: the module that an extra named like the checker brings; None where there is no such extra.
    """

    default_port: ClassVar[int | None] = None
    uses_port: ClassVar[bool] = True
    gives_weight: ClassVar[bool] = False
    wants_identity: ClassVar[bool] = False
    libraries: ClassVar[tuple[str, ...]] = ()
    extra_library: ClassVar[str | None] = None

    @property
    def usual_port(self) -> int | None:
        """``default_port``, where no other key says that another one is usual."""
        return self.default_port

    @property
    def uses_tls(self) -> bool:
        """Whether probes speak TLS: there is a tls table, where no other key says so."""
        return getattr(self, "tls", None) is not None
