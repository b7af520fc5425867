"""A few responses as text, so that one can read what a policy writes as it learns."""

from __future__ import annotations

import torch

from derivations.algorithms.evaluation import fresh_responses
from derivations.algorithms.preferences import true_scores
from derivations.algorithms.reward_model import RewardFitting
from derivations.algorithms.rollout import final_scores
from derivations.algorithms.stage import Stage

SAMPLES = 8


@torch.no_grad()
def samples(stage: Stage) -> list[dict[str, int | float | str]]:
    """Fresh responses of the policy that is trained, each with its score, and its true score where there is one.

    Nothing that is drawn for learning is touched. A reward model writes no responses.
    """
    if isinstance(stage, RewardFitting):
        return []
    mdp, update = stage.mdp, stage.updates_done
    responses = fresh_responses(stage.model, mdp, SAMPLES, stage.settings.seed, update)
    scores = {"score": final_scores(mdp, responses).tolist()}
    if mdp.true_reward is not None:
        scores["true_score"] = true_scores(mdp, responses).tolist()
    rows: list[dict[str, int | float | str]] = []
    for at, length in enumerate(responses.mask.sum(-1).tolist()):
        prompt, tokens = responses.prompts[at].tolist(), responses.tokens[at, :length].tolist()
        told = {"prompt": mdp.text(tuple(prompt)), "response": mdp.text(tuple(tokens))}
        rows.append({"update": update, **told, **{name: found[at] for name, found in scores.items()}})
    return rows
