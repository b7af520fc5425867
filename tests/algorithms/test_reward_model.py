"""A reward model: read at the last token, fitted to a truth that is known, centred; and a world judged by it."""

from __future__ import annotations

from dataclasses import replace
from math import exp
from pathlib import Path

import numpy as np
import pytest
import torch
from small_worlds import ENDING, PAIRED, policy_for

from derivations.algorithms import exact
from derivations.algorithms.checkpoints import load_policy, save_policy
from derivations.algorithms.reward_model import LearnedReward, RewardFitting, RewardModel, reader_from
from derivations.algorithms.rollout import as_responses, final_scores
from derivations.algorithms.settings import settings_for
from toy_envs.errors import BadInput
from toy_envs.token_mdp import Pair, TokenMDP

TREE = exact.prefix_tree(ENDING)
REFERENCE = policy_for(ENDING, 2)


def test_it_reads_what_the_policy_reads_and_one_token_more() -> None:
    """At every place but the last the GPT says what the policy said; the score is the number behind the last token."""
    model = reader_from(REFERENCE)
    responses = exact.all_responses(TREE)
    scores = RewardModel(model)(responses)
    for row, (prompt, response) in enumerate(TREE.responses):
        read = torch.tensor([[REFERENCE.start, *prompt, *response]])
        values = model(read).values[0]
        assert torch.allclose(values[:-1], REFERENCE(read[:, :-1]).values[0], atol=1e-12)
        assert scores[row].item() == pytest.approx(values[-1].item(), abs=1e-12)


def test_padding_and_company_change_no_score() -> None:
    learned = LearnedReward(reader_from(REFERENCE))
    together = learned.scores(as_responses(TREE.responses))
    alone = [learned(*pair) for pair in TREE.responses]
    assert together.tolist() == pytest.approx(alone, abs=1e-12)


def _truth(prompt: tuple[int, ...], response: tuple[int, ...]) -> float:
    return 2.0 * response.count(0) - response.count(1)


def judged_pairs() -> TokenMDP:
    """All responses of ENDING in pairs, labelled by Bradley–Terry with a reward that is known."""

    def pairs(generator: np.random.Generator, count: int) -> list[Pair]:
        found: list[Pair] = []
        while len(found) < count:
            (prompt, one), (other_prompt, other) = (
                TREE.responses[i] for i in generator.integers(len(TREE.responses), size=2)
            )
            if prompt == other_prompt and one != other:
                wins = generator.random() < 1 / (1 + exp(_truth(prompt, other) - _truth(prompt, one)))
                found.append((prompt, one, other) if wins else (prompt, other, one))
        return found

    return replace(PAIRED, reward=_truth, pairs=pairs)


def test_it_finds_the_differences_of_the_true_reward_and_no_more() -> None:
    """RM.5: within a prompt the learned scores differ as the true ones do; by how much they are shifted, nothing says."""
    stage = RewardFitting(
        judged_pairs(), policy_for(ENDING, 2, torch.float32), settings_for("reward", learning_rate=0.01)
    )
    told = list(stage.run())
    late = told[-40:]
    assert sum(step["loss"] - step["loss_of_truth"] for step in late) / len(late) < 0.01
    learned = LearnedReward(stage.model).scores(exact.all_responses(TREE)).double()
    true = torch.tensor([_truth(*pair) for pair in TREE.responses], dtype=torch.float64)
    for prompt in ENDING.prompts:
        rows = [row for row, pair in enumerate(TREE.responses) if pair[0] == prompt]
        found, wanted = (scores[rows] - scores[rows].mean() for scores in (learned, true))
        assert (found - wanted).abs().mean() < 0.25
        assert found @ wanted / (found.norm() * wanted.norm()) > 0.99


def test_at_the_end_demonstrations_are_worth_nothing_on_average() -> None:
    stage = RewardFitting(PAIRED, policy_for(ENDING, 2, torch.float32), settings_for("reward", updates=2))
    assert PAIRED.demonstrations is not None
    list(stage.run())
    shown = as_responses(PAIRED.demonstrations(np.random.default_rng(9), 20_000))
    assert LearnedReward(stage.model).scores(shown).mean().item() == pytest.approx(0, abs=0.05)


def test_a_world_judged_by_it_keeps_its_own_reward_as_the_true_one() -> None:
    learned = LearnedReward(reader_from(REFERENCE))
    judged = ENDING.judged_by(learned)
    responses = exact.all_responses(TREE)
    assert judged.true_reward is ENDING.reward
    assert torch.equal(final_scores(judged, responses), learned.scores(responses))
    assert judged.judged_by(lambda prompt, response: 0.0).true_reward is ENDING.reward


def test_a_world_without_pairs_is_refused() -> None:
    with pytest.raises(
        BadInput, match="env: ending has no pairs of which one was preferred; expected a world with some"
    ):
        RewardFitting(ENDING, REFERENCE, settings_for("reward"))


def test_a_reward_model_is_no_policy_and_a_policy_no_reward_model(tmp_path: Path) -> None:
    policy, model = tmp_path / "policy.safetensors", tmp_path / "reward.safetensors"
    save_policy(policy, REFERENCE)
    save_policy(model, reader_from(REFERENCE), "reward")
    assert load_policy(model, kind="reward").config.context == REFERENCE.config.context + 1
    with pytest.raises(BadInput, match=f"{model} holds a reward model; expected a policy"):
        load_policy(model)
    with pytest.raises(BadInput, match=f"{policy} holds a policy; expected a reward model"):
        load_policy(policy, kind="reward")
