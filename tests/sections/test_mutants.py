"""False neighbours of the proved claims: none with a counterexample is proved, and nearly all are refuted."""

from __future__ import annotations

from collections import Counter

import pytest

from derivations.checker.mutate import REFUTED, WRONGLY_PROVED, attack, mutants
from derivations.checker.proof import spelled_out
from derivations.ledger import Ledger
from derivations.sections.claim import Assertion


def proved_claims(ledger: Ledger) -> list[Assertion]:
    """The proved claims and corrections of IV and X that say something of all worlds, limits aside."""
    chosen = ledger.select(sections=["IV", "X"])
    candidates = [a for c in chosen for a in (c.main, c.correction) if a is not None]
    plain = [a for a in candidates if not a.formal.exists and a.prover is None]
    return [a for a in plain if ledger.verdict(a.id).status == "proved"]


@pytest.fixture(scope="module")
def outcomes(ledger: Ledger) -> Counter[str]:
    found: Counter[str] = Counter()
    for assertion in proved_claims(ledger):
        for mutant in mutants(assertion.formal):
            trial = attack(mutant)
            assert trial.outcome != WRONGLY_PROVED, f"{assertion.id}, {mutant.change}:\n{mutant.statement!r}"
            found[trial.outcome] += 1
    return found


def test_none_is_proved_that_has_a_counterexample(outcomes: Counter[str]) -> None:
    assert outcomes[WRONGLY_PROVED] == 0


def test_at_least_nine_in_ten_are_refuted(outcomes: Counter[str]) -> None:
    assert outcomes.total() > 500
    assert outcomes[REFUTED] >= 0.9 * outcomes.total(), outcomes


def test_the_statement_itself_is_not_among_its_mutants(ledger: Ledger) -> None:
    given = spelled_out(ledger.assertions["OP.11"].formal)
    made = [mutant.statement for mutant in mutants(given)]
    assert given not in made
    assert len(made) == len(set(made))
