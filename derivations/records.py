"""What was found of an assertion, written down: words, texts and exact numbers, as they are shown, sent and kept.

A record is no verdict: nothing is proved by it, and no verdict is made of it. It is what a verdict said when the checker
made it. A measured claim and a definition have a record too, in which the checker has no say: that of a measured claim
says what its experiment showed, where that is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from derivations.checker.errors import BadInput

if TYPE_CHECKING:
    from derivations.checker.reals import Real
    from derivations.checker.statement import Statement
    from derivations.checker.verdict import Verdict
    from derivations.checker.worlds import Element, Table, World
    from derivations.measured.kept import Kept

MEASURED, NOT_SHOWN, NOT_MEASURED, DEFINITION = "measured", "not shown", "not measured yet", "definition"
NO_METHOD = "none"

Json = Any  # what json.loads gives


@dataclass(frozen=True)
class Record:
    """What a verdict said. `removed` names the hypotheses that were not needed; `world` is the example, to read back.

    `kept` is true of a record that was not made in this run, but read from the results of an earlier one.
    """

    status: str
    method: str = NO_METHOD
    assumptions: tuple[str, ...] = ()
    axioms: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    steps: tuple[Mapping[str, str], ...] = ()
    counterexample: Mapping[str, Json] | None = None
    world: Mapping[str, Json] | None = None
    text: str = ""
    latex: str = ""
    seconds: float = 0.0
    kept: bool = field(default=False, compare=False)

    @property
    def holds(self) -> bool:
        """Whether the statement is proved, if need be under its hypotheses."""
        return self.status in ("proved", "conditional")

    @property
    def judged(self) -> bool:
        """Whether the checker had a say in it."""
        return self.status not in (MEASURED, NOT_SHOWN, NOT_MEASURED, DEFINITION)

    @property
    def measured(self) -> bool:
        """Whether runs had a say in it."""
        return self.status in (MEASURED, NOT_SHOWN)


NOT_MEASURED_YET, IS_DEFINITION = Record(NOT_MEASURED), Record(DEFINITION)


def record_of_measurement(kept: Kept | None) -> Record:
    """What a kept experiment says of its entry; None is not measured yet."""
    if kept is None:
        return NOT_MEASURED_YET
    seeds = f"{len(kept.seeds)} seeds"
    return Record(
        MEASURED if kept.shown else NOT_SHOWN, f"{seeds}, other code" if kept.stale else seeds, text=kept.text
    )


def record_of(verdict: Verdict, given: Statement) -> Record:
    """What a verdict on a statement says; the verdict's own statement lacks what was not needed."""
    from derivations.checker.printing import verdict_latex, verdict_text

    needed = {assumption.name for assumption in verdict.statement.assuming}
    return Record(
        verdict.status,
        verdict.method,
        verdict.assumptions,
        verdict.axioms,
        verdict.uses,
        tuple(a.name for a in given.assuming if a.name not in needed),
        _steps(verdict),
        _counterexample(verdict),
        _exact_world(verdict.counterexample),
        verdict_text(verdict),
        verdict_latex(verdict),
        verdict.seconds,
    )


# --- a record as an object of texts, numbers, lists and objects -----------------------------------------------------


def as_object(record: Record) -> dict[str, Json]:
    """A record as JSON has it; whether it is a kept one is not part of it."""
    return {part.name: getattr(record, part.name) for part in fields(record) if part.name != "kept"}


def from_object(given: Json, *, kept: bool = False) -> Record:
    """A record from its JSON; raises BadInput where that is none."""
    names = {part.name for part in fields(Record)} - {"kept"}
    if not isinstance(given, dict) or set(given) != names:
        raise BadInput("a record: its parts are not those of a record")
    for name, value in given.items():
        kinds = _KINDS.get(name, (str,))
        if not isinstance(value, kinds):
            raise BadInput(f"a record: {name} is a {type(value).__name__}")
        inside = dict if name == "steps" else str
        if isinstance(value, list) and not all(isinstance(item, inside) for item in value):
            raise BadInput(f"a record: {name} holds something else than {inside.__name__}")
    parts: dict[str, Json] = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}
    return Record(**parts, kept=kept)


_LISTS = ("assumptions", "axioms", "uses", "removed", "steps")
_KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(_LISTS, (list,)),
    "seconds": (float,),
    "counterexample": (dict, type(None)),
    "world": (dict, type(None)),
}


# --- steps and worlds, to be read -----------------------------------------------------------------------------------


def _steps(verdict: Verdict) -> tuple[dict[str, str], ...]:
    from derivations.checker.printing import TEXT
    from derivations.checker.report import layout_for

    layout = layout_for(TEXT, verdict)
    return tuple(
        {
            "lhs": layout.write(step.left),
            "relation": TEXT.relation(step.relation).strip(),
            "rhs": layout.write(step.right),
            "reason": step.reason,
            "method": step.method,
        }
        for step in verdict.steps
    )


def _counterexample(verdict: Verdict) -> dict[str, Json] | None:
    """The world that refutes a statement, or that proves a statement of existence (then the method is “example”)."""
    from derivations.checker.worlds import World

    example = verdict.counterexample
    if example is None:
        return None
    if not isinstance(example, World):
        return {"text": repr(example)}
    left, right = map(_plain, verdict.sides) if verdict.sides else (None, None)
    return {**readable_world(example), "left": left, "right": right}


def readable_world(world: World) -> dict[str, Json]:
    """A world with every value as a text that Python's Fraction reads, where it is rational."""
    tables = sorted(world.tables.items(), key=lambda pair: pair[0].name)
    slopes = {
        f"{nabla}{f.name}": moving
        for f, table in tables
        for order, nabla in ((1, "∇"), (2, "∇²"))
        if (moving := _values(table, order, zeros=False))
    }
    return {
        "sizes": {sort.name: size for sort, size in world.sizes.items()},
        "lengths": {sort.name: length for sort, length in world.lengths.items()},
        "indices": {i.name: list(at) if isinstance(at, tuple) else at for i, at in world.indices.items()},
        "tables": {f.name: _values(table, 0) for f, table in tables},
        "slopes": slopes,
    }


def _values(table: Table, order: int, zeros: bool = True) -> dict[str, str] | str | None:
    """The values of a function, or their derivatives in θ, by its arguments; of a parameter, the one value."""
    from derivations.checker import reals

    kept = {
        _place(at): _plain(reals.show(jet[order]))
        for at, jet in table.items()
        if len(jet) > order and (zeros or reals.sign(jet[order]) != 0)
    }
    return kept.get("") if set(table) == {()} else kept


def _plain(number: str) -> str:
    """A number that Python's Fraction reads: the minus sign of the printed one is a hyphen."""
    return number.replace("−", "-")


def _place(at: tuple[Element, ...]) -> str:
    """Arguments as a key: "0, 1", and "(0, 1), 0" where the first is a history."""
    return ", ".join(f"({', '.join(map(str, e))})" if isinstance(e, tuple) else str(e) for e in at)


# --- worlds, to be read back ----------------------------------------------------------------------------------------


def _exact_world(example: object) -> dict[str, Json] | None:
    """A world from which the same one can be made again; None where a value is a ball, or it is no finite world."""
    from derivations.checker.worlds import World

    if not isinstance(example, World):
        return None
    try:
        tables = {
            f.name: [[_elements(at), [_exact_text(value) for value in jet]] for at, jet in table.items()]
            for f, table in example.tables.items()
        }
    except _Inexact:
        return None
    return {
        "sizes": {sort.name: size for sort, size in example.sizes.items()},
        "lengths": {sort.name: length for sort, length in example.lengths.items()},
        "indices": {i.name: _elements((at,))[0] for i, at in example.indices.items()},
        "tables": tables,
    }


class _Inexact(Exception):
    """A value that is only known to lie in a ball."""


def _elements(at: Sequence[Element]) -> list[Json]:
    return [list(element) if isinstance(element, tuple) else element for element in at]


def _exact_text(value: Real) -> Json:
    """A rational as "p/q"; a combination of logarithms of primes as the rational and the coefficients."""
    from derivations.checker import reals

    if isinstance(value, reals.LogSum):
        return [str(value.rational), {str(prime): str(c) for prime, c in value.logs.items()}]
    if reals.fraction(value) is None:
        raise _Inexact
    return str(value)


def fails_again(given: Statement, record: Record) -> bool:
    """Whether the example of a record does again, evaluated exactly, what the record says of it."""
    from derivations.checker.refute import fails_in

    if record.world is None or record.counterexample is None:
        return False
    try:
        found = fails_in(given, _world(given, record.world))
    except (BadInput, KeyError, ValueError, TypeError, AttributeError, ZeroDivisionError):
        return False
    sides = None if found is None else (_plain(found.left), _plain(found.right))
    return sides == (record.counterexample.get("left"), record.counterexample.get("right"))


def _world(given: Statement, kept: Mapping[str, Json]) -> World:
    from derivations.checker.question import Question
    from derivations.checker.worlds import World

    symbols = {f.name: f for f in (*given.functions, *Question(given).functions)}
    sorts = {sort.name: sort for sort in given.sorts}
    indices = {index.name: index for index in given.free}
    lengths = {sorts[name]: length for name, length in kept["lengths"].items()}
    return World(
        {sorts[name]: size for name, size in kept["sizes"].items()},
        {
            symbols[name]: {_place_of(at): tuple(map(_real, jet)) for at, jet in table}
            for name, table in kept["tables"].items()
            if name in symbols
        },
        lengths,
        dict(lengths),
        indices={indices[name]: _place_of([at])[0] for name, at in kept["indices"].items() if name in indices},
    )


def _place_of(at: Sequence[Json]) -> tuple[Element, ...]:
    return tuple(tuple(element) if isinstance(element, list) else element for element in at)


def _real(text: Json) -> Real:
    from derivations.checker import reals

    if isinstance(text, str):
        return reals.real(Fraction(text))
    rational, logs = text
    coefficients = {int(prime): reals.real(Fraction(c)) for prime, c in logs.items()}
    return reals.LogSum(reals.real(Fraction(rational)), coefficients)


__all__ = [
    "DEFINITION",
    "IS_DEFINITION",
    "MEASURED",
    "NOT_MEASURED",
    "NOT_MEASURED_YET",
    "NOT_SHOWN",
    "NO_METHOD",
    "Record",
    "as_object",
    "fails_again",
    "from_object",
    "readable_world",
    "record_of",
    "record_of_measurement",
]
