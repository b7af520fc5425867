"""What is told of statements, worlds and verdicts, line by line, in any notation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from math import prod
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from derivations.checker import reals
from derivations.checker.layout import Layout, Notation, names_of
from derivations.checker.statement import Assumption, Dominated, Finite, Hypothesis, Statement, Summable
from derivations.checker.terms import Apply, Definition, Function, Index, Path, Recursion, Sort, Sum, Term
from derivations.checker.worlds import Element, Table, World

if TYPE_CHECKING:
    from derivations.checker.verdict import Verdict

# --- statements ---------------------------------------------------------------------------------------------


def layout_of(notation: Notation, given: Statement, more: Iterable[Term] = (), at: Iterable[Index] = ()) -> Layout:
    """A layout in which every index of a statement, of more terms and of worlds has one name."""
    own = [i for d in given.definitions for i in d.indices]
    own += [i for r in given.recursions for i in (*r.start_indices, r.history, *r.step_indices)]
    return Layout(notation, names_of((*given.terms, *more), (*own, *at)))


def claim(given: Statement, layout: Layout) -> tuple[str, str, str]:
    """The left side, the relation and the right side."""
    return layout.write(given.left), layout.notation.relation(given.relation), layout.write(given.right)


def conditions(given: Statement, layout: Layout) -> list[str]:
    """What a statement ranges over, what its functions are, and what it assumes."""
    write = layout.notation
    lines = [*_scope(given, layout)]
    lines += [_may_be_infinite(write, sort) for sort in given.infinite_sorts]
    lines += [write.words("where ") + _definition(d, layout) for d in given.definitions]
    lines += [write.words("where ") + _recursion(r, layout) for r in given.recursions]
    lines += [write.words("assuming ") + name(a, layout) for a in given.assuming]
    lines += [write.words("assuming ") + name(a, layout) + write.words(" (standing)") for a in given.standing]
    return lines


def _scope(given: Statement, layout: Layout) -> Iterator[str]:
    ranges = _ranges(given.free, layout)
    if given.exists:
        fixed = {d.function for d in given.definitions} | {r.function for r in given.recursions}
        chosen = [layout.notation.function(f) for f in given.functions if f not in fixed]
        yield layout.notation.words("for some ") + (", ".join([*chosen, *ranges]) or layout.notation.words("sizes"))
    elif ranges:
        yield layout.notation.words("for all ") + ", ".join(ranges)


def _ranges(indices: tuple[Index, ...], layout: Layout) -> list[str]:
    """Indices with the sorts that they range over, as in x, y ∈ Y."""
    write = layout.notation
    return [
        ", ".join(map(layout.index, group)) + write.member + write.name(sort.name)
        for sort, group in groupby(sorted(indices, key=lambda i: (i.sort.name, i.name)), key=lambda i: i.sort)
    ]


def _may_be_infinite(write: Notation, sort: Sort) -> str:
    return write.words("where ") + write.name(sort.name) + write.words(" may be infinite")


def _definition(given: Definition, layout: Layout) -> str:
    return _defined(Apply(given.function, given.indices), given.value, layout)


def _recursion(given: Recursion, layout: Layout) -> str:
    sort = given.history.sort
    start = Apply(given.function, (Path(sort, None, given.start_indices),))
    step = Apply(given.function, (Path(sort, given.history, given.step_indices),))
    return ", ".join([_defined(start, given.start, layout), _defined(step, given.step, layout)])


def _defined(left: Apply, value: Term, layout: Layout) -> str:
    return layout.write(left) + layout.notation.relation(":=") + layout.write(value)


def name(assumption: Assumption, layout: Layout) -> str:
    """The name of an assumption; one that has none is written in full."""
    return layout.notation.words(assumption.name) if assumption.name else content(assumption, layout)


def content(assumption: Assumption, layout: Layout) -> str:
    """What an assumption says, in full."""
    write = layout.notation
    match assumption:
        case Finite(sort):
            return write.name(sort.name) + write.words(" is finite")
        case Summable(index, body):
            return layout.write(Sum(index, body)) + write.words(" converges absolutely")
        case Dominated(index, body):
            return layout.write(Sum(index, body)) + write.words(" may be differentiated term by term")
        case Hypothesis():
            return _hypothesis(assumption, layout)


def _hypothesis(given: Hypothesis, layout: Layout) -> str:
    write = layout.notation
    said = layout.comparison(given.left, given.relation, given.right)
    if given.for_all:
        said += write.words(" for all ") + ", ".join(_ranges(given.for_all, layout))
    if given.given is not None:
        said += write.words(" where ") + layout.comparison(given.given.left, given.given.relation, given.given.right)
    return said


# --- worlds -------------------------------------------------------------------------------------------------

Named = TypeVar("Named", Sort, Index, Function)
Value = TypeVar("Value")
Entries = Mapping[tuple[Element, ...], str]


def world_facts(world: World, layout: Layout) -> list[list[str]]:
    """A world as lines of equations: sizes, lengths, indices; parameters; each table; slopes that are not zero."""
    write = layout.notation
    sizes = [_equation(write, write.size(write.name(s.name)), str(n)) for s, n in _by_name(world.sizes)]
    steps = [_equation(write, layout.length(s), str(n)) for s, n in _by_name(world.lengths)]
    chosen = [_equation(write, layout.index(i), _element(write, e)) for i, e in _by_name(world.indices)]
    tables = _by_name(world.tables)
    parameters = [fact for f, table in tables if not f.sorts for fact in _table(write, f, table, 0)]
    rows = [_table(write, f, table, 0) for f, table in tables if f.sorts]
    slopes = [_slopes(write, f, table, order) for f, table in tables if f.depends for order in (1, 2)]
    return [line for line in (sizes + steps + chosen, parameters, *rows, *slopes) if line]


def _by_name(mapping: Mapping[Named, Value]) -> list[tuple[Named, Value]]:
    return sorted(mapping.items(), key=lambda pair: pair[0].name)


def _equation(write: Notation, left: str, right: str) -> str:
    return f"{left} {right}" if right.startswith(write.about) else left + write.relation("=") + right


def _element(write: Notation, element: Element) -> str:
    return str(element) if isinstance(element, int) else write.vector([str(part) for part in element])


def _slopes(write: Notation, symbol: Function, table: Table, order: int) -> list[str]:
    moving = any(reals.sign(jet[order]) != 0 for jet in table.values() if len(jet) > order)
    return _table(write, symbol, table, order) if moving else []


def _table(write: Notation, symbol: Function, table: Table, order: int) -> list[str]:
    """The values of a function (for an order above zero, its derivatives), a row for each value of what is given."""
    name = write.nabla(order, write.function(symbol)) if order else write.function(symbol)
    entries = {at: write.value(reals.show(jet[order])) for at, jet in table.items() if len(jet) > order}
    ordered = sorted(entries, key=lambda at: [_rank(e) for e in _given_first(symbol, at)])
    facts = []
    for given, group in groupby(ordered, key=lambda at: _given_first(symbol, at)[: _given(symbol)]):
        row = {_given_first(symbol, at)[_given(symbol) :]: entries[at] for at in group}
        facts += _row(write, symbol, name, given, row)
    return facts


def _given(symbol: Function) -> int:
    """How many arguments are fixed along a row: what a law is given; all but the last of another function."""
    return len(symbol.sorts) - (symbol.law or min(1, len(symbol.sorts)))


def _given_first(symbol: Function, at: tuple[Element, ...]) -> tuple[Element, ...]:
    return at[symbol.law :] + at[: symbol.law] if symbol.law else at


def _rank(element: Element) -> tuple[int, ...]:
    return (element,) if isinstance(element, int) else (len(element), *element)


def _row(write: Notation, symbol: Function, name: str, given: tuple[Element, ...], row: Entries) -> list[str]:
    values = [sorted({at[k] for at in row}, key=_rank) for k in range(len(next(iter(row))))]
    whole = len(row) == prod(map(len, values)) and not any(isinstance(v, tuple) for at in row for v in at)
    if whole:
        return [_equation(write, _row_name(write, symbol, name, given), _nested(write, row, values))]
    return [_equation(write, _entry_name(write, symbol, name, given, at), shown) for at, shown in row.items()]


def _nested(write: Notation, row: Entries, values: list[list[Element]], at: tuple[Element, ...] = ()) -> str:
    if len(at) == len(values):
        return row[at]
    return write.vector([_nested(write, row, values, (*at, v)) for v in values[len(at)]])


def _row_name(write: Notation, symbol: Function, name: str, given: tuple[Element, ...]) -> str:
    if not given:
        return name
    sorts = symbol.sorts[symbol.law :]
    shown = [f"{write.name(s.name.lower())}={_element(write, e)}" for s, e in zip(sorts, given, strict=False)]
    if symbol.law:
        return write.apply(name, [write.dot] * symbol.law, shown)
    return write.apply(name, [*shown, write.dot], [])


def _entry_name(
    write: Notation, symbol: Function, name: str, given: tuple[Element, ...], at: tuple[Element, ...]
) -> str:
    if not given and len(at) == 1 and isinstance(at[0], tuple):
        return write.apply(name, [", ".join(map(str, at[0])) or write.path([])], [])
    fixed, free = [_element(write, e) for e in given], [_element(write, e) for e in at]
    return write.apply(name, free, fixed) if symbol.law else write.apply(name, fixed + free, [])


# --- verdicts -----------------------------------------------------------------------------------------------


class Line(NamedTuple):
    """One step as it is printed; `left` is empty where it goes on from the line before."""

    left: str
    relation: str
    right: str
    mark: str
    reason: str


def layout_for(notation: Notation, verdict: Verdict) -> Layout:
    """A layout in which every index of a verdict has one name."""
    inside = [side for step in verdict.steps for side in (step.left, step.right)]
    worlds = [verdict.counterexample, *(world for _, world in verdict.needed)]
    at = [index for world in worlds if isinstance(world, World) for index in world.indices]
    return layout_of(notation, verdict.statement, inside, at)


def status(verdict: Verdict) -> str:
    """The status with the method."""
    return verdict.status + (f" by {verdict.method}" if verdict.method not in ("", "none") else "")


def chain(verdict: Verdict, layout: Layout) -> list[Line]:
    """The steps of a verdict. A step that no method settled is marked as unknown."""
    lines = []
    before: Term | None = None
    for step in verdict.steps:
        left = "" if step.left == before else layout.write(step.left)
        found = getattr(step, "status", "proved" if step.method else "unknown")
        lines.append(
            Line(
                left,
                layout.notation.relation(step.relation),
                layout.write(step.right),
                layout.notation.mark(found),
                step.reason or step.method,
            )
        )
        before = step.right
    return lines


def remarks(verdict: Verdict, layout: Layout) -> list[tuple[int, str]]:
    """What follows the steps, each with how far it is set in: assumptions, worlds, axioms, lemmas, the note."""
    write = layout.notation
    lines = _listed(write, "assumptions", verdict.assumptions)
    if verdict.counterexample is not None:
        lines += _example(verdict, layout)
    for name, refuting in verdict.needed:
        facts = ", ".join(fact for line in _facts(refuting, layout) for fact in line)
        lines.append((0, write.words(f"without “{name}”: refuted by ") + facts))
    lines += _listed(write, "axioms", verdict.axioms) + _listed(write, "lemmas", getattr(verdict, "uses", ()))
    lines += _listed(write, "third opinion", (verdict.opinion,) if verdict.opinion else ())
    notes = (*verdict.statement.notes, *((verdict.note,) if verdict.note else ()))
    return lines + _listed(write, "note", notes)


def _listed(write: Notation, what: str, told: tuple[str, ...]) -> list[tuple[int, str]]:
    return [(0, write.words(f"{what}: {'; '.join(told)}"))] if told else []


def _example(verdict: Verdict, layout: Layout) -> list[tuple[int, str]]:
    write = layout.notation
    head = write.words("counterexample" if verdict.status == "refuted" else "example")
    if verdict.sides is not None:
        head += write.words(": ") + ", ".join(sides(verdict.sides, write))
    return [(0, head), *((1, ", ".join(line)) for line in _facts(verdict.counterexample, layout))]


def _facts(example: object, layout: Layout) -> list[list[str]]:
    """A world as equations; an example that is no finite world, in its own words."""
    return world_facts(example, layout) if isinstance(example, World) else [[layout.notation.words(repr(example))]]


def sides(values: tuple[str, str], write: Notation) -> list[str]:
    """The values of both sides, as equations."""
    return [
        _equation(write, write.words(side), write.value(v)) for side, v in zip(("left", "right"), values, strict=True)
    ]
