"""A version of the demonstration's model that is worse, beside the one that serves: what the rollout says of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from monitor.clock import ManualClock
from monitor.demo.flights import CANDIDATE, CANDIDATE_FROM, CANDIDATE_TO, CHAMPION
from monitor.demo.quality import mean_of
from monitor.panes.distributions import Part
from monitor.rollouts.rollout_log import Metric, Rollout, log_rollout, read_rollouts
from monitor.rollouts.strata import read_comparisons
from monitor.rollouts.verdict import compared
from monitor.rollouts.wording import reason
from monitor.values import DAY_MS
from monitor.watch import Watch
from sinks.receivers.times import utc
from sinks.store.contract import Store

__all__ = ["Canary", "canary", "canary_story", "start_canary"]

MAX_LOSS = 0.02
WHY = "one flight in ten"


@dataclass(frozen=True)
class Canary:
    """What is known of the candidate.

    Attributes
    ----------
    rollout : str
        Its id.
    verdict, decided : str
        And up to which event time versions were compared until then.
    evidence : str
    flights : int
        Of the candidate, with their labels.
    scores, estimates : list of float or None
        The mean score and the estimated accuracy of champion and candidate, of all flights that both scored.
    """

    rollout: str
    verdict: str
    decided: str
    evidence: str
    flights: int
    scores: list[float | None]
    estimates: list[float | None]


def start_canary(store: Store, until: datetime | None = None) -> None:
    """Have the versions compared by labels, as ``leeway rollout start`` does while a service runs.

    Parameters
    ----------
    store : Store
    until : datetime, optional
        Where flights are left out from it on, as :func:`~monitor.demo.flights.write_events` does: with all of the
        candidate's, nothing is compared.

    Raises
    ------
    StoreError
    """
    from_ms, to_ms = _span()
    if until is not None and until.replace(tzinfo=UTC).timestamp() * 1000 <= from_ms:
        return
    metric = Metric("performance:accuracy", "higher", MAX_LOSS)
    rollout = Rollout(
        "", "flights", CANDIDATE, CHAMPION, (metric,), 0.05, to_ms - from_ms, "demo", WHY,
        from_ms=from_ms, stratum_ms=DAY_MS,
    )  # fmt: skip
    log_rollout(store, ManualClock(from_ms), rollout)


def canary(store: Store, watch: Watch) -> Canary | None:
    """Return what has become of the candidate; None where it was left out.

    Raises
    ------
    StoreError
    """
    rollout = next(iter(read_rollouts(store, watch.name)), None)
    if rollout is None:
        return None
    comparisons, verdict, last_ms = read_comparisons(store, rollout)
    [fact] = compared(rollout, comparisons)
    parts = [Part(*_span(), version) for version in (CHAMPION, CANDIDATE)]
    scores, estimates = (
        [mean_of(store, watch, signal, part) for part in parts] for signal in ("prediction:late", "estimated:accuracy")
    )
    return Canary(rollout.id, verdict, utc(last_ms), reason(fact, rollout), fact.candidate_n, scores, estimates)


def canary_story(canary: Canary) -> list[str]:
    """Return what the candidate looked like, and what labels said of it."""
    if None in (*canary.scores, *canary.estimates):
        return []
    scores, estimates = (
        " → ".join(f"{value:{form}}" for value in pair)
        for pair, form in ((canary.scores, ".3f"), (canary.estimates, ".1%"))
    )
    return [
        f"From 3 June a second version scores one flight in ten, by the delay of another flight: {CANDIDATE}.",
        f"It looks as well as the model: its mean score ({scores}), and its estimated accuracy ({estimates}).",
        f"Labels say {canary.verdict}, of the flights up to {canary.decided}, {canary.flights:,} of them its own:",
        f"  {canary.evidence}",
    ]


def _span() -> tuple[int, int]:
    begin, end = (int(datetime.fromisoformat(time).timestamp()) * 1000 for time in (CANDIDATE_FROM, CANDIDATE_TO))
    return begin, end
