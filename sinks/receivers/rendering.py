"""Asks a process of its own to render templates that users write; :mod:`sinks.receivers.template` is that process."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sinks.receivers import template as worker

__all__ = ["MOST_LEFT_OUT", "Renderer", "TemplateFailsError"]

MOST_LEFT_OUT = 63


class TemplateFailsError(Exception):
    """A template has no text; the message says why."""


@dataclass(frozen=True)
class _CutOff:
    """How often a template has ended its process, how, and how many times from now on it is not tried."""

    times: int = 0
    reason: str = ""
    left_out: int = 0

    def once_more(self, reason: str) -> _CutOff:
        return _CutOff(self.times + 1, reason, min(2**self.times - 1, MOST_LEFT_OUT))

    def once_less(self) -> _CutOff:
        return _CutOff(max(self.times - 1, 0), self.reason)


class Renderer:
    """Renders templates within :data:`~sinks.receivers.template.MOST_CPU_S` and what memory its process has.

    The process starts with the first template, and ends when there was nothing to do for a while. A template that ends
    it again and again is left out more and more often, so that notifications do not queue behind it: once after the
    second time, three times after the third, up to :data:`MOST_LEFT_OUT`. A text makes good for one time.

    Examples
    --------
    >>> renderer = Renderer()
    >>> renderer.render("{{ status | upper }}", {"status": "firing", "alerts": []})
    'FIRING'
    >>> renderer.render("{{ alerts | dictsort }}", {"alerts": []})
    Traceback (most recent call last):
    ...
    sinks.receivers.rendering.TemplateFailsError: AttributeError 'list' object has no attribute 'items'
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._end: Callable[[], object] = lambda: None
        self._cut_off: dict[str, _CutOff] = {}

    def render(self, template: str, names: Mapping[str, Any]) -> str:
        """Return a template's text.

        Raises
        ------
        TemplateFailsError
        """
        cut_off = self._cut_off.get(template, _CutOff())
        if cut_off.left_out:
            self._cut_off[template] = replace(cut_off, left_out=cut_off.left_out - 1)
            raise TemplateFailsError(f"{cut_off.reason} again and again, and is not tried each time")
        request = json.dumps({"template": template, "names": names}) + "\n"
        try:
            # A process that had nothing to do may have ended just now.
            answer = self._asked(request) or self._asked(request)
        except OSError as error:
            raise TemplateFailsError(f"the process that renders does not start: {error}") from error
        except TemplateFailsError as error:
            self._cut_off[template] = cut_off.once_more(str(error))
            raise
        document: dict[str, str] = json.loads(answer or '{"error": "the process that renders has ended"}')
        if "error" in document:
            raise TemplateFailsError(document["error"])
        self._cut_off[template] = cut_off.once_less()
        return document["text"]

    def _asked(self, request: str) -> str:
        """Return the answer; empty if the process has ended by itself.

        Raises
        ------
        TemplateFailsError
            If the template has ended the process.
        """
        process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(request)
            process.stdin.flush()
            answer = process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            signalled = -process.wait()
            self._end()
            self._process = None
            if signalled == signal.SIGPROF:
                raise TemplateFailsError(f"it takes more than {worker.MOST_CPU_S:g} s")
            if signalled:
                raise TemplateFailsError(f"its process ended with {signalled}")
        return answer

    def _start(self) -> subprocess.Popen[str]:
        process = self._process = subprocess.Popen(  # noqa: S603 -- the command is a file of ours
            [sys.executable, "-P", worker.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self._end = weakref.finalize(self, _end, process)
        return process


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        try:
            pipe.close()
        except BrokenPipeError:  # what could not be written is not wanted any more
            continue
