"""`leeway check`: every mistake with its place, or what will be watched."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.cli.check import plan
from monitor.config import load
from monitor.config.references import ALIASES, WINDOWED, uses_for
from monitor.evaluate.alarm_rule import budget_of
from monitor.evaluate.change import settings_of
from monitor.values import DAY_MS
from monitor.watch import compile_watch
from tests.cli.console import Console, by_line, with_rules


@pytest.mark.parametrize(
    ("rule", "path", "message"),
    [
        ('{on: "feature:amuont", use: [psi]}', "on", "matches no signal; did you mean 'feature:amount'?"),
        (
            '{on: "featur:*", use: [psi]}',
            "on",
            "the signals are feature:amount, feature:country, prediction:score, volume",
        ),
        ('{on: "missing:amount", use: [psi]}', "on", "watch it with `use: [missing_rate]` on the signal of 'amount'"),
        ('{on: "feature:*", use: [psi, adwim]}', "use.1", "unknown detector 'adwim'; did you mean 'adwin'?"),
        (
            '{on: "feature:country", use: [ks]}',
            "use.0",
            "ks is for numeric fields, and 'feature:country' is a category",
        ),
        ('{on: "feature:country", use: [adwin]}', "use.0", "adwin is for numeric fields"),
        ('{on: "feature:amount", use: [new_category]}', "use.0", "new_category is for category fields"),
        ('{on: "prediction:score", use: [out_of_range_rate]}', "use.0", "needs a `range` in the schema"),
        ("{on: volume, use: [psi]}", "use.0", "is the number of events"),
        ('{on: "feature:amount", use: [volume]}', "use.0", "volume is for the signal `volume`"),
        ('{on: "feature:*", use: [psi: {threshold: 1}]}', "use.0.psi.threshold", "the only one is min_effect"),
        ('{on: "feature:*", use: [js: {min_effect: 1.5}]}', "use.0.js.min_effect", "at least 0 and at most 1, got 1.5"),
        ('{on: "feature:*", use: [psi: {min_effect: -1}]}', "use.0.psi.min_effect", "at least 0, got -1"),
        ('{on: "feature:*", use: [psi: {min_effect: yes}]}', "use.0.psi.min_effect", "is a number of at least 0"),
        ('{on: "prediction:*", use: [adwin: {detla: 1}]}', "use.0.adwin.detla", "did you mean 'delta'?"),
        ('{on: "feature:amount", use: [robustz]}', "use.0", "did you mean 'robust_z'?"),
        ('{on: "feature:amount", use: [robust_z: {history: 1}]}', "use.0.robust_z.history", "an integer from 128"),
        ('{on: "prediction:*", use: [adwin: {delta: 2}]}', "use.0.adwin.delta", "allowed is a number from"),
        ('{on: "prediction:*", use: [page_hinkley: {mode: sideways}]}', "use.0.page_hinkley.mode", "up, down, both"),
        (
            '{on: "prediction:*", use: [psi, river.drift.binary.DMD]}',
            "use.1",
            "there is no detector 'river.drift.binary.DMD'; did you mean 'river.drift.binary.DDM'?",
        ),
        (
            '{on: "prediction:*", use: [river.drift.ADWIN: {dleta: 1}]}',
            "use.0.river.drift.ADWIN.dleta",
            "did you mean 'delta'?",
        ),
        (
            '{on: "prediction:*", use: [river.drift.ADWIN: {delta: small}]}',
            "use.0.river.drift.ADWIN.delta",
            "allowed is a value like its default, 0.002",
        ),
        (
            '{on: "prediction:*", use: [river.drift.KSWIN]}',
            "use.0.river.drift.KSWIN",
            "seed=None is not allowed; it draws random numbers: set a seed",
        ),
        ('{on: "feature:country", use: [river.drift.ADWIN]}', "use.0", "river.drift.ADWIN is for numeric fields"),
        ('{on: "feature:country", use: [ddm]}', "use.0", "ddm is for numeric fields from 0 to 1"),
        ('{on: "feature:amount", use: [stepd]}', "use.0", "the `range` of 'feature:amount' goes beyond that"),
    ],
)
def test_a_wrong_rule_is_named_with_its_line_and_path(
    rule: str, path: str, message: str, tmp_path: Path, leeway: Console
) -> None:
    file = with_rules(tmp_path, '{on: "feature:*", use: [psi]}', rule)
    said = leeway("check", file)
    assert (said.code, said.out) == (2, "")
    first, count = by_line(said.err).splitlines()
    assert first.startswith(f"{file}:12: spec.detect.rules.1.{path}: ")
    assert message in first
    assert count == "1 mistake"


def test_a_pattern_leaves_detectors_of_errors_from_a_signal_of_other_numbers(tmp_path: Path, leeway: Console) -> None:
    (document,) = leeway("check", with_rules(tmp_path, '{on: "*", use: [ddm, hddm_a, adwin]}'), "--json").lines
    watched = document["models"][0]["signals"]
    assert {"ddm", "hddm_a", "adwin"} <= watched["prediction:score"].keys()
    assert {"ddm", "hddm_a"}.isdisjoint(watched["feature:amount"])
    assert "adwin" in watched["feature:amount"]


def with_vector(folder: Path, rule: str, signals: str) -> Path:
    """A model's file with one rule, in line 11, and one vector, in line 13."""
    file = with_rules(folder, rule)
    file.write_text(file.read_text() + f"    vectors:\n      payment: {signals}\n")
    return file


@pytest.mark.parametrize(
    ("signals", "path", "message"),
    [
        ("[feature:amuont, prediction:score]", "payment.0", "did you mean 'feature:amount'?"),
        ("[feature:amount, feature:country]", "payment.1", "is no numeric signal; "),
        ("[feature:amount, feature:amount]", "payment.1", "'feature:amount' is named twice"),
        ("[feature:amount]", "payment", "at least 2"),
    ],
)
def test_a_wrong_vector_is_named_with_its_line_and_path(
    signals: str, path: str, message: str, tmp_path: Path, leeway: Console
) -> None:
    file = with_vector(tmp_path, '{on: "vector:payment", use: [loda]}', signals)
    said = leeway("check", file)
    assert said.code == 2
    assert by_line(said.err).startswith(f"{file}:13: spec.detect.vectors.{path}: ")
    assert message in said.err


def test_a_vector_is_for_scorers_that_take_several_numbers(tmp_path: Path, leeway: Console) -> None:
    signals = "[feature:amount, prediction:score]"
    (document,) = leeway("check", with_vector(tmp_path, '{on: "*", use: [loda, robust_z]}', signals), "--json").lines
    watched = document["models"][0]["signals"]
    assert watched["vector:payment"] == {"loda": {}}
    assert {"loda", "robust_z"} <= watched["feature:amount"].keys()
    said = leeway("check", with_vector(tmp_path, '{on: "vector:payment", use: [robust_z]}', signals))
    assert "robust_z is for numeric fields, and 'vector:payment' is a vector" in said.err
    said = leeway("check", with_vector(tmp_path, '{on: "feature:country", use: [loda]}', signals))
    assert "loda is for numeric fields and vectors, and 'feature:country' is a category field" in said.err


def test_a_vector_of_what_comes_in_separate_events_is_refused(tmp_path: Path, leeway: Console) -> None:
    file = with_vector(tmp_path, '{on: "vector:payment", use: [loda]}', "[feature:amount, prediction:score]")
    text = file.read_text()
    sources = yaml.safe_load(text)["spec"]["sources"]
    kinds = [sources[0] | {"kind": "features"}, {"kafka": "scored", "event_time": "ts", "kind": "prediction"}]
    document = yaml.safe_load(text)
    document["spec"]["sources"] = kinds
    file.write_text(yaml.safe_dump(document))
    said = leeway("check", file)
    assert said.code == 2
    assert "spec.detect.vectors.payment: features and predictions come in separate events here" in said.err


def test_every_mistake_is_found_at_once(tmp_path: Path, leeway: Console) -> None:
    file = with_rules(tmp_path, '{on: "nothing:*", use: [pis, psi: {a: 1, b: 2}]}', "{on: volume, use: [ks]}")
    said = leeway("check", file, "--json")
    assert said.code == 2
    (document,) = said.lines
    assert document["ok"] is False
    assert [
        (mistake["line"], mistake["path"].removeprefix("spec.detect.rules.")) for mistake in document["mistakes"]
    ] == [
        (11, "0.on"),
        (11, "0.use.0"),
        (11, "0.use.1.psi.a"),
        (11, "0.use.1.psi.b"),
        (12, "1.use.0"),
    ]


def test_parameters_that_do_not_go_together_are_a_mistake_across_rules(tmp_path: Path, leeway: Console) -> None:
    file = with_rules(
        tmp_path,
        '{on: "feature:amount", use: [cusum: {mean: 1}]}',
        '{on: "feature:amount", use: [cusum: {warm_up: 100}]}',
    )
    said = leeway("check", file)
    assert said.code == 2
    assert by_line(said.err).startswith(f"{file}:12: spec.detect.rules.1.use.0.cusum: cusum: ")


def test_a_pattern_applies_a_detector_where_it_fits(tmp_path: Path, leeway: Console) -> None:
    file = with_rules(
        tmp_path,
        '{on: "*", use: [wasserstein, js, new_category, adwin]}',
        '{on: "feature:amount", use: [adwin: {delta: 0.1}, psi: {min_effect: 0.3}]}',
        '{on: "feature:*", use: [adwin: {clock: 8}]}',
    )
    (document,) = leeway("check", file, "--json").lines
    signals = document["models"][0]["signals"]
    assert signals["feature:amount"]["adwin"] == {"delta": 0.1, "clock": 8}
    assert signals["feature:amount"]["psi"] == {"min_effect": 0.3}
    assert "new_category" not in signals["feature:amount"]
    assert "jensen_shannon" in signals["feature:country"]
    assert not {"wasserstein", "ks", "adwin", "out_of_range_rate"} & signals["feature:country"].keys()
    assert "out_of_range_rate" not in signals["prediction:score"]
    assert list(signals["volume"]) == ["volume"]


def test_without_default_rules_only_the_files_own_count(tmp_path: Path) -> None:
    file = with_rules(tmp_path, '{on: "feature:amount", use: [psi]}')
    file.write_text(file.read_text().replace("    rules:", "    default_rules: false\n    rules:"))
    uses = uses_for(load(file).models["fraud"])
    assert uses == {"feature:amount": {"psi": {}}, "feature:country": {}, "prediction:score": {}, "volume": {}}


def test_a_fine_configuration_says_what_will_be_watched(tmp_path: Path, leeway: Console) -> None:
    said = leeway("check", with_rules(tmp_path, '{on: "prediction:*", use: [page_hinkley: {threshold: 9}]}'))
    assert said.code == 0
    assert "page_hinkley(threshold=9)" in said.out
    assert "1 false alarm per 30d accepted" in said.out
    assert said.out.endswith("fine: 1 model\n")


def test_the_tests_that_share_the_budget_are_those_that_evaluation_counts(tmp_path: Path) -> None:
    file = with_rules(tmp_path, '{on: "prediction:*", use: [adwin, js]}')
    file.write_text(file.read_text() + "  segments: [{by: [country], values: [DE, FR]}]\n")
    configuration = load(file)
    planned = plan(configuration.models["fraud"])
    assert 1 / planned["tests_per_budget_period"] == pytest.approx(
        budget_of(compile_watch(configuration, "fraud")).tail_probability
    )


def test_a_period_is_said_with_what_says_what_it_has(tmp_path: Path, leeway: Console) -> None:
    file = changing(tmp_path)
    period = "  baseline: {kind: period, from: 2026-10-01T00:00:00+02:00, to: 2026-10-29T00:00:00Z}\n"
    file.write_text(file.read_text() + period)
    out = leeway("check", file).out
    assert "baseline period of 2026-09-30 22:00 UTC to 2026-10-29 00:00 UTC; `leeway baseline build` says" in out
    assert "has skew" not in out


def changing(folder: Path, detect: str = "") -> Path:
    """A model's file with more in its `detect`."""
    file = with_rules(folder, "{on: volume, use: [volume]}")
    file.write_text(file.read_text().replace("    rules:", f"{detect}    rules:"))
    return file


def test_the_signals_that_share_the_budget_of_the_rule_change_are_those_that_evaluation_counts(tmp_path: Path) -> None:
    file = changing(tmp_path)
    file.write_text(file.read_text() + "  segments: [{by: [country], values: [DE, FR]}]\n")
    configuration = load(file)
    foreseen = plan(configuration.models["fraud"])["change"]
    settings = settings_of(compile_watch(configuration, "fraud"))
    assert foreseen["signals"] == settings.signals == 12
    assert foreseen["each_ms"] == pytest.approx(DAY_MS * settings.signals / settings.false_alarms)


def test_what_the_rule_change_will_find_is_said_before_there_is_an_event(tmp_path: Path, leeway: Console) -> None:
    out = leeway("check", changing(tmp_path, "    defaults: {window: 1h}\n"), "--events-per-hour", "400").out
    assert "shared by 4 signals: each alarms falsely once in 120 days" in out
    assert "each series may alarm when 10h and 200 of its values were seen" in out
    assert "by whole days from day 8 on" in out
    assert "only a baseline of a data set or a period has skew" in out
    [line] = [line for line in out.splitlines() if "typical value " in line]
    sizes = [float(size) for size in re.findall(r"\((\S+) sd\)", line)]
    assert 0.6 > sizes[0] > 4 * sizes[1] > 6 * sizes[2] > 0
    assert "leeway status" in out


def test_metrics_that_make_no_signal_are_named_and_what_would_make_them_one(tmp_path: Path, leeway: Console) -> None:
    file = tmp_path / "leeway.yaml"
    file.write_text(
        "apiVersion: leeway/v1\nkind: Model\nmetadata: {name: search}\nspec:\n"
        "  sources: [{kafka: shown}, {kafka: clicks, kind: labels}]\n"
        "  schema: {id: id, prediction: {shown: {type: ranking}}, labels: {relevant: {type: ranking}}}\n"
        "  baseline: {kind: rolling}\n  performance: {k: 5}\n"
    )
    out = leeway("check", file).out
    assert "performance:ndcg" in out
    assert "mrr: shown, and no signal: `alarm_on` names those that alarm" in out
    assert "caution" not in out


def test_a_ranking_that_nothing_compares_is_named(tmp_path: Path, leeway: Console) -> None:
    file = tmp_path / "leeway.yaml"
    file.write_text(
        "apiVersion: leeway/v1\nkind: Model\nmetadata: {name: search}\nspec:\n"
        "  sources: [{kafka: shown}]\n  baseline: {kind: rolling}\n"
        "  schema: {prediction: {shown: {type: ranking}, score: {type: numeric}}}\n"
    )
    assert "caution: prediction:shown: nothing is made of this ranking unless" in leeway("check", file).out
    assert leeway("check", file, "--json").lines[0]["models"][0]["not_compared"] == ["prediction:shown"]


def test_a_min_effect_that_has_no_say_is_named(tmp_path: Path, leeway: Console) -> None:
    file = with_rules(tmp_path, '{on: "feature:amount", use: [{psi: {min_effect: 0.2}}]}')
    assert "`min_effect` of feature:amount has no say in alarms" in leeway("check", file).out
    assert "min_effect" not in leeway("check", changing(tmp_path)).out


def test_more_events_find_smaller_shifts_and_too_few_no_spread(tmp_path: Path, leeway: Console) -> None:
    def shifts(events_per_hour: int) -> dict[str, Any]:
        (document,) = leeway("check", changing(tmp_path), "--events-per-hour", str(events_per_hour), "--json").lines
        return {shift["contrast"]: shift for shift in document["models"][0]["change"]["smallest_shifts"]}

    many, few = shifts(120_000), shifts(120)
    assert many["events"]["day_shift"] < few["events"]["day_shift"]
    assert many["typical value"]["window_shift"] > 0
    # Ten events in each window of five minutes.
    assert few["typical value"]["week_shift"] > many["typical value"]["week_shift"]
    out = leeway("check", changing(tmp_path), "--events-per-hour", "120").out
    assert "windows of 10 events do not show that a window repeats the one before it: 20 are needed" in out
    assert "spreads" not in out.partition("windows of 10")[2]
    fewer = shifts(72)
    assert (fewer["spread"]["week_shift"], fewer["typical value"]["week_shift"] > 0) == (None, True)
    out = leeway("check", changing(tmp_path), "--events-per-hour", "72").out
    assert "windows of 6 events do not show spreads: 10 are needed; longer windows help" in out


@pytest.mark.parametrize("events_per_hour", ["0.0001", "0.5", "3"])
def test_hardly_any_traffic_shows_nothing_and_is_no_mistake(
    tmp_path: Path, leeway: Console, events_per_hour: str
) -> None:
    said = leeway("check", changing(tmp_path), "--events-per-hour", events_per_hour)
    assert (said.code, said.err) == (0, "")


def test_a_model_of_which_nothing_can_alarm_is_told_so(tmp_path: Path, leeway: Console) -> None:
    file = changing(tmp_path, "    default_rules: false\n")
    file.write_text(re.sub(r"rules:\s+- .*", "rules: []", file.read_text()))
    assert "nothing can ever alarm" in leeway("check", file).out


def test_a_window_of_a_day_has_no_gross_changes_within_a_day(tmp_path: Path, leeway: Console) -> None:
    out = leeway("check", changing(tmp_path, "    defaults: {window: 1d}\n")).out
    assert "each series may alarm when 10d and 200 of its values were seen; variances" in out
    assert "a window that repeats the one before it is told after 28 windows, from the second in a row on" in out
    assert "is told after" not in leeway("check", changing(tmp_path, "    defaults: {window: 1h}\n")).out
    out = leeway("check", changing(tmp_path, "    defaults: {window: 1d, learn_windows: 40}\n")).out
    assert "is told after 40 windows" in out


def test_without_traffic_nothing_is_said_of_what_can_be_found(tmp_path: Path, leeway: Console) -> None:
    assert "--events-per-hour N shows what can be found" in leeway("check", changing(tmp_path)).out
    (document,) = leeway("check", changing(tmp_path, "    rule: variation\n"), "--json").lines
    assert document["models"][0]["change"] is None


def test_a_configuration_that_is_missing_is_said_to_be(leeway: Console) -> None:
    assert leeway("check").code == 2
    said = leeway("check", "nowhere.yaml")
    assert (said.code, said.err.splitlines()[0]) == (2, "nowhere.yaml: no such file or folder")


def test_the_windowed_detectors_are_those_that_evaluation_has() -> None:
    from detectors.distance import DISTANCES, VECTOR_DISTANCES

    assert list(WINDOWED) == [*DISTANCES, *VECTOR_DISTANCES, "volume"]
    assert {name for name, detector in WINDOWED.items() if detector.kind == "rate"} == {
        name for name in DISTANCES if name.endswith("_rate") or name == "new_category"
    }
    assert all(WINDOWED[name].fits == {"vector"} for name in VECTOR_DISTANCES)
    assert ALIASES == {"js": "jensen_shannon"}


def test_a_file_is_called_by_one_name(tmp_path: Path, leeway: Console) -> None:
    """Streams are known by their names: a second model would be given the events of the first one."""
    model = {"apiVersion": "leeway/v1", "kind": "Model", "metadata": {"name": "a"}}
    spec = {"sources": [{"file": "events.jsonl"}], "schema": {"features": {"x": {"type": "numeric"}}}}
    for name, file in (("a", "events.jsonl"), ("b", "events.jsonl"), ("c", "../a/events.jsonl")):
        folder = tmp_path / name
        folder.mkdir()
        source = {"sources": [{"file": file}]}
        (folder / "model.yaml").write_text(json.dumps(model | {"metadata": {"name": name}, "spec": spec | source}))
    service = tmp_path / "leeway.yaml"
    service.write_text('{apiVersion: leeway/v1, kind: Service, spec: {models: ["*/model.yaml"]}}')

    said = leeway("check", service)

    assert said.code == 2
    assert (
        f"spec.sources.0.file: model 'a' reads {tmp_path}/a/events.jsonl by this name, and here" in said.out + said.err
    )
    assert "call it `../b/events.jsonl`, say" in said.out + said.err
    b = tmp_path / "b" / "model.yaml"
    b.write_text(b.read_text().replace("events.jsonl", "../b/events.jsonl"))
    assert leeway("check", service).code == 0
