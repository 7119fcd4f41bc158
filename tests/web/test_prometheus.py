"""Debian's Prometheus scrapes an agent that wants TLS, certificates of clients and passwords."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.web.test_secure_server import Site

PATIENCE_S = 45.0
JOB = """
  - job_name: {name}
    scheme: {scheme}
    static_configs: [{{targets: ["{address}"]}}]
    basic_auth: {{username: prometheus, password: "{password}"}}
    tls_config: {tls}
"""


@contextmanager
def prometheus(directory: Path, jobs: str) -> Iterator[str]:
    """The URL of a Prometheus with these jobs."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config = directory / "prometheus.yml"
    config.write_text(f"global: {{scrape_interval: 1s}}\nscrape_configs:{jobs}")
    with (directory / "prometheus.log").open("w") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={directory / 'data'}",
                f"--web.listen-address={address}",
            ],
            stderr=log,
        )
    try:
        yield f"http://{address}"
    finally:
        process.kill()
        process.wait()


def targets(url: str) -> dict[str, dict[str, Any]]:
    """What it says of each job; none before it answers."""
    try:
        answer = httpx.get(f"{url}/api/v1/targets", timeout=5.0)
        active = json.loads(answer.content)["data"]["activeTargets"]
    except (httpx.HTTPError, ValueError, KeyError):
        return {}
    return {target["labels"]["job"]: target for target in active}


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site whose server is stopped at the end."""
    site = Site(tmp_path)
    yield site
    site.stop()


def test_prometheus_is_let_in_with_its_certificate_and_password_and_not_otherwise(site: Site, tmp_path: Path) -> None:
    """Up with both; down, each for its reason, with a wrong password, no certificate, one of somebody else, or HTTP."""
    site.write(
        "client_auth_type: RequireAndVerifyClientCert",
        "client_ca_file: clients.crt",
        "client_allowed_sans: [prometheus.example.com]",
        users={"prometheus": "one"},
    )
    site.clients.issue(tmp_path / "own.crt", tmp_path / "own.key", "prometheus.example.com")
    site.clients.issue(tmp_path / "other.crt", tmp_path / "other.key", "other.example.com")
    address = site.start()
    server = f"ca_file: {tmp_path / 'servers.crt'}"

    def tls(name: str) -> str:
        return f"{{{server}, cert_file: {tmp_path / name}.crt, key_file: {tmp_path / name}.key}}"

    jobs = [
        ("right", "https", "one", tls("own")),
        ("wrong_password", "https", "two", tls("own")),
        ("no_certificate", "https", "one", f"{{{server}}}"),
        ("other_certificate", "https", "one", tls("other")),
        ("plain", "http", "one", "{}"),
    ]
    text = "".join(
        JOB.format(name=name, scheme=scheme, address=address, password=password, tls=settings)
        for name, scheme, password, settings in jobs
    )
    with prometheus(tmp_path, text) as url:
        end = time.monotonic() + PATIENCE_S
        found: dict[str, dict[str, Any]] = {}
        while len(found) < len(jobs) or any(target["health"] == "unknown" for target in found.values()):
            assert time.monotonic() < end, (tmp_path / "prometheus.log").read_text()[-2000:]
            time.sleep(0.1)
            found = targets(url)

    assert {job: target["health"] for job, target in found.items()} == {
        "right": "up",
        "wrong_password": "down",
        "no_certificate": "down",
        "other_certificate": "down",
        "plain": "down",
    }
    assert found["wrong_password"]["lastError"] == "server returned HTTP status 401 Unauthorized"
    assert found["right"]["lastError"] == ""
