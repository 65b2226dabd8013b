"""An alert that has not ended, with its members."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from monitor.alerts.member import Member, are_kin, by_name
from monitor.alerts.verdict import Verdict
from monitor.events import SeriesKey

__all__ = ["Group", "Live"]

Group = tuple[str, ...]


@dataclass
class Live:
    """An alert that has not ended; ``began_ms`` is the end of its first alarmed window.

    Once another version has had events in a window in which this was open, or another alert has been about one, the
    title names the version that this is about.
    """

    alert_id: str
    group: Group
    began_ms: int
    starts_ms: int
    labels: dict[str, str]
    firing: bool = False
    sequence: int = 0
    members: dict[SeriesKey, Member] = field(default_factory=dict)
    names_version: bool = False

    @property
    def versions(self) -> set[str]:
        """Those of its series; volumes are of none."""
        return {version for version, _, _ in self.members if version}

    @property
    def named_version(self) -> str | None:
        """The version that its title names; None where there is nothing to tell apart, or several are in it."""
        return next(iter(self.versions)) if self.names_version and len(self.versions) == 1 else None

    @property
    def names_new_version(self) -> bool:
        """Whether its title says of a version that something moved since it came, or went on in it."""
        return any(member.new_version is not None for member in self.members.values())

    @property
    def last_ms(self) -> int:
        return max(member.last_ms for member in self.members.values())

    def take(self, series: SeriesKey, verdicts: Sequence[Verdict], pause_ms: int = 0) -> bool:
        """Let a series become a member with the verdicts of its first alarmed window, strongest first.

        Returns
        -------
        bool
            Whether that is news: what a segment has of a move that was told is none.
        """
        member = self.members[series] = Member.of(verdicts)
        relatives = self._relatives(series, self._kin()[_kind(series)])
        news = [each for each in verdicts if member.tell(each, pause_ms, relatives)]
        member.say(verdicts, verdicts, None, is_told=bool(news))
        member.peak = member.evidence
        return member.tell_labels(verdicts[0], relatives) or bool(news)

    def take_again(self, alarms: Mapping[SeriesKey, Sequence[Verdict]], pause_ms: int) -> bool:
        """Take in the verdicts of another alarmed window of members, and return whether one of them is news."""
        kin, news = self._kin(), False
        # The whole comes before its segments: what is told of it is no news of them.
        for series in sorted(self.members.keys() & alarms.keys()):
            relatives = self._relatives(series, kin[_kind(series)])
            news |= self._take_again(series, alarms[series], pause_ms, relatives)
        return news

    def _take_again(
        self, series: SeriesKey, verdicts: Sequence[Verdict], pause_ms: int, relatives: Sequence[Member]
    ) -> bool:
        if self.members[series].new_normal is None:
            return self.members[series].alarm(verdicts, pause_ms, relatives)
        # What was accepted is over: this has another beginning.
        self.take(series, verdicts)
        return True

    def _kin(self) -> dict[tuple[str, str], list[SeriesKey]]:
        """Return the members that are the same signal of the same version: the whole, and segments of it."""
        kin: dict[tuple[str, str], list[SeriesKey]] = {}
        for series in self.members:
            kin.setdefault(_kind(series), []).append(series)
        return kin

    def _relatives(self, series: SeriesKey, kin: Iterable[SeriesKey]) -> list[Member]:
        return [self.members[each] for each in kin if each != series]

    def has_relative(self, series: SeriesKey) -> bool:
        """Whether the whole of which a series is a segment is a member, or a segment of it; of metrics, any one."""
        version, segment, signal = series
        return any(
            own == version and (not segment or of in ("", segment)) and are_kin(other, signal)
            for own, of, other in self.members
        )

    @property
    def is_accepted(self) -> bool:
        """Whether the level of each of its signals is its new normal: there is nothing to wait for."""
        return all(member.new_normal is not None for member in self.members.values())

    def ranked(self, *, is_over: bool) -> list[Member]:
        """The members, strongest first, then by name: as of their strongest windows, if it is over.

        Else as of their last ones that alarmed, and those that alarm now before those that do no longer.
        """
        members = [member.at_its_peak() if is_over else member for member in self.members.values()]
        return sorted(
            members, key=lambda m: (not is_over and not m.is_alarmed, -m.evidence.strength, by_name(m.evidence))
        )

    def to_json(self) -> dict[str, Any]:
        members = [member.to_json() for _, member in sorted(self.members.items())]
        return vars(self) | {"group": list(self.group), "labels": dict(self.labels), "members": members}

    @classmethod
    def from_json(cls, written: Mapping[str, Any]) -> Live:
        members = [Member.from_json(member) for member in written["members"]]
        by_series = {member.evidence.series: member for member in members}
        return cls(**{**written, "group": tuple(written["group"]), "members": by_series})


def _kind(series: SeriesKey) -> tuple[str, str]:
    version, _, signal = series
    return version, signal
