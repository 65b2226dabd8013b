"""What belongs to one partition: its decoder's state, a fold for each model that reads it, and how far it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from monitor.config.model import SourceSpec
from monitor.decoders import Decoded, Decoder
from monitor.erasure.erased import ErasureList
from monitor.events import ENDED, Appearance, Events, Gap, Partition, Problem, Records
from monitor.ingest.fold import Folded, PartitionFold
from monitor.ingest.gaps import NOBODY, PartitionGaps
from monitor.ingest.label_fold import LabelFold
from monitor.ingest.names import Names
from monitor.ingest.set_clocks import SetClock
from monitor.ingest.unregistered import UnregisteredNames
from monitor.ingest.watermark import NEVER
from monitor.messages import NO_MESSAGE, Message
from monitor.watch import Watch
from sinks.store.batch import Rows, add_row, empty_rows

__all__ = ["Lane"]


class Lane:
    """One partition as it is read.

    Parameters
    ----------
    partition : Partition
    decoder : Decoder
        The topic's, shared with its other partitions.
    readers : list of (Watch, SourceSpec)
        The models that read the topic.
    erasures : ErasureList

    Attributes
    ----------
    next_offset : int
        Behind the last message that was decoded.
    ended : bool
        No more messages will come: every pane is closed.
    waits_for : list of Appearance
        Models that have to be registered before the next message can be taken.
    unregistered : UnregisteredNames
    """

    def __init__(
        self, partition: Partition, decoder: Decoder, readers: list[tuple[Watch, SourceSpec]], erasures: ErasureList
    ) -> None:
        self.partition = partition
        self.next_offset = 0
        self.ended = False
        self.waits_for: list[Appearance] = []
        self.unregistered = UnregisteredNames(partition)
        self._decoder = decoder
        self._folds: dict[str, PartitionFold | LabelFold] = {
            watch.name: (LabelFold if source.kind == "labels" else PartitionFold)(watch, source, partition, erasures)
            for watch, source in readers
        }
        self._pane_folds = {name: fold for name, fold in self._folds.items() if isinstance(fold, PartitionFold)}
        self._gaps = PartitionGaps(partition)
        self._held: dict[int, Message] = {}
        self._saved_offset = -1
        self._reported: dict[str, tuple[int, ...]] = {}
        decoder.forget(partition[1])

    @property
    def _label_folds(self) -> dict[str, LabelFold]:
        return {name: fold for name, fold in self._folds.items() if isinstance(fold, LabelFold)}

    # -- messages ----------------------------------------------------------------------------------------------

    def start(self, offset: int) -> None:
        """Reading starts at an offset, which no checkpoint has: it has to stand in one, also where nothing comes."""
        self.next_offset, self._saved_offset = offset, -1

    def decode(self, records: Records) -> Decoded:
        """Decode the next messages; folding them is the next step."""
        return self._decoder.decode(records)

    def decode_up_to_new(self, records: Records, names: Names) -> tuple[Records, Decoded]:
        """Decode the next messages up to the first one of a model that is to be registered; the rest is read again."""
        state = self._decoder.state(self.partition[1])
        decoded = self.decode(records)
        if appeared := names.appeared(self.partition, decoded.named):
            # What the messages behind have settled is settled when they are read.
            self._decoder.restore(self.partition[1], state)
            self.waits_for, self.next_offset = appeared, appeared[0].offset
            # Reading goes on from here, also where nothing came before: that has to stand in a checkpoint.
            self._saved_offset = -1
            records = records[: int(records.offsets.searchsorted(appeared[0].offset))]
            decoded = self.decode(records) if len(records) else Decoded()
        return records, decoded

    def carries_labels(self, model: str) -> bool:
        """Whether what a model reads here are labels, and no events."""
        return model not in self._pane_folds

    def newest_ms(self, model: str) -> int:
        """A model's clock."""
        return self._pane_folds[model].clock.newest_ms

    def fold(self, events: Mapping[str, Events], records: Records) -> dict[str, Folded]:
        """Fold what was decoded of ``records``, by model."""
        folded = {name: self._folds[name].process(batch) for name, batch in events.items()}
        self.next_offset = int(records.offsets[-1]) + 1
        return folded

    def finish(self) -> dict[str, Folded]:
        """The input has ended: close every pane; a second time there is nothing to close."""
        folds = {} if self.ended else self._pane_folds
        self.ended = True
        for labels in self._label_folds.values():
            labels.finish()
        return {name: fold.finish() for name, fold in sorted(folds.items())}

    def message(self, records: Records | None, offset: int) -> Message:
        """The message at ``offset``, also if it came in an earlier batch and was held since."""
        i = -1 if records is None else int(records.offsets.searchsorted(offset))
        if records is None or i >= len(records) or int(records.offsets[i]) != offset:
            return self._held.get(offset, NO_MESSAGE)
        key = None if records.keys is None else records.keys[i]
        headers = () if records.headers is None else records.headers[i]
        return Message(records.payloads[i], int(records.timestamps_ms[i]), key, headers)

    def hold(self, records: Records) -> None:
        """Keep the messages of events that the folds hold, for their dead letters."""
        offsets = {offset for fold in self._pane_folds.values() for offset in fold.held_offsets}
        self._held = {offset: self.message(records, offset) for offset in offsets}

    def progress(self) -> Rows:
        """Up to where each model's panes are closed, as far as that is news."""
        rows = empty_rows("progress")
        for name, fold in sorted(self._pane_folds.items()):
            clock, closed_ms = fold.clock, fold.closed_ms
            if clock.newest_ms == NEVER or self._reported.get(name, (NEVER,)) == (closed_ms,):
                continue
            self._reported[name] = (closed_ms,)
            row = {
                "model": name,
                "topic": self.partition[0],
                "partition": self.partition[1],
                "closed_ms": closed_ms,
                "newest_ms": clock.newest_ms,
                # The end counts as one more message: of two rows the one with the larger offset is the newer.
                "next_offset": fold.next_offset + (closed_ms >= ENDED),
            }
            add_row(rows, row)
        return rows

    def label_progress(self) -> Rows:
        """Up to where each model's labels are read, as far as that is news: no window waits for them."""
        rows = empty_rows("label_progress")
        for name, fold in sorted(self._label_folds.items()):
            closed_ms = ENDED if self.ended else fold.clock.closed_ms
            # The end counts as one more message, as in `progress`.
            stands = closed_ms, fold.next_offset + self.ended
            if fold.next_offset == 0 or self._reported.get(name) == stands:
                continue
            self._reported[name] = stands
            row = {
                "model": name,
                "topic": self.partition[0],
                "partition": self.partition[1],
                "closed_ms": closed_ms,
                "newest_ms": fold.clock.newest_ms,
                "next_offset": stands[1],
            }
            add_row(rows, row)
        return rows

    # -- clocks ------------------------------------------------------------------------------------------------

    def position(self, model: str) -> tuple[int, int] | None:
        """The first offset of a model that is not settled, and its clock; None if it has none here."""
        fold = self._pane_folds.get(model)
        return None if fold is None else (fold.next_offset, fold.clock.newest_ms)

    def know_set_clocks(self, set_clocks: Sequence[SetClock]) -> None:
        """Take in which clocks of the partition were set back, and from where on."""
        for name, fold in self._pane_folds.items():
            fold.know_set_clocks([each for each in set_clocks if each.model == name])

    # -- messages that are gone --------------------------------------------------------------------------------

    def begin_life(self, next_offset: int) -> list[tuple[str, Problem, Message]]:
        """Go on in the log's next life: what waits for witnesses could not be read again, and is not believed."""
        problems = [
            (name, problem, self.message(None, problem.offset))
            for name, fold in self._pane_folds.items()
            for problem in fold.let_go()
        ]
        self._held = {}
        self.next_offset = next_offset
        return problems

    def lacking(self, gap: Gap) -> dict[str, Gap]:
        """What each model lacks of messages that are gone, and what nobody has read of them."""
        return self._gaps.lacking(gap, [NOBODY, *self._folds])

    def open_gaps(self, lacking: Mapping[str, Gap]) -> Iterator[Rows]:
        """Note what each model lacks; until its next event comes anything later may be missing."""
        for name, fold in self._pane_folds.items():
            if name in lacking:
                yield self._gaps.open(name, lacking[name], fold.clock.closed_ms)

    def close_gaps(self, events: Mapping[str, Events]) -> Iterator[Rows]:
        """Events have come: messages may be missing up to the first of them, and not behind it."""
        for name, batch in events.items():
            if name in self._pane_folds:
                yield from self._gaps.close(name, batch, self._pane_folds[name].clock)

    # -- checkpoints -------------------------------------------------------------------------------------------

    @property
    def resume_offset(self) -> int:
        """From where a successor has to read, so that no fold misses anything."""
        return min([self.next_offset, *(offset for fold in self._pane_folds.values() for offset in fold.held_offsets)])

    @property
    def resume_record_ms(self) -> int | None:
        """The own time of the message at which a successor goes on, if it waits there; None if it was not read yet."""
        held = self._held.get(self.resume_offset)
        return None if held is None else held.record_ms

    @property
    def settled(self) -> dict[str, int]:
        """Up to where each model has taken all messages in."""
        return {name: max(fold.next_offset, self.resume_offset) for name, fold in self._pane_folds.items()}

    @property
    def has_moved(self) -> bool:
        """Whether a checkpoint would say something new; the end of a bounded input is no place to go on from."""
        return self.next_offset != self._saved_offset and not self.ended

    def snapshot(self) -> dict[str, Any]:
        """Everything that the rows to come depend on."""
        return {
            "decoder": self._decoder.state(self.partition[1]),
            "next_offset": self.next_offset,
            "folds": {name: fold.snapshot() for name, fold in self._folds.items()},
            "names": self.unregistered.snapshot(),
            "gaps": self._gaps.snapshot(),
        }

    def saved(self) -> None:
        """A checkpoint of the present state stands in the store."""
        self._saved_offset = self.next_offset

    def restore(self, position: int, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint, before anything is decoded; what is of no model that reads the topic is left."""
        self.next_offset = self._saved_offset = position
        if "decoder" in state:
            self._decoder.restore(self.partition[1], state["decoder"])
        self.unregistered.restore(state.get("names", {}))
        read_before = int(state.get("next_offset", position))
        self._gaps.note_read(NOBODY, read_before)
        for name, saved in state.get("folds", {}).items():
            if name not in self._folds:
                continue
            if not self._folds[name].restore(saved):
                self._gaps.note_read(name, self._folds[name].next_offset)
            # Checkpoints from before gaps were told apart by model do not say what waits.
            elif "held" in saved:
                self._gaps.note_read(name, read_before, saved["held"])
        open_gaps = state.get("gaps", {})
        self._gaps.restore({name: gaps for name, gaps in open_gaps.items() if name in self._pane_folds})
