"""`leeway doctor`: what keeps a service from working, and what to do."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.access.token_log import TokenLog
from monitor.clock import SystemClock
from monitor.config import load
from monitor.doctor import machine
from monitor.doctor.finding import Finding, examine, fine
from monitor.doctor.service import Address, token
from monitor.doctor.store import store as store_check
from monitor.jobs.pause_log import pause_job
from monitor.values import DAY_MS
from sinks.store import STORES
from sinks.store.memory import MemoryStore
from sinks.store.sessions import DirectoryLock
from tests.api.full_world import ADMIN, full_world
from tests.api.world import World, serving
from tests.cli.console import Console
from tests.service import shop
from tests.services.clickhouse import Endpoint
from tests.services.kafka import Cluster
from tests.sinks.receivers.listener import Answer, Listener
from tests.sinks.store.conftest import settings_of

NOBODY = "http://127.0.0.1:1"


def written(folder: Path, **spec: Any) -> Path:
    return shop.configured(folder, **{"models": [], "store": {"kind": "memory"}, "receivers": [], **spec})


def examined(leeway: Console, path: Path, *options: object) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """The exit code, and the findings by check."""
    answer = leeway("doctor", path, "--url", NOBODY, "--json", *options)
    findings: dict[str, list[dict[str, Any]]] = {}
    for finding in answer.lines:
        findings.setdefault(finding["check"], []).append(finding)
    return answer.code, findings


def states(findings: list[dict[str, Any]]) -> list[str]:
    return [finding["state"] for finding in findings]


def test_a_service_that_lacks_nothing_is_fine_whether_it_runs_or_not(leeway: Console, tmp_path: Path) -> None:
    path = written(tmp_path)
    code, findings = examined(leeway, path)
    assert code == 0, findings
    assert states(findings["service"]) == ["unknown"]
    with serving(World()) as url:
        answer = leeway("doctor", path, "--url", url)
    assert (answer.code, "it is ready" in answer.out) == (0, True)


def test_a_token_that_the_service_does_not_take_is_found(
    leeway: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, states_of_token = written(tmp_path), list[str]()
    with serving(full_world(asks_for_tokens=True)) as url:
        for secret in (ADMIN, "x" * 40):
            monkeypatch.setenv("LEEWAY_TOKEN", secret)
            answers = leeway("doctor", path, "--url", url, "--json").lines
            states_of_token += [each["state"] for each in answers if each["subject"] == "your token"]
    assert states_of_token == ["fine", "wrong"]


@pytest.mark.parametrize(("status", "state"), [(403, "fine"), (401, "wrong"), (503, "unknown"), (404, "unknown")])
def test_only_an_answer_about_the_token_says_how_it_is(
    leeway: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, state: str
) -> None:
    monkeypatch.setattr("monitor.doctor.service.httpx.get", lambda *_, **__: httpx.Response(status, json={}))
    assert [each.state for each in token(Address(NOBODY, {"authorization": "Bearer x"}))] == [state]


def test_a_configuration_with_mistakes_ends_with_2_and_no_other_check(leeway: Console, tmp_path: Path) -> None:
    path = written(tmp_path, idle_aftr="1m")
    code, findings = examined(leeway, path)
    assert code == 2
    assert states(findings["configuration"]) == ["wrong"]
    assert "idle_aftr" in findings["configuration"][0]["detail"]
    assert states(findings["versions"]) == ["fine", "fine"]


def test_a_check_that_hangs_is_bounded_and_keeps_what_it_has_found() -> None:
    go_on = threading.Event()

    def hang() -> Iterator[Finding]:
        yield fine("slow", "first", "it answers")
        go_on.wait(60)

    checks = {"slow": hang, "quick": lambda: [fine("quick", "", "it is there")]}
    findings = examine(checks, SystemClock(), within_s=3)
    go_on.set()
    assert [(each.check, each.state) for each in findings] == [("slow", "fine"), ("slow", "wrong"), ("quick", "fine")]
    assert findings[1].detail == "it did not answer within 3 s"


@contextmanager
def mail_server() -> Iterator[tuple[int, list[str]]]:
    """A server that takes mail, with the commands that it was given."""
    commands: list[str] = []

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            for line in self.rfile:
                commands.append(line.decode().split()[0].upper())
                self.wfile.write(b"221 bye\r\n" if commands[-1] == "QUIT" else b"250 fine\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1], commands
        server.shutdown()
        thread.join()


def test_receivers_are_reached_and_nothing_is_sent(leeway: Console, tmp_path: Path) -> None:
    with Listener() as listener, mail_server() as (port, commands):
        hook = {"kind": "webhook", "url": listener.url("/hook"), "allow_private": True}
        mail = {"kind": "email", "host": "127.0.0.1", "security": "none", "sender": "a@b.de", "to": ["c@d.de"]}
        path = written(
            tmp_path,
            receivers=[
                {"name": "hook", **hook},
                {"name": "gone", **hook, "url": f"{NOBODY}/secret"},
                {"name": "near", **hook, "allow_private": False},
                {"name": "mail", **mail, "port": port},
            ],
        )
        code, findings = examined(leeway, path)
        assert code == 1
        by_name = {each["subject"].split()[0]: each for each in findings["receivers"]}
        assert {name: each["state"] for name, each in by_name.items()} == {
            "hook": "fine", "gone": "wrong", "near": "wrong", "mail": "fine",
        }  # fmt: skip
        assert "allow_private" in by_name["near"]["advice"]
        assert "secret" not in json.dumps(findings)
        assert (set(commands), listener.requests) == ({"EHLO", "QUIT"}, [])


def test_receivers_that_do_not_answer_are_each_named(
    leeway: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    monkeypatch.setattr("monitor.doctor.receivers._connected", lambda *_, **__: str(go_on.wait(60)))
    monkeypatch.setattr("monitor.doctor.receivers.ALL_WITHIN_S", 0.1)
    hook = {"kind": "webhook", "url": f"{NOBODY}/hook", "allow_private": True}
    path = written(tmp_path, receivers=[{"name": name, **hook} for name in ("a", "b", "c")])
    code, findings = examined(leeway, path)
    go_on.set()
    assert code == 1
    assert [each["subject"] for each in findings["receivers"]] == ["a (webhook)", "b (webhook)", "c (webhook)"]
    assert {each["detail"] for each in findings["receivers"]} == {"it did not answer within 0.1 s"}


def test_one_receiver_is_sent_one_test_if_somebody_asks_for_it(leeway: Console, tmp_path: Path) -> None:
    with Listener() as listener:
        hook = {"name": "hook", "kind": "webhook", "url": listener.url("/hook"), "allow_private": True}
        path = written(tmp_path, receivers=[hook])
        code, findings = examined(leeway, path, "--send-test", "hook")
        assert (code, len(listener.requests)) == (0, 1)
        assert findings["receivers"][0]["detail"] == "a test was sent, and taken"
        unknown = leeway("doctor", path, "--send-test", "pager")
        assert (unknown.code, "there are hook" in unknown.err) == (2, True)


def test_pictures_that_a_channel_does_not_take_are_found_before_an_alert(
    leeway: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_TOKEN", "xoxb-1")
    taken = Answer(text='{"ok":true,"channel":"C1","ts":"1.2"}')
    refused = Answer(text='{"ok":false,"error":"missing_scope","needed":"files:write"}')
    with Listener(taken, refused) as listener:
        slack = {"name": "ml", "kind": "slack", "token": "${SLACK_TOKEN}", "channel": "#ml", "pictures": "upload"}
        path = written(tmp_path, receivers=[slack | {"url": listener.url("/api/post"), "allow_private": True}])
        code, findings = examined(leeway, path, "--send-test", "ml")
    assert code == 1
    assert findings["receivers"][0]["detail"] == (
        "a test was sent, and taken without its pictures: 1 of 1: slack.com: missing_scope (files:write)"
    )


def test_directories_that_are_full_or_may_not_be_written_are_found(
    leeway: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, ingest_log=str(tmp_path / "log" / "ingest.log"))
    (tmp_path / "log").mkdir()
    (tmp_path / "log").chmod(0o777)
    monkeypatch.setattr(machine, "LEAST_FREE_SHARE", 1.1)
    monkeypatch.setattr(machine, "LEAST_FILES", 2**40)
    monkeypatch.setattr(machine, "LEAST_MEMORY_BYTES", 2**60)
    code, findings = examined(leeway, path)
    assert code == 1
    assert states(findings["disk"]) == states(findings["limits"]) == states(findings["memory"]) == ["wrong"]
    assert [each["detail"] for each in findings["files"] if each["state"] == "wrong"] == [
        "everybody on this machine may write it"
    ]


def test_events_that_everybody_may_read_are_found(leeway: Console, tmp_path: Path) -> None:
    # given
    folder, log = tmp_path / "store", tmp_path / "ingest.log"
    path = written(tmp_path, store={"kind": "chdb", "path": str(folder)}, ingest_log=str(log))
    folder.mkdir()
    log.touch()
    folder.chmod(0o755)
    log.chmod(0o644)
    # when
    _, findings = examined(leeway, path)
    # then
    advice = [each["advice"] for each in findings["files"] if each["state"] == "wrong"]
    assert advice == [f"`chmod o-rwx {folder}`", f"`chmod o-rwx {log}`"]
    # then, once it is done
    folder.chmod(0o700)
    log.chmod(0o600)
    _, findings = examined(leeway, path)
    assert "wrong" not in states(findings["files"])


def test_packages_that_do_not_fit_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    needs = ["click<1", "no-such-package>=2", "apprise>=1.9; extra == 'apprise'", "pyyaml>=6.0"]
    monkeypatch.setattr(machine, "requires", lambda name: needs)
    _, finding = machine.versions()
    assert finding.state == "wrong"
    assert finding.detail.startswith("click 8.")
    assert finding.detail.endswith(" is not <1; no-such-package is missing")


def test_a_store_with_older_tables_is_found_and_left_as_it_is(leeway: Console, tmp_path: Path) -> None:
    path = written(tmp_path, store={"kind": "chdb", "path": str(tmp_path / "store")})
    _, findings = examined(leeway, path)
    assert findings["store"][0]["detail"] == "there is none yet: the service makes it"
    assert not (tmp_path / "store").exists()
    STORES["chdb"](path=str(tmp_path / "store")).close()
    code, findings = examined(leeway, path)
    assert code == 1
    assert [each["subject"] for each in findings["store"]] == [str(tmp_path / "store"), "tables"]
    assert states(findings["store"]) == ["fine", "wrong"]
    assert states(findings["clock"]) == ["fine"]


def test_a_store_that_a_running_service_has_open_is_left_to_it(leeway: Console, tmp_path: Path) -> None:
    path = written(tmp_path, store={"kind": "chdb", "path": str(tmp_path / "store")})
    (tmp_path / "store").mkdir()
    lock = DirectoryLock(tmp_path / "store")
    with serving(World()) as url:
        answers = [leeway("doctor", path, "--url", each, "--json") for each in (url, NOBODY)]
    lock.release()
    findings = [line for answer in answers for line in answer.lines if line["check"] == "store"]
    assert [each["detail"] for each in findings] == [
        "the service has it open",
        "another process has it open, and no service answers",
    ]
    assert states(findings) == ["fine", "unknown"]


def test_a_store_that_no_process_has_open_is_looked_at_whatever_listens_on_the_port(
    leeway: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STORES, "chdb", lambda **settings: MemoryStore())
    (tmp_path / "leeway.lock").touch()
    path = written(tmp_path, store={"kind": "chdb", "path": str(tmp_path)})
    with mail_server() as (port, _):
        answer = leeway("doctor", path, "--url", f"http://127.0.0.1:{port}", "--json")
    assert [each["detail"] for each in answer.lines if each["check"] == "store"] == ["they are those of this version"]


def test_a_server_of_the_store_that_does_not_answer_is_named_with_what_to_do(
    leeway: Console, tmp_path: Path, clickhouse_endpoint: Endpoint
) -> None:
    settings = settings_of(clickhouse_endpoint.within("doctor"))
    store_of = {name: value for name, value in settings.items() if value is not None}
    path = written(tmp_path, store={"kind": "clickhouse", **store_of})
    with clickhouse_endpoint.refusing():
        answer = leeway("doctor", path, "--url", NOBODY, "--json")
    [finding] = [line for line in answer.lines if line["check"] == "store"]
    assert (answer.code, finding["state"]) == (1, "wrong")
    assert finding["subject"] == f"{clickhouse_endpoint.address}/doctor"
    assert finding["detail"].startswith("it does not answer: ")
    assert finding["advice"].startswith("start its server, or see whether `store` names")
    assert answer.err == ""


def test_whoever_is_an_administrator_by_certificate_or_issuer_needs_no_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STORES, "chdb", lambda **settings: MemoryStore())
    (tmp_path / "leeway.lock").touch()
    oidc = {
        "issuer": "https://login.example.com",
        "audience": "leeway",
        "roles": {"claim": "groups", "map": {"ops": "admin"}},
    }
    path = written(tmp_path, store={"kind": "chdb", "path": str(tmp_path)}, access={"oidc": oidc})
    findings = store_check(load(path), SystemClock(), lambda: False)
    assert [(each.state, each.detail) for each in findings if each.check == "access"] == [("fine", "0 are good")]


def test_paused_jobs_and_tokens_that_end_soon_are_found(
    leeway: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, clock = MemoryStore(), SystemClock()
    monkeypatch.setitem(STORES, "chdb", lambda **settings: store)
    store_of = {"kind": "chdb", "path": str(tmp_path)}
    (tmp_path / "leeway.lock").touch()
    path = written(tmp_path, store=store_of, access={})
    _, findings = examined(leeway, path)
    assert [each["detail"] for each in findings["access"]][1:] == ["nobody is an administrator"]
    store = MemoryStore()
    pause_job(store, clock, "keep_lifetimes", "ann", "audit")
    TokenLog(store, clock).create("ann", "admin", created_by="bob", lasts_ms=DAY_MS)
    code, findings = examined(leeway, path)
    assert code == 1
    assert findings["jobs"][0]["advice"].startswith("`leeway jobs resume keep_lifetimes`")
    assert [(each["subject"], each["state"]) for each in findings["access"]][1:] == [
        ("tokens", "fine"),
        ("ann", "wrong"),
    ]


def test_brokers_that_do_not_answer_are_found(leeway: Console, tmp_path: Path) -> None:
    model = shop.model("shop", {"kafka": "events"})
    kafka = {"bootstrap": ["127.0.0.1:1"]}
    path = shop.configured(tmp_path, model, store={"kind": "memory"}, receivers=[], kafka=kafka)
    code, findings = examined(leeway, path)
    [finding] = findings["kafka"]
    assert (code, finding["state"]) == (1, "wrong")
    assert "127.0.0.1:1: Connection refused" in finding["detail"]


@pytest.mark.kafka
def test_topics_that_are_not_there_are_told_from_those_that_can_be_read(
    leeway: Console, tmp_path: Path, kafka: Cluster, topic_name: str
) -> None:
    kafka.create_topic(topic_name, partitions=2)
    shop.produce(kafka, topic_name, [[b"{}"], []])
    model = shop.model("shop", {"kafka": topic_name}, {"kafka": "absent"})
    cluster = {"bootstrap": [kafka.bootstrap]}
    path = shop.configured(tmp_path, model, store={"kind": "memory"}, receivers=[], kafka=cluster)
    code, findings = examined(leeway, path)
    assert code == 1
    broker, *topics = findings["kafka"]
    assert broker["detail"].startswith("it answers; the group of the store: ")
    by_topic = {each["subject"].removeprefix("topic "): each for each in topics}
    assert by_topic[topic_name]["detail"] == "2 partitions, readable"
    assert by_topic["absent"]["state"] == "wrong"
