"""Content keys: a digest of everything that a verdict depends on, so that a kept result is found by it and by nothing else.

A verdict depends on the assertion (statement, argument, engine, proposed worlds and instances), on the assertions that it
takes as lemmas, on the checker's source and on the versions of the engines below it. Values are put into the digest part
by part, with their types. A function is its code, what it closes over, and the source of this whole package, where it
finds its globals. What is none of the known kinds has no key: its verdict is never kept.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from fractions import Fraction
from functools import _lru_cache_wrapper, cache, lru_cache, partial
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

from flint import fmpq

from derivations.checker.reals import LogSum
from derivations.checker.terms import Symbol, Term
from derivations.checker.worlds import World

if TYPE_CHECKING:
    from derivations.sections.claim import Assertion

PACKAGE = Path(__file__).parent
ENGINES = ("sympy", "z3-solver", "python-flint")


class NoKey(Exception):
    """Something has no content that could be told apart from others'."""


def key_of(assertion: Assertion, lemmas: Iterable[str]) -> str | None:
    """The key of an assertion that rests on the lemmas with the given keys; None where it has none."""
    try:
        inside = _Digests().of((
            assertion.formal, assertion.argument, assertion.prover, assertion.worlds, assertion.instances,
        ))  # fmt: skip
    except NoKey:
        return None
    return _hash(b"assertion", engines().encode(), inside, *sorted(lemma.encode() for lemma in lemmas)).hex()


@cache
def engines() -> str:
    """A digest of the checker's source, of how its verdicts are written down, and of the versions below it."""
    versions = [sys.version, *(f"{name} {_version(name)}" for name in ENGINES)]
    written_down = (PACKAGE / "records.py").read_bytes()
    return _hash(*(v.encode() for v in versions), source_of(PACKAGE / "checker"), written_down).hex()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "?"


@cache
def source_of(folder: Path) -> bytes:
    """A digest of every source file below a folder."""
    parts = []
    for path in sorted(folder.rglob("*.py")):
        parts += [path.relative_to(folder).as_posix().encode(), path.read_bytes()]
    return _hash(*parts)


def _hash(*parts: bytes) -> bytes:
    """A digest of several pieces, each with its length, so that no two sequences run together."""
    return blake2b(b"".join([b"%d:%b" % (len(part), part) for part in parts]), digest_size=20).digest()


def _joined(name: bytes, digests: Iterable[bytes]) -> bytes:
    """A digest of a name and of digests, which all have one length and do not run together."""
    return blake2b(b"%d:%b" % (len(name), name) + b"".join(digests), digest_size=20).digest()


_WORLDS: dict[int, tuple[object, bytes]] = {}
"""The digests of proposed worlds, which have large tables and stand in several assertions: each is worked out once."""


class _Digests:
    """The digests of values; that of a large immutable value is worked out once."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[object, bytes]] = {}
        self._open: set[int] = set()

    def of(self, value: object) -> bytes:
        """The digest of a value; equal values of one kind have one, whatever their order in memory or in a mapping."""
        kind: Any = type(value)
        if kind in _PLAIN:
            return _plain(kind, value)
        if kind is tuple:
            return _joined(b"sequence", map(self.of, value))  # type: ignore[call-overload]
        if isinstance(value, (Term, Symbol)):
            # Terms and symbols never change: theirs is kept with them, and most are in many statements.
            kept: bytes | None = value.__dict__.get("_digest")
            if kept is None:
                kept = value.__dict__["_digest"] = self._parts(value)
            return kept
        # Not kept with a world: one that is made of it by a change would have it, too.
        known = _WORLDS if isinstance(value, World) else self._known
        found = known.get(id(value))
        if found is None:
            if id(value) in self._open:
                raise NoKey("a value that contains itself")
            self._open.add(id(value))
            try:
                # The value is held as long as its digest: another object cannot take its place in memory.
                found = (value, self._compound(value))
            finally:
                self._open.remove(id(value))
            known[id(value)] = found
        return found[1]

    def _compound(self, value: object) -> bytes:
        kind: Any = type(value)
        match value:
            case str():
                return _hash(_name(kind), value.encode("utf-8", "surrogatepass"))
            case list():
                return _joined(b"sequence", map(self.of, value))
            case set() | frozenset():
                return _hash(b"set", *sorted(map(self.of, value)))
            case dict() if _is_table_of_rationals(value):
                return _hash(b"table", *sorted(repr(entry).encode() for entry in value.items()))
            case Mapping():
                return _hash(b"mapping", *sorted(self.of(k) + self.of(v) for k, v in value.items()))
            case MethodType():
                return _hash(b"method", self.of(value.__func__), self.of(value.__self__))
            case partial():
                return _hash(b"partial", self.of(value.func), self.of(value.args), self.of(value.keywords))
            case FunctionType():
                return self._function(value)
            case _lru_cache_wrapper():
                return _hash(b"cached", self.of(value.__wrapped__))
            case ModuleType() if value.__name__.split(".")[0] in ("sympy", "derivations"):
                return _hash(b"module", value.__name__.encode())
            case Enum():
                return _hash(_name(kind), str(value.value).encode())
            case LogSum():
                logs = {prime: repr(coefficient) for prime, coefficient in value.logs.items()}
                return _hash(b"logarithms", repr(value.rational).encode(), self.of(logs))
        if is_dataclass(value):
            return self._parts(value)
        name = _name(kind)
        if name.startswith(b"sympy."):
            from sympy import srepr

            return _hash(name, srepr(value).encode())
        if name.startswith(b"flint."):
            return _hash(name, repr(value).encode())
        raise NoKey(name.decode())

    def _parts(self, value: object) -> bytes:
        """The digest of an object of a dataclass."""
        kind: Any = type(value)
        name, parts = _shape(kind)
        return _joined(name, [self.of(getattr(value, part)) for part in parts])

    def _function(self, value: Callable[..., object]) -> bytes:
        """A function of this package, whose source holds the globals that it finds; those of others may be anything."""
        assert isinstance(value, FunctionType)
        if not value.__module__.startswith("derivations."):
            raise NoKey(f"{value.__module__}.{value.__qualname__}")
        try:
            closed = [cell.cell_contents for cell in value.__closure__ or ()]
        except ValueError as empty:
            raise NoKey("a function that is not finished") from empty
        parts = (value.__qualname__, value.__defaults__, value.__kwdefaults__, closed, _code(value.__code__))
        return _hash(b"function", value.__module__.encode(), source_of(PACKAGE), self.of(parts))


_PLAIN = frozenset((bool, int, str, bytes, Fraction, type(None)))


def _is_table_of_rationals(value: Mapping[Any, Any]) -> bool:
    """Whether it is a table of a world, such as most are: jets of rationals at tuples of elements and of histories."""
    keys, jets = value.keys(), value.values()
    if not value or {*map(type, keys), *map(type, jets)} != {tuple}:
        return False
    places = {kind for key in keys for kind in map(type, key)}
    return places <= {int, tuple} and {kind for jet in jets for kind in map(type, jet)} <= {fmpq}


@lru_cache(maxsize=100_000, typed=True)
def _plain(kind: type, value: object) -> bytes:
    inside = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
    return _hash(kind.__name__.encode(), inside)


@cache
def _name(kind: type) -> bytes:
    return f"{kind.__module__}.{kind.__qualname__}".encode()


@cache
def _shape(kind: type) -> tuple[bytes, tuple[str, ...]]:
    """The name of a dataclass and of its parts.

    What begins with an underscore is what an object has worked out before, such as the values in a world.
    """
    return _name(kind), tuple(part.name for part in fields(kind) if part.name[0] != "_")


def _code(code: CodeType) -> tuple[object, ...]:
    """What tells two functions of one module apart that have the same name, such as two lambdas on one line."""
    constants = tuple(
        _code(item) if isinstance(item, CodeType) else repr(item)
        for item in code.co_consts
        if not isinstance(item, frozenset)
    )
    return (code.co_code, code.co_names, code.co_varnames, code.co_freevars, constants, code.co_firstlineno)


__all__ = ["NoKey", "engines", "key_of", "source_of"]
