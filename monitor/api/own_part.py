"""The part of a service that whoever is bound to namespaces is shown: as if there were no other models."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from prometheus_client import CollectorRegistry

from monitor.access.tokens import Token, bound
from monitor.api.choices import known_names
from monitor.api.contract import ApiService
from monitor.api.own_store import OwnStore
from monitor.api.problems import ProblemError
from monitor.api.reading import Row
from monitor.api.standing_alerts import rejected_models
from monitor.clock import Clock
from monitor.config import Configuration, Model
from monitor.config.document import read_posted
from monitor.config.validate import validated
from monitor.erasure.erase import Erased, Request
from monitor.erasure.export import Record
from monitor.ingest.late_events import LateShare
from monitor.messages import LogPosition
from monitor.retries import Retried
from monitor.watch import Watch
from sinks.store.contract import Store

__all__ = ["OwnPart"]


class OwnPart:
    """A service of which only the models of some namespaces are there.

    Parameters
    ----------
    service : ApiService
    token : Token
        That is bound to them.

    Attributes
    ----------
    configuration : Configuration
        With these models alone.
    store : Store
        With their rows alone.
    watches : mapping of str to Watch
    """

    def __init__(self, service: ApiService, token: Token) -> None:
        self._service, self._token, self._namespaces = service, token, frozenset(token.namespaces)
        self.configuration = _of_namespaces(service.configuration, self._namespaces)
        self.store: Store = OwnStore(service.store, self.configuration.all_read)
        self.watches: Mapping[str, Watch] = {
            name: watch
            for name in self.configuration.models
            if (watch := service.watches.get(name)) is not None and watch.model.metadata.namespace in self._namespaces
        }

    @property
    def clock(self) -> Clock:
        """The clock of all."""
        return self._service.clock

    def refusal(self, model: Model) -> str:
        """Return why this service cannot watch a model that fits its configuration; empty if it can."""
        return self._service.refusal(model)

    def check_change(self, name: str, text: str) -> None:
        """Refuse a document by which a model would go elsewhere, or read what it does not read now.

        One that describes no model is let through, to hear of its mistakes.

        Raises
        ------
        ConfigError
            The document cannot be read.
        ProblemError
        """
        stated = self.configuration.models.get(name)
        if stated is None:
            choices = known_names(name, list(self.configuration.models))
            raise ProblemError("unknown-model", f"no model is named {name!r}; {choices}")
        # Whether files that it names are there is not looked at: they may be another model's.
        document = read_posted(self.configuration.root / f"{name}.yaml", text)
        model = validated(Model, document, []) if isinstance(document.value, dict) else None
        if model is None:
            return
        if model.metadata.namespace not in self._namespaces:
            self._refuse_change("metadata.namespace", "the model stays in what it is bound to")
        reads = "what a model reads is not changed with it"
        if model.spec.sources != stated.spec.sources:
            self._refuse_change("spec.sources", reads)
        # Without another file, a baseline is made of what the model has read itself.
        if model.spec.baseline.uri != stated.spec.baseline.uri:
            self._refuse_change("spec.baseline", reads)

    def _refuse_change(self, field: str, why: str) -> NoReturn:
        error = {"field": field, "message": why}
        raise ProblemError("forbidden", f"{field}: {bound(self._token)}: {why}", errors=[error])

    def is_as_it_was(self) -> bool:
        """Whether no model has left since this was made."""
        models = self._service.configuration.models
        return all(
            name in models and models[name].metadata.namespace in self._namespaces for name in self.configuration.models
        )

    def late_shares(self) -> list[LateShare]:
        """Return how many events of these models came late."""
        return [share for share in self._service.late_shares() if share.model in self.configuration.models]

    def rejected_models(self) -> dict[str, Row]:
        """Return these models of which nearly all that comes is rejected, with the alerts that say so."""
        rejected = rejected_models(self._service.store)
        return {name: alert for name, alert in rejected.items() if name in self.configuration.models}

    def accept(self, stream: str, payloads: list[bytes]) -> tuple[int, int]:
        """Append messages to an HTTP stream that only these models read.

        Raises
        ------
        ProblemError
            Others read it, too.
        SourceError
        """
        every = self._service.configuration.all_read
        others = every.keys() - self.configuration.all_read.keys()
        if any(_reads(every[name], stream) for name in others):
            detail = f"not only models of this namespace read the stream {stream!r}; {bound(self._token)}"
            raise ProblemError("forbidden", detail, namespaces=list(self._token.namespaces))
        return self._service.accept(stream, payloads)

    # -- what is of all: no route that may ask for an own part comes here ----------------------------------------------

    @property
    def metrics(self) -> CollectorRegistry:
        """Refuse: figures are of all."""
        self._refuse()

    def ready(self) -> list[str]:
        """Return why the service is not ready: anybody may ask that."""
        return self._service.ready()

    def notes(self) -> list[str]:
        """Return what people should know of a service that is ready."""
        return self._service.notes()

    def status(self) -> dict[str, Any]:
        """Refuse: it is of all."""
        self._refuse()

    def reload(self) -> None:
        """Refuse: the configuration is of all."""
        self._refuse()

    def erase(self, request: Request, *, dry_run: bool = False, on_begun: Callable[[str], None]) -> Erased:
        """Refuse: persons may be in the data of all."""
        self._refuse()

    def export(self, request: Request, *, on_begun: Callable[[str], None]) -> Iterator[Record]:
        """Refuse: persons may be in the data of all."""
        self._refuse()

    def retry(self, places: Sequence[LogPosition], *, dry_run: bool = False) -> list[Retried]:
        """Refuse: models of others may read the streams."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise ProblemError("forbidden", f"this is about the whole service; {bound(self._token)}")


def _of_namespaces(configuration: Configuration, namespaces: Collection[str]) -> Configuration:
    models = {name: model for name, model in configuration.models.items() if model.metadata.namespace in namespaces}
    templates = {
        name: template
        for name, template in configuration.templates.items()
        if template.metadata.namespace in namespaces
    }
    own = {**templates, **models}
    return replace(
        configuration,
        models=models,
        files={name: file for name, file in configuration.files.items() if name in own},
        layered={name: document for name, document in configuration.layered.items() if name in own},
        texts={name: text for name, text in configuration.texts.items() if name in own},
        posted=configuration.posted & models.keys(),
        unread=configuration.unread & models.keys(),
        templates=templates,
        registered={name: like for name, like in configuration.registered.items() if name in models},
        given_up=frozenset(),
    )


def _reads(model: Model, stream: str) -> bool:
    return any(source.http == stream for source in model.spec.sources)
