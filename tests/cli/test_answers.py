"""`history`, `alerts` and `dead-letters`: the same answers from a running service and from its store."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from monitor.alerts.own import MODEL as OWN
from monitor.alerts.own import TOPIC_GONE
from sinks.store import open_store
from tests.api.world import World, score, serving, step
from tests.cli.console import MODEL, Console

FRAUD = MODEL.partition("  detect:")[0].replace("{name: fraud}", "{name: fraud, namespace: fraud-team}")


def fill(world: World) -> None:
    world.add("scores", [score(end, effect=end / 10, statistic=end / 10) for end in range(1, 13)])
    world.add("scores", [score(12, detector="ks", status="drift", p_value=float("nan"), effect=9.0)])
    world.add("alerts", [step("a", 0, "firing", 2_000), step("b", 0, "firing", 3_000), step("b", 1, "resolved", 4_000)])
    own = {"model": OWN, "title": "topic payments is gone", "labels": json.dumps({"alertname": TOPIC_GONE})}
    world.add("alerts", [step("own", 0, "firing", 5_000, **own), step("former", 0, "firing", 1_000, **own)])
    world.add("alerts", [step("former", 1, "resolved", 2_000, **own)])
    world.add("findings", [{"model": "fraud", "signal": "feature:amount", "detector": "adwin", "event_ms": 9}])
    for start_ms in (0, 10_000):
        world.numbers("feature:amount", start_ms, [1.0, 2.0, 2.0 + start_ms])
        world.names("feature:country", start_ms, {"DE": 3 + start_ms})
    letter = {"topic": "t", "model": "fraud", "field": "feature:amount", "action": "kept", "reason": "not_a_number"}
    world.add("dead_letters", [letter | {"offset": 3, "record_ms": 9, "payload": b"{}"}])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An embedded store that no service has open."""
    path = tmp_path_factory.mktemp("answers") / "store"
    opened = open_store("chdb", str(path))
    fill(World(store=opened))
    opened.close()
    (path.parent / "fraud.yaml").write_text(FRAUD)
    return path


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A running service with the same rows."""
    world = World()
    fill(world)
    with serving(world) as address:
        yield address


NIGHT = ("--from", "10000", "--to", "20000", "--against-from", "0", "--against-to", "10000")
QUESTIONS: list[tuple[str, ...]] = [
    ("history", "--model", "fraud"),
    ("history", "--model", "fraud", "--detector", "psi", "--from", "300000", "--limit", "3"),
    ("history", "--model", "fraud", "--step", "5m"),
    ("history", "--model", "fraud", "--step", "auto", "--points", "3"),
    ("history", "--model", "fraud", "--segment", "country=DE"),
    ("status", "fraud"),
    ("status", "--summary", "--namespace", "fraud-team"),
    ("status", "fraud", "feature:amount", "--state", "firing"),
    ("top",),
    ("top", "--namespace", "fraud-team", "--limit", "1"),
    ("compare", "--model", "fraud", *NIGHT),
    ("compare", "--model", "fraud", *NIGHT, "--signal", "feature:amount", "--cells"),
    ("baselines", "--model", "fraud"),
    ("findings", "--model", "fraud", "--detector", "adwin"),
    ("alerts",),
    ("alerts", "--severity", "warning", "--signal", "feature:amount"),
    ("alerts", "--summary"),
    ("alerts", "--state", "resolved"),
    ("alerts", "--model", OWN),
    ("dead-letters", "list"),
    ("dead-letters", "list", "--reason", "not_json"),
]


@pytest.mark.parametrize(
    ("question", "form"), [(question, ("json", "csv", "table")[i % 3]) for i, question in enumerate(QUESTIONS)]
)
def test_a_store_answers_as_the_service_does(
    question: tuple[str, ...], form: str, url: str, store: Path, leeway: Console
) -> None:
    local = ("--store", store, "--config", store.parent / "fraud.yaml")
    asked, read = leeway(*question, "--format", form, "--url", url), leeway(*question, "--format", form, *local)
    assert (asked.code, asked.err, read.code, read.err) == (0, "", 0, "")
    assert asked.out == read.out


@pytest.mark.parametrize(
    ("options", "mistake"),
    [
        (("--from", "9", "--to", "8"), "--from (9) must be before --to (8)"),
        (("--from", "8", "--to", "9"), "set --against-from and --against-to, --against-version, or --against-segment"),
        (
            (*NIGHT[:4], "--against-from", "9", "--against-to", "8"),
            "--against-from (9) must be before --against-to (8)",
        ),
        ((*NIGHT[:4], "--against-from", "8", "--against-to", "x"), "error: --against-to: 'x' is not a time"),
    ],
)
def test_mistakes_are_named_by_the_options_of_the_command(
    options: tuple[str, ...], mistake: str, url: str, leeway: Console
) -> None:
    """They were named as parameters of the API, and the ends of the baseline as if they were others."""
    refused = leeway("compare", "--model", "fraud", *options, "--url", url)
    assert (refused.code, mistake in refused.err, "`" in refused.err.split(";")[0]) == (2, True, False), refused.err


@pytest.mark.parametrize("question", [("status",), ("status", "fraud", "feature:amount"), ("status", "--summary")])
def test_the_status_begins_with_the_alerts_about_leeway_itself_that_fire(
    question: tuple[str, ...], url: str, leeway: Console
) -> None:
    table = leeway(*question, "--url", url).out.splitlines()
    assert table[0] == "About Leeway itself:"
    [line] = [line for line in table if TOPIC_GONE in line]
    assert line.split(maxsplit=2) == [TOPIC_GONE, "1970-01-01T00:00:01Z", "topic payments is gone"]
    own, *others = leeway(*question, "--json", "--url", url).lines
    assert (own["model"], own["labels"], own["title"]) == (OWN, {"alertname": TOPIC_GONE}, "topic payments is gone")
    assert {row["model"] for row in others} <= {"fraud", "churn"}


def test_scores_are_complete_in_every_form(url: str, leeway: Console) -> None:
    lines = leeway("history", "--model", "fraud", "--json", "--url", url).lines
    assert len(lines) == 13
    rows = list(csv.DictReader(io.StringIO(leeway("history", "--model", "fraud", "--csv", "--url", url).out)))
    assert [row["window_end_ms"] for row in rows] == [str(line["window_end_ms"]) for line in lines]
    assert {row["p_value"] for row in rows} == {""}
    table = leeway("history", "--model", "fraud", "--url", url).out
    assert table.count("feature:amount") == 13
    assert "1970-01-01T00:12:00Z" in table


def test_buckets_have_a_column_for_each_part_in_csv(url: str, leeway: Console) -> None:
    said = leeway("history", "--model", "fraud", "--step", "1h", "--csv", "--url", url)
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert [(row["detector"], row["windows"], row["statuses_drift"], row["worst_effect"]) for row in rows] == [
        ("ks", "1", "1", "9"),
        ("psi", "12", "0", "1.2"),
    ]


def test_no_more_than_the_limit_is_shown_over_any_number_of_pages(
    url: str, leeway: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.client.requests.PAGE", 4)
    assert len(leeway("history", "--model", "fraud", "--json", "--url", url, "--limit", 9).lines) == 9
    assert len(leeway("history", "--model", "fraud", "--json", "--url", url, "--limit", 99).lines) == 13


@pytest.mark.parametrize(("state", "code"), [("firing", 1), ("resolved", 1), ("pending", 0)])
def test_alerts_that_fired_fail_when_that_is_asked_for(state: str, code: int, url: str, leeway: Console) -> None:
    assert leeway("alerts", "--state", state, "--fail-on-alert", "--url", url).code == code


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--model", "fruad"], 2, "no model is named 'fruad'; known are fraud, churn"),
        (["--model", "fraud", "--from", "noon"], 2, "'noon' is not a time"),
        (["--model", "fraud", "--step", "5"], 2, "expected a duration"),
        (["--model", "fraud", "--store", "."], 2, "--url and --store exclude each other"),
        (["--model", "fraud", "--json", "--csv"], 2, "exclude each other"),
        (["--model", "fraud", "--format", "csv", "--json"], 2, "exclude each other"),
        (["--model", "fraud", "--line", "--csv"], 2, "--line is a table"),
        (["--model", "fraud", "--config", "x.yaml"], 2, "--config goes with --store"),
        (["--model", "fraud", "--csv", "--output", "/nowhere/x.csv"], 2, "cannot be written"),
        ([], 2, "Missing option '--model'"),
    ],
)
def test_a_wrong_question_says_what_would_be_right(
    arguments: list[str], code: int, message: str, url: str, leeway: Console
) -> None:
    said = leeway("history", *arguments, "--url", url)
    assert (said.code, said.out) == (code, "")
    assert message in said.err


def test_a_service_that_is_away_is_told_from_a_wrong_question(leeway: Console) -> None:
    said = leeway("alerts", "--url", "http://127.0.0.1:9")
    assert said.code == 3
    assert said.err.startswith("error: http://127.0.0.1:9 cannot be reached: ")
    assert "--store DIR" in said.err


@pytest.mark.parametrize("form", ["csv", "parquet", "arrow", "json"])
def test_a_file_holds_what_stdout_would(form: str, url: str, tmp_path: Path, leeway: Console) -> None:
    file = tmp_path / f"scores.{form}"
    said = leeway("history", "--model", "fraud", "--format", form, "--output", file, "--url", url)
    assert (said.code, said.out, said.err) == (0, "", "")
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    if form in ("csv", "json"):
        assert file.read_text() == leeway("history", "--model", "fraud", "--format", form, "--url", url).out
    elif form == "arrow":
        assert pyarrow.ipc.open_stream(file.read_bytes()).read_all().num_rows == 13
    else:
        assert pyarrow.parquet.read_table(file).num_rows == 13


def test_a_table_of_very_many_rows_says_that_it_ends(
    url: str, leeway: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.cli.answers.TABLE_ROWS", 5)
    said = leeway("history", "--model", "fraud", "--url", url)
    assert said.out.count("feature:amount") == 5
    assert "first 5; --limit" in said.err
    assert leeway("history", "--model", "fraud", "--url", url, "--limit", 7).out.count("feature:amount") == 7
    assert len(leeway("history", "--model", "fraud", "--url", url, "--json").lines) == 13


def test_a_line_of_bars_shows_each_series_over_time(url: str, leeway: Console) -> None:
    said = leeway("history", "--model", "fraud", "--line", "--points", 6, "--url", url)
    assert said.code == 0
    psi = next(line for line in said.out.splitlines() if "psi" in line)
    assert "▄▇█" in psi
    assert "1.2" in psi
    assert leeway("history", "--model", "fraud", "--line", "--signal", "feature:country", "--url", url).code == 0


def test_binary_forms_are_not_for_a_terminal(url: str, leeway: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    said = leeway("alerts", "--format", "parquet", "--url", url)
    assert (said.code, said.out) == (2, "")
    assert "name a file with --output" in said.err


def test_a_comparison_wants_to_know_what_with(url: str, leeway: Console) -> None:
    said = leeway("compare", "--model", "fraud", "--url", url)
    assert (said.code, said.out) == (2, "")
    assert "--from and --to" in said.err


def test_a_comparison_names_what_it_could_not_compare(leeway: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    document = {"items": [], "next_cursor": None, "not_comparable": ["feature:amount"]}
    monkeypatch.setattr("monitor.client.Answer.document", lambda self: document)
    said = leeway("compare", "--model", "fraud", *NIGHT)
    assert said.err.endswith("feature:amount\n")


@pytest.mark.parametrize(
    ("arguments", "out"),
    [
        (["--format", "csv"], '"signal","rows"\n"feature:amount",13\n'),
        (["--format", "json"], '{"signal": "feature:amount", "rows": 13}\n'),
    ],
)
def test_sql_reads_a_store(arguments: list[str], out: str, store: Path, leeway: Console) -> None:
    statement = "SELECT signal, count() AS rows FROM scores WHERE model = {model:String} GROUP BY signal"
    said = leeway("sql", statement, "--store", store, "--param", "model=fraud", *arguments)
    assert (said.code, said.out, said.err) == (0, out, "")


def test_sql_shows_strings_that_are_no_text(store: Path, leeway: Console) -> None:
    statement = "SELECT unhex('ff41') AS x, [unhex('ff'), 'ä'] AS l"
    said = leeway("sql", statement, "--store", store, "--format", "json")
    assert (said.code, said.lines) == (0, [{"x": "\\xffA", "l": ["\\xff", "ä"]}])
    assert "\\xffA" in leeway("sql", statement, "--store", store).out


def test_sql_shows_every_time_as_one(store: Path, leeway: Console) -> None:
    hours = "toStartOfHour(toDateTime64('2024-05-13 17:25:00.5', 3, 'UTC'))"
    statement = f"SELECT {hours} AS hour, [{hours}] AS hours, toNullable({hours}) AS maybe, toUInt32(7) AS n; "
    time = "2024-05-13 17:00:00+00:00"
    shown = leeway("sql", statement, "--store", store, "--format", "json")
    assert (shown.code, shown.lines) == (0, [{"hour": time, "hours": [time], "maybe": time, "n": 7}])
    assert time in leeway("sql", statement, "--store", store).out
    # In CSV times are milliseconds, whatever their type.
    scalar = "SELECT toStartOfHour(fromUnixTimestamp64Milli({ms:Int64}, 'UTC')) AS hour"
    arguments = ("--store", store, "--param", "ms=1715621100500", "--format", "csv")
    assert leeway("sql", scalar, *arguments).out == '"hour"\n1715619600000\n'
    assert leeway("sql", "SHOW TABLES LIKE 'scores'", "--store", store, "--format", "json").lines == [
        {"name": "scores"}
    ]


def test_sql_comes_from_stdin_and_goes_to_files(
    store: Path, tmp_path: Path, leeway: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("SELECT window_end_ms, effect FROM scores"))
    file = tmp_path / "scores.parquet"
    assert leeway("sql", "-", "--store", store, "--format", "parquet", "--output", file).code == 0
    assert pyarrow.parquet.read_table(file).num_rows == 13
    assert "feature:amount" in leeway("sql", "SELECT signal FROM scores LIMIT 1", "--store", store).out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["DROP TABLE scores"], 3, "READONLY"),
        (["INSERT INTO latest SELECT * FROM scores"], 3, "READONLY"),
        (["SELECT nonsense FROM scores"], 3, "UNKNOWN_IDENTIFIER"),
        (["SELECT 1", "--param", "x"], 2, "is not NAME=VALUE"),
    ],
)
def test_sql_only_reads(arguments: list[str], code: int, message: str, store: Path, leeway: Console) -> None:
    said = leeway("sql", *arguments, "--store", store)
    assert (said.code, said.out) == (code, "")
    assert message in said.err
    assert leeway("history", "--model", "fraud", "--store", store, "--json").code == 0


def test_sql_says_where_else_to_ask_while_a_service_runs(tmp_path: Path, leeway: Console) -> None:
    opened = open_store("chdb", str(tmp_path / "store"))
    try:
        said = leeway("sql", "SELECT 1", "--store", tmp_path / "store")
    finally:
        opened.close()
    assert said.code == 3
    assert "clickhouse-client" in said.err
    assert leeway("sql", "SELECT 1").code == 2
    assert leeway("sql", "SELECT 1", "--store", tmp_path / "nothing").err.startswith("error: no store at")


def test_sql_reads_the_store_that_a_configuration_names(store: Path, tmp_path: Path, leeway: Console) -> None:
    service = tmp_path / "leeway.yaml"
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "fraud.yaml").write_text(FRAUD)
    service.write_text(
        "apiVersion: leeway/v1\nkind: Service\n"
        f"spec: {{models: [models/*.yaml], store: {{kind: chdb, path: {store}}}}}\n"
    )
    said = leeway("sql", "SELECT count() AS n FROM alerts", "--config", service, "--format", "json")
    assert (said.out, said.err) == ('{"n": 6}\n', "")


def test_a_directory_that_is_no_store_is_left_alone(tmp_path: Path, leeway: Console) -> None:
    said = leeway("alerts", "--store", tmp_path)
    assert (said.code, said.err) == (2, f"error: no store at {tmp_path}\n")
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_a_service_has_open_is_told(tmp_path: Path, leeway: Console) -> None:
    opened = open_store("chdb", str(tmp_path))
    try:
        assert leeway("alerts", "--store", tmp_path).code == 3
    finally:
        opened.close()
