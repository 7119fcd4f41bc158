"""``python -m tests.differential``: many generated files, and those that are given, told to both programs.

Workers run beside each other, each in a network namespace of its own.  Exit status 1: a difference without a name, a
name without a paragraph in the document, or a name that no case shows any more.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from queue import Queue
from threading import Thread
from typing import Any

from tests.differential.cases import CASES, given_files, hosts_of, story_of
from tests.differential.differences import documented, names_of_problems, names_of_rows
from tests.differential.files import Story
from tests.differential.oracle import Oracle, installed, without_network
from tests.differential.telling import Ending, story, tell
from tests.differential.world import HOSTS, HOSTS6, World

Report = dict[str, Any]
AT_ONCE = 2
"""Files at once for each processor: most of the time ldirectord waits for a time limit of its checks."""


def main() -> int:
    """Run everything, or be a worker."""
    parser = argparse.ArgumentParser(prog="python -m tests.differential", description=__doc__)
    parser.add_argument("--files", type=int, default=300, help="how many are generated")
    parser.add_argument("--first", type=int, default=1, help="number of the first one")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return _work()
    if not installed():
        print("ldirectord is not installed; get it with: apt-get install ldirectord", file=sys.stderr)
        return 1
    tasks = [f"story {number}" for number in range(options.first, options.first + options.files)]  # take longest
    tasks += [f"case {name}" for name in CASES] + [f"given {name}" for name, _ in given_files()]
    return _summarize(list(_reports(tasks)))


def _reports(tasks: Sequence[str]) -> Iterator[Report]:
    """What the workers report, as it comes."""
    count = min(AT_ONCE * (os.cpu_count() or 1), len(tasks))
    command = [*without_network(), sys.executable, "-m", "tests.differential", "--worker"]
    pipe = subprocess.PIPE
    workers = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, bufsize=1) for _ in range(count)]
    waiting, lines = deque(tasks), Queue[str | None]()
    for worker in workers:
        Thread(target=_let_work, args=(worker, waiting, lines), daemon=True).start()
    began, done, running = time.monotonic(), 0, len(workers)
    try:
        while running:
            line = lines.get()
            if line is None:
                running -= 1
                continue
            report = json.loads(line)
            done += 1
            _show(report)
            if done % 25 == 0:
                print(f"{done} of {len(tasks)} files in {time.monotonic() - began:.0f} s", flush=True)
            yield report
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


def _let_work(worker: subprocess.Popen[str], waiting: deque[str], lines: Queue[str | None]) -> None:
    """Give ``worker`` one task after another, and put what it reports into ``lines``; None at the end."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    task = "no file"
    with suppress(IndexError, BrokenPipeError):
        while True:
            task = waiting.popleft()
            worker.stdin.write(f"{task}\n")
            report = worker.stdout.readline()
            if not report:
                break
            lines.put(report)
    with suppress(BrokenPipeError):
        worker.stdin.close()
    if status := worker.wait():
        lines.put(json.dumps({"task": task, "unnamed": [f"its worker ended with {status}"], "names": [], "steps": 0}))
    lines.put(None)


def _show(report: Report) -> None:
    for text in report["unnamed"]:
        print(f"{report['task']}: {text}", flush=True)


def _summarize(reports: Sequence[Report]) -> int:
    names = Counter(name for report in reports for name in report["names"])
    cases = {report["task"].partition(" ")[2]: report for report in reports if report["task"].startswith("case ")}
    silent = sorted(name for name, report in cases.items() if name not in report["names"])
    missing = sorted((set(names) | set(CASES)) ^ documented())
    unnamed = sum(bool(report["unnamed"]) for report in reports)
    equal = sum(not report["names"] and not report["unnamed"] and not report.get("refused") for report in reports)
    refused = sum(bool(report.get("refused")) for report in reports)
    named = sum(bool(report["names"]) for report in reports)
    print(f"{len(reports)} files: {len(reports) - refused} taken by ldirectord, {refused} refused")
    print(f"{equal} equal in every step, {named} with differences that have a name, {unnamed} with others")
    print(f"{sum(report['steps'] for report in reports)} tables compared; files by name of the difference:")
    for name, count in names.most_common():
        print(f"  {count:4} {name}")
    for problem in [
        *(f"{name}: its case shows it no more" for name in silent),
        *(f"{name}: not in the document, or only there" for name in missing),
    ]:
        print(problem)
    return 1 if unnamed or silent or missing else 0


# --- a worker ---------------------------------------------------------------------------------------------------------


def _work() -> int:
    given = dict(given_files())
    with Oracle() as oracle:
        for task in sys.stdin:
            kind, _, name = task.rstrip("\n").partition(" ")
            one = CASES[name] if kind == "case" else story(int(name)) if kind == "story" else story_of(given[name])
            hosts = {*HOSTS, *HOSTS6, *(hosts_of(one.before) if kind == "given" else ())}
            print(json.dumps({"task": f"{kind} {name}", **_report(one, oracle=oracle, hosts=hosts)}), flush=True)
    return 0


def _report(one: Story, *, oracle: Oracle, hosts: set[str]) -> Report:
    for text in (one.before, one.after):
        if line := oracle.refused_at(text):
            return {"refused": line, "unnamed": [], "names": [], "steps": 0}
    names: set[str] = set()
    unnamed, steps = [], 0
    with World(hosts=hosts) as world:
        for ending in tell(one, world=world):
            steps += 1
            found = set() if ending.equal else _names(one, ending)
            names |= found
            if "" in found:
                unnamed.append(_described(ending))
    return {"names": sorted(names - {""}), "unnamed": unnamed, "steps": steps}


def _names(one: Story, ending: Ending) -> set[str]:
    if ending.problems:
        return names_of_problems(ending.problems)
    files = {ending.text, one.before}
    return names_of_rows(files, ending.theirs, ending.ours)


def _described(ending: Ending) -> str:
    lines = [f"after the step {ending.step!r}", ending.text.decode("utf-8", "replace"), *ending.problems]
    lines += [f"  only ldirectord: {line}" for line in sorted(set(ending.theirs) - set(ending.ours))]
    lines += [f"  only lvs-agent:  {line}" for line in sorted(set(ending.ours) - set(ending.theirs))]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
