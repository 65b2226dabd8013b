"""Fixtures that every test may ask for: a real Kafka broker, and a topic of one's own on it."""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterator

import pytest
import structlog

from tests.services.kafka import Broker, Cluster


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


def unique_name(request: pytest.FixtureRequest) -> str:
    # Kafka allows 249 characters; a broker that outlives this run may still hold an earlier run's topics.
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", request.node.name)[:180]
    return f"{readable}-{os.urandom(6).hex()}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses the broker, so that `-m "not kafka"` leaves it out."""
    for item in items:
        if "kafka" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.kafka)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of the broker's log with a failed test that used it."""
    report = yield
    broker = getattr(item, "funcargs", {}).get("kafka")
    if report.failed and isinstance(broker, Broker):
        report.sections.append(("Kafka broker", broker.log_tail()))
    return report
