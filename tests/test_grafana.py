"""Grafana's dashboards are right by its own types, and all that they ask is answered, whatever models are called."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import numpy as np
import promql_parser
import pytest
import yaml

from monitor.api.app import ROUTERS
from monitor.web import PAGES
from sinks.receivers.template import render
from sinks.store import open_store
from sinks.store.contract import TABLES, Query
from sinks.store.sqlstore import SqlStore
from tests.api.labelled_days import labelled_days
from tests.api.night import ALERT, HOUR_MS, NOW_MS, bad_night, watched
from tests.api.world import Client, World, score
from tests.services.grafana import mistakes_in

ROOT = Path(__file__).parents[1]
GRAFANA = ROOT / "configs" / "grafana"
FILES = sorted((GRAFANA / "dashboards").glob("*.json"))
DASHBOARDS: dict[str, dict[str, Any]] = {path.stem: json.loads(path.read_text()) for path in FILES}
PAGE = (ROOT / "docs" / "grafana.md").read_text()
HOSTILE = "o'brien\\' OR 1=1 -- ${model} $__from {x}"
FROM_MS, TO_MS = NOW_MS - 7 * 24 * HOUR_MS, NOW_MS
CHOSEN = {"model": "fraud", "version": "*", "segment": "all traffic", "signal": "*"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlStore]:
    """A bad night, and something in every other table that a dashboard reads."""
    opened = open_store("chdb", str(tmp_path_factory.mktemp("store")))
    assert isinstance(opened, SqlStore)
    world = watched()
    world.store = opened
    bad_night(world)
    _add_rest(world)
    yield opened
    opened.close()


def _add_rest(world: World) -> None:
    at_ms = NOW_MS - HOUR_MS
    drifts = {"model": HOSTILE, "status": "drift", "effect": 0.3, "window_end_ms": at_ms, "window_ms": HOUR_MS}
    world.add("scores", [score(0, signal=HOSTILE, segment=HOSTILE, version=HOSTILE, **drifts)])
    volume = {"model": "fraud", "signal": "volume", "version": "v8", "pane_start_ms": at_ms, "n": 500, "missing": 7}
    world.add("panes", [volume, volume | {"signal": "feature:amount"}])
    world.add("findings", [{"model": "fraud", "signal": "feature:amount", "status": "drift", "event_ms": at_ms}])
    world.add("deployments", [{"id": "b7", "at_ms": at_ms, "name": "new", "models": ["fraud"], "labels": "{}"}])
    world.add("versions", [{"model": "fraud", "version": "v8", "first_ms": at_ms}])
    world.add("freshness", [{"model": "fraud", "kind": "model", "standing": "silent", "silent_ms": HOUR_MS}])
    world.add("dead_letters", [{"topic": "t", "reason": "not_json", "action": "rejected", "record_ms": at_ms}])
    world.add("gaps", [{"model": "fraud", "topic": "t", "next_offset": 9, "from_ms": at_ms, "to_ms": at_ms}])
    world.add("job_runs", [{"started_ms": at_ms, "job": "compact", "ended_ms": at_ms + 5, "outcome": "failed"}])
    hours = labelled_days().store.read(Query("performance"))
    hours["hour_ms"] = hours["hour_ms"] - np.max(hours["hour_ms"]) + at_ms
    world.store.append("performance", hours, token="hours")


def interpolated(query: str, chosen: dict[str, str] = CHOSEN) -> str:
    """A query as Grafana sends it: with what was chosen, the time shown, and the width of a point."""
    values = {"${__from}": str(FROM_MS), "${__to}": str(TO_MS), "${__interval_ms}": "600000"}
    values |= {f"${{{name}:percentencode}}": quote(value, safe="") for name, value in chosen.items()}
    return re.sub(r"\$\{[^}]+\}", lambda reference: values[reference[0]], query)


def panels(name: str, kind: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for panel in DASHBOARDS[name]["panels"]:
        yield from ((panel, each) for each in panel["targets"] if each["datasource"]["type"] == kind)


def statements(name: str) -> Iterator[tuple[str, str]]:
    """Every statement of a dashboard that reads the store, and what it is for."""
    for panel, target in panels(name, "grafana-clickhouse-datasource"):
        yield panel["title"], target["rawSql"]
    for annotation in DASHBOARDS[name]["annotations"]["list"]:
        yield f"mark {annotation['name']}", annotation["target"]["rawSql"]
    for variable in DASHBOARDS[name]["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["label"], variable["query"]


ALL = {f"{name}: {title}": statement for name in DASHBOARDS for title, statement in statements(name)}


def test_dashboards_are_what_grafana_publishes() -> None:
    assert mistakes_in(FILES) == []


def test_a_dashboard_that_is_wrong_is_noticed(tmp_path: Path) -> None:
    text = FILES[0].read_text()
    (tmp_path / "wrong.json").write_text(
        text.replace('"wideLayout"', '"wide"').replace('"uid": "leeway-fleet"', '"uid": 1')
    )
    mistakes = "\n".join(mistakes_in([tmp_path / "wrong.json"]))
    assert "unexpected field 'wide'" in mistakes
    assert "uid" in mistakes


@pytest.mark.parametrize("title", ALL)
def test_the_store_answers_every_statement(title: str, store: SqlStore) -> None:
    answered = store.query(interpolated(ALL[title]))
    assert len(next(iter(answered.values()))) > 0


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_show_columns_that_their_statements_have(name: str, store: SqlStore) -> None:
    for panel, target in panels(name, "grafana-clickhouse-datasource"):
        answered = store.query(interpolated(target["rawSql"]))
        shown = [each["matcher"]["options"] for each in panel["fieldConfig"]["overrides"]]
        assert set(shown) <= set(answered), panel["title"]
        if panel["type"] == "timeseries":
            assert (next(iter(answered)), target["format"]) == ("time", 0), panel["title"]
            times = list(answered["time"])
            assert times == sorted(times), panel["title"]
            label = re.fullmatch(
                r"\$\{__field\.labels\.(\w+)\}", panel["fieldConfig"]["defaults"].get("displayName", "")
            )
            assert label is None or label[1] in answered, panel["title"]
        else:
            assert target["format"] == 1, panel["title"]


def test_the_bad_night_is_seen(store: SqlStore) -> None:
    moved = store.query(interpolated(ALL["model: What moved most"]))
    assert (moved["signal"][0], moved["drifting"][0]) == ("feature:country", 6)
    assert list(store.query(interpolated(ALL["model: Alerts"]))["alert"]) == [ALERT]
    assert list(store.query(interpolated(ALL["model: mark Alerts"]))["text"]) == ["fraud: country has changed"]
    fleet = store.query(interpolated(ALL["fleet: Models, the furthest from normal first"]))
    assert dict(zip(fleet["model"], fleet["drifting"], strict=True)) == {"fraud": 0, HOSTILE: 1}


def test_precision_and_recall_are_what_leeway_says(store: SqlStore) -> None:
    shares = {
        name: float(store.query(interpolated(ALL[f"performance: {name.capitalize()}"]))[name][0])
        for name in ("precision", "recall", "accuracy")
    }
    cells = store.query("SELECT sum(tp) AS tp, sum(fp) AS fp, sum(fn) AS fn, sum(tn) AS tn FROM performance_history")
    sums = {name: float(column[0]) for name, column in cells.items()}
    assert shares["precision"] == pytest.approx(sums["tp"] / (sums["tp"] + sums["fp"]))
    assert shares["recall"] == pytest.approx(sums["tp"] / (sums["tp"] + sums["fn"]))
    assert shares["accuracy"] == pytest.approx((sums["tp"] + sums["tn"]) / sum(sums.values()))


def test_names_are_never_part_of_a_statement(store: SqlStore) -> None:
    for title in ("Model", "Version", "Segment", "Signal"):
        offered = store.query(interpolated(ALL[f"model: {title}"], CHOSEN | {"model": HOSTILE, "segment": HOSTILE}))
        assert HOSTILE in list(next(iter(offered.values())))
    chosen = dict.fromkeys(CHOSEN, HOSTILE)
    (moved,) = store.query(interpolated(ALL["model: What moved most"], chosen))["signal"]
    assert moved == HOSTILE
    for title, statement in ALL.items():
        store.query(interpolated(statement, chosen))
        references = re.findall(r"\$\{?(\w+)[^}]*\}?", statement)
        assert set(references) <= {"__from", "__to", "__interval_ms", *CHOSEN}, title


@pytest.mark.parametrize("name", DASHBOARDS)
def test_expressions_use_metrics_and_labels_that_exist(name: str) -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|(.*?)\|", (ROOT / "docs" / "metrics.md").read_text(), flags=re.MULTILINE)
    labels_of = {metric: re.findall(r"`(\w+)`", labels) for metric, _, labels in rows}
    for panel, target in panels(name, "prometheus"):
        expression = target["expr"].replace("$__rate_interval", "5m").replace("$model", "fraud")
        promql_parser.parse(expression)
        used = {metric.removesuffix("_bucket") for metric in re.findall(r"leeway_\w+", expression)}
        assert used, panel["title"]
        assert used <= set(labels_of), panel["title"]
        labels = {"le", *(label for metric in used for label in labels_of[metric])}
        grouped = re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", expression)))
        shown = re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])
        assert {*grouped, *shown, *re.findall(r"(\w+)=", expression)} <= labels, panel["title"]


def test_links_lead_somewhere() -> None:
    client = Client(bad_night(watched()), routers=(*ROUTERS, *PAGES))
    urls = {url for text in map(json.dumps, DASHBOARDS.values()) for url in re.findall(r'"url": "([^"]+)"', text)}
    ours = {url.removeprefix("${leeway}") for url in urls if url.startswith("${leeway}")}
    assert {
        url: client.get(re.sub(r"\$\{(?:model|__value\.raw):percentencode\}", ALERT, url)).status_code for url in ours
    } == (dict.fromkeys(ours, 200))
    for url in urls - {f"${{leeway}}{path}" for path in ours}:
        uid = urlsplit(url).path.removeprefix("/d/")
        variables = re.findall(r"var-(\w+)", url)
        (linked,) = [board for board in DASHBOARDS.values() if board["uid"] == uid]
        assert set(variables) <= {variable["name"] for variable in linked["templating"]["list"]}, url


def test_data_sources_and_dashboards_are_provisioned_as_they_are_used() -> None:
    sources = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "leeway.yaml").read_text())["datasources"]
    provided = {(source["type"], source["uid"]) for source in sources}
    used = {(found["type"], found["uid"]) for board in DASHBOARDS.values() for found in _values(board, "datasource")}
    assert used <= provided
    settings = re.findall(r"\$(\w+)", json.dumps(sources))
    assert sorted(re.findall(r"^\| `(LEEWAY_\w+)` \|", PAGE, flags=re.MULTILINE)) == sorted(settings)
    (provider,) = yaml.safe_load((GRAFANA / "provisioning" / "dashboards" / "leeway.yaml").read_text())["providers"]
    assert f":{provider['options']['path']}" in PAGE
    assert sorted(re.findall(r"^\| `(leeway-\w+)` \|", PAGE, flags=re.MULTILINE)) == sorted(
        board["uid"] for board in DASHBOARDS.values()
    )


def _values(node: Any, key: str) -> Iterator[Any]:
    if isinstance(node, dict):
        for name, value in node.items():
            yield from [value] if name == key else _values(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from _values(value, key)


def test_the_page_grants_what_the_dashboards_read_and_no_more(store: SqlStore) -> None:
    made = store.query(
        "SELECT name, if(engine = 'View', create_table_query, '') AS text FROM system.tables "
        "WHERE database = currentDatabase()"
    )
    views = dict(zip(made["name"], made["text"], strict=True))
    words = {word for statement in ALL.values() for word in re.findall(r"(?:FROM|JOIN) (\w+)", statement)}
    read = {*words, *(t for view in words & set(views) for t in re.findall(r"FROM \w+\.(\w+)", views[view]))}
    for statement in re.findall(r"^(?:CREATE USER|GRANT) .*;$", PAGE, flags=re.MULTILINE):
        assert store.query("SELECT formatQuery({text:String})", {"text": statement.rstrip(";")})
    granted = re.findall(r"^GRANT SELECT(?:\([^)]*\))? ON leeway\.(\w+) TO grafana;", PAGE, flags=re.MULTILINE)
    assert sorted(granted) == sorted(read & set(views))
    (columns,) = re.findall(r"GRANT SELECT\(([^)]*)\) ON leeway\.dead_letters", PAGE)
    letters = ALL["pipeline: Dead letters in the time shown"]
    named = {column.name for column in TABLES["dead_letters"].columns if re.search(rf"\b{column.name}\b", letters)}
    assert named | set(TABLES["dead_letters"].key) == set(columns.split(", "))


def test_the_link_that_messages_carry_opens_the_dashboard_of_the_model() -> None:
    (written,) = re.findall(r"text: \|-\n((?: {6}.*\n)+)", PAGE)
    alert = {"starts_at_ms": NOW_MS, "labels": {}, "annotations": {}}
    names = {"common_labels": {"model": HOSTILE}, "common_annotations": {"description": "moved"}, "alerts": [alert]}
    address = urlsplit(render(written, names).split()[-1])
    assert address.path == f"/d/{DASHBOARDS['model']['uid']}"
    asked = parse_qs(address.query)
    assert asked == {"var-model": [HOSTILE], "from": [str(NOW_MS - 24 * HOUR_MS)], "to": ["now"]}
