"""What Slack answers: 200 even when it failed, which the body says."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sinks.receivers.contract import Delivered, Outcome, Refused, Retry
from sinks.receivers.limits import fitted
from sinks.receivers.post import Post

__all__ = ["ask", "ask_in_loop", "escaped", "outcome_of", "webhook_outcome_of"]

ANSWER_BYTES = 65_536
"""So much of an answer is read: that to a message repeats the message."""

PASSING = {"ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
"""Errors of Slack's API that another try may not meet."""

LONGEST_WORD = 60


def outcome_of(answer: bytes) -> Outcome:
    """Return what an answer, or the start of one, means.

    Examples
    --------
    >>> outcome_of(b'{"ok":false,"error":"missing_scope","needed":"files:write"}')
    Refused(reason='slack.com: missing_scope (files:write)')
    """
    try:
        fields = json.loads(answer)
        is_ok = fields["ok"] is True
    except ValueError as unreadable:
        # The start of a long answer is no JSON by itself: such answers are those of success.
        return Delivered() if answer.startswith(b'{"ok":true') else Retry(f"slack.com: {unreadable}")
    except (KeyError, TypeError):
        return Retry("slack.com: the answer does not say `ok`")
    if is_ok:
        return Delivered()
    error = str(fields.get("error", "unknown"))
    needed = f" ({fields['needed']})" if isinstance(fields.get("needed"), str) else ""
    reason = f"slack.com: {error[:LONGEST_WORD]}{needed[:LONGEST_WORD]}"
    return Retry(reason) if error in PASSING else Refused(reason)


def webhook_outcome_of(answer: bytes) -> Outcome:
    """Return what an incoming webhook's answer means: ``ok``, or JSON where a service is like Slack.

    Examples
    --------
    >>> webhook_outcome_of(b"ok"), webhook_outcome_of(b'{"success": true}')
    (Delivered(reason=''), Delivered(reason=''))
    >>> webhook_outcome_of(b"no_service"), webhook_outcome_of(b'{"ok": false, "error": "channel_not_found"}')
    (Refused(reason='slack.com: no_service'), Refused(reason='slack.com: channel_not_found'))
    """
    try:
        fields = json.loads(answer)
    except ValueError:
        word = " ".join(answer.decode(errors="replace").split())[:LONGEST_WORD]
        # The start of a long answer is no JSON by itself: such answers are those of success.
        is_taken = word.lower() in ("", "ok") or word.startswith("{")
        return Delivered() if is_taken else Refused(f"slack.com: {word}")
    return outcome_of(answer) if isinstance(fields, dict) and "ok" in fields else Delivered()


def ask(post: Post, body: bytes) -> tuple[Outcome, dict[str, str]]:
    """Post to a method; return what the answer means, and those of its fields that are texts."""
    answer = _Answer()
    outcome = post.send(body, read=answer.read, read_bytes=ANSWER_BYTES)
    return outcome, answer.texts


async def ask_in_loop(
    post: Post, body: bytes, headers: Mapping[str, str] | None = None
) -> tuple[Outcome, dict[str, str]]:
    """Do as :func:`ask` does; how long to wait is the caller's to say, who cancels it."""
    answer = _Answer()
    outcome = await post.send_in_loop(body, headers=headers, read=answer.read, read_bytes=ANSWER_BYTES)
    return outcome, answer.texts


def escaped(text: str, most: int) -> str:
    """Return a text, or as much of it as there is room for, in which nothing is a mark of Slack's: a mention, say.

    Parameters
    ----------
    text : str
    most : int
        Characters, as Slack counts them.

    Examples
    --------
    >>> escaped("a <!channel> & b", 100), escaped("a & b & c", 10)
    ('a &lt;!channel&gt; &amp; b', 'a &amp; …')
    """
    return _escaped(fitted(text, most, lambda part: len(_escaped(part))))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class _Answer:
    """Keeps those fields of an answer that are texts."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def read(self, answer: bytes) -> Outcome:
        """Take them down; return what the answer means."""
        self.texts = _texts(answer)
        return outcome_of(answer)


def _texts(answer: bytes) -> dict[str, str]:
    try:
        fields = json.loads(answer)
    except ValueError:
        return {}
    return {name: value for name, value in fields.items() if isinstance(value, str)} if isinstance(fields, dict) else {}
