"""What the web configuration file says now: it and the files that it names are read again when they have changed."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from lvs_agent.clock import Clock
from lvs_agent.errors import ConfigError, Problem
from lvs_agent.files import Stamp, stamp_of
from lvs_agent.log import get_logger
from lvs_agent.web.passwords import Passwords
from lvs_agent.web.tls import ServerContext, server_context
from lvs_agent.web.web_config import WebConfig, read_web_config

log = get_logger()

LOOK_EVERY_S = 1.0


class Loaded(NamedTuple):
    """A web configuration with everything that it names."""

    config: WebConfig
    context: ServerContext | None


def load_web_config(path: Path, *, before_reading: Callable[[Path], object] = lambda _: None) -> Loaded:
    """The web configuration in ``path``, and its certificates.  Raises ConfigError: ``file: path: problem``.

    ``before_reading`` is called with each file.
    """
    try:
        before_reading(path)
        config = read_web_config(path)
        if config.tls is None:
            return Loaded(config, None)
        for file in config.tls.files:
            before_reading(file)
        return Loaded(config, server_context(config.tls))
    except ConfigError as error:
        raise ConfigError([Problem(str(path), str(problem)) for problem in error.problems]) from error


class Security:
    """TLS, passwords and headers by the file ``path``.  For one thread.

    Raises ConfigError where it cannot be used at the start.  Later, what was in force stays until the files are right.
    """

    def __init__(self, path: Path, *, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._looked_at = clock.monotonic()
        self._seen: dict[Path, Stamp | None] = {}
        self._take(self._load())

    @property
    def encrypts(self) -> bool:
        """Whether connections are encrypted.  That stays as it was at the start."""
        return self._context is not None

    def context(self) -> ssl.SSLContext:
        """What a new connection is encrypted with; only where ``encrypts``."""
        self.refresh()
        if self._context is None:
            raise RuntimeError("nothing is encrypted here")
        return self._context

    def refresh(self) -> None:
        """Take what has changed; the files are looked at once a second at most."""
        now = self._clock.monotonic()
        if now - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = now
        if all(stamp_of(file) == seen for file, seen in self._seen.items()):
            return
        problems: Sequence[Problem] = ()
        try:
            loaded = self._load()
        except ConfigError as error:
            problems = error.problems
        else:
            if (loaded.context is not None) == self.encrypts:
                self._take(loaded)
                log.info("web_configuration_loaded", file=self._path, users=len(loaded.config.users))
                return
            problems = [Problem(str(self._path), "only a restart switches TLS on or off")]
        for problem in problems:
            log.error("web_configuration_not_loaded", file=problem.path, problem=problem.text)

    def _load(self) -> Loaded:
        """Read everything; what changes from now on is seen by the next look, whether this one succeeds or not."""
        self._seen = {}
        return load_web_config(self._path, before_reading=self._note)

    def _note(self, file: Path) -> None:
        self._seen[file] = stamp_of(file)

    def _take(self, loaded: Loaded) -> None:
        self._context = loaded.context
        self.passwords = Passwords(loaded.config.users)
        self.headers = tuple(
            (name.lower().encode(), value.encode()) for name, value in loaded.config.headers.items() if value
        )
