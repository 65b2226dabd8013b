"""What became of a silence: whom it kept from being notified of what, and who was notified of it."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Response

from monitor.api.alertmanager_silences import SilenceOptions
from monitor.api.explain import DECISION, MadeDecision
from monitor.api.parameters import TheService, answer
from monitor.api.problems import ProblemError
from monitor.api.reading import read_all
from monitor.resources.contract import described
from monitor.resources.silences import SilenceOutcome
from monitor.routing.decision_log import silenced_by
from monitor.routing.interval_spec import written
from monitor.routing.silence_log import SilenceLog
from monitor.routing.silences import SilenceError
from sinks.store.contract import Query

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["alerts"])


@dataclass(frozen=True, kw_only=True)
class ExplainedSilence(SilenceOutcome):
    """A silence, and what became of it."""

    leeway: SilenceOptions
    notices: list[MadeDecision] = described(  # type: ignore[assignment]
        "who was notified that it started or is over; `sequence` is when it started to count, in s since the epoch"
    )


@router.get("/silences/{silence_id}", summary="A silence, and what became of it", response_model=ExplainedSilence)
def explain_silence(service: TheService, silence_id: str) -> Response:
    try:
        silence = SilenceLog(service.store, service.clock).get(silence_id)
    except SilenceError as error:
        raise ProblemError("not-found", str(error)) from error
    rows = read_all(service.store, Query("decisions", where={"alert_id": silence_id}))
    notices = [{name: row[name] for name in DECISION} for row in rows]
    notices.sort(key=lambda row: (row["at_ms"], row["receiver"]))
    shown = {name: getattr(silence, name) for name in ("id", "starts_ms", "ends_ms", "created_by", "comment")}
    return answer(
        {
            **shown,
            "state": silence.state(service.clock.now_ms()),
            "matchers": list(map(str, silence.matchers)),
            "leeway": {"intervals": written(silence.intervals), "tells": list(silence.tells)},
            "kept_quiet": sorted(silenced_by(service.store, silence_id, silence.starts_ms, silence.ends_ms)),
            "notices": notices,
        }
    )
