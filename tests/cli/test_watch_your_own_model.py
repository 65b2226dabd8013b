"""The page "Watch your own model in ten minutes" is true: its code and commands run as they stand there."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from monitor.build import bounded_source
from monitor.check import load
from monitor.replay import Replay
from sinks.store.memory import MemoryStore
from tests.cli.console import Console, Said
from tests.service import shop
from tests.services.kafka import Cluster

PAGE = Path(__file__).parents[2] / "docs" / "watch-your-own-model.md"
FRAME, TOPIC = PAGE.read_text().split("## From a topic")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each command that is shown, and the lines that are shown of its answer."""
    for block in blocks(text, "console"):
        for part in block.split("$ leeway ")[1:]:
            command, *shown = part.splitlines()
            yield command, [" ".join(line.split()) for line in shown]


def assert_says(said: Said, shown: list[str]) -> None:
    assert said.code == 0, said.err
    answer = iter(" ".join(line.split()) for line in said.out.splitlines())
    for line in shown:
        assert any(each.startswith(line) for each in answer), f"{line!r} is not in\n{said.out}"


@pytest.fixture
def frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    [program] = blocks(FRAME, "python")
    exec(program, {})
    return tmp_path


def test_from_a_data_frame_to_the_first_alert(frame: Path, leeway: Console) -> None:
    for command, shown in commands(FRAME):
        assert_says(leeway(*shlex.split(command)), shown)
    assert [(frame / "fraud.yaml").read_text()] == blocks(FRAME, "yaml")


@pytest.mark.kafka
def test_from_a_topic_to_the_first_alert(frame: Path, kafka: Cluster, topic_name: str, leeway: Console) -> None:
    rows = pq.read_table("today.parquet").slice(13 * 600, 13 * 600).to_pylist()
    kafka.create_topic(topic_name)
    shop.produce(kafka, topic_name, [[json.dumps(row).encode() for row in rows]])

    for command, shown in commands(TOPIC):
        own = command.replace("fraud.predictions", topic_name).replace("localhost:9092", kafka.bootstrap)
        assert_says(leeway(*shlex.split(own)), shown)

    configuration = load("leeway.yaml")
    assert configuration.models["fraud"].spec.sources[0].kafka == [topic_name]
    store = MemoryStore()
    assert Replay(configuration, store, bounded_source(configuration)).run().fired == 1
