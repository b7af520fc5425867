"""What follows from a proved comparison: one of the same direction whose sides are no nearer to each other.

From L ≥ R follows M ≥ N wherever M − N ≥ L − R, and M > N where one of the two is strict. The second comparison is proved by
whatever engine is given; what both have in common has cancelled in it, so it is often a much smaller one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

from derivations.checker.errors import DerivationsError
from derivations.checker.facts import facts_of
from derivations.checker.normal_form import Normaliser
from derivations.checker.proof import Proof, Step, Unproved, same_hypothesis, spelled_out
from derivations.checker.statement import Assumption, Dominated, Hypothesis, Statement, Summable
from derivations.checker.terms import (
    Apply,
    Function,
    Index,
    Made,
    Recursion,
    Term,
    substitute,
    substitute_functions,
    term,
)

STRICT = {"≥": ">", "≤": "<", ">": ">", "<": "<"}
WEAK = {"≥": "≥", "≤": "≤", ">": "≥", "<": "≤"}


def prove_by_comparison(given: Statement, claim: Statement, name: str, prover: Callable[[Statement], Proof]) -> Proof:
    """A proof of a comparison from the proved claim of that name; raises Unproved."""
    claim = spelled_out(claim, given.definitions)
    if not _is_comparable(given, claim):
        raise Unproved(f"{name} is about something else")
    assert isinstance(given.relation, str) and isinstance(claim.relation, str)
    ours, theirs = _gap(given), _gap(claim)
    # One strict step of the two is enough.
    strict = given.relation == STRICT[given.relation] and claim.relation != given.relation
    wanted = (STRICT if strict else WEAK)[given.relation]
    try:
        between = prover(replace(given, left=ours, relation=wanted, right=theirs))
    except (DerivationsError, RecursionError) as reason:
        raise Unproved(f"it is not seen to follow from {name}: {reason}") from reason
    steps = (
        *between.steps,
        Step(theirs, claim.relation, term(0), name, "lemma"),
    )
    return Proof(steps, "consequence", between.axioms, (*between.uses, name))


def _gap(given: Statement) -> Term:
    return given.left - given.right


def _is_comparable(given: Statement, claim: Statement) -> bool:
    """Whether both speak of the same functions, in one direction, and what the claim assumes is assumed here."""
    if given.relation not in WEAK or claim.relation not in WEAK or given.exists or claim.exists:
        return False
    same_direction = WEAK[str(given.relation)] == WEAK[str(claim.relation)]
    here = (*given.assuming, *given.standing)
    # What is put in for a definition has letters of its own each time.
    plain = Normaliser(facts_of(replace(given, assuming=(), standing=())))
    assumed = all(
        theirs in here
        or any(
            isinstance(theirs, Hypothesis) and isinstance(ours, Hypothesis) and same_hypothesis(theirs, ours, plain)
            for ours in here
        )
        for theirs in (*claim.assuming, *claim.standing)
    )
    equations = (given.recursions, given.definitions) == (claim.recursions, claim.definitions)
    return same_direction and assumed and equations


def one_for_both(given: Statement) -> Statement:
    """The statement with one function in place of two that are given by one equation from one start: they are equal."""
    for kept, gone in combinations(given.recursions, 2):
        if _says_the_same(kept, gone):
            return one_for_both(_put_for(given, kept.function, gone))
    return given


def _says_the_same(first: Recursion, second: Recursion) -> bool:
    """Whether two equations are one, up to the names of the function and of its own arguments."""
    one, other = first.function, second.function
    if replace(other, name=one.name, latex=one.latex) != one:
        return False
    ours = (*first.start_indices, first.history, *first.step_indices)
    theirs = (*second.start_indices, second.history, *second.step_indices)
    if [index.sort for index in ours] != [index.sort for index in theirs]:
        return False
    names = dict(zip(theirs, ours, strict=True))
    parts = ((first.start, second.start), (first.step, second.step))
    return all(mine == substitute(_renamed(yours, other, one), names) for mine, yours in parts)


def _renamed(node: Term, gone: Function, kept: Function) -> Term:
    indices = tuple(Index(Made(f"·{k}"), sort) for k, sort in enumerate(gone.sorts))
    return substitute_functions(node, {gone: (indices, Apply(kept, indices))})


def _put_for(given: Statement, kept: Function, gone: Recursion) -> Statement:
    def moved(node: Term) -> Term:
        return _renamed(node, gone.function, kept)

    return replace(
        given,
        left=moved(given.left),
        right=moved(given.right),
        assuming=tuple(_assumed(a, moved) for a in given.assuming),
        standing=tuple(_assumed(a, moved) for a in given.standing),
        definitions=tuple(replace(d, value=moved(d.value)) for d in given.definitions),
        recursions=tuple(
            replace(rule, start=moved(rule.start), step=moved(rule.step)) for rule in given.recursions if rule != gone
        ),
    )


def _assumed(assumption: Assumption, moved: Callable[[Term], Term]) -> Assumption:
    if isinstance(assumption, (Summable, Dominated)):
        return replace(assumption, body=moved(assumption.body))
    if not isinstance(assumption, Hypothesis):
        return assumption
    condition = assumption.given
    if condition is not None:
        condition = replace(condition, left=moved(condition.left), right=moved(condition.right))
    return replace(assumption, left=moved(assumption.left), right=moved(assumption.right), given=condition)


__all__ = ["one_for_both", "prove_by_comparison"]
