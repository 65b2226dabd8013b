"""Whoever is bound to a namespace sees and changes nothing of another, on every route of the OpenAPI document.

The oracle is a service that has only the models of that namespace: the same request must give the same answer there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest

from monitor.access.id_tokens import holder_of
from monitor.access.roles import MAY, Grant
from monitor.access.tokens import Token
from monitor.alerts.own import MODEL as LEEWAY
from monitor.alerts.transition import POSTED
from monitor.api.app import ROUTERS, create_app
from monitor.api.feed import event_id
from monitor.api.needs import NEEDS, OWN_PART, WHOLE
from monitor.api.own_part import OwnPart
from monitor.api.own_store import BY_ALERT, CHANGEABLE, OwnStore
from monitor.api.problems import ProblemError
from monitor.client.inprocess import InProcess
from monitor.config import Model, Service
from monitor.config.oidc import OidcRoles
from monitor.web import PAGES
from sinks.store.contract import READABLE, TABLES, Query, Store
from sinks.store.memory import MemoryStore
from sinks.store.rows import rows_of
from tests.api.full_world import full_world
from tests.api.world import World, configured, document, model, step

OWN, OTHER = "fraud", "churn"
SPACES = {name: f"{name}-team" for name in (OWN, OTHER)}
ROLES = ("viewer", "editor", "admin", "ingest")
HIDDEN = "unmentionable"
"""In every text that only the other namespace has."""

DOCUMENT = document()
OPERATIONS = [
    (method.upper(), path)
    for path, operations in DOCUMENT["paths"].items()
    for method in operations
    if NEEDS[f"{method.upper()} {path}"] != "nothing"
] + [("GET", "/alerts"), ("GET", "/alerts/{alert_id}")]
FROM_THE_START = event_id({})
FORMS = ("json", "csv", "arrow", "parquet")


@dataclass(frozen=True)
class Asked:
    """A request, but for who sends it."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


def service_of(*, with_others: bool) -> World:
    """A service with a model in a namespace, and maybe with another one in another, which has as much to show."""
    world = full_world()
    posted = {"name": "fraud", "namespace": SPACES[OWN], "owner": "risk", "labels": {"tier": "1"}}
    document = rows_of(world.store.read(Query("configurations")))[0]
    document["document"] = json.dumps(json.loads(document["document"]) | {"metadata": posted})
    world.add("configurations", [document | {"version": 2, "at_ms": 9}])
    extra_rows(world)
    if with_others:
        for name, rows in copies(world.store):
            world.add(name, rows)
        world.add("deployments", [deployment("both", [OWN, OTHER]), deployment("all", [], topics=[OTHER])])
        world.add("alerts", [step(f"{name}-{HIDDEN}", 0, "firing", 2_000, model=name) for name in (LEEWAY, POSTED)])
        subscriber = {"alert_id": "a", "sequence": 1, "receiver": f"email:{HIDDEN}@example.org"}
        world.add("notifications", [subscriber | {"outcome": "delivered"}])
        world.add("decisions", [subscriber | {"route": f"subscription/{HIDDEN}", "why": "delivered"}])
    every = [model(OWN), model(OTHER, freshness="off")] if with_others else [model(OWN)]
    spec = world.configuration.service.model_dump(mode="json", exclude_unset=True)["spec"]
    tokens: list[dict[str, Any]] = [
        {"name": f"{role} {who}", "role": role, "token": secret(f"{role} {who}"), **bound}
        for role in ROLES
        for who, bound in (("of all", {}), ("of fraud", {"namespaces": [SPACES[OWN]]}))
    ]
    service = Service.model_validate({"spec": spec | {"access": {"tokens": tokens}}})
    world.configuration = replace(configured(*every), service=service, posted=frozenset(each.name for each in every))
    return world


def extra_rows(world: World) -> None:
    """What a full world does not have yet."""
    world.add("progress", [{"model": OWN, "topic": OWN, "newest_ms": 2_000_000_000_000, "closed_ms": 5}])
    world.add("versions", [{"model": OWN, "version": "v1", "first_ms": 5}, {"model": OWN, "version": "v2"}])
    silent = json.dumps({"alertname": "LeewayFreshness", "model": OWN})
    world.add("freshness_alerts", [step("s", 0, "firing", 2_500, labels=silent)])
    world.add("acknowledgements", [{"alert_id": "b", "updated_ms": 5, "created_by": "ann"}])
    world.add("configurations_taken", [{"model": OWN, "instance": "a:1", "version": 1}])
    world.add("unregistered_models", [{"model": OWN, "topic": OWN, "name": "late", "reason": "too_many"}])


def deployment(name: str, models: list[str], **more: Any) -> dict[str, Any]:
    return {"id": f"{name}-{HIDDEN}", "at_ms": 2_000, "name": HIDDEN, "models": models, "labels": "{}"} | more


def copies(store: Store) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield what the other namespace has: all that there is of the one, with names that only the other has."""
    for name, table in TABLES.items():
        if name in ("identity", "tokens", "token_uses", "checkpoints"):
            continue
        texts = [column.name for column in table.columns if column.kind == "str"]
        rows = []
        for row in rows_of(store.read(Query(name))):
            for signal in (row.get("signal"), f"feature:{HIDDEN}"):
                copy = {key: as_other(key, value, row) if key in texts else value for key, value in row.items()}
                if "models" in row:
                    copy["models"] = [OTHER]
                if "signal" in row:
                    copy["signal"] = signal
                rows.append(copy)
        unique = {tuple(row[key] for key in table.key): row for row in rows}
        yield name, list(unique.values())


def as_other(column: str, value: str, row: Mapping[str, Any]) -> str:
    """Turn a text into one of the other namespace, of the same kind."""
    if column in ("alert_id", "id", "instance", "subject_hash", "job", "rollout"):
        return f"{value}-{HIDDEN}"
    if column in ("title", "reason", "detail", "comment", "created_by", "author", "trouble", "name", "who"):
        return f"{value} {HIDDEN}"
    return value.replace(OWN, OTHER)


def secret(name: str) -> str:
    return name.replace(" ", "-") * 5


@dataclass
class Desk:
    """Who asks a service."""

    world: World
    client: httpx.Client

    def answer(self, asked: Asked, holder: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {secret(holder)}", **asked.headers}
        how: dict[str, Any] = {"params": dict(asked.query)} if asked.query else {}
        if asked.body is not None:
            how["content"] = json.dumps(asked.body)
            headers["Content-Type"] = "application/json"
        return self.client.request(asked.method, asked.path, headers=headers, **how)


def desk(*, with_others: bool) -> Desk:
    world = service_of(with_others=with_others)
    app = create_app(world, (*ROUTERS, *PAGES))
    app.state.stopping.set()  # streams end once they have caught up
    return Desk(world, httpx.Client(transport=InProcess(app), base_url="http://leeway"))


@pytest.fixture(scope="module")
def shared() -> Desk:
    return desk(with_others=True)


@pytest.fixture(scope="module")
def alone() -> Desk:
    return desk(with_others=False)


REQUIRED = {
    "signal": "feature:amount",
    "from": "0",
    "to": "20000",
    "at": "400000",
    "created_by": "ann",
}
NAMED: dict[str, tuple[str, ...]] = {
    "model": (OWN, OTHER, "frau", LEEWAY, POSTED),
    "namespace": (SPACES[OWN], SPACES[OTHER], HIDDEN),
    "signal": ("feature:amount", f"feature:{HIDDEN}"),
    "stream": (OWN, OTHER),
    "alert_id": ("a", f"a-{HIDDEN}", "s", "none"),
    "incident_id": ("a", "b", f"b-{HIDDEN}"),
    "rollout": ("r", f"r-{HIDDEN}"),
    "silence_id": ("quiet", f"quiet-{HIDDEN}"),
    "name": ("quiet",),
    "matcher": ("severity=warning",),
    "version": ("1", "2"),
    "step": ("auto", "1h"),
    "transitions": ("true",),
    "acknowledged": ("true",),
    "against_from": ("0",),
    "limit": ("1",),
    "state": ("firing",),
    "last-event-id": (FROM_THE_START,),
}
"""What is asked for, of both namespaces, by the names of parameters."""


def bodies(method: str, path: str, name: str) -> Iterator[Any]:
    """Yield what is sent to an operation about a model."""
    mark = {"model": name, "signal": "feature:amount", "created_by": "ann"}
    document = {
        "apiVersion": "leeway/v1",
        "kind": "Model",
        "metadata": {"name": name, "namespace": SPACES[name]},
        "spec": model(name).model_dump(mode="json", by_alias=True, exclude_unset=True)["spec"],
    }
    yield {
        "POST /v1/clocks": {"model": name, "reason": "it ran ahead", "created_by": "ann"},
        "POST /v1/marks": mark | {"says": "false"},
        "POST /v1/rollouts": {"model": name, "candidate": "v3", "champion": "v1", "created_by": "ann"},
        "PUT /v1/models/{model}/configuration": document,
        "POST /v1/models/{model}/baseline": {"baseline": {"kind": "rolling", "span": "9d"}},
        "POST /v1/events": {"amount": 1},
        "POST /v1/events/{stream}": {"amount": 1},
        "POST /v1/deployments": {"name": "new", "models": [name]},
        "POST /v1/subscriptions": {"receiver": "log", "matchers": [f"model={name}"], "created_by": "ann"},
        "POST /v1/erasures": {"subject": "7", "model": name},
        "POST /v1/exports": {"subject": "7"},
        "POST /v1/tokens": {"name": "mine", "role": "admin"},
        "POST /api/v2/alerts": [{"labels": {"alertname": "X", "model": name}}],
    }.get(f"{method} {path}", {"created_by": "ann"})


def questions(method: str, path: str) -> Iterator[Asked]:
    """Yield requests for an operation: about the one namespace, about the other one, about none, in every form."""
    described = (
        DOCUMENT["paths"].get(path, {}).get(method.lower(), {"parameters": [{"name": "alert_id", "in": "path"}]})
    )
    declared = {each["name"]: each for each in described.get("parameters", ())}
    in_path = [name for name, each in declared.items() if each["in"] == "path" and "{" in path]
    required = {name: REQUIRED[name] for name in REQUIRED if declared.get(name, {}).get("required")}
    for name in NAMED["model"][:2]:
        fitting = {each: name if each in ("model", "stream") else NAMED.get(each, ("x",))[0] for each in in_path}
        chosen = {each: name for each in ("model", "stream") if declared.get(each, {}).get("required")} | required
        chosen = {each: value for each, value in chosen.items() if each not in in_path}
        for body in bodies(method, path, name) if "requestBody" in described else [None]:
            yield Asked(method, path.format(**fitting), chosen, body)
        if name == OWN:
            yield from _varied(Asked(method, path, chosen, body), declared, fitting)


def _varied(asked: Asked, declared: Mapping[str, Any], fitting: Mapping[str, str]) -> Iterator[Asked]:
    for each, parameter in declared.items():
        values = FORMS if each == "format" else NAMED.get(each, ())
        for value in values:
            query, path, headers = dict(asked.query), dict(fitting), {}
            if parameter["in"] == "path":
                path[each] = value
            elif parameter["in"] == "header":
                headers = {each: value}
            elif each == "version" and "configuration" not in asked.path:
                continue
            else:
                query[each] = value
            yield replace(asked, path=asked.path.format(**path), query=query, headers=headers)


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=map(" ".join, OPERATIONS))
def test_nothing_of_another_namespace_is_in_any_answer(method: str, path: str, shared: Desk, alone: Desk) -> None:
    roles = [role for role in ROLES if NEEDS[f"{method} {path}"] in MAY[role]]  # type: ignore[index]
    for asked in questions(method, path):
        answer, expected = (each.answer(asked, f"{roles[0]} of fraud") for each in (shared, alone))
        assert (answer.status_code, answer.content) == (expected.status_code, expected.content), asked
        # What was asked for may be named, but nothing beside it.
        assert HIDDEN.encode() not in answer.content or HIDDEN in f"{asked.path}{asked.query}", asked
        if f"{method} {path}" in WHOLE:
            assert answer.status_code == 403
            assert "bound to the namespace fraud-team" in answer.text
        else:
            assert answer.status_code not in (403, 500), (asked, answer.text)


SHOWING = sorted(operation for operation in OWN_PART if operation.startswith("GET /v1/"))
STATIC = {"GET /v1/problems", "GET /v1/schemas/{kind}", "GET /v1/whoami"}


@pytest.mark.parametrize("operation", [each for each in SHOWING if each not in STATIC])
def test_the_other_namespace_has_something_to_show(operation: str, shared: Desk, alone: Desk) -> None:
    method, _, path = operation.partition(" ")
    asked = list(questions(method, path))
    role = next(role for role in ROLES if NEEDS[operation] in MAY[role])  # type: ignore[index]
    holder = f"{role} of all"
    assert any(shared.answer(each, holder).content != alone.answer(each, holder).content for each in asked)


def contents(store: Store, *, besides: str) -> str:
    """Return the rows of a store, but for those of a model, and for what is written of each request."""
    rows = {name: rows_of(store.read(Query(name))) for name in TABLES if name not in ("audit", "token_uses")}
    own = {row["alert_id"] for row in [*rows["alerts"], *rows["freshness_alerts"]] if row["model"] == besides}
    return repr(
        {
            name: [row for row in of_table if row.get("model") != besides and row.get("alert_id", "") not in own]
            for name, of_table in rows.items()
        }
    )


CHANGES = [operation for operation in OPERATIONS if operation[0] != "GET"]


def test_an_editor_of_one_namespace_changes_nothing_of_another() -> None:
    desk_of_both = desk(with_others=True)
    store = desk_of_both.world.store
    statuses: dict[str, set[int]] = {}
    for method, path in CHANGES:
        for asked in questions(method, path):
            earlier = contents(store, besides=OWN)
            role = "admin" if NEEDS[f"{method} {path}"] == "admin" else "editor"
            role = "ingest" if NEEDS[f"{method} {path}"] == "ingest" else role
            answer = desk_of_both.answer(asked, f"{role} of fraud")
            statuses.setdefault(f"{method} {path}", set()).add(answer.status_code)
            assert contents(store, besides=OWN) == earlier, asked
    assert set(desk_of_both.world.accepted) == {OWN}
    assert not desk_of_both.world.reloads
    assert not desk_of_both.world.retried
    # What is their own they do change.
    for operation in OWN_PART.intersection(f"{method} {path}" for method, path in CHANGES):
        assert statuses[operation] & {200, 202}, (operation, statuses[operation])
        assert 404 in statuses[operation], operation


def changed(name: str, **spec: Any) -> dict[str, Any]:
    document = next(bodies("PUT", "/v1/models/{model}/configuration", name))
    return {**document, "spec": document["spec"] | spec}


@pytest.mark.parametrize(
    ("field", "document"),
    [
        ("metadata.namespace", changed(OWN) | {"metadata": {"name": OWN, "namespace": SPACES[OTHER]}}),
        ("spec.sources", changed(OWN, sources=[{"http": OTHER}])),
        ("spec.baseline", changed(OWN, baseline={"kind": "dataset", "uri": "churn/baseline.parquet"})),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
@pytest.mark.parametrize("dry_run", ["true", "false"])
def test_a_model_neither_moves_nor_reads_what_is_of_others(
    field: str, document: dict[str, Any], dry_run: str, shared: Desk
) -> None:
    asked = Asked("PUT", f"/v1/models/{OWN}/configuration", {"dry_run": dry_run}, document)
    answer = shared.answer(asked, "editor of fraud")
    assert answer.status_code == 403, answer.text
    assert answer.json()["errors"][0]["field"] == field


def test_a_stored_token_is_bound_as_well(shared: Desk) -> None:
    made = Asked("POST", "/v1/tokens", {}, {"name": "desk", "role": "viewer", "namespaces": [SPACES[OWN]]})
    row = shared.answer(made, "admin of all").json()
    assert row["namespaces"] == [SPACES[OWN]]
    headers = {"Authorization": f"Bearer {row['secret']}"}
    models = shared.client.get("/v1/models", headers=headers).json()["items"]
    assert [each["name"] for each in models] == [OWN]
    assert shared.client.get("/v1/status", headers=headers).status_code == 403


@pytest.mark.parametrize("namespaces", [[], None, ["no space"], "risk"])
def test_what_might_mean_all_is_refused(namespaces: Any, shared: Desk) -> None:
    asked = Asked("POST", "/v1/tokens", {}, {"name": "none", "role": "viewer", "namespaces": namespaces})
    assert shared.answer(asked, "admin of all").status_code == 422


def test_a_larger_role_holds_only_where_it_is_given() -> None:
    roles = {"risk": {"role": "editor", "namespaces": ["risk"]}, "cards": {"role": "editor", "namespaces": ["cards"]}}
    grants = OidcRoles.model_validate({"map": {**roles, "staff": "viewer", "lead": "editor"}}).grants

    def held(*groups: str) -> Grant:
        return holder_of({"sub": "7", "exp": 100, "groups": list(groups)}, grants, "groups", "sub").grant

    assert held("risk", "cards", "staff") == Grant("editor", ("cards", "risk"))
    assert held("risk", "lead") == Grant("editor")
    assert held("staff") == Grant("viewer")


def test_a_stream_ends_when_one_of_its_models_leaves_the_namespace(shared: Desk) -> None:
    world = service_of(with_others=True)
    own = OwnPart(world, Token("desk", "viewer", "", namespaces=(SPACES[OWN],)))
    assert own.is_as_it_was()
    moved = Model.model_validate(changed(OWN) | {"metadata": {"name": OWN, "namespace": SPACES[OTHER]}})
    world.configuration = replace(world.configuration, models={**world.configuration.models, OWN: moved})
    assert not own.is_as_it_was()


def test_every_operation_says_how_it_deals_with_namespaces() -> None:
    guarded = {operation for operation, need in NEEDS.items() if need != "nothing"}
    assert guarded == OWN_PART | WHOLE
    assert not OWN_PART & WHOLE


@pytest.mark.parametrize("table", READABLE)
def test_every_table_shows_own_rows_or_none(table: str, shared: Desk) -> None:
    store = OwnStore(shared.world.store, [OWN])
    query = Query(table, {"alert_id": ["a", f"a-{HIDDEN}"]} if table in BY_ALERT else {})
    is_known = table in BY_ALERT or table == "deployments"
    if not is_known and "model" not in {column.name for column in READABLE[table].columns}:
        with pytest.raises(ProblemError, match="ask with a token that is for all"):
            store.read(query)
        return
    shown = repr(rows_of(store.read(query)))
    assert HIDDEN not in shown
    assert OTHER not in shown


@pytest.mark.parametrize("table", TABLES)
def test_rows_of_others_are_not_written(table: str) -> None:
    store = OwnStore(MemoryStore(), [OWN])
    empty: dict[str, Any] = {"str": "", "int": 0, "float": 0.0, "bytes": b"", "ints": [], "strs": []}
    columns = {column.name: [empty[column.kind]] for column in TABLES[table].columns}
    columns |= {"model": [OTHER]} if "model" in columns else {}
    with pytest.raises(ProblemError, match="ask with a token that is for all"):
        store.append(table, columns, "t")
    assert table not in CHANGEABLE or "model" in columns or table in BY_ALERT
