from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from lvs_agent.clock import SystemClock
from lvs_agent.control import maintenance
from lvs_agent.control.maintenance import Maintenance
from lvs_agent.core.snapshot import ServerKey
from lvs_agent.model.ipvs import IPAddress
from tests.builders import destination_key, service_key
from tests.checks.servers import until

ONE: ServerKey = (service_key(), destination_key(address="10.0.0.1"))
TWO: ServerKey = (service_key(), destination_key(address="2001:db8::1"))
SERVERS = {ONE: {80}, TWO: {8080}}
NOBODY: frozenset[ServerKey] = frozenset()


def no_names(address: IPAddress) -> Collection[str]:
    """A resolver that knows nobody."""
    raise OSError(f"{address} has no name")


class Bench:
    """A maintenance directory and what watches it."""

    def __init__(self, directory: Path, *, resolver: Callable[[IPAddress], Collection[str]] = no_names) -> None:
        self.directory = directory
        self.answers: list[frozenset[ServerKey]] = []
        self.maintenance = Maintenance(changed=self.answers.append, clock=SystemClock(), resolver=resolver, look_s=0.02)
        self.maintenance.adopt(directory=directory, servers=SERVERS)

    @property
    def answer(self) -> frozenset[ServerKey]:
        """Who is in maintenance now."""
        return self.answers[-1] if self.answers else NOBODY

    def touch(self, name: str) -> None:
        """Make a file."""
        (self.directory / name).touch()

    def remove(self, name: str) -> None:
        """Delete a file."""
        (self.directory / name).unlink()

    async def until(self, *servers: ServerKey) -> None:
        """Wait until exactly ``servers`` are in maintenance."""
        await until(lambda: self.answer == frozenset(servers))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The root task at work."""
        task = asyncio.create_task(self.maintenance.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})
            self.maintenance.close()
        assert task.cancelled()


def test_file_takes_a_server_out_and_its_removal_brings_it_back(tmp_path: Path) -> None:
    """Each change of the directory that matters is reported once, and nothing else is."""
    bench = Bench(tmp_path)

    async def scenario() -> None:
        async with bench.running():
            bench.touch("10.0.0.1:80")
            await bench.until(ONE)
            bench.touch("[2001:DB8::1]")
            await bench.until(ONE, TWO)
            bench.touch("unknown:99")
            await asyncio.sleep(0.1)
            bench.remove("10.0.0.1:80")
            await bench.until(TWO)
            bench.remove("[2001:DB8::1]")
            await bench.until()

    asyncio.run(scenario())
    assert bench.answers == [{ONE}, {ONE, TWO}, {TWO}, NOBODY]


def test_first_look_is_over_before_it_returns(tmp_path: Path) -> None:
    """Whoever waits for it knows who is in maintenance, by host name too, without the root task."""
    bench = Bench(tmp_path, resolver=lambda _: {"web.example.com"})
    bench.touch("web")

    async def scenario() -> None:
        await bench.maintenance.first()
        bench.maintenance.close()

    asyncio.run(scenario())
    assert bench.answer == {ONE, TWO}


def test_resolver_is_asked_only_where_a_file_is_named_after_a_host(tmp_path: Path) -> None:
    """Files named after addresses cost no look-up; the first other name has every server looked up."""
    asked: list[IPAddress] = []

    def names(address: IPAddress) -> Collection[str]:
        asked.append(address)
        return {"one.example.com"} if address == ONE[1].address else {"two.example.com"}

    bench = Bench(tmp_path, resolver=names)

    async def scenario() -> None:
        async with bench.running():
            bench.touch("2001:db8::1")
            await bench.until(TWO)
            await asyncio.sleep(0.1)
            assert asked == []
            bench.touch("ONE:80")
            await bench.until(ONE, TWO)
            await until(lambda: len(set(asked)) == 2)

    asyncio.run(scenario())
    assert set(asked) == {ip_address("10.0.0.1"), ip_address("2001:db8::1")}


def test_resolver_that_hangs_delays_no_file_named_after_an_address(tmp_path: Path) -> None:
    """While it hangs, addresses count; when it answers, its names count too."""
    end = threading.Event()

    def names(_: IPAddress) -> Collection[str]:
        end.wait(5)
        return {"host"}

    bench = Bench(tmp_path, resolver=names)
    bench.touch("host")

    async def scenario() -> None:
        async with bench.running():
            await asyncio.sleep(0.05)
            bench.touch("10.0.0.1")
            await bench.until(ONE)
            bench.remove("10.0.0.1")
            await bench.until()
            end.set()
            await bench.until(ONE, TWO)

    asyncio.run(scenario())


def test_directory_that_vanishes_brings_nobody_back(tmp_path: Path) -> None:
    """Servers under repair stay out, with one line in the log, until the directory can be read again."""
    bench = Bench(tmp_path / "maintenance")
    bench.directory.mkdir()
    bench.touch("10.0.0.1")

    async def scenario() -> None:
        async with bench.running():
            await bench.until(ONE)
            bench.directory.rename(tmp_path / "away")
            await until(lambda: bench.maintenance._complained)
            assert bench.answer == {ONE}
            bench.directory.mkdir()
            await bench.until()

    with capture_logs() as lines:
        asyncio.run(scenario())
    assert [line["event"] for line in lines] == ["maintenance_directory_not_read", "maintenance_directory_read_again"]
    assert "No such file" in lines[0]["error"]


def test_directory_that_was_never_there_takes_nobody_out(tmp_path: Path) -> None:
    """The agent starts without it, says so once, and notices when it is made."""
    bench = Bench(tmp_path / "later")

    async def scenario() -> None:
        await bench.maintenance.first()
        async with bench.running():
            await asyncio.sleep(0.1)
            bench.directory.mkdir()
            bench.touch("10.0.0.1")
            await bench.until(ONE)

    with capture_logs() as lines:
        asyncio.run(scenario())
    assert [line["event"] for line in lines].count("maintenance_directory_not_read") == 1
    assert bench.answers == [{ONE}]


def test_path_that_cannot_be_one_leaves_everything_as_it_is(tmp_path: Path) -> None:
    """A path that no system call takes is like a directory that is not there."""
    bench = Bench(tmp_path / "a\0b")

    with capture_logs() as lines:
        asyncio.run(bench.maintenance.first())

    assert [line["event"] for line in lines] == ["maintenance_directory_not_read"]
    assert bench.answers == []


def test_directory_with_too_much_in_it_leaves_everything_as_it_is(tmp_path: Path) -> None:
    """A spool that was named by mistake costs one line, not memory and time without end."""
    bench = Bench(tmp_path)
    bench.touch("10.0.0.1")

    async def scenario() -> None:
        async with bench.running():
            await bench.until(ONE)
            for number in range(maintenance.MOST_FILES + 1):
                bench.touch(f"mail{number}")
            bench.remove("10.0.0.1")
            await until(lambda: bench.maintenance._complained)
            await asyncio.sleep(0.05)
            assert bench.answer == {ONE}

    with capture_logs() as lines:
        asyncio.run(scenario())
    assert [line["error"] for line in lines] == [f"more than {maintenance.MOST_FILES} entries"]


def test_new_server_counts_at_once_where_the_directory_stays(tmp_path: Path) -> None:
    """A reload that adds a server whose file is there has it in maintenance before anything else happens."""
    bench = Bench(tmp_path)
    bench.touch("10.0.0.9")
    new: ServerKey = (service_key(), destination_key(address="10.0.0.9"))

    async def scenario() -> None:
        await bench.maintenance.first()
        assert bench.answer == NOBODY
        bench.maintenance.adopt(directory=tmp_path, servers={**SERVERS, new: set()})
        assert bench.answer == {new}
        bench.maintenance.adopt(directory=tmp_path, servers=SERVERS)
        assert bench.answer == NOBODY
        bench.maintenance.close()

    asyncio.run(scenario())


def test_other_directory_is_read_before_the_answer_changes(tmp_path: Path) -> None:
    """Moving the directory has nobody come back in between; leaving it out brings everybody back at once."""
    old, new = tmp_path / "old", tmp_path / "new"
    for directory in (old, new):
        directory.mkdir()
        (directory / "10.0.0.1").touch()
    (new / "2001:db8::1").touch()
    bench = Bench(old)

    async def scenario() -> None:
        async with bench.running():
            await bench.until(ONE)
            bench.maintenance.adopt(directory=new, servers=SERVERS)
            await bench.until(ONE, TWO)
            bench.maintenance.adopt(directory=None, servers=SERVERS)
            assert bench.answer == NOBODY
            await asyncio.sleep(0.1)

    asyncio.run(scenario())
    assert bench.answers == [{ONE}, {ONE, TWO}, NOBODY]


def test_other_directory_counts_for_other_servers_too(tmp_path: Path) -> None:
    """A reload that changes directory and servers at once is decided anew, even where the files are called the same."""
    new: ServerKey = (service_key(), destination_key(address="10.0.0.9"))
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "10.0.0.9").touch()
    bench = Bench(tmp_path / "old")

    async def scenario() -> None:
        async with bench.running():
            await asyncio.sleep(0.1)
            bench.maintenance.adopt(directory=tmp_path / "new", servers={new: ()})
            await bench.until(new)

    asyncio.run(scenario())


def test_many_servers_are_decided_on_only_when_something_has_changed(tmp_path: Path) -> None:
    """A directory that stays as it is costs a look at it and no more, however many servers there are."""
    bench = Bench(tmp_path)
    bench.touch("10.0.0.1")
    decided: list[object] = []

    class Watched(dict[ServerKey, Collection[int]]):
        """Notes each time that somebody goes through the servers."""

        def items(self) -> Any:
            decided.append(None)
            return super().items()

    bench.maintenance.adopt(directory=tmp_path, servers=Watched(SERVERS))
    decided.clear()

    async def scenario() -> None:
        async with bench.running():
            await bench.until(ONE)
            await asyncio.sleep(0.1)

    asyncio.run(scenario())
    assert len(decided) == 1
