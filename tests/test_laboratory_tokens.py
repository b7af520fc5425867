"""The laboratory in a token world, for a tiny GPT and for a table of prefixes: responses of one to three tokens."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from small_worlds import ENDING, policy_for
from torch import Tensor

from derivations.algorithms import exact
from derivations.algorithms.returns import gae as gae_of_tensors
from derivations.laboratory import (
    TabularWorld,
    TokenWorld,
    Weights,
    best_constant_baseline,
    constant,
    expectation,
    gae,
    importance_weighted,
    of_action,
    of_state,
    of_table,
    per_decision,
    reinforce,
    reward_to_go,
    weight_moments,
    with_baseline,
)
from derivations.laboratory.worlds import table_of
from toy_envs.tabular_mdp import TabularMDP, Transition, ended
from toy_envs.tabular_oracle import Trajectory

TREE = exact.prefix_tree(ENDING)


def levels(seed: int) -> exact.Levels:
    with torch.no_grad():
        return exact.tree_logp(policy_for(ENDING, seed), TREE)


OLD = levels(3)
TABLE = TokenWorld(TREE, levels(1))
WORLDS = {"table": TABLE, "GPT": TokenWorld(TREE, policy_for(ENDING, 1), diagonal=True)}
OFF = {
    "table": TokenWorld(TREE, levels(1), OLD),
    "GPT": TokenWorld(TREE, policy_for(ENDING, 1), OLD, diagonal=True),
}
CRITIC = [0.1 * (s % 5) - 0.3 for s in range(TREE.prefixes)]


def unbiased(here: TokenWorld) -> dict[str, Weights]:
    return {
        "REINFORCE": reinforce(),
        "REINFORCE less a constant": with_baseline(reinforce(), constant(2.5)),
        "reward-to-go": reward_to_go(),
        "reward-to-go less V": with_baseline(reward_to_go(), of_state(here.critic)),
        "A": of_table(here.advantages),
        "GAE, any critic, λ = 1": gae(CRITIC, 1, 1),
        "GAE, V, λ = 0": gae(here.critic, 1, 0),
        "GAE, V, λ = 0.7": gae(here.critic, 1, 0.7),
    }


def corrected(here: TokenWorld) -> dict[str, Weights]:
    pair = here.table, here.drawing_table
    return {
        "whole response": importance_weighted(reinforce(), *pair, "trajectory"),
        "prefix": importance_weighted(of_table(here.advantages), *pair, "prefix"),
        "per decision": per_decision(reward_to_go(), *pair),
    }


def bias(here: TokenWorld, weights: Weights) -> float:
    """‖E[ĝ] − ∇J‖/‖∇J‖."""
    found = here.moments(weights)
    return float(np.linalg.norm(found.bias) / np.linalg.norm(found.target))


@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.parametrize("estimator", unbiased(TABLE))
def test_what_is_unbiased_has_the_mean_of_the_gradient(name: str, estimator: str) -> None:
    """PG.4, AD.3, AD.5, AD.13, AD.18."""
    here = WORLDS[name]
    assert bias(here, unbiased(here)[estimator]) < 1e-9


@pytest.mark.parametrize("name", WORLDS)
def test_what_is_biased_is_not(name: str) -> None:
    """AD.7, AD.18."""
    here = WORLDS[name]
    table = np.arange(here.table.size).reshape(here.table.shape) % 4
    assert bias(here, gae(CRITIC, 1, 0.5)) > 1e-2
    assert bias(here, with_baseline(reward_to_go(), of_action(table))) > 1e-2
    off = OFF[name]
    assert bias(off, reinforce()) > 1e-2
    assert bias(off, importance_weighted(of_table(off.advantages), off.table, off.drawing_table, "step")) > 1e-2


@pytest.mark.parametrize("name", OFF)
@pytest.mark.parametrize("estimator", corrected(OFF["table"]))
def test_responses_of_another_policy_with_their_weights(name: str, estimator: str) -> None:
    """IS.1, IS.7."""
    here = OFF[name]
    assert bias(here, corrected(here)[estimator]) < 1e-9


def test_the_gradient_is_that_of_the_exact_world() -> None:
    policy = policy_for(ENDING, 1)
    stated = torch.cat([part.flatten() for part in exact.gradient(policy, TREE, levels(2), 0.0)])
    assert WORLDS["GPT"].gradient == pytest.approx(stated.numpy(), rel=1e-12, abs=1e-14)


def test_the_bias_of_gae_with_a_wrong_critic_is_that_of_its_formula() -> None:
    """AD.18: γ = 1, (1 − λ) E[Σ_t ∇log π(y_t) Σ_l λ^l e(s_{t+l+1})], e = V − V^π, 0 behind the end."""
    here, lam = WORLDS["table"], 0.5
    errors = np.append(np.array(CRITIC) - here.critic, 0.0)  # behind the last prefix: the end

    def weights(one: Trajectory) -> list[float]:
        later = [errors[state] for state in one.states[1:]]
        return [(1 - lam) * sum(lam**n * e for n, e in enumerate(later[t:])) for t in range(len(later))]

    found = here.moments(gae(CRITIC, 1, lam))
    assert found.bias == pytest.approx(here.moments(weights).mean, abs=1e-12) and np.abs(found.bias).max() > 1e-3


@pytest.mark.parametrize(("end", "harmless"), [(None, True), (ENDING.end, False)], ids=["equal", "unequal"])
def test_an_error_of_the_critic_that_depends_on_the_place_alone_is_harmless_at_equal_lengths(
    end: int | None, harmless: bool
) -> None:
    """AD.18: behind the end the value is 0 and right, so that where a token can end the response it changes the error."""
    mdp = replace(ENDING, end=end)
    tree = exact.prefix_tree(mdp)
    with torch.no_grad():
        here = TokenWorld(tree, exact.tree_logp(policy_for(mdp, 1), tree))
    errors = np.concatenate([np.full(len(level.prefixes), e) for level, e in zip(tree.levels, (5, -2, 3), strict=True)])
    assert (bias(here, gae(here.critic + errors, 1, 0.3)) < 1e-9) == harmless
    assert bias(here, gae(here.critic + np.arange(len(errors)), 1, 0.3)) > 1e-2


def test_the_same_world_as_a_table_gives_the_same_moments() -> None:
    """The token MDP written down as a tabular one, its prefixes the states: mean, target and covariance agree."""
    size = TREE.prefixes
    number = {prefix: n for n, prefix in enumerate(p for level in TREE.levels for p in level.prefixes)}

    def row(prompt: tuple[int, ...], tokens: tuple[int, ...], action: int) -> tuple[Transition, ...]:
        longer = (*tokens, action)
        over = ENDING.is_over(longer)
        score = Fraction(ENDING.reward(prompt, longer)) if over else Fraction(0)
        return ((Fraction(1), size if over else number[prompt, longer], score, over),)

    rows = [tuple(row(prompt, tokens, action) for action in range(3)) for prompt, tokens in number]
    initial = [Fraction(law) for law in ENDING.prompt_law] + [Fraction(0)] * (size + 1 - len(ENDING.prompts))
    names = tuple(map(str, range(size + 1)))
    mdp = TabularMDP("prefixes", names, tuple("ab."), tuple(initial), (*rows, (ended(size),) * 3))
    policy = np.concatenate([TABLE.table, [[1.0, 0.0, 0.0]]])
    there = TabularWorld(mdp, policy, ENDING.horizon, exact=False)
    for weights in (reinforce(), gae([*CRITIC, 0.0], 1, 0.5)):
        one, other = TABLE.moments(weights), there.moments(weights)
        assert other.mean[:-3] == pytest.approx(one.mean, abs=1e-12)
        assert other.target[:-3] == pytest.approx(one.target, abs=1e-12)
        assert other.covariance[:-3, :-3] == pytest.approx(one.covariance, abs=1e-12)


def test_gae_is_that_of_the_tensors() -> None:
    """The algorithm's own recursion on padded batches, row by row."""
    batch = exact.all_responses(TREE)
    every = TABLE.trajectories()

    def padded(rows: list[list[float]]) -> Tensor:
        return torch.tensor([[*row, *[0.0] * (3 - len(row))] for row in rows], dtype=torch.float64)

    values = padded([[CRITIC[s] for s in one.states[:-1]] for one in every])
    following = padded([[*(CRITIC[s] for s in one.states[1:-1]), 9.0] for one in every])
    rewards = padded([list(one.rewards) for one in every])
    last = batch.mask & ~torch.cat((batch.mask[:, 1:], torch.zeros_like(batch.mask[:, :1])), 1)
    found = gae_of_tensors(rewards, values, following, last, torch.zeros_like(last), 0.9, 0.6, batch.mask)
    stated = padded([gae(CRITIC, 0.9, 0.6)(one) for one in every])
    assert (found - stated).abs().max() < 1e-12 and stated.abs().max() > 0.1


def test_the_responses_are_those_of_the_tree_with_their_probabilities() -> None:
    every = OFF["GPT"].trajectories()
    assert [one.actions for one in every] == [tokens for _, tokens in TREE.responses]
    assert [one.probability for one in every] == pytest.approx(exact.response_logp(TREE, OLD).exp().tolist())
    assert {one.states[-1] for one in every} == {TREE.prefixes} and all(one.terminated for one in every)
    scores = [ENDING.reward(prompt, tokens) for prompt, tokens in TREE.responses]
    assert [sum(one.rewards) for one in every] == pytest.approx(scores)


def test_the_weight_of_a_response_has_the_mean_one_and_the_second_moment_of_its_definition() -> None:
    """IS.2: Σ_y π(y)²/π_old(y)."""
    found = weight_moments(OFF["table"])
    own, old = (exact.response_logp(TREE, logp) for logp in (levels(1), OLD))
    assert found.mean == pytest.approx(1, rel=1e-12)
    assert found.second_moment == pytest.approx((2 * own - old).exp().sum().item(), rel=1e-12)
    assert found.largest == pytest.approx((own - old).exp().max().item(), rel=1e-12)


@pytest.mark.parametrize("name", WORLDS)
def test_the_best_constant_baseline(name: str) -> None:
    """AD.9."""
    here = WORLDS[name]
    best = best_constant_baseline(here, reinforce())
    least, more, less = (
        here.moments(with_baseline(reinforce(), constant(best + step))).variance for step in (0, 0.1, -0.1)
    )
    assert more - least == pytest.approx(less - least, rel=1e-6) and more > least


def test_the_mean_of_the_rewards_is_the_objective() -> None:
    assert expectation(TABLE, lambda one: sum(one.rewards)) == pytest.approx(TABLE.values.objective.item(), rel=1e-12)
    assert table_of(TABLE.values.v).shape == (TREE.prefixes,)
