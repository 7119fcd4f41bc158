"""Reads a configuration file and makes the program's ``Config`` of it, or reports everything that is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lvs_agent.config.build import config_from_tables
from lvs_agent.config.formats import ConfigFormat, SourceTables
from lvs_agent.config.secrets import SecretSource
from lvs_agent.config.settings import Config
from lvs_agent.config.toml_text import TOML, tables_of
from lvs_agent.errors import ConfigError, Problem
from lvs_agent.files import open_to_read

LARGEST_FILE = 64 * 1_048_576
"""Bytes: some ten times what 36,000 real servers with checks of their own need."""


def load_config(path: Path, form: ConfigFormat = TOML) -> Config:
    """The configuration in the file ``path``, which is written in ``form``.

    Raises ConfigError with everything that is wrong.
    """
    return config_from_source(form.read(_read(path), name=path.name), base=path.absolute().parent)


def config_from_source(source: SourceTables, *, base: Path) -> Config:
    """The configuration that a format has read.  Relative paths in it start at the directory ``base``.

    Raises ConfigError with everything that is wrong.
    """
    try:
        config = config_from_tables(source.tables, source=SecretSource.of_process(base), formatter=source.formatter)
    except ConfigError as error:
        raise ConfigError(source.merged(source.errors, error.problems)) from None
    if source.errors:
        raise ConfigError(source.errors)
    return replace(config, warnings=source.merged(source.warnings, config.warnings))


def parse_config(text: str, *, base: Path) -> Config:
    """The configuration in the TOML ``text``.  Relative paths in it start at the directory ``base``.

    Raises ConfigError with everything that is wrong.
    """
    return config_from_source(SourceTables(tables=tables_of(text)), base=base)


def _read(path: Path) -> bytes:
    try:
        with open_to_read(path) as file:
            content = file.read(LARGEST_FILE + 1)
        if len(content) <= LARGEST_FILE:
            return content
        reason = f"must not be larger than {LARGEST_FILE // 1_048_576}MiB"
    except FileNotFoundError:
        reason = "the path does not exist; set another one with --config"
    except IsADirectoryError:
        reason = "must be a file, but is a directory"
    except PermissionError:
        reason = "cannot be read: permission denied; let the user that runs lvs-agent read it"
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
    raise ConfigError([Problem(str(path), reason)])
