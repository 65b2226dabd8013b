"""Which models read a topic, by which of their sources, and how its messages are decoded for them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import chain

import structlog

from monitor.config.model import SourceSpec
from monitor.decoders import Decoder, Schemas, TopicPlan, decoder_for
from monitor.decoders.schemas import NO_SCHEMAS
from monitor.errors import InputError, SourceError
from monitor.ingest.names import NO_NAMES, Names
from monitor.ingest.sightings import Sightings
from monitor.watch import Watch

__all__ = ["Readers"]

log = structlog.get_logger("leeway.ingest")


class Readers:
    """Finds the readers of a topic, which need not be known beforehand: a pattern may match it.

    Parameters
    ----------
    watches : iterable of Watch
    schemas : Schemas
        For decoders.
    changing : collection of str
        Models of which another process may have a newer configuration that is soon known here.
    unread : collection of str
        Models that read topics as well, and are not ready here now.
    former : callable
        Returns a model as it was under the configuration of a hash; None if that is not known any more.
    taken_over : callable
        Whether a model that is not among ``changing`` here is by now: it was a file's.

    Attributes
    ----------
    changing, unread : collection of str
    names : Names
        Which models register themselves: none, unless somebody says so.
    sightings : Sightings
        What the messages have shown so far.
    """

    def __init__(
        self,
        watches: Iterable[Watch],
        schemas: Schemas = NO_SCHEMAS,
        changing: Collection[str] = frozenset(),
        unread: Collection[str] = frozenset(),
        former: Callable[[str, str], Watch | None] = lambda model, config: None,
        taken_over: Callable[[str], bool] = lambda model: False,
    ) -> None:
        self.former, self._taken_over = former, taken_over
        self.names: Names = NO_NAMES
        self._watches, self._schemas, self.changing, self.unread = list(watches), schemas, changing, unread
        self._subject_paths = {watch.name: watch.model.spec.keep.subject for watch in self._watches}
        self._readers: dict[str, list[tuple[Watch, SourceSpec]]] = {}
        self._decoders: dict[str, Decoder] = {}
        self.sightings = Sightings()
        self._decoded_before = {"scanned": 0, "parsed": 0}

    def __getitem__(self, topic: str) -> list[tuple[Watch, SourceSpec]]:
        """Every model that reads the topic, in the order of their configuration, with the source that does.

        Raises
        ------
        InputError
            Their patterns meet in a topic, but their formats differ.
        """
        if topic not in self._readers:
            sources = [(watch, watch.model.spec.source_of(topic)) for watch in self._watches]
            readers = [(watch, source) for watch, source in sources if source is not None]
            # Files say what a topic's format is, whoever came first: nobody may stop the service from afar.
            decisive = next(chain((each for each in readers if each[0].name not in self.changing), readers), None)
            for watch, source in list(readers):
                if decisive is None or source.format == decisive[1].format:
                    continue
                if watch.name not in self.changing:
                    raise InputError(
                        f"models {decisive[0].name!r} and {watch.name!r} read topic {topic!r} in different formats;"
                        " a topic has one"
                    )
                log.error("a model does not read a topic: its format is another", model=watch.name, topic=topic)
                readers.remove((watch, source))
            self._readers[topic] = readers
        return self._readers[topic]

    def decoder(self, topic: str) -> Decoder:
        """Return the topic's decoder, which serves all of its partitions.

        Raises
        ------
        InputError
            No model reads the topic, or its format names something that cannot be used.
        """
        if topic not in self._decoders:
            plans = [*self.plans(topic), *self.names.plans(topic)]
            if not plans:
                raise InputError(f"no model reads {topic!r}")
            self._decoders[topic] = decoder_for(plans, self._schemas)
        return self._decoders[topic]

    def may_change(self, model: str) -> bool:
        """Whether another process may have a newer configuration of a model, which is soon known here.

        Raises
        ------
        StoreError
        """
        return model in self.changing or model not in self._subject_paths or self._taken_over(model)

    def are_changing(self, topics: Iterable[str]) -> bool:
        """Whether all that read these topics are models whose configurations change while the service runs."""
        topics = list(topics)
        changing = all(watch.name in self.changing for topic in topics for watch, _ in self[topic])
        return changing and not any(self.names.sources(topic) for topic in topics)

    def check(self, topic: str) -> None:
        """See whether a topic can be decoded now, if only such models read it.

        Raises
        ------
        SourceError
            It cannot.
        """
        if self.are_changing([topic]):
            try:
                self.decoder(topic)
            except InputError as error:
                raise SourceError(str(error), retryable=True, topics=[topic]) from error

    def changed_since(self, former: Readers) -> set[str]:
        """Return the models that others do not have, or have otherwise."""
        earlier, later = ({watch.name: watch for watch in readers._watches} for readers in (former, self))
        return {name for name in earlier.keys() | later.keys() if earlier.get(name) is not later.get(name)}

    def plans(self, topic: str) -> list[TopicPlan]:
        """Return what each model that reads the topic wants from it."""
        return [_plan_of(watch, source) for watch, source in self[topic]]

    def subject_path(self, model: str) -> str | None:
        """Where a model's messages say whom they are about; None if they do not, or no model has that name."""
        return self._subject_paths.get(model)

    def withholds(self, topic: str) -> bool:
        """Whether messages of a topic, and what quotes them, are not to be stored: one of its models says so."""
        return any(watch.privacy.withholds_messages for watch, _ in self[topic]) or self.names.withholds(topic)

    @property
    def decoded(self) -> dict[str, int]:
        """How many messages went each way through the decoders."""
        decoders, former = list(self._decoders.values()), self._decoded_before
        return {
            "scanned": former["scanned"] + sum(decoder.scanned for decoder in decoders),
            "parsed": former["parsed"] + sum(decoder.parsed for decoder in decoders),
        }

    def with_former(self, former: Mapping[str, Watch]) -> Readers:
        """Return readers with some models as they were before, those that do not read here any more too."""
        present = {watch.name: watch for watch in self._watches}
        changing = {*self.changing, *former}
        watches = (present | dict(former)).values()
        readers = Readers(watches, self._schemas, changing, self.unread)
        readers.names = self.names
        readers.sightings = self.sightings
        return readers

    def go_on_from(self, former: Readers) -> None:
        """Count on where others, of a former configuration, have ended."""
        self._decoded_before = former.decoded


def _plan_of(watch: Watch, source: SourceSpec) -> TopicPlan:
    spec = watch.model.spec
    return TopicPlan(
        watch.name, source, spec.schema_, spec.keep.subject, privacy=watch.privacy, estimators=watch.estimators
    )
