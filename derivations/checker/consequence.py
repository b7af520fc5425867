"""What follows from a proved comparison: one of the same direction whose sides are no nearer to each other.

From L ≥ R follows M ≥ N wherever M − N ≥ L − R, and M > N where one of the two is strict. The second comparison is proved by
whatever engine is given; what both have in common has cancelled in it, so it is often a much smaller one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from derivations.checker.errors import DerivationsError
from derivations.checker.facts import facts_of
from derivations.checker.normal_form import Normaliser
from derivations.checker.proof import Proof, Step, Unproved, same_hypothesis, spelled_out
from derivations.checker.statement import Hypothesis, Statement
from derivations.checker.terms import Term, term

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


__all__ = ["prove_by_comparison"]
