"""One service and one browser for all tests of pages.

Playwright runs an event loop in this thread for as long as it is open, in which nothing else may run one: so it is
closed with the last test of this folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.web.browser.governed import governed
from tests.web.browser.looking import Look, Open, chromium
from tests.web.browser.operated import operated
from tests.web.browser.site import Site, drifted, serving_site

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="package")
def site() -> Iterator[Site]:
    with serving_site(governed(operated(drifted()))) as site:
        yield site


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def look(site: Site, browser: Browser) -> Iterator[Open]:
    """Open pages by their paths; whatever they said to the console, or asked of others, fails the test."""
    looks: list[Look] = []

    def open_page(path: str, secret: str = "", of: Site = site) -> Look:
        options = {"extra_http_headers": {"Authorization": f"Bearer {secret}"}} if secret else {}
        looks.append(Look.at(browser, of.url, path, **options))
        of.pages.append(looks[-1].close)
        return looks[-1]

    yield open_page
    for each in looks:
        each.close()
        assert each.unexpected == []
        assert each.foreign == []
