"""What can be asked of a service, or done by it, beside the questions of `monitor.resources`.

Each is a method of both clients, with the parameters and the documentation that it has here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from monitor.client.displays import Explained, ShownAlert, ShownIncident, ShownRollout
from monitor.client.requests import Request, Steps, all_rows, quoted
from monitor.resources.contract import Moment, written
from monitor.resources.subscriptions import Subscriptions
from monitor.resources.windows import ExplainWindow

__all__ = [
    "accept",
    "alert",
    "explain",
    "explain_window",
    "export_of",
    "incident",
    "mark",
    "pause_job",
    "resume_job",
    "retry_dead_letters",
    "rollout",
    "row_of_export",
    "run_job",
    "set_clocks_back",
    "start_rollout",
    "stop_rollout",
    "stream_of",
    "subscriptions",
    "whoami",
]

Document = dict[str, Any]


def alert(alert_id: str) -> Steps[ShownAlert]:
    """One alert from its start: ``alert``, ``acknowledged``, ``accepted``, ``transitions`` and ``notifications``.

    Raises
    ------
    UnknownError
        There is no such alert.
    """
    return ShownAlert((yield Request(f"/v1/alerts/{quoted(alert_id)}", holds="transitions")))


def explain(alert_id: str) -> Steps[Document]:
    """Who was notified of an alert, who was not, and why: ``alert``, ``receivers`` and ``decisions``.

    Raises
    ------
    UnknownError
        There is no such alert.
    """
    return (yield Request(f"/v1/alerts/{quoted(alert_id)}/explain", holds="decisions"))


def explain_window(
    model: str, signal: str, at: Moment, *, segment: str = "", version: str | None = None
) -> Steps[Explained]:
    """Why the window that holds a time alarmed or did not: ``outcome``, ``words``, ``contrasts``, ``alerts`` ….

    Raises
    ------
    UnknownError
        There is no such window; the message names the nearest ones.
    """
    question = ExplainWindow(model, signal, at, segment=segment, version=version)
    return Explained((yield Request(question.path, question.wire(), holds="contrasts")))


def whoami() -> Steps[Document]:
    """As whom the service sees this client: ``name``, ``role``, ``namespaces``, and what it ``may``."""
    return (yield Request("/v1/whoami", holds="may"))


def subscriptions() -> Steps[list[Document]]:
    """Who is notified of which alerts, beside the routes of the configuration."""
    return all_rows(Subscriptions())


def incident(incident_id: str) -> Steps[ShownIncident]:
    """One incident with its ``causes`` and ``alerts``, found by the id of any of its alerts.

    Raises
    ------
    UnknownError
        No alert that fired has this id.
    """
    return ShownIncident((yield Request(f"/v1/incidents/{quoted(incident_id)}", holds="alerts")))


def mark(model: str, signal: str, says: str, **details: Any) -> Steps[Document]:
    """Say of a signal that its level is the new normal, or what its alert was, and return the mark.

    Parameters
    ----------
    model, signal : str
    says : {"accepted", "false", "harmless", "real"}
    **details
        ``created_by``, who says so; ``reason``; ``segment``; ``version``; ``at``, a time: from when on the level is
        normal, since its alert began if absent (the first one, where it comes each day), or when the alert fired.

    Raises
    ------
    QuestionError
        There is no such series, or no alert of it.
    """
    body = {"model": model, "signal": signal, "says": says, **_with_time(details, "at")}
    return (yield Request("/v1/marks", method="POST", body=body, holds="id"))


def accept(model: str, signal: str, **details: Any) -> Steps[Document]:
    """Accept the level that a signal has as its new normal: `mark` with ``accepted``."""
    return mark(model, signal, "accepted", **details)


def rollout(rollout: str, *, points: int = 0) -> Steps[ShownRollout]:
    """One rollout with its ``verdict``, and the evidence for it: ``compared``, metric by metric.

    Parameters
    ----------
    rollout : str
        Its id.
    points : int
        How many of each metric's ``course``: what was known of it after earlier spans.

    Raises
    ------
    UnknownError
        There is no such rollout.
    """
    return ShownRollout(
        (yield Request(f"/v1/rollouts/{quoted(rollout)}", {"points": points or None}, holds="compared"))
    )


def start_rollout(model: str, *, candidate: str, champion: str, created_by: str, **details: Any) -> Steps[ShownRollout]:
    """Compare a candidate version with its champion from the next window on, and return the rollout.

    Parameters
    ----------
    model, candidate, champion, created_by : str
    **details
        ``metrics``, a list of ``{"signal": …, "max_loss": …, "better": …}``; ``max_loss`` of those that state none;
        ``level``; ``until``, such as ``"14d"``; ``reason``.

    Raises
    ------
    QuestionError
        There is no such version or signal, or the candidate is compared already.
    """
    body = {"model": model, "candidate": candidate, "champion": champion, "created_by": created_by, **details}
    return ShownRollout((yield Request("/v1/rollouts", method="POST", body=body, holds="compared")))


def stop_rollout(rollout: str, *, created_by: str, reason: str = "") -> Steps[ShownRollout]:
    """Compare the versions of a rollout no more, and return it.

    Raises
    ------
    UnknownError
        There is no such rollout.
    """
    body = {"created_by": created_by, "reason": reason}
    return ShownRollout(
        (yield Request(f"/v1/rollouts/{quoted(rollout)}/stop", method="POST", body=body, holds="compared"))
    )


def set_clocks_back(model: str, **details: Any) -> Steps[Document]:
    """Set the clocks of partitions back that a wrong clock has carried away, and return which.

    Parameters
    ----------
    model : str
    **details
        ``created_by``, who does; ``reason``; ``to``, a time, now if absent; ``topic`` and ``partition``, all whose
        clocks are ahead if absent.

    Raises
    ------
    QuestionError
        No clock is ahead of that time.
    """
    return (yield Request("/v1/clocks", method="POST", body={"model": model, **_with_time(details, "to")}))


def run_job(job: str, *, created_by: str, reason: str = "") -> Steps[Document]:
    """Ask every process of a job's role to run it now, and return the request.

    `job_runs` with its `asked_ms` says what became of it.

    Raises
    ------
    UnknownError, QuestionError
        There is no such job, or it is paused.
    """
    body = {"created_by": created_by, "reason": reason}
    return (yield Request(_job_path(job, "run"), method="POST", body=body, holds="asked_ms"))


def pause_job(job: str, *, created_by: str, reason: str) -> Steps[Document]:
    """Keep a job from running by the clock, in every process, and return the pause.

    Raises
    ------
    UnknownError
        There is no such job.
    """
    body = {"created_by": created_by, "reason": reason}
    return (yield Request(_job_path(job, "pause"), method="PUT", body=body, holds="since_ms"))


def resume_job(job: str, *, created_by: str, reason: str = "") -> Steps[Document]:
    """Have a job run by the clock again, and return the pause that is over.

    Raises
    ------
    UnknownError
        There is no such job, or it is not paused.
    """
    parameters = {"created_by": created_by, "reason": reason}
    return (yield Request(_job_path(job, "pause"), parameters, method="DELETE", holds="since_ms"))


def retry_dead_letters(places: Iterable[tuple[str, int, int]], *, dry_run: bool = False) -> Steps[list[Document]]:
    """Put rejected messages back on their streams, and return what became of each.

    Parameters
    ----------
    places : iterable of (str, int, int)
        Topic, partition and offset of each, a thousand at most.
    dry_run : bool
        Only return what would be done.
    """
    names = ("topic", "partition", "offset")
    body = {"places": [dict(zip(names, position, strict=True)) for position in places], "dry_run": dry_run}
    answer = yield Request("/v1/dead-letters/retries", method="POST", body=body)
    retried: list[Document] = answer["items"]
    return retried


# -- what is read piece by piece ---------------------------------------------------------------------------------------


def export_of(subject: str, model: str, fields: Iterable[str]) -> Request:
    """Return the request for all that is held about a data subject; its answer has a row on each line."""
    body = {"subject": subject, "model": model, "fields": list(fields)}
    return Request("/v1/exports", method="POST", body=body, media="application/x-ndjson")


def row_of_export(line: str) -> Document:
    """Return the row on a line of an export."""
    row: Document = json.loads(line)
    return row


def stream_of(model: str | None, matchers: Sequence[str]) -> dict[str, Any]:
    """Return the parameters of a stream of alerts."""
    return {"matcher": list(matchers), **({} if model is None else {"model": model})}


def _with_time(details: dict[str, Any], name: str) -> dict[str, Any]:
    """Return details with a time as parameters have it; one that is None is left out."""
    moment = details.get(name)
    others = {each: value for each, value in details.items() if each != name}
    return others if moment is None else {**others, name: written(moment)}


def _job_path(job: str, action: str) -> str:
    return f"/v1/jobs/{quoted(job)}/{action}"
