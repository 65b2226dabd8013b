"""Configurations of models: what is in force, every version that was, and changes."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool

from monitor import check
from monitor.api.access import token_of
from monitor.api.auditor import about
from monitor.api.choices import listed_names
from monitor.api.comparisons import TheComparisons
from monitor.api.configuration_diff import Difference, TheDifference
from monitor.api.contract import ApiService
from monitor.api.forms import InPages, listed, lists
from monitor.api.new_baselines import NewBaseline, frozen, gap_of, notes_on, signals_of
from monitor.api.own_part import OwnPart
from monitor.api.parameters import TheService, answer
from monitor.api.problems import ProblemError, bad_parameter
from monitor.api.reading import Page, read_page
from monitor.api.tables import schema
from monitor.config import ConfigError, Configuration, Model
from monitor.config.baseline import PeriodBaseline
from monitor.config.document import Mistake, read_posted
from monitor.config.edited import baseline_line, with_baseline
from monitor.config.quotas import quota_refusals
from monitor.configurations.in_force import watches_of
from monitor.configurations.log import (
    ANY,
    HEAD,
    Change,
    ConfigurationLog,
    ConflictError,
    Owner,
    Version,
    check_replaced,
    digest_of,
)
from monitor.configurations.taken import laggards
from monitor.errors import InputError
from monitor.resources.configurations import (
    BuiltSignal,
    ConfigurationVersion,
    ConfigurationVersions,
    Laggard,
    StoredConfiguration,
)
from monitor.resources.contract import described
from monitor.watch import Watch, compile_watch
from sinks.store.contract import Query as StoreQuery

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["models"])

TAG = re.compile(r'(?:W/)?"([^"]*)"|[^\s,"]+')
YAML = ("application/yaml", "application/x-yaml", "text/yaml")
JSON = ("application/json",)
DOCUMENT: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/yaml": {"schema": {"type": "string", "description": "a model, as a file has it"}},
            "application/json": {"schema": {"type": "object", "description": "a model, as a file has it"}},
        },
    }
}
ETAG: dict[int | str, dict[str, Any]] = {
    200: {"headers": {"ETag": {"description": "the digest, for `If-Match`", "schema": {"type": "string"}}}}
}

_accepting = threading.Lock()
"""Two that are accepted at once do not pass a quota together, unless they are in two processes."""

Number = Annotated[int, Field(ge=1, le=2**31)]
"""Of a version."""


@dataclass(frozen=True, kw_only=True)
class AcceptedChange(ConfigurationVersion):
    """What a change has done, or would do."""

    is_dry_run: bool = described("whether nothing has changed")
    refusal: str = described("why it would be refused; only of a dry run")
    difference: Difference | None = described("what it would change; only of a dry run")
    notes: list[str] = described("what to know of the period that is its baseline, if one is")


@dataclass(frozen=True, kw_only=True)
class AcceptedBaseline(AcceptedChange):
    """What another baseline has changed, or would."""

    baseline: dict[str, Any] = described("as `spec.baseline` of a file has it")
    document: str = described("the model's document with it")
    signals: list[BuiltSignal] = described("what it has of each signal; only of a dry run, and of a period or data set")


@dataclass(frozen=True)
class Intent:
    """Who wants to change what, why, and instead of what: see :meth:`ConfigurationLog.put`."""

    model: str
    author: str
    reason: str
    replaces: tuple[str, ...] | None


async def intent_of(
    request: Request,
    model: str,
    reason: Annotated[str, Query(max_length=2_000, description="why, for whoever reads the versions")] = "",
    created_by: Annotated[str, Query(max_length=200, description="who; of a token's holder, the token's name")] = "",
    if_match: Annotated[
        str | None,
        Header(description="which is to be replaced: its digest or its number; several, with commas; `*`: any"),
    ] = None,
) -> Intent:
    """Read what every change says."""
    token = token_of(request.scope)
    replaces = None if if_match is None else tags(",".join(request.headers.getlist("if-match")))
    return Intent(model, created_by if token is None else token.name, reason, replaces)


def tags(header: str) -> tuple[str, ...]:
    """Return what an ``If-Match`` header names (RFC 9110, 13.1.1), also without quotes; never nothing.

    Weak tags count as strong ones: proxies that compress make them of ours.

    Examples
    --------
    >>> tags('"4e07", W/"5a,b" , 3'), tags("*"), tags('"*"'), tags("")
    (('4e07', '5a,b', '3'), ('*',), ('"*"',), ('',))
    """
    named = [(quoted.group(1), quoted.group(0)) for quoted in TAG.finditer(header)]
    # Quoted, an asterisk is a tag like any other.
    return tuple(written if tag in (None, ANY) else tag for tag, written in named) or ("",)


@router.get(
    "/models/{model}/configuration",
    summary="The configuration of a model",
    response_model=StoredConfiguration,
    responses=ETAG,
)
def configuration(
    service: TheService,
    request: Request,
    model: str,
    version: Annotated[Number | None, Query(description="an earlier version; the last one if absent")] = None,
) -> Response:
    stored = _version(service, model, version)
    if request.headers.get("accept", "").partition(",")[0].strip() in YAML:
        return _tagged(Response(stored.document, media_type=YAML[0]), stored)
    return _tagged(answer(asdict(stored)), stored)


@lists(
    router,
    ConfigurationVersions,
    is_in_force=(bool, Field(description="whether every process goes by the last version")),
    not_converged=(list[Laggard], Field(description="processes that do not, with the reason")),
)
def configuration_versions(service: TheService, form: InPages, model: str) -> Response:
    newest = _version(service, model)
    behind = laggards(service.store, service.clock.now_ms(), model, newest.version)

    def read(limit: int, cursor: str | None) -> Page:
        if not newest.version:
            return Page.of([_head(newest)], HEAD)
        query = StoreQuery("configurations", {"model": model}, descending=True, columns=HEAD, limit=limit)
        return read_page(service.store, query, cursor)

    head = {"is_in_force": not behind, "not_converged": [asdict(each) for each in behind]}
    return listed(form, read, schema(ConfigurationVersion), head)


@router.get(
    "/models/{model}/configuration/diff",
    summary="What differs between two versions of a configuration",
    response_model=Difference,
)
def configuration_diff(
    service: TheService,
    differs: TheDifference,
    model: str,
    from_: Annotated[
        Number | None, Query(alias="from", description="its number; the one before `to` if absent")
    ] = None,
    to: Annotated[Number | None, Query(description="its number; the last one if absent")] = None,
) -> Response:
    later = _version(service, model, to)
    number = later.version - 1 if from_ is None else from_
    former = _watch(service, _version(service, model, number)) if number > 0 else None
    return answer(differs(former, _watch(service, later)))


@router.put(
    "/models/{model}/configuration",
    summary="Change the configuration of a model",
    response_model=AcceptedChange,
    responses=ETAG,
    openapi_extra=DOCUMENT,
)
async def put_configuration(
    service: TheService,
    request: Request,
    intent: Annotated[Intent, Depends(intent_of)],
    differs: TheDifference,
    dry_run: Annotated[bool, Query(description="whether only to check it, and to say what it would change")] = False,
    if_none_match: Annotated[str | None, Header(description="`*`: there is to be none yet")] = None,
) -> Response:
    text = _text(await request.body(), request.headers.get("content-type", ""))
    if if_none_match is not None:
        intent = replace(intent, replaces=_none_yet(if_none_match))
    about(intent.model, "dry run" if dry_run else "")
    if dry_run:
        return await run_in_threadpool(_planned, service, intent, text, differs)
    return await run_in_threadpool(_put, service, intent, text)


@router.post(
    "/models/{model}/baseline",
    summary="Make something else the baseline of a model",
    response_model=AcceptedBaseline,
    responses=ETAG,
)
def post_baseline(
    service: TheService,
    intent: Annotated[Intent, Depends(intent_of)],
    comparisons: TheComparisons,
    differs: TheDifference,
    posted: NewBaseline,
    *,
    dry_run: Annotated[bool, Query(description="whether only to build it, and to say what it would change")] = False,
) -> Response:
    about(intent.model, "dry run" if dry_run else "")
    current = _version(service, intent.model)
    if not current.document:
        raise ProblemError("unknown-model", f"{intent.model} is watched no more")
    try:
        baseline = frozen(service, _watch(service, current)) if posted.baseline is None else posted.baseline
        text = with_baseline(current.document, baseline)
    except InputError as error:
        raise bad_parameter("baseline", str(error)) from error
    refusal = _refusal(service, intent.model)
    if refusal and not dry_run:
        raise ProblemError("owned-by-a-file", f"{refusal}; under `spec` it would say `{baseline_line(baseline)}`")
    made = {"baseline": baseline, "document": text}
    watch = compile_watch(_checked(service, intent.model, text), intent.model)
    if not dry_run:
        if gap := gap_of(service, watch):
            raise bad_parameter("baseline", gap)
        _refuse_others(current, intent)
        # The text is that of one version with another baseline: no version that came meanwhile is lost.
        intent = replace(intent, replaces=(current.digest,))
        return _put(service, intent, text, {**made, "signals": []})
    with comparisons.turn():
        signals = signals_of(service, watch)
    return _planned(service, intent, text, differs, {**made, "signals": signals})


@router.delete(
    "/models/{model}/configuration",
    summary="Give up a model that the API owns",
    response_model=ConfigurationVersion,
)
def delete_configuration(service: TheService, intent: Annotated[Intent, Depends(intent_of)]) -> Response:
    if refusal := _refusal(service, intent.model):
        raise ProblemError("owned-by-a-file", refusal)
    if _version(service, intent.model).owner != "api":
        raise ProblemError("unknown-model", f"the API owns no model {intent.model!r}")
    about(intent.model)
    return answer(_head(_written(service, intent, "", "nobody")))


def _put(service: ApiService, intent: Intent, text: str, made: Mapping[str, Any] | None = None) -> Response:
    if refusal := _refusal(service, intent.model):
        raise ProblemError("owned-by-a-file", refusal)
    changed = _checked(service, intent.model, text)
    notes = _notes(service, changed, intent.model)
    with _accepting:
        _refuse_beyond_quota(service, changed, intent.model)
        version = _written(service, intent, text, "api")
    change = {"is_dry_run": False, "refusal": "", "difference": None, "notes": notes}
    return _tagged(answer({**_head(version), **change, **(made or {})}), version)


def _notes(service: ApiService, changed: Configuration, name: str) -> list[str]:
    is_period = isinstance(changed.models[name].spec.baseline, PeriodBaseline)
    return list(notes_on(service, compile_watch(changed, name))) if is_period else []


def _planned(
    service: ApiService,
    intent: Intent,
    text: str,
    differs: TheDifference,
    made: Mapping[str, Any] | None = None,
) -> Response:
    changed = _checked(service, intent.model, text)
    _refuse_beyond_quota(service, changed, intent.model)
    newest = _log(service).newest(intent.model)
    number = 1 if newest is None else newest.version + 1
    version = Version(intent.model, number, digest_of(text), "api", "", intent.author, intent.reason)
    watch = compile_watch(changed, intent.model)
    differing = differs(service.watches.get(intent.model), watch)
    plan = {"is_dry_run": True, "refusal": _refusal(service, intent.model), "difference": differing}
    notes = list(notes_on(service, watch))
    return _tagged(answer({**_head(version), **plan, "notes": notes, **(made or {})}), version)


def _watch(service: ApiService, version: Version) -> Watch:
    """Make a version ready; documents of files that stand above others, or name variables, cannot be by themselves."""
    watch = service.watches.get(version.model)
    if watch is not None and watch.document_digest == version.digest:
        return watch
    try:
        return watches_of(service.configuration, [version])[version.digest]
    except KeyError:
        raise ProblemError("unknown-version", f"version {version.version} of {version.model} has no document") from None
    except ConfigError as error:
        raise ProblemError(
            "no-configuration", f"version {version.version} cannot be read by itself: {error}"
        ) from error


def _checked(service: ApiService, model: str, text: str) -> Configuration:
    """Return the configuration that a document makes, or a problem with every mistake in it."""
    try:
        if isinstance(service, OwnPart):
            service.check_change(model, text)
        changed = check.with_posted(service.configuration, model, text)
    except ConfigError as error:
        raise ProblemError("bad-configuration", str(error), errors=_errors(error.mistakes)) from error
    if unfit := service.refusal(changed.models[model]):
        mistake = {"field": "spec.sources", "message": unfit, "line": 0, "column": 0}
        raise ProblemError("bad-configuration", unfit, errors=[mistake])
    return changed


def _errors(mistakes: Iterable[Mistake]) -> list[dict[str, Any]]:
    return [{"field": m.path, "message": m.message, "line": m.line, "column": m.column} for m in mistakes]


def _refuse_beyond_quota(service: ApiService, changed: Configuration, name: str) -> None:
    model, quotas = changed.models[name], changed.service.spec.quotas
    if model.metadata.namespace not in quotas:
        return
    if refusals := quota_refusals(_accepted_models(service), model, quotas):
        document = read_posted(changed.root / f"{name}.yaml", changed.texts[name])
        mistakes = [document.mistake(("metadata", "namespace"), refusal) for refusal in refusals]
        raise ProblemError("bad-configuration", "; ".join(refusals), errors=_errors(mistakes))


def _accepted_models(service: ApiService) -> dict[str, Model]:
    """Return models as the API has accepted them last, whether this process goes by that, not yet, or not at all."""
    configuration, log = service.configuration, _log(service)
    heads = log.heads()
    given_up = {name for name in configuration.posted if name in heads and heads[name].owner == "nobody"}
    models = {name: model for name, model in configuration.models.items() if name not in given_up}
    for name, head in heads.items():
        if head.owner != "api":
            continue
        if name in models and digest_of(configuration.texts.get(name, "")) == head.digest:
            continue
        stored = log.version(name, head.version)
        with suppress(ConfigError):
            models[name] = check.read_model(configuration.root, name, "" if stored is None else stored.document)
    return models


def _written(service: ApiService, intent: Intent, text: str, owner: Owner) -> Version:
    change = Change(intent.model, text, owner, author=intent.author, reason=intent.reason)
    try:
        return _log(service).put(change, intent.replaces)
    except ConflictError as error:
        raise ProblemError("precondition-failed", str(error)) from error


def _refuse_others(current: Version, intent: Intent) -> None:
    try:
        check_replaced(current, intent.replaces)
    except ConflictError as error:
        raise ProblemError("precondition-failed", str(error)) from error


def _refusal(service: ApiService, model: str) -> str:
    """Why the API may not change a model: a file owns it."""
    configuration = service.configuration
    if model not in configuration.all_read or model in configuration.posted:
        # Another process may have read the file, and this one not yet.
        newest = _log(service).newest(model)
        file = newest.file if newest is not None and newest.owner == "file" else ""
    else:
        file = str(configuration.files.get(model, "the service's own configuration"))
    if not file:
        return ""
    return (
        f"{file} owns {model}: change it there, and send SIGHUP; or take it out of the service's models, send SIGHUP,"
        " and the API may have it"
    )


def _version(service: ApiService, model: str, number: int | None = None) -> Version:
    log = _log(service)
    stored = log.newest(model) if number is None else log.version(model, number)
    if stored is None and number is None:
        return _of_file(service, model)
    if stored is None:
        raise ProblemError("unknown-version", f"{model} has no version {number} of its configuration")
    return stored


def _of_file(service: ApiService, model: str) -> Version:
    """What a file says that the store does not know: of a store that no service has open, say."""
    configuration = service.configuration
    document = configuration.texts.get(model)
    if document is None:
        models = listed_names(sorted(configuration.models)) or "none"
        raise ProblemError("unknown-model", f"there is no configuration of {model!r}; there are {models}")
    file = str(configuration.files.get(model, ""))
    return Version(model, 0, digest_of(document), "file", file, document=document)


def _log(service: ApiService) -> ConfigurationLog:
    return ConfigurationLog(service.store, service.clock)


def _head(version: Version) -> dict[str, Any]:
    head = asdict(version)
    del head["document"]
    return head


def _tagged(response: Response, version: Version) -> Response:
    response.headers["ETag"] = f'"{version.digest}"'
    return response


def _text(body: bytes, content_type: str) -> str:
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in (*YAML, *JSON):
        raise ProblemError(
            "unsupported-media-type", f"Content-Type {kind!r}; it is {' or '.join((YAML[0], *JSON))} here"
        )
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise ProblemError("bad-body", f"not UTF-8: {error.reason} at byte {error.start}") from error


def _none_yet(if_none_match: str) -> tuple[str, ...]:
    if if_none_match.strip() != "*":
        raise bad_parameter("if-none-match", "only `*` is known here: there is to be no configuration yet")
    return ()
