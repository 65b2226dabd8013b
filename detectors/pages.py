"""Documentation of detectors and scorers, from their descriptions: ``python -m detectors.pages docs/detectors``.

What an observation costs and how a detector behaves is measured, not described: ``python -m bench.detectors --write
docs/detectors/measured.json`` and ``python -m bench.detector_table --write docs/detectors/behaviour.json`` leave it
where the pages are made.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from detectors.anomaly import SCORERS, with_levels
from detectors.anomaly.levels import LEVEL_FIELDS, LEVEL_WIDTH
from detectors.behaviour import behaviour_page, measured_tables
from detectors.contract import DOMAINS, SIGNALS, Described, Detector, Parameter, Scorer, Unsuited
from detectors.drift import DETECTORS

__all__ = ["main", "pages"]


def pages(measured: Mapping[str, Any], behaviour: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the text of every page by its file's name.

    Parameters
    ----------
    measured : mapping
        What ``bench.detectors`` found, by the name of the detector or scorer.
    behaviour : sequence of mapping
        The rows that ``bench.detector_table`` found.

    Examples
    --------
    >>> pages({}, [])["cusum.md"].splitlines()[0]
    '# `cusum`'
    """
    described: dict[str, Described] = {**DETECTORS, **SCORERS}
    texts = {f"{name}.md": _joined(_page(entry, measured.get(name), behaviour)) for name, entry in described.items()}
    return {"README.md": _joined(_index()), "behaviour.md": _joined(behaviour_page(behaviour)), **texts}


def main(folder: Path) -> None:
    """Write every page into `folder`, and remove those of detectors that are no more."""
    folder.mkdir(parents=True, exist_ok=True)
    measured, behaviour = (
        json.loads((folder / f"{name}.json").read_text("utf-8")) for name in ("measured", "behaviour")
    )
    expected = pages(measured, behaviour["rows"])
    for page in folder.glob("*.md"):
        if page.name not in expected:
            page.unlink()
    for name, text in expected.items():
        (folder / name).write_text(text, encoding="utf-8")


def _joined(paragraphs: Iterator[str]) -> str:
    return "\n\n".join(paragraphs) + "\n"


def _index() -> Iterator[str]:
    yield "# Detectors and scorers, one by one"
    yield (
        "These pages are written from the code by `make docs`. [Which to take](../detectors.md) is a page of its own, "
        "and so is [how they behave](behaviour.md): false alarms and delays, measured beside those of other projects."
    )
    yield "\n".join(["| detector of change | finds |", "|---|---|", *map(_row, DETECTORS.values())])
    if SCORERS:
        yield "\n".join(["| scorer of anomalies | finds |", "|---|---|", *map(_row, SCORERS.values())])


def _row(entry: Described) -> str:
    return f"| [`{entry.name}`]({entry.name}.md) | {entry.summary} |"


def _page(
    entry: Described, measured: Mapping[str, Any] | None, behaviour: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    yield f"# `{entry.name}`"
    yield entry.summary
    yield f"**When to use it.** {entry.use_when}"
    yield f"**How it works.** {_explanation(entry)}"
    if isinstance(entry, Detector):
        yield f"**False alarms.** {entry.false_alarms}"
        if entry.unsuited:
            yield "\n".join(["**Not for:**", "", *map(_unsuited, entry.unsuited)])
        yield from measured_tables(entry.name, behaviour)
        yield f"**Values.** {DOMAINS[entry.domain].capitalize()}."
    yield f"**Score.** {entry.statistic}"
    yield f"**Cost.** {_cost(entry, measured)}"
    yield f"**Memory.** {_memory(entry)} for each series, with the defaults."
    yield "\n".join(_table(with_levels(entry).parameters if isinstance(entry, Scorer) else entry.parameters))
    yield f"**Reference.** {entry.reference}"


def _unsuited(unsuited: Unsuited) -> str:
    return f"- {SIGNALS[unsuited.signals]}: {unsuited.reason}. Take [`{unsuited.instead}`]({unsuited.instead}.md)."


def _explanation(entry: Described) -> str:
    """The docstring of the file; its first sentence may be a title."""
    module = sys.modules[entry.update.__module__]
    return inspect.cleandoc(module.__doc__ or "").replace("``", "`")


def _cost(entry: Described, measured: Mapping[str, Any] | None) -> str:
    if measured is None:
        return "Not measured yet."
    best = measured["best_ns"]
    kind = " of 10 numbers" if isinstance(entry, Scorer) and entry.vectors else ""
    peers = {"river": "river's", "moa": "MOA's"}
    beside = [f"{whose} {_time(best[peer])}" for peer, whose in peers.items() if peer in best]
    compared = f"; {', '.join(beside)}" if beside else ""
    mine = f"{_time(best['many'] if 'many' in best else best['one'])} for an observation{kind}, in batches, on one core"
    return f"{mine}{compared} ([measured](../benchmarks.md))."


def _time(ns: float) -> str:
    for unit, divisor in (("ms", 1e6), ("µs", 1e3)):
        if ns >= divisor:
            return f"{ns / divisor:.3g} {unit}"
    return f"{ns:.2g} ns" if ns < 100 else f"{ns:.0f} ns"


def _memory(entry: Described) -> str:
    if isinstance(entry, Scorer):
        numbers = 10 if entry.vectors else 1
        size = entry.dtype.itemsize + 8 * entry.memory_width(entry.values(), numbers)
        levels = 8 * (len(LEVEL_FIELDS) + LEVEL_WIDTH)
        each = f" ({numbers} numbers in an observation)" if entry.vectors else ""
        return f"{_size(size)}{each}, and {_size(levels)} for its levels,"
    assert isinstance(entry, Detector)
    return _size(entry.dtype.itemsize + 8 * entry.memory_width(entry.values()))


def _size(size_bytes: int) -> str:
    for unit, divisor in (("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= divisor:
            return f"{size_bytes / divisor:.1f} {unit}"
    return f"{size_bytes} B"


def _table(parameters: tuple[Parameter, ...]) -> Iterator[str]:
    yield "| parameter | default | allowed | meaning |"
    yield "|---|---|---|---|"
    for parameter in parameters:
        default = "not given" if parameter.default is None else f"{parameter.default}".removesuffix(".0")
        allowed = parameter.allowed.removeprefix("allowed is ")
        yield f"| `{parameter.name}` | {default} | {allowed} | {parameter.meaning} |"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
