"""Looks at pages with a real browser, as people do: what is shown, said, asked for, and can be reached."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Protocol

from tests.web.browser.site import Site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["WIDTHS", "Look", "Open", "chromium"]

WIDTHS = (360, 1280, 2560)
PATIENCE_MS = 120_000

REACHABLE = """() => [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex="0"]')]
    .filter((each) => !each.disabled && each.checkVisibility({visibilityProperty: true}))
    .map((each) => each.outerHTML.slice(0, 200))"""
"""What a keyboard has to reach, as it is in the document."""

WITHOUT_FOCUS = "() => document.activeElement === document.body"
FOCUSED = "() => document.activeElement.outerHTML.slice(0, 200)"
REFUSED = "Failed to load resource"
WIDER = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


SETTLED = """() => document.querySelector('#app > *, main > h1') !== null
    && document.querySelector('[aria-busy=true]') === null
    && (document.documentElement.dataset.unanswered ?? '0') === '0'"""
"""Both at once: a part that is drawn from an answer asks in the same step."""


class Open(Protocol):
    """Opens a page, of another service or as the holder of a token where that is said."""

    def __call__(self, path: str, secret: str = ..., of: Site = ...) -> Look: ...


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the Chromium of the distribution."""
    from playwright.sync_api import sync_playwright

    program = shutil.which("chromium")
    assert program is not None, "the tests of pages need a browser: .ci/packages chromium"
    with sync_playwright() as playwright:
        # It stands in no sandbox of its own: root may not have one, and it sees nothing but our pages.
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Look:
    """A page in a window of its own.

    Attributes
    ----------
    page : Page
    messages : list of str
        What was written to the console, and exceptions.
    foreign : list of str
        Addresses of other services that were asked for.
    may_be_refused : bool
        Whether the console may say that a request was.
    """

    page: Page
    messages: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    may_be_refused: bool = False

    @classmethod
    def at(cls, browser: Browser, url: str, path: str, **options: Any) -> Look:
        """Open a page, and wait until it has nothing more to ask."""
        context = browser.new_context(viewport={"width": 1280, "height": 900}, timezone_id="Asia/Tokyo", **options)
        context.set_default_timeout(PATIENCE_MS)
        look = cls(context.new_page())
        look.page.on("console", lambda message: look.messages.append(message.text))
        look.page.on("pageerror", lambda error: look.messages.append(str(error)))
        own = (url, "data:", f"blob:{url}")
        look.page.on(
            "request", lambda request: None if request.url.startswith(own) else look.foreign.append(request.url)
        )
        look.page.goto(url + path)
        look.settle()
        return look

    def close(self) -> None:
        """Close the window, as often as it is said; what the page still asks for has nobody to answer any more."""
        if not self.page.is_closed():
            self.page.unroute_all(behavior="ignoreErrors")
            self.page.context.close()

    def allow_refusals(self) -> None:
        """Forget what the browser noted so far, and refused requests from now on: it may note one late."""
        self.messages.clear()
        self.may_be_refused = True

    @property
    def unexpected(self) -> list[str]:
        """What the console said that a test did not ask for."""
        return [message for message in self.messages if not (self.may_be_refused and message.startswith(REFUSED))]

    def settle(self) -> None:
        """Wait until everything that the page shows is there."""
        self.page.wait_for_function(SETTLED)

    @property
    def text(self) -> str:
        return self.page.inner_text("main")

    def violations(self) -> list[str]:
        """Return what keeps people from using the page, as axe-core says it."""
        self.page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text())
        result = self.page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{rule['id']}: {rule['help']}: {node['html'][:200]} {node['failureSummary']}"
            for rule in result["violations"]
            for node in rule["nodes"]
        ]

    def too_wide_at(self) -> list[int]:
        """Return the widths at which one has to scroll sideways."""
        wide = []
        for width in WIDTHS:
            self.page.set_viewport_size({"width": width, "height": 900})
            self.page.wait_for_timeout(50)
            if self.page.evaluate(WIDER) > 0:
                wide.append(width)
        return wide

    def unreached(self) -> list[str]:
        """Return what can be pressed or followed and that the tabulator does not come to."""
        reachable = self.page.evaluate(REACHABLE)
        self.page.evaluate("() => { document.activeElement.blur(); window.scrollTo(0, 0); }")
        reached = set()
        for _ in range(len(reachable) + 10):
            self.page.keyboard.press("Tab")
            if self.page.evaluate(WITHOUT_FOCUS):
                break
            reached.add(self.page.evaluate(FOCUSED))
        return [each for each in reachable if each not in reached]
