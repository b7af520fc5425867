"""A fixed sample of the attack: none of these mutants is proved that has a counterexample, and hardly one stays unknown.

`derivations attack` does the same with every claim, with more mutants of each, in more worlds, and with the lemmas.
"""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest

from derivations.attacks import proposals_of
from derivations.checker.consequence import prove_by_comparison
from derivations.checker.mutate import ALSO_TRUE, REFUTED, UNKNOWN, WRONGLY_PROVED, Prover, attack, mutants
from derivations.checker.proof import prove, spelled_out
from derivations.ledger import Ledger, all_claims
from derivations.sections.claim import Assertion

EVERY, MOST, WORLDS = 5, 2, 60  # every fifth assertion, so many mutants of each, so many worlds

# That these hold is for test_verdicts to show: nothing here is judged.
HOLDING = [a for claim in all_claims() for a in claim.assertions if a.stated in ("proved", "conditional")]
SAMPLE = HOLDING[::EVERY]


def provers(assertion: Assertion) -> list[Prover]:
    """The engines without the ledger's lemmas, and what follows from the assertion itself."""
    found: list[Prover] = [prove, partial(prove_by_comparison, claim=assertion.formal, name="itself", prover=prove)]
    return found if assertion.prover is None else [assertion.prover, *found]


@pytest.fixture(scope="module")
def outcomes() -> Counter[str]:
    found: Counter[str] = Counter()
    for assertion in SAMPLE:
        for mutant in mutants(assertion.formal, MOST, seed=assertion.id):
            trial = attack(mutant, provers(assertion), proposals_of(assertion), WORLDS)
            assert trial.outcome != WRONGLY_PROVED, f"{assertion.id}, {mutant.change}:\n{mutant.statement!r}"
            found[trial.outcome] += 1
    return found


def test_none_is_proved_that_has_a_counterexample(outcomes: Counter[str]) -> None:
    assert outcomes[WRONGLY_PROVED] == 0


def test_most_are_refuted_and_hardly_any_is_unknown(outcomes: Counter[str]) -> None:
    assert outcomes.total() > 150
    assert outcomes[REFUTED] >= 0.7 * outcomes.total(), outcomes
    assert outcomes[ALSO_TRUE] > 0
    # Without the lemmas that an assertion rests on, a few more are open than in the attack itself.
    assert outcomes[UNKNOWN] <= 0.06 * outcomes.total(), outcomes


def test_the_statement_itself_is_not_among_its_mutants(ledger: Ledger) -> None:
    given = spelled_out(ledger.assertions["OP.11"].formal)
    made = [mutant.statement for mutant in mutants(given)]
    assert given not in made
    assert len(made) == len(set(made))
