"""``lvs-agent convert``: an ldirectord.cf as TOML, or its mail settings for Alertmanager."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import click

from lvs_agent.checks.kinds import checkers
from lvs_agent.config import Config, config_from_source, parse_config
from lvs_agent.config.unexpected import unexpected_is_refused
from lvs_agent.errors import ConfigError, LvsAgentError, Problem, StartError
from lvs_agent.ldirectord.convert.alertmanager import mail_plan
from lvs_agent.ldirectord.convert.conversion import Conversion, conversion
from lvs_agent.ldirectord.convert.files import private_directory, refuse_existing, write_file
from lvs_agent.ldirectord.convert.unused import with_unused
from lvs_agent.ldirectord.convert.yaml import to_yaml
from lvs_agent.ldirectord.reader import Reading
from lvs_agent.ldirectord.reader.reading import understand
from lvs_agent.ldirectord.reader.source import source_of


@click.command()
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path, readable=False))
@click.option(
    "--output", type=click.Path(path_type=Path), metavar="OUT", help="Write to this file instead of standard output."
)
@click.option(
    "--secrets-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write each password to a file of its own in DIR, readable by its owner alone.",
)
@click.option("--alertmanager", is_flag=True, help="Print a configuration of Alertmanager for emailalert.")
@click.option("--force", is_flag=True, help="Replace existing files.")
def convert(path: Path, output: Path | None, secrets_dir: Path | None, *, alertmanager: bool, force: bool) -> None:
    """Print an ldirectord.cf as TOML that means the same.

    Comments are kept.  Warnings about the file, and about directives without effect, go to standard error and, as
    comments, to their places in the TOML.  Exits with 0, or prints each error as "FILE: line N: problem" and exits
    with 2.
    """
    if alertmanager and secrets_dir is not None:
        raise click.UsageError("--alertmanager and --secrets-dir cannot be used together: the output has no passwords")
    content = _content(path)
    with unexpected_is_refused(path):
        reading, config = _read(path, content)
    if alertmanager:
        _mails(path, reading, config, output, force=force)
        return
    _warn(path, reading.warnings)
    with unexpected_is_refused(path):
        found = conversion(reading, content=content, file=path.name, base=path.absolute().parent, checkers=checkers())
    verify(found, config, output=output)
    write_toml(found, cf=path, output=output, secrets_dir=secrets_dir, force=force)


def verify(found: Conversion, config: Config, *, output: Path | None) -> None:
    """Raise LvsAgentError where the TOML would not mean the same: nobody shall find out by a different table."""
    base = Path.cwd() if output is None else output.absolute().parent
    if parse_config(found.toml(), base=base).digest != config.digest:
        raise LvsAgentError("the TOML would not mean the same, and is not written; please report this with the file")


def write_toml(found: Conversion, *, cf: Path, output: Path | None, secrets_dir: Path | None, force: bool) -> None:
    """Write the conversion of ``cf``, secrets first.  Raises UsageError before anything is overwritten, StartError."""
    if secrets_dir is None:
        text = "is a password, which the TOML has in plain text; see --secrets-dir"
        _warn(cf, [Problem(secret.path, text) for secret in found.secrets])
        _print(found.toml(), output, private=bool(found.secrets), force=force)
        return
    files = {secrets_dir / secret.file: secret.content for secret in found.secrets}
    if not force:
        refuse_existing(*files, *([] if output is None else [output]))
    if files:
        private_directory(secrets_dir)
    for file, content in files.items():
        write_file(file, content, private=True, replace=force)
    _print(found.toml(secrets_dir=secrets_dir.absolute()), output, private=False, force=force)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError([Problem(str(path), f"cannot be read: {error.strerror}")]) from error


def _read(path: Path, content: bytes) -> tuple[Reading, Config]:
    """The reading with everything that there is to warn of, and what the agent would make of it."""
    understood = understand(content, name=path.name)
    try:
        config = config_from_source(source_of(understood), base=path.absolute().parent)
    except ConfigError as error:
        raise error.in_file(path) from error
    return with_unused(replace(understood.reading, warnings=config.warnings)), config


def _mails(path: Path, reading: Reading, config: Config, output: Path | None, *, force: bool) -> None:
    services = [service.name for service in config.intent.services]
    if not reading.alerts:
        click.echo(f"warning: {path}: has no emailalert: Alertmanager notifies nobody", err=True)
    _print(to_yaml(mail_plan(reading.alerts, services=services), file=path.name), output, private=False, force=force)


def _warn(path: Path, warnings: Iterable[Problem]) -> None:
    for warning in warnings:
        click.echo(f"warning: {path}: {warning}", err=True)


def _print(text: str, output: Path | None, *, private: bool, force: bool) -> None:
    if output is None:
        click.echo(text, nl=False)
    elif output.is_dir():
        raise StartError(f"cannot write {output}: is a directory")
    else:
        write_file(output, text, private=private, replace=force)
