"""What each series is compared with now."""

from __future__ import annotations

from monitor.values import DAY_MS
from tests.api.world import Client, World, score

MORNING_MS = 20 * DAY_MS


def filled() -> World:
    world = World()
    span = {"baseline_from_ms": 3 * DAY_MS, "baseline_to_ms": 19 * DAY_MS, "baseline_n": 5_000}
    newest = {"window_end_ms": MORNING_MS + 60_000}
    world.add("scores", [score(1, **span, **newest), score(1, detector="change", **newest)])
    day = {"model": "fraud", "signal": "feature:amount", "version": "v1", "window_ms": 60_000}
    world.add("expectations", [{**day, "from_ms": MORNING_MS - n * DAY_MS, "days": 17 - n} for n in range(3)])
    return world


def mark(said: str, says: str, from_ms: int, **more: object) -> dict[str, object]:
    of_amount = {"model": "fraud", "signal": "feature:amount", "version": "", "says": says}
    return {"id": said, **of_amount, "from_ms": from_ms, "created_by": "ann", "effective_ms": from_ms + 60_000, **more}


def test_a_series_says_since_when_and_over_how_much_it_is_compared() -> None:
    [row] = Client(filled()).items("/v1/baselines", model="fraud")
    assert (row["signal"], row["version"], row["alarms_by"], row["kind"]) == (
        "feature:amount", "v1", "change", "rolling",
    )  # fmt: skip
    assert (row["baseline_from_ms"], row["baseline_to_ms"], row["baseline_n"]) == (3 * DAY_MS, 19 * DAY_MS, 5_000)
    assert (row["days"], row["expected_ms"], row["window_end_ms"]) == (17, MORNING_MS, MORNING_MS + 60_000)
    assert (row["accepted_from_ms"], row["accepted_by"]) == (None, "")


def test_the_level_that_was_accepted_last_is_the_new_normal() -> None:
    world = filled()
    world.add("marks", [mark("a", "accepted", 5 * DAY_MS, reason="prices"), mark("b", "false", 9 * DAY_MS)])
    world.add("marks", [mark("c", "accepted", 8 * DAY_MS, effective_ms=0), mark("d", "accepted", 1, segment="x=1")])
    [row] = Client(world).items("/v1/baselines")
    assert (row["accepted_from_ms"], row["accepted_by"], row["accepted_reason"]) == (5 * DAY_MS, "ann", "prices")
    world.add("marks", [mark("e", "adopted", 7 * DAY_MS, created_by="", reason="14d")])
    [row] = Client(world).items("/v1/baselines")
    assert (row["accepted_from_ms"], row["accepted_by"]) == (7 * DAY_MS, "detect.adopt_after")


def test_a_baseline_that_learns_has_no_span_yet() -> None:
    world = World()
    world.add("scores", [score(1, baseline_n=0, status="learning")])
    [row] = Client(world).items("/v1/baselines")
    assert (row["baseline_from_ms"], row["baseline_n"], row["days"]) == (None, 0, None)


def test_a_signal_that_the_model_does_not_have_is_named() -> None:
    answer = Client(filled()).get("/v1/baselines", model="fraud", signal="feature:amont")
    assert answer.status_code == 404
    assert "did you mean 'feature:amount'?" in answer.json()["detail"]


def test_what_is_said_of_a_model_depends_on_no_other_model() -> None:
    world = filled()
    [row] = Client(world).items("/v1/baselines")
    world.add("scores", [score(1, model="churn", window_end_ms=2_000 * DAY_MS)])
    assert row in Client(world).items("/v1/baselines")


def test_a_detector_that_is_gone_hides_no_baseline() -> None:
    world = filled()
    gone = {"baseline_from_ms": 1, "baseline_to_ms": DAY_MS, "baseline_n": 7, "window_end_ms": 2 * DAY_MS}
    world.add("scores", [score(1, detector="zzz", **gone)])
    [row] = Client(world).items("/v1/baselines")
    assert (row["baseline_n"], row["window_end_ms"]) == (5_000, MORNING_MS + 60_000)
