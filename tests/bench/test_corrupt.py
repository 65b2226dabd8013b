"""The benchmark of corrupt messages finds each of them, on a real broker, and notices when it does not."""

from __future__ import annotations

import json

import pytest

from bench import corrupt
from tests.services.kafka import Cluster


def test_of_many_messages_exactly_the_corrupt_ones_are_dead_letters(
    kafka: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    code = corrupt.main(["--messages", "20000", "--kafka", kafka.bootstrap])

    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (code, found["missing"], found["unexpected"]) == (0, 0, 0)
    assert (found["dead_letters"], found["events"]) == (200, 19_800)
    assert set(found["kinds"]) == set(corrupt.WAYS)
    assert len(found["kinds"]) == 12


def test_a_letter_that_differs_is_noticed(
    kafka: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.ingest.problems.MAX_PAYLOAD_BYTES", 10)
    code = corrupt.main(["--messages", "1200", "--kafka", kafka.bootstrap])

    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (code, found["dead_letters"]) == (1, 12)
    assert found["missing"] == found["unexpected"] > 0
