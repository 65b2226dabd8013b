"""Alertmanager's own configuration files: what is valid loads, or is refused by name, and what is wrong is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.build import build_router
from monitor.clock import ManualClock
from monitor.config import ConfigError, load, load_alerting
from monitor.config.alerting import Alerting
from sinks.store.memory import MemoryStore
from tests.services.alertmanager import ask, module

WITHOUT_RECEIVER = ("pushover_configs", "rocketchat_configs", "sns_configs", "victorops_configs")


def why_refused(file: Path) -> str:
    """What is wrong with a file; empty if it loads."""
    try:
        load_alerting(file)
    except ConfigError as error:
        return str(error)
    return ""


def test_valid_files_load_unless_they_need_a_receiver_that_leeway_does_not_have() -> None:
    files = sorted((module() / "config" / "testdata").glob("conf.*.yml"))
    answers = ask({"config": file.read_text()} for file in files)
    valid = [file for file, answer in zip(files, answers, strict=True) if "error" not in answer]
    assert len(valid) > 10
    refusals = {file: refusal for file in files if (refusal := why_refused(file))}
    assert [file.name for file in files if file not in valid and file not in refusals] == []
    named = [f"{key}: Alertmanager knows this key" for key in WITHOUT_RECEIVER]
    others = [refusals[file] for file in valid if file in refusals and not any(n in refusals[file] for n in named)]
    assert others == []


SHARED = {
    "smtp_smarthost": "mail.example.org:587",
    "smtp_from": "leeway@example.org",
    "smtp_auth_username": "me",
    "smtp_auth_password": "hunter2",
    "slack_api_url": "https://hooks.slack.example/hunter2",
    "opsgenie_api_key": "hunter2",
    "http_config": {"proxy_url": "http://proxy.example:3128", "authorization": {"credentials": "hunter2"}},
}
ENTRIES: dict[str, dict[str, Any]] = {
    "webhook_configs": {"url": "https://example.org/hunter2"},
    "email_configs": {"to": "a@example.org, b@example.org", "headers": {"Subject": "{{ .Status }}"}},
    "pagerduty_configs": {"routing_key": "hunter2", "severity": "critical"},
    "opsgenie_configs": {"responders": [{"name": "ops", "type": "team"}], "tags": "a, b"},
    "slack_configs": {"channel": "#ops", "title": "{{ .Status }}"},
}


def alerting() -> Alerting:
    receivers = [{"name": "r", **{key: [entry] for key, entry in ENTRIES.items()}}]
    return Alerting.model_validate({"global": SHARED, "route": {"receiver": "r"}, "receivers": receivers})


def test_entries_become_receivers_that_do_the_same() -> None:
    made = alerting()
    parameters = [entry.parameters(f"r/{n}", made.global_) for n, entry in enumerate(made.receivers[0].parts)]
    webhook, email, pager, opsgenie, slack = (each.model_dump() for each in parameters)
    assert [each.kind for each in parameters] == ["webhook", "email", "pagerduty", "opsgenie", "slack"]
    assert [each.send_resolved for each in parameters] == [True, False, True, True, False]
    assert webhook["headers"]["Authorization"].get_secret_value() == "Bearer hunter2"
    assert (email["host"], email["port"], email["security"]) == ("mail.example.org", 587, "starttls")
    assert (email["to"], email["sender"]) == (["a@example.org", "b@example.org"], "leeway@example.org")
    assert (email["username"], email["password"].get_secret_value()) == ("me", "hunter2")
    assert [(each["type"], each["name"]) for each in opsgenie["responders"]] == [("team", "ops")]
    assert opsgenie["tags"] == ["a", "b"]
    assert opsgenie["api_key"].get_secret_value() == "hunter2"
    assert (slack["url"].get_secret_value(), slack["channel"]) == ("https://hooks.slack.example/hunter2", "#ops")
    assert {each["proxy"] for each in (webhook, pager, opsgenie, slack)} == {"http://proxy.example:3128"}


def test_clients_read_the_entries_without_secrets_and_what_has_no_effect_is_named() -> None:
    made = alerting()
    written = yaml.safe_dump(made.as_written())
    assert "hunter2" not in written
    assert "error" not in ask([{"config": written}])[0]
    assert made.passed_over() == [
        "receivers.0.email_configs.0.headers",
        "receivers.0.pagerduty_configs.0.severity",
        "receivers.0.slack_configs.0.title",
    ]


def test_a_service_takes_secrets_from_files_when_it_starts(tmp_path: Path) -> None:
    entry = {"routing_key_file": str(tmp_path / "key")}
    pasted = {"route": {"receiver": "r"}, "receivers": [{"name": "r", "pagerduty_configs": [entry]}]}
    document = {"apiVersion": "leeway/v1", "kind": "Service", "spec": {"models": [], "alerting": pasted}}
    (tmp_path / "leeway.yaml").write_text(json.dumps(document))
    configuration = load(tmp_path / "leeway.yaml")
    with pytest.raises(Exception, match=r"r/0: .*key: No such file"):
        build_router(configuration, {}, MemoryStore(), ManualClock())
    (tmp_path / "key").write_text("hunter2\n")
    build_router(configuration, {}, MemoryStore(), ManualClock()).close()
