"""Writes files of commands: whole or not at all, and never over another one by accident."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import click

from lvs_agent.errors import StartError

PRIVATE = 0o600
_PUBLIC = 0o666


def refuse_existing(*paths: Path) -> None:
    """Raises UsageError where one of ``paths`` is there."""
    for path in paths:
        if path.exists() or path.is_symlink():
            raise click.UsageError(f"{path} exists already; --force replaces it")


def private_directory(path: Path) -> None:
    """Make the directory ``path``, for its owner alone, where it is missing.  Raises StartError."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(path, error) from error


def write_file(path: Path, text: str, *, private: bool, replace: bool) -> None:
    """Write ``path`` in one step, readable by its owner alone where it is ``private``.

    Raises UsageError where it is there and ``replace`` is False, and StartError where it cannot be written.
    """
    try:
        _write(path, text.encode(), mode=PRIVATE if private else _PUBLIC & ~_umask(), replace=replace)
    except FileExistsError:
        refuse_existing(path)
    except OSError as error:
        raise _cannot_write(path, error) from error


def _write(path: Path, content: bytes, *, mode: int, replace: bool) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        temporary.chmod(mode)
        if replace:
            temporary.replace(path)
        else:
            path.hardlink_to(temporary)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _cannot_write(path: Path, error: OSError) -> StartError:
    return StartError(f"cannot write {path}: {error.strerror}")
