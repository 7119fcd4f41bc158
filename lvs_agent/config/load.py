"""Reads a configuration file and makes the program's ``Config`` of it, or tells everything that is wrong."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from pathlib import Path

from lvs_agent.config.build import config_from_tables
from lvs_agent.config.secrets import SecretSource
from lvs_agent.config.settings import Config
from lvs_agent.config.toml_text import decoded, tables_of
from lvs_agent.errors import ConfigError, Problem


class ConfigForm(Enum):
    """How a configuration file is written."""

    TOML = "toml"
    LDIRECTORD = "ldirectord"


def form_of(path: Path) -> ConfigForm:
    """What the file's name says: ``.cf`` is an ldirectord.cf, every other one is TOML."""
    return ConfigForm.LDIRECTORD if path.suffix == ".cf" else ConfigForm.TOML


def load_config(path: Path, form: ConfigForm | None = None) -> Config:
    """The configuration in the file ``path``, which is written in ``form`` (None: as its name says).

    Raises ConfigError with everything that is wrong.
    """
    content, base = _read(path), path.absolute().parent
    if (form or form_of(path)) is ConfigForm.LDIRECTORD:
        return _ldirectord(content, name=path.name, base=base)
    return parse_config(decoded(content, name=str(path)), base=base)


def parse_config(text: str, *, base: Path) -> Config:
    """The configuration in the TOML ``text``.  Relative paths in it start at the directory ``base``.

    Raises ConfigError with everything that is wrong.
    """
    return config_from_tables(tables_of(text), source=SecretSource.of_process(base))


def _ldirectord(content: bytes, *, name: str, base: Path) -> Config:
    """Everything wrong at once: with the text, and with what it means."""
    # An agent with a TOML file need not wait at its start for some thirty modules, here and below.
    from lvs_agent.ldirectord.reader.names import SystemNames  # noqa: PLC0415
    from lvs_agent.ldirectord.reader.reading import merge_problems, understand  # noqa: PLC0415

    understood = understand(content, name=name, names=SystemNames())
    reading, errors = understood.reading, understood.errors
    try:
        config = config_from_tables(reading.tables, source=SecretSource.of_process(base), places=reading.places)
    except ConfigError as error:
        raise ConfigError(merge_problems(errors, error.problems)) from None
    if errors:
        raise ConfigError(errors)
    return replace(config, warnings=merge_problems(reading.warnings, config.warnings))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        reason = "there is no such file; give its path with --config"
    except IsADirectoryError:
        reason = "is a directory; give the path of a file"
    except PermissionError:
        reason = "cannot be read: permission denied; let the user that runs lvs-agent read it"
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    raise ConfigError([Problem(str(path), reason)])
