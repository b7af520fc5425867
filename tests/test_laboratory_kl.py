"""The KL penalty in the reward and in the loss: the expected gradient of each cell, in both worlds, by a second route."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from small_worlds import ENDING, policy_for
from tabular_worlds import arms, random_mdp, random_policy
from torch import Tensor

from derivations import estimator_table
from derivations.algorithms import exact
from derivations.laboratory import (
    CELLS,
    TabularWorld,
    TokenWorld,
    discounted,
    exact_kl_weights,
    expectation,
    gae,
    kl_in_rewards,
    kl_table,
    kl_weights,
    log_ratios,
    reinforce,
    reward_to_go,
    table_of,
)
from derivations.laboratory.worlds import World
from toy_envs.errors import BadInput
from toy_envs.tabular_oracle import Array, Trajectory, evaluate

TREE = exact.prefix_tree(ENDING)


def levels(seed: int) -> exact.Levels:
    with torch.no_grad():
        return exact.tree_logp(policy_for(ENDING, seed), TREE)


def floats(policy: Any) -> Array:
    return np.array(policy, dtype=float)


class Case:
    """A world, π_ref as a table, the true gradient, and how to differentiate a function of log π, level by level."""

    def __init__(
        self, here: World, reference: Any, truth: Array, derivative: Callable[..., Array] | None = None
    ) -> None:
        self.world, self.reference, self.truth, self.derivative = here, reference, truth, derivative
        self.cells = {whole: kl_table(here, reference, truth, whole=whole) for whole in (False, True)}


def tokens(policy: Any) -> Case:
    here, reference = TokenWorld(TREE, policy, diagonal=True), levels(2)
    return Case(
        here, table_of(tuple(level.exp() for level in reference)), here.kl_gradient(reference), here._derivative
    )


def tabular() -> Case:
    mdp = random_mdp(1, Fraction(3, 4), states=2)
    reference = floats(random_policy(8, mdp))
    here = TabularWorld(mdp, floats(random_policy(1, mdp)), 3, exact=False)
    return Case(here, reference, here.kl_gradient(reference))


def bandit() -> Case:
    reference = floats([[Fraction(1, 2), Fraction(1, 3), Fraction(1, 6)]])
    here = TabularWorld(arms(0, 0, 0), floats([[Fraction(1, 5), Fraction(1, 5), Fraction(3, 5)]]), 1, exact=False)
    return Case(here, reference, here.kl_gradient(reference))


MAKERS: dict[str, Callable[[], Case]] = {
    "bandit": bandit,
    "tabular": tabular,
    "tokens, table": lambda: tokens(levels(1)),
    "tokens, GPT": lambda: tokens(policy_for(ENDING, 1)),
}


@pytest.fixture(scope="module")
def cases() -> dict[str, Case]:
    return {name: make() for name, make in MAKERS.items()}


in_each = pytest.mark.parametrize("name", MAKERS)
of_tokens = pytest.mark.parametrize("name", ["tokens, table", "tokens, GPT"])


def near(found: Array, stated: Array) -> bool:
    assert found.shape == stated.shape
    return float(np.linalg.norm(found - stated)) < 1e-9 * (1 + float(np.linalg.norm(stated)))


# --- KL.7 --------------------------------------------------------------------------------------------------------------


@in_each
def test_k1_in_the_reward_is_right_token_by_token_and_whole(cases: dict[str, Case], name: str) -> None:
    """KL.5, KL.7."""
    case = cases[name]
    assert np.linalg.norm(case.truth) > 0.01
    for whole in (False, True):
        assert near(case.cells[whole]["k1", "reward"].mean, case.truth)


@in_each
def test_k2_in_the_loss_is_right_of_the_whole_and_misses_what_is_to_come_token_by_token(
    cases: dict[str, Case], name: str
) -> None:
    """KL.6, KL.7, KL.16: what it misses is E[Σ_t ∇log π(a_t∣s_t) Σ_{k>t} D_k], the exact KL in the reward."""
    case = cases[name]
    assert near(case.cells[True]["k2", "loss"].mean, case.truth)
    missed = case.world.moments(exact_kl_weights(case.world.table, case.reference), case.truth).mean
    assert near(case.cells[False]["k2", "loss"].bias, -missed)
    assert (np.linalg.norm(missed) > 1e-3) == (name != "bandit")


@in_each
def test_k1_in_the_loss_is_nothing(cases: dict[str, Case], name: str) -> None:
    """KL.7: the mean of the score (AD.1); its variance is not nothing."""
    for whole in (False, True):
        found = cases[name].cells[whole]["k1", "loss"]
        assert np.abs(found.mean).max() < 1e-12 and found.variance > 0.01


@of_tokens
def test_k3_of_the_whole_response_is_the_gradient_of_the_other_divergence(cases: dict[str, Case], name: str) -> None:
    """KL.7: in the loss ∇D(π_ref‖π), by autograd through the tree; in the reward that is its bias, with the sign turned."""
    case, reference = cases[name], levels(2)
    assert case.derivative is not None
    other = case.derivative(lambda logp: exact.kl(TREE, reference, logp))
    assert np.linalg.norm(other) > 0.01
    assert near(case.cells[True]["k3", "loss"].mean, other)
    assert near(case.cells[True]["k3", "reward"].bias, -other)


@of_tokens
def test_k2_of_the_whole_response_in_the_reward_is_the_gradient_of_its_mean_less_the_truth(
    cases: dict[str, Case], name: str
) -> None:
    """KL.7: ∇E[k2] = E[k2 ∇log π] + E[∇k2], and the last is k2 in the loss, ∇D."""
    case, reference = cases[name], levels(2)
    assert case.derivative is not None

    def mean_square(logp: exact.Levels) -> Tensor:
        own, ref = exact.response_logp(TREE, logp), exact.response_logp(TREE, reference)
        return (own.exp() * (own - ref) ** 2).sum() / 2

    assert near(case.cells[True]["k2", "reward"].mean, case.derivative(mean_square) - case.truth)
    assert not near(case.cells[True]["k2", "reward"].mean, case.truth)


def test_k3_in_a_bandit_by_hand(cases: dict[str, Case]) -> None:
    """KL.7: ∇D(π_ref‖π) = π − π_ref in the logits."""
    case = cases["bandit"]
    other = (case.world.table - case.reference).ravel()
    assert near(case.cells[False]["k3", "loss"].mean, other)
    assert near(case.cells[False]["k3", "reward"].mean, case.truth - other)


def test_the_table_of_the_checker_is_the_same() -> None:
    """Both sides of the house: the checker's cells, evaluated in exact numbers along the logit of the last response."""
    policy = [Fraction(1, 8), Fraction(1, 8), Fraction(3, 4)]
    reference = [Fraction(1, 4), Fraction(3, 8), Fraction(3, 8)]
    slope = [-policy[0] * policy[2], -policy[1] * policy[2], policy[2] * (1 - policy[2])]
    here = TabularWorld(arms(0, 0, 0), floats([policy]), 1, features=[[[0, 0, 1]]], exact=False)
    found = kl_table(here, floats([reference]), here.kl_gradient([floats(reference)]))
    stated = {(cell.estimator, cell.placement): cell for cell in estimator_table(policy, reference, slope)}
    assert set(stated) == set(found)
    for name, cell in stated.items():
        assert found[name].mean[0] == pytest.approx(as_float(cell.value), rel=1e-7, abs=1e-14)
        assert found[name].target[0] == pytest.approx(as_float(cell.truth), rel=1e-12)
    assert as_float("(9/32)·log 2 + (3/32)·log 3 − 3/8") == 9 / 32 * math.log(2) + 3 / 32 * math.log(3) - 3 / 8


def as_float(shown: Fraction | str) -> float:
    """A number as the checker shows it: a Fraction, a sum of logarithms, or the first digits of something else."""
    if not isinstance(shown, str):
        return float(shown)
    if shown.startswith("≈"):
        return float(shown.removeprefix("≈ "))
    terms = re.findall(r"(−?) ?\(?([0-9/]+)\)?(?:·log ([0-9]+))?", shown)
    return sum(
        (-1 if sign else 1) * float(Fraction(factor)) * (math.log(int(of)) if of else 1) for sign, factor, of in terms
    )


# --- the exact KL, and values ------------------------------------------------------------------------------------------


def test_the_exact_kl_in_the_loss_and_in_the_reward_are_together_the_gradient(cases: dict[str, Case]) -> None:
    """KL.16: Σ_t ∇D(s_t), states fixed, and Σ_t ∇log π(a_t∣s_t) Σ_{k>t} D(s_k); KL.15: the first alone is not."""
    case = cases["tabular"]
    here = case.world
    assert isinstance(here, TabularWorld)
    in_the_loss = here.expected_scores(log_ratios(here.policy, case.reference))
    in_the_reward = here.estimate(exact_kl_weights(here.policy, case.reference))
    found = here.moments_of(lambda one: in_the_loss(one) + in_the_reward(one), case.truth)
    assert near(found.mean, case.truth)
    assert not near(here.moments_of(in_the_loss).mean, case.truth)
    assert near(here.moments_of(in_the_loss).mean, case.cells[False]["k2", "loss"].mean)


@in_each
def test_the_mean_of_each_estimator_as_a_value(cases: dict[str, Case], name: str) -> None:
    """KL.1, KL.2, KL.3: k1 and k3 of the whole have the mean D(π‖π_ref), k2 another; k2 and k3 are never negative."""
    case = cases[name]

    def of_whole(which: str) -> Callable[[Trajectory], Any]:
        weights = kl_weights(which, "reward", case.world.table, case.reference, whole=True)
        return lambda one: weights(one)[0]

    k1, k2, k3 = (expectation(case.world, of_whole(which)) for which in ("k1", "k2", "k3"))
    assert k1 == pytest.approx(k3, rel=1e-10) and k2 != pytest.approx(k1, rel=1e-3) and k1 > 0.01
    if name.startswith("tokens"):
        assert k1 == pytest.approx(exact.kl(TREE, levels(1), levels(2)).item(), rel=1e-10)
    for one in case.world.trajectories():
        assert of_whole("k2")(one) >= 0 and of_whole("k3")(one) >= 0


def test_the_penalty_in_the_rewards_is_that_of_the_objective_with_a_discount_as_well() -> None:
    """KL.4, KL.5, PG.8: J is E[Σ_t γ^t (r_t − β log(π/π_ref))], by the oracle's backward recursion; so are V and ∇J."""
    mdp = random_mdp(1, Fraction(3, 4), states=2)
    policy, reference = floats(random_policy(1, mdp)), floats(random_policy(8, mdp))
    here, beta, gamma = TabularWorld(mdp, policy, 3, exact=False), 0.4, 0.75
    stated = evaluate(mdp, policy, 3, exact=False, reference=reference, beta=beta)
    for weights in (reinforce(gamma), *(discounted(gae(stated.v, gamma, lam), gamma) for lam in (0.0, 0.6))):
        found = here.moments(kl_in_rewards(weights, policy, reference, beta), stated.gradient.ravel())
        assert near(found.mean, found.target)
    value = kl_in_rewards(reinforce(gamma), policy, reference, beta)
    assert expectation(here, lambda one: value(one)[0]) == pytest.approx(stated.objective, rel=1e-10)
    # A critic that does not know the penalty is a wrong one.
    forgotten = kl_in_rewards(discounted(gae(here.critic, gamma, 0.0), gamma), policy, reference, beta)
    assert not near(here.moments(forgotten).mean, stated.gradient.ravel())


@of_tokens
def test_the_penalty_in_the_rewards_of_responses(cases: dict[str, Case], name: str) -> None:
    """KL.5: the mean is ∇(E[score] − β D(π‖π_ref)), two gradients that were found apart."""
    here, beta = cases[name].world, 0.3
    weights = kl_in_rewards(reward_to_go(), here.table, cases[name].reference, beta)
    target = here.gradient - beta * cases[name].truth
    assert near(here.moments(weights, target).mean, target)


def test_a_cell_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadInput, match=r"\('k4', 'loss'\) is no cell of the table"):
        kl_weights("k4", "loss", [[0.5, 0.5]], [[0.5, 0.5]])
    assert len(CELLS) == 6


def test_a_state_in_which_the_policy_is_sure_has_the_limit_of_p_log_p() -> None:
    weights = exact_kl_weights([[0.5, 0.5], [1.0, 0.0]], [[0.5, 0.5], [0.5, 0.5]])
    assert weights(Trajectory(1.0, (0, 1, 0), (0, 0), (0.0, 0.0), True)) == [pytest.approx(np.log(2)), 0]
