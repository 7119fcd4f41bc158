"""How much longer than at its best the machine takes for the same work: what others take from the lab kernel.

Run as a program inside the kernel.  A character on standard input begins a look, the next ends it and is answered with
how many times longer than at its best the work took in between, on average.  The work is messages between two
processes: switches of tasks and calls into the kernel, which is what a check, a round and the watch on a table consist
of.  Both processes come before everything that is not of a real-time class (sched(7)), so that what the kernel under
test is busy with, such as the agent, cannot excuse itself.
"""

from __future__ import annotations

import os
import select
import socket
import time

STDIN = 0
LOOK_S, MESSAGES, BEST_OF = 0.05, 10, 50
"""How often the work is done within a look, how many messages it has, and by how many tries its best is found."""


def main() -> None:
    """Answer looks until standard input ends."""
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        ours.close()
        while message := theirs.recv(1):
            theirs.send(message)
        os._exit(0)
    theirs.close()
    best_s = min(work_s(ours) for _ in range(BEST_OF))
    print("ready", flush=True)
    while os.read(STDIN, 1):
        times_s = [work_s(ours)]
        while not select.select([STDIN], [], [], LOOK_S)[0]:
            times_s.append(work_s(ours))
        os.read(STDIN, 1)
        best_s = min(best_s, *times_s)
        print(sum(times_s) / len(times_s) / best_s, flush=True)


def exchange(peer: socket.socket) -> None:
    """Send a message and wait for its answer."""
    peer.send(b"?")
    peer.recv(1)


def work_s(peer: socket.socket) -> float:
    """Seconds that the work takes."""
    exchange(peer)  # after a pause, a processor of the machine takes a while to wake up
    began = time.monotonic()
    for _ in range(MESSAGES):
        exchange(peer)
    return time.monotonic() - began


if __name__ == "__main__":
    main()
