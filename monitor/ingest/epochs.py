"""From which offset on which configuration of a model was in force, partition by partition.

What a partition's messages become is a function of the log *and* the configuration, so where the configuration changes
is kept as well: a row of the table ``epochs`` says from which offset on a partition was folded under which one, and how
its clock stood there. That row is all that the first message under the new configuration depends on, since series begin
anew; whoever takes the partition over, from whatever checkpoint, begins at the same place.

Epochs are numbered over the whole store. A process knows, for each model, the newest number of when it took up the
model's configuration: an epoch that began later under another one was begun by a process with a newer one, which wins.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from monitor.errors import CheckpointError, SourceError
from monitor.events import Partition
from monitor.ingest.watermark import NEVER
from sinks.store.batch import add_row, append, empty_rows
from sinks.store.contract import Query, Store
from sinks.store.rows import rows_of

__all__ = ["REMOVED", "Epoch", "Epochs"]

REMOVED = ""
"""In place of a configuration: the model does not read the partition any more."""

log = structlog.get_logger("leeway.epochs")


@dataclass(frozen=True)
class Epoch:
    """A span of one partition's log that is folded under one configuration of a model.

    Attributes
    ----------
    config : str
        The hash of what the fold depends on.
    from_offset : int
    newest_ms, closed_ms : int
        The partition's clock at that offset.
    number : int
    """

    config: str
    from_offset: int = 0
    newest_ms: int = NEVER
    closed_ms: int = NEVER
    number: int = 0

    @property
    def start(self) -> dict[str, Any]:
        """The fold's state at its beginning: of no configuration, so that series start afresh."""
        return {
            "config": "",
            "next_offset": self.from_offset,
            "newest_ms": self.newest_ms,
            "closed_ms": self.closed_ms,
        }


class Epochs:
    """The epochs of one store, as one process sees them.

    Parameters
    ----------
    store : Store
    reads : callable
        Returns what a model reads from a topic, and as what, as JSON; nothing if it does not.
    may_change : callable
        Whether another process may have a newer configuration of a model, which is soon known here.
    unread : collection of str
        Models that are not ready here now: what they have read from waits for them.
    """

    def __init__(
        self,
        store: Store,
        reads: Callable[[str, str], str],
        may_change: Callable[[str], bool] = lambda model: False,
        unread: Collection[str] = frozenset(),
    ) -> None:
        self._store, self._reads, self._may_change, self._unread = store, reads, may_change, unread
        self._began = self._newest()
        self._taken_up: dict[str, int] = {}

    def go_on_from(self, former: Epochs, changed: Collection[str]) -> None:
        """Take up other configurations of some models; those of the others are as old as they were."""
        self._taken_up = {**former._taken_up, **dict.fromkeys(changed, self._began)}
        self._began = former._began

    def settle(
        self,
        partition: Partition,
        configs: Mapping[str, str],
        position: int,
        folds: Mapping[str, Mapping[str, Any]],
        epochs: Mapping[str, Epoch],
    ) -> tuple[int, dict[str, Mapping[str, Any]]]:
        """Find where a partition goes on, and note what comes into force there.

        Parameters
        ----------
        partition : Partition
        configs : mapping of str to str
            The configurations of this process, by model.
        position : int
            The checkpoint's; 0 without one.
        folds : mapping of str to mapping
            The checkpoint's states by model.
        epochs : mapping of str to Epoch
            The newest of each model there, as :meth:`of` reads them.

        Returns
        -------
        position : int
            Earlier than the checkpoint's if that was written by a process of an older configuration, beyond the change.
        folds : dict of str to mapping
            The states from which models go on; none where a model begins at ``position``.

        Raises
        ------
        CheckpointError
            A process with a newer configuration has had the partition since this one began.
        SourceError
            Likewise, of a model whose configurations are soon known here. Or a model that has read the partition is
            not ready here.
        """
        self._refuse_if_unread(partition, folds, epochs)
        self._refuse_if_overtaken(partition, configs, epochs)
        resumed: dict[str, Mapping[str, Any]] = {}
        saved_at = position
        for model, config in sorted(configs.items()):
            saved, epoch = folds.get(model), epochs.get(model)
            if epoch is None or epoch.config != config:
                resumed |= self._begin(partition, model, config, saved_at, saved, epoch)
            elif saved is not None and saved["config"] == config and _is_within(epoch, saved, saved_at):
                resumed[model] = saved
            elif saved is not None or epoch.from_offset != position:
                self._say_where(partition, model, epoch, saved)
                resumed[model] = epoch.start
                position = min(position, epoch.from_offset)
        for model in sorted(folds.keys() - configs.keys()):
            if model not in epochs or epochs[model].config != REMOVED:
                self._note(partition, model, Epoch(REMOVED, _settled(folds[model], saved_at)))
        return position, resumed

    def _begin(
        self,
        partition: Partition,
        model: str,
        config: str,
        position: int,
        saved: Mapping[str, Any] | None,
        epoch: Epoch | None,
    ) -> dict[str, Mapping[str, Any]]:
        if saved is None:
            self._note(partition, model, Epoch(config, position))
            return {}
        if saved["config"] == config and epoch is None:
            # Written before epochs were: in force as far back as anybody knows.
            self._note(partition, model, Epoch(config))
            return {model: saved}
        begins = _settled(saved, position)
        self._note(partition, model, Epoch(config, begins, int(saved["newest_ms"]), int(saved["closed_ms"])))
        # Series start afresh, also under one that was in force before: what a replay knows is the epochs.
        return {model: {**saved, "config": "", "next_offset": begins}}

    def _refuse_if_unread(self, partition: Partition, folds: Mapping[str, object], epochs: Mapping[str, Epoch]) -> None:
        reading = {model for model in folds.keys() | epochs.keys() if model not in epochs or epochs[model].config}
        for model in sorted(reading & set(self._unread)):
            topic, number = partition
            raise SourceError(
                f"{topic}/{number} waits for model {model!r}, which reads it and cannot be made ready here: mend what"
                " /readyz says of the model, or `leeway release` it",
                retryable=True,
                topics=[topic],
            )

    def _refuse_if_overtaken(
        self, partition: Partition, configs: Mapping[str, str], epochs: Mapping[str, Epoch]
    ) -> None:
        for model, epoch in epochs.items():
            if epoch.number > self._taken_up.get(model, self._began) and epoch.config not in (
                configs.get(model, REMOVED),
                REMOVED,
            ):
                topic, number = partition
                if self._may_change(model):
                    raise SourceError(
                        f"{topic}/{number} is read under a newer configuration of model {model!r} from offset"
                        f" {epoch.from_offset} on, which is not known here yet",
                        retryable=True,
                        topics=[topic],
                    )
                raise CheckpointError(
                    f"{topic}/{number} has been read under another configuration of model {model!r} from offset"
                    f" {epoch.from_offset} on, by a process that was started after this one: start this one anew with"
                    " that configuration"
                )

    def _say_where(self, partition: Partition, model: str, epoch: Epoch, saved: Mapping[str, Any] | None) -> None:
        at = -1 if saved is None else int(saved["next_offset"])
        if at != epoch.from_offset:
            log.warning(
                "the checkpoint is of another configuration; going on where this one came into force",
                model=model,
                partition="/".join(map(str, partition)),
                checkpoint_offset=at,
                from_offset=epoch.from_offset,
            )

    def leave(self, settled: Mapping[Partition, Mapping[str, int]]) -> None:
        """Note, all at once, that models read partitions no more, which nobody reads now.

        Parameters
        ----------
        settled : mapping of Partition to mapping of str to int
            Up to where each model has taken all messages in.

        Raises
        ------
        StoreError
            Nothing is noted.
        """
        removed = [
            (partition, model, Epoch(REMOVED, offset))
            for partition, offsets in sorted(settled.items())
            for model, epoch in sorted(self.of(partition).items())
            if epoch.config and (offset := offsets.get(model)) is not None and model not in self._unread
        ]
        if removed:
            self._write(removed)

    def _note(self, partition: Partition, model: str, epoch: Epoch) -> None:
        self._write([(partition, model, epoch)])

    def _write(self, epochs: Sequence[tuple[Partition, str, Epoch]]) -> None:
        rows = empty_rows("epochs")
        for number, (partition, model, epoch) in enumerate(epochs, self._newest() + 1):
            row = {
                "topic": partition[0],
                "partition": partition[1],
                "model": model,
                "config": epoch.config,
                "from_offset": epoch.from_offset,
                "newest_ms": epoch.newest_ms,
                "closed_ms": epoch.closed_ms,
                "number": number,
                "reads": self._reads(partition[0], model),
            }
            add_row(rows, row)
            log.info("a configuration comes into force", **{name: row[name] for name in row if name != "reads"})
        append(self._store, "epochs", rows)

    def of(self, partition: Partition) -> dict[str, Epoch]:
        """Return the newest epoch of each model on a partition.

        Raises
        ------
        StoreError
        """
        rows = rows_of(self._store.read(Query("epochs", {"topic": partition[0], "partition": partition[1]})))
        epochs: dict[str, Epoch] = {}
        for row in sorted(rows, key=lambda row: (row["number"], row["from_offset"])):
            fields = (row[name] for name in ("config", "from_offset", "newest_ms", "closed_ms", "number"))
            epochs[row["model"]] = Epoch(*fields)
        return epochs

    def _newest(self) -> int:
        newest = Query("epochs", order=("number",), descending=True, limit=1, columns=("number",))
        numbers = self._store.read(newest)["number"]
        return int(numbers[0]) if len(numbers) else 0


def _settled(saved: Mapping[str, Any], position: int) -> int:
    """The offset before which a model has taken all messages in, by a checkpoint's position: some are not for it."""
    return max(int(saved["next_offset"]), position)


def _is_within(epoch: Epoch, saved: Mapping[str, Any], position: int) -> bool:
    """Whether a checkpoint was written within an epoch, and not in an earlier one of the same configuration."""
    return not epoch.from_offset or _settled(saved, position) > epoch.from_offset
