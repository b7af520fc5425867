"""Proved, refuted, conditional, unknown. A verdict is made here and nowhere else.

A statement is tried by the prover and by the refuter, which know nothing of each other. If both succeed, one of them is
wrong: that is an error, and everything stops. What holds under hypotheses is conditional when dropping any one of them
alone leads to a counterexample; a hypothesis that is not needed is reported and removed. Everything else is unknown.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from derivations.checker import wellformed
from derivations.checker.errors import BadInput, EngineDisagreement, StatementError
from derivations.checker.proof import Argumentation, Lemmas, Proof, Step, Unproved, no_lemmas, prove
from derivations.checker.refute import DOUBLE_ENTRY, THOROUGH, Counterexample, Effort, fails_in, is_satisfiable, refute
from derivations.checker.statement import Assumption, Relation, Statement, statement
from derivations.checker.terms import Scalar, Term

if TYPE_CHECKING:
    from derivations.checker.worlds import World

PROVED, REFUTED, CONDITIONAL, UNKNOWN = "proved", "refuted", "conditional", "unknown"
STATUSES = (PROVED, REFUTED, CONDITIONAL, UNKNOWN)

_KEY = object()


@dataclass(frozen=True, repr=False)
class Verdict:
    """What the checker found of one statement, and why. Only the checker makes one."""

    status: str
    statement: Statement
    method: str
    assumptions: tuple[str, ...] = ()
    counterexample: Any = None
    sides: tuple[str, str] | None = None
    steps: tuple[Step, ...] = ()
    axioms: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    needed: tuple[tuple[str, Any], ...] = ()
    note: str = ""
    opinion: str = ""
    seconds: float = field(default=0.0, compare=False)
    _key: object = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self._key is not _KEY:
            raise BadInput("a verdict is made by the checker only; call check(…)")
        object.__setattr__(self, "_key", None)

    @property
    def holds(self) -> bool:
        """Whether the statement is proved, if need be under its hypotheses."""
        return self.status in (PROVED, CONDITIONAL)

    def __repr__(self) -> str:
        from derivations.checker.printing import verdict_text

        return verdict_text(self)

    def _repr_latex_(self) -> str:
        from derivations.checker.printing import verdict_latex

        return verdict_latex(self)


@dataclass(frozen=True)
class Witness:
    """A world proposed as a counterexample, or an explicit instance outside the finite ones; it is always evaluated."""

    evaluate: Callable[[Statement], Counterexample | None]


def judge(
    given: Statement,
    *,
    argument: Argumentation | None = None,
    lemmas: Lemmas = no_lemmas,
    effort: Effort = THOROUGH,
    worlds: Sequence[World] = (),
    instances: Sequence[Witness] = (),
    prover: Callable[[Statement], Proof] | None = None,
) -> Verdict:
    """The verdict on a statement.

    `argument` is the proof to execute (without one, the engines are tried in turn); `worlds` and `instances` are proposed
    counterexamples, evaluated like any other; `prover` is another engine to ask for a proof, such as the one for limits.
    """
    started = time.perf_counter()
    try:
        wellformed.require(given)
    except RecursionError as error:
        raise StatementError("the statement is nested too deeply; write a long sum as one Add of its parts") from error
    attempt = prover or (lambda s: prove(s, argument, lemmas))

    def counterexample(s: Statement) -> Counterexample | None:
        return _counterexample(s, effort, worlds, instances)

    if given.exists:
        return _existence(given, counterexample, started)
    proof, reason = _try(attempt, given)
    # A proof is doubted in fewer worlds than a line without one: a true statement has none to find.
    found = _counterexample(given, effort if proof is None else DOUBLE_ENTRY, worlds, instances)
    if proof is not None and found is not None:
        raise EngineDisagreement(
            f"{given!r}\nwas proved by {proof.method}, and has a counterexample:\n{found.world!r}\n"
            f"left = {found.left}, right = {found.right}"
        )
    if found is not None:
        return _verdict(
            REFUTED,
            given,
            "counterexample",
            started,
            assumptions=_assumptions(given),
            counterexample=found.world,
            sides=(found.left, found.right),
            opinion=_third_opinion(given, holds=False),
        )
    if proof is None:
        return _verdict(UNKNOWN, given, "none", started, assumptions=_assumptions(given), note=reason)
    if not is_satisfiable(given, worlds):
        note = "no world was found in which everything that is assumed holds; from a contradiction anything follows"
        return _verdict(UNKNOWN, given, proof.method, started, assumptions=_assumptions(given), note=note)
    opinion = _third_opinion(given, holds=True)
    return _conditions(given, proof, attempt, counterexample, started, opinion)


def _existence(
    given: Statement, counterexample: Callable[[Statement], Counterexample | None], started: float
) -> Verdict:
    found = counterexample(given)
    if found is None:
        return _verdict(UNKNOWN, given, "none", started, note="no example was found")
    return _verdict(
        PROVED,
        given,
        "example",
        started,
        assumptions=_assumptions(given),
        counterexample=found.world,
        sides=(found.left, found.right),
    )


def _try(attempt: Callable[[Statement], Proof], given: Statement) -> tuple[Proof | None, str]:
    try:
        return attempt(given), ""
    except Unproved as reason:
        return None, str(reason)


def _counterexample(
    given: Statement, effort: Effort, worlds: Iterable[World], instances: Iterable[Witness]
) -> Counterexample | None:
    """The smallest of what the search and the proposals give; where a proposal fails, less has to be searched."""
    found = [c for c in (fails_in(given, w) for w in worlds if _fits(given, w)) if c is not None]
    found += [c for c in (instance.evaluate(given) for instance in instances) if c is not None]
    searched = refute(given, DOUBLE_ENTRY if found else effort)
    if searched is not None:
        found.append(searched)
    return min(found, key=lambda c: c.measure) if found else None


def _fits(given: Statement, world: World) -> bool:
    return {f.name for f in world.tables} >= {
        f.name
        for f in given.functions
        if f not in {d.function for d in given.definitions} | {r.function for r in given.recursions}
    }


def _conditions(
    given: Statement,
    proof: Proof,
    attempt: Callable[[Statement], Proof],
    counterexample: Callable[[Statement], Counterexample | None],
    started: float,
    opinion: str,
) -> Verdict:
    """Drops each hypothesis alone: refuted means needed, proved means that it is removed, neither means unknown."""
    needed: list[tuple[str, Any]] = []
    removed: list[str] = []
    current = given
    for assumption in given.assuming:
        dropped = current.without(assumption)
        found = counterexample(dropped)
        if found is not None:
            needed.append((assumption.name, found.world))
            continue
        simpler = _well_formed_proof(dropped, attempt)
        if simpler is None:
            note = f"it holds under “{assumption.name}”; whether that is needed is not settled"
            return _verdict(
                UNKNOWN, given, proof.method, started, assumptions=_assumptions(given), steps=proof.steps, note=note
            )
        current, proof = dropped, simpler
        removed.append(assumption.name)
    note = "" if not removed else "not needed, and removed: " + ", ".join(f"“{name}”" for name in removed)
    return _verdict(
        CONDITIONAL if current.assuming else PROVED,
        current,
        proof.method,
        started,
        assumptions=_assumptions(current),
        steps=proof.steps,
        axioms=proof.axioms,
        uses=proof.uses,
        needed=tuple(needed),
        note=note,
        opinion=opinion,
    )


def _well_formed_proof(given: Statement, attempt: Callable[[Statement], Proof]) -> Proof | None:
    try:
        wellformed.require(given)
    except StatementError:
        return None
    return _try(attempt, given)[0]


def _third_opinion(given: Statement, holds: bool) -> str:
    """SymPy is asked too, where there is no sum; a disagreement is an internal error."""
    from derivations.checker.border import second_opinion

    opinion = second_opinion(given)
    if opinion is None:
        return ""
    if opinion is not holds:
        found = (
            "was proved, and SymPy finds that it does not hold"
            if holds
            else "was refuted, and SymPy finds that it holds"
        )
        raise EngineDisagreement(f"{given!r}\n{found}")
    return "SymPy agrees"


def _assumptions(given: Statement) -> tuple[str, ...]:
    """Every hypothesis and every declared domain that narrows a function, by name."""
    stated = [a.name for a in (*given.assuming, *given.standing)]
    declared = []
    for symbol in given.functions:
        if symbol.law:
            declared.append(f"{symbol.name} is a {'positive ' if symbol.positive else ''}distribution")
        elif str(symbol.domain) != "ℝ":
            declared.append(f"{symbol.name} ∈ {symbol.domain}")
    sets = [f"{s.name} is finite" for s in given.sorts if not s.infinite and not s.is_history]
    return tuple([*stated, *declared, *sets])


def _verdict(status: str, given: Statement, method: str, started: float, **details: Any) -> Verdict:
    return Verdict(status, given, method, seconds=time.perf_counter() - started, _key=_KEY, **details)


def check(
    left: Scalar | Statement | Any,
    comparison: Relation | None = None,
    right: Scalar | Any = None,
    *,
    assuming: Iterable[Assumption] = (),
    by: Argumentation | None = None,
    declare: dict[Any, Any] | None = None,
    effort: Effort = THOROUGH,
    **given: Any,
) -> Verdict:
    """Judges one line: check(left, "=", right, assuming=[…]) gives a Verdict.

    `left` and `right` are terms, numbers, or SymPy expressions (then `declare` gives each SymPy name its domain); or
    `left` is a whole Statement, or a SymPy relation. Relations: = ≠ < ≤ > ≥, same_maximiser(over=π), first_order(at=θ_old).
    `by` is a derivation to execute. Raises StatementError where the line has no meaning as written.
    """
    if isinstance(left, Statement):
        return judge(left, argument=by, effort=effort)
    if isinstance(left, (Term, int)) and comparison is not None and not _is_sympy(right):
        try:
            stated = statement(left, comparison, right, assuming=assuming, **given)
        except RecursionError as error:
            raise StatementError("the line is nested too deeply; write a long sum as one Add of its parts") from error
    else:
        from derivations.checker.border import statement_from_sympy

        stated = statement_from_sympy(left, comparison, right, declare or {}, assuming=tuple(assuming))
        if given:
            raise BadInput(
                f"check: {min(given)} is for lines written in terms; write the SymPy line in terms to use it"
            )
    return judge(stated, argument=by, effort=effort)


def _is_sympy(value: object) -> bool:
    return type(value).__module__.split(".")[0] == "sympy"


__all__ = ["CONDITIONAL", "PROVED", "REFUTED", "STATUSES", "UNKNOWN", "Verdict", "Witness", "check", "judge"]
