"""The numbers that published slips name, evaluated in the very statements that are judged, and those of OP.10."""

from __future__ import annotations

from fractions import Fraction
from math import log

from derivations.checker.refute import fails_in
from derivations.checker.terms import exp as exp_
from derivations.checker.terms import term
from derivations.checker.worlds import world
from derivations.ledger import Ledger
from derivations.sections import advantage as v
from derivations.sections import errata
from derivations.sections.objects import A, S, a, s


def test_err11_the_losses_are_minus_0_3679_and_minus_1_1052() -> None:
    empty = world({}, {})
    low, inside = (
        float(empty.value(errata.loss_at(exp_(term(rate)))).mid()) for rate in (Fraction(-1), Fraction(1, 10))
    )
    assert round(low, 4) == -0.3679 and round(inside, 4) == -1.1052


def test_err12_reward_one_for_ever_cut_after_one_step(ledger: Ledger) -> None:
    tables: dict[object, object] = {v.pay: [[1]], v.true_value: [2], v.gamma: Fraction(1, 2), v.move: [[[1]]]}
    at = world({S: 1, A: 1}, tables, indices={s: 0, a: 0})
    found = fails_in(ledger.assertions["ERR.12"].formal, at)
    assert found is not None and (found.left, found.right) == ("−1", "0")


def test_op10_the_mean_of_the_rows_example_grows_past_every_bound() -> None:
    """π_ref = 2^−y, exp(r/β) = 2^y/(y(y+1)), y ≥ 1, β = 1: z = 1, and what is left of E_π*[r] after n terms grows."""

    def optimum(k: int) -> float:
        return 1 / (k * (k + 1))

    sizes = (10, 1000, 100_000)
    assert [sum(Fraction(1, k * (k + 1)) for k in range(1, n + 1)) for n in (10, 1000)] == [
        Fraction(10, 11),
        Fraction(1000, 1001),
    ]
    means = [sum(optimum(k) * (k * log(2) - log(k * (k + 1))) for k in range(1, n + 1)) for n in sizes]
    divergences = [sum(optimum(k) * (log(optimum(k)) + k * log(2)) for k in range(1, n + 1)) for n in sizes]
    assert means[1] - means[0] > 2 and means[2] - means[1] > 3
    assert all(abs(one - other) < 1e-9 for one, other in zip(means, divergences, strict=True))
