"""Models that have appeared become models: a version of each is written down, like its template."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import structlog

from monitor.config import Configuration, Model
from monitor.config.quotas import quota_refusals
from monitor.config.templates import document_like
from monitor.configurations.log import Change, ConfigurationLog, ConflictError, Version
from monitor.errors import InputError
from monitor.events import Appearance

__all__ = ["AUTHOR", "register"]

AUTHOR = "leeway"
log = structlog.get_logger("leeway.configurations")


def register(appeared: Iterable[Appearance], configuration: Configuration, log_: ConfigurationLog) -> set[str]:
    """Write down a version of each model that has appeared, as long as its template has room.

    Which models get the last places is decided here, in the order in which processes come: what is written down is an
    input of what is made of the log, as other decisions are.

    Parameters
    ----------
    appeared : iterable of Appearance
        In the order in which they have appeared.
    configuration : Configuration
        With their templates.
    log_ : ConfigurationLog

    Returns
    -------
    set of str
        Models that cannot be registered; and templates like which none can, whatever it is called: nobody waits for
        each of its names.

    Raises
    ------
    StoreError
    """
    heads = log_.heads()
    counts = Counter(head.template for head in heads.values() if head.owner == "api")
    refused, models = set[str](), _registered(heads, configuration) | configuration.models
    for each in appeared:
        if each.template not in configuration.templates or _is_owned(heads, each.name) or each.template in refused:
            continue
        model = _named(configuration.templates[each.template], each.name)
        if each.name in heads or counts[each.template] >= _at_most(configuration, each):
            refused.add(each.name)
        elif quota_refusals(models, model, configuration.service.spec.quotas):
            refused.add(each.template)
        elif _is_written(each, configuration, log_, refused):
            counts[each.template] += 1
            models[each.name] = model
    return refused


def _registered(heads: Mapping[str, Version], configuration: Configuration) -> dict[str, Model]:
    """Return models that have registered themselves, here or elsewhere, also those that are not in force here."""
    templates = configuration.templates
    return {
        name: _named(templates[head.template], name)
        for name, head in heads.items()
        if head.owner == "api" and head.template in templates
    }


def _named(template: Model, name: str) -> Model:
    return template.model_copy(update={"metadata": template.metadata.model_copy(update={"name": name})})


def _is_owned(heads: Mapping[str, Version], name: str) -> bool:
    """Whether it was registered, or applied, meanwhile, and is soon known here."""
    return name in heads and heads[name].owner == "api"


def _at_most(configuration: Configuration, appearance: Appearance) -> int:
    source = configuration.templates[appearance.template].spec.source_of(appearance.topic)
    return 0 if source is None or source.models is None else source.models.at_most


def _is_written(
    appearance: Appearance, configuration: Configuration, log_: ConfigurationLog, refused: set[str]
) -> bool:
    template, name = appearance.template, appearance.name
    log_position = f"{appearance.topic}/{appearance.partition}, offset {appearance.offset}"
    change = Change(
        name,
        document_like(configuration.layered[template], name),
        author=AUTHOR,
        reason=f"appeared at {log_position}, like {template}",
        template=template,
    )
    try:
        log_.put(change, replaces=())
    except ConflictError:
        # Another process was first, with the same.
        return False
    except InputError as error:
        log.error("a model that has appeared is not registered", model=name, at=log_position, reason=str(error))
        refused.add(template)
        return False
    log.info("a model has registered itself", model=name, at=log_position, like=template)
    return True
