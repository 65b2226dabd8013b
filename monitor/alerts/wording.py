"""What people read about an alert: its title, and one sentence for each signal."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Protocol

from monitor.alerts.verdict import Verdict
from sinks.receivers.times import utc

__all__ = ["Moved", "reason", "title"]

KINDS = {
    "volume": "volumes",
    "prediction": "predictions",
    "performance": "performance metrics",
    "feature": "features",
    "missing": "missing rates",
    "serving": "serving metrics",
}
"""What several signals of a kind are called, in the order in which a title lists them."""

SPELLED = {
    "jensen_shannon": "Jensen–Shannon",
    "hellinger": "Hellinger",
    "l_infinity": "L-infinity",
    "g_test": "G-test",
    "kuiper": "Kuiper",
    "cramer_von_mises": "Cramér–von Mises",
    "anderson_darling": "Anderson–Darling",
    "energy": "energy distance",
    "wasserstein": "Wasserstein",
    "pai": "PAI excess",
}
"""What people call a distance whose name in a configuration says it otherwise."""

SHARES = re.compile(r"([^ ]+ %) → ([^ ]+ %)(?:; )?")
"""How the detail of a verdict about a rate begins: its share of the events in the baseline, and in the window."""


class Moved(Protocol):
    """A series that is part of an alert."""

    @property
    def evidence(self) -> Verdict:
        """The strongest verdict of its last alarmed window."""
        ...

    @property
    def since_ms(self) -> int:
        """Start of its first alarmed window."""
        ...

    @property
    def last_ms(self) -> int:
        """End of its last alarmed window."""
        ...

    @property
    def status(self) -> str:
        """What its newest window was: ``drift``, ``ok``, ``no_data``, ``learning``."""
        ...


def title(model: str, ranked: Sequence[Moved]) -> str:
    """Return the headline of an alert.

    Parameters
    ----------
    model : str
    ranked : sequence of Moved
        At least one, strongest first.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> verdict = Verdict("", "", "feature:hour", "psi", "drift", 600_000, 300_000, effect=1.43, min_effect=0.1)
    >>> title("flights", [SimpleNamespace(evidence=verdict)])
    'flights: feature:hour moved (PSI 1.43, 14× its limit)'
    """
    top = ranked[0].evidence
    if len(ranked) == 1:
        return f"{model}: {_name(top)} moved ({_measure(top)})"
    return f"{model}: {_subjects(ranked)} moved together (strongest: {_name(top)} {_measure(top)})"


def reason(moved: Moved) -> str:
    """Return one sentence: what moved, by how much, compared with what, since when, and whether it still does."""
    verdict = moved.evidence
    shares = SHARES.match(verdict.detail)
    effect = f"effect {_number(verdict.effect)} (Cohen's h), " if shares else ""
    measure = _measure(verdict, effect)
    parts = [
        f"{_name(verdict)} moved since {utc(moved.since_ms)}: {measure}{_limit(verdict)}",
        _surprise(verdict),
        f"{verdict.n:,} events up to {utc(verdict.at_ms)}{_baseline(verdict)}",
        verdict.detail[shares.end() :] if shares else verdict.detail,
        _now(moved),
    ]
    return "; ".join(part for part in parts if part)


def _subjects(ranked: Sequence[Moved]) -> str:
    signals = sorted({moved.evidence.signal for moved in ranked})
    segments = len({moved.evidence.segment for moved in ranked})
    kinds: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for signal in signals:
        kinds.setdefault(signal.partition(":")[0], []).append(signal)
    counted = [_counted(kind, names) for kind, names in kinds.items() if names]
    text = counted[0] if len(counted) == 1 else f"{', '.join(counted[:-1])} and {counted[-1]}"
    return f"{text} in {segments} segments" if segments > 1 else text


def _counted(kind: str, names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    return f"{len(names)} {KINDS.get(kind, f'{kind} signals')}"


def _name(verdict: Verdict) -> str:
    return f"{verdict.signal} [{verdict.segment}]" if verdict.segment else verdict.signal


def _measure(verdict: Verdict, effect: str = "") -> str:
    """Say how much it is, and how many times its limit; a rate by its shares, with ``effect`` beside them."""
    name = SPELLED.get(verdict.detector) or (
        verdict.detector.upper() if len(verdict.detector) <= 3 else verdict.detector.replace("_", " ")
    )
    shares = SHARES.match(verdict.detail)
    number = f"{shares[1]} → {shares[2]}" if shares else _number(verdict.effect)
    # `volume volume 2.3` reads badly: a signal watched by the detector of its own name needs it once.
    amount = number if name == verdict.signal else f"{name} {number}"
    if not 0 < verdict.strength < math.inf:
        return amount
    return f"{amount}, {effect}{_times(verdict.strength)}× its limit"


def _limit(verdict: Verdict) -> str:
    return f" of {_number(verdict.min_effect)}" if 0 < verdict.strength < math.inf else ""


def _surprise(verdict: Verdict) -> str:
    if math.isnan(verdict.surprise) or math.isnan(verdict.surprise_limit):
        return ""
    return f"surprise {_number(verdict.surprise)} against a limit of {_number(verdict.surprise_limit)}"


def _baseline(verdict: Verdict) -> str:
    if verdict.baseline_n == 0:
        return ""
    if verdict.baseline_to_ms <= verdict.baseline_from_ms:
        return f" compared with {verdict.baseline_n:,} of the baseline"
    stretch = f"{utc(verdict.baseline_from_ms)} to {utc(verdict.baseline_to_ms)}"
    return f" compared with {verdict.baseline_n:,} from {stretch}"


def _now(moved: Moved) -> str:
    if moved.status == "drift":
        return ""
    if moved.status == "ok":
        return f"quiet since {utc(moved.last_ms)}"
    return f"its newest window was not judged ({moved.status.replace('_', ' ')})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= abs(value) < math.inf else f"{value:.3g}"


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.1f}".removesuffix(".0")
