"""What values become keeps what drift is read from, and nothing that a single value could be read off."""

from __future__ import annotations

import numpy as np
import pytest

from detectors.sketch.category import INVALID
from monitor.privacy.mask import Mask, key_of

NUMBERS = np.concatenate(
    [
        np.random.default_rng(1).lognormal(0, 30, 5_000) * np.random.default_rng(2).choice([-1, 1], 5_000),
        [0.0, -0.0, 5e-324, np.finfo(np.float64).max, -np.finfo(np.float64).max, 31, 33, 1 / 3],
    ]
)


@pytest.mark.parametrize("mask", [Mask("personal"), Mask("bucket", edges=(-10.0, 0.0, 1e6)), Mask("drop")])
def test_what_is_missing_or_unusable_stays_so_and_nothing_else_becomes_it(mask: Mask) -> None:
    odd = np.array([np.nan, np.inf, -np.inf])
    assert np.array_equal(mask.numbers(odd), odd, equal_nan=True)
    assert np.isfinite(mask.numbers(NUMBERS)).all()


@pytest.mark.parametrize("mask", [Mask("personal"), Mask("bucket", edges=(-10.0, 0.0, 1e6))])
def test_larger_numbers_never_become_smaller_ones_and_again_nothing_changes(mask: Mask) -> None:
    masked = mask.numbers(np.sort(NUMBERS))
    assert (np.diff(masked) >= 0).all()
    assert np.array_equal(mask.numbers(masked), masked)


def test_personal_numbers_are_off_by_a_thirty_second_at_most_and_say_sixteen_things_of_an_octave() -> None:
    masked = Mask("personal").numbers(NUMBERS)
    assert (np.abs(masked - NUMBERS) <= np.abs(NUMBERS) / 16).all()
    normal = np.abs(NUMBERS) < 1e300
    assert (np.abs(masked - NUMBERS)[normal] <= np.abs(NUMBERS)[normal] / 32).all()
    assert len(np.unique(Mask("personal").numbers(np.linspace(1, 2, 10_000, endpoint=False)))) == 17


def test_equal_names_have_equal_digests_under_one_key_alone() -> None:
    mask, other = (Mask("hash", key_of(secret * 32)) for secret in "ab")
    names = ["anna", None, "bert", INVALID, "anna", "\ud800"]
    made = mask.names(names)
    assert (made[0], made[1], made[3]) == (made[4], None, INVALID)
    assert len({name for name in made if isinstance(name, str)}) == 3
    assert not {name for name in made if isinstance(name, str)} & set(other.names(names))
    assert key_of("") == b""


@pytest.mark.parametrize("span", [(18.0, 99.0), (-1e308, 1.7e308), (0.0, 5e-324), (1e15, 1e15 + 1)])
@pytest.mark.parametrize("kind", ["personal", "bucket"])
def test_a_number_keeps_the_side_of_its_range_and_the_order(kind: str, span: tuple[float, float]) -> None:
    low, high = span
    mask = Mask(kind, edges=(-10.0, 0.0, 30.0, 1e6), range=span)  # type: ignore[arg-type]
    near = [low, high, *(np.nextafter(end, to) for end in span for to in (-np.inf, np.inf))]
    values = np.sort(np.concatenate([NUMBERS, near]))
    masked = mask.numbers(values)
    assert np.array_equal(values < low, masked < low)
    assert np.array_equal(values > high, masked > high)
    assert np.isfinite(masked).all()
    assert (np.diff(masked) >= 0).all()
