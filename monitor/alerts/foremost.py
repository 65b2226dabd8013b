"""What an alert says of a signal that is off in several ways: the fault first, and not what comes along with it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from monitor.alerts.verdict import Beside, Change, Verdict

__all__ = [
    "CONCENTRATION",
    "EQUAL_PAIRS",
    "OF_A_PART",
    "WORSE",
    "foremost",
    "is_nearly_constant",
    "is_of_spread",
    "is_of_vectors",
    "is_side_effect",
]

WORSE = 1.5
"""How many times as large a move must be to be told again, or in the place of another one."""

SPREAD = "spread"
"""What begins so is how far values or vectors spread."""

CONCENTRATION = "concentration"
"""What it is called how alike the values of a number are: of two, the probability that they are in one group."""

EQUAL_PAIRS = "share of equal pairs"
"""What it is called how alike answers are: of two of them, the probability that they are equal."""

SIDE_EFFECTS = (SPREAD, CONCENTRATION, EQUAL_PAIRS)
"""What most often changes along with a level."""

NEARLY_CONSTANT = 0.1
"""Part of the usual spread below which a reader had better think of one value."""

OF_VECTORS = (" along direction ", " over all directions")
"""What the contrasts of vectors are called by."""

OF_A_PART = "coverage of "
"""What begins so is of a part of what ``coverage`` is of."""


def is_side_effect(change: Change | None) -> bool:
    """Whether a change most often comes along with another one of its signal."""
    if change is None or (is_of_vectors(change) and is_of_spread(change) and is_nearly_constant(change)):
        return False
    return change.what.startswith((*SIDE_EFFECTS, OF_A_PART))


def is_of_vectors(change: Change) -> bool:
    """Whether a change is of where vectors lie, or how far they spread: one of them shows along many directions."""
    return any(text in change.what for text in OF_VECTORS)


def is_nearly_constant(change: Change) -> bool:
    """Whether what a spread has become is next to none."""
    return change.after < NEARLY_CONSTANT * change.before


def is_of_spread(change: Change) -> bool:
    """Whether a change is of a spread, of numbers or of vectors: a factor."""
    return change.what.startswith(SPREAD)


def foremost(verdicts: Sequence[Verdict], news: Sequence[Verdict], former: Verdict | None = None) -> Verdict:
    """Return what is said of a signal that alarms.

    Of contrasts that are off, it is the one that was said before, for as long as its alarm stands: until then another
    one takes its place only if it is larger by `WORSE`, and one that may be a side effect never does. What is new
    besides is said after it.

    Parameters
    ----------
    verdicts : sequence of Verdict
        Of one window, strongest first.
    news : sequence of Verdict
        Those of them that nobody knows of.
    former : Verdict, optional
        What was said of the window before.
    """
    strongest = news[0] if news else verdicts[0]
    changed = next((verdict for verdict in verdicts if _is_of_contrasts(verdict)), None)
    if changed is None:
        return strongest
    main = _foremost_contrast(changed, former, is_news=changed in news)
    if strongest is changed or changed in news or not news:
        return main
    # That it is away from its reference is news of its own.
    return replace(strongest, facts=strongest.facts._replace(beside=(_contrast_of(main),)))


def _foremost_contrast(verdict: Verdict, former: Verdict | None, *, is_news: bool) -> Verdict:
    leading = _contrast_of(verdict)
    contrasts = {beside.change.what: beside for beside in (*verdict.facts.beside, leading)}
    former_names = [name for name in _names_said(former) if name in contrasts]
    incumbent = contrasts[former_names[0]] if former_names else leading
    largest = max(contrasts.values(), key=_rank)
    is_graver = is_side_effect(incumbent.change) and not is_side_effect(largest.change)
    first = largest if is_graver or _size(largest) >= WORSE * _size(incumbent) else incumbent
    others = [*([leading.change.what] if is_news else []), *former_names]
    beside = tuple(contrasts[name] for name in others if name != first.change.what)[:1]
    if first is leading:
        return replace(verdict, facts=verdict.facts._replace(beside=beside))
    facts = verdict.facts._replace(change=first.change, new_values=first.new_values, beside=beside)
    # There is no evidence of more of what stands: what there is may be of another contrast.
    return replace(verdict, effect=first.effect, statistic=0.0, surprise=0.0, facts=facts)


def _is_of_contrasts(verdict: Verdict) -> bool:
    change = verdict.facts.change
    return change is not None and not change.against_reference


def _names_said(former: Verdict | None) -> list[str]:
    """Return which contrasts were said, the first one first."""
    if former is None or former.facts.change is None:
        return []
    first = [former.facts.change] if not former.facts.change.against_reference else []
    return [change.what for change in (*first, *(beside.change for beside in former.facts.beside))]


def _contrast_of(verdict: Verdict) -> Beside:
    assert verdict.facts.change is not None
    return Beside(verdict.facts.change, verdict.effect, verdict.facts.new_values)


def _rank(contrast: Beside) -> tuple[bool, float]:
    return not is_side_effect(contrast.change), _size(contrast)


def _size(contrast: Beside) -> float:
    """How large a change is; that a signal repeats itself has no size, and is beyond all doubt."""
    return math.inf if math.isnan(contrast.effect) else contrast.effect
