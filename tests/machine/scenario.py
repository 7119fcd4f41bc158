"""What is done in the booted machine, with its own Python: everything an operator does with the units, once.

Facts are collected step by step and written to ``facts.json`` in the working directory; the tests outside read them
there.  A step that fails leaves its traceback, and the next one goes on.  The first boot ends with a reboot.
"""

from __future__ import annotations

import grp
import json
import os
import sys
import threading
import time
import traceback
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.machine.looking import (
    connections,
    destinations,
    family,
    get,
    journal,
    modes,
    outline,
    process,
    processes,
    run,
    show,
    table,
    until,
    watched,
)

FACTS = Path("facts.json")
REBOOT = 194
"""The exit status with which the machine reboots and begins again."""
WATCHDOG_S = 4
AGENT, INSTANCE, EXPORTER = "lvs-agent.service", "lvs-agent@ldirectord.cf.service", "lvs-agent-exporter.service"
INSTANCE_PORT = 9660
WEB = "127.0.0.100:80"
CONFIG = Path("/etc/lvs-agent/config.toml")
LDIRECTORD_CF = Path("/etc/ha.d/ldirectord.cf")
COMMAND = Path("/usr/local/bin/check-itself")

TOML = """
[agent]
listen = "127.0.0.1:9659"
reload_on_change = false

[defaults]
forwarding = "masquerade"
[defaults.check]
interval = "500ms"
timeout = "5s"

[[virtual_service]]
name = "web"
address = "127.0.0.100"
port = 80
scheduler = "wrr"
check = { type = "http" }
real_server = [
  { address = "127.0.0.2", port = 8001, weight = WEIGHT },
  { address = "127.0.0.3", port = 8001, weight = 1 },
]

[[virtual_service]]
name = "ping"
address = "127.0.0.100"
port = 81
real_server = [{ address = "127.0.0.2" }]
check = { type = "ping" }

[[virtual_service]]
name = "command"
address = "127.0.0.100"
port = 82
real_server = [{ address = "127.0.0.2" }]
check = { type = "command", command = ["/usr/local/bin/check-itself"], interval = "10s", timeout = "5s" }
"""

LDIRECTORD = """
checktimeout = 5
checkinterval = 1
quiescent = no
virtual = 127.0.0.101:80
        real = 127.0.0.4:8001 masq WEIGHT
        service = http
        request = "/"
        receive = "well"
        scheduler = wrr
        monitorfile = "/var/log/lvs-agent/monitor.log"
"""

CHECK_ITSELF = """#!/bin/sh
# A command of a check: not root, no capability, and it sees no other user's processes.
[ "$(id -u)" != 0 ] && grep -q '^CapEff:.0*$' /proc/self/status && [ ! -e /proc/1 ]
"""


class Well(BaseHTTPRequestHandler):
    """A real server that works."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"well")

    def log_message(self, *_: object) -> None:
        """Nothing."""


def serve(address: str) -> ThreadingHTTPServer:
    """A real server at ``address``."""
    server = ThreadingHTTPServer((address, 8001), Well)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
    return server


# --- the steps, in this order ----------------------------------------------------------------------------------------


def rows(*, web: int = 2, weight: int = 1) -> bool:
    """Whether the table has all that lvs-agent.service makes."""
    servers = destinations("7F000064:0050")
    others = [destinations(service) for service in ("7F000064:0051", "7F000064:0052")]
    return len(servers) == web and f"-> 7F000002:1F41 Masq {weight}" in servers and all(others)


def restarted(act: Callable[[str], object]) -> dict[str, Any]:
    """What a restart of the main process does to the table.  ``act`` gets its pid."""
    before, pid, count, old = table(), show(AGENT)["MainPID"], connections(WEB), processes(AGENT)
    began = time.monotonic()
    with watched() as states:
        act(pid)
        until("another process is there", lambda: bool(processes(AGENT)) and not processes(AGENT) & old)
        run("systemctl", "start", AGENT)  # systemd starts it already; this waits until it is ready
        seconds = time.monotonic() - began
        until("its table is in sync", lambda: get("/readyz") != "")
    return {
        "seconds": seconds,
        "states": len(states),
        "same": table() == before,
        "connections": [count, connections(WEB)],
        "restarts": show(AGENT)["NRestarts"],
    }


def start() -> dict[str, Any]:
    """Enabled and started, with a watchdog that is short enough for a test."""
    COMMAND.write_text(CHECK_ITSELF)
    COMMAND.chmod(0o755)
    CONFIG.write_text(TOML.replace("WEIGHT", "1"))
    CONFIG.chmod(0o600)
    drop_in = Path(f"/etc/systemd/system/{AGENT}.d/watchdog.conf")
    drop_in.parent.mkdir()
    drop_in.write_text(f"[Service]\nWatchdogSec={WATCHDOG_S}\n")
    run("systemctl", "daemon-reload")
    run("systemctl", "enable", "--now", AGENT)
    shown = show(AGENT)
    until("the table is complete", rows)
    until("every check has run", lambda: get("/readyz") != "")
    for _ in range(3):
        with urllib.request.urlopen("http://127.0.0.100/", timeout=5) as answer:
            answer.read()
    return {
        "shown": shown,
        "process": process(shown["MainPID"]),
        "user": run("ps", "-o", "user:20=", "-p", shown["MainPID"]).strip(),
        "family": family(AGENT),
        "metrics": get("/metrics"),
        "counted": until("the kernel has counted the connections", lambda: connections(WEB) == 3, every_s=0.3),
        "modes": modes(str(CONFIG.parent), str(CONFIG), "/var/lib/lvs-agent", "/var/log/lvs-agent", "/run/lvs-agent"),
    }


def reload() -> dict[str, Any]:
    """A changed file is in force after systemctl reload."""
    pid = show(AGENT)["MainPID"]
    CONFIG.write_text(TOML.replace("WEIGHT", "7"))
    run("systemctl", "reload", AGENT)
    seconds = until("the new weight is in the table", lambda: rows(weight=7))
    return {"seconds": seconds, "same_process": show(AGENT)["MainPID"] == pid}


def restart() -> dict[str, Any]:
    """By an operator."""
    return restarted(lambda _: run("systemctl", "restart", AGENT))


def kill() -> dict[str, Any]:
    """All its processes at once."""
    return restarted(lambda _: run("systemctl", "kill", "--signal=KILL", AGENT))


def watchdog() -> dict[str, Any]:
    """A main process that hangs is replaced."""
    return restarted(lambda pid: run("kill", "-STOP", pid)) | {"journal": journal(AGENT)}


def failure(servers: dict[str, ThreadingHTTPServer]) -> dict[str, Any]:
    """After all that, a server that fails is taken out, and comes back."""
    servers["127.0.0.3"].shutdown()
    servers["127.0.0.3"].server_close()
    out = until("the failed server is out", lambda: rows(web=1, weight=7))
    servers["127.0.0.3"] = serve("127.0.0.3")
    return {"out": out, "back": until("it is back", lambda: rows(web=2, weight=7)), "journal": journal(AGENT)}


def instance() -> dict[str, Any]:
    """ldirectord's own file, which only root may read, beside the first agent."""
    LDIRECTORD_CF.parent.mkdir()
    LDIRECTORD_CF.write_text(LDIRECTORD.replace("WEIGHT", "1"))
    LDIRECTORD_CF.chmod(0o600)
    Path("/etc/default/lvs-agent-ldirectord.cf").write_text(f"LVS_AGENT_LISTEN=127.0.0.1:{INSTANCE_PORT}\n")
    run("systemctl", "enable", "--now", INSTANCE)
    until("its server is in the table", lambda: "-> 7F000004:1F41 Masq 1" in outline())
    LDIRECTORD_CF.write_text(LDIRECTORD.replace("WEIGHT", "5"))
    run("systemctl", "reload", INSTANCE)
    until("its new weight is in the table", lambda: "-> 7F000004:1F41 Masq 5" in outline())
    shown = show(INSTANCE)
    monitor = Path("/var/log/lvs-agent/monitor.log")
    until("a line about a check is written", monitor.exists)
    return {
        "shown": shown,
        "process": process(shown["MainPID"]),
        "metrics": get("/metrics", INSTANCE_PORT),
        "modes": modes(str(LDIRECTORD_CF), str(monitor), "/run/lvs-agent/ldirectord.cf"),
    }


def stop() -> dict[str, Any]:
    """Stopped by an operator, an agent stays stopped.  Its table goes: cleanstop of an ldirectord.cf says so."""
    run("systemctl", "stop", INSTANCE)
    return {"table": outline(), "shown": show(INSTANCE)}


def exporter() -> dict[str, Any]:
    """It takes the place of lvs-agent.service, whose table stays.  The configuration is now for the agent's group."""
    before = outline()
    os.chown(CONFIG, 0, grp.getgrnam("lvs-agent").gr_gid)
    CONFIG.chmod(0o640)
    run("systemctl", "start", EXPORTER)
    shown = show(EXPORTER)
    return {
        "shown": shown,
        "process": process(shown["MainPID"]),
        "metrics": get("/metrics"),
        "units": {unit: [show(unit)[name] for name in ("ActiveState", "Result")] for unit in (AGENT, INSTANCE)},
        "same": outline() == before,
    }


def second_boot() -> dict[str, Any]:
    """Nobody starts anything."""
    until("the table is as before", lambda: rows(web=2, weight=7) and "-> 7F000004:1F41 Masq 5" in outline())
    units = {unit: show(unit)["ActiveState"] for unit in (AGENT, INSTANCE, EXPORTER)}
    return {"units": units, "journal": journal(AGENT), "failed": run("systemctl", "--failed", "--plain", "--no-legend")}


def main() -> int:
    """Take the steps of this boot.  Returns the exit status that the machine acts upon."""
    facts: dict[str, Any] = json.loads(FACTS.read_text()) if FACTS.exists() else {}
    first = not facts
    servers = {address: serve(address) for address in ("127.0.0.2", "127.0.0.3", "127.0.0.4")}
    steps: list[tuple[str, Callable[[], dict[str, Any]]]] = [("second_boot", second_boot)]
    if first:
        steps = [(step.__name__, step) for step in (start, reload, restart, kill, watchdog)]
        steps += [("failure", lambda: failure(servers)), ("instance", instance), ("stop", stop), ("exporter", exporter)]
    for name, step in steps:
        began = time.monotonic()
        try:
            facts[name] = step()
        except Exception:  # noqa: BLE001 - it is shown outside
            facts[name] = {"error": traceback.format_exc()}
        facts[name]["took"] = time.monotonic() - began
        with FACTS.open("w") as file:
            json.dump(facts, file)
            file.flush()
            os.fsync(file.fileno())
    return REBOOT if first else 0


if __name__ == "__main__":
    sys.exit(main())
