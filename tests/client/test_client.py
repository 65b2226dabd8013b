"""The client for programs: the same answers from a service and from its store, and errors that say what to do."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pandas
import polars
import pyarrow
import pyarrow.parquet
import pytest

from monitor.api.app import create_app
from monitor.client import (
    Answer,
    ClientError,
    Leeway,
    QuestionError,
    ServiceError,
    UnavailableError,
    UnknownError,
    UnreachableError,
)
from monitor.client.inprocess import InProcess
from monitor.errors import InputError, SourceError
from sinks.store import open_store
from sinks.store.contract import StoreError
from tests.api.test_alerts import served as alerts_served
from tests.api.world import MINUTE_MS, World, configured, score, step

CONFIG = """\
apiVersion: leeway/v1
kind: Model
metadata: {name: fraud, namespace: fraud-team}
spec:
  sources: [{http: fraud}]
  schema:
    features: {amount: {type: numeric, range: [0, 100]}, country: {type: category}}
    prediction: {score: {type: numeric}}
"""


def fill(world: World) -> World:
    world.add("scores", [score(end, effect=end / 10, statistic=end / 10) for end in range(1, 13)])
    world.add("scores", [score(12, detector="ks", status="drift", effect=9.0)])
    world.add("alerts", [step("a", 0, "firing", 2_000), step("b", 0, "firing", 3_000), step("b", 1, "resolved", 4_000)])
    world.add("deployments", [{"id": "b7", "at_ms": 7, "name": "new", "models": ["fraud"], "labels": '{"a":"b"}'}])
    world.add("findings", [{"model": "fraud", "signal": "feature:amount", "detector": "adwin", "event_ms": 9}])
    world.add("marks", [{"id": "m", "model": "fraud", "signal": "volume", "says": "accepted", "from_ms": 5}])
    world.add("audit", [{"at_ms": 5, "id": "i", "who": "ann", "operation": "POST /v1/marks", "status": 200}])
    world.add("job_runs", [{"started_ms": 5, "job": "log_status", "instance": "a", "ended_ms": 9, "outcome": "done"}])
    world.add("dead_letters", [{"topic": "t", "action": "kept", "payload": b"{}"}])
    for start_ms in (0, 10_000):
        world.numbers("feature:amount", start_ms, [1.0, 2.0, 2.0 + start_ms])
    return world


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Leeway]:
    folder = tmp_path_factory.mktemp("client")
    store = open_store("chdb", str(folder / "store"))
    fill(World(store=store))
    store.close()
    (folder / "fraud.yaml").write_text(CONFIG)
    with Leeway.embedded(folder / "store", config=folder / "fraud.yaml") as leeway:
        yield leeway


@pytest.fixture(scope="module")
def asked() -> Iterator[Leeway]:
    with Leeway("http://leeway/", transport=InProcess(create_app(fill(World())))) as leeway:
        yield leeway


NIGHT: dict[str, Any] = {"from_": 10_000, "to": 20_000, "against_from": 0, "against_to": 10_000}
QUESTIONS: dict[str, Callable[[Leeway], Answer]] = {
    "history": lambda leeway: leeway.history("fraud", "feature:amount"),
    "buckets": lambda leeway: leeway.history("fraud", step="auto", points=3),
    "status": lambda leeway: leeway.status("fraud"),
    "status_summary": lambda leeway: leeway.status_summary(model="fraud"),
    "top": lambda leeway: leeway.top(namespace="fraud-team"),
    "compare": lambda leeway: leeway.compare("fraud", **NIGHT, signals=["feature:amount"], cells=True),
    "baselines": lambda leeway: leeway.baselines("fraud"),
    "findings": lambda leeway: leeway.findings("fraud"),
    "alerts": lambda leeway: leeway.alerts(state="firing"),
    "log": lambda leeway: leeway.alerts(transitions=True),
    "deployments": lambda leeway: leeway.deployments(model="fraud"),
    "marks": lambda leeway: leeway.marks(model="fraud"),
    "incidents": lambda leeway: leeway.incidents(state="firing"),
    "summary": lambda leeway: leeway.alert_summary(model="fraud"),
    "audit": lambda leeway: leeway.audit(who="ann"),
    "jobs": lambda leeway: leeway.jobs(),
    "job_runs": lambda leeway: leeway.job_runs(job="log_status"),
    "letters": lambda leeway: leeway.dead_letters(topic="t"),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_store_answers_as_a_service_does(name: str, asked: Leeway, embedded: Leeway) -> None:
    question = QUESTIONS[name]
    assert list(question(embedded)) == list(question(asked)) != []
    assert question(embedded).arrow().equals(question(asked).arrow())
    assert question(asked).arrow().num_rows == len(list(question(asked)))


def test_what_people_say_of_a_signal_comes_back_as_a_mark() -> None:
    with Leeway("http://leeway/", transport=InProcess(create_app(World()))) as client:
        mark = client.accept("fraud", "volume", at="-1h", reason="more customers", created_by="ann")
    assert (mark["says"], mark["created_by"]) == ("accepted", "ann")


def test_an_alert_is_explained_by_a_store_as_by_a_service(asked: Leeway, embedded: Leeway) -> None:
    for row in asked.alerts():
        said = asked.explain(row["alert_id"])
        assert said == embedded.explain(row["alert_id"])
        assert said["alert"]["alert_id"] == row["alert_id"]


def test_an_incident_is_shown_by_a_store_as_by_a_service(asked: Leeway, embedded: Leeway) -> None:
    [row] = asked.incidents(state="firing")
    said = asked.incident(row["id"])
    assert said == embedded.incident(row["id"])
    assert [alert["alert_id"] for alert in said["alerts"]] == ["a", "b"]


def test_subscriptions_are_listed_by_a_store_as_by_a_service(asked: Leeway, embedded: Leeway) -> None:
    assert embedded.subscriptions() == asked.subscriptions() == []


def test_models_without_a_configuration_are_those_stored(tmp_path: Path, embedded: Leeway) -> None:
    assert [row["name"] for row in embedded.models()] == ["fraud"]


def test_frames_have_types(asked: Leeway) -> None:
    answer = asked.history("fraud", detector="psi")
    table = answer.arrow()
    assert table.schema.field("window_end_ms").type == pyarrow.timestamp("ms", tz="UTC")
    frame = answer.pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert str(frame["window_end_ms"].dtype) == "datetime64[ms, UTC]"
    assert frame["effect"].tolist() == [end / 10 for end in range(1, 13)]
    polar = answer.polars()
    assert polar.schema["window_end_ms"] == polars.Datetime("ms", "UTC")
    assert polar["effect"].to_list() == frame["effect"].tolist()
    assert asked.alerts().polars()["labels"].to_list()[0] is not None
    assert asked.compare("fraud", **NIGHT, cells=True).pandas()["distances"][0][0]["detector"]


@pytest.mark.parametrize("package", ["pandas", "polars"])
def test_a_missing_package_is_named(package: str, asked: Leeway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ClientError, match=f"pip install {package}"):
        getattr(asked.alerts(), package)()


def test_pages_do_not_show(asked: Leeway, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = list(asked.history("fraud"))
    monkeypatch.setattr("monitor.client.requests.PAGE", 4)
    assert list(asked.history("fraud")) == whole
    assert list(asked.history("fraud", limit=6)) == whole[:6]
    assert len(list(asked.history("fraud", limit=6).pages())) == 2
    assert asked.history("fraud", limit=6).arrow().num_rows == 6


@pytest.mark.parametrize(
    ("from_", "rows"),
    [
        (10 * MINUTE_MS, 3),
        ("1970-01-01T00:10:00Z", 3),
        (datetime(1970, 1, 1, 0, 10, tzinfo=UTC), 3),
        (datetime(1970, 1, 1, 0, 10), 3),
        (pandas.Timestamp("1970-01-01T01:10:00+01:00"), 3),
        (date(1970, 1, 1), 12),
        (timedelta(days=36_500), 12),
        (None, 12),
    ],
)
def test_times_come_as_people_have_them(from_: Any, rows: int, asked: Leeway) -> None:
    assert len(list(asked.history("fraud", detector="psi", from_=from_))) == rows


@pytest.mark.parametrize("form", ["csv", "parquet", "arrow"])
def test_a_file_is_written_whole_or_not_at_all(form: str, asked: Leeway, tmp_path: Path) -> None:
    target = asked.history("fraud").save(tmp_path / f"scores.{form}")
    assert target.stat().st_size > 0
    with pytest.raises(QuestionError):
        asked.history("nobody").save(target)
    assert [path.name for path in tmp_path.iterdir()] == [f"scores.{form}"]
    if form == "parquet":
        assert pyarrow.parquet.read_table(target).equals(asked.history("fraud").arrow())


def test_an_unknown_form_is_refused_before_anything_is_asked(asked: Leeway, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no form 'xlsx'"):
        asked.alerts().save(tmp_path / "alerts.xlsx")


def test_a_wrong_question_says_what_would_be_right(asked: Leeway) -> None:
    with pytest.raises(UnknownError, match="known are fraud, churn") as caught:
        list(asked.history("fruad"))
    assert (caught.value.kind, caught.value.status) == ("unknown-model", 404)
    with pytest.raises(QuestionError, match="'noon' is not a time") as wrong:
        asked.alerts(from_="noon").arrow()
    assert wrong.value.errors[0]["field"] == "from"
    assert isinstance(wrong.value, InputError)


class Flaky:
    """Fails some times, then answers."""

    def __init__(self, *failures: Exception | httpx.Response) -> None:
        self.failures = list(failures)
        self.calls = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        if not self.failures:
            return httpx.Response(200, json={"items": [{"n": 1}], "next_cursor": None})
        failure = self.failures.pop(0)
        if isinstance(failure, Exception):
            raise failure
        return failure


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", found.append)
    return found


def flaky(*failures: Exception | httpx.Response) -> tuple[Leeway, Flaky]:
    service = Flaky(*failures)
    return Leeway("http://leeway", transport=httpx.MockTransport(service)), service


def busy(after: str | None = None) -> httpx.Response:
    headers = {"retry-after": after} if after else {}
    return httpx.Response(503, json={"type": "/v1/problems#unavailable", "detail": "busy"}, headers=headers)


def test_what_may_pass_is_asked_again(waits: list[float]) -> None:
    leeway, service = flaky(httpx.ConnectError("refused"), busy(), busy("3"))
    assert list(leeway.alerts()) == [{"n": 1}]
    assert service.calls == 4
    assert waits == [0.5, 1.0, 3.0]


def test_asking_again_ends(waits: list[float]) -> None:
    leeway, service = flaky(*[httpx.ReadTimeout("late")] * 9)
    with pytest.raises(UnreachableError, match="http://leeway cannot be reached: late"):
        list(leeway.alerts())
    assert service.calls == 4
    leeway, service = flaky(*[busy("60")] * 9)
    with pytest.raises(UnavailableError, match="busy"):
        list(leeway.alerts())
    assert (service.calls, max(waits)) == (4, 8.0)


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (httpx.Response(500, json={"type": "x#store-error", "detail": "disk"}), ServiceError, "/v1/alerts: disk"),
        (httpx.Response(422, json={"type": "x#bad-parameter", "detail": "no"}), QuestionError, "no"),
        (httpx.Response(502, text="<html>"), ServiceError, "no Leeway service: it answers 502"),
        (httpx.Response(200, text="<html>"), ServiceError, "does not answer JSON"),
        (httpx.Response(200, json=[1]), ServiceError, "no Leeway service"),
    ],
)
def test_what_will_not_pass_is_asked_once(
    answer: httpx.Response, kind: type[Exception], message: str, waits: list[float]
) -> None:
    leeway, service = flaky(answer)
    with pytest.raises(kind, match=message):
        list(leeway.alerts())
    assert (service.calls, waits) == (1, [])


def test_the_tree_of_errors_says_whether_waiting_helps() -> None:
    assert issubclass(UnreachableError, SourceError)
    assert UnreachableError("x").retryable
    assert all(issubclass(kind, ClientError) for kind in (UnreachableError, QuestionError, ServiceError))


def test_a_page_to_log_in_is_no_answer(tmp_path: Path) -> None:
    def page(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, html="<html>Log in</html>")

    reads: list[Callable[[Leeway], Any]] = [
        lambda leeway: list(leeway.alerts()),
        lambda leeway: leeway.alerts().arrow(),
        lambda leeway: leeway.alerts().save(tmp_path / "alerts.csv"),
        lambda leeway: list(leeway.export("4711")),
        lambda leeway: next(leeway.follow()),
    ]
    with Leeway("http://leeway", transport=httpx.MockTransport(page)) as leeway:
        for read in reads:
            with pytest.raises(ServiceError, match="no Leeway service"):
                read(leeway)
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_is_cut_off_is_asked_for_again(waits: list[float]) -> None:
    whole = fill(World())
    answers = create_app(whole)
    inner = InProcess(answers)

    class CutOnce(httpx.BaseTransport):
        cut = False

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            answer = inner.handle_request(request)
            if not self.cut:
                self.cut = True
                return httpx.Response(200, headers=answer.headers, stream=Cut(answer))
            return answer

    class Cut(httpx.SyncByteStream):
        def __init__(self, answer: httpx.Response) -> None:
            self.answer = answer

        def __iter__(self) -> Iterator[bytes]:
            yield next(self.answer.iter_raw())
            raise httpx.RemoteProtocolError("peer closed connection")

        def close(self) -> None:
            self.answer.close()

    with Leeway("http://leeway", transport=CutOnce()) as leeway:
        assert leeway.history("fraud").arrow().num_rows == 13
    assert waits == [0.5]
    inner.close()


def test_an_application_that_breaks_while_it_answers_is_no_complete_answer() -> None:
    async def breaks(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise OSError("disk")

    async def silent(scope: Any, receive: Any, send: Any) -> None:
        return

    for app in (breaks, silent):
        leeway = Leeway("http://leeway", transport=InProcess(app), retries=0)
        with leeway, pytest.raises(UnreachableError, match=r"ended before it was complete|no answer"):
            leeway.alerts().arrow()


def test_an_answer_may_be_left_half_read(asked: Leeway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.api.forms.EXPORT_ROWS", 1)
    for _ in range(3):
        assert next(asked.history("fraud").stream("csv")).startswith(b'"model"')
    assert asked.history("fraud").arrow().num_rows == 13


def test_a_store_asks_for_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEEWAY_TOKEN", "no tökén")
    world: Any = fill(World())
    world.close = lambda: None
    monkeypatch.setattr("monitor.client.archive.Archive", lambda path, config: world)
    with Leeway.embedded("store") as leeway:
        assert len(list(leeway.history("fraud"))) == 13


def test_a_store_that_is_none_or_in_use_is_refused(tmp_path: Path, embedded: Leeway) -> None:
    with pytest.raises(InputError, match="no store at"):
        Leeway.embedded(tmp_path)
    (tmp_path / "leeway.lock").touch()
    with pytest.raises(StoreError, match="already has the store at"):
        Leeway.embedded(tmp_path)


def test_without_a_configuration_a_store_says_what_it_needs() -> None:
    world = World(store=fill(World()).store, configuration=configured())
    with Leeway("http://leeway", transport=InProcess(create_app(world))) as leeway:
        assert [row["name"] for row in leeway.models()] == ["fraud"]
        assert len(list(leeway.history("fraud"))) == 13
        with pytest.raises(UnknownError, match="known are fraud"):
            list(leeway.history("churn"))
        for question in (leeway.compare("fraud", **NIGHT), leeway.top(namespace="risk")):
            with pytest.raises(QuestionError, match="configuration"):
                list(question)


def test_a_stream_that_is_cut_off_is_gone_on_with_and_nothing_is_missed() -> None:
    world = World()
    with ExitStack() as stack:
        with alerts_served(world) as url:
            leeway = stack.enter_context(Leeway(url))
            happening = leeway.follow(matchers=["model=fraud"])
            place, nothing = next(happening)
            assert nothing is None
            world.add("alerts", [step("a", 0, "firing", 2_000)])
            assert next(happened["alert_id"] for _, happened in happening if happened is not None) == "a"
        # The service is gone; what happens meanwhile is shown when it is back.
        world.add("alerts", [step("b", 0, "firing", 3_000), step("c", 0, "firing", 4_000, labels='{"model":"churn"}')])
        stack.enter_context(alerts_served(world, int(url.rpartition(":")[2])))
        # However often it says meanwhile that nothing has happened.
        assert next(happened["alert_id"] for _, happened in happening if happened is not None) == "b"
        again = (happened["alert_id"] for _, happened in leeway.follow(after=place) if happened is not None)
        assert list(islice(again, 3)) == ["a", "b", "c"]
