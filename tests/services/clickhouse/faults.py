"""What goes wrong on purpose: which statement, when, and how.

See :class:`Faults` for how a test arms them.
"""

from __future__ import annotations

import json
import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

__all__ = ["KINDS", "Chance", "DroppedError", "Fault", "Faults", "Plan", "statement_of"]

KINDS: dict[str, str] = {
    "drop_in_data": "the connection ends within the first block of an insert; the rest is never read",
    "drop_before": "the connection ends when everything has come, before it is executed",
    "drop_after": "the statement is executed, then the connection ends without an answer",
    "drop_in_result": "the statement is executed, then the connection ends within the first block with rows",
    "error": "an error instead of executing; for an insert after its data, where a real server notices",
    "error_after": "executed, and an error all the same, as when time runs out at the very end",
    "delay": "executed, and the answer waits",
    "delay_before": "waits, and is executed then; an insert even if its client has gone meanwhile",
}
"""Every kind of fault. Without data or a result to end within, a drop comes before or after the statement."""

_READS = re.compile(r"[\s(]*(SELECT|WITH|SHOW|DESC|DESCRIBE|EXISTS|EXPLAIN|CHECK|FROM)\b", re.IGNORECASE)
_INSERTS = re.compile(r"\s*INSERT\b", re.IGNORECASE)


class DroppedError(Exception):
    """A fault wants the connection to end here."""


def statement_of(text: str) -> str:
    """Return ``insert``, ``select`` (everything that reads) or ``other``."""
    if _INSERTS.match(text):
        return "insert"
    return "select" if _READS.match(text) else "other"


@dataclass(frozen=True)
class Fault:
    """One fault, armed for the next statements that fit.

    Attributes
    ----------
    kind : str
        One of :data:`KINDS`.
    times : int
        How many statements it hits.
    statement : str
        ``insert``, ``select``, ``other`` or ``any``.
    matching : str
        A regular expression that the statement's text must contain.
    code : int
        Of an error: 252 too many parts, 241 memory, 159 time-out, 242 table is read-only, 243 no space, ...
    message : str
    delay_s : float
        How long a delay takes.
    reset : bool
        Whether a drop is a reset (the client may lose what it was still sent) rather than an orderly end.
    """

    kind: str
    times: int = 1
    statement: str = "any"
    matching: str = ""
    code: int = 0
    message: str = "injected"
    delay_s: float = 0.0
    reset: bool = False

    def fits(self, statement: str, text: str) -> bool:
        """Whether the fault is meant for a statement."""
        return self.statement in {"any", statement} and re.search(self.matching, text, re.IGNORECASE) is not None


@dataclass(frozen=True)
class Chance:
    """Faults at random, but the same ones for the same seed and order of statements.

    Attributes
    ----------
    rate : float
        Share of the fitting statements that are hit.
    seed : int
    kinds : sequence of str
        One is chosen for each hit. Errors have code 252, delays last 0.2 s.
    statement, matching : str
        As for a :class:`Fault`.
    """

    rate: float
    seed: int
    kinds: Sequence[str]
    statement: str = "insert"
    matching: str = ""


class Plan:
    """The armed faults of a server; any thread may ask what hits its statement.

    Parameters
    ----------
    ledger : Path
        Gets a line of JSON for every fault that was injected. It outlives a server that is killed.
    """

    def __init__(self, ledger: Path) -> None:
        self._ledger = ledger
        self._lock = threading.Lock()
        self._armed: list[tuple[Fault, list[int]]] = []
        self._chance: tuple[Chance, random.Random] | None = None

    def arm(self, fault: Fault) -> None:
        """Have the next fitting statements hit."""
        with self._lock:
            self._armed.append((fault, [fault.times]))

    def arm_at_random(self, chance: Chance) -> None:
        """Hit statements at random from now on, instead of as an earlier chance said."""
        with self._lock:
            self._chance = (chance, random.Random(chance.seed))

    def clear(self) -> None:
        """Disarm everything."""
        with self._lock:
            self._armed.clear()
            self._chance = None

    def take(self, text: str, settings: Mapping[str, str]) -> Fault | None:
        """Return what hits a statement, and write it down."""
        statement = statement_of(text)
        with self._lock:
            fault = self._next(statement, text) or self._drawn(statement, text)
            if fault is not None:
                entry = {
                    "kind": fault.kind,
                    "statement": statement,
                    "text": text[:200],
                    "token": settings.get("insert_deduplication_token", ""),
                    "settings": dict(settings),
                }
                with self._ledger.open("a") as file:
                    file.write(json.dumps(entry) + "\n")
        return fault

    def _next(self, statement: str, text: str) -> Fault | None:
        for index, (fault, left) in enumerate(self._armed):
            if fault.fits(statement, text):
                left[0] -= 1
                if not left[0]:
                    del self._armed[index]
                return fault
        return None

    def _drawn(self, statement: str, text: str) -> Fault | None:
        if self._chance is None:
            return None
        chance, draws = self._chance
        if not Fault("error", statement=chance.statement, matching=chance.matching).fits(statement, text):
            return None
        # Always three draws, so that what the tenth statement meets does not depend on the nine before it.
        hit, kind, reset = draws.random() < chance.rate, draws.choice(chance.kinds), draws.random() < 0.5
        return Fault(kind, code=252, delay_s=0.2, reset=reset) if hit else None

    def obey(self, command: Mapping[str, Any]) -> None:
        """Carry out what a :class:`Faults` in another process asks for."""
        if command["do"] == "arm":
            self.arm(Fault(**command["fault"]))
        elif command["do"] == "arm_at_random":
            self.arm_at_random(Chance(**command["chance"]))
        else:
            self.clear()


class Faults:
    """The faults of a running endpoint, as a test sees them.

    A fault is armed for the next statements that fit, and gone once it has hit ``times`` of them. A restart of the
    endpoint disarms all.

    Parameters
    ----------
    send : callable
        Gives a command to the server and returns once it is in force.
    ledger : Path
        Where the server writes down what it injected.

    Examples
    --------
    With the fixtures ``clickhouse`` and ``faults``::

        def test_an_insert_whose_answer_is_lost_is_one_insert(clickhouse, faults):
            faults.inject("drop_after", statement="insert")            # executed, never acknowledged
            faults.inject("error", code=252, times=3, matching="scores")   # too many parts, three times
            faults.inject("delay", delay_s=2.0, statement="select")
            ...
            assert faults.injected["drop_after"] == 1

        faults.at_random(0.05, seed=1, kinds=("drop_before", "drop_after", "drop_in_data"))   # 5 % of inserts
        faults.clear()
    """

    def __init__(self, send: Callable[[dict[str, Any]], None], ledger: Path) -> None:
        self._send = send
        self._ledger = ledger

    def inject(
        self,
        kind: str,
        *,
        times: int = 1,
        statement: str = "any",
        matching: str = "",
        code: int = 0,
        message: str = "injected",
        delay_s: float = 0.0,
        reset: bool = False,
    ) -> None:
        """Arm one fault; see :class:`Fault` for the arguments.

        Raises
        ------
        ValueError
            If there is no such kind or statement, or an error has no code.
        """
        _check_kinds([kind])
        _check_statement(statement)
        if kind.startswith("error") and not code:
            raise ValueError("an error needs a code")
        fault = Fault(kind, times, statement, matching, code, message, delay_s, reset)
        self._send({"do": "arm", "fault": asdict(fault)})

    def at_random(
        self,
        rate: float,
        *,
        seed: int,
        kinds: Sequence[str] = ("drop_in_data", "drop_before", "drop_after"),
        statement: str = "insert",
        matching: str = "",
    ) -> None:
        """Hit statements at random from now on; see :class:`Chance` for the arguments."""
        _check_kinds(kinds)
        _check_statement(statement)
        chance = Chance(rate, seed, list(kinds), statement, matching)
        self._send({"do": "arm_at_random", "chance": asdict(chance)})

    def clear(self) -> None:
        """Disarm everything; what was injected stays counted."""
        self._send({"do": "clear"})

    @property
    def injected(self) -> Counter[str]:
        """How many faults of each kind were injected since the endpoint's data directory was made."""
        return Counter(entry["kind"] for entry in self.ledger())

    def ledger(self) -> list[dict[str, Any]]:
        """Return every injected fault: kind, statement, text (its first 200 characters), settings, and their token."""
        if not self._ledger.exists():
            return []
        # What follows the last line's end is being written.
        whole, _, _ = self._ledger.read_text().rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]


def _check_kinds(kinds: Sequence[str]) -> None:
    for kind in kinds:
        if kind not in KINDS:
            raise ValueError(f"there is no fault {kind!r}; faults: {', '.join(KINDS)}")


def _check_statement(statement: str) -> None:
    if statement not in {"any", "insert", "select", "other"}:
        raise ValueError(f"statement is insert, select, other or any, not {statement!r}")
