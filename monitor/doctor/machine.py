"""The machine: versions, limits, memory, disk, files and directories."""

from __future__ import annotations

import os
import platform
import re
import resource
import shutil
import stat
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from monitor.config import Configuration
from monitor.doctor.finding import Finding, fine, unknown, wrong

__all__ = ["disk", "files", "limits", "memory", "versions"]

LEAST_FILES = 4_096
LEAST_MEMORY_BYTES = 1 * 2**30
LEAST_FREE_BYTES, LEAST_FREE_SHARE = 1 * 2**30, 0.05
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def versions() -> Iterator[Finding]:
    """Look at whether everything that Leeway needs is installed, in versions that fit."""
    yield fine("versions", "python", platform.python_version())
    unfit = []
    for requirement in requires("leeway") or ():
        if "extra ==" not in requirement:
            name, bounds = _parts(requirement)
            if reason := _unfit(name, bounds):
                unfit.append(reason)
    if unfit:
        advice = "install Leeway anew, in an environment of its own: `pip install --force-reinstall leeway`"
        yield wrong("versions", "packages", "; ".join(unfit), advice)
    else:
        yield fine("versions", "packages", f"leeway {version('leeway')}, and all that it needs")


def _parts(requirement: str) -> tuple[str, list[tuple[str, str]]]:
    text = requirement.partition(";")[0]
    name = re.match(r"[\w.-]+", text)
    assert name is not None
    return name.group(), re.findall(r"(>=|<=|==|<|>)\s*([\d.]+)", text)


def _unfit(name: str, bounds: Iterable[tuple[str, str]]) -> str:
    """Return what is wrong with a package; empty if nothing is.

    Examples
    --------
    >>> _unfit("no-such-package", []), _unfit("click", [(">=", "8.1"), ("<", "900")])
    ('no-such-package is missing', '')
    """
    try:
        installed = version(name)
    except PackageNotFoundError:
        return f"{name} is missing"
    number = _number(installed)
    for operator, bound in bounds:
        is_below, is_same = number < _number(bound), number == _number(bound)
        fits = {
            ">=": not is_below,
            "<": is_below,
            "==": is_same,
            "<=": is_below or is_same,
            ">": not (is_below or is_same),
        }
        if not fits[operator]:
            return f"{name} {installed} is not {operator}{bound}"
    return ""


def _number(text: str) -> tuple[int, ...]:
    """Return a version's numbers, without zeros at the end."""
    numbers = [int(part) for part in re.findall(r"\d+", text.partition("+")[0])[:4]]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def limits() -> Iterator[Finding]:
    """Look at how many files may be open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < LEAST_FILES:
        advice = f"raise it to {LEAST_FILES:,} or more: `ulimit -n {LEAST_FILES}`, or LimitNOFILE= of the unit"
        yield wrong("limits", "open files", f"{soft:,} may be open at once, of {hard:,} at most", advice)
    else:
        count = "any number" if soft == resource.RLIM_INFINITY else f"{soft:,}"
        yield fine("limits", "open files", f"{count} may be open at once")


def memory() -> Iterator[Finding]:
    """Look at how much memory the process may have."""
    available = _available_bytes()
    text = CGROUP_LIMIT.read_text().strip() if CGROUP_LIMIT.exists() else "max"
    bounds = [size for size in (available, int(text) if text.isdigit() else None) if size is not None]
    if not bounds:
        yield unknown("memory", "room", "the machine does not say how much there is")
    elif min(bounds) < LEAST_MEMORY_BYTES:
        advice = "give the service 1 GiB or more; docs/benchmarks.md says what models need"
        yield wrong("memory", "room", f"{_size(min(bounds))} are to be had", advice)
    else:
        yield fine("memory", "room", f"{_size(min(bounds))} are to be had")


def _available_bytes() -> int | None:
    match = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(), flags=re.MULTILINE)
    return None if match is None else 1024 * int(match.group(1))


def disk(configuration: Configuration) -> Iterator[Finding]:
    """Look at how much room is left where the service writes."""
    for folder in _folders(configuration):
        nearest = next(each for each in (folder, *folder.parents) if each.exists())
        usage = shutil.disk_usage(nearest)
        detail = f"{_size(usage.free)} of {_size(usage.total)} are free"
        if usage.free < LEAST_FREE_BYTES or usage.free < LEAST_FREE_SHARE * usage.total:
            advice = (
                "make room, or keep results for less long (`spec.store.keep`); `leeway store status` says what takes it"
            )
            yield wrong("disk", str(folder), detail, advice)
        else:
            yield fine("disk", str(folder), detail)


def files(configuration: Configuration) -> Iterator[Finding]:
    """Look at whether the service may write where it writes, and whether others may read what is secret."""
    for folder in _folders(configuration):
        nearest = next(each for each in (folder, *folder.parents) if each.exists())
        if not os.access(nearest, os.W_OK | os.X_OK):
            advice = f"`chown` it to whoever runs the service (here uid {os.getuid()})"
            yield wrong("files", str(folder), f"{nearest} may not be written", advice)
        elif folder.exists() and folder.stat().st_mode & stat.S_IWOTH and not folder.stat().st_mode & stat.S_ISVTX:
            yield wrong("files", str(folder), "everybody on this machine may write it", f"`chmod o-w {folder}`")
        else:
            yield fine("files", str(folder), "it may be written" if folder.exists() else "it is made at the start")
    for path in _events(configuration):
        if path.exists() and path.stat().st_mode & stat.S_IROTH:
            detail = "everybody on this machine may read it, events as they came among it"
            yield wrong("files", str(path), detail, f"`chmod o-rwx {path}`")
    if configuration.path is not None:
        mode = Path(configuration.path).stat().st_mode
        if mode & stat.S_IWOTH:
            advice = f"`chmod o-w {configuration.path}`"
            yield wrong("files", str(configuration.path), "everybody on this machine may change it", advice)
        else:
            yield fine("files", str(configuration.path), "others may not change it")


def _events(configuration: Configuration) -> list[Path]:
    """What holds events: the store's folder, and the log with what SQLite keeps beside it."""
    spec = configuration.service.spec
    path, log = spec.store.settings().get("path"), Path(spec.ingest_log)
    return [*([Path(path)] if path else []), log, log.with_name(f"{log.name}-wal")]


def _folders(configuration: Configuration) -> list[Path]:
    """Where the service writes."""
    spec = configuration.service.spec
    path = spec.store.settings().get("path")
    folders = [*([Path(path)] if path else []), Path(spec.ingest_log).parent]
    return list(dict.fromkeys(folder.resolve() for folder in folders))


def _size(count: int) -> str:
    return f"{count / 2**30:,.1f} GiB"
