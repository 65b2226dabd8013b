"""What several routes share: their parameters, and how they answer."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import MISSING, Field
from typing import Annotated, Any, NamedTuple, TypeVar, get_args, get_origin

import msgspec
import numpy as np
from fastapi import Depends, Query, Request, Response

from monitor.api.access import token_of
from monitor.api.choices import known_names, listed_names
from monitor.api.contract import ApiService
from monitor.api.openapi import IS_REQUIRED
from monitor.api.own_part import OwnPart
from monitor.api.problems import ProblemError, bad_parameter
from monitor.api.reading import stored_models
from monitor.api.times import parse_time
from monitor.errors import InputError, nearest_hint
from monitor.resources.contract import Moment, Question, hints, parameters, wire_name
from monitor.routing.matchers import Matcher, MatcherError, parse_matchers
from monitor.values import DAY_MS, parse_duration
from monitor.watch import Watch
from sinks.store.contract import Query as StoreQuery

__all__ = [
    "Span",
    "TheService",
    "answer",
    "check_model",
    "check_seen_signal",
    "check_signal",
    "closed",
    "duration_ms",
    "models_in",
    "question_of",
    "read_matchers",
    "read_span",
    "span_of",
    "watched",
    "written",
]

Q = TypeVar("Q", bound=Question)

LONGEST_MS = 100_000 * DAY_MS
TIME = "ISO 8601 (UTC without an offset), ms since the epoch, `now`, or relative to now such as `-1h`"
ENDS = {"from_": f"start, included: {TIME}", "to": f"end, excluded: {TIME}"}


# Here and below: what only reads its arguments is asynchronous, since anything else would take a thread.
async def service_of(request: Request) -> ApiService:
    """Return the service that the application was built for; of whoever is bound to namespaces, their part of it."""
    service: ApiService = request.app.state.service
    token = token_of(request.scope)
    return OwnPart(service, token) if token is not None and token.namespaces else service


TheService = Annotated[ApiService, Depends(service_of)]


def question_of(question: type[Q]) -> Callable[..., Awaitable[Q]]:
    """Return the dependency that reads a question from the parameters that its declaration describes."""

    async def read(**chosen: Any) -> Q:
        return question(**chosen)

    types = hints(question)
    read.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [_parameter(each, types[each.name]) for each in parameters(question)]
    )
    return read


def _parameter(declared: Field[Any], kind: Any) -> inspect.Parameter:
    """Return a parameter as FastAPI reads it; an end of time is text until the service's clock is at hand."""
    is_end = kind in (Moment, Moment | None)
    is_required = declared.default is MISSING
    default = None if is_end and is_required else declared.default
    described = declared.metadata.get("description") or ENDS.get(declared.name)
    query = Query(
        alias=wire_name(declared),
        description=described,
        ge=declared.metadata.get("low"),
        le=declared.metadata.get("high"),
        # Routes refuse an absent time themselves: they say what it is for.
        json_schema_extra={IS_REQUIRED: True} if is_end and is_required else None,
    )
    return inspect.Parameter(
        declared.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if default is MISSING else default,
        annotation=Annotated[str | None if is_end else _listed(kind), query],
    )


def _listed(kind: Any) -> Any:
    """Return ``list[X] | None`` for a sequence that may be absent: parameters may be repeated."""
    for member in get_args(kind):
        if getattr(get_origin(member), "__name__", "") == "Sequence":
            return list[get_args(member)[0]] | None  # type: ignore[misc]
    return kind


class Span(NamedTuple):
    """``[from_ms, to_ms)``; None where it is open."""

    from_ms: int | None
    to_ms: int | None


def span_of(service: ApiService, question: Any) -> Span:
    """Read ``from`` and ``to`` of a question; a mistake in them is a problem document."""
    return read_span(service, question.from_, question.to)


def read_span(service: ApiService, from_: Moment | None, to: Moment | None, prefix: str = "") -> Span:
    """Read two ends of time; ``prefix`` stands before the names of their parameters."""
    ends: list[int | None] = []
    for name, moment in ((f"{prefix}from", from_), (f"{prefix}to", to)):
        try:
            ends.append(None if moment is None else parse_time(str(moment), service.clock.now_ms()))
        except InputError as error:
            raise bad_parameter(name, f"`{name}`: {error}") from error
    span = Span(*ends)
    if span.from_ms is not None and span.to_ms is not None and span.from_ms >= span.to_ms:
        raise bad_parameter(f"{prefix}from", f"`{prefix}from` ({from_}) must be before `{prefix}to` ({to})")
    return span


def closed(span: Span, *fields: str) -> tuple[int, int]:
    """Return both ends of ``span``, or a problem that names the missing ones."""
    missing = [field for field, end in zip(fields, span, strict=True) if end is None]
    if missing:
        errors = [{"field": field, "message": "is required here"} for field in missing]
        raise ProblemError("bad-parameter", f"required here: {', '.join(missing)}", errors=errors)
    assert span.from_ms is not None
    assert span.to_ms is not None
    return span.from_ms, span.to_ms


def answer(document: dict[str, Any] | list[Any], status: int = 200) -> Response:
    """Return a document as JSON; NaN and infinity are null."""
    body = msgspec.json.encode(document, enc_hook=_plain)
    return Response(body, status, media_type="application/json")


def written(document: dict[str, Any]) -> msgspec.Raw:
    """Return a part of an answer as JSON, which takes a tenth of the memory."""
    return msgspec.Raw(msgspec.json.encode(document, enc_hook=_plain))


def _plain(value: Any) -> Any:
    """Return a number or an array of NumPy as Python's own."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise NotImplementedError(f"{type(value).__name__} has no JSON form")


def duration_ms(field: str, text: str) -> int:
    """Read a duration such as ``1h``."""
    try:
        length_ms = parse_duration(text)
    except (ValueError, OverflowError) as error:
        raise bad_parameter(field, str(error)) from error
    if not 0 < length_ms <= LONGEST_MS:
        raise bad_parameter(field, f"a {field} is longer than 0, and shorter than {LONGEST_MS // DAY_MS:,} days")
    return length_ms


def check_model(service: ApiService, name: str | None) -> None:
    """Raise a problem that names the models, those stored where there is no configuration, unless ``name`` is one."""
    models = list(service.configuration.models) or stored_models(service.store)
    if name is not None and name not in models:
        raise ProblemError("unknown-model", f"no model is named {name!r}; {known_names(name, models)}")


def watched(service: ApiService, name: str) -> Watch:
    """Return the model ``name``, made ready, or a problem."""
    check_model(service, name)
    if name not in service.watches:
        raise ProblemError("no-configuration", f"the configuration of {name!r} is needed, and is not at hand")
    return service.watches[name]


def check_signal(watch: Watch, signal: str) -> None:
    """Raise a problem that names the signals of which the model keeps a distribution, unless ``signal`` is one."""
    if signal not in watch.layouts:
        signals = listed_names(list(watch.layouts))
        raise ProblemError("unknown-signal", f"{watch.name} keeps no distribution of {signal!r}, but of {signals}")


def check_seen_signal(service: ApiService, table: str, model: str, signal: str | None) -> None:
    """Raise a problem with the nearest names unless the model has the signal, or has rows of it in a table."""
    watch = service.watches.get(model)
    configured = [] if watch is None else ["volume", *watch.layouts, *watch.vectors, *watch.judged_signals]
    if signal is None or signal in configured:
        return
    where = {"model": model, "signal": signal}
    if len(service.store.read(StoreQuery(table, where, columns=("signal",), limit=1))["signal"]):
        return
    hint = nearest_hint(signal, configured)
    choices = f"known are {listed_names(configured)}" if configured else "nothing is stored of it"
    raise ProblemError("unknown-signal", f"{model} has no signal {signal!r}; {hint}{choices}")


def models_in(service: ApiService, model: str | None, namespace: str | None) -> list[str] | None:
    """Return the models that ``model`` and ``namespace`` leave, or a problem; None means that all do."""
    check_model(service, model)
    if namespace is None:
        return None if model is None else [model]
    spaces = {name: each.metadata.namespace for name, each in service.configuration.models.items()}
    if not spaces:
        raise ProblemError("no-configuration", "namespaces stand in the configuration, which is not at hand")
    if namespace not in spaces.values():
        choices = known_names(namespace, sorted(set(spaces.values())))
        raise ProblemError("unknown-namespace", f"no model is in the namespace {namespace!r}; {choices}")
    return [name for name, space in spaces.items() if space == namespace and model in (None, name)]


def read_matchers(field: str, texts: Iterable[str] | None) -> list[Matcher]:
    """Read texts, each of which may hold several matchers; ``{}`` stands for none."""
    matchers: list[Matcher] = []
    for text in texts or ():
        try:
            read = parse_matchers(text)
        except MatcherError as error:
            raise bad_parameter(field, str(error)) from error
        if not read and "{" not in text:
            raise bad_parameter(field, f"{text!r} has no matcher; expected something like severity=critical, or {{}}")
        matchers += read
    return matchers
