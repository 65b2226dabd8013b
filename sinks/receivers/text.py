"""What a notification says to people: a title and a text, from templates.

Templates are Jinja2, in its sandbox and a process of their own: they see the notification and nothing else, and have
limits of time and memory. One that fails while a page is due must not swallow it: the default text is sent then, and
says what is wrong with the template.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Any

import structlog
from jinja2 import TemplateError
from pydantic import AfterValidator, Field

from sinks.receivers.contract import Alert, Notification, common
from sinks.receivers.limits import printable
from sinks.receivers.parameters import Parameters
from sinks.receivers.rendering import Renderer, TemplateFailsError
from sinks.receivers.template import ENVIRONMENT, render
from sinks.receivers.times import utc

logger = structlog.get_logger("leeway.notify")

__all__ = ["DEFAULT_TEXT", "DEFAULT_TITLE", "Text", "Worded", "context"]

DEFAULT_TITLE = """\
{% set firing = alerts | selectattr("status", "equalto", "firing") | list %}\
{{ (alerts[0].labels.severity or "alert") | upper if firing else "RESOLVED" }}: \
{{ alerts[0].annotations.summary or alerts[0].labels.alertname }}\
{{ " and %d more" % (alerts | length - 1) if alerts | length > 1 }}\
{{ " (%d others fire as before)" % unchanged if unchanged }}"""

DEFAULT_TEXT = """\
{% if common_annotations.likely_cause %}Likely cause: {{ common_annotations.likely_cause }}

{% endif %}\
{% for alert in alerts %}\
{% if alerts | length > 1 %}{{ alert.annotations.summary or alert.labels.alertname }} ({{ alert.status }})
{% endif %}\
{% if alert.annotations.likely_cause and not common_annotations.likely_cause %}\
Likely cause: {{ alert.annotations.likely_cause }}
{% endif %}\
{% if alert.annotations.description %}{{ alert.annotations.description }}
{% endif %}\
since {{ alert.starts_at }}{% if alert.status == "resolved" %}, until {{ alert.ends_at }}{% endif %}
{% if alert.generator_url %}{{ alert.generator_url }}
{% endif %}\
{% if not loop.last %}
{% endif %}\
{% endfor %}"""


class Text:
    r"""The templates of a receiver.

    Parameters
    ----------
    title, text : str
        Jinja2; empty: the default, also where a title comes to nothing. What they may use is what :func:`context`
        returns.
    harmless : callable
        From a text to one in which nothing is a mark of the channel's: labels and annotations hold what events do.

    Examples
    --------
    >>> alert = Alert("firing", {"severity": "critical"}, {"summary": "flights: hour moved"}, 1_360_387_800_000)
    >>> notification = Notification("ops", "k", {}, (alert,))
    >>> print(*Text().of(notification), sep="\n")
    CRITICAL: flights: hour moved
    since 2013-02-09 05:30 UTC
    >>> Text(title="{{ common_labels.severity }} for {{ common_labels.model or 'all' }}").of(notification)[0]
    'critical for all'
    """

    def __init__(self, title: str = "", text: str = "", harmless: Callable[[str], str] = str) -> None:
        self._templates, self._harmless = {"title": title, "text": text}, harmless
        self._renderer = Renderer()

    def of(self, notification: Notification) -> tuple[str, str]:
        """Return the title, in one line, and the text."""
        if notification.title:
            return printable(self._harmless(notification.title)), printable(self._harmless(notification.text))
        names = context(replace(notification, alerts=tuple(map(self._without_marks, notification.alerts))))
        title = _one_line(self._render("title", DEFAULT_TITLE, names)) or _one_line(render(DEFAULT_TITLE, names))
        return title, printable(self._render("text", DEFAULT_TEXT, names)).strip()

    def _without_marks(self, alert: Alert) -> Alert:
        texts = [
            {name: self._harmless(value) for name, value in of.items()} for of in (alert.labels, alert.annotations)
        ]
        return replace(alert, labels=texts[0], annotations=texts[1])

    def _render(self, name: str, default: str, names: Mapping[str, Any]) -> str:
        if not self._templates[name]:
            return render(default, names)
        try:
            return self._renderer.render(self._templates[name], names)
        except TemplateFailsError as error:
            logger.warning("a template fails", receiver=names["receiver"], template=name, reason=str(error))
            return f"{render(default, names).rstrip()} (the template of the {name} fails: {error})"


def _is_template(text: str) -> str:
    try:
        ENVIRONMENT.parse(text)
    except RecursionError as error:
        raise ValueError("the template is nested too deeply") from error
    except TemplateError as error:
        raise ValueError(f"the template is no Jinja2: line {getattr(error, 'lineno', 1)}: {error}") from error
    return text


Template = Annotated[str, AfterValidator(_is_template)]


class Worded(Parameters):
    """What every receiver has that people read."""

    title: Template = Field(default="", description="Jinja2; see docs/alerts.md for what it may use")
    text: Template = Field(default="", description="Jinja2")

    def words(self, harmless: Callable[[str], str] = str) -> Text:
        """Return what writes the words of notifications."""
        return Text(self.title, self.text, harmless)


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))


def context(notification: Notification) -> dict[str, Any]:
    """Return what templates may use.

    Returns
    -------
    dict
        ``status``, ``receiver``, ``group_key``, ``group_labels``, ``common_labels``, ``common_annotations``,
        ``external_url``, ``unchanged``, and ``alerts``, the gravest of those that fire first, each with ``status``,
        ``labels``, ``annotations``, ``starts_at``, ``ends_at`` (texts in UTC), ``starts_at_ms``, ``ends_at_ms``,
        ``generator_url`` and ``fingerprint``.
    """
    return {
        "status": notification.status,
        "receiver": notification.receiver,
        "group_key": notification.group_key,
        "group_labels": dict(notification.group_labels),
        "common_labels": common(tuple(alert.labels for alert in notification.alerts)),
        "common_annotations": common(tuple(alert.annotations for alert in notification.alerts)),
        "external_url": notification.external_url,
        "unchanged": notification.unchanged,
        "alerts": [_alert(alert) for alert in notification.by_gravity],
    }


def _alert(alert: Alert) -> dict[str, Any]:
    resolved = alert.status == "resolved"
    return {
        "status": alert.status,
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "starts_at": utc(alert.starts_at_ms),
        "ends_at": utc(alert.ends_at_ms) if resolved else "",
        "starts_at_ms": alert.starts_at_ms,
        "ends_at_ms": alert.ends_at_ms if resolved else 0,
        "generator_url": alert.generator_url,
        "fingerprint": alert.fingerprint,
    }
