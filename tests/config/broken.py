"""Configurations that are refused, each by the name of its defect, with what is said of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.config.mutants import MODEL, SERVICE

__all__ = ["BROKEN", "LABELLED", "Broken", "written"]


@dataclass(frozen=True)
class Broken:
    """A file with one defect.

    Attributes
    ----------
    text : str
    mistake : str
        What is said of it: line, column, path and the beginning of the message.
    is_of_one_value : bool
        Whether it shows without looking at other values, so that the JSON Schema refuses it, too.
    """

    text: str
    mistake: str
    is_of_one_value: bool = True


def written(folder: Path, broken: Broken) -> Path:
    """Write a broken file, beside a model's that is not."""
    (folder / "model.yaml").write_text(MODEL)
    file = folder / "broken.yaml"
    file.write_text(broken.text)
    return file


def _replaced(old: str, new: str, mistake: str, *, one: bool = True) -> Broken:
    assert old in MODEL
    return Broken(MODEL.replace(old, new, 1), mistake, one)


def _with(more: str, mistake: str, *, one: bool = True) -> Broken:
    """A model with a ninth line."""
    return Broken(f"{MODEL}  {more}\n", f"9:{mistake}", one)


def _service(more: str, mistake: str, *, one: bool = True) -> Broken:
    """A service with a fifth line."""
    return Broken(f"{SERVICE}  {more}\n", f"5:{mistake}", one)


LABELLED = MODEL.replace("[{http: fraud}]", "[{http: fraud}, {http: truth, kind: labels}]").replace(
    "{score: {type: numeric}}", "{score: {type: numeric}, said: {type: category}}"
) + ("    id: id\n    labels: {fraud: {type: category}, loss: {type: numeric}, worth: {type: numeric}}\n")
"""A model that performance can be asked of; what follows is its eleventh line."""

_BINARY = "prediction: score, label: fraud, positive: 'yes'"
_CLASSES = "prediction: said, label: fraud"
_NUMBERS = "prediction: score, label: loss"


def _performance(keys: str, mistake: str, *, one: bool = False) -> Broken:
    """A model whose eleventh line says what it is compared with."""
    return Broken(f"{LABELLED}  performance: {{{keys}}}\n", f"11:{mistake}", one)


def _ranked(keys: str, mistake: str) -> Broken:
    """A model of which rankings are compared."""
    text = LABELLED.replace("said: {type: category}", "said: {type: ranking}")
    text = text.replace("loss: {type: numeric}", "loss: {type: ranking}")
    return Broken(f"{text}  performance: {{prediction: said, label: loss, {keys}}}\n", f"11:48: {mistake}", False)


def _private(keys: str, old: str, new: str, mistake: str) -> Broken:
    text = LABELLED.replace(old, new, 1)
    return Broken(f"{text}  performance: {{{keys}}}\n", f"11:{mistake}", is_of_one_value=False)


BROKEN = {
    "quota below zero": _service(
        "quotas: {risk: {models: -1}}", "19: spec.quotas.risk.models: Input should be greater than or equal to 0"
    ),
    "quota of something else": _service("quotas: {risk: {model: 3}}", "19: spec.quotas.risk.model: unknown key"),
    "quota of no events": _service(
        "quotas: {risk: {events_per_s: 0}}", "19: spec.quotas.risk.events_per_s: Input should be greater than 0"
    ),
    "quota of a namespace that cannot be": _service("quotas: {Ri sk: {models: 3}}", "12: spec.quotas.Ri sk", one=False),
    "version of the format is another": _replaced(
        "leeway/v1", "leeway/v2", "1:1: apiVersion: Input should be 'leeway/v1'"
    ),
    "version of the format is missing": _replaced(
        "apiVersion: leeway/v1\n", "", "1:1: apiVersion: required key is missing"
    ),
    "metadata is missing": _replaced("metadata: {name: fraud}\n", "", "1:1: metadata: required key is missing"),
    "metadata is text": _replaced("{name: fraud}", "fraud", "3:1: metadata: a section belongs here"),
    "name is missing": _replaced("{name: fraud}", "{owner: a}", "3:1: metadata.name: required key is missing"),
    "name has a blank": _replaced("fraud}", "fraud model}", "3:12: metadata.name: String should match pattern"),
    "name is a number": _replaced("fraud}", "7}", "3:12: metadata.name: Input should be a valid string"),
    "namespace has a slash": _replaced(
        "fraud}", "fraud, namespace: a/b}", "3:25: metadata.namespace: String should match pattern"
    ),
    "label is a number": _replaced(
        "fraud}", "fraud, labels: {tier: 1}}", "3:34: metadata.labels.tier: Input should be a valid string"
    ),
    "key of metadata is misspelt": _replaced(
        "fraud}", "fraud, ownr: a}", "3:25: metadata.ownr: unknown key; did you mean 'owner'?"
    ),
    "key of the document is misspelt": Broken(
        MODEL.replace("spec:", "spek:"), "4:1: spek: unknown key; did you mean 'spec'?"
    ),
    "sources are missing": _replaced(
        "  sources: [{http: fraud}]\n", "", "4:1: spec.sources: required key is missing", one=False
    ),
    "sources are empty": _replaced("[{http: fraud}]", "[]", "5:3: spec.sources: List should have at least 1 item"),
    "source is text": _replaced(
        "[{http: fraud}]",
        "[fraud]",
        "5:13: spec.sources.0: a section belongs here, `{key: value}`; its keys are allowed_lateness, d",
    ),
    "source names nothing to read": _replaced(
        "{http: fraud}", "{kind: event}", "5:13: spec.sources.0: name exactly one of kafka, file, http", one=False
    ),
    "source names two things to read": _replaced(
        "{http: fraud}", "{http: fraud, kafka: a}", "5:13: spec.sources.0: name exactly one of kafka", one=False
    ),
    "source is of no kind": _replaced(
        "http: fraud}", "http: fraud, kind: events}", "5:27: spec.sources.0.kind: Input should be 'event', 'prediction'"
    ),
    "format of a source is unknown": _replaced(
        "http: fraud}", "http: fraud, format: xml}", "5:27: spec.sources.0.format: the formats are json, parquet"
    ),
    "lateness has no unit": _replaced(
        "http: fraud}", "http: a, allowed_lateness: 30}", "5:23: spec.sources.0.allowed_lateness: expected a duration"
    ),
    "lateness is negative": _replaced(
        "http: fraud}", "http: a, allowed_lateness: -5s}", "5:23: spec.sources.0.allowed_lateness: expected a duration"
    ),
    "time has an unknown unit": _replaced(
        "http: fraud}", "http: a, event_time: {path: t, unit: m}}", "5:45: spec.sources.0.event_time.unit: Input should"
    ),
    "time has no path": _replaced(
        "http: fraud}", "http: a, event_time: {unit: ms}}", "5:23: spec.sources.0.event_time.path: required key"
    ),
    "condition on a list": _replaced(
        "http: fraud}", "http: a, where: {a: [1]}}", "5:31: spec.sources.0.where.a: Input should be a valid string"
    ),
    "dead letters of a source that is no topic": _replaced(
        "http: fraud}", "http: a, dead_letters: b}", "5:13: spec.sources.0: dead_letters is a topic for", one=False
    ),
    "field of no type": _replaced(
        "type: numeric, range: [0, 100]", "range: [0, 1]", "7:16: spec.schema.features.amount.type: required", one=False
    ),
    "field of an unknown type": _replaced(
        "type: numeric, r", "type: number, r", "7:25: spec.schema.features.amount.type: Input should be 'numeric', 'ca"
    ),
    "field is a word": _replaced(
        "{type: category}", "category", "7:58: spec.schema.features.country: a section belongs here"
    ),
    "name of a field has a blank": _replaced(
        "country:", "the country:", "7:58: spec.schema.features.the country: a field's name has no spaces,", one=False
    ),
    "name of a field is too long": _replaced(
        "country:", f"{'x' * 201}:", f"7:58: spec.schema.features.{'x' * 201}: its name has 201 characters", one=False
    ),
    "features are a list": _replaced(
        "{amount: {type: numeric, range: [0, 100]}, country: {type: category}}",
        "[amount, country]",
        "7:5: spec.schema.features: names belong here, `{NAME: {key: value}}`; the keys of each are dimension",
    ),
    "path is one of JSONPath": _replaced(
        "type: category",
        "type: category, path: $.a.b",
        "7:84: spec.schema.features.country.path: a path has no $",
        one=False,
    ),
    "path has an empty part": _replaced(
        "type: category",
        "type: category, path: a..b",
        "7:84: spec.schema.features.country.path: a path is names",
        one=False,
    ),
    "type is what other tools call it": _replaced(
        "type: category",
        "type: string",
        "7:68: spec.schema.features.country.type: Input should be 'numeric', 'category', 'vector' or 'ranking'; did "
        "you mean 'category'?",
    ),
    "data set is elsewhere": _with(
        "baseline: {kind: dataset, uri: 's3://a/b.csv'}",
        "29: spec.baseline.uri: a path of this machine belongs here, and s3:// is none",
        one=False,
    ),
    "range is upside down": _replaced(
        "[0, 100]", "[100, 0]", "7:16: spec.schema.features.amount: range is [low, high] with low < high", one=False
    ),
    "range has one end": _replaced("[0, 100]", "[0]", "7:40: spec.schema.features.amount.range"),
    "range has three ends": _replaced("[0, 100]", "[0, 1, 2]", "7:40: spec.schema.features.amount.range"),
    "range of a category": _replaced(
        "type: category", "type: category, range: [0, 1]", "7:58: spec.schema.features.country: range is for", one=False
    ),
    "vector without a dimension": _replaced(
        "type: category", "type: vector", "7:58: spec.schema.features.country: a vector needs its `dimen", one=False
    ),
    "dimension of a number": _replaced(
        "{type: numeric}}", "{type: numeric, dimension: 3}}", "8:18: spec.schema.prediction.score: a vector", one=False
    ),
    "more categories than there may be": _replaced(
        "type: category", "type: category, max_values: 100000", "7:84: spec.schema.features.country.max_values: Input"
    ),
    "no field at all": Broken(
        MODEL[: MODEL.index("    features")].replace("schema:", "schema: {id: a}"),
        "6:3: spec.schema: name at least one feature",
        is_of_one_value=False,
    ),
    "key of the schema is misspelt": _replaced(
        "prediction:", "predictions:", "8:5: spec.schema.predictions: unknown key; did you mean 'prediction'?"
    ),
    "segments of a number": _with(
        "segments: [{by: [amount], values: [a]}]", "20: spec.segments.0.by.0: 'amount' is not a category", one=False
    ),
    "segments without a field": _with("segments: [{values: [a]}]", "14: spec.segments.0.by: required key is missing"),
    "segments by one field in text": _with("segments: [{by: country}]", "15: spec.segments.0.by: a list belongs here"),
    "segments without values or data set": _with("segments: [{by: [country]}]", "14: spec.segments.0: name", one=False),
    "segment that is named twice": _with(
        "segments: [{by: [country], values: [DE, FR, [DE]]}]",
        "47: spec.segments.0.values.2: ['DE'] is watched already",
        one=False,
    ),
    "segment that another entry names": _with(
        "segments: [{by: [country], values: [DE]}, {by: [country], values: [FR, DE]}]",
        "74: spec.segments.1.values.1: 'DE' is watched already",
        one=False,
    ),
    "segments by one field twice": _with(
        "segments: [{by: [country, country], values: [[DE, DE]]}]",
        "29: spec.segments.0.by.1: 'country' is named twice",
        one=False,
    ),
    "severity of no signal": _with(
        "alerts: {severity: {critical: 'feature:amuont'}}",
        "23: spec.alerts.severity.critical: 'feature:amuont' matches no signal; did you mean 'feature:amount'?",
        one=False,
    ),
    "severity of a pattern that matches no signal": _with(
        "alerts: {severity: {warning: ['*', 'prediction:p_*']}}",
        "38: spec.alerts.severity.warning.1: 'prediction:p_*' matches no signal",
        one=False,
    ),
    "segment of two values by one field": _with(
        "segments: [{by: [country], values: [[a, b]]}]", "14: spec.segments.0: a segment by", one=False
    ),
    "baseline of no kind": _with(
        "baseline: {span: 3d}", "3: spec.baseline.kind: required key is missing; it is dataset, ", one=False
    ),
    "baseline of an unknown kind": _with(
        "baseline: {kind: fixed}", "14: spec.baseline.kind: unknown kind; it is dataset, "
    ),
    "baseline of an unknown key": _with(
        "baseline: {kind: rolling, days: 3}", "29: spec.baseline.days: unknown key; the keys here are kind, span, uri"
    ),
    "baseline of no events": _with(
        "baseline: {kind: first_events, count: 0}", "34: spec.baseline.count: Input should be greater than 0"
    ),
    "period without a zone": _with(
        "baseline: {kind: period, from: 2026-10-01T00:00:00, to: 2026-10-29T00:00:00Z}",
        "28: spec.baseline.from: expected a time with its zone",
    ),
    "period of numbers": _with(
        "baseline: {kind: period, from: 1790812800, to: 2026-10-29T00:00:00Z}",
        "28: spec.baseline.from: expected a time with its zone, such as 2026-10-01T00:00:00Z, got 1790812800",
    ),
    "period that ends before it begins": _with(
        "baseline: {kind: period, from: 2026-10-29T00:00:00Z, to: 2026-10-01T00:00:00Z}",
        "56: spec.baseline.to: lies before `from`",
        one=False,
    ),
    "period of a day, with a rule that compares weeks": _with(
        "baseline: {kind: period, from: 2026-10-01T00:00:00Z, to: 2026-10-02T00:00:00Z}",
        "56: spec.baseline.to: `detect.rule: change` compares whole weeks: name 7d at least, not 1d",
        one=False,
    ),
    "period without a window": _with(
        "baseline: {kind: period, from: 2026-10-01T00:00:00Z, to: 2026-10-01T00:01:00Z}\n  detect: {rule: variation}",
        "56: spec.baseline.to: a period of 1m holds no window of 5m",
        one=False,
    ),
    "data set that is not there": _with(
        "baseline: {kind: dataset, uri: nowhere.csv}", "29: spec.baseline.uri: no such file", one=False
    ),
    "budget without a time": _with(
        "detect: {false_alarms: 3}", "12: spec.detect.false_alarms: expected something like"
    ),
    "budget of none": _with("detect: {false_alarms: 0 per 30d}", "12: spec.detect.false_alarms: Input", one=False),
    "window that is no sum of panes": _with(
        "detect: {pane: 7s, defaults: {window: 1m}}",
        "33: spec.detect.defaults.window: window must be a multiple",
        one=False,
    ),
    "window that is no sum of steps": _with(
        "detect: {defaults: {window: 90m, every: 1h}}",
        "36: spec.detect.defaults.every: window must be a multiple of every (1h), got 1h30m",
        one=False,
    ),
    "windows with gaps": _with(
        "detect: {defaults: {window: 1h, every: 1d}}",
        "35: spec.detect.defaults.every: window must be a multiple of every (1d), got 1h",
        one=False,
    ),
    "window of no length": _with("detect: {defaults: {window: 0s}}", "23: spec.detect.defaults.window: ", one=False),
    "window of one event": _with("detect: {defaults: {min_samples: 1}}", "23: spec.detect.defaults.min_samples: Input"),
    "rule is unknown": _with(
        "detect: {rule: changes}", "12: spec.detect.rule: Input should be 'variation' or 'change'"
    ),
    "zone is unknown": _with("detect: {time_zone: CETT}", "12: spec.detect.time_zone: no such time zone", one=False),
    "zone is a host's own": _with(
        "detect: {time_zone: localtime}", "12: spec.detect.time_zone: no such time", one=False
    ),
    "zone is a host's rules": _with("detect: {time_zone: posixrules}", "12: spec.detect.time_zone: no such", one=False),
    "zone is empty": _with('detect: {time_zone: ""}', "12: spec.detect.time_zone: expected a time zone", one=False),
    "holiday is no day": _with(
        "detect: {holidays: [2026-02-30]}", "23: spec.detect.holidays.0: 2026-02-30 is no day: day is out of", one=False
    ),
    "holiday is written as people do": _with(
        "detect: {holidays: [03.04.2026]}",
        "23: spec.detect.holidays.0: expected a day as YYYY-MM-DD, such as 2026-12-25, got '03.04.2026'",
        one=False,
    ),
    "holiday is a number": _with("detect: {holidays: [0]}", "23: spec.detect.holidays.0: expected a day as YYYY-MM-DD"),
    "holiday is a quoted number": _with(
        'detect: {holidays: ["1577836800"]}', "23: spec.detect.holidays.0: expected a day as YYYY-MM-DD", one=False
    ),
    "holiday is without dashes": _with(
        'detect: {holidays: ["20261225"]}', "23: spec.detect.holidays.0: expected a day as YYYY-MM-DD", one=False
    ),
    "adopting under the other rule": _with(
        "detect: {rule: variation, adopt_after: 1d}",
        "29: spec.detect.adopt_after: adopt_after needs `rule: change`",
        one=False,
    ),
    "rule of no signal": _with("detect: {rules: [{use: [psi]}]}", "20: spec.detect.rules.0.on: required key"),
    "rule of no detector": _with(
        "detect: {rules: [{on: volume, use: []}]}", "33: spec.detect.rules.0.use: List should"
    ),
    "rule of one detector in text": _with(
        "detect: {rules: [{on: volume, use: psi}]}", "33: spec.detect.rules.0.use: expected a list of detectors"
    ),
    "parameters that are none": _with(
        "detect: {rules: [{on: volume, use: [volume: 0]}]}", "39: spec.detect.rules.0.use.0: a section belongs here"
    ),
    "detector that is misspelt": _with(
        "detect: {rules: [{on: '*', use: [wasserstien]}]}",
        "36: spec.detect.rules.0.use.0: unknown detector 'wasserstien'; did you mean 'wasserstein'?",
        one=False,
    ),
    "signal that is misspelt": _with(
        "detect: {rules: [{on: 'feature:amuont', use: [psi]}]}",
        "21: spec.detect.rules.0.on: matches no signal; did you mean 'feature:amount'?",
        one=False,
    ),
    "vector of one signal": _with(
        "detect: {vectors: {a: ['feature:amount']}}", "22: spec.detect.vectors.a: List should"
    ),
    "severity that is unknown": _with("alerts: {severity: {high: '*'}}", "23: spec.alerts.severity"),
    "grouping by what is none": _with(
        "alerts: {group_by: [signal]}", "23: spec.alerts.group_by.0: Input should be 'mod"
    ),
    "time to hold without a unit": _with("alerts: {for: 5}", "12: spec.alerts.for: expected a duration with its unit"),
    "share of more than all": _with("keep: {events: 120%}", "10: spec.keep.events: a share lies between 0%", one=False),
    "share that is a number": _with("keep: {events: 5}", "10: spec.keep.events: expected true, false or a percentage"),
    "lifetime of less than a second": _with(
        "keep: {for: {events: 5ms}}", "16: spec.keep.for.events: rows ar", one=False
    ),
    "kept without an unknown signal": _with("keep: {without: [a]}", "20: spec.keep.without.0: 'a' is not", one=False),
    "performance without labels": _with(
        "performance: {prediction: score}", "3: spec.performance: schema.labels has nothing", one=False
    ),
    "performance of an unknown prediction": _performance(
        "prediction: amount, label: fraud", "17: spec.performance.prediction: 'amount' is none of the schema's: score"
    ),
    "performance of no prediction in particular": _performance(
        "label: fraud", "3: spec.performance.prediction: name one: the schema's are score, said"
    ),
    "performance by an unknown label": _performance(
        "prediction: score, label: frod", "36: spec.performance.label: 'frod' is none of the schema's"
    ),
    "performance by no label in particular": _performance(
        "prediction: score", "3: spec.performance.label: name one: the schema's are fraud, loss, worth"
    ),
    "performance of another kind": _performance(
        f"{_BINARY}, kind: regression", "67: spec.performance.kind: regression compares numeric with numeric, and"
    ),
    "performance of no kind": _performance(f"{_BINARY}, kind: ranks", "67: spec.performance.kind: Input", one=True),
    "performance of rankings against numbers": _performance(
        f"{_BINARY}, kind: ranking", "67: spec.performance.kind: ranking compares ranking with ranking, and these are"
    ),
    "items of a list of numbers": _performance(f"{_NUMBERS}, k: 5", "49: spec.performance.k: only rankings have one"),
    "ranking that is a feature": Broken(
        MODEL.replace("features: {", "features: {shown: {type: ranking}, ", 1),
        "7:24: spec.schema.features.shown.type: only a prediction and a label",
        is_of_one_value=False,
    ),
    "ranking that is private": Broken(
        LABELLED.replace("said: {type: category}", "said: {type: ranking, privacy: hash}"),
        "8:64: spec.schema.prediction.said.privacy: items of rankings are stored as they are",
        is_of_one_value=False,
    ),
    "baselines of rankings": _ranked("baselines: {prior: {kind: prior}}", "spec.performance.baselines: there are none"),
    "estimates of rankings": _ranked("estimates: {a: {uri: a}}", "spec.performance.estimates: there are none of"),
    "worth of ranks": _ranked("value: {a/b: 1}", "spec.performance.value: rankings have no outcomes"),
    "threshold of rankings": _ranked("threshold: 0.5", "spec.performance.threshold: only what is binary has one"),
    "performance of classes against a number": _performance(
        "prediction: said, label: loss", "17: spec.performance.prediction: a category and a label that is a numeric"
    ),
    "performance without a positive class": _performance(
        "prediction: score, label: fraud", "3: spec.performance.positive: name the class whose probability"
    ),
    "positive class without quotes": _performance(
        "prediction: score, label: fraud, positive: true",
        "50: spec.performance.positive: Input should be a valid str",
        one=True,
    ),
    "positive class of a number": _performance(
        f"{_NUMBERS}, positive: '1'", "49: spec.performance.positive: only what is binary has one"
    ),
    "threshold of classes": _performance(
        f"{_CLASSES}, threshold: 0.4", "49: spec.performance.threshold: only what is binary has one"
    ),
    "probabilities of two classes": _performance(
        f"{_BINARY}, probabilities: {{a: score, b: score}}",
        "67: spec.performance.probabilities: only names of classes have them, and this is binary",
    ),
    "probability of one class": _performance(
        f"{_CLASSES}, probabilities: {{a: score}}", "49: spec.performance.probabilities: name the probability of each"
    ),
    "probability that is no number": _performance(
        f"{_CLASSES}, probabilities: {{a: score, b: said}}",
        "75: spec.performance.probabilities.b: 'said' is no numeric part of the prediction: score",
    ),
    "probability of another class": _performance(
        f"{_CLASSES}, probabilities: {{a: score, b: score}}",
        "75: spec.performance.probabilities.b: 'score' is the probability of another class",
    ),
    "probability that is private": _private(
        f"{_CLASSES}, probabilities: {{a: score, b: other}}",
        "score: {type: numeric}",
        "score: {type: numeric, privacy: personal}, other: {type: numeric}",
        "65: spec.performance.probabilities.a: `privacy` changes what 'score' says",
    ),
    "threshold that no probability reaches": _performance(
        f"{_BINARY}, threshold: 1.5", "67: spec.performance.threshold: Input should be less than", one=True
    ),
    "weight that is a class": _performance(
        f"{_NUMBERS}, weight: fraud", "49: spec.performance.weight: 'fraud' is not a numeric label"
    ),
    "weight that is the label": _performance(
        f"{_NUMBERS}, weight: loss", "49: spec.performance.weight: 'loss' is what predictions are compared with"
    ),
    "value of an unknown label": _performance(
        f"{_NUMBERS}, value: profit", "49: spec.performance.value: 'profit' is not a numeric label"
    ),
    "value of some outcomes": _performance(
        f"{_BINARY}, value: {{tp: 1, fp: -8}}", "67: spec.performance.value: name what each outcome is worth"
    ),
    "value of outcomes of numbers": _performance(
        f"{_NUMBERS}, value: {{tp: 1, fp: 2, fn: 3, tn: 4}}", "49: spec.performance.value: errors of numbers have no"
    ),
    "value of a class": _performance(f"{_CLASSES}, value: {{a: 1}}", "57: spec.performance.value.a: a pair is"),
    "value of no pairs": _performance(f"{_CLASSES}, value: {{}}", "49: spec.performance.value: name between one and"),
    "value without end": _performance(f"{_CLASSES}, value: {{a/b: 1e13}}", "57: spec.performance.value", one=True),
    "currency of nothing": _performance(f"{_BINARY}, currency: EUR", "67: spec.performance.currency: nothing is worth"),
    "ages that do not ascend": _performance(
        f"{_BINARY}, judge_at: [1d, 1h]", "67: spec.performance.judge_at: ages are longer than 0s and ascend"
    ),
    "no ages": _performance(
        f"{_BINARY}, judge_at: []", "67: spec.performance.judge_at: List should have at least 1 item", one=True
    ),
    "performance of digests against names": _private(
        _CLASSES,
        "said: {type: category}",
        "said: {type: category, privacy: hash}",
        "17: spec.performance.prediction: its classes are digests",
    ),
    "performance of names against digests": _private(
        _CLASSES,
        "fraud: {type: category}",
        "fraud: {type: category, privacy: hash}",
        "35: spec.performance.label: its classes are digests",
    ),
    "metric that is none": _performance(f"{_BINARY}, metrics: [auc]", "77: spec.performance.metrics.0: there is no"),
    "metric of another kind": _performance(
        f"{_BINARY}, metrics: [mae]", "77: spec.performance.metrics.0: mae is none of binary predictions"
    ),
    "metric without what it is about": _performance(
        f"{_BINARY}, metrics: [value_total]", "77: spec.performance.metrics.0: value_total needs `value`"
    ),
    "metric that is named twice": _performance(
        f"{_BINARY}, metrics: [brier, brier]", "84: spec.performance.metrics.1: 'brier' is named twice"
    ),
    "metric that cannot alarm": _performance(
        f"{_BINARY}, alarm_on: [ece]", "78: spec.performance.alarm_on.0: 'ece' is none that alarms; there are accuracy"
    ),
    "metric that alarms twice": _performance(
        f"{_BINARY}, alarm_on: [brier, brier]", "85: spec.performance.alarm_on.1: 'brier' is named twice"
    ),
    "detector of errors that is none": _performance(
        f"{_BINARY}, detectors: [adwim]", "79: spec.performance.detectors.0: 'adwim' is no detector of change in er"
    ),
    "detector of errors that is a scorer": _performance(
        f"{_BINARY}, detectors: [robust_z]", "79: spec.performance.detectors.0: 'robust_z' is no detector of change"
    ),
    "detector of errors that is named twice": _performance(
        f"{_BINARY}, detectors: [ddm, ddm]", "84: spec.performance.detectors.1: ddm is named twice"
    ),
    "detector of errors with an unknown parameter": _performance(
        f"{_BINARY}, detectors: [{{ddm: {{warmup: 3}}}}]", "86: spec.performance.detectors.0.ddm.warmup: ddm: warmup=3"
    ),
    "detector of classes for numbers": _performance(
        f"{_NUMBERS}, detectors: [ddm]", "61: spec.performance.detectors.0: ddm is for errors that are 0 or 1, and"
    ),
    "errors that alarm without detectors": _performance(
        f"{_BINARY}, alarm_on: [error]", "78: spec.performance.alarm_on.0: 'error' is none that alarms; there are acc"
    ),
    "loss of another kind": _performance(
        f"{_NUMBERS}, baselines: {{mean: {{kind: prior, loss: brier}}}}",
        "81: spec.performance.baselines.mean.loss: 'brier' is no loss of regression predictions; there are squared",
    ),
    "naive answer of no kind": _performance(
        f"{_NUMBERS}, baselines: {{mean: {{kind: median}}}}",
        "68: spec.performance.baselines.mean.kind: unknown kind; it is prior",
        one=True,
    ),
    "naive answer that is no probability": _performance(
        f"{_BINARY}, baselines: {{all: {{kind: constant, answer: 2}}}}",
        "101: spec.performance.baselines.all.answer: probabilities are predicted, and 2 is none",
    ),
    "naive answer that is no number": _performance(
        f"{_NUMBERS}, baselines: {{all: {{kind: constant, answer: '2'}}}}",
        "83: spec.performance.baselines.all.answer: numbers are predicted, and '2' is none",
    ),
    "naive answer beyond all numbers": _performance(
        f"{_NUMBERS}, baselines: {{all: {{kind: constant, answer: 1e61}}}}",
        "83: spec.performance.baselines.all.answer: 1e+61 is beyond all numbers",
    ),
    "naive answer that is no class": _performance(
        f"{_CLASSES}, baselines: {{all: {{kind: constant, answer: 2}}}}",
        "83: spec.performance.baselines.all.answer: classes are predicted: name one",
    ),
    "season of half an hour": _performance(
        f"{_CLASSES}, baselines: {{day: {{kind: seasonal, period: 90m}}}}",
        "83: spec.performance.baselines.day.period: hours are added up",
    ),
    "season that no label is known of in time": _performance(
        f"{_CLASSES}, judge_at: [1d], baselines: {{day: {{kind: seasonal, period: 1d}}}}",
        "99: spec.performance.baselines.day.period: no label counts so soon: hours are judged 1d after they end",
    ),
    "naive answer that is digested": Broken(
        LABELLED.replace("said: {type: category}", "said: {type: category, privacy: hash}").replace(
            "fraud: {type: category}", "fraud: {type: category, privacy: hash}"
        )
        + f"  performance: {{{_CLASSES}, baselines: {{all: {{kind: constant, answer: a}}}}}}\n",
        "11:83: spec.performance.baselines.all.answer: the classes are digests",
        is_of_one_value=False,
    ),
    "naive field that is none": _performance(
        f"{_NUMBERS}, baselines: {{rule: {{kind: field, field: rule}}}}",
        "81: spec.performance.baselines.rule.field: 'rule' does not come beside the prediction: amount, country, said",
    ),
    "naive field that is compared itself": _performance(
        f"{_NUMBERS}, baselines: {{rule: {{kind: field, field: score}}}}",
        "81: spec.performance.baselines.rule.field: 'score' does not come beside the prediction",
    ),
    "naive field of another type": _performance(
        f"{_NUMBERS}, baselines: {{rule: {{kind: field, field: said}}}}",
        "81: spec.performance.baselines.rule.field: 'said' is a category, and regression predictions need a numeric",
    ),
    "naive class that has a squared error": _performance(
        f"{_CLASSES}, baselines: {{rule: {{kind: prior, loss: squared}}}}",
        "81: spec.performance.baselines.rule.loss: 'squared' is no loss of multiclass predictions",
    ),
    "naive fields for one prediction": _performance(
        f"{_BINARY}, baselines: {{a: {{kind: field, field: said}}, b: {{kind: field, field: amount}}}}",
        "114: spec.performance.baselines.b.kind: one field is stored with each prediction, and 'a' has one already",
    ),
    "naive field that is never shown": _private(
        f"{_NUMBERS}, baselines: {{rule: {{kind: field, field: amount}}}}",
        "amount: {type: numeric, range: [0, 100]}",
        "amount: {type: numeric, privacy: drop}",
        "81: spec.performance.baselines.rule.field: `privacy: drop` leaves nothing",
    ),
    "naive field of digests": _private(
        f"{_BINARY}, baselines: {{rule: {{kind: field, field: said}}}}",
        "said: {type: category}",
        "said: {type: category, privacy: hash}",
        "99: spec.performance.baselines.rule.field: of it and the label one has digests",
    ),
    "naive field of another source": Broken(
        LABELLED.replace("[{http: fraud}, ", "[{http: fraud, kind: features}, {http: scores, kind: prediction}, ")
        + f"  performance: {{{_NUMBERS}, baselines: {{rule: {{kind: field, field: amount}}}}}}\n",
        "11:81: spec.performance.baselines.rule.field: features come on another source",
        is_of_one_value=False,
    ),
    "quantile of classes": _performance(
        f"{_CLASSES}, quantile: 0.9", "49: spec.performance.quantile: only numbers have one, and this is multiclass"
    ),
    "quantile that is none": _performance(
        f"{_NUMBERS}, quantile: 1", "49: spec.performance.quantile: Input should be less than 1", one=True
    ),
    "interval without an end": _performance(
        f"{_NUMBERS}, interval: {{low: amount}}", "49: spec.performance.interval.high: required key"
    ),
    "interval of names": _performance(
        f"{_NUMBERS}, interval: {{low: amount, high: country}}",
        "73: spec.performance.interval.high: 'country' is a category, and regression predictions need a numeric",
    ),
    "pinball of no quantile": _performance(
        f"{_NUMBERS}, metrics: [pinball]", "59: spec.performance.metrics.0: pinball needs `quantile`"
    ),
    "skill of no naive answer": _performance(
        f"{_NUMBERS}, metrics: ['skill:mean']",
        "59: spec.performance.metrics.0: there is no 'skill:mean'; there are bias",
    ),
    "key of performance is misspelt": _performance(
        f"{_BINARY}, treshold: 0.5", "67: spec.performance.treshold: unknown key; did you mean 'threshold'?", one=True
    ),
    "performance of a personal prediction": _private(
        _NUMBERS,
        "score: {type: numeric}",
        "score: {type: numeric, privacy: personal}",
        "17: spec.performance.prediction: `privacy: personal` leaves nothing that may be compared",
    ),
    "performance by a label that is dropped": _private(
        _BINARY,
        "fraud: {type: category}",
        "fraud: {type: category, privacy: drop}",
        "36: spec.performance.label: `privacy: drop` leaves nothing",
    ),
    "performance by a label of digests": _private(
        _BINARY,
        "fraud: {type: category}",
        "fraud: {type: category, privacy: hash}",
        "50: spec.performance.positive: the classes are digests",
    ),
    "value that is personal": _private(
        f"{_NUMBERS}, value: worth",
        "worth: {type: numeric}",
        "worth: {type: numeric, privacy: personal}",
        "49: spec.performance.value: `privacy: personal` leaves nothing that may be summed up",
    ),
    "performance by labels that are not kept": Broken(
        f"{LABELLED}  performance: {{{_BINARY}}}\n  keep: {{labels: false}}\n",
        "12:10: spec.keep.labels: `performance` needs labels to be kept",
        is_of_one_value=False,
    ),
    "performance where only summaries are kept": Broken(
        LABELLED.replace("http", "kafka") + f"  performance: {{{_BINARY}}}\n  keep: none\n",
        "11:3: spec.performance: only summaries are to be kept",
        is_of_one_value=False,
    ),
    "freshness in a word": _with("freshness: never", "3: spec.freshness: a section belongs here"),
    "freshness of an instant": _with("freshness: {expect: 1ms}", "15: spec.freshness.expect: Input", one=False),
    "key of the code": _with("alerts: {for_ms: 5m}", "12: spec.alerts.for_ms: unknown key; did you mean 'for'?"),
    "two formats of a port": _service("api: {port: eighty}", "9: spec.api.port: Input should be a valid integer"),
    "port that is none": _service(
        "api: {port: 70000}", "9: spec.api.port: Input should be less than or equal to 65535"
    ),
    "key of the service is misspelt": _service(
        "recievers: []", "3: spec.recievers: unknown key; did you mean 'receivers'?"
    ),
    "key of a receiver is misspelt": _service(
        "receivers: [{kind: webhook, name: a, url: 'http://a', hedders: {}}]",
        "57: spec.receivers.0.hedders: unknown key; did you mean 'headers'?",
    ),
    "models are text": _service("kafka: {bootstrap: 5}", "11: spec.kafka.bootstrap"),
    "store of an unknown kind": _service("store: {kind: postgres}", "3: spec.store: the kinds of store are chdb"),
    "key of another kind of store": _service("store: {kind: memory, path: a}", "25: spec.store.path: unknown key"),
    "access in a word": _service("access: all", "3: spec.access: expected `none`, or a section"),
    "certificate without its key": _service(
        "api: {tls: {certificate: a.pem}}", "9: spec.api.tls.key: required key is missing"
    ),
    "clients of no authority must show certificates": _service(
        "api: {tls: {certificate: a.pem, key: a.key, clients: must}}",
        "9: spec.api.tls: clients cannot show certificates unless",
        one=False,
    ),
    "clients that resume what they showed once": _service(
        "api: {tls: {certificate: a.pem, key: a.key, client_ca: a.pem, minimum: '1.2'}}",
        "9: spec.api.tls: with `client_ca` there is TLS 1.3 alone",
        one=False,
    ),
    "role of no certificate": _service(
        "access: {certificates: [{subject: prometheus, role: viewer}]}",
        "28: spec.access.certificates.0.subject: expected `CN=`",
        one=False,
    ),
    "roles of certificates that nobody is asked for": _service(
        "access: {certificates: [{subject: CN=a, role: viewer}]}",
        "12: spec.access.certificates: nobody is asked for a certificate",
        one=False,
    ),
    "two roles of one certificate": _service(
        "access: {certificates: [{subject: CN=a, role: viewer}, {subject: CN=a, role: admin}]}",
        "12: spec.access.certificates: two entries have one subject",
        one=False,
    ),
    "pictures by links that nobody signs": _service(
        "receivers: [{kind: slack, name: ops, url: 'https://hooks.example.org/x', pictures: true}]",
        "76: spec.receivers.0.pictures: pictures by links are signed",
        one=False,
    ),
    "pictures that a webhook cannot take": _service(
        "receivers: [{kind: slack, name: ops, url: 'https://hooks.example.org/x', pictures: upload}]",
        "76: spec.receivers.0.pictures: a webhook takes no files: `upload` needs the `token` of a bot and a `channel`",
        one=False,
    ),
    "pictures in a way that there is not": _service(
        "receivers: [{kind: teams, name: ops, url: 'https://hooks.example.org/x', pictures: inline}]",
        "76: spec.receivers.0.pictures: expected true, false, `link` or `upload`",
    ),
    "links to pictures of nowhere": _service(
        "pictures: {key: 0123456789abcdef0123456789abcdef}",
        "3: spec.pictures: links to pictures start with `spec.external_url`",
        one=False,
    ),
    "key of pictures that can be guessed": _service(
        "pictures: {key: short}", "14: spec.pictures.key: expected 32 characters or more", one=False
    ),
    "issuer that anybody may change": _service(
        "access: {oidc: {issuer: 'http://login.example.org', audience: a, roles: {map: {a: viewer}}}}",
        "19: spec.access.oidc.issuer: expected https://",
        one=False,
    ),
    "issuer that gives no role": _service(
        "access: {oidc: {issuer: 'https://login.example.org', audience: a, roles: {map: {}}}}",
        "77: spec.access.oidc.roles.map: Dictionary should have at least 1 item",
    ),
    "login without an address to come back to": _service(
        "access: {oidc: {issuer: 'https://login.example.org', audience: a, roles: {map: {a: viewer}}, "
        "login: {client_id: a}}}",
        "96: spec.access.oidc.login: browsers come back to `spec.external_url`",
        one=False,
    ),
    "sessions that anybody signs": _service(
        "access: {oidc: {issuer: 'https://login.example.org', audience: a, roles: {map: {a: viewer}}, "
        "login: {client_id: a, client_secret: leeway}}}",
        "118: spec.access.oidc.login.client_secret: a secret has at least 32",
        one=False,
    ),
    "login that asks for no id": _service(
        "access: {oidc: {issuer: 'https://login.example.org', audience: a, roles: {map: {a: viewer}}, "
        "login: {client_id: a, scopes: [email]}}}",
        "118: spec.access.oidc.login.scopes: without `openid`",
        one=False,
    ),
    "route to nobody": _service(
        "alerting: {route: {receiver: nobody}}", "22: spec.alerting.route.receiver: no receiver is named", one=False
    ),
    "matcher that is a mapping": _service(
        "alerting: {route: {receiver: log, routes: [{matchers: [{}]}]}}",
        "47: spec.alerting.route.routes.0.matchers: expected a matcher in text",
    ),
    "unknown key of a receiver that is empty": _service(
        "alerting: {route: {receiver: a}, receivers: [{name: a, rotes: }]}",
        "58: spec.alerting.receivers.0.rotes: unknown key",
    ),
    "matcher that is none": _service(
        "alerting: {route: {receiver: log, routes: [{matchers: [a b]}]}}",
        "47: spec.alerting.route.routes.0.matchers: column 3",
        one=False,
    ),
    "a default of a feature": _replaced(
        "[0, 100]}",
        "[0, 100], fallback: 1}",
        "7:57: spec.schema.features.amount.fallback: only a prediction",
        one=False,
    ),
    "a default that is no number": _replaced(
        "{type: numeric}",
        "{type: numeric, fallback: low}",
        "8:41: spec.schema.prediction.score.fallback: it is a value of the field: a number",
        one=False,
    ),
    "a default of a private prediction": _replaced(
        "{type: numeric}",
        "{type: numeric, fallback: 1, privacy: personal}",
        "8:41: spec.schema.prediction.score.fallback: `privacy` replaces",
        one=False,
    ),
    "a usual range of a category": _replaced(
        "{type: numeric}",
        "{type: category, usual_range: [1, 2]}",
        "8:42: spec.schema.prediction.score.usual_range: it is for numeric fields",
        one=False,
    ),
    "a usual range without values": _replaced(
        "{type: numeric}",
        "{type: numeric, usual_range: [2, 2]}",
        "8:41: spec.schema.prediction.score.usual_range: it is [low, high] with low < high, got [2",
        one=False,
    ),
    "a usual range of a private number": _replaced(
        "{type: numeric}",
        "{type: numeric, usual_range: [1, 2], privacy: personal}",
        "8:41: spec.schema.prediction.score.usual_range: `privacy` leaves",
        one=False,
    ),
    "privacy of an unknown kind": _replaced(
        "{type: numeric}", "{type: numeric, privacy: hide}", "8:41: spec.schema.prediction.score.privacy: privacy is"
    ),
    "digests of numbers": _replaced(
        "{type: numeric}", "{type: numeric, privacy: hash}", "8:41: spec.schema.prediction.score.privacy: `h", one=False
    ),
    "digests without a key": _replaced(
        "{type: category}",
        "{type: category, privacy: hash}",
        "7:84: spec.schema.features.country.privacy: `hash`",
        one=False,
    ),
    "buckets of a category": _replaced(
        "{type: category}",
        "{type: category, privacy: {bucket: [1]}}",
        "7:84: spec.schema.features.country.privacy: `bucket` is for numbers",
        one=False,
    ),
    "buckets that do not ascend": _replaced(
        "{type: numeric}",
        "{type: numeric, privacy: {bucket: [1, 1]}}",
        "8:41: spec.schema.prediction.score.privacy: edges are finite numbers",
        one=False,
    ),
    "buckets without edges": _replaced(
        "{type: numeric}",
        "{type: numeric, privacy: {bucket: []}}",
        "8:51: spec.schema.prediction.score.privacy.bucket: List should have at least 1 item",
    ),
    "range of what is dropped": _replaced(
        "[0, 100]}",
        "[0, 100], privacy: drop}",
        "7:40: spec.schema.features.amount.range: `privacy: drop` leaves no value",
        one=False,
    ),
    "segments by what is dropped": Broken(
        MODEL.replace("{type: category}", "{type: category, privacy: drop}")
        + "  segments: [{by: [country], values: [a]}]\n",
        "9:20: spec.segments.0.by.0: 'country' is never shown",
        is_of_one_value=False,
    ),
    "subjects that are dropped": Broken(
        MODEL.replace("{type: category}", "{type: category, privacy: drop}") + "  keep: {subject: country}\n",
        "9:10: spec.keep.subject: 'country' is a field whose `privacy`",
        is_of_one_value=False,
    ),
    "version that is private": Broken(
        MODEL.replace("{type: category}", "{type: category, privacy: drop}").replace(
            "  schema:\n", "  schema:\n    version: country\n"
        ),
        "7:5: spec.schema.version: 'country' is a field with a `privacy`",
        is_of_one_value=False,
    ),
    "private field that is public under another name": _replaced(
        "{score: {type: numeric}}",
        "{score: {type: numeric}, raw: {type: numeric, path: score, privacy: personal}}",
        "8:18: spec.schema.prediction.score: 'score' is a field with a `privacy`, and",
        one=False,
    ),
    "private feature of which a public label has the name": Broken(
        MODEL.replace("{type: category}", "{type: category, privacy: drop}").replace(
            "[{http: fraud}]", "[{http: fraud}, {http: truth, kind: labels}]"
        )
        + "    id: id\n    labels: {country: {type: category}}\n",
        "10:14: spec.schema.labels.country: 'country' is a field with a `privacy`, and",
        is_of_one_value=False,
    ),
    "kept in another word": _with("keep: nothing", "3: spec.keep: a section belongs here"),
    "summaries only of an HTTP stream": Broken(
        f"{MODEL}  keep: none\n", "5:14: spec.sources.0.http: only summaries are to be kept", is_of_one_value=False
    ),
    "summaries only and single events": Broken(
        MODEL.replace("http", "kafka") + "  keep: {summaries_only: true, events: true}\n",
        "9:32: spec.keep.events: only summaries are to be kept",
        is_of_one_value=False,
    ),
    "summaries only and a detector of single events": Broken(
        MODEL.replace("http", "kafka") + "  keep: none\n  detect: {rules: [{on: 'feature:amount', use: [adwin]}]}\n",
        "10:12: spec.detect.rules: only summaries are to be kept (`keep: none`), and adwin",
        is_of_one_value=False,
    ),
    "field in a private object": _replaced(
        "{score: {type: numeric}}",
        "{score: {type: category, path: user.id}, user: {type: category, privacy: drop}}",
        "8:18: spec.schema.prediction.score: 'user.id' and 'user', a field with a `privacy`, are parts",
        one=False,
    ),
    "private field in an object": _replaced(
        "{score: {type: numeric}}",
        "{score: {type: numeric, path: user}, age: {type: numeric, path: user.age, privacy: personal}}",
        "8:18: spec.schema.prediction.score: 'user' and 'user.age', a field with a `privacy`, are parts",
        one=False,
    ),
    "models by no field": _replaced(
        "{http: ",
        "{models: {by: ''}, http: ",
        "5:23: spec.sources.0.models.by: String should have at least 1 character",
    ),
    "too many models by a field": _replaced(
        "{http: ",
        "{models: {by: m, at_most: 9999}, http: ",
        "5:30: spec.sources.0.models.at_most: Input should be less",
    ),
    "models by a field of a file": Broken(
        MODEL.replace("{http: ", "{models: {by: m}, file: "),
        "5:14: spec.sources.0.models: models register themselves from `kafka` and `http`, not from files",
        is_of_one_value=False,
    ),
    "models by a field that is asked for": _replaced(
        "{http: ",
        "{models: {by: m}, where: {m: a}, http: ",
        "5:23: spec.sources.0.models.by: `where` says already",
        one=False,
    ),
    "models by a private field": Broken(
        MODEL.replace("{http: ", "{models: {by: score}, http: ").replace(
            "{score: {type: numeric}}", "{score: {type: numeric, privacy: personal}}"
        ),
        "5:23: spec.sources.0.models.by: 'score' is a field with a `privacy`",
        is_of_one_value=False,
    ),
    "models by a field of one source of two": _replaced(
        "[{http: ",
        "[{http: more}, {models: {by: m}, http: ",
        "5:13: spec.sources.0: another source says `models`",
        one=False,
    ),
    "models like one with a data set": Broken(
        MODEL.replace("{http: ", "{models: {by: m}, http: ") + "  baseline: {kind: dataset, uri: usual.csv}\n",
        "9:29: spec.baseline.uri: one data set is not that of every model",
        is_of_one_value=False,
    ),
    "models like one with a topic of dead letters": Broken(
        MODEL.replace("{http: fraud", "{models: {by: m}, dead_letters: bad, kafka: fraud"),
        "5:31: spec.sources.0.dead_letters: what models register from goes to",
        is_of_one_value=False,
    ),
    "models like one with a pattern of topics that takes long": Broken(
        MODEL.replace("{http: fraud", "{models: {by: m}, kafka: '/(a+)+b/'"),
        "5:31: spec.sources.0.kafka.0: '/(a+)+b/' may take long to match",
        is_of_one_value=False,
    ),
    "short key of digests": _service("privacy: {hash_key: short}", "13: spec.privacy.hash_key: a key has", one=False),
    "single events of a service": _service("privacy: {keep: all}", "13: spec.privacy.keep: Input should be 'as models"),
}
"""By the name of the defect."""
