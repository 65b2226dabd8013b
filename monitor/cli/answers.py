"""Where commands get their answers: from a running service, or straight from a store that no service has open."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from monitor.api.reading import Page
    from sinks.store.contract import Store

__all__ = ["DEFAULT_URL", "Answers", "Local", "asks", "between", "parameters"]

DEFAULT_URL = "http://127.0.0.1:8080"
TIMEOUT_S = 60.0
STORE_MARK = "leeway.lock"

Row = dict[str, Any]
Local = Callable[["Store", int, "str | None"], "Page"]
"""Reads a page of at most so many items behind a cursor from an open store."""
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Answers:
    """Exactly one of the two is set.

    Attributes
    ----------
    url : str or None
        Of a running service.
    store : Path or None
        The directory of an embedded store.
    """

    url: str | None
    store: Path | None

    @classmethod
    def of(cls, url: str | None, store: Path | None) -> Answers:
        """Read the two options; without either, the service on this machine is asked."""
        if url is not None and store is not None:
            raise click.UsageError("--url and --store exclude each other.")
        return cls(None, store) if store is not None else cls((url or DEFAULT_URL).rstrip("/"), None)

    def items(self, route: str, given: dict[str, Any], local: Local, limit: int) -> Iterator[Row]:
        """Yield at most ``limit`` items, page by page.

        Raises
        ------
        InputError
            If the question is wrong.
        SourceError
            If the service cannot be reached or fails.
        StoreError
            If the store cannot be opened, for one because a service has it open.
        """
        if self.store is None:
            yield from _paged(lambda size, cursor: self._ask(route, {**given, "limit": size, "cursor": cursor}), limit)
            return
        with _opened(self.store) as store:
            yield from _paged(lambda size, cursor: _from_page(local(store, size, cursor)), limit)

    def _ask(self, route: str, given: dict[str, Any]) -> tuple[list[Row], str | None]:
        import httpx

        from monitor.errors import SourceError

        known = {name: value for name, value in given.items() if value is not None}
        try:
            answer = httpx.get(f"{self.url}{route}", params=known, timeout=TIMEOUT_S)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise SourceError(
                f"{self.url} cannot be reached: {error}; --store DIR reads a store that no service has open",
                retryable=True,
            ) from error
        document = _document(answer, f"{self.url}{route}")
        return document["items"], document["next_cursor"]


def _document(answer: Any, address: str) -> dict[str, Any]:
    """Return the body of an answer, or raise what it says went wrong."""
    from monitor.errors import InputError, SourceError

    try:
        document = answer.json()
    except ValueError as error:
        raise SourceError(f"{address} is no Leeway service: it does not answer JSON", retryable=False) from error
    if answer.status_code >= 500:
        raise SourceError(f"{address}: {document.get('detail', answer.status_code)}", retryable=True)
    if answer.status_code >= 400:
        raise InputError(str(document.get("detail", answer.status_code)))
    if not isinstance(document, dict) or "items" not in document:
        raise SourceError(f"{address} is no Leeway service", retryable=False)
    return document


def _paged(page: Callable[[int, str | None], tuple[list[Row], str | None]], limit: int) -> Iterator[Row]:
    from monitor.api.reading import MAX_LIMIT

    cursor: str | None = None
    while limit > 0:
        rows, cursor = page(min(limit, MAX_LIMIT), cursor)
        yield from rows
        limit -= len(rows)
        if cursor is None:
            return


def _from_page(page: Page) -> tuple[list[Row], str | None]:
    return page.rows, page.next_cursor


def _opened(path: Path) -> Any:
    from contextlib import closing

    from monitor.errors import InputError
    from sinks.store import open_store

    # Opening would create an empty store, and a mistyped name would answer "nothing".
    if not (path / STORE_MARK).is_file():
        raise InputError(f"no store at {path}")
    return closing(open_store("chdb", str(path)))


def between(from_: str | None, to: str | None) -> tuple[int | None, int | None]:
    """Read ``--from`` and ``--to``."""
    from monitor.api.times import parse_range
    from monitor.clock import SystemClock

    return parse_range(from_, to, SystemClock().now_ms())


def asks(function: F) -> F:
    """Add the options that say whom to ask, when, and how much."""
    options = (
        click.option("--url", help=f"A running service.  [default: {DEFAULT_URL}]"),
        click.option("--store", type=click.Path(path_type=Path), help="A store's directory, while no service runs."),
        click.option("--from", "from_", metavar="TIME", help="ISO 8601, ms since the epoch, or relative: -1h."),
        click.option("--to", metavar="TIME", help="The end, excluded."),
        click.option("--limit", type=click.IntRange(min=1), default=1_000, show_default=True),
        click.option("--json", "json_", is_flag=True, help="One JSON object per line."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def parameters(**given: Any) -> dict[str, Any]:
    """Return the parameters of a request; names that Python reserves end with an underscore here."""
    return {name.rstrip("_"): value for name, value in given.items() if value is not None}
