"""A chart of a signal in its own units: what it was and what was usual, window by window, with numbers on its axes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.pictures import digits
from monitor.pictures.drawing import AXIS, LINE, LOUD, PAPER, QUIET, png
from sinks.receivers.times import moment

__all__ = ["BAND", "HEIGHT", "ONSET", "WIDTH", "Point", "plot"]

WIDTH, HEIGHT = 480, 160
LEFT, RIGHT, TOP, BOTTOM = 62, 8, 8, 20
"""Margins; the left one is wider where numbers need it."""

SHORT, BESIDE_NUMBERS = 7, 8
"""So many characters have room in the left margin, with so many pixels beside them."""

BAND = (226, 232, 240)
ONSET = (217, 119, 6)

TICKS = 4
DAY_MS = 86_400_000
UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Point:
    """One window; NaN is what is not known.

    Attributes
    ----------
    end_ms : int
    actual, expected : float
    low, high : float
        Below and above which the window would have alarmed by itself.
    loud : bool
        Whether it was drift.
    """

    end_ms: int
    actual: float
    expected: float = math.nan
    low: float = math.nan
    high: float = math.nan
    loud: bool = False


def plot(points: Sequence[Point], window_ms: int, onset_ms: int, *, share: bool = False) -> bytes:
    r"""Draw windows in the order of time; return a PNG.

    Red and grey are what there was, the dark line what was expected, the light ground behind it what alarms nothing,
    and the upright line the onset.

    Parameters
    ----------
    points : sequence of Point
        At least one, one window apart.
    window_ms : int
    onset_ms : int
        Since when it most likely moves; 0 draws none.
    share : bool
        Whether numbers are written in percent.

    Examples
    --------
    >>> plot([Point(60_000, 1.0, 1.1), Point(120_000, 7.0, 1.1, loud=True)], 60_000, onset_ms=60_000)[:8]
    b'\x89PNG\r\n\x1a\n'
    """
    pixels = np.full((HEIGHT, WIDTH, 3), PAPER, np.uint8)
    scale = _Scale.of(points)
    numbers = _written(scale, share=share)
    margin = max([LEFT, *(digits.width(text) + BESIDE_NUMBERS for text in numbers.values())])
    columns = np.linspace(margin, WIDTH - RIGHT, len(points) + 1).round().astype(int)
    for point, start, stop in zip(points, columns[:-1], columns[1:], strict=True):
        _draw_window(pixels, point, int(start), int(stop), scale)
    from_ms, to_ms = points[0].end_ms - window_ms, points[-1].end_ms
    if from_ms <= onset_ms <= to_ms and onset_ms:
        x = margin + round((WIDTH - RIGHT - margin - 1) * (onset_ms - from_ms) / (to_ms - from_ms))
        pixels[TOP : HEIGHT - BOTTOM, x] = ONSET
    _draw_axes(pixels, scale, numbers, margin)
    _write_times(pixels, from_ms, to_ms, margin)
    return png(pixels)


@dataclass(frozen=True)
class _Scale:
    """From numbers to rows of pixels.

    Attributes
    ----------
    low, high : float
    step : float
        From one number that is written to the next.
    """

    low: float
    high: float
    step: float

    @classmethod
    def of(cls, points: Sequence[Point]) -> _Scale:
        """Return the scale on which all that there was and was expected has room; the ends of alarms where they do."""
        values = np.array([(point.actual, point.expected) for point in points]).ravel()
        ends = np.array([(point.low, point.high) for point in points]).ravel()
        values, ends = values[np.isfinite(values)], ends[np.isfinite(ends)]
        low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
        room = (high - low) or abs(high) or 1.0
        near = ends[(ends > low - room) & (ends < high + room)]
        low, high = min([low, *near.tolist()]), max([high, *near.tolist()])
        room = high - low
        if not room:
            room = abs(high) or 1.0
            low, high = low - room / 2, high + room / 2
        return cls(low - 0.05 * room, high + 0.05 * room, _round_step(room / TICKS))

    def row(self, value: float) -> int:
        """Return the row of a value; one that is beyond an end has that of the end."""
        part = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - 1 - round((HEIGHT - BOTTOM - TOP - 1) * part)

    def numbers(self) -> list[float]:
        """Return the round numbers that are on it."""
        first = math.ceil(self.low / self.step)
        return [number * self.step for number in range(first, math.floor(self.high / self.step) + 1)]


def _round_step(step: float) -> float:
    size = 10.0 ** math.floor(math.log10(step))
    return next(size * times for times in (1, 2, 5, 10) if size * times >= step)


def _draw_window(pixels: NDArray[np.uint8], point: Point, start: int, stop: int, scale: _Scale) -> None:
    if not (math.isnan(point.low) and math.isnan(point.high)):
        # A side on which nothing alarms is open.
        top = TOP if math.isnan(point.high) else scale.row(point.high)
        floor = HEIGHT - BOTTOM - 1 if math.isnan(point.low) else scale.row(point.low)
        pixels[top : floor + 1, start:stop] = BAND
    if not math.isnan(point.expected):
        pixels[scale.row(point.expected), start:stop] = LINE
    if not math.isnan(point.actual):
        row, right = scale.row(point.actual), max(start + 2, stop - (stop - start > 4))
        pixels[max(TOP, row - 1) : row + 2, start:right] = LOUD if point.loud else QUIET


def _draw_axes(pixels: NDArray[np.uint8], scale: _Scale, numbers: Mapping[float, str], margin: int) -> None:
    pixels[HEIGHT - BOTTOM, margin : WIDTH - RIGHT] = AXIS
    pixels[TOP : HEIGHT - BOTTOM + 1, margin - 1] = AXIS
    for value, text in numbers.items():
        row = scale.row(value)
        pixels[row, margin - 4 : margin - 1] = AXIS
        digits.write(pixels, margin - 7 - digits.width(text), min(max(row - 5, 0), HEIGHT - BOTTOM - 5), text, LINE)


def _written(scale: _Scale, *, share: bool) -> dict[float, str]:
    """Return the numbers on a scale and how they are written: short if that tells neighbours apart, all in one form."""
    numbers, times, sign = scale.numbers(), 100 if share else 1, "%" if share else ""
    values, step = [times * number for number in numbers], times * scale.step
    largest = max([step, *map(abs, values)])
    usual = next(((size, letter) for size, letter in UNITS if largest >= 10 * size), (1.0, ""))
    forms = [[_in_unit(value, step, *unit) + sign for value in values] for unit in (usual, (1.0, ""), *UNITS)]
    forms.append([_scientific(value, step) + sign for value in values])
    return dict(zip(numbers, min(forms, key=lambda texts: max([SHORT, *map(len, texts)])), strict=True))


def _in_unit(value: float, step: float, size: float, letter: str) -> str:
    places = max(0, -math.floor(math.log10(step) - math.log10(size) + 1e-9))
    # Plus 0 leaves no minus sign.
    return f"{round(value / size, places) + 0.0:.{places}f}{letter}"


def _scientific(value: float, step: float) -> str:
    if abs(value) < step / 2:
        return "0"
    places = math.floor(math.log10(abs(value)) + 1e-9) - math.floor(math.log10(step) + 1e-9)
    mantissa, exponent = f"{value:.{places}E}".split("E")
    return f"{mantissa}E{int(exponent)}"


def _write_times(pixels: NDArray[np.uint8], from_ms: int, to_ms: int, margin: int) -> None:
    """Write when the chart begins and ends, and times between: in UTC, days where it is long."""
    form = "%m-%d" if to_ms - from_ms > 3 * DAY_MS else "%m-%d %H:%M" if to_ms - from_ms > DAY_MS // 2 else "%H:%M"
    times = np.linspace(from_ms, to_ms, TICKS).round().astype(np.int64).tolist()
    for at_ms, x in zip(times, np.linspace(margin, WIDTH - RIGHT - 1, TICKS).round().astype(int).tolist(), strict=True):
        text = moment(at_ms).strftime(form)
        begins = min(max(x - digits.width(text) // 2, 0), WIDTH - digits.width(text))
        pixels[HEIGHT - BOTTOM : HEIGHT - BOTTOM + 4, x] = AXIS
        digits.write(pixels, begins, HEIGHT - digits.HEIGHT - 3, text, LINE)
