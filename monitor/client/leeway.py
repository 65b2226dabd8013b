"""The questions that can be asked of a service, or of a store that no service has open."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Concatenate, ParamSpec
from urllib.parse import quote, urlencode

import httpx

from monitor.client.answer import Answer
from monitor.client.configurations import Configurations
from monitor.client.connection import Connection
from monitor.client.stream import Happened
from monitor.resources.alerts import Alerts, AlertSummary
from monitor.resources.audit import Audit
from monitor.resources.clocks import Clocks
from monitor.resources.compare import Compare
from monitor.resources.contract import Moment, Question, written
from monitor.resources.dead_letters import DeadLetters
from monitor.resources.deployments import Deployments
from monitor.resources.findings import Findings
from monitor.resources.history import History
from monitor.resources.incidents import Incidents
from monitor.resources.jobs import JobRuns, Jobs
from monitor.resources.marks import Marks
from monitor.resources.models import Models
from monitor.resources.status import Protection, ProtectionSummary
from monitor.resources.subscriptions import Subscriptions
from monitor.resources.top import Top
from monitor.resources.windows import ExplainWindow
from monitor.tls.client import ClientTls

__all__ = ["DEFAULT_URL", "Leeway", "Time"]

DEFAULT_URL = "http://127.0.0.1:8080"
TIMEOUT_S = 60.0

P = ParamSpec("P")
Time = Moment


def asks(question: Callable[P, Question]) -> Callable[Concatenate[Leeway, P], Answer]:
    """Return the method that asks a question: its parameters and its documentation are the question's."""

    def method(leeway: Leeway, /, *args: P.args, **kwargs: P.kwargs) -> Answer:
        return leeway.ask(question(*args, **kwargs))

    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    parameters = inspect.signature(question).parameters.values()
    method.__signature__ = inspect.Signature([itself, *parameters])  # type: ignore[attr-defined]
    method.__doc__ = question.__doc__
    return method


class Leeway:
    """Asks a running service, or a store that no service has open.

    Parameters
    ----------
    url : str
    token : str or None
        Where the service asks for one; the variable ``LEEWAY_TOKEN`` if None.
    timeout_s : float
        How long to wait for a part of an answer.
    retries : int
        How many more times a question is asked while the service cannot be reached or says that waiting helps.
    transport : httpx.BaseTransport or None
        How requests are sent; over the network if None.
    tls : ClientTls or None
        Whom to trust, and the certificate to show; the variables ``LEEWAY_CA``, ``LEEWAY_CERT`` and ``LEEWAY_KEY`` if
        None.

    Attributes
    ----------
    configurations : Configurations
        What models are watched with, and changes of that.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        token: str | None = None,
        timeout_s: float = TIMEOUT_S,
        retries: int = 3,
        transport: httpx.BaseTransport | None = None,
        tls: ClientTls | None = None,
    ) -> None:
        self._connection = Connection(url.rstrip("/"), timeout_s, retries, transport, token, tls or ClientTls())
        self._release: Callable[[], None] = lambda: None
        self.configurations = Configurations(self._connection)

    @classmethod
    def embedded(cls, path: str | os.PathLike[str], *, config: str | os.PathLike[str] | None = None) -> Leeway:
        """Open the directory of an embedded store, while no service runs.

        Parameters
        ----------
        path : path-like
        config : path-like or None
            The configuration, for what needs one: comparisons, distributions, namespaces.

        Raises
        ------
        InputError, ConfigError
            If there is no store, or the configuration has mistakes.
        StoreError
            If the store cannot be opened, for one because a service has it open.
        """
        from monitor.api.app import create_app
        from monitor.client.archive import Archive
        from monitor.client.inprocess import InProcess

        archive = Archive(path, config)
        leeway = cls("http://embedded", retries=0, transport=InProcess(create_app(archive, is_guarded=False)))
        leeway._release = archive.close
        return leeway

    def __enter__(self) -> Leeway:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End connections, and give up a store."""
        self._connection.close()
        self._release()

    def ask(self, question: Question) -> Answer:
        """Return the answer to a question, for which nothing is asked before its rows are read."""
        return Answer(self._connection, question)

    models = asks(Models)
    history = asks(History)
    findings = asks(Findings)
    status = asks(Protection)
    status_summary = asks(ProtectionSummary)
    top = asks(Top)
    compare = asks(Compare)
    alerts = asks(Alerts)
    alert_summary = asks(AlertSummary)
    incidents = asks(Incidents)
    deployments = asks(Deployments)
    dead_letters = asks(DeadLetters)
    marks = asks(Marks)
    clocks = asks(Clocks)
    audit = asks(Audit)
    jobs = asks(Jobs)
    job_runs = asks(JobRuns)

    def alert(self, alert_id: str) -> dict[str, Any]:
        """One alert from its start: ``alert``, ``acknowledged``, ``transitions`` and ``notifications``.

        Raises
        ------
        UnknownError
            There is no such alert.
        """
        return self._connection.document(f"/v1/alerts/{quote(alert_id, safe='')}", {}, holds="transitions")

    def follow(
        self, *, model: str | None = None, matchers: Sequence[str] = (), after: str | None = None
    ) -> Iterator[Happened]:
        """What happens to alerts, for ever: positions in the stream, each with the transition before it.

        A lost connection is made again. The first position comes without a transition; passed as ``after``, a position
        lets another call continue behind it.

        Raises
        ------
        UnreachableError
            The service does not answer the first time.
        """
        parameters = {"matcher": list(matchers), **({} if model is None else {"model": model})}
        return self._connection.follow(parameters, after)

    def explain(self, alert_id: str) -> dict[str, Any]:
        """Who was notified of an alert, who was not, and why: ``alert``, ``receivers`` and ``decisions``.

        Raises
        ------
        UnknownError
            There is no such alert.
        """
        return self._connection.document(f"/v1/alerts/{quote(alert_id, safe='')}/explain", {}, holds="decisions")

    def explain_window(
        self, model: str, signal: str, at: Moment, *, segment: str = "", version: str | None = None
    ) -> dict[str, Any]:
        """Why the window that holds a time alarmed or did not: ``outcome``, ``words``, ``contrasts``, ``alerts`` ….

        Raises
        ------
        UnknownError
            There is no such window; the message names the nearest ones.
        """
        question = ExplainWindow(model, signal, at, segment=segment, version=version)
        return self._connection.document(question.path, question.wire(), holds="contrasts")

    def subscriptions(self) -> list[dict[str, Any]]:
        """Who is notified of which alerts, beside the routes of the configuration."""
        return list(self.ask(Subscriptions()))

    def incident(self, incident_id: str) -> dict[str, Any]:
        """One incident with its ``causes`` and ``alerts``, found by the id of any of its alerts.

        Raises
        ------
        UnknownError
            No alert that fired has this id.
        """
        return self._connection.document(f"/v1/incidents/{quote(incident_id, safe='')}", {}, holds="alerts")

    def mark(self, model: str, signal: str, says: str, **details: Any) -> dict[str, Any]:
        """Say of a signal that its level is the new normal, or what its alert was, and return the mark.

        Parameters
        ----------
        model, signal : str
        says : {"accepted", "false", "harmless", "real"}
        **details
            ``created_by``, who says so; ``reason``; ``segment``; ``version``; ``at``, a time: from when on the level is
            normal, since its alert began if absent, or when the alert fired.

        Raises
        ------
        QuestionError
            There is no such series, or no alert of it.
        """
        at = {"at": written(details.pop("at"))} if details.get("at") is not None else {}
        body = {"model": model, "signal": signal, "says": says, **details, **at}
        return self._connection.send("/v1/marks", body, holds="id")

    def accept(self, model: str, signal: str, **details: Any) -> dict[str, Any]:
        """Accept the level that a signal has as its new normal: :meth:`mark` with ``accepted``."""
        return self.mark(model, signal, "accepted", **details)

    def set_clocks_back(self, model: str, **details: Any) -> dict[str, Any]:
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
        to = {"to": written(details.pop("to"))} if details.get("to") is not None else {}
        return self._connection.send("/v1/clocks", {"model": model, **details, **to})

    def run_job(self, job: str, *, created_by: str, reason: str = "") -> dict[str, Any]:
        """Ask every process of a job's role to run it now, and return the request.

        `job_runs` with its `asked_ms` says what became of it.

        Raises
        ------
        UnknownError, QuestionError
            There is no such job, or it is paused.
        """
        body = {"created_by": created_by, "reason": reason}
        return self._connection.send(_job_path(job, "run"), body, holds="asked_ms")

    def pause_job(self, job: str, *, created_by: str, reason: str) -> dict[str, Any]:
        """Keep a job from running by the clock, in every process, and return the pause.

        Raises
        ------
        UnknownError
            There is no such job.
        """
        body = {"created_by": created_by, "reason": reason}
        return self._connection.send(_job_path(job, "pause"), body, "PUT", holds="since_ms")

    def resume_job(self, job: str, *, created_by: str, reason: str = "") -> dict[str, Any]:
        """Have a job run by the clock again, and return the pause that is over.

        Raises
        ------
        UnknownError
            There is no such job, or it is not paused.
        """
        parameters = urlencode({"created_by": created_by, "reason": reason})
        return self._connection.send(f"{_job_path(job, 'pause')}?{parameters}", None, "DELETE", holds="since_ms")

    def retry_dead_letters(
        self, places: Iterable[tuple[str, int, int]], *, dry_run: bool = False
    ) -> list[dict[str, Any]]:
        """Put rejected messages back on their streams, and return what became of each.

        Parameters
        ----------
        places : iterable of (str, int, int)
            Topic, partition and offset of each, a thousand at most.
        dry_run : bool
            Only return what would be done.
        """
        names = ("topic", "partition", "offset")
        named = [dict(zip(names, position, strict=True)) for position in places]
        answer = self._connection.send("/v1/dead-letters/retries", {"places": named, "dry_run": dry_run})
        retried: list[dict[str, Any]] = answer["items"]
        return retried

    def export(self, subject: str, model: str = "", fields: Iterable[str] = ()) -> Iterator[dict[str, Any]]:
        """Yield all that is held about a data subject, row by row.

        Parameters
        ----------
        subject : str
            As it stands at the model's `keep.subject`.
        model : str
            All models if empty.
        fields : iterable of str
            Category signals, beside the subject's own, in which its name is looked for.
        """
        body = {"subject": subject, "model": model, "fields": list(fields)}
        yield from map(json.loads, self._connection.lines("/v1/exports", body))


def _job_path(job: str, action: str) -> str:
    return f"/v1/jobs/{quote(job, safe='')}/{action}"
