"""Whatever stands in a configuration: `leeway check` ends soon, and says in which line of which file a mistake is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from time import process_time

import pytest

from bench import soak_config
from monitor.check import load
from monitor.config.document import read_posted
from tests.cli.console import Console
from tests.config.mutants import MODEL, SERVICE, mutant

LAUGHS = "".join(f"    laugh{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 10))
MERGING = (
    f"  segments: &a {{{', '.join(f'k{n}: 0' for n in range(400))}}}\n  baseline: {{<<: [{', '.join(['*a'] * 400)}]}}\n"
)
EXPANDING = MODEL + "  segments:\n    laugh0: &l0 [x, x, x, x, x, x, x, x, x, x]\n" + LAUGHS


@pytest.fixture
def leeway(capsys: pytest.CaptureFixture[str]) -> Console:
    return Console(capsys)


def ranged(high: str) -> str:
    return MODEL.replace("[0, 100]", f"[0, {high}]")


def mistakes_of(leeway: Console, file: Path, text: str | bytes) -> list[str]:
    """What `leeway check` says of a file, each without the file's name and the column."""
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    said = leeway("check", file)
    assert (said.code, said.out) == (2, ""), (text, said)
    *mistakes, _ = said.err.splitlines()
    return [re.sub(r"^(\d+):\d+: ", r"\1: ", mistake.removeprefix(f"{file}:")) for mistake in mistakes]


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (MODEL + "  <<: 5\n", "9: spec.<<: `<<` takes a mapping, or a list of them"),
        (MODEL + "  segments: &a [*a]\n", "9: spec.segments.0: an alias stands inside of what it names"),
        (MODEL + "  alerts: &a {<<: *a}\n", "9: spec.alerts.<<: an alias stands inside of what it names"),
        ("&a\nb: *a\n", "1: b: an alias stands inside of what it names"),
        (MODEL + f"  segments: {'[' * 9_000}{']' * 9_000}\n", "9: nested more than 64 deep"),
        (MODEL + "  segments:\n" + "".join(" " * n + "-\n" for n in range(4, 999)), "73: nested more than 64 deep"),
        (MODEL + MERGING, "9: spec.baseline: more than 100000 values where aliases are written out"),
        (EXPANDING, "more than 100000 values where aliases are written out"),
        (MODEL + "  segments: [{by: [country], values: [DE]}]\n" + "#" * 2**20, "10: the file is larger than 1024 KiB"),
        (ranged("9" * 5_000), "7: spec.schema.features.amount.range.1: a number of more than 100 characters"),
        (ranged("1" + ":59" * 99_999), "7: spec.schema.features.amount.range.1: a number of more than 100 char"),
        (MODEL + "  segments: !foo []\n", "9: spec.segments: unknown tag !foo"),
        (MODEL + "  segments: !foo bar\n", "9: spec.segments: unknown tag !foo"),
        (MODEL + "  segments: !!python/name:os.system []\n", "9: spec.segments: unknown tag !!python/name:os.system"),
        (MODEL + "  segments: !!int bar\n", "9: spec.segments: this is not !!int, as its tag says"),
        (MODEL + "  segments: !!bool bar\n", "9: spec.segments: this is not !!bool, as its tag says"),
        (MODEL + "  segments: =\n", "9: spec.segments: a list belongs here"),
        (MODEL.replace("fraud}", "fra\0ud}"), "3: not YAML: the character U+0000 may only stand in quotes"),
        (MODEL + '  segments: "\\U00110000"\n', "9: not YAML: chr() arg not in range"),
        (MODEL + '  segments: "\\uD800"\n', "9: spec.segments: half of a surrogate pair is no character"),
        (MODEL + '  segments: ["\\uDE00\\uD83D"]\n', "9: spec.segments.0: half of a surrogate pair is no character"),
        (MODEL + '  "\\uD800": 1\n', "9: spec: half of a surrogate pair is no character"),
        (MODEL + "  segments: ${LATIN}\n", "9: spec.segments: environment variable LATIN is not UTF-8"),
        (f"%YAML {'9' * 5_000}.1\n---\n{MODEL}", "1: not YAML: "),
        (MODEL.encode() + b"  owner: caf\xe9\n", "9: not UTF-8: "),
        (MODEL + "  segments: {{a: 1}: 2}\n", "9: spec.segments: a key is text, and not a list or a mapping"),
        (MODEL + "  ? [a]\n  : 2\n", "9: spec: a key is text, and not a list or a mapping"),
        (MODEL.replace("Model", "[null]"), "2: kind: kind must be Model, Service or Defaults"),
        (MODEL.replace("Model", "{a: b}"), "2: kind: kind must be Model, Service or Defaults"),
        (f"{MODEL}  baseline: {{kind: dataset, uri: {'a' * 5_000}}}\n", "9: spec.baseline.uri: no such file: "),
        (MODEL + '  baseline: {kind: dataset, uri: "a\\0b"}\n', "9: spec.baseline.uri: no such file: "),
        (f"{MODEL}  alerts: {{for: {'9' * 400}d}}\n", "9: spec.alerts.for: a duration is at most a hundred years"),
        (f"{SERVICE}  store: {{keep: {{panes: {'9' * 5_000}y}}}}\n", "5: spec.store.keep.panes: rows are kept for"),
        (MODEL + "  detect: {time_zone: Europe/Berln}\n", "9: spec.detect.time_zone: no such time zone"),
        (MODEL + "  detect: {defaults: {min_samples: 99999999999999999999}}\n", "9: spec.detect.defaults.min_samples:"),
        ("", "1: no model is defined"),
        ("null\n", "1: expected a mapping with apiVersion"),
    ],
)  # fmt: skip
def test_what_is_no_configuration_is_named_with_its_line(
    text: str | bytes, mistake: str, tmp_path: Path, leeway: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATIN", "caf\udce9")
    began = process_time()
    (tmp_path / "model.yaml").write_text(MODEL)
    assert mistakes_of(leeway, tmp_path / "fraud.yaml", text)[0].find(mistake) >= 0
    assert process_time() - began < 10


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (SERVICE + "  api: {port: false}\n", "5: spec.api.port: expected a number, not true or false"),
        (SERVICE + "  store: {kind: clickhouse, tls: {verify: 0}}\n", "5: spec.store.tls.verify: expected true or"),
        (SERVICE + "  receivers: [{kind: log, send_resolved: 0.0}]\n", "5: spec.receivers.0.send_resolved: expect"),
        (ranged("true"), "7: spec.schema.features.amount.range.1: expected a number, not true or false"),
        (ranged(".inf"), "7: spec.schema.features.amount.range.1: Input should be a finite number"),
        (MODEL + "  detect: {false_alarms: {count: .inf, per_ms: 1}}\n", "9: spec.detect.false_alarms.count: Input sh"),
    ],
)  # fmt: skip
def test_nonsense_is_not_taken_for_a_value(text: str, mistake: str, tmp_path: Path, leeway: Console) -> None:
    (tmp_path / "model.yaml").write_text(MODEL)
    (only,) = mistakes_of(leeway, tmp_path / "fraud.yaml", text)
    assert only.startswith(mistake)


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("kafka: {sasl: {mechanism: PLAIN, user: a, password: hunter2}}", "kafka.sasl.password"),
        ("kafka: {options: {sasl_plain_password: hunter2}}", "kafka.options.sasl_plain_password"),
        ("store: {kind: clickhouse, password: hunter2}", "store.password"),
        ("schema_registry: {url: 'http://a', token: hunter2}", "schema_registry.token"),
        ("receivers: [{kind: pagerduty, name: p, routing_key: hunter2}]", "receivers.0.routing_key"),
        ("receivers: [{kind: webhook, name: p, url: 'http://me:hunter2@a'}]", "receivers.0.url"),
    ],
)
def test_a_secret_is_not_written_down(
    written: str, path: str, tmp_path: Path, leeway: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "model.yaml").write_text(MODEL)
    (only,) = mistakes_of(leeway, tmp_path / "leeway.yaml", f"{SERVICE}  {written}\n")
    assert only.startswith(f"5: spec.{path}: a secret is not written down: name the environment variable")
    assert "hunter2" not in only
    monkeypatch.setenv("SECRET", "hunter2")
    by_reference = re.sub(r"'(http.*)'|hunter2", lambda found: f"'{(found[1] or found[0])}'", written)
    (tmp_path / "leeway.yaml").write_text(f"{SERVICE}  {by_reference.replace('hunter2', '${SECRET}')}\n")
    assert leeway("check", tmp_path / "leeway.yaml").code == 0


def test_what_looks_like_a_text_is_none_of_the_truths_and_numbers_of_old_yaml(tmp_path: Path, leeway: Console) -> None:
    file = tmp_path / "fraud.yaml"
    file.write_text(MODEL + "  segments: [{by: [country], values: [NO, on, 010, 22:00, 7, true]}]\n")
    assert load(file).models["fraud"].spec.segments[0].values == ["NO", "on", "010", "22:00", "7", "true"]
    assert leeway("check", file).code == 0


def test_a_quote_that_is_not_closed_is_named_where_it_is_opened(tmp_path: Path, leeway: Console) -> None:
    (only,) = mistakes_of(leeway, tmp_path / "fraud.yaml", MODEL.replace("http: fraud", "http: 'fraud"))
    assert only.startswith("5: not YAML: found unexpected end of stream: a quote that is opened here is not closed")


def test_an_address_or_a_header_that_may_be_a_secret_may_be_written_down(tmp_path: Path, leeway: Console) -> None:
    (tmp_path / "model.yaml").write_text(MODEL)
    hook = "{kind: webhook, name: p, url: 'http://a/hooks/1', headers: {X-Team: ml}}"
    (tmp_path / "leeway.yaml").write_text(f"{SERVICE}  receivers: [{hook}]\n")
    assert leeway("check", tmp_path / "leeway.yaml").code == 0


def test_thousands_of_mistakes_are_counted_and_the_first_are_named(tmp_path: Path, leeway: Console) -> None:
    text = MODEL + "".join(f"  key{n}: 1\n" for n in range(3_000))
    count, first, *others = mistakes_of(leeway, tmp_path / "wrong.yaml", text)
    assert count == "1: 3,000 mistakes, of which the first 200 are listed"
    assert first.startswith(f"{len(MODEL.splitlines()) + 1}: spec.key0: unknown key")
    assert len(others) == 199


def test_a_surrogate_pair_is_the_character_that_json_writes_so() -> None:
    document = {"a😀": ["😀", "ä", "\uffff"]}
    assert read_posted(Path("x.yaml"), json.dumps(document)).value == document


def test_keys_are_merged_and_dates_are_text(tmp_path: Path, leeway: Console) -> None:
    text = MODEL.replace("{score: {type: numeric}}", "{score: &n {type: numeric, range: [0, 1]}, b: {<<: *n, path: c}}")
    text = text.replace("{name: fraud}", "{name: fraud, owner: 2026-99-99, labels: {2026-01-01: 2026-01-02, 1: b}}")
    file = tmp_path / "fraud.yaml"
    file.write_text(text + "  segments: [{by: [country], values: [2026-01-01]}]\n")
    (document,) = leeway("check", file, "--json").lines
    assert "out_of_range_rate" in document["models"][0]["signals"]["prediction:b"]


def assert_ends_well(leeway: Console, file: Path, text: str) -> None:
    """Whatever `leeway check` says of a file, it says it soon, and with a line."""
    file.write_text(text)
    began = process_time()
    said = leeway("check", file)
    assert said.code in {0, 2}, f"{said.err}\n{text}"
    assert process_time() - began < 20, text
    if said.code == 2:
        *mistakes, count = said.err.splitlines()
        assert mistakes, text
        assert re.fullmatch(r"\d+ mistakes?", count), text
        assert [
            line for line in mistakes if not re.match(rf"{re.escape(str(file.parent))}/\S+:[1-9]\d*:[1-9]\d*: ", line)
        ] == []


@pytest.mark.parametrize("seed", range(20))
def test_no_file_is_an_internal_error(
    seed: int, tmp_path: Path, leeway: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADDRESS", "http://localhost/hook")
    (tmp_path / "model.yaml").write_text(MODEL)
    assert_ends_well(leeway, tmp_path / "file.yaml", mutant(seed))


def test_what_is_changed_at_random_is_refused_or_right_by_the_schema_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADDRESS", "http://localhost/hook")
    assert soak_config.main(["--files", "200", "--seed", "20"]) == 0
    counts = json.loads(capsys.readouterr().out)
    assert counts["refused"] > 100
    assert counts["accepted"] > 5


def test_more_series_than_can_be_held_are_refused(tmp_path: Path, leeway: Console) -> None:
    features = {f"f{number}": {"type": "numeric"} for number in range(100)} | {"country": {"type": "category"}}
    spec = {
        "sources": [{"kafka": "payments"}],
        "schema": {"features": features},
        "segments": [{"by": ["country"], "values": [f"c{number}" for number in range(1_000)]}],
    }
    document = {"apiVersion": "leeway/v1", "kind": "Model", "metadata": {"name": "fraud"}, "spec": spec}
    (only,) = mistakes_of(leeway, tmp_path / "fraud.yaml", json.dumps(document, indent=0))
    assert only.endswith(
        "spec.segments: 1,001 segments of 101 signals are 101,101 series for each version, and at most 100,000 are"
        " watched: name fewer values, or a smaller `top`"
    )
