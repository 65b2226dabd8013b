"""All modules of the pages as one: a browser asks once for what would be thirty requests, each a few ms of the service.

Modules import and export in the few forms that :func:`bundled` knows; any other is an error, which a test would meet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from posixpath import dirname, join, normpath

__all__ = ["bundled"]

_IMPORT = re.compile(r'^import (?:(?P<default>\w+)|\{(?P<names>[^{}]*)\}) from "(?P<target>\.[^"]+)";', re.M)
_DECLARED = re.compile(r"^export (?P<default>default )?(?=(?:async )?(?:function|class|const)\*? (?P<name>\w+))", re.M)
_LISTED = re.compile(r"(?:^|(?<=[;}\)]))export ?\{(?P<names>[^{}]*)\};?", re.M)
_SET_ASIDE = re.compile(r"^/\*\n.*?\*/", re.M | re.S)
"""Code within a comment; licences begin with two stars, and stay."""
_OTHER = re.compile(r"^(?:import|export)\b.*|\bimport ?\(.*", re.M)

_LOADER = """\
const made = new Map();
function need(name) {
  if (!made.has(name)) made.set(name, modules[name]());
  return made.get(name);
}
"""


def bundled(modules: Mapping[str, str], first: str) -> str:
    """Return a module that does what ``first`` does, with all others in it; a module runs once something needs it.

    Parameters
    ----------
    modules : mapping of str to str
        The text of each module by its path. Imports stand at the beginnings of lines and name relative paths; what is
        exported is a function, a class or a constant.
    first : str
        The path of the module whose default export is called, with a function that returns the exports of any module.

    Raises
    ------
    ValueError
        A module imports what there is not, modules import each other in a circle, or one has a form that is not known.

    Examples
    --------
    >>> print(bundled({"a.js": 'import { b } from "./b.js";', "b.js": "export const b = 1;"}, "a.js"))
    const modules = {
    "a.js": () => {
    const { b } = need("b.js");
    return {  };
    },
    "b.js": () => {
    const b = 1;
    return { b };
    },
    };
    const made = new Map();
    function need(name) {
      if (!made.has(name)) made.set(name, modules[name]());
      return made.get(name);
    }
    need("a.js").default(need);
    <BLANKLINE>
    """
    modules = {path: _SET_ASIDE.sub("", text) for path, text in modules.items()}
    needs = {path: [_path(path, match["target"]) for match in _IMPORT.finditer(text)] for path, text in modules.items()}
    _check(needs)
    wrapped = "".join(f'"{path}": () => {{\n{_body(path, text)}}},\n' for path, text in modules.items())
    return f'const modules = {{\n{wrapped}}};\n{_LOADER}need("{first}").default(need);\n'


def _check(needs: Mapping[str, Sequence[str]]) -> None:
    for path, targets in needs.items():
        if missing := set(targets) - set(needs):
            raise ValueError(f"{path} imports {', '.join(sorted(missing))}, which there is not")
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        raise ValueError(f"modules import each other: {' → '.join(error.args[1])}") from error


def _path(path: str, target: str) -> str:
    return normpath(join(dirname(path), target))


def _body(path: str, text: str) -> str:
    exported = [
        f"default: {match['name']}" if match["default"] else match["name"] for match in _DECLARED.finditer(text)
    ]
    exported += [pair for match in _LISTED.finditer(text) for pair in _pairs(match["names"])]

    def imported(match: re.Match[str]) -> str:
        names = f"default: {match['default']}" if match["default"] else ", ".join(_pairs(match["names"], taken=True))
        return f'const {{ {names} }} = need("{_path(path, match["target"])}");'

    body = _LISTED.sub("", _DECLARED.sub("", _IMPORT.sub(imported, text)))
    if other := _OTHER.search(body):
        raise ValueError(f"{path} has a form of import or export that is not known: {other[0][:80]!r}")
    return f"{body.rstrip()}\nreturn {{ {', '.join(exported)} }};\n"


def _pairs(names: str, *, taken: bool = False) -> Iterator[str]:
    """Yield what ``a, b as c`` exports, or takes, as properties: ``b as c`` exports ``c: b``, and takes ``b: c``."""
    for name in filter(None, (each.strip() for each in names.split(","))):
        inner, _, outer = name.partition(" as ")
        yield name if not outer else f"{inner}: {outer}" if taken else f"{outer}: {inner}"
