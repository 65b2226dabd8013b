"""What a notification says to people: a title and a text, from templates.

Templates are Jinja2, in its sandbox: they see the notification and nothing else. One that fails while a page is due
must not swallow it: the default text is sent then, and says what is wrong with the template.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import AfterValidator, Field

from sinks.receivers.contract import Alert, Notification, common
from sinks.receivers.parameters import Parameters
from sinks.receivers.times import utc

__all__ = ["DEFAULT_TEXT", "DEFAULT_TITLE", "Text", "Worded", "context"]

DEFAULT_TITLE = """\
{% set firing = alerts | selectattr("status", "equalto", "firing") | list %}\
{{ (common_labels.severity or "alert") | upper if firing else "RESOLVED" }}: \
{{ alerts[0].annotations.summary or alerts[0].labels.alertname }}\
{{ " and %d more" % (alerts | length - 1) if alerts | length > 1 }}\
{{ " (%d others fire as before)" % unchanged if unchanged }}"""

DEFAULT_TEXT = """\
{% if common_annotations.likely_cause %}Likely cause: {{ common_annotations.likely_cause }}

{% endif %}\
{% for alert in alerts %}\
{% if alerts | length > 1 %}{{ alert.annotations.summary or alert.labels.alertname }} ({{ alert.status }})
{% endif %}\
{% if alert.annotations.description %}{{ alert.annotations.description }}
{% endif %}\
since {{ alert.starts_at }}{% if alert.status == "resolved" %}, until {{ alert.ends_at }}{% endif %}
{% if alert.generator_url %}{{ alert.generator_url }}
{% endif %}\
{% if not loop.last %}
{% endif %}\
{% endfor %}"""

_ENVIRONMENT = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined,
    # A label that an alert does not have is nothing, not an error: labels differ from alert to alert.
    finalize=lambda value: "" if value is None else value,
    keep_trailing_newline=False,
    # The text goes to channels that each have their own way to escape it.
    autoescape=False,
)


class _Labels(dict[str, str]):
    """Labels or annotations; one that is not there is None."""

    def __missing__(self, name: str) -> None:
        return None


class Text:
    r"""The templates of a receiver.

    Parameters
    ----------
    title, text : str
        Jinja2; empty: the default. What they may use is what :func:`context` returns.

    Examples
    --------
    >>> alert = Alert("firing", {"severity": "critical"}, {"summary": "flights: hour moved"}, 1_360_387_800_000)
    >>> notification = Notification("ops", "k", {}, (alert,))
    >>> print(*Text().of(notification), sep="\n")
    CRITICAL: flights: hour moved
    since 2013-02-09 05:30 UTC
    >>> Text(title="{{ common_labels.severity }} {{ nothing.here }}").of(notification)[0]
    "CRITICAL: flights: hour moved (the template of the title fails: 'nothing' is undefined)"
    """

    def __init__(self, title: str = "", text: str = "") -> None:
        self._templates = {"title": title or DEFAULT_TITLE, "text": text or DEFAULT_TEXT}

    def of(self, notification: Notification) -> tuple[str, str]:
        """Return the title, in one line, and the text."""
        if notification.title:
            return notification.title, notification.text
        names = context(notification)
        title = " ".join(self._render("title", DEFAULT_TITLE, names).split())
        return title, self._render("text", DEFAULT_TEXT, names).strip()

    def _render(self, name: str, default: str, names: Mapping[str, Any]) -> str:
        try:
            return _ENVIRONMENT.from_string(self._templates[name]).render(names)
        except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
            text = _ENVIRONMENT.from_string(default).render(names)
            return f"{text.rstrip()} (the template of the {name} fails: {error})"


def _is_template(text: str) -> str:
    try:
        _ENVIRONMENT.parse(text)
    except TemplateError as error:
        raise ValueError(f"the template is no Jinja2: line {getattr(error, 'lineno', 1)}: {error}") from error
    return text


Template = Annotated[str, AfterValidator(_is_template)]


class Worded(Parameters):
    """What every receiver has that people read."""

    title: Template = Field(default="", description="Jinja2; see docs/alerts.md for what it may use")
    text: Template = Field(default="", description="Jinja2")

    def words(self) -> Text:
        """Return what writes the words of notifications."""
        return Text(self.title, self.text)


def context(notification: Notification) -> dict[str, Any]:
    """Return what templates may use.

    Returns
    -------
    dict
        ``status``, ``receiver``, ``group_key``, ``group_labels``, ``common_labels``, ``common_annotations``,
        ``external_url``, ``unchanged``, and ``alerts``, each with ``status``, ``labels``, ``annotations``,
        ``starts_at``, ``ends_at`` (texts in UTC), ``starts_at_ms``, ``ends_at_ms``, ``generator_url`` and
        ``fingerprint``.
    """
    return {
        "status": notification.status,
        "receiver": notification.receiver,
        "group_key": notification.group_key,
        "group_labels": _Labels(notification.group_labels),
        "common_labels": _Labels(common(tuple(alert.labels for alert in notification.alerts))),
        "common_annotations": _Labels(common(tuple(alert.annotations for alert in notification.alerts))),
        "external_url": notification.external_url,
        "unchanged": notification.unchanged,
        "alerts": [_alert(alert) for alert in notification.alerts],
    }


def _alert(alert: Alert) -> dict[str, Any]:
    resolved = alert.status == "resolved"
    return {
        "status": alert.status,
        "labels": _Labels(alert.labels),
        "annotations": _Labels(alert.annotations),
        "starts_at": utc(alert.starts_at_ms),
        "ends_at": utc(alert.ends_at_ms) if resolved else "",
        "starts_at_ms": alert.starts_at_ms,
        "ends_at_ms": alert.ends_at_ms if resolved else 0,
        "generator_url": alert.generator_url,
        "fingerprint": alert.fingerprint,
    }
