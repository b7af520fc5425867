"""Pretraining: the reference policy is fitted to demonstrations by maximum likelihood.

`python -m derivations.algorithms.pretraining NAME FILE` makes a world's reference policy again.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor

from derivations.algorithms.checkpoints import save_policy
from derivations.algorithms.devices import one_thread
from derivations.algorithms.gpt import GPT, GPTConfig
from derivations.algorithms.rollout import Scores, as_responses
from derivations.algorithms.settings import Settings, settings_for
from derivations.algorithms.stage import Metrics, Stage
from toy_envs import make_mdp
from toy_envs.errors import BadInput
from toy_envs.token_mdp import TokenMDP

LAYERS, WIDTH, HEADS = 2, 32, 2


class Pretraining(Stage):
    """Fits a tiny GPT to fresh demonstrations of a world.

    minimises −(1/N) Σ_i Σ_t log π(y_{i,t}∣x_i, y_{i,<t}), N = `episodes` fresh ones at each of the `updates`. Takes
    seconds. Raises BadInput where the world has no demonstrations.
    """

    def __init__(self, mdp: TokenMDP, settings: Settings, device: torch.device | str = "cpu") -> None:
        if mdp.demonstrations is None:
            raise BadInput(f"mdp: {mdp.name} has no demonstrations; expected a world with some to pretrain on")
        model = GPT(GPTConfig(mdp.size, mdp.prompt_length + mdp.horizon, LAYERS, WIDTH, HEADS), settings.seed)
        super().__init__(mdp, model.to(device), settings)

    def measure(self) -> Metrics:
        """Nothing: the loss of each update is that of demonstrations that were not seen before."""
        return {}

    def learn(self) -> Metrics:
        """One step on fresh demonstrations."""
        assert self.mdp.demonstrations is not None
        with self.watched("demonstrations"):
            shown = as_responses(self.mdp.demonstrations(self.draws, self.settings.episodes)).to(self.device)
            return self.descend(negative_log_likelihood(self.group.score(self.model, shown)), {})


def pretrain(mdp: TokenMDP, **settings: float) -> GPT:
    """A tiny GPT fitted to demonstrations of a world, with the settings given and else the default ones."""
    stage = Pretraining(mdp, settings_for("sft", mdp.name, **settings))
    with one_thread():
        for _ in stage.run():
            pass
    return stage.model


def negative_log_likelihood(scores: Scores) -> Tensor:
    """−(1/N) Σ_i log π(y_i∣x_i), in nats a response."""
    return -scores.logp.sum(-1).mean()


if __name__ == "__main__":
    name, file = sys.argv[1:]
    save_policy(Path(file), pretrain(make_mdp(name)))
