"""What the API shows: a file for each resource, with its rows and the questions that they answer.

A resource is declared once. The HTTP API makes its parameters and its OpenAPI document of the declaration, Arrow its
columns, the command line its options and its table, the client its methods. Each file here has one of the same name in
``monitor/api/``, which answers the questions.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from monitor.resources.contract import Question

__all__ = ["names", "questions"]


def names() -> list[str]:
    """Return the names of the files that declare resources."""
    return sorted(module.name for module in iter_modules(__path__) if module.name != "contract")


@cache
def questions() -> dict[str, type[Question]]:
    """Return the questions that are verbs of the command line, by verb."""
    return {
        name.replace("_", "-"): question
        for name in names()
        for question in vars(import_module(f"{__name__}.{name}")).values()
        if isinstance(question, type) and issubclass(question, Question) and question.verb
    }
