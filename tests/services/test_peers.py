"""The peers that other tests compare with answer what those tests ask."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.services.cache import ROOT
from tests.services.peers import Fired, Frouros, Moa, Peer, PeerError


def worse_at(n: int, at: int) -> list[float]:
    rng = np.random.default_rng(7)
    return [float(x) for x in rng.random(n) < np.where(np.arange(n) < at, 0.2, 0.6)]


@pytest.mark.parametrize("name", ["moa", "frouros"])
def test_a_peer_fires_soon_after_a_change_and_the_same_on_each_stream(
    name: str, request: pytest.FixtureRequest
) -> None:
    peer: Peer = request.getfixturevalue(name)
    first, second = peer.fired("DDM", {}, [worse_at(2000, 1000)] * 2)
    assert first == second
    assert 1000 <= first.drifts[0] < 1300
    assert first.drifts[0] - 1 in first.warnings


def test_options_go_by_the_peers_names(moa: Moa, frouros: Frouros) -> None:
    stream = worse_at(400, 400)
    assert moa.drifts("DDM", {"outcontrolLevel": 5.0}, [stream]) == [[]]
    assert moa.drifts("DDM", {"outcontrolLevel": 1.0, "minNumInstances": 30}, [stream]) != [[]]
    assert frouros.drifts("DDM", {"drift_level": 9.0, "warning_level": 8.0}, [stream]) == [[]]
    assert frouros.drifts("DDM", {"drift_level": 1.0, "warning_level": 0.5}, [stream]) != [[]]


def test_what_a_peer_does_not_have_is_an_error_and_the_next_question_is_answered(moa: Moa, frouros: Frouros) -> None:
    with pytest.raises(PeerError, match=r"no option is called lamda; there are .*lambda=0.2"):
        moa.drifts("EWMAChartDM", {"lamda": 0.1}, [[0.0]])
    with pytest.raises(PeerError, match=r"ClassNotFoundException: .*DDDM"):
        moa.drifts("DDDM", {}, [[0.0]])
    with pytest.raises(PeerError, match="unexpected keyword argument 'lamda'"):
        frouros.drifts("DDM", {"lamda": 0.1}, [[0.0]])
    assert moa.fired("DDM", {}, [[0.0, 1.0]]) == frouros.fired("DDM", {}, [[0.0, 1.0]]) == [Fired([], [])]


def test_rows_get_scores_and_the_seed_makes_the_trees(moa: Moa) -> None:
    rows = np.random.default_rng(1).random((600, 3))
    rows[-1] = 0.999
    scores = moa.scores({"maxDepth": 8}, rows)
    assert len(scores) == 600
    assert np.array_equal(scores, moa.scores({"maxDepth": 8}, rows))
    assert not np.array_equal(scores, moa.scores({"maxDepth": 8}, rows, seed=2))


def test_a_loop_is_timed_where_it_runs(moa: Moa, frouros: Frouros) -> None:
    stream = worse_at(2000, 2000)
    assert all(0.0 < ns < 1e5 for ns in moa.time_ns("DDM", {}, stream, series=100))
    assert all(0.0 < ns < 1e7 for ns in frouros.time_ns("DDM", {}, stream[:100], series=10))


@pytest.mark.parametrize(("ci", "status"), [("", 0), ("true", 1)])
def test_what_cannot_be_fetched_is_said_and_fails_only_in_continuous_integration(
    ci: str, status: int, tmp_path: Path
) -> None:
    environment = {"PATH": str(tmp_path), "LEEWAY_CACHE": str(tmp_path), "PIP_NO_INDEX": "1", "CI": ci}
    command = [sys.executable, "-m", "tests.services.peers"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert "mvn is missing" in done.stderr
    assert "The tests that compare with it will be skipped" in done.stderr
    assert not list(tmp_path.glob("*-*"))
