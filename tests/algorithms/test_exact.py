"""The exact world against sums over all responses, which share no code with the tree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from math import exp, log

import pytest
import torch
from small_worlds import ENDING, policy_for
from torch import Tensor

from derivations.algorithms import exact
from derivations.algorithms.gpt import GPT
from derivations.algorithms.losses import Loss, reinforce
from derivations.algorithms.rollout import Responses, score
from toy_envs import SORTING
from toy_envs.errors import BadInput
from toy_envs.token_mdp import TokenMDP, Tokens

Pair = tuple[Tokens, Tokens]
BETA = ENDING.beta


# --- the other route: every response on its own row -----------------------------------------------------------------


def all_responses(mdp: TokenMDP) -> list[Pair]:
    """Every (prompt, response), by looking at every string of every length."""
    strings = [s for length in range(1, mdp.horizon + 1) for s in product(range(mdp.size), repeat=length)]
    finished = [s for s in strings if mdp.is_over(s) and not any(mdp.is_over(s[:k]) for k in range(len(s)))]
    return [(prompt, response) for prompt in mdp.prompts for response in finished]


def as_batch(mdp: TokenMDP, pairs: list[Pair]) -> Responses:
    padded = [[*response, *[0] * (mdp.horizon - len(response))] for _, response in pairs]
    lengths = torch.tensor([len(response) for _, response in pairs])
    prompts = torch.tensor([prompt for prompt, _ in pairs], dtype=torch.long).view(len(pairs), -1)
    return Responses(prompts, torch.tensor(padded), torch.arange(mdp.horizon) < lengths.unsqueeze(-1))


def sequence_logp(policy: GPT, mdp: TokenMDP, pairs: list[Pair]) -> Tensor:
    with torch.no_grad():
        return score(policy, as_batch(mdp, pairs)).logp.sum(-1)


class Enumerated:
    """The probability, the reference's probability and the reward of every response, as dictionaries."""

    def __init__(self, mdp: TokenMDP, policy: GPT, reference: GPT) -> None:
        pairs = all_responses(mdp)
        chances = dict(zip(mdp.prompts, mdp.prompt_law, strict=True))
        self.chance = {pair: chances[pair[0]] for pair in pairs}
        self.p = dict(zip(pairs, sequence_logp(policy, mdp, pairs).exp().tolist(), strict=True))
        self.ref = dict(zip(pairs, sequence_logp(reference, mdp, pairs).exp().tolist(), strict=True))
        self.reward = {pair: mdp.reward(*pair) for pair in pairs}
        self.beta = mdp.beta

    def objective(self, p: dict[Pair, float]) -> float:
        """J = E[r − β log π/π_ref]."""
        return sum(
            self.chance[y] * p[y] * (self.reward[y] - self.beta * log(p[y] / self.ref[y])) for y in p if p[y] > 0
        )

    def z(self, prompt: Tokens) -> float:
        return sum(self.ref[y] * exp(self.reward[y] / self.beta) for y in self.ref if y[0] == prompt)

    def best(self) -> dict[Pair, float]:
        """π* = π_ref exp(r/β)/z, all responses at once: OP.5."""
        return {y: self.ref[y] * exp(self.reward[y] / self.beta) / self.z(y[0]) for y in self.ref}

    def following(self, h: Pair) -> list[Pair]:
        return [y for y in self.p if y[0] == h[0] and y[1][: len(h[1])] == h[1]]


@pytest.fixture(scope="module")
def tree() -> exact.Tree:
    return exact.prefix_tree(ENDING)


@pytest.fixture(scope="module")
def policy() -> GPT:
    return policy_for(ENDING, 1)


@pytest.fixture(scope="module")
def reference() -> GPT:
    return policy_for(ENDING, 2)


@pytest.fixture(scope="module")
def enumerated(policy: GPT, reference: GPT) -> Enumerated:
    return Enumerated(ENDING, policy, reference)


@pytest.fixture(scope="module")
def logp(policy: GPT, tree: exact.Tree) -> exact.Levels:
    return tuple(level.detach() for level in exact.tree_logp(policy, tree))


@pytest.fixture(scope="module")
def logp_ref(reference: GPT, tree: exact.Tree) -> exact.Levels:
    return tuple(level.detach() for level in exact.tree_logp(reference, tree))


# --- the tree -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mdp", [ENDING, SORTING, replace(ENDING, end=None), replace(ENDING, horizon=1)])
def test_the_leaves_are_all_responses_and_the_forks_all_prefixes(mdp: TokenMDP) -> None:
    tree = exact.prefix_tree(mdp)
    assert sorted(tree.responses) == sorted(all_responses(mdp))
    assert len(tree.responses) == mdp.responses()
    assert tree.prefixes == mdp.prefixes()
    every = [prefix for level in tree.levels for prefix in level.prefixes]
    assert len(set(every)) == len(every)


@pytest.mark.parametrize("mdp", [ENDING, SORTING], ids=lambda mdp: mdp.name)
def test_each_prefix_is_run_once(mdp: TokenMDP, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    forward = GPT.forward

    def counted(self: GPT, tokens: Tensor, cache: object = None) -> object:
        read.append(tokens.shape[0])
        return forward(self, tokens, cache)  # type: ignore[arg-type]

    monkeypatch.setattr(GPT, "forward", counted)
    exact.tree_logp(policy_for(mdp, 1), exact.prefix_tree(mdp))
    assert sum(read) == mdp.prefixes()


def test_a_horizon_too_long_names_the_prefixes_and_the_limit() -> None:
    with pytest.raises(exact.TooManyPrefixes, match=r"horizon: 12 .* make 435356467 prefixes; the limit is 200000"):
        exact.prefix_tree(replace(SORTING, horizon=12))
    with pytest.raises(exact.TooManyPrefixes, match="make 1555 prefixes; the limit is 1554"):
        exact.prefix_tree(SORTING, limit=1554)
    assert exact.prefix_tree(SORTING, limit=1555).prefixes == 1555


def test_the_probabilities_of_responses(tree: exact.Tree, logp: exact.Levels, enumerated: Enumerated) -> None:
    found = dict(zip(tree.responses, exact.response_logp(tree, logp).exp().tolist(), strict=True))
    assert sum(found.values()) == pytest.approx(1, abs=1e-12)
    assert found == pytest.approx({y: enumerated.chance[y] * p for y, p in enumerated.p.items()}, rel=1e-10)


def test_the_probabilities_of_prefixes(tree: exact.Tree, logp: exact.Levels, enumerated: Enumerated) -> None:
    for level, reached in zip(tree.levels, exact.reach(tree, logp), strict=True):
        for h, probability in zip(level.prefixes, reached.tolist(), strict=True):
            summed = sum(enumerated.chance[y] * enumerated.p[y] for y in enumerated.following(h))
            assert probability == pytest.approx(summed, rel=1e-10)


# --- values ---------------------------------------------------------------------------------------------------------


def test_the_objective(tree: exact.Tree, logp: exact.Levels, logp_ref: exact.Levels, enumerated: Enumerated) -> None:
    found = exact.evaluate(tree, logp, logp_ref, BETA).objective.item()
    assert found == pytest.approx(enumerated.objective(enumerated.p), rel=1e-10)
    assert abs(found - enumerated.objective(enumerated.ref)) > 1e-3, "policies that are alike would agree anyway"


def test_without_a_penalty_it_is_the_expected_score(
    tree: exact.Tree, logp: exact.Levels, logp_ref: exact.Levels, enumerated: Enumerated
) -> None:
    expected = sum(enumerated.chance[y] * p * enumerated.reward[y] for y, p in enumerated.p.items())
    assert exact.evaluate(tree, logp, logp_ref, 0.0).objective.item() == pytest.approx(expected, rel=1e-10)


def test_q_v_and_advantages_are_conditional_expectations(
    tree: exact.Tree, logp: exact.Levels, logp_ref: exact.Levels, enumerated: Enumerated
) -> None:
    """Of what is still to come: the score less β times the log-ratio of the tokens that follow."""
    values = exact.evaluate(tree, logp, logp_ref, BETA)
    own = {
        h: row
        for level, rows in zip(tree.levels, logp, strict=True)
        for h, row in zip(level.prefixes, rows, strict=True)
    }
    ref = {
        h: row
        for level, rows in zip(tree.levels, logp_ref, strict=True)
        for h, row in zip(level.prefixes, rows, strict=True)
    }

    def to_come(y: Pair, length: int) -> float:
        ratios = [own[y[0], y[1][:k]][y[1][k]] - ref[y[0], y[1][:k]][y[1][k]] for k in range(length, len(y[1]))]
        return enumerated.reward[y] - BETA * float(sum(ratios))

    def mean(h: Pair, length: int) -> float:
        weights = {y: enumerated.p[y] for y in enumerated.following(h)}
        return sum(p * to_come(y, length) for y, p in weights.items()) / sum(weights.values())

    for t, level in enumerate(tree.levels):
        for place, (prompt, tokens) in enumerate(level.prefixes):
            state = values.v[t][place].item()
            assert state == pytest.approx(mean((prompt, tokens), t), rel=1e-9)
            for action in range(ENDING.size):
                longer = (prompt, (*tokens, action))
                q = values.q[t][place, action].item()
                assert q == pytest.approx(mean(longer, t + 1), rel=1e-9)
                log_ratio = (own[prompt, tokens][action] - ref[prompt, tokens][action]).item()
                assert values.advantages[t][place, action].item() == pytest.approx(
                    q - BETA * log_ratio - state, abs=1e-12
                )


def test_advantages_have_mean_zero(tree: exact.Tree, logp: exact.Levels, logp_ref: exact.Levels) -> None:
    for actions, advantages in zip(logp, exact.evaluate(tree, logp, logp_ref, BETA).advantages, strict=True):
        assert (actions.exp() * advantages).sum(-1).abs().max() < 1e-12


# --- the optimum ----------------------------------------------------------------------------------------------------


def test_the_optimal_policy_is_the_reference_reweighted(
    tree: exact.Tree, logp_ref: exact.Levels, enumerated: Enumerated
) -> None:
    best = exact.optimum(tree, logp_ref, BETA)
    found = dict(zip(tree.responses, exact.response_logp(tree, best.logp).exp().tolist(), strict=True))
    assert found == pytest.approx({y: enumerated.chance[y] * p for y, p in enumerated.best().items()}, rel=1e-10)
    assert best.log_z.tolist() == pytest.approx([log(enumerated.z(prompt)) for prompt in ENDING.prompts], rel=1e-10)
    assert best.objective.item() == pytest.approx(enumerated.objective(enumerated.best()), rel=1e-10)


def test_no_policy_of_many_is_better(tree: exact.Tree, logp_ref: exact.Levels) -> None:
    best = exact.optimum(tree, logp_ref, BETA).objective
    for seed in range(30):
        other = exact.tree_logp(policy_for(ENDING, 100 + seed), tree)
        assert exact.evaluate(tree, other, logp_ref, BETA).objective < best


def test_the_advantages_of_the_optimum_are_zero(tree: exact.Tree, logp_ref: exact.Levels) -> None:
    best = exact.optimum(tree, logp_ref, BETA)
    values = exact.evaluate(tree, best.logp, logp_ref, BETA)
    for advantages, own, optimal in zip(values.advantages, values.v, best.v, strict=True):
        assert advantages.abs().max() < 1e-12
        assert (own - optimal).abs().max() < 1e-12


def test_the_regret_is_the_gap(
    tree: exact.Tree, logp: exact.Levels, logp_ref: exact.Levels, enumerated: Enumerated
) -> None:
    best = exact.optimum(tree, logp_ref, BETA)
    gap = enumerated.objective(enumerated.best()) - enumerated.objective(enumerated.p)
    assert exact.regret(tree, logp, best, BETA).item() == pytest.approx(gap, rel=1e-9)
    assert exact.regret(tree, best.logp, best, BETA).item() == pytest.approx(0, abs=1e-14)
    swapped = BETA * exact.kl(tree, best.logp, logp).item()
    assert abs(swapped - gap) > 1e-3, "D(π*‖π) in its place would be noticed"


def test_the_divergence_of_sequences(
    tree: exact.Tree, logp: exact.Levels, logp_ref: exact.Levels, enumerated: Enumerated
) -> None:
    expected = sum(enumerated.chance[y] * p * log(p / enumerated.ref[y]) for y, p in enumerated.p.items())
    assert exact.kl(tree, logp, logp_ref).item() == pytest.approx(expected, rel=1e-10)


def test_a_constant_added_to_the_reward_moves_values_and_not_the_optimal_policy(logp_ref: exact.Levels) -> None:
    moved = replace(ENDING, reward=lambda prompt, response: ENDING.reward(prompt, response) + 5)
    best, other = (exact.optimum(exact.prefix_tree(mdp), logp_ref, BETA) for mdp in (ENDING, moved))
    for one, two in zip(best.logp, other.logp, strict=True):
        assert (one - two).abs().max() < 1e-11
    assert (other.objective - best.objective).item() == pytest.approx(5, rel=1e-12)


def test_a_penalty_of_zero_has_no_single_optimum(tree: exact.Tree, logp_ref: exact.Levels) -> None:
    with pytest.raises(BadInput, match="beta is 0; expected a positive number"):
        exact.optimum(tree, logp_ref, 0)


# --- the gradient ---------------------------------------------------------------------------------------------------


def estimate_one_by_one(
    policy: GPT, reference: GPT, mdp: TokenMDP, loss_of: Callable[..., Loss] = reinforce
) -> list[Tensor]:
    """E[ĝ]: `reinforce` on each response alone, its gradient weighted by the probability of that response."""
    weights = list(policy.parameters())
    total = [torch.zeros_like(weight) for weight in weights]
    chances = dict(zip(mdp.prompts, mdp.prompt_law, strict=True))
    for pair in all_responses(mdp):
        one = as_batch(mdp, [pair])
        scores = score(policy, one)
        own, ref = scores.logp.detach().sum(), score(reference, one).logp.detach().sum()
        returned = (mdp.reward(*pair) - mdp.beta * (own - ref)).expand_as(scores.logp)
        loss, _ = loss_of(scores.logp, returned, one.mask)
        for sums, found in zip(total, torch.autograd.grad(-loss, weights, materialize_grads=True), strict=True):
            sums += chances[pair[0]] * own.exp() * found
    return total


def distance(found: list[Tensor] | tuple[Tensor, ...], expected: list[Tensor] | tuple[Tensor, ...]) -> float:
    """‖found − expected‖ / ‖expected‖ over all weights."""
    flat = [torch.cat([part.flatten() for part in parts]) for parts in (found, expected)]
    return ((flat[0] - flat[1]).norm() / flat[1].norm()).item()


def test_the_mean_of_the_estimate_is_the_gradient(
    policy: GPT, reference: GPT, tree: exact.Tree, logp_ref: exact.Levels
) -> None:
    gradient = exact.gradient(policy, tree, logp_ref, BETA)
    assert distance(estimate_one_by_one(policy, reference, ENDING), gradient) < 1e-10


def test_an_estimate_without_the_last_score_is_not_the_gradient(
    policy: GPT, reference: GPT, tree: exact.Tree, logp_ref: exact.Levels
) -> None:
    """The bug of TR.1: source B's product leaves the last action out."""

    def without_last(logp: Tensor, returns: Tensor, mask: Tensor) -> Loss:
        last = mask & ~torch.cat((mask[:, 1:], torch.zeros_like(mask[:, :1])), 1)
        return -(logp * returns * ~last).sum(-1).mean(), {}

    gradient = exact.gradient(policy, tree, logp_ref, BETA)
    assert distance(estimate_one_by_one(policy, reference, ENDING, without_last), gradient) > 1e-2


def test_in_sorting_too() -> None:
    """All 7776 responses in one batch; each weight times 7776 undoes the mean that `reinforce` takes."""
    policy, reference = policy_for(SORTING, 1), policy_for(SORTING, 2)
    tree = exact.prefix_tree(SORTING)
    with torch.no_grad():
        logp_ref = exact.tree_logp(reference, tree)
    pairs = all_responses(SORTING)
    batch = as_batch(SORTING, pairs)
    scores = score(policy, batch)
    own, ref = scores.logp.detach().sum(-1), sequence_logp(reference, SORTING, pairs)
    rewards = torch.tensor([SORTING.reward(*pair) for pair in pairs], dtype=torch.float64)
    weight = len(pairs) * own.exp() * (rewards - SORTING.beta * (own - ref))
    loss, _ = reinforce(scores.logp, weight.unsqueeze(-1).expand_as(scores.logp), batch.mask)
    estimate = torch.autograd.grad(-loss, list(policy.parameters()), materialize_grads=True)
    assert distance(estimate, exact.gradient(policy, tree, logp_ref, SORTING.beta)) < 1e-10


def test_the_gradient_is_the_slope(reference: GPT, tree: exact.Tree, logp_ref: exact.Levels) -> None:
    """Against a central difference along a random direction."""
    policy = policy_for(ENDING, 1)
    gradient = exact.gradient(policy, tree, logp_ref, BETA)
    generator = torch.Generator().manual_seed(0)
    direction = [torch.randn(part.shape, generator=generator, dtype=part.dtype) for part in gradient]
    slope = sum((g * d).sum() for g, d in zip(gradient, direction, strict=True))

    def objective(step: float) -> Tensor:
        with torch.no_grad():
            for weight, d in zip(policy.parameters(), direction, strict=True):
                weight += step * d
            found = exact.evaluate(tree, exact.tree_logp(policy, tree), logp_ref, BETA).objective
            for weight, d in zip(policy.parameters(), direction, strict=True):
                weight -= step * d
        return found

    step = 1e-5
    assert ((objective(step) - objective(-step)) / (2 * step)).item() == pytest.approx(float(slope), rel=1e-6)
    assert abs(float(slope)) > 1e-3
