"""The process that runs commands, by its socket alone."""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys


def test_agent_that_leaves_with_an_unread_answer_is_the_end() -> None:
    """The system then reports a reset instead of the end of the stream; the runner ends as quietly."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-S", "-c", f"from lvs_agent.commands.runner import main; main({theirs.fileno()})"],
            pass_fds=(theirs.fileno(),),
            stderr=subprocess.PIPE,
        )
    request = {"id": 1, "argv": ["/bin/true"], "env": {}, "user": None, "limit": 0, "leaves": False, "limits": {}}
    ours.sendall(json.dumps(request).encode() + b"\n")
    readable, _, _ = select.select([ours], [], [], 10)
    ours.close()
    _, written = process.communicate(timeout=10)

    assert readable
    assert (process.returncode, written) == (0, b"")
