"""The subject's name in texts: in sentences that quote it, in documents, and in what others wrote.

Which column holds what is declared beside the tables; see :data:`sinks.store.tables.table.ERASURES`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from monitor.alerts.transition import POSTED
from monitor.erasure.subject import ASKING, Condition, Seal, Subject, Trace, count, parts
from sinks.store.sqlstore import SqlStore
from sinks.store.tables import EVERY_TABLE, erased_by
from sinks.store.tables.table import Table
from sinks.store.upkeep import mutate

__all__ = ["Voice", "each_text", "left_in_texts", "naming", "rewritten", "texts"]

Reword = Callable[[str], str]


@dataclass(frozen=True)
class Voice:
    """Who speaks in texts, and of what: that decides what a name in them stands for.

    Attributes
    ----------
    subject : Subject
    by : {"leeway", "others"}
        Leeway quotes names and counts; others write whatever they like.
    about : {"signals", "it says itself", "others"}
        Whether the texts are about signals in which the name is replaced.
    fields : frozenset of str
        These signals.
    """

    subject: Subject
    by: Literal["leeway", "others"] = "others"
    about: Literal["signals", "it says itself", "others"] = "others"
    fields: frozenset[str] = frozenset()

    @property
    def needles(self) -> list[str]:
        """A text without any of these stays as it is."""
        mentions, shown = self.subject.mentions, self.subject.shown
        words = [] if mentions.is_short and self.by == "leeway" else mentions.parts
        return words if self.about == "others" else [*words, shown, json.dumps(shown, ensure_ascii=False)[1:-1]]

    def text(self, text: str) -> str:
        """Return a text without the name."""
        about = self.about == "signals" or (self.about != "others" and any(field in text for field in self.fields))
        return self._words(self._quotes(text) if about else text)

    def document(self, text: str) -> str:
        """Return a document of JSON without the name; what is none is a text."""
        try:
            document = new = json.loads(text)
        except ValueError:
            return self.text(text)
        if self.about == "it says itself":
            new = rewritten(document, self.subject, self.fields)
        elif self.about == "signals":
            new = each_text(document, self._quotes)
        new = each_text(new, self._words)
        return text if new == document else json.dumps(new, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    def _quotes(self, text: str) -> str:
        return text.replace(self.subject.shown, self.subject.marker_shown)

    def _words(self, text: str) -> str:
        mentions = self.subject.mentions
        return mentions.replaced(text) if self.by == "others" else mentions.replaced_in_sentence(text)


@dataclass(frozen=True)
class _Scope:
    """Rows of a table in which the same voice speaks."""

    where: str
    parameters: Mapping[str, Any]
    voice: Voice


def texts(store: SqlStore, subject: Subject, seal: Seal, tables: Collection[str] = EVERY_TABLE) -> Iterator[Trace]:
    """Find the subject's name in texts of some tables."""
    for treatment, reword in (("free", Voice.text), ("quoted", Voice.text), ("document", Voice.document)):
        for table, column in erased_by(treatment):
            scopes = [_everywhere(subject)] if treatment == "free" else _scopes(table, subject)
            for scope in scopes if table.name in tables else ():
                yield _trace(store, (table.name, column), scope, reword, seal)


def left_in_texts(store: SqlStore, subject: Subject) -> dict[str, int]:
    """Return the columns with such a name that are left alone, with their rows.

    By some of them alerts are told apart, matched and silenced; and nobody can tell what a short name stands for.
    """
    rows_of = {
        f"{table}.{column}": count(store, table, *condition) for (table, column), condition in naming(subject).items()
    }
    return {column: rows for column, rows in rows_of.items() if rows}


def naming(subject: Subject) -> dict[tuple[str, str], Condition]:
    """Return, by table and column, which rows have such a name and are left alone."""
    pattern_of = {of_table: subject.mentions.pattern() for of_table in erased_by("left")}
    if subject.mentions.is_short:
        pattern_of |= dict.fromkeys(erased_by("free"), subject.mentions.pattern(in_quotes=False))
    return {
        (table.name, column): (f"match({column}, {{pattern:String}})", {"pattern": pattern})
        for (table, column), pattern in pattern_of.items()
    }


def _everywhere(subject: Subject) -> _Scope:
    return _Scope("1", {}, Voice(subject))


def _scopes(table: Table, subject: Subject) -> Iterator[_Scope]:
    """Cut a table into what is about signals in which the name is replaced, what others posted, and the rest."""
    columns = {column.name for column in table.columns}
    if "model" not in columns:
        yield _everywhere(subject)
        return
    for model, fields in sorted(subject.fields.items()):
        where, of_model = "model = {model:String}", {"model": model, "fields": sorted(fields)}
        if "signal" in columns:
            yield _Scope(
                f"{where} AND signal IN {{fields:Array(String)}}", of_model, Voice(subject, "leeway", "signals")
            )
            yield _Scope(f"{where} AND signal NOT IN {{fields:Array(String)}}", of_model, Voice(subject, "leeway"))
        else:
            yield _Scope(where, {"model": model}, Voice(subject, "leeway", "it says itself", fields))
    others = {"models": [*sorted(subject.models), POSTED]}
    yield _Scope("model NOT IN {models:Array(String)}", others, Voice(subject, "leeway"))
    yield _Scope("model = {model:String}", {"model": POSTED}, Voice(subject))


def _trace(
    store: SqlStore, column_of: tuple[str, str], scope: _Scope, reword: Callable[[Voice, str], str], seal: Seal
) -> Trace:
    table, column = column_of
    new_of: dict[str, str] = {}
    rows, needles = 0, scope.voice.needles
    if needles:
        where = f"{scope.where} AND multiSearchAny({column}, {{needles:Array(String)}})"
        sql = f"SELECT {column} AS words, count() AS n FROM {table} WHERE {where} GROUP BY words {ASKING}"
        stored = store.query(sql, {**scope.parameters, "needles": needles})
        for old, n in zip(stored["words"], stored["n"], strict=True):
            new = reword(scope.voice, old)
            if new != old:
                new_of[old] = new
                rows += int(n)
    where = f"{scope.where} AND {column} IN {{old:Array(String)}}"
    conditions = tuple((where, {**scope.parameters, "old": old}) for old in parts(sorted(new_of)))
    return Trace(table, rows, partial(_rewrite, store, column_of, scope, new_of, seal), conditions)


def _rewrite(
    store: SqlStore, column_of: tuple[str, str], scope: _Scope, new_of: Mapping[str, str], seal: Seal
) -> list[str]:
    table, column = column_of
    sealed = f"{seal.over(column)} IN {{old:Array(String)}}"
    action = f"UPDATE {column} = transform({seal.over(column)}, {{old:Array(String)}}, {{new:Array(String)}}, {column})"
    done = []
    for part in parts(sorted(new_of)):
        bound = {**scope.parameters, "old": seal.of(part), "new": [new_of[old] for old in part]}
        done.append(mutate(store, table, f"{action} WHERE {scope.where} AND {sealed}", bound))
    return done


def each_text(value: Any, reword: Reword) -> Any:
    """Return ``value`` with every text in it reworded; names of parts stay."""
    if isinstance(value, str):
        return reword(value)
    if isinstance(value, dict):
        return {name: each_text(item, reword) for name, item in value.items()}
    return [each_text(item, reword) for item in value] if isinstance(value, (list, tuple)) else value


def rewritten(value: Any, subject: Subject, fields: frozenset[str]) -> Any:
    """Return ``value`` with the subject's name replaced: in texts that quote it, and in packed summaries.

    What belongs to a signal (a mapping with a ``signal``, or with a ``key`` that ends with one) is left as it is unless
    the signal is one of ``fields``.
    """
    if isinstance(value, str):
        return value.replace(subject.shown, subject.marker_shown)
    if isinstance(value, dict):
        signal = _signal_of(value)
        if signal is not None and signal not in fields:
            return value
        changed = {name: rewritten(item, subject, fields) for name, item in value.items()}
        return _renamed(changed, subject) if {"names", "counts"} <= set(value) else changed
    return [rewritten(item, subject, fields) for item in value] if isinstance(value, (list, tuple)) else value


def _signal_of(value: Mapping[str, Any]) -> str | None:
    key = value.get("key")
    if isinstance(key, (list, tuple)) and key and isinstance(key[-1], str):
        return key[-1]
    signal = value.get("signal")
    return signal if isinstance(signal, str) else None


def _renamed(summary: dict[str, Any], subject: Subject) -> dict[str, Any]:
    """A packed summary of categories, its names in order."""
    if subject.key not in summary["names"]:
        return summary
    counts: dict[str, int] = {}
    for old, events in zip(summary["names"], summary["counts"], strict=True):
        name = subject.marker if old == subject.key else old
        counts[name] = counts.get(name, 0) + int(events)
    names = sorted(counts)
    renamed: Any = [counts[name] for name in names]
    if isinstance(summary["counts"], np.ndarray):
        renamed = np.array(renamed, dtype=summary["counts"].dtype)
    return {**summary, "names": names, "counts": renamed}
