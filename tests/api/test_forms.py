"""Every list as CSV, Parquet and Arrow: the rows of the JSON answer, with types."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import monitor.api.forms
from monitor.api.forms import FORMS, accepted
from monitor.configurations.log import Change, ConfigurationLog
from monitor.routing.subscription_log import SubscriptionLog
from monitor.routing.subscriptions import Subscription
from tests.api.estimated import with_estimates
from tests.api.expected_day import expected_volume
from tests.api.full_world import rollout
from tests.api.world import HOUR_MS, MINUTE_MS, NOW_MS, Client, World, score, step
from tests.slices.labelled import drawn, stored

LISTS = [
    "/v1/models",
    "/v1/fleet",
    "/v1/unregistered-models",
    "/v1/series",
    "/v1/series/summary",
    "/v1/history?model=fraud",
    "/v1/history?model=fraud&step=10m",
    "/v1/expected?model=fraud&signal=volume",
    "/v1/top",
    "/v1/heatmap?model=fraud",
    "/v1/performance?model=fraud",
    "/v1/labels?model=fraud",
    "/v1/estimates?model=fraud",
    "/v1/findings?model=fraud",
    "/v1/baselines",
    "/v1/compare?model=fraud&from=10000&to=20000&against_from=0&against_to=10000",
    "/v1/compare?model=fraud&from=10000&to=20000&against_from=0&against_to=10000&cells=true",
    "/v1/slices?model=fraud&from=1699999200000&to=1700013600000",
    "/v1/slices?model=fraud&from=1699999200000&to=1700013600000&cells=true",
    "/v1/rows?model=fraud&from=1699999200000&to=1700013600000",
    "/v1/alerts",
    "/v1/alerts?transitions=true",
    "/v1/alerts/summary",
    "/v1/deployments",
    "/v1/marks",
    "/v1/rollouts",
    "/v1/subscriptions",
    "/v1/incidents",
    "/v1/dead-letters",
    "/v1/clocks",
    "/v1/tokens",
    "/v1/audit",
    "/v1/jobs",
    "/v1/jobs/runs",
    "/v1/erasures",
    "/v1/models/fraud/configuration/versions",
]
MOVED = '[{"signal":"feature:amount","n":5,"effect":0.5}]'


@pytest.fixture(scope="module")
def client() -> Client:
    world = with_estimates(World())
    world.add("scores", [score(5, effect=float("nan"), detail='a "quoted", text\n'), score(15), score(25)])
    world.add("scores", [score(30, status="drift", effect=0.4)])
    world.add("alerts", [step("a", 0, "firing", 2_000, signals=MOVED), step("a", 1, "resolved", 3_000, signals=MOVED)])
    world.labelled_hour(NOW_MS // HOUR_MS * HOUR_MS - HOUR_MS, [0.9, 0.2], ["yes", "no"])
    world.numbers("estimated:accuracy", NOW_MS // HOUR_MS * HOUR_MS - HOUR_MS, [0.9, 0.8])
    world.add("findings", [{"model": "fraud", "signal": "feature:amount", "status": "drift", "event_ms": 7}])
    world.add("marks", [{"id": "m", "model": "fraud", "signal": "volume", "says": "false", "from_ms": 5, "to_ms": 9}])
    world.add("deployments", [{"id": "b7", "at_ms": 2_000, "name": "new", "models": ["fraud"], "labels": '{"k":"v"}'}])
    world.add("rollouts", [rollout()])
    world.add("dead_letters", [{"topic": "t", "action": "rejected", "payload": b"\xff", "record_ms": 8}])
    world.add(
        "progress", [{"model": "fraud", "topic": "fraud", "partition": 0, "closed_ms": 10_000, "newest_ms": 12_000}]
    )
    world.add("unregistered_models", [{"model": "like", "topic": "t", "name": "late", "reason": "too_many"}])
    world.add("tokens", [{"id": "t", "name": "ci", "role": "viewer", "digest": "ab", "created_by": "ann"}])
    world.add("audit", [{"at_ms": 5, "id": "i", "who": "ann", "operation": "POST /v1/marks", "status": 200}])
    world.add("job_runs", [{"started_ms": 5, "job": "log_status", "instance": "a", "ended_ms": 9, "outcome": "done"}])
    report = '{"rows":{"events":2},"unreachable":["a copy"]}'
    world.add("erasures", [{"subject_hash": "5e3f", "at_ms": 5, "until_ms": 9, "state": "done", "report": report}])
    log = ConfigurationLog(world.store, world.clock)
    for number in range(3):
        log.put(Change("fraud", f"spec: {number}", "api", author="ann", reason="prices rose"))
    for name, of_day in expected_volume(3).items():
        world.add(name, of_day)
    SubscriptionLog(world.store, world.clock).add(Subscription((), "log"))
    stored(world, drawn(12))
    for start_ms in (0, 10_000):
        world.numbers("feature:amount", start_ms, [1.0, -2.0, 2.0 + start_ms])
        world.names("feature:country", start_ms, {"DE": 3 + start_ms}, other=1, n=4 + start_ms)
    return Client(world)


def table(client: Client, path: str, form: str) -> pyarrow.Table:
    answer = client.get(path + ("&" if "?" in path else "?") + f"format={form}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, FORMS[form]), answer.text
    if form == "arrow":
        return pyarrow.ipc.open_stream(answer.content).read_all()
    return pyarrow.parquet.read_table(io.BytesIO(answer.content))


def test_every_list_is_tried(client: Client) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    forms = {path for path, methods in paths.items() if "text/csv" in str(methods.get("get", {}).get("responses"))}
    assert forms == {path.partition("?")[0].replace("/models/fraud/", "/models/{model}/") for path in LISTS}


def test_every_list_comes_in_every_form_but_values_of_no_common_type(client: Client) -> None:
    document = client.get("/openapi.json").json()
    in_one_form = set()
    for path, methods in document["paths"].items():
        content = methods.get("get", {}).get("responses", {}).get("200", {}).get("content", {})
        name = content.get("application/json", {}).get("schema", {}).get("$ref", "").rpartition("/")[2]
        if "items" in document["components"]["schemas"].get(name, {}).get("properties", {}):
            in_one_form |= {path} if set(FORMS.values()) - content.keys() else set()
    assert in_one_form == {"/v1/models/{model}/configuration/effective"}


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("form", ["arrow", "parquet"])
def test_the_rows_are_those_of_the_json_answer(path: str, form: str, client: Client) -> None:
    items = client.items(path)
    assert items
    rows = table(client, path, form).to_pylist()
    assert len(rows) == len(items)
    for row, item in zip(rows, items, strict=True):
        for name, value in row.items():
            expected = pick(item, name)
            is_text = isinstance(expected, dict) and isinstance(value, str)
            assert (json.loads(value) if is_text else plain(value)) == expected, name


def plain(value: Any) -> Any:
    """A value of Arrow as JSON has it; infinite numbers are null there."""
    if isinstance(value, datetime):
        return round(value.timestamp() * 1000)
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return None
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items() if part is not None}
    if isinstance(value, list) and value and isinstance(value[0], tuple):
        return dict(value)
    return [plain(part) for part in value] if isinstance(value, list) else value


def pick(item: dict[str, Any], name: str) -> Any:
    """What stands under a name, or under the name of an object and of its member."""
    if name in item:
        value = item[name]
        nested = isinstance(value, list) and value and isinstance(value[0], dict)
        return [{n: v for n, v in part.items() if v is not None} for part in value] if nested else value
    if name in (item.get("cells") or {}):
        return item["cells"][name]
    group, _, member = name.partition("_")
    return item[group][member]


@pytest.mark.parametrize("path", LISTS)
def test_csv_has_the_same_columns_and_rows(path: str, client: Client) -> None:
    expected = table(client, path, "arrow")
    text = client.get(path + ("&" if "?" in path else "?") + "format=csv").text
    header, *rows = csv.reader(io.StringIO(text))
    assert header == expected.column_names
    assert len(rows) == expected.num_rows
    for cells, row in zip(rows, expected.to_pylist(), strict=True):
        for cell, value in zip(cells, row.values(), strict=True):
            if isinstance(value, str):
                assert cell == value
            elif isinstance(value, (list, dict)):
                json.loads(cell)
            elif value is None:
                assert cell == ""
            elif isinstance(value, bool):
                assert cell == str(value).lower()
            else:
                assert float(cell) == pytest.approx(plain(value))


def test_types_are_real(client: Client) -> None:
    scores = table(client, "/v1/history?model=fraud&signal=feature:amount", "parquet")
    assert scores.schema.field("window_end_ms").type == pyarrow.timestamp("ms", tz="UTC")
    assert scores["window_end_ms"][0].as_py() == datetime(1970, 1, 1, 0, 5, tzinfo=UTC)
    assert scores.schema.field("window_ms").type == pyarrow.int64()
    assert scores["effect"][0].as_py() is None
    alerts = table(client, "/v1/alerts", "arrow")
    assert alerts["labels"][0].as_py() == [("model", "fraud")]
    assert alerts["signals"][0].as_py()[0]["effect"] == 0.5


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("text/csv", "csv"),
        ("application/vnd.apache.parquet", "parquet"),
        ("application/vnd.apache.arrow.stream;q=0.9, text/csv;q=0.1", "arrow"),
        ("text/html, */*", "json"),
        ("text/csv;q=0", "json"),
        ("", "json"),
    ],
)
def test_the_accept_header_chooses_too(accept: str, form: str, client: Client) -> None:
    answer = client.request("GET", "/v1/alerts", headers={"accept": accept})
    assert answer.headers["content-type"].partition(";")[0] == FORMS[form]
    asked = client.request("GET", "/v1/alerts?format=json", headers={"accept": accept})
    assert asked.headers["content-type"] == "application/json"


@settings(max_examples=50)
@given(st.text(st.characters(codec="latin-1")))
def test_no_accept_header_is_a_failure(header: str) -> None:
    assert accepted(header) in FORMS


@pytest.mark.parametrize("form", ["csv", "parquet", "arrow"])
@pytest.mark.parametrize(("limit", "rows"), [(None, 25), (7, 7), (20_000, 25)])
def test_an_export_holds_all_pages_or_as_many_rows_as_wanted(
    form: str, limit: int | None, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitor.api.forms, "EXPORT_ROWS", 4)
    world = World()
    world.add("scores", [score(end) for end in range(25)])
    asked = {"model": "fraud", **({} if limit is None else {"limit": limit})}
    client = Client(world)
    answer = client.get("/v1/history", **asked, format=form)
    if form == "csv":
        ends = [int(row["window_end_ms"]) for row in csv.DictReader(io.StringIO(answer.text))]
    else:
        source = io.BytesIO(answer.content)
        read = pyarrow.ipc.open_stream(source).read_all() if form == "arrow" else pyarrow.parquet.read_table(source)
        ends = read["window_end_ms"].cast(pyarrow.int64()).to_numpy().tolist()
    assert ends == [end * MINUTE_MS for end in range(rows)]


@pytest.mark.parametrize("form", ["csv", "parquet", "arrow"])
def test_nothing_found_still_has_columns(form: str) -> None:
    answer = Client(World()).get("/v1/history", model="fraud", format=form)
    assert answer.status_code == 200
    assert b"window_end_ms" in answer.content


def test_versions_of_a_configuration_come_in_pages_as_json_and_whole_otherwise(client: Client) -> None:
    path = "/v1/models/fraud/configuration/versions"
    page = client.get(path, limit=2).json()
    following = client.get(path, limit=2, cursor=page["next_cursor"]).json()
    assert [[item["version"] for item in each["items"]] for each in (page, following)] == [[3, 2], [1]]
    assert following["next_cursor"] is None
    assert not page["is_in_force"]
    assert table(client, path, "parquet")["version"].to_pylist() == [3, 2, 1]
    assert client.get(path, limit=20_000).json()["type"] == "/v1/problems#bad-parameter"


def test_a_wrong_question_is_a_problem_in_every_form(client: Client) -> None:
    for asked in ({"model": "fruad"}, {"model": "fraud", "cursor": "nonsense"}, {"model": "fraud", "from_": "noon"}):
        answer = client.get("/v1/history", **asked, format="parquet")
        assert answer.headers["content-type"] == "application/problem+json"
    assert client.get("/v1/history", model="fraud", format="xlsx").json()["type"] == "/v1/problems#bad-parameter"
