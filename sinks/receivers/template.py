"""Renders templates that users write, in a process of its own: whatever one does, it ends this process and no other.

:mod:`sinks.receivers.rendering` starts it by this file's path, so that nothing is imported but Jinja2: it takes a
request on each line of its standard input, and answers on its standard output. A template that takes more than
:data:`MOST_CPU_S` or :data:`MOST_BYTES` has no answer: the process is gone then.
"""

from __future__ import annotations

import json
import resource
import select
import signal
import sys
from collections.abc import Mapping
from typing import Any

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

__all__ = ["ENVIRONMENT", "MOST_BYTES", "MOST_CHARACTERS", "MOST_CPU_S", "render", "serve"]

MOST_CPU_S = 2.0
MOST_BYTES = 512 * 1024 * 1024
MOST_CHARACTERS = 1_000_000
ERROR_CHARACTERS = 200
IDLE_S = 60.0
"""Without a request for so long, the process ends; the next request starts another one."""

ENVIRONMENT = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined,
    # A label that an alert does not have is nothing, not an error: labels differ from alert to alert.
    finalize=lambda value: "" if value is None else value,
    keep_trailing_newline=False,
    # The text goes to channels that each have their own way to escape it.
    autoescape=False,
)


class Labels(dict[str, str]):
    """Labels or annotations; one that is not there is None."""

    def __missing__(self, name: str) -> None:
        return None


def render(template: str, names: Mapping[str, Any]) -> str:
    """Return a template's text.

    Examples
    --------
    >>> render("{{ common_labels.team }} {{ alerts[0].labels.none }}", {"common_labels": {"team": "risk"}, "alerts": [
    ...     {"labels": {}}]})
    'risk '
    """
    labelled = {name: Labels(value) if isinstance(value, dict) else value for name, value in names.items()}
    labelled["alerts"] = [
        {name: Labels(value) if isinstance(value, dict) else value for name, value in alert.items()}
        for alert in names["alerts"]
    ]
    return ENVIRONMENT.from_string(template).render(labelled)


def serve() -> None:
    """Answer requests until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while select.select([sys.stdin], [], [], IDLE_S)[0] and (line := sys.stdin.readline()):
        # Its signal ends the process, also in the middle of a single long operation.
        signal.setitimer(signal.ITIMER_PROF, MOST_CPU_S)
        answer = json.dumps(_answer(json.loads(line)))
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.write(answer + "\n")
        sys.stdout.flush()


def _answer(request: dict[str, Any]) -> dict[str, str]:
    try:
        text = render(request["template"], request["names"])
    except Exception as error:  # noqa: BLE001 -- a template may fail in any way, and the answer says how
        reason = str(error) if isinstance(error, TemplateError) else f"{type(error).__name__} {error}"
        return {"error": reason.strip()[:ERROR_CHARACTERS]}
    if len(text) > MOST_CHARACTERS:
        return {"error": f"its text is longer than {MOST_CHARACTERS:,} characters"}
    return {"text": text}


if __name__ == "__main__":
    serve()
