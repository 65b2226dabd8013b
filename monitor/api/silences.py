"""What became of a silence: whom it kept from being told what, and who was told of it."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from monitor.api.alertmanager import SilenceOptions
from monitor.api.explain import MadeDecision
from monitor.api.parameters import TheService, answer
from monitor.api.problems import ProblemError
from monitor.api.reading import read_all
from monitor.routing.decision_log import silenced_by
from monitor.routing.interval_spec import written
from monitor.routing.silence_log import SilenceLog
from monitor.routing.silences import SilenceError
from sinks.store.contract import Query

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["alerts"])


class ExplainedSilence(BaseModel):
    """A silence, and what became of it."""

    id: str
    state: str = Field(description="`pending`, also between two times at which it counts, `active` or `expired`")
    matchers: list[str]
    starts_ms: int
    ends_ms: int
    created_by: str
    comment: str
    leeway: SilenceOptions
    kept_quiet: list[str] = Field(description="ids of the alerts that it kept from somebody")
    notices: list[MadeDecision] = Field(
        description="who was told that it began or is over; `sequence` is when it began to count, in s since the epoch"
    )


@router.get("/silences/{silence_id}", summary="A silence, and what became of it", response_model=ExplainedSilence)
def explain_silence(service: TheService, silence_id: str) -> Response:
    try:
        silence = SilenceLog(service.store, service.clock).get(silence_id)
    except SilenceError as error:
        raise ProblemError("not-found", str(error)) from error
    now_ms = service.clock.now_ms()
    rows = read_all(service.store, Query("decisions", where={"alert_id": silence_id}))
    notices = [{name: row[name] for name in MadeDecision.model_fields} for row in rows]
    notices.sort(key=lambda row: (row["at_ms"], row["receiver"]))
    same = {name: getattr(silence, name) for name in ("id", "starts_ms", "ends_ms", "created_by", "comment")}
    return answer(
        {
            **same,
            "state": silence.state(now_ms),
            "matchers": list(map(str, silence.matchers)),
            "leeway": {"intervals": written(silence.intervals), "tells": list(silence.tells)},
            "kept_quiet": sorted(silenced_by(service.store, silence_id, silence.starts_ms, silence.ends_ms)),
            "notices": notices,
        }
    )
