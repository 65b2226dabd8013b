"""The pages for operators say what the code does."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import promql_parser
import yaml
from prometheus_client.parser import text_string_to_metric_families

from monitor.api.app import create_app
from monitor.cli import EXIT_CODES
from monitor.clock import SystemClock
from monitor.config import load
from monitor.config.service import ServiceSpec
from monitor.jobs.job import JOBS
from monitor.service import Service
from sinks.store.contract import TABLES
from sinks.store.memory import MemoryStore
from tests.service import shop
from tests.services.certificates import Authority

DOCS = Path(__file__).parents[2] / "docs"
OPERATIONS = (DOCS / "operations.md").read_text()


def scraped(tmp_path: Path) -> str:
    """The figures of a service that has all that has any, and has answered a request."""
    Authority(tmp_path).sign_server()
    issuer = {"issuer": "https://login.example.org", "audience": "leeway", "roles": {"map": {"ops": "admin"}}}
    spec: dict[str, Any] = {
        "store": {"kind": "memory"},
        "api": {"tls": {"certificate": "server.pem", "key": "server.key"}},
        "access": {"metrics": "open", "oidc": issuer},
    }
    configuration = load(shop.configured(tmp_path, shop.model("shop", {"http": "shop"}), **spec))
    service = Service(configuration, SystemClock(), MemoryStore())
    transport = httpx.ASGITransport(create_app(service))

    async def ask() -> str:
        async with httpx.AsyncClient(transport=transport, base_url="https://leeway") as client:
            await client.get("/healthz")
            return (await client.get("/metrics")).text

    text = asyncio.run(ask())
    service.stop()
    return text


def test_every_metric_has_its_line_and_every_line_a_metric(tmp_path: Path) -> None:
    found = text_string_to_metric_families(scraped(tmp_path))
    # The client library adds when a counter began; that is its own affair.
    families = {family.name: family for family in found if not family.name.endswith("_created")}
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|(.*?)\|", (DOCS / "metrics.md").read_text(), flags=re.MULTILINE)
    documented = {name.removesuffix("_total"): (kind, re.findall(r"`(\w+)`", labels)) for name, kind, labels in rows}
    assert {name: kind for name, (kind, _) in documented.items()} == {
        name: family.type for name, family in families.items()
    }
    for name, family in families.items():
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(documented[name][1]), name


def test_every_page_names_metrics_that_exist(tmp_path: Path) -> None:
    families = list(text_string_to_metric_families(scraped(tmp_path)))
    metrics = {family.name for family in families} | {sample.name for family in families for sample in family.samples}
    metrics |= {f"{family.name}_total" for family in families if family.type == "counter"}
    for page in [*DOCS.glob("*.md"), DOCS.parent / "README.md"]:
        for name in re.findall(r"\bleeway_[a-z_]+", page.read_text()):
            # Of several: `leeway_self_test_*`.
            is_beginning = name.endswith("_") and any(each.startswith(name) for each in metrics)
            assert is_beginning or name in metrics, f"{page.name}: {name}"


def test_rules_use_metrics_that_exist_and_stand_in_the_docs(tmp_path: Path) -> None:
    groups = yaml.safe_load((DOCS.parent / "configs" / "prometheus" / "leeway.rules.yaml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    page = (DOCS / "metrics.md").read_text()
    alerts = re.findall(r"^\| `(Leeway\w+)` \|.*\| (\w+) \| (\w+) \|$", page, re.MULTILINE)
    assert sorted(alerts) == sorted(
        (rule["alert"], rule.get("for", "0s"), rule["labels"]["severity"]) for rule in rules if "alert" in rule
    )
    assert all(f"`{rule['record']}`" in page for rule in rules if "record" in rule)
    for rule in rules:
        promql_parser.parse(rule["expr"])
    used = {name for rule in rules for name in re.findall(r"leeway_\w+", rule["expr"])}
    known = {family.name for family in text_string_to_metric_families(scraped(tmp_path))}
    assert {name.removesuffix("_total").removesuffix("_bucket") for name in used} <= known


def test_exit_codes_jobs_tables_and_defaults_are_those_of_the_code() -> None:
    codes = re.findall(r"^\| (\d+) \| (.+?) \| ", OPERATIONS, flags=re.MULTILINE)
    assert {int(code): meaning for code, meaning in codes} == EXIT_CODES
    jobs = re.findall(r"^\| `(\w+)` \| (\d+) s \|", OPERATIONS, flags=re.MULTILINE)
    assert {name: int(every) for name, every in jobs} == {name: job.every_s for name, job in JOBS.items()}
    threads = OPERATIONS.partition("| thread |")[2].partition("\n\n")[0]
    assert set(TABLES) <= set(re.findall(r"`(\w+)`", threads))
    spec = ServiceSpec()
    assert f"| `spec.store.path` | `{spec.store.settings()['path']}` |" in OPERATIONS
    assert f"| `spec.ingest_log` | `{spec.ingest_log}` |" in OPERATIONS
    assert f"`checkpoint_every`, {spec.checkpoint_every // 1000} s by default" in OPERATIONS
