"""What is said of a policy: by enumeration, by fresh responses, and by both alike."""

from __future__ import annotations

from dataclasses import replace
from math import nan

import pytest
import torch
from small_worlds import ENDING, policy_for

from derivations.algorithms import exact
from derivations.algorithms.evaluation import Exact, Sampled, evaluation_for, fresh_responses
from derivations.algorithms.settings import settings_for
from derivations.algorithms.stage import Diverged
from toy_envs import NAMES, SORTING

POLICY, REFERENCE = policy_for(ENDING, 1), policy_for(ENDING, 2)
GAMED = replace(ENDING, true_reward=lambda prompt, response: float(len(response)))


def test_fresh_responses_show_what_enumeration_shows() -> None:
    """Each estimate within four of its standard errors, which are small; of 20,000 responses."""
    sampled = Sampled(GAMED, REFERENCE, 0.3, settings_for("ppo", fresh=20_000))(POLICY, 3)
    truth = Exact(GAMED, REFERENCE, 0.3)(POLICY, 3)
    for name in ("score", "kl", "true_score"):
        assert 0 < sampled[f"{name}_error"] < 0.02
        assert abs(sampled[name] - truth[name]) < 4 * sampled[f"{name}_error"], name
    assert sampled["objective"] == pytest.approx(sampled["score"] - 0.3 * sampled["kl"], abs=1e-12)


def test_the_error_is_the_deviation_of_the_mean() -> None:
    """Over 200 updates, each with responses of its own, the scores are as far apart as the errors say."""
    evaluation = Sampled(ENDING, REFERENCE, 0.3, settings_for("ppo", fresh=64))
    found = [evaluation(POLICY, update) for update in range(200)]
    spread = torch.tensor([told["score"] for told in found], dtype=torch.float64).std().item()
    assert spread == pytest.approx(torch.tensor([told["score_error"] for told in found]).mean().item(), rel=0.2)


def test_looking_draws_the_same_responses_for_the_same_update_and_others_for_another() -> None:
    first, again, later, other = (
        fresh_responses(POLICY, ENDING, 16, seed, update) for seed, update in ((0, 1), (0, 1), (0, 2), (1, 1))
    )
    assert torch.equal(first.tokens, again.tokens)
    assert not torch.equal(first.tokens, later.tokens)
    assert not torch.equal(first.tokens, other.tokens)


def test_without_a_penalty_the_optimum_is_the_best_response_to_each_prompt() -> None:
    found = Exact(ENDING, REFERENCE, 0.0)
    best = 0.0
    for prompt, chance in zip(ENDING.prompts, ENDING.prompt_law, strict=True):
        scores = [ENDING.reward(*pair) for pair in found.tree.responses if pair[0] == prompt]
        best += chance * max(scores)
    assert found.objective_best == pytest.approx(best, rel=1e-12)
    told = found(POLICY, 0)
    assert told["objective"] == told["score"] == pytest.approx(best - told["regret"], rel=1e-12)
    assert found(REFERENCE, 0)["regret_share"] == pytest.approx(1, rel=1e-12)


def test_the_penalty_of_the_settings_stands_in_for_that_of_the_world() -> None:
    small, large = (Exact(ENDING, REFERENCE, beta) for beta in (0.1, 10.0))
    assert small.objective_best > large.objective_best
    assert small.best is not None
    assert exact.kl(small.tree, small.best.logp, small.logp_ref) > 0.1


def test_a_world_that_is_too_large_is_looked_at_through_samples() -> None:
    settings = settings_for("ppo")
    assert isinstance(evaluation_for(NAMES, policy_for(NAMES, 0), 0.1, settings), Sampled)
    assert isinstance(evaluation_for(SORTING, policy_for(SORTING, 0), 0.1, settings), Exact)


def test_a_score_that_is_not_finite_is_named() -> None:
    broken = replace(ENDING, reward=lambda prompt, response: nan)
    with pytest.raises(Diverged, match="update 7: score is nan"):
        Sampled(broken, REFERENCE, 0.3, settings_for("ppo"))(POLICY, 7)
