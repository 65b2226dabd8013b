"""Environment variables that are not set: each is named with its place, beside all that is wrong anyway."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from monitor.config import ConfigError, load
from monitor.config.load import load_service
from tests.cli.console import Console

HEAD = "apiVersion: leeway/v1\nkind: "
SERVICE = f"{HEAD}Service\nspec:\n  models: []\n"
SCHEMA = "  schema: {features: {amount: {type: numeric}}}\n"


@pytest.fixture(autouse=True)
def _unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SHOP_")]:
        monkeypatch.delenv(name)


def model(name: str, rest: str, source: str = "{http: shop, event_time: ts}") -> str:
    return f"{HEAD}Model\nmetadata: {{name: {name}}}\nspec:\n  sources: [{source}]\n{SCHEMA}{rest}"


def wrong(folder: Path, **files: str) -> list[str]:
    """What is wrong with a folder's files, by file and line."""
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    with pytest.raises(ConfigError) as error:
        load(folder)
    return [f"{Path(each.file).stem}:{each.line}: {each.path}: {each.message}" for each in error.value.mistakes]


def unset(name: str) -> str:
    return f"environment variable {name} is not set"


def test_one_that_is_not_set_hides_no_other_mistake_of_any_file(tmp_path: Path) -> None:
    service = f"{SERVICE}  store: {{kind: clickhouse, password: '${{SHOP_PASSWORD}}'}}\n  api: {{prot: 1}}\n"
    shop = model("shop", '  alerts: {fro: 5m}\n  detect: {defaults: {window: "${SHOP_WINDOW}"}}\n')
    assert wrong(tmp_path, service=service, shop=shop, other=model("other", "  alrets: {}\n")) == [
        "other:7: spec.alrets: unknown key; did you mean 'alerts'?",
        f"service:5: spec.store.password: {unset('SHOP_PASSWORD')}",
        "service:6: spec.api.prot: unknown key; did you mean 'port'?",
        "shop:7: spec.alerts.fro: unknown key; did you mean 'for'?",
        f"shop:8: spec.detect.defaults.window: {unset('SHOP_WINDOW')}",
    ]


def test_each_of_several_in_one_value_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_PORT", "80")
    receiver = "{kind: webhook, name: ops, url: 'https://${SHOP_HOST}:${SHOP_PORT}/${SHOP_PATH}'}"
    service = f"{SERVICE}  receivers: [{receiver}]\n"
    assert wrong(tmp_path, service=service, shop=model("shop", "")) == [
        f"service:5: spec.receivers.0.url: {unset('SHOP_HOST')}",
        f"service:5: spec.receivers.0.url: {unset('SHOP_PATH')}",
    ]


@pytest.mark.parametrize(
    "service",
    [
        "api: {port: '${SHOP}'}",
        "api: {host: '${SHOP}'}",
        "checkpoint_every: '${SHOP}'",
        "store: {kind: '${SHOP}'}",
        "store: {kind: clickhouse, secure: '${SHOP}'}",
        "api: {host: 0.0.0.0}, access: {tokens: [{name: ops, role: admin, token: '${SHOP}'}]}",
        "privacy: {hash_key: '${SHOP}'}",
        "kafka: {sasl: {mechanism: PLAIN, username: '${SHOP}', password: '${SHOP}'}}",
    ],
)
def test_nothing_else_is_said_of_a_value_that_is_not_known_and_models_are_checked(tmp_path: Path, service: str) -> None:
    mistakes = wrong(
        tmp_path, service=f"{HEAD}Service\nspec: {{models: [], {service}}}\n", shop=model("shop", "  alrets: {}\n")
    )
    assert mistakes[-1] == "shop:7: spec.alrets: unknown key; did you mean 'alerts'?"
    assert {mistake.partition(": ")[2].partition(": ")[2] for mistake in mistakes[:-1]} == {unset("SHOP")}


def test_what_names_other_parts_is_checked_beside_it(tmp_path: Path) -> None:
    rules = "detect: {defaults: {window: '${SHOP_WINDOW}'}, rules: [{on: 'feature:amuont', use: [psi]}]}"
    baseline = "baseline: {kind: dataset, uri: nowhere.parquet}"
    signals = "did you mean 'feature:amount'? the signals are feature:amount, volume"
    assert wrong(tmp_path, shop=model("shop", f"  {rules}\n  {baseline}\n")) == [
        f"shop:7: spec.detect.defaults.window: {unset('SHOP_WINDOW')}",
        f"shop:7: spec.detect.rules.0.on: matches no signal; {signals}",
        f"shop:8: spec.baseline.uri: no such file: {tmp_path / 'nowhere.parquet'}",
    ]


def test_a_section_is_wrong_only_if_it_is_so_whatever_the_value_will_be(tmp_path: Path) -> None:
    avro = "{http: shop, event_time: '${SHOP_TIME}', format: {kind: avro, schema: a.avsc}}"
    assert wrong(tmp_path, shop=model("shop", "", avro)) == [
        "shop:5: spec.sources.0: HTTP streams take json, not avro",
        f"shop:5: spec.sources.0.event_time: {unset('SHOP_TIME')}",
    ]
    reached = "{type: numeric, range: ['${SHOP_LOW}', 0]}"
    shop = model("shop", "").replace("{type: numeric}", reached)
    assert wrong(tmp_path, shop=shop) == [f"shop:6: spec.schema.features.amount.range.0: {unset('SHOP_LOW')}"]


def test_one_of_defaults_is_named_once_and_the_models_above_are_checked(tmp_path: Path) -> None:
    defaults = f"{HEAD}Defaults\nspec:\n  detect: {{defaults: {{window: '${{SHOP_WINDOW}}'}}}}\n"
    models = {name: model(name, "  alrets: {}\n") for name in ("first", "second")}
    assert wrong(tmp_path, defaults=defaults, **models) == [
        f"defaults:4: spec.detect.defaults.window: {unset('SHOP_WINDOW')}",
        "first:7: spec.alrets: unknown key; did you mean 'alerts'?",
        "second:7: spec.alrets: unknown key; did you mean 'alerts'?",
    ]


def test_nothing_is_loaded_where_all_else_is_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shop = model("shop", '  detect: {defaults: {window: "${SHOP_WINDOW}"}}\n')
    assert wrong(tmp_path, shop=shop) == [f"shop:7: spec.detect.defaults.window: {unset('SHOP_WINDOW')}"]
    checked = Console(capsys)("check", tmp_path)
    assert (checked.code, checked.out) == (2, "")
    service = tmp_path / "leeway.yaml"
    service.write_text(
        f"{HEAD}Service\nspec: {{models: [], api: {{port: '${{SHOP_PORT}}', host: '${{SHOP_HOST}}'}}}}\n"
    )
    with pytest.raises(ConfigError) as error:
        load_service(service)
    assert [each.message for each in error.value.mistakes] == [unset("SHOP_PORT"), unset("SHOP_HOST")]
