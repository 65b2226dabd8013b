"""Windows as sums of panes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from monitor.baselines import add_up
from monitor.panes import summary_of
from monitor.watch import Summary, Watch

__all__ = ["Window", "first_window_end", "windows"]

Key = tuple[str, str, str]  # version, segment, signal


@dataclass(slots=True)
class Window:
    """All series of a model over one stretch of event time.

    Attributes
    ----------
    end_ms : int
    summaries : dict
        By version, segment, signal: only series that have panes in it.
    volume : dict of str to int
        Events by segment, all versions together.
    """

    end_ms: int
    summaries: dict[Key, Summary] = field(default_factory=dict)
    volume: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Block:
    """The panes of one step, added up."""

    summaries: dict[Key, Summary] = field(default_factory=dict)
    volume: dict[str, int] = field(default_factory=dict)


def first_window_end(watch: Watch, first_pane_ms: int) -> int:
    """The end of the first window that lies wholly behind ``first_pane_ms``."""
    defaults = watch.model.spec.detect.defaults
    step, offset = defaults.step_ms, defaults.offset
    return -(-(first_pane_ms - offset) // step) * step + offset + defaults.window


def windows(watch: Watch, rows: Mapping[str, Any], ends_ms: range) -> Iterator[Window]:
    """Add panes up to windows.

    Parameters
    ----------
    watch : Watch
    rows : mapping
        Rows of ``panes``, on time, from the first window's start to the last one's end.
    ends_ms : range
        Ends of the windows, one step apart.

    Yields
    ------
    Window
        One for each end, in order; without series where nothing happened.
    """
    defaults = watch.model.spec.detect.defaults
    step = defaults.step_ms
    blocks = _blocks(watch, rows, step, defaults.offset)
    parts = defaults.window // step
    for end_ms in ends_ms:
        last = (end_ms - defaults.offset) // step
        yield _sum_blocks(end_ms, [blocks[b] for b in range(last - parts, last) if b in blocks])


def _blocks(watch: Watch, rows: Mapping[str, Any], step_ms: int, offset_ms: int) -> dict[int, _Block]:
    members: dict[tuple[int, Key], list[int]] = {}
    blocks: dict[int, _Block] = {}
    starts = rows["pane_start_ms"].tolist()
    for i, start in enumerate(starts):
        block = (start - offset_ms) // step_ms
        signal, segment = rows["signal"][i], rows["segment"][i]
        if signal == "volume":
            volume = blocks.setdefault(block, _Block()).volume
            volume[segment] = volume.get(segment, 0) + int(rows["n"][i])
        elif (layout := watch.layouts.get(signal)) is not None and layout.id == rows["layout"][i]:
            members.setdefault((block, (rows["version"][i], segment, signal)), []).append(i)
    for (block, key), indices in members.items():
        parts = [summary_of(rows, i, watch.layouts[key[2]]) for i in indices]
        blocks.setdefault(block, _Block()).summaries[key] = add_up(parts)
    return blocks


def _sum_blocks(end_ms: int, blocks: list[_Block]) -> Window:
    if len(blocks) == 1:
        return Window(end_ms, blocks[0].summaries, blocks[0].volume)
    window = Window(end_ms)
    parts: dict[Key, list[Summary]] = {}
    for block in blocks:
        for key, summary in block.summaries.items():
            parts.setdefault(key, []).append(summary)
        for segment, n in block.volume.items():
            window.volume[segment] = window.volume.get(segment, 0) + n
    window.summaries = {key: add_up(summaries) for key, summaries in parts.items()}
    return window
