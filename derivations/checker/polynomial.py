"""Polynomials over index sets of unknown size, in canonical order.

A polynomial is a sum of monomials, each a rational number times atoms under sum signs. Bound indices are renamed to a
canonical order by colour refinement, and only ties are permuted: two polynomials are the same object of this module when
they are equal up to the names of their bound indices.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import count

from derivations.checker.errors import Undecided
from derivations.checker.terms import (
    Add,
    Apply,
    Argument,
    Delta,
    Exp,
    Index,
    Indicator,
    Length,
    Log,
    Made,
    Multiply,
    Number,
    Path,
    Power,
    Size,
    Sum,
    Term,
    free_indices_of,
    hashed_once,
)

# --- polynomials ----------------------------------------------------------------------------------------------------


@hashed_once
@dataclass(frozen=True)
class Nonzero:
    """[atom ≠ 0]."""

    atom: Atom


@hashed_once
@dataclass(frozen=True)
class LogPrime:
    """The logarithm of a prime number."""

    prime: int


@hashed_once
@dataclass(frozen=True)
class Composite:
    """A function of polynomials that is kept as it is: log, exp, inverse, minimum, maximum, <, D."""

    kind: str
    parts: tuple[Polynomial, ...]


Atom = Apply | Delta | Size | Length | Nonzero | LogPrime | Composite
Exponent = int | Fraction
Factors = dict[Atom, Exponent]


@hashed_once
@dataclass(frozen=True)
class Monomial:
    """coefficient · Σ_binders Π atom^exponent."""

    coefficient: Fraction
    binders: tuple[Index, ...]
    factors: tuple[tuple[Atom, Exponent], ...]


@hashed_once
@dataclass(frozen=True)
class Polynomial:
    """A sum of monomials in canonical order; `height` counts how deep polynomials are nested in it."""

    monomials: tuple[Monomial, ...]
    height: int

    def __bool__(self) -> bool:
        return bool(self.monomials)


Raw = tuple[Fraction, tuple[Index, ...], Factors]
ONE = Fraction(1)
_counter = count()
MAX_ORDERS = 400
MAX_MONOMIALS = 4000


def new_index(like: Index) -> Index:
    return Index(Made(f"·{next(_counter)}"), like.sort)


@lru_cache(maxsize=200_000)
def atom_indices(atom: Atom) -> frozenset[Index]:
    """The indices that are free in an atom."""
    match atom:
        case Apply(_, arguments, _):
            return free_indices_of(arguments)
        case Delta(left, right):
            return frozenset((left, right))
        case Nonzero(inner):
            return atom_indices(inner)
        case Composite(_, parts):
            return frozenset().union(*(polynomial_indices(part) for part in parts))
    return frozenset()


@lru_cache(maxsize=100_000)
def polynomial_indices(polynomial: Polynomial) -> frozenset[Index]:
    """The indices that are free in a polynomial."""
    found: frozenset[Index] = frozenset()
    for monomial in polynomial.monomials:
        inside: frozenset[Index] = frozenset()
        for atom, _ in monomial.factors:
            inside |= atom_indices(atom)
        found |= inside - frozenset(monomial.binders)
    return found


def _height(atom: Atom) -> int:
    match atom:
        case Composite(_, parts):
            return max((part.height for part in parts), default=0)
        case Nonzero(inner):
            return _height(inner)
    return 0


def rename_argument(argument: Argument, mapping: Mapping[Index, Index]) -> Argument:
    if isinstance(argument, Index):
        return mapping.get(argument, argument)
    prefix = None if argument.prefix is None else mapping.get(argument.prefix, argument.prefix)
    return Path(argument.sort, prefix, tuple(mapping.get(item, item) for item in argument.items))


def rename_atom(atom: Atom, mapping: Mapping[Index, Index]) -> Atom:
    """An atom with free indices renamed; nested polynomials are put in canonical order again."""
    if not any(index in mapping for index in atom_indices(atom)):
        return atom
    match atom:
        case Apply(symbol, arguments, order):
            return Apply(symbol, tuple(rename_argument(a, mapping) for a in arguments), order)
        case Delta(left, right):
            return delta_of(mapping.get(left, left), mapping.get(right, right))
        case Nonzero(inner):
            return Nonzero(rename_atom(inner, mapping))
        case Composite(kind, parts):
            return composite_of(kind, tuple(_rename_polynomial(part, mapping) for part in parts))
    return atom


def renamed_factors(factors: Iterable[tuple[Atom, Exponent]], mapping: Mapping[Index, Index]) -> Factors:
    """Factors with indices renamed; those that become the same are multiplied, and x · x⁻¹ leaves [x ≠ 0]."""
    result: Factors = {}
    for atom, exponent in factors:
        renamed = rename_atom(atom, mapping)
        if isinstance(renamed, Delta) and renamed.left == renamed.right:
            continue
        if isinstance(renamed, (Nonzero, Delta)):
            result[renamed] = 1
            continue
        power = result.pop(renamed, 0) + exponent
        if power:
            result[renamed] = power
        elif not (isinstance(renamed, Composite) and renamed.kind == "exp"):
            result[Nonzero(renamed)] = 1
    return result


def _rename_polynomial(polynomial: Polynomial, mapping: Mapping[Index, Index]) -> Polynomial:
    return collect((m.coefficient, m.binders, renamed_factors(m.factors, mapping)) for m in polynomial.monomials)


def delta_of(left: Index, right: Index) -> Delta:
    return Delta(left, right) if left.name <= right.name else Delta(right, left)


def composite_of(kind: str, parts: tuple[Polynomial, ...]) -> Composite:
    if kind in ("minimum", "maximum"):
        parts = tuple(sorted(set(parts), key=lambda p: _polynomial_key(p, {})))
    return Composite(kind, parts)


# --- canonical order ------------------------------------------------------------------------------------------------

Naming = Mapping[Index, str]


def _index_key(index: Index, naming: Naming) -> str:
    return naming.get(index) or f"{index.name}:{index.sort.name}"


def _argument_key(argument: Argument, naming: Naming) -> str:
    if isinstance(argument, Index):
        return _index_key(argument, naming)
    prefix = "" if argument.prefix is None else _index_key(argument.prefix, naming)
    return f"<{prefix}|{','.join(_index_key(item, naming) for item in argument.items)}>"


def key_of_atom(atom: Atom, naming: Naming) -> str:
    return _key_of_atom(atom, naming) if naming else atom_key(atom)


def _key_of_atom(atom: Atom, naming: Naming) -> str:
    match atom:
        case Apply(symbol, arguments, order):
            return f"{symbol.name}{'′' * order}({','.join(_argument_key(a, naming) for a in arguments)})"
        case Delta(left, right):
            first, second = sorted((_index_key(left, naming), _index_key(right, naming)))
            return f"δ({first},{second})"
        case Size(sort):
            return f"|{sort.name}|"
        case Length(sort):
            return f"t({sort.name})"
        case Nonzero(inner):
            return f"[{key_of_atom(inner, naming)}≠0]"
        case LogPrime(prime):
            return f"log {prime}"
        case Composite(kind, parts):
            return f"{kind}({';'.join(_polynomial_key(part, naming) for part in parts)})"


@lru_cache(maxsize=200_000)
def atom_key(atom: Atom) -> str:
    """A string by which atoms are put in order."""
    return _key_of_atom(atom, {})


def _polynomial_key(polynomial: Polynomial, naming: Naming) -> str:
    live = {i: Index(Made(naming[i]), i.sort) for i in polynomial_indices(polynomial) if i in naming}
    shown = _rename_polynomial(polynomial, live) if live else polynomial
    return _plain_key(shown)


@lru_cache(maxsize=100_000)
def _plain_key(polynomial: Polynomial) -> str:
    return "+".join(_monomial_key(m) for m in polynomial.monomials)


def _monomial_key(monomial: Monomial) -> str:
    factors = "·".join(sorted(f"{key_of_atom(atom, {})}^{exponent}" for atom, exponent in monomial.factors))
    return f"{factors}*{monomial.coefficient}Σ{','.join(f'{b.name}:{b.sort.name}' for b in monomial.binders)}"


def _refine(
    binders: tuple[Index, ...], incident: Mapping[Index, list[tuple[Atom, Exponent]]], colours: dict[Index, str]
) -> dict[Index, str]:
    while True:
        raw = {}
        apart = len(set(colours.values())) == len(binders)
        for binder in binders:
            if apart:
                # No two colours are the same, so that they alone give the order.
                raw[binder] = colours[binder] + "|"
                continue
            seen = {**colours, binder: "*"}
            raw[binder] = (
                colours[binder] + "|" + ";".join(sorted(f"{key_of_atom(a, seen)}^{e}" for a, e in incident[binder]))
            )
        ranks = {value: rank for rank, value in enumerate(sorted(set(raw.values())))}
        new = {binder: f"{binder.sort.name}~{ranks[raw[binder]]}" for binder in binders}
        if len(set(new.values())) == len(set(colours.values())):
            return new
        colours = new


def _swappable(factors: Factors, first: Index, second: Index) -> bool:
    swap = {first: second, second: first}
    return all(factors.get(rename_atom(atom, swap)) == exponent for atom, exponent in factors.items())


def _orders(binders: tuple[Index, ...], factors: Factors) -> Iterator[dict[Index, str]]:
    incident = {b: [(a, e) for a, e in factors.items() if b in atom_indices(a)] for b in binders}

    def leaves(colours: dict[Index, str]) -> Iterator[dict[Index, str]]:
        colours = _refine(binders, incident, colours)
        cells: dict[str, list[Index]] = defaultdict(list)
        for binder in binders:
            cells[colours[binder]].append(binder)
        tied = next((cell for _, cell in sorted(cells.items()) if len(cell) > 1), None)
        if tied is None:
            yield colours
            return
        tried: list[Index] = []
        for binder in tied:
            if any(_swappable(factors, binder, other) for other in tried):
                continue
            tried.append(binder)
            yield from leaves({**colours, binder: colours[binder] + "!"})

    return leaves({b: b.sort.name for b in binders})


def _canonical(raw: Raw) -> Monomial:
    coefficient, binders, factors = raw
    height = max((_height(atom) for atom in factors), default=0)
    best: tuple[list[str], tuple[Index, ...], tuple[tuple[Atom, Exponent], ...]] | None = None
    orders = ({b: b.sort.name for b in binders},) if len(binders) < 2 else _orders(binders, factors)
    for tried, colours in enumerate(orders):
        if tried >= MAX_ORDERS:
            raise Undecided("a product is too symmetric to be put in order")
        ranked = sorted(binders, key=lambda b: colours[b])
        names = {b: Index(Made(f"#{height}.{k}"), b.sort) for k, b in enumerate(ranked)}
        renamed = [(rename_atom(atom, names), exponent) for atom, exponent in factors.items()]
        # Stable, and by the text alone: atoms have no order of their own.
        shown = sorted(((f"{atom_key(a)}^{e}", (a, e)) for a, e in renamed), key=lambda pair: pair[0])
        keys = [key for key, _ in shown]
        if best is None or keys < best[0]:
            best = (keys, tuple(names.values()), tuple([pair for _, pair in shown]))
    assert best is not None
    return Monomial(coefficient, best[1], best[2])


def collect(raws: Iterable[Raw]) -> Polynomial:
    """The canonical polynomial of monomials whose bound indices are all different."""
    sums: dict[tuple[tuple[Index, ...], tuple[tuple[Atom, Exponent], ...]], Fraction] = {}
    height = 0
    for number, raw in enumerate(raws):
        if number > MAX_MONOMIALS:
            raise Undecided(f"more than {MAX_MONOMIALS} monomials")
        monomial = _canonical(raw)
        key = (monomial.binders, monomial.factors)
        sums[key] = sums.get(key, Fraction(0)) + monomial.coefficient
    kept = [Monomial(value, *key) for key, value in sums.items() if value]
    for monomial in kept:
        height = max([height, *(_height(atom) for atom, _ in monomial.factors)])
    return Polynomial(tuple(sorted(kept, key=_monomial_key)), height + 1)


def raws_of(polynomial: Polynomial) -> list[Raw]:
    """The monomials of a polynomial with bound indices that nothing else uses."""
    result: list[Raw] = []
    for monomial in polynomial.monomials:
        names = {b: new_index(b) for b in monomial.binders}
        factors = renamed_factors(monomial.factors, names)
        result.append((monomial.coefficient, tuple(names.values()), factors))
    return result


def constant(polynomial: Polynomial) -> Fraction | None:
    """The number that a polynomial is, or None."""
    if not polynomial.monomials:
        return Fraction(0)
    (first, *others) = polynomial.monomials
    return first.coefficient if not others and not first.binders and not first.factors else None


# --- back to terms ---------------------------------------------------------------------------------------------------


def atom_as_term(atom: Atom) -> Term:
    """An atom as a term again; what has no term of its own is refused."""
    match atom:
        case Apply() | Delta() | Size() | Length():
            return atom
        case Nonzero(inner):
            return Indicator(atom_as_term(inner), "≠", Number(Fraction(0)))
        case LogPrime(prime):
            return Log(Number(Fraction(prime)))
        case Composite("log", (inside,)):
            return Log(as_term(inside))
        case Composite("exp", (inside,)):
            return Exp(as_term(inside))
        case Composite("sum", (inside,)):
            return as_term(inside)
    raise Undecided(f"{key_of_atom(atom, {})} has no form as a term")


def as_term(polynomial: Polynomial) -> Term:
    """A polynomial as a term again."""
    parts = []
    for monomial in polynomial.monomials:
        factors = [power_as_term(atom, exponent) for atom, exponent in monomial.factors]
        body = product_of([Number(monomial.coefficient), *factors])
        for binder in reversed(monomial.binders):
            body = Sum(binder, body)
        parts.append(body)
    return sum_of(parts)


def product_of(factors: Iterable[Term]) -> Term:
    """A product without ones; zero where a factor is."""
    kept = [factor for factor in factors if factor != Number(ONE)]
    if Number(Fraction(0)) in kept:
        return Number(Fraction(0))
    return Multiply(tuple(kept)) if len(kept) > 1 else (kept[0] if kept else Number(ONE))


def sum_of(parts: Iterable[Term]) -> Term:
    """A sum without zeros."""
    kept = [part for part in parts if part != Number(Fraction(0))]
    return Add(tuple(kept)) if len(kept) > 1 else (kept[0] if kept else Number(Fraction(0)))


def power_as_term(atom: Atom, exponent: Exponent) -> Term:
    """A power of an atom as a term; a fractional one is that of an exponential."""
    if isinstance(atom, Composite) and atom.kind == "exp":
        return Exp(product_of([Number(Fraction(exponent)), as_term(atom.parts[0])]))
    return atom_as_term(atom) if exponent == 1 else Power(atom_as_term(atom), int(exponent))


def show(polynomial: Polynomial) -> str:
    """A polynomial as text, for the reader of an unknown verdict."""
    if not polynomial:
        return "0"
    parts = []
    for monomial in polynomial.monomials:
        sums = "".join(f"Σ_{b.name.lstrip('#')}∈{b.sort.name} " for b in monomial.binders)
        factors = "·".join(key_of_atom(a, {}) + ("" if e == 1 else f"^{e}") for a, e in monomial.factors)
        parts.append(f"{monomial.coefficient}·{sums}{factors}" if factors else f"{monomial.coefficient}")
    return " + ".join(parts)
