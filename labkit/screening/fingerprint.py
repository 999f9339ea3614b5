"""Telling whether two things are the same without keeping both: candidates as they arrive, and functions of a notebook.

A campaign that is taken up compares these with what it began with, so that no answer is given to another question.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator
from types import CodeType
from typing import Any

import numpy as np
from ase import Atoms

#: Positions and cells are compared to so many decimal places (Å).
DECIMALS = 6
#: What belongs to a candidate beside its atoms and their places.
KEPT_ARRAYS, KEPT_INFO = ("initial_magmoms", "initial_charges", "tags"), ("charge", "multiplicity")


class Fingerprint:
    """The sha1 of candidates that pass by, and of the `rules` that are applied to them."""

    def __init__(self, *rules: str) -> None:
        self._hash = hashlib.sha1("\n".join(rules).encode())

    def of(self, given: Iterable[Atoms]) -> Iterator[Atoms]:
        """`given`, one by one, each taken into account."""
        for one in given:
            self._hash.update(_words(one))
            yield one

    @property
    def text(self) -> str:
        """The sum so far, in hexadecimal digits."""
        return self._hash.hexdigest()


def _words(given: Atoms) -> bytes:
    extra = [given.arrays[key] for key in KEPT_ARRAYS if key in given.arrays]
    numbers = [np.round(one, DECIMALS) + 0.0 for one in (given.positions, given.cell.array, *extra)]  # + 0.0: no -0.0
    info = [str(given.info.get(key, "")) for key in ("name", "fault", *KEPT_INFO)]
    head = "\n".join((*info, str(given.pbc.tolist()), ""))
    arrays = (given.numbers.astype("<i8"), *(one.astype("<f8") for one in numbers))
    return head.encode(errors="replace") + b"".join(one.tobytes() for one in arrays)


def of_function(function: Callable[..., Any]) -> str:
    """The sha1 of what a function does: its code, defaults, and the plain values and functions that it refers to.

    Names of files and line numbers do not count, so that a cell that is run again brings the same function.
    """
    found = hashlib.sha1()
    for word in _function(function, set()):
        found.update(word.encode(errors="replace") + b"\n")
    return found.hexdigest()


def _function(function: Any, seen: set[int]) -> Iterator[str]:
    if id(function) in seen:
        return
    seen.add(id(function))
    if isinstance(function, functools.partial):
        yield from _function(function.func, seen)
        yield from (_plain(one) for one in (*function.args, *sorted(function.keywords.items())))
        return
    code = getattr(function, "__code__", None)
    if code is None:  # an object that can be called, or a function of C
        yield f"{type(function).__module__}.{type(function).__qualname__}"
        yield from (_plain(one) for one in sorted(getattr(function, "__dict__", {}).items()))
        call = type(function).__call__
        if hasattr(call, "__code__"):
            yield from _function(call, seen)
        return
    yield from _code(code)
    yield from (_plain(one) for one in (function.__defaults__, function.__kwdefaults__))
    for name, value in _outside(function):
        yield f"{name} {_plain(value)}"
        # What a notebook defines travels with the function; what a module defines is the module's.
        if hasattr(value, "__code__") and getattr(value, "__module__", "") in ("__main__", function.__module__):
            yield from _function(value, seen)


def _outside(function: Any) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not yet bound
            continue
    for name in _names(function.__code__):
        if name in function.__globals__:
            yield name, function.__globals__[name]


def _names(code: CodeType) -> list[str]:
    inner = (name for one in code.co_consts if isinstance(one, CodeType) for name in _names(one))
    return sorted({*code.co_names, *inner})


def _code(code: CodeType) -> Iterator[str]:
    yield code.co_code.hex()
    yield repr((code.co_names, code.co_varnames, code.co_freevars))
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield from _code(one)
        else:
            yield _plain(one)


def _plain(value: Any) -> str:
    """A value in words, where these are the same in every process; else only its kind."""
    if isinstance(value, frozenset | set):
        return f"{{{', '.join(sorted(_plain(one) for one in value))}}}"
    if isinstance(value, list | tuple):
        return f"({', '.join(_plain(one) for one in value)})"
    if isinstance(value, dict):
        return f"{{{', '.join(sorted(f'{_plain(key)}: {_plain(one)}' for key, one in value.items()))}}}"
    if value is None or value is ... or isinstance(value, bool | int | float | complex | str | bytes):
        return repr(value)
    return type(value).__qualname__
