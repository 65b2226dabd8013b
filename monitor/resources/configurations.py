"""Versions of models' configurations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from monitor.resources.contract import Question, Row, TimeMs, described

__all__ = ["BuiltSignal", "ConfigurationVersion", "ConfigurationVersions", "Laggard", "StoredConfiguration"]


@dataclass(frozen=True, kw_only=True)
class ConfigurationVersion(Row):
    """A version of a model's configuration."""

    table = ("version", ("since", "at_ms"), "digest", "owner", ("by", "author"), "reason", "file")

    model: str
    version: int = described("counted from 1; 0 of a file that the store does not have yet")
    digest: str = described("of the document; one character more is another one")
    owner: Literal["file", "api", "nobody"] = described(
        "who may change it: whoever changes the file, or the API; `nobody` where the API has given the model up"
    )
    file: str = described("where the document stood; empty where it came through the API")
    author: str = described("whose change it was; empty of a file")
    reason: str
    at_ms: TimeMs = described("when it was accepted")
    template: str = described("like what the model has registered itself; empty of any other version")


@dataclass(frozen=True, kw_only=True)
class ConfigurationVersions(Question):
    """Every version of the configuration of a model, the last one first."""

    path = "/v1/models/{model}/configuration/versions"
    answer = ConfigurationVersion


@dataclass(frozen=True, kw_only=True)
class Laggard(Row):
    """A process that does not go by the last version."""

    table = ("instance", "version", "why")

    instance: str = described("the process: its machine, its port, and its roles if not all; empty if none is there")
    version: int = described("by which one it goes; 0 if by none")
    why: str = described("empty where it has not said: it may not have looked yet")


@dataclass(frozen=True, kw_only=True)
class StoredConfiguration(ConfigurationVersion):
    """A version of a model's configuration, with its document."""

    document: str = described("as it was written, with its comments")


@dataclass(frozen=True, kw_only=True)
class BuiltSignal(Row):
    """A signal of all of the traffic, in the baseline and in the last week."""

    table = (
        "signal",
        ("events in it", "baseline_n"),
        ("in the last week", "current_n"),
        "detector",
        "effect",
        ("material from", "min_effect"),
    )

    signal: str
    baseline_n: int = described("its events in the baseline")
    current_n: int = described("its events in the last week of which there are panes")
    detector: str = described("the distance that shows most of how far the week is from it; empty: there is none")
    effect: float | None = described("how far that is; null: there is none")
    min_effect: float | None = described("from which on it would be material")
