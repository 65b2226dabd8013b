"""What people and pipelines tell a service: who is notified, what keeps quiet, what was deployed, who may ask, events.

Each is a method of both clients, with the parameters and the documentation that it has here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from monitor.client.displays import Distributed
from monitor.client.requests import Request, Steps, all_rows, quoted
from monitor.clock import SystemClock
from monitor.resources.contract import written
from monitor.resources.distributions import Distributions
from monitor.resources.tokens import Tokens

__all__ = [
    "acknowledge",
    "acknowledge_incident",
    "announce",
    "create_token",
    "distribution",
    "end_silence",
    "erase",
    "erasures",
    "model",
    "parts_of",
    "revoke_token",
    "send",
    "silence",
    "silence_outcome",
    "silences",
    "subscribe",
    "subscription",
    "tokens",
    "unsubscribe",
]

Document = dict[str, Any]


def model(name: str) -> Steps[Document]:
    """One model: its ``signals``, ``sources``, ``configuration`` and the state of its ``series``.

    Raises
    ------
    UnknownError
        There is no such model.
    """
    return (yield Request(f"/v1/models/{quoted(name)}", holds="signals"))


def distribution(model: str, signal: str, **span: Any) -> Steps[Distributed]:
    """How a signal is distributed in a span of time, beside another one: ``current``, ``baseline``, ``cells`` ….

    Parameters
    ----------
    model, signal : str
    **span
        As of `compare`: ``from_``, ``to``, ``against_from``, ``against_to``, ``segment``, ``version``.

    Raises
    ------
    QuestionError
        There is no such signal, or the two cannot be compared.
    """
    question = Distributions(model=model, signal=signal, **span)
    return Distributed((yield Request(question.path, question.wire(), holds="cells")))


# -- alerts ------------------------------------------------------------------------------------------------------------


def acknowledge(alert_id: str, *, created_by: str, comment: str = "", undo: bool = False) -> Steps[Document]:
    """Take an alert on, so that it is not repeated until it changes; or, with ``undo``, give it back.

    Raises
    ------
    UnknownError
        There is no such alert.
    """
    body = {"created_by": created_by, "comment": comment, "undo": undo}
    return (yield Request(f"/v1/alerts/{quoted(alert_id)}/ack", method="POST", body=body, holds="acknowledged"))


def acknowledge_incident(
    incident_id: str, *, created_by: str, comment: str = "", undo: bool = False
) -> Steps[Document]:
    """Take on all alerts of an incident, or, with ``undo``, give them back."""
    body = {"created_by": created_by, "comment": comment, "undo": undo}
    return (yield Request(f"/v1/incidents/{quoted(incident_id)}/ack", method="POST", body=body, holds="alerts"))


def silence(
    matchers: Sequence[str], ends: datetime, *, created_by: str, comment: str, starts: datetime | None = None
) -> Steps[str]:
    """Notify nobody of alerts that all matchers match, such as ``model="fraud"``, for a while; return the id.

    Parameters
    ----------
    matchers : sequence of str
    ends, starts : datetime
        In UTC where they have no zone; it starts now if ``starts`` is None.
    created_by, comment : str

    Raises
    ------
    MatcherError
        One of the matchers is none.
    """
    begins = starts or datetime.fromtimestamp(SystemClock().now_ms() / 1_000, UTC)
    span = {"startsAt": written(begins), "endsAt": written(ends)}
    body = {"matchers": parts_of(matchers), **span, "createdBy": created_by, "comment": comment}
    made = yield Request("/api/v2/silences", method="POST", body=body, holds="silenceID")
    return str(made["silenceID"])


def silences() -> Steps[list[Document]]:
    """Every silence, those that ended in the last days too, as Alertmanager has them."""
    rows: list[Document] = (yield Request("/api/v2/silences", holds=""))["items"]
    return rows


def silence_outcome(silence_id: str) -> Steps[Document]:
    """What became of a silence: which alerts it kept quiet (``kept_quiet``), and who was told of it (``notices``)."""
    return (yield Request(f"/v1/silences/{quoted(silence_id)}", holds="kept_quiet"))


def end_silence(silence_id: str) -> Steps[None]:
    """End a silence now.

    Raises
    ------
    UnknownError
        There is no such silence.
    """
    yield Request(f"/api/v2/silence/{quoted(silence_id)}", method="DELETE", holds="")


def subscribe(matchers: Sequence[str] = (), *, created_by: str, **whom: Any) -> Steps[Document]:
    """Have somebody notified of the alerts that all matchers match, and return the subscription.

    Parameters
    ----------
    matchers : sequence of str
        All alerts if there is none.
    created_by : str
    **whom
        One of ``receiver``, ``email`` and ``webhook``; also ``group_by``, ``group_wait``, ``group_interval``,
        ``repeat_interval`` and ``comment``.

    Raises
    ------
    QuestionError
        The configuration allows nobody of that kind, or a matcher is none.
    """
    body = {"matchers": list(matchers), "created_by": created_by, **whom}
    return (yield Request("/v1/subscriptions", method="POST", body=body, holds="id"))


def subscription(subscription_id: str) -> Steps[Document]:
    """One subscription.

    Raises
    ------
    UnknownError
        There is no such subscription.
    """
    return (yield Request(f"/v1/subscriptions/{quoted(subscription_id)}", holds="id"))


def unsubscribe(subscription_id: str) -> Steps[None]:
    """End a subscription now.

    Raises
    ------
    UnknownError
        There is no such subscription.
    """
    yield Request(f"/v1/subscriptions/{quoted(subscription_id)}", method="DELETE", holds="")


def announce(name: str, *, at: Any = None, **details: Any) -> Steps[Document]:
    """Announce that something was deployed, so that incidents that follow name it; return the deployment.

    Parameters
    ----------
    name : str
    at : time or None
        Now if None.
    **details
        ``models``, ``topics`` or ``labels`` say what is affected; ``version``, ``link``, ``created_by``, and ``id``:
        announcing one again changes it.
    """
    body = {"name": name, **details, **({} if at is None else {"at": written(at)})}
    return (yield Request("/v1/deployments", method="POST", body=body, holds="id"))


# -- access, and people's data -----------------------------------------------------------------------------------------


def tokens() -> Steps[list[Document]]:
    """Who may ask and change what; no secrets."""
    return all_rows(Tokens())


def create_token(
    name: str, role: str, *, namespaces: Iterable[str] | None = None, expires: str = ""
) -> Steps[Document]:
    """Make a token, and return it with its ``secret``, which is shown this once.

    Parameters
    ----------
    name : str
    role : {"viewer", "editor", "admin", "ingest"}
    namespaces : iterable of str or None
        For whose models alone it is; for all if None.
    expires : str
        After how long it ends, such as ``90d``; never if empty.
    """
    bound = {} if namespaces is None else {"namespaces": list(namespaces)}
    body = {"name": name, "role": role, "expires": expires, **bound}
    return (yield Request("/v1/tokens", method="POST", body=body, holds="secret"))


def revoke_token(name: str) -> Steps[Document]:
    """Revoke a token, by its name or its id, and return it.

    Raises
    ------
    UnknownError
        There is no such token.
    """
    return (yield Request(f"/v1/tokens/{quoted(name)}", method="DELETE", holds="state"))


def erase(subject: str, model: str = "", fields: Iterable[str] = (), *, dry_run: bool) -> Steps[Document]:
    """Erase all that is held about a data subject, for good, and return what was erased; or only look.

    Parameters
    ----------
    subject, model, fields
        As of `export`.
    dry_run : bool
        True: only return what would be erased.
    """
    body = {"subject": subject, "model": model, "fields": list(fields), "dry_run": dry_run}
    return (yield Request("/v1/erasures", method="POST", body=body, holds="rows"))


def erasures() -> Steps[list[Document]]:
    """What has been erased, oldest first; names nobody."""
    rows: list[Document] = (yield Request("/v1/erasures"))["items"]
    return rows


# -- events ------------------------------------------------------------------------------------------------------------


def send(stream: str, events: Iterable[Mapping[str, Any]]) -> Steps[Document]:
    """Append events to a stream of the configuration, and return how many were ``accepted``, at which offsets.

    What was accepted is kept, and will be read; what is no event of its model becomes a dead letter. A request that
    fails is not sent again: whoever sends it again gives events an id, by which repetitions are left out.

    Raises
    ------
    UnknownError
        There is no such stream.
    """
    lines = "".join(json.dumps(event, allow_nan=False) + "\n" for event in events)
    headers = {"Content-Type": "application/x-ndjson"}
    route = f"/v1/events/{quoted(stream)}"
    return (yield Request(route, method="POST", content=lines, headers=headers, holds="accepted"))


def parts_of(matchers: Iterable[str]) -> list[Document]:
    """Return matchers as Alertmanager has them.

    Raises
    ------
    MatcherError

    Examples
    --------
    >>> parts_of(["model=fraud"])
    [{'name': 'model', 'value': 'fraud', 'isRegex': False, 'isEqual': True}]
    """
    from monitor.routing.matchers import parse_matchers

    return [matcher.as_posted for text in matchers for matcher in parse_matchers(text)]
