"""Preferences: who is compared with whom, who wins how often, and what DPO makes of it."""

from __future__ import annotations

from dataclasses import replace
from math import log

import pytest
import torch
from small_worlds import ENDING, policy_for
from torch import Tensor

from derivations.algorithms import exact
from derivations.algorithms.preferences import Preferences, compared, preferences, true_scores
from derivations.algorithms.settings import settings_for
from derivations.algorithms.trainer import ALGORITHMS, Trainer
from toy_envs.errors import BadInput

RESPONSES = exact.all_responses(exact.prefix_tree(ENDING))
NO_REFERENCE = torch.zeros(len(RESPONSES))


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def labelled(comparisons: int) -> Preferences:
    return preferences(ENDING, RESPONSES, NO_REFERENCE, ENDING.beta, comparisons, generator())


def test_each_is_compared_with_others_of_its_prompt() -> None:
    first, second = compared(RESPONSES.prompts, 5, generator())
    assert torch.equal(first, torch.arange(len(RESPONSES)).repeat_interleave(5))
    assert not (first == second).any()
    assert torch.equal(RESPONSES.prompts[first], RESPONSES.prompts[second])
    assert len(second.unique()) == len(RESPONSES)


def test_a_prompt_that_came_once_is_left_out() -> None:
    prompts = torch.tensor([[0, 1], [1, 1], [0, 1]])
    first, second = compared(prompts, 2, generator())
    assert first.tolist() == [0, 0, 2, 2] and second.tolist() == [2, 2, 0, 0]
    with pytest.raises(BadInput, match="episodes is 2: no two responses to one prompt; expected more"):
        compared(prompts[:2], 2, generator())


def test_the_better_response_wins_as_often_as_bradley_and_terry_say() -> None:
    """RM.1: of many labels of each pair, the share is σ of the difference of the rewards."""
    mdp = replace(ENDING, reward=lambda prompt, response: 2.0 * len(response))
    pairs = preferences(mdp, RESPONSES, NO_REFERENCE, mdp.beta, 2000, generator())
    lengths = RESPONSES.mask.sum(-1)
    longer, shorter = lengths[pairs.chosen], lengths[pairs.rejected]
    for difference in (1, 2):
        won, lost = ((longer - shorter) == difference).sum().item(), ((longer - shorter) == -difference).sum().item()
        assert won / (won + lost) == pytest.approx(torch.tensor(2.0 * difference).sigmoid().item(), abs=0.01)


def test_the_labels_are_by_the_true_reward_where_there_is_one() -> None:
    gamed = replace(ENDING, true_reward=lambda prompt, response: float(len(response)))
    assert torch.equal(true_scores(gamed, RESPONSES), RESPONSES.mask.sum(-1).float())
    rewards = [ENDING.reward(*pair) for pair in exact.prefix_tree(ENDING).responses]
    assert true_scores(ENDING, RESPONSES).tolist() == pytest.approx(rewards)


def test_some_rows_keep_the_pairs_that_are_whole() -> None:
    pairs = Preferences(
        RESPONSES, torch.arange(len(RESPONSES)).float(), torch.tensor([0, 4, 2, 3]), torch.tensor([4, 0, 3, 1]), 0.3
    )
    part = pairs.rows(torch.tensor([4, 3, 0, 2]))
    assert part.logp_ref.tolist() == [4, 3, 0, 2]
    assert (part.chosen.tolist(), part.rejected.tolist()) == ([2, 0, 3], [0, 2, 1])
    assert torch.equal(part.responses.tokens, RESPONSES.tokens[torch.tensor([4, 3, 0, 2])])


def test_dpo_starts_at_log_two_and_moves_towards_what_was_preferred() -> None:
    """DPO.3: and its loss is of whole responses, sums over their tokens."""
    made = Trainer(
        ENDING, policy_for(ENDING, 8, torch.float32), settings_for("dpo", episodes=128, updates=40, learning_rate=0.003)
    )
    batch, _ = made.collect_preferences()
    loss, told = ALGORITHMS["dpo"].loss(_scores(made, batch), batch, made.settings)
    assert loss.item() == pytest.approx(log(2), rel=1e-6)
    assert told["margin"] == pytest.approx(0, abs=1e-6)
    *_, last = made.run()
    assert last["regret_share"] < 0.7


def _scores(made: Trainer, batch: Preferences):  # type: ignore[no-untyped-def]
    from derivations.algorithms.rollout import score

    return score(made.policy, batch.responses)


def test_the_reference_of_a_pair_is_that_of_its_responses() -> None:
    made = Trainer(ENDING, policy_for(ENDING, 8, torch.float32), settings_for("dpo", episodes=64))
    made.policy.load_state_dict(policy_for(ENDING, 7, torch.float32).state_dict())
    batch, _ = made.collect_preferences()
    own: Tensor = _scores(made, batch).logp.sum(-1)
    implicit = ENDING.beta * (own - batch.logp_ref)
    loss, told = ALGORITHMS["dpo"].loss(_scores(made, batch), batch, made.settings)
    margin = (implicit[batch.chosen] - implicit[batch.rejected]).detach()
    assert told["margin"] == pytest.approx(margin.mean().item(), abs=1e-6)
    assert loss.item() == pytest.approx(-margin.sigmoid().log().mean().item(), rel=1e-5)
