"""Where a model's configuration most likely does not fit its messages: for an alert of the running service.

What has never been seen is misconfigured until something shows otherwise. A field that once had values is none of it:
that it is missing now is a change of the signal, which the model's own alerts are about.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence

from monitor.alerts.wording import listed
from monitor.clock import Clock
from monitor.config.streams import reader_of
from monitor.decoders import TopicPlan
from monitor.ingest.sightings import Sightings, Unseen, unseen_by_all
from monitor.ingest.stopwatch import Timer
from monitor.watch import Watch
from sinks.store.contract import Query, Store

__all__ = ["Misfits"]

FEWEST_MESSAGES, AFTER_S = 1_000, 300.0
"""So many messages, or events, in so long a time must have shown nothing."""

ASK_EVERY_S = 60.0

Key = tuple[str, str, str]
"""Model, stream of one of its sources, and signal; the empty signal is any event at all."""


class Misfits:
    """Looks at what the messages that are read here have shown.

    Parameters
    ----------
    store : Store
    clock : Clock
    watches : mapping of str to Watch
        By model.
    sightings : callable
        Returns what each source of this process has shown.
    rejected : callable
        Returns models and topics of which nearly everything is rejected: another alert says it, with the reason.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        watches: Mapping[str, Watch],
        sightings: Callable[[], Sequence[Sightings]],
        rejected: Callable[[], Collection[tuple[str, str]]] = tuple,
    ) -> None:
        self._store, self._clock, self._watches, self._sightings = store, clock, watches, sightings
        self._rejected = rejected
        self._since_s: dict[tuple[str, str, str], float] = {}
        self._doubted: set[Key] = set()
        self._seen: set[Key] = set()
        """What the store has shown: once is enough."""
        self._awaited: set[Key] = set()
        self._ask = Timer(clock, ASK_EVERY_S)

    def holding(self) -> dict[str, str]:
        """Return what people should know, by model.

        Raises
        ------
        StoreError
        """
        now_s = self._clock.monotonic_s()
        unseen = self._unseen()
        self._since_s = {each.key: self._since_s.get(each.key, now_s) for each in unseen}
        doubtful = [
            each for each in unseen if each.messages >= FEWEST_MESSAGES and now_s - self._since_s[each.key] >= AFTER_S
        ]
        self._look_up({self._key(each) for each in doubtful} | self._awaited)
        self._awaited = set()
        rejected = self._rejected()
        of_models: defaultdict[str, list[Unseen]] = defaultdict(list)
        for each in doubtful:
            if self._key(each) not in self._seen and (each.signal or (each.model, each.topic) not in rejected):
                of_models[each.model].append(each)
        return {model: _title(model, misfits) for model, misfits in sorted(of_models.items())}

    def is_over(self, model: str) -> bool:
        """Whether all that a model is configured for has been seen, or it is configured no more."""
        if model not in self._watches:
            return True
        awaited = self._not_shown(model)
        self._awaited |= awaited
        return not awaited

    def _not_shown(self, model: str) -> set[Key]:
        """What no message read here has shown of a model, nor the store, from each of its streams.

        Nothing may have come from one yet, or another process reads it.
        """
        keys = {key for sightings in self._sightings() for key in sightings.seen()}
        shown = {(model, self._stream(model, topic), signal) for name, topic, signal in keys if name == model}
        return self._expected(model) - shown - self._seen

    def _expected(self, model: str) -> set[Key]:
        """What each stream of a model is to show."""
        spec, layouts = self._watches[model].model.spec, self._watches[model].layouts
        return {
            (model, stream, signal)
            for source in spec.sources
            for signal in ("", *(layouts.keys() & TopicPlan(model, source, spec.schema_).signals.keys()))
            for stream in source.streams
        }

    def _stream(self, model: str, topic: str) -> str:
        """By which stream of its sources a model reads a topic."""
        sources = self._watches[model].model.spec.sources
        return reader_of([stream for source in sources for stream in source.streams], topic) or topic

    def _key(self, unseen: Unseen) -> Key:
        return unseen.model, self._stream(unseen.model, unseen.topic), unseen.signal

    def _unseen(self) -> list[Unseen]:
        """Return what no message read here has shown, nor the store; what is only seen one by one is left out."""
        return [
            each
            for each in unseen_by_all(self._sightings())
            if self._key(each) not in self._seen
            and (not each.signal or each.signal in self._watches[each.model].layouts)
        ]

    def _look_up(self, keys: set[Key]) -> None:
        """Ask the store what it has of models and signals: at once of new ones, of others now and then."""
        unsettled = keys - self._doubted
        if self._ask.is_due:
            self._ask.restart()
            unsettled = keys
        self._doubted = keys
        self._seen |= {key for key in unsettled if self._is_stored(*key)}

    def _is_stored(self, model: str, stream: str, signal: str) -> bool:
        topics = sorted(topic for topic in self._topics(model) if self._stream(model, topic) == stream)
        if not (signal and topics):
            return bool(topics)
        where, with_value = {"model": model, "signal": signal}, {"n": 1}
        queries = [Query("panes", {**where, "topic": topics}, with_value, columns=("n",), limit=1)]
        if sum(shown[2] == signal for shown in self._expected(model)) == 1:
            # Panes go after a while. Their sums stay, and name no topic.
            queries.append(Query("panes_1h", where, with_value, columns=("n",), limit=1))
        return any(len(self._store.read(query)["n"]) for query in queries)

    def _topics(self, model: str) -> set[str]:
        """The topics of which some message was an event of a model, or held labels of it."""
        rows = self._store.read(Query("progress", {"model": model}, columns=("topic",)))
        arrivals = self._store.read(Query("arrivals", {"model": model}, {"events": 1}, columns=("topic",)))
        return {*rows["topic"], *arrivals["topic"]}


def _title(model: str, misfits: Sequence[Unseen]) -> str:
    mostly = max(misfits, key=lambda each: (not each.signal, each.messages))
    if not mostly.signal:
        return f"{mostly}. `leeway check --live` shows what they hold"
    fields = sorted({f"{each.signal} at `{each.path}`" for each in misfits})
    return (
        f"{model}: none of {mostly.messages:,} events has ever had a value of {listed(fields)}."
        " `leeway check --live` shows what they have instead"
    )
