"""Fixtures that every test may ask for: a real Kafka broker with a topic of one's own, a ClickHouse with a database."""

from __future__ import annotations

import gc
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import structlog
from xdist.scheduler import LoadFileScheduling

from tests.services.cache import UnavailableError, default_cache
from tests.services.clickhouse import Endpoint, Faults, Target, named_or_started
from tests.services.kafka import Broker, Cluster, SecureBroker, ThreeBrokers
from tests.services.kernels import keep_compiled, prune
from tests.services.peers import Frouros, Moa, Peer

MANY_TESTS = 25
NOT_KEPT = pytest.StashKey[str | None]()


@pytest.fixture(autouse=True)
def log_of_one_s_own() -> Iterator[None]:
    """A command sets the process's log up; the next test starts with the log as it was."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def kafka() -> Iterator[Cluster]:
    """A broker that all tests share, started by the first that asks; `LEEWAY_TEST_KAFKA` names another."""
    address = os.environ.get("LEEWAY_TEST_KAFKA")
    if address:
        yield Cluster(address)
        return
    with Broker() as broker:
        yield broker


@pytest.fixture(scope="session")
def three_brokers() -> Iterator[ThreeBrokers]:
    """A cluster of three for tests that stop one of them, always ours; all of them run before a test and after it."""
    with ThreeBrokers() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def secure_kafka() -> Iterator[SecureBroker]:
    """A broker with TLS and SASL, always ours."""
    with SecureBroker() as broker:
        yield broker


@pytest.fixture
def topic(kafka: Cluster, request: pytest.FixtureRequest) -> str:
    """The name of an empty topic with one partition that no other test uses."""
    name = unique_name(request)
    kafka.create_topic(name)
    return name


@pytest.fixture
def topic_name(request: pytest.FixtureRequest) -> str:
    """A name for a topic that no other test uses; the test creates it, with the partitions it wants."""
    return unique_name(request)


@pytest.fixture(scope="session")
def clickhouse() -> Iterator[Target]:
    """A ClickHouse that all tests share, started by the first that asks; `LEEWAY_TEST_CLICKHOUSE` names a real one."""
    with named_or_started() as server:
        yield server


@pytest.fixture
def clickhouse_database(clickhouse: Target) -> Iterator[Target]:
    """The same with an empty database that no other test uses; it is gone afterwards."""
    name = f"test_{os.urandom(6).hex()}"
    with clickhouse.client() as client:
        client.execute(f"CREATE DATABASE {name}")
    yield clickhouse.within(name)
    with clickhouse.client() as client:
        client.execute(f"DROP DATABASE {name}")


@pytest.fixture(scope="session")
def clickhouse_endpoint(clickhouse: Target) -> Endpoint:
    """The endpoint behind `clickhouse`, for tests that break it; they are left out when a real server is named."""
    assert isinstance(clickhouse, Endpoint)
    return clickhouse


@pytest.fixture
def faults(clickhouse_endpoint: Endpoint) -> Iterator[Faults]:
    """What is to go wrong at `clickhouse`: nothing, before a test and after it."""
    clickhouse_endpoint.faults.clear()
    yield clickhouse_endpoint.faults
    clickhouse_endpoint.faults.clear()


@pytest.fixture(scope="session")
def moa() -> Iterator[Moa]:
    """MOA, in a virtual machine that all tests share, started by the first that asks."""
    with Moa() as peer:
        _fetch_or_skip(peer)
        yield peer


@pytest.fixture(scope="session")
def frouros() -> Iterator[Frouros]:
    """frouros, in an interpreter that all tests share, started by the first that asks."""
    with Frouros() as peer:
        _fetch_or_skip(peer)
        yield peer


def _fetch_or_skip(peer: Peer) -> None:
    """Who has no network can run all other tests; in continuous integration every comparison is made."""
    try:
        peer.command()
    except UnavailableError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


def unique_name(request: pytest.FixtureRequest) -> str:
    # Kafka allows 249 characters; a broker that outlives this run may still hold an earlier run's topics.
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", request.node.name)[:180]
    return f"{readable}-{os.urandom(6).hex()}"


def pytest_configure(config: pytest.Config) -> None:
    """Keep compiled kernels from one clone to the next, before the compiler is imported."""
    gc.disable()  # until all is collected: modules and tests stay
    folder = default_cache() / "kernels"
    config.stash[NOT_KEPT] = keep_compiled(folder, os.environ)
    if os.environ.get("LEEWAY_KERNELS") == str(folder.resolve()) and not hasattr(config, "workerinput"):
        with suppress(FileNotFoundError):  # another run clears up at the same time
            prune(folder, time.time())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if reason := config.stash[NOT_KEPT]:
        terminalreporter.write_line(f"Kernels were compiled for this clone alone: {reason}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what uses the broker, so that `-m "not kafka"` leaves it out; a real ClickHouse is not broken on purpose."""
    for item in items:
        if {"kafka", "three_brokers", "secure_kafka"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.kafka)
    if os.environ.get("LEEWAY_TEST_CLICKHOUSE"):
        breaking = [item for item in items if "clickhouse_endpoint" in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=breaking)
        items[:] = [item for item in items if item not in breaking]
    if hasattr(config, "workerinput"):
        items.sort(key=_turn_of(items))


def pytest_collection_finish() -> None:
    """Look for garbage among what tests make, not among thousands of tests and the compiler's modules each time.

    And seldom: applications, compiled kernels and tables live long, and are looked through each time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)
    gc.enable()


def _turn_of(items: list[pytest.Item]) -> Callable[[pytest.Item], tuple[bool, bool, int]]:
    """When an item's file has its turn, where processes share the files: those that take long are not the last.

    What needs brokers comes first, since one process runs all of it; the services themselves before the rest, since
    they need nothing that takes long to compile. Files of many tests follow, as of pytest-xdist itself; what they
    compile is there when those with slow tests have their turn, and small files fill up the rest.
    """
    sizes = Counter(item.path for item in items)
    slow = {item.path for item in items if item.get_closest_marker("slow")}

    def turn(item: pytest.Item) -> tuple[bool, bool, int]:
        of_services = item.path.parent.name == "services"
        return not _needs_brokers(item.path), not of_services, -max(sizes[item.path], MANY_TESTS * (item.path in slow))

    return turn


@cache
def _needs_brokers(file: Path) -> bool:
    return (
        re.search(r"[(,]\s*(?:kafka|topic|three_brokers|secure_kafka): ", file.read_text(encoding="utf-8")) is not None
    )


class _ByFile(LoadFileScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Hands out whole files, and all that need brokers to one process: every other one would start its own."""

    def _split_scope(self, nodeid: str) -> str:
        scope: str = super()._split_scope(nodeid)
        return "brokers" if _needs_brokers(self.config.rootpath / scope) else scope


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _ByFile | None:
    return _ByFile(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of the log of the services that a failed test used."""
    report = yield
    for used in {id(used): used for used in getattr(item, "funcargs", {}).values()}.values():
        if report.failed and isinstance(used, Broker | ThreeBrokers | Endpoint):
            report.sections.append((f"Log of the {type(used).__name__.lower()}", used.log_tail()))
    return report
