"""The worlds of the package in the oracle: closed forms, their reference policies, and what cannot be enumerated or read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import exp, log

import pytest
import torch
from small_worlds import ENDING, policy_for
from test_exact import all_responses
from torch import Tensor

from derivations.algorithms import exact
from derivations.algorithms.checkpoints import load_policy
from derivations.algorithms.gpt import GPT, GPTConfig
from derivations.algorithms.rollout import Responses, as_responses, sample, score, weighted_scores
from toy_envs import ADDITION, BRACKETS, COPY, NAMES, SORTING
from toy_envs.demonstrations import Writer
from toy_envs.errors import BadInput
from toy_envs.token_mdp import TokenMDP, Tokens

WRITTEN = (SORTING, BRACKETS, ADDITION, COPY)


def each(*mdps: TokenMDP) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("mdp", mdps, ids=lambda mdp: mdp.name.removeprefix("toy_envs/"))


class Known:
    """A world with its tree, the law of its writer, and that of its reference policy."""

    def __init__(self, mdp: TokenMDP) -> None:
        self.tree = exact.prefix_tree(mdp)
        writer, reference = mdp.demonstrations, mdp.reference
        assert isinstance(writer, Writer) and reference is not None
        self.writer = tuple(
            torch.tensor(
                [[float(p) for p in writer.law(*prefix)] for prefix in level.prefixes], dtype=torch.float64
            ).log()
            for level in self.tree.levels
        )
        self.policy = load_policy(reference)
        with torch.no_grad():
            self.logp_ref = tuple(level.double() for level in exact.tree_logp(self.policy, self.tree))

    def mean(self, logp: exact.Levels, score: Callable[[Tokens, Tokens], float]) -> float:
        return exact.expected_score(self.tree, logp, score).item()


@pytest.fixture(scope="module")
def known() -> dict[str, Known]:
    return {mdp.name: Known(mdp) for mdp in WRITTEN}


# --- the reference policies -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mdp", "nats"),
    [(SORTING, 0.005), (BRACKETS, 0.005), (ADDITION, 0.25), (COPY, 0.005)],
    ids=["sorting", "brackets", "addition", "copy"],
)
def test_the_reference_policy_writes_as_its_writer(mdp: TokenMDP, nats: float, known: dict[str, Known]) -> None:
    """Divergence of whole responses from the writer's exact law; sums are hard to learn, and stay a little vague."""
    found = known[mdp.name]
    assert mdp.reference is not None and mdp.reference.stat().st_size < 110_000
    assert found.policy.config == GPTConfig(mdp.size, mdp.prompt_length + mdp.horizon, layers=2, width=32, heads=2)
    apart = exact.kl(found.tree, found.writer, found.logp_ref).item()
    assert 0 < apart < nats
    uniform = tuple(torch.full_like(level, -log(mdp.size)) for level in found.logp_ref)
    assert exact.kl(found.tree, found.writer, uniform) > 4 * nats, "a policy that knows nothing is much farther"


@pytest.mark.parametrize(
    ("mdp", "reference", "optimal"),
    [(BRACKETS, 0.088, 0.933), (ADDITION, 0.498, 0.993), (COPY, 0.496, 0.986)],
    ids=["brackets", "addition", "copy"],
)
def test_there_is_something_to_learn(mdp: TokenMDP, reference: float, optimal: float, known: dict[str, Known]) -> None:
    """E[r] of the reference policy and of π*; each is in the file of the reference policy as it is."""
    found = known[mdp.name]
    best = exact.optimum(found.tree, found.logp_ref, mdp.beta)
    assert found.mean(found.logp_ref, mdp.reward) == pytest.approx(reference, abs=6e-4)
    assert found.mean(best.logp, mdp.reward) == pytest.approx(optimal, abs=6e-4)
    assert exact.regret(found.tree, found.logp_ref, best, mdp.beta) > 0.1


# --- closed forms ---------------------------------------------------------------------------------------------------


@each(*WRITTEN)
def test_the_tree_is_that_of_all_responses(mdp: TokenMDP, known: dict[str, Known]) -> None:
    assert sorted(known[mdp.name].tree.responses) == sorted(all_responses(mdp))
    total = exact.response_logp(known[mdp.name].tree, known[mdp.name].logp_ref).exp().sum().item()
    assert total == pytest.approx(1, abs=1e-6)


@each(BRACKETS, ADDITION, COPY)
def test_the_tree_says_what_scoring_says(mdp: TokenMDP, known: dict[str, Known]) -> None:
    """Every response on a row of its own, padded behind its end."""
    found = known[mdp.name]
    pairs = all_responses(mdp)
    with torch.no_grad():
        own = score(found.policy, as_responses(pairs)).logp.sum(-1).double()
    expected = dict(zip(found.tree.responses, exact.response_logp(found.tree, found.logp_ref).tolist(), strict=True))
    uniform = log(len(mdp.prompts))
    assert max(abs(expected[pair] + uniform - value) for pair, value in zip(pairs, own.tolist(), strict=True)) < 1e-4


@each(BRACKETS, COPY)
def test_the_expected_score_is_the_objective_without_a_penalty(mdp: TokenMDP, known: dict[str, Known]) -> None:
    """Summed over responses, and by the backward recursion."""
    found = known[mdp.name]
    objective = exact.evaluate(found.tree, found.logp_ref, found.logp_ref, 0.0).objective.item()
    assert found.mean(found.logp_ref, mdp.reward) == pytest.approx(objective, rel=1e-6)
    assert found.mean(found.writer, lambda prompt, response: 1.0) == pytest.approx(1, abs=1e-12)


def test_right_or_wrong_has_a_closed_form(known: dict[str, Known]) -> None:
    """With p the chance of the right answer: z = 1 + p (e^{1/β} − 1), and π* is right with probability p e^{1/β}/z."""
    found, beta = known[ADDITION.name], ADDITION.beta
    best = exact.optimum(found.tree, found.logp_ref, beta)
    right: dict[Tokens, float] = {}
    for (prompt, response), p in zip(
        found.tree.responses, exact.response_logp(found.tree, found.logp_ref).exp().tolist(), strict=True
    ):
        right[prompt] = right.get(prompt, 0.0) + 100 * p * ADDITION.reward(prompt, response)
    z = [1 + right[prompt] * (exp(1 / beta) - 1) for prompt in ADDITION.prompts]
    assert best.log_z.tolist() == pytest.approx([log(value) for value in z], rel=1e-6)
    assert best.objective.item() == pytest.approx(beta * sum(map(log, z)) / 100, rel=1e-6)
    optimal = sum(right[prompt] * exp(1 / beta) / value for prompt, value in zip(ADDITION.prompts, z, strict=True))
    assert found.mean(best.logp, ADDITION.reward) == pytest.approx(optimal / 100, rel=1e-6)


def test_the_proxys_optimal_policy_forgets_what_was_wanted(known: dict[str, Known]) -> None:
    """The gap in exact numbers: at β = 0.5 the proxy helps, at the world's own β it ruins."""
    found = known[COPY.name]
    assert COPY.true_reward is not None
    worth = {}
    for name, logp in (
        ("reference", found.logp_ref),
        ("mild", exact.optimum(found.tree, found.logp_ref, 0.5).logp),
        ("own", exact.optimum(found.tree, found.logp_ref, COPY.beta).logp),
    ):
        worth[name] = (found.mean(logp, COPY.reward), found.mean(logp, COPY.true_reward))
    assert worth["reference"] == pytest.approx((0.4961, 0.2080), abs=1e-4)
    assert worth["mild"] == pytest.approx((0.6145, 0.2274), abs=1e-3)
    assert worth["own"] == pytest.approx((0.9859, 0.0023), abs=1e-4)


def test_what_must_be_remembered_to_match_brackets_is_farthest_from_the_reference(known: dict[str, Known]) -> None:
    """Token by token: after two tokens, what is open and what there is room for is more than the last token tells."""
    found = known[BRACKETS.name]
    best = exact.optimum(found.tree, found.logp_ref, BRACKETS.beta)
    places = exact.kl_by_place(found.tree, best.logp, found.logp_ref)
    assert places.sum().item() == pytest.approx(exact.kl(found.tree, best.logp, found.logp_ref).item(), rel=1e-12)
    assert 0 < places[:2].max() < 0.5 * places[2:].min()


# --- what cannot be enumerated, read or written ---------------------------------------------------------------------


def test_names_are_too_many() -> None:
    with pytest.raises(exact.TooManyPrefixes, match=r"9 tokens over a vocabulary of 27 .* make 217180147159 prefixes"):
        exact.prefix_tree(NAMES)


def short_policy(context: int, vocabulary: int = ENDING.size) -> GPT:
    return GPT(GPTConfig(vocabulary, context, layers=1, width=4, heads=1))


def one_response(prompt: Tokens = (0, 1), tokens: Tokens = (0, 1, 2)) -> Responses:
    return as_responses([(prompt, tokens)])


def test_a_prompt_longer_than_the_context_is_refused() -> None:
    """Before anything is drawn, and where the prompt alone would still fit."""
    long = replace(ENDING, prompts=((0, 1, 1, 0, 1, 0), (1, 1, 1, 1, 1, 1)))
    told = "prompts: 6 tokens, with 3 of the response, make a policy read 9; expected at most its context, {}"
    generator = torch.Generator().manual_seed(0)
    before = generator.get_state()
    for context in (5, 8):
        policy = short_policy(context)
        for work in (
            lambda policy=policy: sample(policy, long, 4, generator),
            lambda policy=policy: score(policy, one_response(long.prompts[0])),
            lambda policy=policy: weighted_scores(policy, one_response(long.prompts[0]), torch.ones(1, 3)),
            lambda policy=policy: exact.tree_logp(policy, exact.prefix_tree(long)),
        ):
            with pytest.raises(BadInput) as refused:
                work()
            assert str(refused.value) == told.format(context)
    assert torch.equal(generator.get_state(), before)
    policy = short_policy(9)
    sample(policy, long, 4, generator)
    score(policy, one_response(long.prompts[0]))
    exact.tree_logp(policy, exact.prefix_tree(long))


def test_a_policy_of_another_vocabulary_is_refused() -> None:
    policy = short_policy(9, vocabulary=4)
    told = "mdp: ending has a vocabulary of 3; expected that of the policy, 4"
    for work in (
        lambda: sample(policy, ENDING, 4, torch.Generator()),
        lambda: exact.tree_logp(policy, exact.prefix_tree(ENDING)),
    ):
        with pytest.raises(BadInput) as refused:
            work()
        assert str(refused.value) == told


@pytest.mark.parametrize(
    ("prompt", "tokens", "told"),
    [
        ((0, 3), (0, 1, 2), "prompts[1, 1] is 3; expected a token, 0 to 2"),
        ((0, 1), (0, 3, 2), "tokens[1, 1] is 3; expected a token, 0 to 2"),
        ((0, 1), (-1, 1, 2), "tokens[1, 0] is -1; expected a token, 0 to 2"),
    ],
)
def test_an_unknown_token_is_refused(prompt: Tokens, tokens: Tokens, told: str) -> None:
    """3 is the number of the start token, which the embedding would read without a word."""
    policy = policy_for(ENDING, 1)
    batch = as_responses([((0, 1), (0, 1, 2)), (prompt, tokens)])
    for work in (lambda: score(policy, batch), lambda: weighted_scores(policy, batch, torch.ones(2, 3))):
        with pytest.raises(BadInput) as refused:
            work()
        assert str(refused.value) == told


def test_gradients_of_the_oracle_on_a_world_with_prompts_and_an_end() -> None:
    """Copy-v0's ∇J against a central difference along a random direction, in float64."""
    policy, reference = policy_for(COPY, 1), policy_for(COPY, 2)
    tree = exact.prefix_tree(COPY)
    with torch.no_grad():
        logp_ref = exact.tree_logp(reference, tree)
    gradient = exact.gradient(policy, tree, logp_ref, COPY.beta)
    generator = torch.Generator().manual_seed(0)
    direction = [torch.randn(part.shape, generator=generator, dtype=part.dtype) for part in gradient]
    slope = sum((g * d).sum() for g, d in zip(gradient, direction, strict=True))

    def objective(step: float) -> Tensor:
        moved = policy_for(COPY, 1)
        with torch.no_grad():
            for weight, d in zip(moved.parameters(), direction, strict=True):
                weight += step * d
            return exact.evaluate(tree, exact.tree_logp(moved, tree), logp_ref, COPY.beta).objective

    step = 1e-5
    assert ((objective(step) - objective(-step)) / (2 * step)).item() == pytest.approx(float(slope), rel=1e-6)
    assert abs(float(slope)) > 1e-3
