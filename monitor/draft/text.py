"""A draft as YAML, with what was guessed as a comment beside each line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import yaml

from monitor.draft.column import short
from monitor.draft.fields import Guess
from monitor.draft.model import Draft
from monitor.draft.window import DEFAULT_AHEAD_MS, DEFAULT_LATENESS_MS
from monitor.values import format_duration

__all__ = ["model_text", "service_text"]

COMMENT_AT = 64
MOST_COMMENTS = 40
"""Fields that are left out, one a line; of more only their number is said."""

FALSE_ALARMS = "1 per 30d"


def model_text(made: Draft) -> str:
    """Return the model's file."""
    return "\n".join(_lines(made)) + "\n"


def service_text(model_file: str, bootstrap: Iterable[str]) -> str:
    """Return the file of a service that watches one model.

    Examples
    --------
    >>> service_text("fraud.yaml", ["localhost:9092"]).splitlines()[4].partition("#")[0].strip()
    'models: [fraud.yaml]'
    """
    brokers = ", ".join(map(_scalar, bootstrap))
    lines = [
        f"# Watches {short(model_file)}: `leeway run leeway.yaml`. Every key is in docs/configuration.md.",
        "apiVersion: leeway/v1",
        "kind: Service",
        "spec:",
        _line(2, f"models: [{_scalar(model_file)}]", "add others, or a pattern such as models/*.yaml"),
        _line(2, "store: {kind: chdb, path: data/store}", "in this process; `clickhouse` for several"),
        *(
            [_line(2, f"kafka: {{bootstrap: [{brokers}]}}", "with `tls` and `sasl` where brokers ask for them")]
            * bool(brokers)
        ),
        _line(2, "receivers: [{name: log, kind: log}]", "who is notified; `slack`, `email` and others"),
    ]
    return "\n".join(lines) + "\n"


def _lines(made: Draft) -> Iterator[str]:
    yield f"# Drafted by `leeway init` from {short(made.origin.said)}. What was guessed stands beside each line."
    yield "apiVersion: leeway/v1"
    yield "kind: Model"
    yield "metadata:"
    yield f"  name: {_scalar(made.model)}"
    yield _line(2, "namespace: default", "the team's space")
    yield _line(2, 'owner: ""', "whom to ask")
    yield "spec:"
    yield "  sources:"
    yield from _source(made)
    yield "  schema:"
    yield from _identity(made)
    yield from _section(made, "features", made.of("feature"))
    yield from _section(made, "prediction", made.of("prediction"))
    yield from _left_out(made)
    yield from _segments(made)
    yield from _baseline(made)
    yield from _detect(made)


def _source(made: Draft) -> Iterator[str]:
    if made.origin.topic:
        yield f"    - kafka: {_scalar(made.origin.topic)}"
    else:
        yield _line(4, f"- http: {_scalar(made.model)}", "POST /v1/events/…; or `kafka: TOPIC`, or `file: PATH`")
    if made.where:
        where = f"where: {{{_scalar(made.where)}: {_scalar(made.model)}}}"
        yield _line(6, where, "of all messages only these are this model's")
    time = made.time
    if time is not None:
        yield _line(6, f"event_time: {{path: {_scalar(time.path)}, unit: {time.type}}}", f"{time.reason}; {time.seen}")
    else:
        yield _line(6, "# event_time: {path: ts, unit: ms}", "no field looked like a time: the record's own counts")
    if made.lateness_ms != DEFAULT_LATENESS_MS:
        yield _line(
            6,
            f"allowed_lateness: {format_duration(made.lateness_ms)}",
            "for stragglers: twice as late as any came, or four usual gaps",
        )
    if made.ahead_ms != DEFAULT_AHEAD_MS:
        reason = "twice the longest gap between two events"
        if made.traffic is not None and made.traffic.disorder_ms > 2 * made.traffic.gap_ms:
            reason = "as far as any event came behind a newer one"
        yield _line(6, f"max_ahead: {format_duration(made.ahead_ms)}", reason)


def _identity(made: Draft) -> Iterator[str]:
    for role, otherwise in (("id", "duplicates are not noticed"), ("version", "all events are of one version")):
        guesses = made.of(role)
        if guesses:
            yield _line(4, f"{role}: {_scalar(guesses[0].path)}", _comment(guesses[0]))
        else:
            yield _line(4, f"# {role}: PATH", f"no field looked like one: {otherwise}")


def _section(made: Draft, title: str, guesses: list[Guess]) -> Iterator[str]:
    if not guesses:
        if title == "prediction":
            yield _line(4, "# prediction: {score: {type: numeric, range: [0, 1]}}", "no field looked like one")
        return
    yield f"    {title}:"
    for each in guesses:
        name = made.names[each.path]
        parts = [f"type: {each.type}"]
        if name != each.path:
            parts.append(f"path: {_scalar(each.path)}")
        parts += [f"{key}: {_scalar(value)}" for key, value in made.settings_of(each).items()]
        yield _line(6, f"{_scalar(name)}: {{{', '.join(parts)}}}", _comment(each))


def _left_out(made: Draft) -> Iterator[str]:
    guesses = [each for each in made.guesses if each.role in ("left out", "personal", "label")]
    if not guesses:
        return
    yield "    # Not watched:"
    for each in guesses[:MOST_COMMENTS]:
        yield f"    #   {short(each.path)}: {'personal, ' if each.role == 'personal' else ''}{each.reason}"
    if len(guesses) > MOST_COMMENTS:
        yield f"    #   and {len(guesses) - MOST_COMMENTS:,} more"
    if made.of("personal"):
        yield "    # Of what is personal, `{type: category, privacy: drop}` watches whether it is there."


def _segments(made: Draft) -> Iterator[str]:
    if not made.segments:
        yield _line(2, "# segments: [{by: [FEATURE], values: [A, B]}]", "none has few values with enough traffic each")
        return
    first, *others = made.segments
    values = ", ".join(map(_scalar, first.values))
    share = f"the smallest has {100 * first.share:.0f} % of the events"
    yield "  segments:"
    yield _line(4, f"- {{by: [{_scalar(made.names[first.path])}], values: [{values}]}}", share)
    for each in others[:3]:
        values = ", ".join(map(_scalar, each.values))
        yield f"    # - {{by: [{_scalar(made.names[each.path])}], values: [{values}]}}"


def _baseline(made: Draft) -> Iterator[str]:
    data_set = made.origin.data_set
    if data_set and made.time is None:
        yield _line(2, f"baseline: {{kind: dataset, uri: {_scalar(data_set)}}}", "what the model was built on")
    elif data_set:
        yield _line(2, f"baseline: {{kind: rolling, span: 28d, uri: {_scalar(data_set)}}}", "the file sets the bins")
    else:
        yield _line(2, "baseline: {kind: rolling, span: 28d}", "what was usual; `dataset` compares with a file")


def _detect(made: Draft) -> Iterator[str]:
    cut = made.cut
    window, pane = format_duration(cut.window_ms), format_duration(cut.pane_ms)
    events = (
        "how many events come is not known" if cut.events is None else f"{cut.events:,.0f} events in a usual window"
    )
    if made.batches is not None:
        events += f" that has any; {made.batches}"
    offset = f", offset: {format_duration(cut.offset_ms)}" if cut.offset_ms else ""
    yield "  detect:"
    yield _line(4, f"false_alarms: {FALSE_ALARMS}", "for the whole model: 12 a year, when nothing is wrong")
    yield _line(4, f"pane: {pane}", "the grain of what is stored")
    yield _line(4, f"defaults: {{window: {window}{offset}, min_samples: {cut.min_samples}}}", events)
    yield _line(4, "time_zone: UTC", "whose nights and weekends count")
    if cut.window_ms > 900_000:
        yield "  alerts:"
        yield _line(4, f"resolve_after: {window}", "quiet for one window")


def _comment(guess: Guess) -> str:
    return "; ".join(filter(None, (guess.reason, guess.seen)))


def _line(indent: int, text: str, comment: str) -> str:
    """Return a line with its comment beside it."""
    return f"{' ' * indent}{text}".ljust(COMMENT_AT) + f"  # {comment}"


def _scalar(value: object) -> str:
    """Return a value as it may stand within braces."""
    if isinstance(value, str) and not value.isprintable():
        return str(yaml.safe_dump(value, default_style='"', width=10_000)).rstrip("\n")
    (text,) = yaml.safe_dump([value], default_flow_style=True, allow_unicode=True, width=10_000).splitlines()
    return text[1:-1]
