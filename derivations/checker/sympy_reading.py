"""SymPy expressions become terms: first what every name is, then the term.

SymPy rewrites when an expression is built: q·(p/q) is p before anything here sees it. What is judged is therefore what
SymPy made of the expression. Where something declared has vanished, the statement carries a note; where SymPy assumes
more of a symbol than is declared, the expression is refused. Text is never parsed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from derivations.checker.errors import StatementError
from derivations.checker.statement import (
    Assumption,
    Dominated,
    Hypothesis,
    Relation,
    Statement,
    Summable,
    assume,
    statement,
)
from derivations.checker.terms import (
    REAL,
    Add,
    Apply,
    Cases,
    Delta,
    Derivative,
    Domain,
    Exp,
    Expectation,
    Function,
    Index,
    Indicator,
    Log,
    Maximum,
    Minimum,
    Multiply,
    Number,
    Power,
    Size,
    Sort,
    Sum,
    Term,
    depends_on_theta,
    free_indices,
    free_indices_of,
    fresh,
    function,
    functions,
    law,
    subterms,
    term,
)

if TYPE_CHECKING:
    pass

# --- what SymPy's names are declared to be --------------------------------------------------------------------------


@dataclass(frozen=True)
class Theta:
    """The declaration of the symbol in which derivatives are taken."""


THETA = Theta()


@dataclass(frozen=True)
class Declaration:
    """What an IndexedBase or a Function is, its sorts left to be inferred from the sums."""

    domain: Domain = REAL
    is_law: bool = False
    positive: bool = False
    depends: bool = False
    given: int = 0


Declared = Domain | Sort | Declaration | Function | Apply | Theta


def as_law(positive: bool = False, depends: bool = False, given: int = 0) -> Declaration:
    """A probability distribution over its first arguments, given its last `given` ones."""
    if type(given) is not int or given < 0:
        raise StatementError(f"as_law: given is {given!r}; expected the number of arguments that are conditioned on")
    return Declaration(is_law=True, positive=positive, depends=depends, given=given)


def as_function(domain: Domain = REAL, depends: bool = False) -> Declaration:
    """A function with values in `domain`; `depends`: it depends on θ."""
    if not isinstance(domain, Domain):
        raise StatementError(f"as_function: domain is {domain!r}; expected a Domain such as REAL or POSITIVE")
    return Declaration(domain, depends=depends)


# --- SymPy to terms -------------------------------------------------------------------------------------------------


def from_sympy(expression: Any, declare: Mapping[Any, Declared]) -> Term:
    """A SymPy expression as a term.

    `declare` says what each Symbol, IndexedBase and Function is (by itself or by its name): a Domain for a number,
    as_law(…) or as_function(…) for what has indices, a Sort for an index, THETA for θ. A sum over (y, 0, n − 1) or
    (y, 1, n) runs over the sort n.
    """
    reading = _reading(declare)
    expression = _given("expression", expression)
    if isinstance(expression, Term):
        return expression
    _survey(expression, {}, reading)
    _settle(reading)
    result = _build(expression, _scope(reading), reading)
    statement(result, "=", result)  # refuses names that are used for two things
    return result


def statement_from_sympy(
    left: Any,
    relation: Relation | None = None,
    right: Any = None,
    declare: Mapping[Any, Declared] | None = None,
    *,
    assuming: Iterable[Any] = (),
) -> Statement:
    """A statement from SymPy expressions, terms or numbers; without a relation, `left` is a SymPy relational.

    Assumptions are those of statement.py, or SymPy relationals; these hold for all values of the indices that are not
    free in the two sides. The notes of the statement say how sums were read, and what was declared and is not there.
    """
    reading = _reading({} if declare is None else declare)
    left, comparison, right = _sides(left, relation, right)
    written = tuple(assuming)
    sides = (_given("left", left), _given("right", right))
    conditions = {k: _relational(f"assuming[{k}]", a) for k, a in enumerate(written) if _is_sympy(a)}
    for side in sides:
        _notice(side, reading)
    free = tuple(reading.free)
    for k, assumption in enumerate(written):
        own = () if k in conditions else _own_indices(assumption, k)
        for part in (conditions[k][0], conditions[k][2]) if k in conditions else assumption.terms:
            _notice(part, reading, own)
    _settle(reading)
    scope = _scope(reading, free)
    terms = tuple(side if isinstance(side, Term) else _build(side, scope, reading) for side in sides)
    fixed = free_indices(terms[0]) | free_indices(terms[1])
    assumed = tuple(_hypothesis(conditions[k], fixed, reading) if k in conditions else a for k, a in enumerate(written))
    result = statement(terms[0], comparison, terms[1], assuming=assumed)
    notes = dict.fromkeys((*reading.notes, *_vanished(reading)))
    return replace(result, notes=(*result.notes, *notes))


def _is_sympy(value: object) -> bool:
    import sympy

    return isinstance(value, sympy.Basic)


def _given(argument: str, value: Any) -> Any:
    import sympy

    if isinstance(value, (Term, sympy.Expr)):
        return value
    if isinstance(value, (int, float, Fraction)):
        return term(value)  # type: ignore[arg-type]  # a float and a bool are refused there
    hint = "; text is not read" if isinstance(value, str) else ""
    raise StatementError(f"{argument}: given {value!r}; expected a SymPy expression, a term or an exact number{hint}")


def _sides(left: Any, relation: Relation | None, right: Any) -> tuple[Any, Relation, Any]:
    if relation is not None:
        return left, relation, right
    if right is not None:
        raise StatementError("relation: none given between left and right; expected one such as '='")
    return _relational("left", left)


def _relational(argument: str, value: Any) -> tuple[Any, str, Any]:
    import sympy

    if value in (sympy.true, sympy.false):
        raise StatementError(
            f"{argument}: SymPy has already decided it ({value}); expected two sides that it left standing: hand them"
            " over apart, or as terms"
        )
    sign = sympy_relations().get(type(value))
    if sign is None:
        raise StatementError(f"{argument}: given {value!r}; expected a SymPy relation such as Eq(x, y) or Le(x, y)")
    return value.lhs, sign, value.rhs


@lru_cache(maxsize=1)
def sympy_relations() -> dict[type, str]:
    from sympy.core import relational as r

    return {
        r.Equality: "=",
        r.Unequality: "≠",
        r.StrictLessThan: "<",
        r.LessThan: "≤",
        r.StrictGreaterThan: ">",
        r.GreaterThan: "≥",
    }


def _own_indices(assumption: Any, number: int) -> tuple[Index, ...]:
    """The indices that an assumption itself binds."""
    if not isinstance(assumption, Assumption):
        raise StatementError(
            f"assuming[{number}]: given {assumption!r}; expected an assumption or a SymPy relation such as Gt(x, 0)"
        )
    match assumption:
        case Hypothesis():
            return assumption.for_all
        case Summable(index, _) | Dominated(index, _):
            return (index,)
    return ()


def _hypothesis(condition: tuple[Any, str, Any], fixed: frozenset[Index], reading: _Reading) -> Assumption:
    scope = _scope(reading)
    left, right = (_build(_given("assuming", side), scope, reading) for side in (condition[0], condition[2]))
    for_all = sorted((free_indices(left) | free_indices(right)) - fixed, key=lambda i: i.name)
    return assume(f"{condition[0]} {condition[1]} {condition[2]}", left, condition[1], right, for_all=for_all)


# --- reading: first what every name is, then the term ---------------------------------------------------------------

Place = tuple[str, int]  # an argument of a function by its number; a free index by the number −1
_FREE = -1
_NATURALS = Sort("ℕ", infinite=True)


@dataclass
class _Reading:
    """What is known of the names in the expressions that are being read."""

    declared: Mapping[str, tuple[Any, Declared]]
    objects: dict[str, Any] = field(default_factory=dict)
    uses: dict[str, tuple[int, bool]] = field(default_factory=dict)
    sorts: dict[Place, Sort] = field(default_factory=dict)
    links: list[tuple[Place, Place]] = field(default_factory=list)
    starts: dict[str, int] = field(default_factory=dict)
    counts: set[str] = field(default_factory=set)
    numbers: set[str] = field(default_factory=set)
    indices: set[str] = field(default_factory=set)
    free: dict[Any, str] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def declaration(self, name: str) -> Declared | None:
        """What a name is declared to be."""
        return self.declared[name][1] if name in self.declared else None


def _reading(declare: Mapping[Any, Declared]) -> _Reading:
    if not isinstance(declare, Mapping):
        raise StatementError(f"declare: given {declare!r}; expected a mapping, as in {{x: POSITIVE}}")
    declared: dict[str, tuple[Any, Declared]] = {}
    for key, value in declare.items():
        name = _name(key)
        if name is None:
            raise StatementError(f"declare: key {key!r}; expected a Symbol, an IndexedBase, a Function or a name")
        if name in declared:
            raise StatementError(f"declare: {name} is declared twice")
        if not isinstance(value, (Domain, Sort, Declaration, Function, Apply, Theta)):
            raise StatementError(
                f"declare: {name} is {value!r}; expected a Domain, as_law(…), as_function(…), a Sort or THETA"
            )
        if isinstance(value, Apply):
            value = value.function
        declared[name] = (None if isinstance(key, str) else key, value)
    if sum(isinstance(value, Theta) for _, value in declared.values()) > 1:
        raise StatementError("declare: THETA is given twice; expected one symbol for θ")
    return _Reading(declared)


def _name(thing: Any) -> str | None:
    import sympy
    from sympy.core.function import UndefinedFunction

    if isinstance(thing, str):
        return thing
    if isinstance(thing, UndefinedFunction):
        return str(thing.__name__)
    return str(thing.name) if isinstance(thing, (sympy.Symbol, sympy.IndexedBase, sympy.Idx)) else None


@lru_cache(maxsize=1)
def _kinds() -> tuple[tuple[type, str], ...]:
    import sympy
    from sympy.core.function import AppliedUndef

    return (
        (sympy.Rational, "number"),
        (type(sympy.E), "e"),
        (sympy.Symbol, "symbol"),
        (sympy.Idx, "symbol"),
        (sympy.Indexed, "function"),
        (AppliedUndef, "function"),
        (sympy.Add, "add"),
        (sympy.Mul, "multiply"),
        (sympy.Pow, "power"),
        (sympy.log, "log"),
        (sympy.exp, "exp"),
        (sympy.Min, "minimum"),
        (sympy.Max, "maximum"),
        (sympy.Piecewise, "piecewise"),
        (sympy.KroneckerDelta, "delta"),
        (sympy.Sum, "sum"),
        (sympy.Derivative, "derivative"),
    )


def _kind(node: Any) -> str:
    import sympy

    if isinstance(node, sympy.Float):
        raise StatementError(f"{node}: a float is not exact; expected a fraction, as in Rational(1, 2)")
    kind = next((kind for type_, kind in _kinds() if isinstance(node, type_)), None)
    if kind is None:
        raise StatementError(
            f"{type(node).__name__}: {node} has no counterpart among terms; expected sums, products, integer powers,"
            " log, exp, Min, Max, Piecewise, KroneckerDelta, Sum and Derivative"
        )
    if kind == "power" and not node.exp.is_Integer:
        raise StatementError(f"{node}: exponent {node.exp}; expected an integer (or exp)")
    if node.is_commutative is False:
        raise StatementError(f"{node} does not commute; expected real numbers")
    return kind


def _notice(side: Any, reading: _Reading, own: tuple[Index, ...] = ()) -> None:
    """Takes down what a side says of its names, except for the indices that are its own."""
    if not isinstance(side, Term):
        side = _given("assuming", side)
        _survey(side, {}, reading)
        return
    for symbol in functions(side):
        reading.seen.add(symbol.name)
        for number, sort in enumerate(symbol.sorts):
            _know((symbol.name, number), sort, reading)
    for index in free_indices(side) - frozenset(own):
        reading.seen.add(index.name)
        reading.indices.add(index.name)
        _know((index.name, _FREE), index.sort, reading)
    if any(isinstance(part, Derivative) or depends_on_theta(part) for part in subterms(side)):
        reading.seen.update(name for name, (_, declared) in reading.declared.items() if isinstance(declared, Theta))


def _meet(name: str, thing: Any, reading: _Reading) -> None:
    """Refuses one name for two different SymPy objects; assumptions are part of an object."""
    reading.seen.add(name)
    declared = reading.declared.get(name, (None, None))[0]
    for other in (reading.objects.setdefault(name, thing), declared):
        if other is not None and other != thing:
            raise StatementError(
                f"{name}: given two SymPy objects of this name, of different kinds or with different assumptions;"
                " expected one: rename one of them"
            )


def _survey(node: Any, bound: Mapping[Any, Sort], reading: _Reading) -> None:
    match _kind(node):
        case "symbol":
            _survey_number(node, bound, reading)
        case "function":
            _survey_function(node, bound, reading)
        case "delta":
            _survey_pair(node.args, bound, reading)
        case "sum":
            for limit in reversed(node.limits):  # SymPy writes the innermost limit first
                bound = {**bound, limit[0]: _survey_binder(limit, bound, reading)}
            _survey(node.function, bound, reading)
        case "piecewise":
            for part, condition in node.args:
                _survey(part, bound, reading)
                _survey_condition(condition, bound, reading)
        case "derivative":
            for variable, _ in node.variable_count:
                _refuse_other_variable(variable, reading)
            _survey(node.expr, bound, reading)
        case _:
            for part in node.args:
                _survey(part, bound, reading)


def _survey_number(node: Any, bound: Mapping[Any, Sort], reading: _Reading) -> None:
    import sympy

    if node in bound or isinstance(node, sympy.Idx):
        raise StatementError(f"index {node.name} is used as a number; expected it as an argument, as in p[{node.name}]")
    _meet(node.name, node, reading)
    reading.numbers.add(node.name)


def _survey_function(node: Any, bound: Mapping[Any, Sort], reading: _Reading) -> None:
    import sympy

    name, thing = _function_name(node)
    _meet(name, thing, reading)
    places, moving = _arguments(node, reading)
    use = (len(places), moving)
    if reading.uses.setdefault(name, use) != use:
        raise StatementError(
            f"{name}: used with different numbers of arguments, or with θ and without; expected one use"
        )
    declared = reading.declaration(name)
    for number, sort in enumerate(declared.sorts if isinstance(declared, Function) else ()):
        _know((name, number), sort, reading)
    for number, argument in enumerate(places):
        _survey_index(argument, (name, number), bound, reading)
    for number, size in enumerate(_shape(thing, len(places))):
        if isinstance(size, sympy.Symbol):
            _know((name, number), _sort(size, reading), reading)


def _shape(thing: Any, arity: int) -> tuple[Any, ...]:
    import sympy

    shape = tuple(thing.shape or ()) if isinstance(thing, sympy.IndexedBase) else ()
    return shape if len(shape) == arity else ()


def _function_name(node: Any) -> tuple[str, Any]:
    import sympy

    thing = node.base if isinstance(node, sympy.Indexed) else node.func
    name = _name(thing)
    if name is None:
        raise StatementError(f"{node}: expected an IndexedBase or a Function with a name")
    return name, thing


def _arguments(node: Any, reading: _Reading) -> tuple[tuple[Any, ...], bool]:
    """The indices of a function, and whether θ is among its arguments."""
    import sympy

    given = node.indices if isinstance(node, sympy.Indexed) else node.args
    indices = tuple(a for a in given if not _is_theta(a, reading))
    return indices, len(indices) < len(given)


def _is_theta(thing: Any, reading: _Reading) -> bool:
    name = _name(thing)
    if name is None or not isinstance(reading.declaration(name), Theta):
        return False
    _meet(name, thing, reading)
    return True


def _survey_index(thing: Any, place: Place, bound: Mapping[Any, Sort], reading: _Reading) -> None:
    if thing in bound:
        _know(place, bound[thing], reading)
        return
    name = _free_index(thing, f"{place[0]}, argument {place[1] + 1}", reading)
    reading.links.append((place, (name, _FREE)))


def _free_index(thing: Any, where: str, reading: _Reading) -> str:
    import sympy

    if not isinstance(thing, (sympy.Symbol, sympy.Idx)):
        raise StatementError(f"{where}: given {thing}; expected an index, one symbol that ranges over an index set")
    name = str(thing.name)
    _meet(name, thing, reading)
    _refuse_assumptions(thing, name, "an index", _COUNT_FACTS)
    reading.indices.add(name)
    reading.free[thing] = name
    declared = reading.declaration(name)
    if isinstance(declared, Sort):
        _know((name, _FREE), declared, reading)
    elif declared is not None:
        raise StatementError(
            f"{where}: {name} is declared as a number or a function; expected an index, or a Sort for it"
        )
    if isinstance(thing, sympy.Idx) and thing.upper is not None:
        _know((name, _FREE), _range((thing, thing.lower, thing.upper), reading), reading)
    return name


def _survey_pair(pair: tuple[Any, ...], bound: Mapping[Any, Sort], reading: _Reading) -> None:
    if len(pair) != 2:
        raise StatementError("KroneckerDelta: given a range; expected two indices only")
    places: list[Place] = []
    for thing in pair:
        if thing in bound:
            continue
        places.append((_free_index(thing, "KroneckerDelta", reading), _FREE))
    known = [bound[thing] for thing in pair if thing in bound]
    if len(known) == 2 and known[0] != known[1]:
        raise StatementError(
            f"KroneckerDelta: given indices over {known[0].name} and {known[1].name}; expected one sort"
        )
    if len(known) == 1:
        _know(places[0], known[0], reading)
    elif not known:
        reading.links.append((places[0], places[1]))


def _survey_condition(condition: Any, bound: Mapping[Any, Sort], reading: _Reading) -> None:
    import sympy

    if condition is sympy.true:
        return
    _piecewise_relation(condition)
    if _is_pair(condition, reading):
        _survey_pair(condition.args, bound, reading)
        return
    _survey(condition.lhs, bound, reading)
    _survey(condition.rhs, bound, reading)


def _piecewise_relation(condition: Any) -> str:
    sign = sympy_relations().get(type(condition))
    if sign is None:
        raise StatementError(f"Piecewise: condition {condition}; expected one relation, such as x < 1")
    return sign


def _is_pair(condition: Any, reading: _Reading) -> bool:
    """Whether a condition compares two indices: Eq or Ne of symbols that are not declared to be numbers."""
    import sympy

    if not isinstance(condition, (sympy.Eq, sympy.Ne)):
        return False
    return all(
        isinstance(side, (sympy.Symbol, sympy.Idx)) and isinstance(reading.declaration(side.name), (Sort, type(None)))
        for side in condition.args
    )


def _refuse_other_variable(variable: Any, reading: _Reading) -> None:
    if not _is_theta(variable, reading):
        raise StatementError(
            f"Derivative: by {variable}; expected θ, the symbol that is declared THETA, as in {{{variable}: THETA}}"
        )


def _survey_binder(limit: Any, bound: Mapping[Any, Sort], reading: _Reading) -> Sort:
    """The sort of the index that a sum binds."""
    inside = sorted(str(v) for v in bound if any(v in edge.free_symbols for edge in limit[1:]))
    if inside:
        raise StatementError(
            f"Sum over {limit[0]}: its limits depend on the index {inside[0]}; expected (y, 0, n - 1) or (y, 1, n)"
        )
    name, sort = str(limit[0].name), _range(limit, reading)
    _meet(name, limit[0], reading)
    _refuse_assumptions(limit[0], name, "an index", _COUNT_FACTS)
    reading.indices.add(name)
    if reading.declaration(name) not in (None, sort):
        raise StatementError(f"Sum over {name}: it is an index over {sort.name}; expected no other declaration for it")
    return sort


def _range(limit: Any, reading: _Reading) -> Sort:
    """The sort over which a sum with these limits runs."""
    import sympy

    variable, lower, upper = limit
    size = sympy.oo if upper is sympy.oo else upper - lower + 1
    if size.is_Integer:
        raise StatementError(
            f"Sum over {variable} from {lower} to {upper}: the size is fixed; expected the sum written out, or a"
            " symbolic size, as in (y, 0, n - 1)"
        )
    if lower not in (0, 1) or not (size is sympy.oo or isinstance(size, sympy.Symbol)):
        raise StatementError(
            f"Sum over {variable} from {lower} to {upper}; expected (y, 0, n - 1), (y, 1, n), (y, 0, oo) or (y, 1, oo)"
        )
    sort = _NATURALS if size is sympy.oo else _sort(size, reading)
    if reading.starts.setdefault(str(size), int(lower)) != int(lower):
        raise StatementError(f"sums up to {size}: some start at 0 and some at 1; expected one start for one index set")
    return sort


def _sort(size: Any, reading: _Reading) -> Sort:
    """The sort whose number of elements a symbol is."""
    name = str(size.name)
    if size.is_integer is not True:
        raise StatementError(
            f"{name} is a number of elements, and SymPy does not know that it is an integer; expected"
            f" Symbol({name!r}, integer=True, positive=True)"
        )
    _refuse_assumptions(size, name, "a number of elements", _COUNT_FACTS)
    _meet(name, size, reading)
    if size.is_positive is not True:
        reading.notes.append(f"{name} is the number of elements of an index set, so it is read as at least 1")
    declared = reading.declaration(name)
    if not isinstance(declared, (Sort, type(None))):
        raise StatementError(f"{name} is the number of elements of an index set; expected no declaration, or a Sort")
    reading.counts.add(name)
    return declared or Sort(name)


def _know(place: Place, sort: Sort, reading: _Reading) -> None:
    """Takes down the sort of a place; refuses a second one."""
    known = reading.sorts.setdefault(place, sort)
    if known != sort:
        what = f"index {place[0]}" if place[1] == _FREE else f"{place[0]}, argument {place[1] + 1}"
        first, second = sorted((known.name, sort.name))
        raise StatementError(f"{what}: ranges over {first} and over {second}; expected one index set")


def _settle(reading: _Reading) -> None:
    """Carries what is known of one place to those that share an index with it; refuses what stays unknown."""
    changed = True
    while changed:
        changed = False
        for pair in reading.links:
            for source, target in (pair, pair[::-1]):
                if source in reading.sorts:
                    changed |= target not in reading.sorts
                    _know(target, reading.sorts[source], reading)
    for name in sorted(set(reading.free.values())):
        if (name, _FREE) not in reading.sorts:
            raise StatementError(f"index {name}: its index set is not known; declare it, as in {{{name}: Sort('S')}}")
    both = sorted(reading.indices & (reading.numbers | reading.counts))
    if both:
        raise StatementError(f"{both[0]} is used as an index and as a number; expected two symbols")


def _scope(reading: _Reading, free: Iterable[Any] | None = None) -> dict[Any, Index]:
    names = reading.free if free is None else {thing: reading.free[thing] for thing in free}
    return {thing: Index(name, reading.sorts[(name, _FREE)]) for thing, name in names.items()}


Scope = Mapping[Any, Index]


def _build(node: Any, scope: Scope, reading: _Reading) -> Term:
    if isinstance(node, Term):
        return node
    match _kind(node):
        case "number":
            return Number(Fraction(int(node.p), int(node.q)))
        case "e":
            return Exp(Number(Fraction(1)))
        case "symbol":
            return _build_number(node, reading)
        case "function":
            return _build_function(node, scope, reading)
        case "add":
            return Add(tuple(_build(part, scope, reading) for part in node.as_ordered_terms()))
        case "multiply":
            return Multiply(tuple(_build(part, scope, reading) for part in node.as_ordered_factors()))
        case "power":
            return Power(_build(node.base, scope, reading), int(node.exp))
        case "log":
            return Log(_build(node.args[0], scope, reading))
        case "exp":
            return Exp(_build(node.args[0], scope, reading))
        case "minimum":
            return Minimum(tuple(_build(part, scope, reading) for part in _sorted(node.args)))
        case "maximum":
            return Maximum(tuple(_build(part, scope, reading) for part in _sorted(node.args)))
        case "piecewise":
            return _build_piecewise(node, scope, reading)
        case "delta":
            return Delta(scope[node.args[0]], scope[node.args[1]])
        case "sum":
            return _build_sum(node, scope, reading)
        case _:
            return _build_derivative(node, scope, reading)


def _sorted(parts: Iterable[Any]) -> list[Any]:
    from sympy import default_sort_key

    return sorted(parts, key=default_sort_key)


def _build_number(node: Any, reading: _Reading) -> Term:
    name = str(node.name)
    declared = reading.declaration(name)
    if isinstance(declared, Theta):
        _refuse_assumptions(node, name, "ℝ", sympy_facts(REAL))
        return Apply(Function(name, (), REAL, depends=True, slope=Fraction(1)), ())
    if isinstance(declared, Sort) or name in reading.counts:
        return Size(_sort(node, reading))
    if declared is None:
        raise StatementError(f"{name} has no domain; declare it, as in {{{name}: POSITIVE}}")
    symbol = _function(name, (), declared)
    _note_stillness(symbol, reading)
    _refuse_assumptions(node, name, str(symbol.domain), sympy_facts(symbol.domain))
    return symbol()


def _note_stillness(symbol: Function, reading: _Reading) -> None:
    if symbol.depends and any(isinstance(declared, Theta) for _, declared in reading.declared.values()):
        reading.notes.append(
            f"{symbol.name} depends on θ and does not have it among its arguments: SymPy's diff takes it to be constant"
        )


def _build_function(node: Any, scope: Scope, reading: _Reading) -> Apply:
    name, _ = _function_name(node)
    declared = reading.declaration(name)
    if declared is None:
        raise StatementError(
            f"{name} has no domain; declare it, as in {{{name}: POSITIVE}}, {{{name}: as_function(REAL)}} or"
            f" {{{name}: as_law()}}"
        )
    indices, moving = _arguments(node, reading)
    symbol = _function(name, tuple(reading.sorts[(name, k)] for k in range(len(indices))), declared)
    if moving and not symbol.depends:
        raise StatementError(f"{name} has θ among its arguments; expected depends=True in its declaration")
    if not moving:
        _note_stillness(symbol, reading)
    _refuse_assumptions(node, name, str(symbol.domain), sympy_facts(symbol.domain))
    return symbol(*(scope[index] for index in indices))


def _function(name: str, sorts: tuple[Sort, ...], declared: Declared) -> Function:
    match declared:
        case Domain():
            return function(name, *sorts, domain=declared)
        case Declaration(is_law=False):
            return function(name, *sorts, domain=declared.domain, depends=declared.depends)
        case Declaration():
            split = len(sorts) - declared.given
            if split < 1:
                raise StatementError(
                    f"{name}: a law with {len(sorts)} arguments, {declared.given} of them given; expected at least"
                    " one to distribute over"
                )
            return law(name, *sorts[:split], given=sorts[split:], positive=declared.positive, depends=declared.depends)
        case Function():
            return declared
    raise StatementError(f"{name}: declared to be {declared!r}; expected a Domain, as_law(…) or as_function(…)")


_FACTS = (
    *("positive", "negative", "nonnegative", "nonpositive", "nonzero", "zero", "imaginary", "infinite"),
    *("integer", "rational", "irrational", "even", "odd", "prime", "composite"),
)
_COUNT_FACTS = frozenset(("positive", "nonnegative", "nonzero", "integer", "rational"))


def sympy_facts(domain: Domain) -> frozenset[str]:
    """What SymPy may assume of every number in a domain."""
    lower, upper, nonzero = domain.lower, domain.upper, 0 not in domain
    above, below = lower is not None and lower >= 0, upper is not None and upper <= 0
    facts = {
        "nonnegative": above,
        "positive": above and nonzero,
        "nonpositive": below,
        "negative": below and nonzero,
        "nonzero": nonzero,
    }
    return frozenset(name for name, known in facts.items() if known)


def _refuse_assumptions(node: Any, name: str, domain: str, allowed: frozenset[str]) -> None:
    for fact in _FACTS:
        if fact not in allowed and getattr(node, f"is_{fact}"):
            raise StatementError(
                f"{name}: SymPy takes it to be {fact}, declared is {domain}; expected no more in SymPy than is"
                " declared, because SymPy rewrites with it"
            )


def _build_piecewise(node: Any, scope: Scope, reading: _Reading) -> Term:
    import sympy

    *branches, (last, default) = node.args
    if default is not sympy.true:
        raise StatementError("Piecewise: no value where none of its conditions holds; expected a last branch (x, True)")
    result = _build(last, scope, reading)
    for part, condition in reversed(branches):
        result = Cases(_build_condition(condition, scope, reading), _build(part, scope, reading), result)
    return result


def _build_condition(condition: Any, scope: Scope, reading: _Reading) -> Indicator:
    sign = _piecewise_relation(condition)
    if _is_pair(condition, reading):
        left, right = condition.args
        return Indicator(Delta(scope[left], scope[right]), sign, Number(Fraction(1)))
    return Indicator(_build(condition.lhs, scope, reading), sign, _build(condition.rhs, scope, reading))


def _build_derivative(node: Any, scope: Scope, reading: _Reading) -> Term:
    result = _build(node.expr, scope, reading)
    for _, times in node.variable_count:
        if not times.is_Integer:
            raise StatementError(f"Derivative: of order {times}; expected a number")
        for _ in range(int(times)):
            result = Derivative(result)
    return result


def _build_sum(node: Any, scope: Scope, reading: _Reading) -> Term:
    inside = dict(scope)
    binders: list[Index] = []
    for limit in reversed(node.limits):  # SymPy writes the innermost limit first
        sort = _range(limit, reading)
        index = fresh(Index(str(limit[0].name), sort), (*inside.values(), *binders))
        inside[limit[0]] = index
        binders.append(index)
    body = node.function
    factors = body.as_ordered_factors() if body.is_Mul else [body]
    terms = [_build(factor, inside, reading) for factor in factors]
    return _nested_sums(tuple(binders), terms, reading)


def _nested_sums(binders: tuple[Index, ...], factors: list[Term], reading: _Reading) -> Term:
    """The sum over the binders, outermost first: an expectation where one law stands as a factor, else a plain sum."""
    if not binders:
        return factors[0] if len(factors) == 1 else Multiply(tuple(factors)) if factors else Number(Fraction(1))
    found = [f for f in factors if isinstance(f, Apply) and binders[0] in f.arguments[: f.function.law]]
    if len(found) == 1 and len(factors) > 1:
        weight = found[0]
        width = weight.function.law
        bound, given = weight.arguments[:width], free_indices_of(weight.arguments[width:])
        if len(set(bound)) == width and set(bound) == set(binders[:width]) and not given & set(binders):
            name = weight.function.name
            reading.notes.append(
                f"the sum over {', '.join(i.name for i in binders[:width])} with the factor {name} is read as the"
                f" expectation under {name}: what is under it need be defined only where {name} is not zero"
            )
            rest = [f for f in factors if f is not weight]
            return Expectation(weight, _nested_sums(binders[width:], rest, reading))
    if len(found) > 1:
        reading.notes.append(
            f"the sum over {binders[0].name} has several laws as factors and is read as a plain sum: everything in it"
            " must be defined"
        )
    return Sum(binders[0], _nested_sums(binders[1:], factors, reading))


def _vanished(reading: _Reading) -> Iterator[str]:
    """A note on each name that was declared and does not occur."""
    for name, (_, declared) in reading.declared.items():
        if name in reading.seen or (isinstance(declared, Function) and declared.name in reading.seen):
            continue
        if isinstance(declared, Theta):
            yield (
                f"{name} was declared THETA and does not occur: SymPy takes the derivative of what does not have θ"
                " among its arguments to be 0"
            )
        elif isinstance(declared, Sort):
            yield f"{name} was declared and does not occur: SymPy may have rewritten what it stood in"
        else:
            yield (
                f"{name} was declared and does not occur: SymPy rewrites on construction, as q·(p/q) to p; where {name}"
                " may be zero this is another statement"
            )
