"""Digits in a picture, for the numbers on its axes: words stand beside it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["HEIGHT", "width", "write"]

SCALE = 2
HEIGHT = 5 * SCALE
STEP = 4 * SCALE

_GLYPHS = {
    "0": "####.##.##.####",
    "1": ".#.##..#..#.###",
    "2": "###..#####..###",
    "3": "###..####..####",
    "4": "#.##.####..#..#",
    "5": "####..###..####",
    "6": "####..####.####",
    "7": "###..#..#..#..#",
    "8": "####.#####.####",
    "9": "####.####..####",
    ".": ".............#.",
    "-": "......###......",
    ":": "....#.....#....",
    "%": "#.#..#.#.#..#.#",
    "k": "#..#.###.##.#.#",
    "M": "#.#####.##.##.#",
    "G": "####..#.##.####",
    "E": "####..##.#..###",
}
"""Five rows of three pixels each."""

_PIXELS = {char: np.array([pixel == "#" for pixel in dots]).reshape(5, 3) for char, dots in _GLYPHS.items()}


def width(text: str) -> int:
    """Return how wide a text is, in pixels."""
    return STEP * len(text) - SCALE


def write(pixels: NDArray[np.uint8], column: int, row: int, text: str, colour: tuple[int, int, int]) -> None:
    """Write a text of digits, ``.``, ``-``, ``:``, ``%``, ``k``, ``M``, ``G``, ``E`` and spaces into a picture.

    Parameters
    ----------
    pixels : uint8 array [height, width, 3]
    column, row : int
        Where its upper left corner lies.
    text : str
    colour : tuple of int

    Examples
    --------
    >>> pixels = np.zeros((10, width("7"), 3), np.uint8)
    >>> write(pixels, 0, 0, "7", (255, 255, 255))
    >>> ["".join(" #"[int(lit > 0)] for lit in dots) for dots in pixels[::2, ::2, 0]]
    ['###', '  #', '  #', '  #', '  #']
    """
    for number, char in enumerate(text):
        if char != " ":
            glyph = _PIXELS[char].repeat(SCALE, axis=0).repeat(SCALE, axis=1)
            x = column + number * STEP
            pixels[row : row + HEIGHT, x : x + 3 * SCALE][glyph] = colour
