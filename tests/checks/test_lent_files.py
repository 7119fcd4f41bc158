"""Certificates that the process with the probes may not read, and gets copies of."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lvs_agent.checks.net import lent_files
from lvs_agent.checks.net.lent_files import lend, readable
from lvs_agent.checks.net.tls import ContextUnusable, TlsSettings, context_for
from tests.checks.conftest import Certificates

NOBODY = 65_534


def said_by_nobody(path: Path, content: bytes) -> str:
    """What a process of another user makes of the file at ``path``, and of copies with ``content``."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        said = "it did not come to an end"
        try:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            said = _tried(path, content)
        finally:
            os.write(write, said.encode())
            os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    with os.fdopen(read) as end:
        return end.read()


def _tried(path: Path, content: bytes) -> str:
    settings = TlsSettings(verify=False, client_certificate=str(path))
    try:
        context_for(settings, alpn=())
    except ContextUnusable as problem:
        said = problem.result.detail
    else:
        return "it could be read without a copy"
    lend({str(path): content})
    first = context_for(settings, alpn=())
    lend({str(path): content})
    second = context_for(settings, alpn=())
    mode = Path(readable(str(path))).stat().st_mode & 0o777
    return f"{said}; {type(first).__name__}; {first is second}; {mode:o}; {len(lent_files._copies)}"


@pytest.mark.skipif(os.geteuid() != 0, reason="changes its user")
def test_copy_is_used_by_a_process_that_may_not_read_the_file(tmp_path: Path, certificates: Certificates) -> None:
    """A renewed copy makes a new context, and the earlier one is closed."""
    content = certificates.client.path.read_bytes()
    file = tmp_path / "client.pem"
    file.write_bytes(content)
    file.chmod(0o600)

    assert said_by_nobody(file, content) == f"{file}: permission denied; SSLContext; False; 600; 1"
