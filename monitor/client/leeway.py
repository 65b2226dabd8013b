"""The questions that can be asked of a service, or of a store that no service has open.

The client that blocks and the one for event loops have the same lines: a test compares them.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Any, Concatenate, ParamSpec

import httpx

from monitor.client import operations, people
from monitor.client.answer import Answer, AsyncAnswer
from monitor.client.configurations import AsyncConfigurations, Configurations
from monitor.client.connection import AsyncConnection, Connection
from monitor.client.methods import does, does_async, like
from monitor.client.requests import Happened
from monitor.resources.alerts import Alerts, AlertSummary
from monitor.resources.audit import Audit
from monitor.resources.baselines import Baselines
from monitor.resources.clocks import Clocks
from monitor.resources.compare import Compare
from monitor.resources.contract import Moment, Question
from monitor.resources.dead_letters import DeadLetters
from monitor.resources.deployments import Deployments
from monitor.resources.estimates import Estimates
from monitor.resources.expected import Expected
from monitor.resources.findings import Findings
from monitor.resources.fleet import Fleet
from monitor.resources.heatmap import Heatmap
from monitor.resources.history import History
from monitor.resources.incidents import Incidents
from monitor.resources.jobs import JobRuns, Jobs
from monitor.resources.labels import Labels
from monitor.resources.marks import Marks
from monitor.resources.models import Models, UnregisteredModels
from monitor.resources.performance import Performance
from monitor.resources.rollouts import Rollouts
from monitor.resources.rows import Rows
from monitor.resources.slices import Slices
from monitor.resources.status import Protection, ProtectionSummary
from monitor.resources.top import Top
from monitor.tls.client import ClientTls

__all__ = ["DEFAULT_URL", "AsyncLeeway", "Leeway", "Time"]

DEFAULT_URL = "http://127.0.0.1:8080"
TIMEOUT_S = 60.0

P = ParamSpec("P")
Time = Moment


def asks(question: Callable[P, Question]) -> Callable[Concatenate[Leeway, P], Answer]:
    """Return the method that asks a question: its parameters and its documentation are the question's."""

    def method(leeway: Leeway, /, *args: P.args, **kwargs: P.kwargs) -> Answer:
        return leeway.ask(question(*args, **kwargs))

    return like(question, method)


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
        transport = InProcess(create_app(archive, is_guarded=False))
        leeway = cls("http://embedded", token="", retries=0, transport=transport)
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
        try:
            self._connection.close()
        finally:
            self._release()

    def ask(self, question: Question) -> Answer:
        """Return the answer to a question, for which nothing is asked before its rows are read."""
        return Answer(self._connection, question)

    models = asks(Models)
    fleet = asks(Fleet)
    unregistered_models = asks(UnregisteredModels)
    history = asks(History)
    findings = asks(Findings)
    baselines = asks(Baselines)
    status = asks(Protection)
    status_summary = asks(ProtectionSummary)
    top = asks(Top)
    heatmap = asks(Heatmap)
    expected = asks(Expected)
    performance = asks(Performance)
    labels = asks(Labels)
    estimates = asks(Estimates)
    compare = asks(Compare)
    slices = asks(Slices)
    rows = asks(Rows)
    alerts = asks(Alerts)
    alert_summary = asks(AlertSummary)
    incidents = asks(Incidents)
    deployments = asks(Deployments)
    dead_letters = asks(DeadLetters)
    marks = asks(Marks)
    rollouts = asks(Rollouts)
    clocks = asks(Clocks)
    audit = asks(Audit)
    jobs = asks(Jobs)
    job_runs = asks(JobRuns)

    alert = does(operations.alert)
    whoami = does(operations.whoami)
    explain = does(operations.explain)
    explain_window = does(operations.explain_window)
    subscriptions = does(operations.subscriptions)
    incident = does(operations.incident)
    mark = does(operations.mark)
    accept = does(operations.accept)
    rollout = does(operations.rollout)
    start_rollout = does(operations.start_rollout)
    stop_rollout = does(operations.stop_rollout)
    set_clocks_back = does(operations.set_clocks_back)
    run_job = does(operations.run_job)
    pause_job = does(operations.pause_job)
    resume_job = does(operations.resume_job)
    retry_dead_letters = does(operations.retry_dead_letters)

    model = does(people.model)
    distribution = does(people.distribution)
    acknowledge = does(people.acknowledge)
    acknowledge_incident = does(people.acknowledge_incident)
    silence = does(people.silence)
    silences = does(people.silences)
    silence_outcome = does(people.silence_outcome)
    end_silence = does(people.end_silence)
    subscribe = does(people.subscribe)
    subscription = does(people.subscription)
    unsubscribe = does(people.unsubscribe)
    announce = does(people.announce)
    tokens = does(people.tokens)
    create_token = does(people.create_token)
    revoke_token = does(people.revoke_token)
    erase = does(people.erase)
    erasures = does(people.erasures)
    send = does(people.send)

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
        return self._connection.follow(operations.stream_of(model, matchers), after)

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
        lines = self._connection.lines(operations.export_of(subject, model, fields))
        yield from map(operations.row_of_export, lines)


def asks_async(question: Callable[P, Question]) -> Callable[Concatenate[AsyncLeeway, P], AsyncAnswer]:
    """Return the method that asks a question, as :func:`asks` does."""

    def method(leeway: AsyncLeeway, /, *args: P.args, **kwargs: P.kwargs) -> AsyncAnswer:
        return leeway.ask(question(*args, **kwargs))

    return like(question, method)


class AsyncLeeway:
    """Asks a running service, or a store that no service has open: what :class:`Leeway` is, in an event loop.

    Methods have the same names, parameters and answers. Those that ask return an :class:`AsyncAnswer` at once; those
    that do something are awaited.

    Parameters
    ----------
    url, token, timeout_s, retries, tls
        As of :class:`Leeway`.
    transport : httpx.AsyncBaseTransport or None
        How requests are sent; over the network if None.

    Attributes
    ----------
    configurations : AsyncConfigurations
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        token: str | None = None,
        timeout_s: float = TIMEOUT_S,
        retries: int = 3,
        transport: httpx.AsyncBaseTransport | None = None,
        tls: ClientTls | None = None,
    ) -> None:
        self._connection = AsyncConnection(url.rstrip("/"), timeout_s, retries, transport, token, tls or ClientTls())
        self._release: Callable[[], None] = lambda: None
        self.configurations = AsyncConfigurations(self._connection)

    @classmethod
    def embedded(cls, path: str | os.PathLike[str], *, config: str | os.PathLike[str] | None = None) -> AsyncLeeway:
        """Open the directory of an embedded store, as :meth:`Leeway.embedded` does; that itself is not awaited."""
        from monitor.api.app import create_app
        from monitor.client.archive import Archive
        from monitor.client.inprocess import AsyncInProcess

        archive = Archive(path, config)
        transport = AsyncInProcess(create_app(archive, is_guarded=False))
        leeway = cls("http://embedded", token="", retries=0, transport=transport)
        leeway._release = archive.close
        return leeway

    async def __aenter__(self) -> AsyncLeeway:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End connections, and give up a store."""
        try:
            await self._connection.close()
        finally:
            self._release()

    def ask(self, question: Question) -> AsyncAnswer:
        """Return the answer to a question, for which nothing is asked before its rows are read."""
        return AsyncAnswer(self._connection, question)

    models = asks_async(Models)
    fleet = asks_async(Fleet)
    unregistered_models = asks_async(UnregisteredModels)
    history = asks_async(History)
    findings = asks_async(Findings)
    baselines = asks_async(Baselines)
    status = asks_async(Protection)
    status_summary = asks_async(ProtectionSummary)
    top = asks_async(Top)
    heatmap = asks_async(Heatmap)
    expected = asks_async(Expected)
    performance = asks_async(Performance)
    labels = asks_async(Labels)
    estimates = asks_async(Estimates)
    compare = asks_async(Compare)
    slices = asks_async(Slices)
    rows = asks_async(Rows)
    alerts = asks_async(Alerts)
    alert_summary = asks_async(AlertSummary)
    incidents = asks_async(Incidents)
    deployments = asks_async(Deployments)
    dead_letters = asks_async(DeadLetters)
    marks = asks_async(Marks)
    rollouts = asks_async(Rollouts)
    clocks = asks_async(Clocks)
    audit = asks_async(Audit)
    jobs = asks_async(Jobs)
    job_runs = asks_async(JobRuns)

    alert = does_async(operations.alert)
    whoami = does_async(operations.whoami)
    explain = does_async(operations.explain)
    explain_window = does_async(operations.explain_window)
    subscriptions = does_async(operations.subscriptions)
    incident = does_async(operations.incident)
    mark = does_async(operations.mark)
    accept = does_async(operations.accept)
    rollout = does_async(operations.rollout)
    start_rollout = does_async(operations.start_rollout)
    stop_rollout = does_async(operations.stop_rollout)
    set_clocks_back = does_async(operations.set_clocks_back)
    run_job = does_async(operations.run_job)
    pause_job = does_async(operations.pause_job)
    resume_job = does_async(operations.resume_job)
    retry_dead_letters = does_async(operations.retry_dead_letters)

    model = does_async(people.model)
    distribution = does_async(people.distribution)
    acknowledge = does_async(people.acknowledge)
    acknowledge_incident = does_async(people.acknowledge_incident)
    silence = does_async(people.silence)
    silences = does_async(people.silences)
    silence_outcome = does_async(people.silence_outcome)
    end_silence = does_async(people.end_silence)
    subscribe = does_async(people.subscribe)
    subscription = does_async(people.subscription)
    unsubscribe = does_async(people.unsubscribe)
    announce = does_async(people.announce)
    tokens = does_async(people.tokens)
    create_token = does_async(people.create_token)
    revoke_token = does_async(people.revoke_token)
    erase = does_async(people.erase)
    erasures = does_async(people.erasures)
    send = does_async(people.send)

    def follow(
        self, *, model: str | None = None, matchers: Sequence[str] = (), after: str | None = None
    ) -> AsyncGenerator[Happened]:
        """What happens to alerts, for ever, as of :meth:`Leeway.follow`."""
        return self._connection.follow(operations.stream_of(model, matchers), after)

    async def export(self, subject: str, model: str = "", fields: Iterable[str] = ()) -> AsyncGenerator[dict[str, Any]]:
        """Yield all that is held about a data subject, row by row, as of :meth:`Leeway.export`."""
        async with aclosing(self._connection.lines(operations.export_of(subject, model, fields))) as lines:
            async for line in lines:
                yield operations.row_of_export(line)
