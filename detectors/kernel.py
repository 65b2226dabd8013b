"""How a kernel is compiled: every Numba option in one place, each with its reason.

Rules for what stands under :func:`kernel`, which the compiler does not check:

* No division by zero, no logarithm or root of what may be negative. Compiled code would go on with NaN, the same code
  with ``NUMBA_DISABLE_JIT=1`` would raise, and both must give the same.
* ``s["mean"]``, not ``s.mean``: the second works only when compiled.
* A kernel names what it takes from other files, kernels and numbers, without a dot: the disk cache then notices when
  they are edited.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Generic, ParamSpec, TypeVar

if sys.platform != "win32":
    import fcntl

__all__ = ["MAX_ABS", "Kernel", "bound", "inlined", "kernel", "taken_from_elsewhere"]

MAX_ABS = 1e100
"""Largest size of an observation that is absorbed: squares of sums of 2**40 such values do not overflow.

Testing ``abs(x) <= MAX_ABS`` also turns away NaN and both infinities, in one comparison.
"""

_WAIT_S, _WAITS = 0.05, 2_400
"""Who compiles may have been paused, or its file system may keep the lock of the dead: after two minutes each compiles
for itself, as if nothing were shared."""

P = ParamSpec("P")
R = TypeVar("R")


class Kernel(Generic[P, R]):
    """A function that is compiled when it is first called.

    The compiler itself is imported only then: it takes over a second, which who looks up a detector's parameters (a
    configuration that is checked, say) need not wait for.

    Parameters
    ----------
    function : callable
    inline : bool
        Whether it is compiled into the kernels that call it.
    """

    def __init__(self, function: Callable[P, R], *, inline: bool = False) -> None:
        self.__wrapped__, self._inline = function, inline
        self.__name__, self.__doc__, self.__module__ = function.__name__, function.__doc__, function.__module__
        self._compiled: Any = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        result: R = (self._compiled or self.compiled)(*args, **kwargs)
        return result

    @property
    def compiled(self) -> Any:
        """The compiler's own object."""
        if self._compiled is None:
            self._compiled = _compiled(self.__wrapped__, inline=self._inline)
        return self._compiled

    @property
    def _numba_type_(self) -> Any:
        """How the compiler sees this object when another kernel calls it: as what it is compiled to."""
        return self.compiled._numba_type_


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` on its first call.

    Examples
    --------
    >>> @kernel
    ... def double(x: float) -> float:
    ...     return 2 * x
    >>> double(21.0)
    42.0
    """
    return Kernel(function)


def inlined(function: Callable[P, R]) -> Kernel[P, R]:
    """Compile `function` into each kernel that calls it: for parts of a loop that are handed many arrays.

    A call counts the references to every array that it is given, which takes longer than a short function does.

    Examples
    --------
    >>> @inlined
    ... def double(x: float) -> float:
    ...     return 2 * x
    >>> double(21.0)
    42.0
    """
    return Kernel(function, inline=True)


def bound(function: Callable[..., R], arguments: tuple[Any, ...]) -> Callable[[], R]:
    """Return a call of a kernel with these arguments, for who makes it again and again.

    The compiler's own call looks up the type of each argument, which takes longer than a kernel does for one number.

    Examples
    --------
    >>> @kernel
    ... def double(x: float) -> float:
    ...     return 2 * x
    >>> call = bound(double, (21.0,))
    >>> call(), call()
    (42.0, 42.0)
    """
    compiled: Any = function.compiled if isinstance(function, Kernel) else function
    if hasattr(compiled, "get_overload"):
        import numba

        typeof: Any = numba.typeof
        types = tuple(typeof(argument) for argument in arguments)
        compiled.compile(types)
        compiled = compiled.get_overload(types)
    return partial(compiled, *arguments)


def _compiled(function: Callable[P, R], *, inline: bool) -> Any:
    import numba
    import numba.core.config

    settings = vars(numba.core.config)
    # A restarted worker must not spend seconds compiling before it reads its first event. The disk cache does not
    # tell code with bounds checks from code without, so checked code (NUMBA_BOUNDSCHECK=1) stays out of it.
    cached = not settings["BOUNDSCHECK"] and _is_in_a_file(function)
    njit: Any = numba.njit
    compiled = njit(
        cache=cached,
        # Reordered or fused arithmetic would make results depend on the machine and on whether the jit is on.
        fastmath=False,
        # Partitions are worked on in threads; a kernel touches no Python object.
        nogil=True,
        # Threads inside a kernel would compete with those, and a parallel sum is not reproducible.
        parallel=False,
        # Python's division checks its divisor at each use, which keeps loops from being vectorised.
        error_model="numpy",
        # Left to the environment, NUMBA_BOUNDSCHECK=1; the test suite is run once with it.
        boundscheck=None,
        forceinline=inline,
    )(function)
    if cached and not settings["DISABLE_JIT"]:
        # Of itself the cache compares the text of the function's own file alone, although what it keeps holds all that
        # the function calls. There is no public way to tell it; a test notices if this one no longer works.
        index = compiled._cache._cache_file
        index._source_stamp = (index._source_stamp, *taken_from_elsewhere(function))
        if sys.platform != "win32":  # where every process compiles for itself
            _one_compiles(compiled)
    return compiled


def _is_in_a_file(function: Callable[P, R]) -> bool:
    """Whether there is a source file whose edits the disk cache can notice."""
    return not function.__code__.co_filename.startswith("<")


def taken_from_elsewhere(function: Callable[..., Any]) -> Iterator[str]:
    """Yield what the compiled form of `function` is made of besides its own file.

    Parameters
    ----------
    function : callable
        As it was before it was compiled.

    Yields
    ------
    str
        The digest of the file of each kernel that it calls, directly or not, and of this one, which has the compiler's
        options; which kernel a name stands for; the numbers, tuples and arrays that any of them uses, which compiled
        code holds as they were.

    Raises
    ------
    OSError
        A file cannot be read.

    Examples
    --------
    >>> LEAST = 2
    >>> def clipped(x: float) -> float:
    ...     return max(x, LEAST)
    >>> next(taken_from_elsewhere(clipped))
    'LEAST = 2'
    """
    import numpy as np

    met, waiting = {function}, [function]
    while waiting:
        user = waiting.pop()
        for name in user.__code__.co_names:
            value = user.__globals__.get(name)
            if isinstance(value, np.ndarray):
                yield f"{name} = {value.dtype}{value.shape} {sha256(value.tobytes()).hexdigest()}"
            elif isinstance(value, int | float | tuple | np.generic | type):
                yield f"{name} = {value!r}"
            elif isinstance(value, Kernel):
                yield f"{name} = {value.__module__}.{value.__name__}"
                if value.__wrapped__ not in met:
                    met.add(value.__wrapped__)
                    waiting.append(value.__wrapped__)
    files = {__file__} | {used.__code__.co_filename for used in met if _is_in_a_file(used)}
    yield from sorted(sha256(Path(file).read_bytes()).hexdigest() for file in files)


def _one_compiles(compiled: Any) -> None:
    """Let one process at a time compile what the disk cache of a kernel does not hold.

    Workers that start together on a fresh machine would each compile everything. They would also lose entries: the
    compiler reads, extends and writes the index of a kernel's compiled forms without a lock.

    Parameters
    ----------
    compiled : numba.core.dispatcher.Dispatcher
        It has no public hook, so a method of it and one of its cache are replaced.
    """
    import numba.core.sigutils

    normalize_signature: Any = numba.core.sigutils.normalize_signature
    cache = compiled._cache
    turn = _Turn(Path(cache.cache_path), cache._impl.filename_base, cache._impl.locator.ensure_cache_path)
    load, compile_ = cache.load_overload, compiled.compile

    def load_if_right(signature: Any, target: Any) -> Any:
        # Where locks do not work, two that compile for other types may take the same file for what they keep.
        loaded = load(signature, target)
        types, _ = normalize_signature(signature)
        return loaded if loaded is not None and tuple(loaded.signature.args) == tuple(types) else None

    def load_or_have_turn(signature: Any, target: Any) -> Any:
        loaded = load_if_right(signature, target)
        return load_if_right(signature, target) if loaded is None and turn.take() else loaded

    def compile_in_turn(signature: Any) -> Any:
        try:
            return compile_(signature)
        finally:
            turn.end()

    cache.load_overload, compiled.compile = load_or_have_turn, compile_in_turn


class _Turn:
    """A process's turn to compile a kernel, which ends with the process at the latest.

    A kernel takes its turn before those that it calls, and they do not call it, so that nobody waits in a circle. The
    compiler's own lock keeps the threads of a process apart.
    """

    def __init__(self, folder: Path, name: str, make_folder: Callable[[], None]) -> None:
        self._path, self._make_folder = folder / f"{name}.lock", make_folder
        self._file: IO[bytes] | None = None

    def take(self) -> bool:
        """Wait for the turn; false if there is none to be had."""
        try:
            self._make_folder()
            self._file = self._path.open("ab")
        except OSError:  # a folder that may only be read, say
            return False
        for _ in range(_WAITS):
            try:
                # Of the process, unlike `flock`: a child that was forked meanwhile holds nothing.
                fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                threading.Event().wait(_WAIT_S)
            except OSError:  # a file system without locks
                break
            else:
                return True
        self.end()
        return False

    def end(self) -> None:
        """Give the turn to the next."""
        if self._file is not None:
            self._file.close()
            self._file = None
