"""How often per-event detectors fire is shown, explained and accepted as anything else of a signal."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.world import Client, World
from tests.evaluate.test_finding_rates import BURST, lines, watched
from tests.monitor.streams import HOUR_MS, START_MS, replayed_lines

ANOMALIES = "half_space_trees anomalies"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Client:
    store, _ = replayed_lines(tmp_path_factory.mktemp("torn"), lines(2, torn=0.08), watched())
    return Client(World(store=store, configuration=watched()))


def explained(client: Client, hour: int, signal: str = "vector:both") -> dict[str, Any]:
    at_ms = START_MS + hour * HOUR_MS
    answer = client.get("/v1/explain", model="loans", signal=signal, version="v2", at=str(at_ms))
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return {**document, "by_name": {contrast["contrast"]: contrast for contrast in document["contrasts"]}}


def test_a_window_with_many_anomalies_says_how_many_would_have_been_enough(client: Client) -> None:
    window = explained(client, BURST[0])
    assert window["outcome"] == "alarmed"
    anomalies = window["by_name"][ANOMALIES]
    assert (anomalies["unit"], anomalies["alarms_below"]) == ("share", None)
    assert 0 <= anomalies["expected"] < 0.01 < anomalies["alarms_above"] < anomalies["actual"]


def test_a_quiet_window_says_it_too(client: Client) -> None:
    window = explained(client, BURST[0] - 3)
    assert window["outcome"] == "quiet"
    anomalies = window["by_name"][ANOMALIES]
    assert anomalies["actual"] < anomalies["alarms_above"] < 0.2
    assert any(ANOMALIES in sentence for sentence in window["words"])


def test_anomalies_stand_beside_what_else_a_number_is_watched_by(client: Client) -> None:
    window = explained(client, BURST[0] - 3, "feature:x")
    assert set(window["by_name"]) >= {"typical value", "spread", "missing", "robust_z anomalies", "adwin drifts"}
    assert window["by_name"]["robust_z anomalies"]["actual"] == 0


def test_the_smallest_rate_that_is_found_is_said(client: Client) -> None:
    rows = client.items("/v1/series", model="loans", signal="vector:both")
    assert {row["detector"] for row in rows} == {"change"}
    [shift] = [
        shift for row in rows for shift in row["detectable"] if shift["version"] == "v2" and not shift["segment"]
    ]
    assert shift["contrast"] == ANOMALIES
    assert 0.001 < shift["week_high"] < shift["day_high"] < 0.1


def test_a_rate_of_anomalies_is_accepted_as_the_new_normal(client: Client) -> None:
    body = {"model": "loans", "signal": "vector:both", "says": "accepted", "reason": "known", "created_by": "ann"}
    answer = client.request("POST", "/v1/marks", json={**body, "at": START_MS + BURST[0] * HOUR_MS})
    assert answer.status_code == 200, answer.text
