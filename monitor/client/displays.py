"""How answers draw themselves in a notebook: HTML without scripts, of which every text is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

from monitor.cells import columns_of, duration, number, when
from monitor.resources.contract import Row
from monitor.resources.heatmap import MOST_STRENGTH
from monitor.resources.history import SERIES
from monitor.resources.windows import ExplainedContrast

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = [
    "MOST_ROWS",
    "Distributed",
    "Explained",
    "Shown",
    "ShownAlert",
    "ShownIncident",
    "ShownRollout",
    "drawn_history",
    "table",
]

MOST_ROWS, MOST_SERIES, MOST_NAMES = 50, 6, 12
WIDTH, HEIGHT = 600, 60


class Shown(dict[str, Any]):
    """A document that draws itself in a notebook, and is a dictionary everywhere else.

    Attributes
    ----------
    template : str
        What draws it.
    """

    template: ClassVar[str]

    def _repr_html_(self) -> str:
        return _rendered(self.template, **self.shows())

    def shows(self) -> dict[str, Any]:
        """Return what the template is given: the document's members, and what has to be worked out first."""
        return dict(self)


class ShownIncident(Shown):
    """An incident: what moved, since when, what may be behind it, and its alerts."""

    template = "incident.html"


class ShownAlert(Shown):
    """An alert from its start, with who was notified."""

    template = "alert.html"


class Explained(Shown):
    """A window of a signal, and why it alarmed or did not."""

    template = "explained.html"

    def shows(self) -> dict[str, Any]:
        columns = columns_of(ExplainedContrast)
        rows = [[str(column.write(contrast)) for column in columns] for contrast in self["contrasts"]]
        return {**self, "headings": [column.heading for column in columns], "rows": rows}


class ShownRollout(Shown):
    """A rollout: the difference of each metric with its bounds, beside what the candidate may lose."""

    template = "rollout.html"

    def shows(self) -> dict[str, Any]:
        return {**self, "intervals": [_interval(fact) for fact in self["compared"]]}


class Distributed(Shown):
    """How a signal is distributed, beside another span."""

    template = "distribution.html"

    def shows(self) -> dict[str, Any]:
        cells = self["cells"]
        shares = {side: _shares(cells[side]) for side in ("current", "baseline") if cells.get(side)}
        bars = _names(cells["names"], shares) if cells.get("names") else _columns(cells, shares)
        return {**self, "bars": bars, "is_by_name": bool(cells.get("names"))}


def table(row: type[Row], rows: Iterable[Mapping[str, Any]]) -> str:
    """Return rows as the table that their declaration describes, the first :data:`MOST_ROWS` of them.

    Examples
    --------
    >>> from monitor.resources.history import Bucket
    >>> "no rows" in table(Bucket, [])
    True
    """
    columns, shown = columns_of(row), list(islice(rows, MOST_ROWS + 1))
    cells = [[str(column.write(each)) for column in columns] for each in shown[:MOST_ROWS]]
    headings = [column.heading for column in columns]
    return _rendered("table.html", headings=headings, rows=cells, most=MOST_ROWS if len(shown) > MOST_ROWS else 0)


def drawn_history(buckets: Iterable[Mapping[str, Any]]) -> str:
    """Return the effect of each series over its threshold as lines, series that drifted most often first."""
    series: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for bucket in buckets:
        series.setdefault(tuple(bucket[name] for name in SERIES), []).append(bucket)
    lines = [_line(key, of_series) for key, of_series in series.items()]
    lines.sort(key=lambda line: (-len(line["drifts"]), -line["largest"]))
    return _rendered("history.html", lines=lines[:MOST_SERIES], omitted=max(0, len(lines) - MOST_SERIES))


def _line(key: tuple[str, ...], buckets: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the points of a line: effects over the smallest that matters, which is 1 on every one."""
    points = [
        (bucket["bucket_end_ms"], _strength(bucket["worst"]), bucket["statuses"].get("drift", 0)) for bucket in buckets
    ]
    from_ms, to_ms = points[0][0], points[-1][0]
    largest = max((strength for _, strength, _ in points if strength is not None), default=0.0)
    top, span_ms = max(largest, 1.0) * 1.1, max(to_ms - from_ms, 1)

    def place(at_ms: int, strength: float) -> tuple[float, float]:
        return round((at_ms - from_ms) / span_ms * WIDTH, 1), round(HEIGHT * (1 - strength / top), 1)

    placed = [place(at_ms, strength) for at_ms, strength, _ in points if strength is not None]
    return {
        "name": " · ".join(part for part in key if part),
        "largest": largest,
        "points": " ".join(f"{x},{y}" for x, y in placed),
        # An effect without a threshold, or without bound, has no place of its own; that it drifted is shown.
        "drifts": [place(at_ms, 1.0 if strength is None else strength) for at_ms, strength, drifts in points if drifts],
        "threshold": place(from_ms, 1.0)[1],
        "from_ms": from_ms,
        "to_ms": to_ms,
    }


def _strength(score: Mapping[str, Any]) -> float | None:
    effect, least = score["effect"], score["min_effect"]
    return None if effect is None or not least else min(max(effect / least, 0.0), MOST_STRENGTH)


def _interval(fact: Mapping[str, Any]) -> dict[str, Any]:
    """Return where the bounds of a difference lie on a scale on which the largest loss is 1."""
    scale = max(abs(fact[name] or 0.0) for name in ("low", "high", "difference", "max_loss")) or 1.0

    def place(value: float | None, otherwise: float) -> float:
        return round(WIDTH / 2 * (1 + max(-1.0, min(1.0, otherwise if value is None else value / scale / 1.1))), 1)

    losses = {"higher": [-fact["max_loss"]], "lower": [fact["max_loss"]], "same": [-fact["max_loss"], fact["max_loss"]]}
    return {
        **fact,
        "left": place(fact["low"], -1.0),
        "right": place(fact["high"], 1.0),
        "middle": None if fact["difference"] is None else place(fact["difference"], 0.0),
        "losses": [place(loss, 0.0) for loss in losses[fact["better"]]],
    }


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts) or 1
    return [count / total for count in counts]


def _columns(cells: Mapping[str, Any], shares: Mapping[str, Sequence[float]]) -> list[dict[str, Any]]:
    """Return the cells of a number, from the lowest to the highest, each as high as its share."""
    top = max((share for side in shares.values() for share in side), default=0.0) or 1.0
    bounds = list(zip(cells["low"] or (), cells["high"] or (), strict=True))
    width = WIDTH / max(len(bounds), 1)
    return [
        {
            "x": round(index * width, 2),
            "width": round(width * 0.9, 2),
            "says": f"{number(low) or '…'} to {number(high) or '…'}",
            **{side: round(side_shares[index] / top * HEIGHT * 2, 1) for side, side_shares in shares.items()},
        }
        for index, (low, high) in enumerate(bounds)
    ]


def _names(names: Sequence[str | None], shares: Mapping[str, Sequence[float]]) -> list[dict[str, Any]]:
    """Return categories, those whose share is or was the largest first."""
    rows: list[dict[str, Any]] = [
        {
            "name": "all others" if name is None else name,
            **{side: side_shares[index] for side, side_shares in shares.items()},
        }
        for index, name in enumerate(names)
    ]
    rows.sort(key=lambda row: -max(row[side] for side in shares))
    return rows[:MOST_NAMES]


@cache
def _templates() -> Environment:
    # A program that only reads rows has no need of it.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("monitor.client", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    templates.filters.update(utc=when, number=number, duration=duration)
    templates.globals.update(width=WIDTH, height=HEIGHT)
    return templates


def _rendered(template: str, **names: Any) -> str:
    return _templates().get_template(template).render(**names)
