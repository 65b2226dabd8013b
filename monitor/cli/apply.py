"""``leeway apply``: a model's document, put in force while the service runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from monitor.cli.configurations import Author, author, show_change, show_notes
from monitor.cli.output import as_json
from monitor.cli.service import RunningService, service
from monitor.client.errors import QuestionError

__all__ = ["command", "read_document"]


@click.command("apply")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--if-version", "replaces", metavar="VERSION", help="Only if this one is in force: number or digest.")
@click.option("--dry-run", is_flag=True, help="Only check it, with what the service knows.")
@author
@service
@click.option("--json", "json_", is_flag=True, help="One JSON document.")
def command(
    file: Path, author: Author, service: RunningService, *, replaces: str | None, dry_run: bool, json_: bool
) -> None:
    """Put the model of FILE in force: every process goes by it within seconds, and nothing is restarted.

    The model is the API's from then on. One that a file of the service owns is refused: change that file, and send
    SIGHUP. Exits with 1 if the change is accepted, but not in force everywhere in time; with 2 if it is refused.
    """
    model, document = read_document(file)
    try:
        with service.client() as leeway:
            if dry_run:
                show_plan(leeway.configurations.plan(model, document), json_=json_)
                return
            version = leeway.configurations.apply(model, document, replaces=replaces, **author.details)
    except QuestionError as error:
        raise located(error, file) from error
    if not json_:
        show_notes(version)
    sentence = f"{model}: version {version['version']} ({version['digest']}) is accepted"
    show_change(version, sentence, json_=json_)


def show_plan(plan: Mapping[str, Any], *, json_: bool) -> None:
    if json_:
        as_json(plan)
        return
    click.echo(f"{plan['model']}: without mistakes; it would be version {plan['version']} ({plan['digest']})")
    show_notes(plan)
    if plan["refusal"]:
        click.echo(f"it would be refused: {plan['refusal']}")


def read_document(file: Path) -> tuple[str, str]:
    """Return the name of the model that a file describes, and its text.

    Raises
    ------
    ConfigError
        It is no YAML with a name.
    """
    from dataclasses import replace

    from monitor.config.document import ConfigError, Mistake, read_posted_as_far_as_known

    try:
        text = file.read_text(encoding="utf-8")
        # Whoever takes it says what is wrong with it.
        document = read_posted_as_far_as_known(file, text)
        metadata = document.value.get("metadata") if isinstance(document.value, dict) else None
        name = metadata.get("name") if isinstance(metadata, dict) else None
        if not isinstance(name, str) or not name:
            raise ConfigError([document.mistake(("metadata", "name"), "the model has no name")])
    except OSError as error:
        raise ConfigError([Mistake(str(file), 0, 0, "", error.strerror or str(error))]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([Mistake(str(file), 0, 0, "", f"not UTF-8: {error.reason} at byte {error.start}")]) from error
    except ConfigError as error:
        raise ConfigError([replace(mistake, file=str(file)) for mistake in error.mistakes]) from error
    return name, text


def located(error: QuestionError, file: Path) -> Exception:
    """Return the error with the file's name before the line of each mistake."""
    from monitor.config.document import ConfigError, Mistake

    names = ("line", "column", "field", "message")
    mistakes = [Mistake(str(file), *(each[name] for name in names)) for each in error.errors if "line" in each]
    return ConfigError(mistakes) if mistakes else error
