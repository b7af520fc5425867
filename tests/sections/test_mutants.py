"""A fixed sample of the attack: none of these mutants is proved that has a counterexample, and hardly one stays unknown.

`derivations attack` does the same with every claim, with more mutants of each and in more worlds.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from derivations.attacks import proposals_of, provers_for
from derivations.checker.mutate import ALSO_TRUE, REFUTED, UNKNOWN, WRONGLY_PROVED, Mutant, attack, mutants
from derivations.checker.proof import spelled_out
from derivations.checker.statement import Statement
from derivations.checker.terms import Apply, Index, substitute_functions
from derivations.ledger import Ledger

EVERY, MOST, WORLDS = 7, 2, 60  # every seventh assertion that holds, so many mutants of each, so many worlds


class Believing(Ledger):
    """A ledger that takes its lemmas as stated: that they hold is for test_verdicts to show."""

    def lemma(self, identifier: str) -> Statement:
        return self.assertion(identifier).formal


@pytest.fixture(scope="module")
def outcomes() -> Counter[str]:
    ledger = Believing()
    holding = [a for a in ledger.assertions.values() if a.stated in ("proved", "conditional")]
    found: Counter[str] = Counter()
    for assertion in holding[::EVERY]:
        for mutant in mutants(assertion.formal, MOST, seed=assertion.id):
            trial = attack(mutant, provers_for(assertion, ledger), proposals_of(assertion), WORLDS)
            assert trial.outcome != WRONGLY_PROVED, f"{assertion.id}, {mutant.change}:\n{mutant.statement!r}"
            found[trial.outcome] += 1
    return found


def test_none_is_proved_that_has_a_counterexample(outcomes: Counter[str]) -> None:
    assert outcomes[WRONGLY_PROVED] == 0


def test_most_are_refuted_and_hardly_any_is_unknown(outcomes: Counter[str]) -> None:
    assert outcomes.total() > 130
    assert outcomes[REFUTED] >= 0.6 * outcomes.total(), outcomes
    assert outcomes[ALSO_TRUE] > 0
    # In so few worlds a few stay open that the attack itself refutes.
    assert outcomes[UNKNOWN] <= 0.1 * outcomes.total(), outcomes


def test_the_statement_itself_is_not_among_its_mutants(ledger: Ledger) -> None:
    given = spelled_out(ledger.assertions["OP.11"].formal)
    made = [mutant.statement for mutant in mutants(given)]
    assert given not in made
    assert len(made) == len(set(made))


def test_what_is_symmetric_is_proved_with_its_twins_exchanged(ledger: Ledger) -> None:
    """D(q′‖q) ≥ TV(q, q′)² follows from D(q‖q′) ≥ TV(q, q′)², which is said of any two laws; D(q‖q′) ≤ TV² does not."""
    assertion = ledger.assertions["TP.3.variation"]
    assert ledger.verdict(assertion.id).holds
    given = assertion.formal
    first, second = (f for f in given.functions if f.law)
    fresh = tuple(Index(f"i{k}", sort) for k, sort in enumerate(first.sorts))
    exchange = {first: (fresh, Apply(second, fresh)), second: (fresh, Apply(first, fresh))}
    turned = replace(given, right=substitute_functions(given.right, exchange))
    trial = attack(Mutant("turned", turned), provers_for(assertion, ledger), worlds=WORLDS)
    assert trial.outcome == ALSO_TRUE
    wrong = replace(turned, relation="≥")
    assert attack(Mutant("wrong", wrong), provers_for(assertion, ledger), worlds=WORLDS).outcome == REFUTED


def test_a_derivation_is_followed_where_only_what_is_assumed_was_changed(ledger: Ledger) -> None:
    """That γ < 1 is implied where 2Mγᵗ ≤ e is derived from 1 + t(1 − γ) ≥ 2M/e, for γ = 1, too; the latter is needed."""
    assertion = ledger.assertions["TP.1.late"]
    assert ledger.verdict(assertion.id).holds
    outcomes = {}
    for assumption in assertion.formal.standing:
        others = tuple(a for a in assertion.formal.standing if a != assumption)
        dropped = Mutant(assumption.name, replace(assertion.formal, standing=others))
        outcomes[assumption.name] = attack(dropped, provers_for(assertion, ledger), worlds=WORLDS).outcome
    assert outcomes == {"1 + t(1 − γ) ≥ 2M/e": REFUTED, "γ < 1": ALSO_TRUE}
