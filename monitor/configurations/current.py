"""The configurations of one process: what it goes by, and how it follows what is accepted anywhere."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType

import structlog

from monitor.clock import Clock
from monitor.config import Configuration
from monitor.config.roles import out_of_reach
from monitor.configurations.following import begun, following, note_files, note_given_up, untaken
from monitor.configurations.in_force import InForce, log_changes
from monitor.configurations.log import ConfigurationLog
from monitor.configurations.taken import Taken
from monitor.errors import LeewayError
from monitor.threads import in_words
from monitor.watch import Watch, Watches
from sinks.store.contract import Store, StoreError

__all__ = ["CurrentConfigurations"]

log = structlog.get_logger("leeway.configurations")


class CurrentConfigurations:
    """What a process goes by.

    Parameters
    ----------
    files : Configuration
        What it was started with.
    watches : mapping of str to Watch
        The models of these, made ready.
    store : Store
    clock : Clock
    roles : collection of str
        Of the process; the one that evaluates writes down what the files are.
    instance : str
        Which process this is.

    Attributes
    ----------
    in_force : InForce
    watches : Watches

    Raises
    ------
    StoreError
    """

    def __init__(
        self,
        files: Configuration,
        watches: Mapping[str, Watch],
        store: Store,
        clock: Clock,
        roles: Collection[str],
        instance: str,
    ) -> None:
        self._log, self._taken, self._roles = ConfigurationLog(store, clock), Taken(store, clock, instance), roles
        self.in_force = self._begun(files, watches, None)
        self.watches = Watches(self.in_force.watches)

    def reloaded(self, files: Configuration) -> InForce:
        """Return what is in force with files as they are now.

        Raises
        ------
        InputError
            A file's model cannot be made ready.
        StoreError
            Models have changed, and the store is away.
        """
        former = self.in_force
        if (files.models, files.texts) != (former.files.models, former.files.texts):
            return self._begun(files, self.watches, former)
        configuration = replace(former.configuration, service=files.service)
        return replace(former, files=files, configuration=configuration)

    def follow(
        self, take_up: Callable[[InForce], None], refused_topics: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Have what was accepted since taken up, and state what this process goes by. Nothing that is sent ends it.

        Parameters
        ----------
        take_up : callable
            Has every stage go by it, and calls :meth:`adopt`.
        refused_topics : mapping of str to str
            Of which nothing is read here, with the reason.
        """
        self.in_force = self.in_force.reading(refused_topics)
        try:
            if (in_force := following(self.in_force, self._log)) is not None:
                self._try(take_up, in_force)
                if "evaluate" in self._roles:
                    # A file holds again whose model was given up.
                    note_given_up(self.in_force.files, self._log)
            self._taken.state(self.in_force)
        except StoreError as error:
            if not error.retryable:
                raise
            log.warning("configurations are not followed; trying again", error=str(error))

    def stop(self) -> None:
        """State that nobody waits for this process any more."""
        try:
            self._taken.stop()
        except StoreError as error:
            log.warning("it is not stated that this process has stopped", error=str(error))

    def adopt(self, in_force: InForce) -> None:
        """Go by it: every stage does."""
        former, self.in_force = self.in_force, in_force
        self.watches.replace(in_force.watches)
        log_changes(former, in_force)

    def _try(self, take_up: Callable[[InForce], None], in_force: InForce) -> None:
        try:
            take_up(in_force)
        except LeewayError as error:
            self.in_force = untaken(self.in_force, in_force, str(error))
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 -- a change may fail in any way, and those of other models are followed
            self.in_force = untaken(self.in_force, in_force, in_words(error))

    def _begun(self, files: Configuration, ready: Mapping[str, Watch], former: InForce | None) -> InForce:
        in_force = begun(files, self._log, ready, partial(out_of_reach, self._roles), former)
        # Only what can be made ready is written down.
        if "evaluate" in self._roles and note_files(files, self._log):
            return following(in_force, self._log) or in_force
        return in_force
