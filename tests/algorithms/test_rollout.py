"""Sampling and scoring: the frequencies fit the exact probabilities, and both say the same of each token."""

from __future__ import annotations

from collections import Counter
from math import sqrt

import pytest
import torch
from small_worlds import ENDING, policy_for

from derivations.algorithms import exact
from derivations.algorithms.checkpoints import load_policy
from derivations.algorithms.gpt import GPT
from derivations.algorithms.rollout import Responses, final_scores, inverse_cdf, sample, score
from toy_envs import SORTING
from toy_envs.token_mdp import TokenMDP, Tokens

DRAWN = 100_000


def as_tuples(responses: Responses) -> list[tuple[Tokens, Tokens]]:
    lengths = responses.mask.sum(-1).tolist()
    rows = zip(responses.prompts.tolist(), responses.tokens.tolist(), lengths, strict=True)
    return [(tuple(prompt), tuple(tokens[:length])) for prompt, tokens, length in rows]


def exact_probabilities(policy: GPT, mdp: TokenMDP) -> dict[tuple[Tokens, Tokens], float]:
    tree = exact.prefix_tree(mdp)
    with torch.no_grad():
        logp = exact.response_logp(tree, tuple(level.double() for level in exact.tree_logp(policy, tree)))
    return dict(zip(tree.responses, logp.exp().tolist(), strict=True))


def deviation(observed: Counter[tuple[Tokens, Tokens]], expected: dict[tuple[Tokens, Tokens], float]) -> float:
    """χ² in standard deviations from its mean, (χ² − df)/√(2 df); the cells that expect under 5 are put together."""
    total = observed.total()
    assert set(observed) <= set(expected), "a response was drawn that does not exist"
    large = {cell: p for cell, p in expected.items() if total * p >= 5}
    cells = [(observed[cell], total * p) for cell, p in large.items()]
    rest = total - sum(expectation for _, expectation in cells)
    if rest > 5:
        cells.append((total - sum(count for count, _ in cells), rest))
    chi2 = sum((count - expectation) ** 2 / expectation for count, expectation in cells)
    freedom = len(cells) - 1
    assert freedom > 10, "too few cells to tell anything"
    return (chi2 - freedom) / sqrt(2 * freedom)


@pytest.fixture(scope="module")
def reference() -> GPT:
    assert SORTING.reference is not None
    return load_policy(SORTING.reference)


def drawn(policy: GPT, mdp: TokenMDP, seed: int) -> Counter[tuple[Tokens, Tokens]]:
    return Counter(as_tuples(sample(policy, mdp, DRAWN, torch.Generator().manual_seed(seed))[0]))


@pytest.mark.parametrize("mdp", [SORTING, ENDING], ids=lambda mdp: mdp.name)
def test_a_hundred_thousand_responses_fit_the_exact_probabilities(mdp: TokenMDP, reference: GPT) -> None:
    policy = reference if mdp is SORTING else policy_for(mdp, 3)
    assert abs(deviation(drawn(policy, mdp, 11), exact_probabilities(policy, mdp))) < 4


def test_a_temperature_of_nine_tenths_is_noticed(reference: GPT) -> None:
    expected = exact_probabilities(reference, SORTING)
    assert SORTING.reference is not None
    hotter = load_policy(SORTING.reference)
    with torch.no_grad():
        hotter.policy.weight /= 0.9
        hotter.policy.bias /= 0.9
    found = deviation(drawn(hotter, SORTING, 11), expected)
    assert found > 10


@pytest.mark.parametrize("mdp", [SORTING, ENDING], ids=lambda mdp: mdp.name)
def test_sampler_and_scorer_say_the_same_of_each_token(mdp: TokenMDP) -> None:
    policy = policy_for(mdp, 4)
    responses, logp = sample(policy, mdp, 500, torch.Generator().manual_seed(2))
    with torch.no_grad():
        found = score(policy, responses).logp
    assert (found - logp).abs().max() < 1e-12
    assert logp[responses.mask].std() > 0.1


def test_they_say_what_the_tree_says() -> None:
    policy, tree = policy_for(ENDING, 4), exact.prefix_tree(ENDING)
    responses, logp = sample(policy, ENDING, 200, torch.Generator().manual_seed(2))
    law = dict(zip(tree.responses, exact.response_logp(tree, exact.tree_logp(policy, tree)).tolist(), strict=True))
    chances = dict(zip(ENDING.prompts, tree.prompts.log().tolist(), strict=True))
    for pair, own in zip(as_tuples(responses), logp.sum(-1).tolist(), strict=True):
        assert own + chances[pair[0]] == pytest.approx(law[pair], abs=1e-12)


def test_behind_the_end_nothing_counts() -> None:
    responses, logp = sample(policy_for(ENDING, 5), ENDING, 300, torch.Generator().manual_seed(1))
    lengths = responses.mask.sum(-1)
    assert set(lengths.tolist()) == {1, 2, 3}
    assert not responses.tokens[~responses.mask].any()
    assert not logp[~responses.mask].any()
    for _, response in as_tuples(responses):
        assert ENDING.is_over(response)
        assert not any(ENDING.is_over(response[:length]) for length in range(len(response)))


def test_what_stands_behind_the_end_changes_no_score() -> None:
    policy = policy_for(ENDING, 5)
    responses, _ = sample(policy, ENDING, 50, torch.Generator().manual_seed(1))
    other = Responses(responses.prompts, responses.tokens.masked_fill(~responses.mask, 1), responses.mask)
    assert torch.equal(score(policy, responses).logp, score(policy, other).logp)
    assert torch.equal(score(policy, responses).values, score(policy, other).values)


def test_the_score_of_a_response_is_that_of_its_tokens_up_to_the_end() -> None:
    responses, _ = sample(policy_for(ENDING, 5), ENDING, 50, torch.Generator().manual_seed(1))
    expected = [ENDING.reward(*pair) for pair in as_tuples(responses)]
    assert final_scores(ENDING, responses).tolist() == pytest.approx(expected)


def test_the_same_seed_draws_the_same() -> None:
    policy = policy_for(ENDING, 5)
    one, other, third = (
        sample(policy, ENDING, 50, torch.Generator().manual_seed(seed))[0].tokens for seed in (1, 1, 2)
    )
    assert torch.equal(one, other)
    assert not torch.equal(one, third)


def test_the_inverse_of_the_distribution_function() -> None:
    logits = torch.tensor([0.2, 0.5, 0.3]).log().expand(7, -1)
    uniforms = torch.tensor([0.0, 0.1999, 0.2001, 0.6999, 0.7001, 0.99999, 1.0])
    assert inverse_cdf(logits, uniforms).tolist() == [0, 0, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("impossible", [0, 1, 2])
def test_a_token_without_probability_is_never_drawn(impossible: int) -> None:
    logits = torch.zeros(1001, 3)
    logits[:, impossible] = float("-inf")
    uniforms = torch.linspace(0, 1 - 2**-24, 1001)
    assert set(inverse_cdf(logits, uniforms).tolist()) == {0, 1, 2} - {impossible}
