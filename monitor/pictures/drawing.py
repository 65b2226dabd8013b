"""Small charts as PNG, without a word in them: bars, a line and a shaded span.

Words stand beside a picture, where they can be read aloud, searched and scaled. So nothing here needs fonts, and what
is left is too little for a library.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["HEIGHT", "WIDTH", "Bar", "draw", "png"]

WIDTH, HEIGHT = 480, 120
MARGIN = 6
Colour = tuple[int, int, int]

PAPER: Colour = (255, 255, 255)
SHADE: Colour = (253, 236, 234)
AXIS: Colour = (150, 150, 150)
LINE: Colour = (40, 40, 40)
QUIET: Colour = (148, 163, 184)
LOUD: Colour = (208, 0, 0)


@dataclass(frozen=True)
class Bar:
    """One bar.

    Attributes
    ----------
    height : float
        From 0 up; NaN leaves the place empty.
    loud : bool
        Red rather than grey.
    shaded : bool
        Whether it stands on a shaded ground.
    """

    height: float
    loud: bool = False
    shaded: bool = False


def draw(bars: Sequence[Bar], line: float | None = None) -> bytes:
    r"""Draw bars next to each other, scaled so that they and the line fit; return a PNG.

    Parameters
    ----------
    bars : sequence of Bar
        At least one, and no more than there is room for: 200.
    line : float or None
        A height at which a dotted line goes across.

    Examples
    --------
    >>> draw([Bar(0.2), Bar(0.5, loud=True, shaded=True)], line=0.3)[:8]
    b'\x89PNG\r\n\x1a\n'
    """
    pixels = np.full((HEIGHT, WIDTH, 3), PAPER, np.uint8)
    floor, room = HEIGHT - MARGIN, HEIGHT - 2 * MARGIN
    heights = np.array([bar.height for bar in bars])
    most = max([*heights[np.isfinite(heights)], line or 0.0, 1e-300]) * 1.05
    edges = np.linspace(MARGIN, WIDTH - MARGIN, len(bars) + 1).round().astype(int)
    for bar, start, end in zip(bars, edges[:-1], edges[1:], strict=True):
        if bar.shaded:
            pixels[MARGIN:floor, start:end] = SHADE
        if bar.height > 0:
            top = floor - max(1, round(room * min(bar.height / most, 1.0)))
            pixels[top:floor, start : max(start + 1, end - (end - start > 2))] = LOUD if bar.loud else QUIET
    pixels[floor, MARGIN : WIDTH - MARGIN] = AXIS
    if line is not None:
        pixels[floor - round(room * line / most), MARGIN : WIDTH - MARGIN : 3] = LINE
    return png(pixels)


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Return an image as PNG (ISO/IEC 15948): eight bits of red, green and blue.

    Parameters
    ----------
    pixels : ndarray, uint8[height, width, 3]
    """
    height, width, _ = pixels.shape
    # Each line begins with the number of its filter; 0 is none.
    lines = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, width * 3)], axis=1)
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(lines.tobytes(), 9)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
