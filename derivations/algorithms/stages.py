"""Every algorithm of a run, by name, and what it starts from."""

from __future__ import annotations

from pathlib import Path

import torch

from derivations.algorithms.checkpoints import load_policy
from derivations.algorithms.gpt import GPT
from derivations.algorithms.pretraining import Pretraining
from derivations.algorithms.reward_model import LearnedReward, RewardFitting
from derivations.algorithms.settings import Settings
from derivations.algorithms.stage import Stage
from derivations.algorithms.trainer import Trainer
from toy_envs.errors import BadInput
from toy_envs.token_mdp import TokenMDP

MODEL = "model.safetensors"
"""The file of a run's folder that holds what was trained."""


def stage_for(mdp: TokenMDP, settings: Settings, device: torch.device | str = "cpu") -> Stage:
    """The run of an algorithm, before its first update.

    Raises BadInput where the world lacks what the algorithm needs, or a file that the settings name is not what they say.
    """
    if settings.algorithm == "sft":
        return Pretraining(mdp, settings, device)
    reference = reference_of(mdp, settings, device)
    if settings.algorithm == "reward":
        return RewardFitting(mdp, reference, settings)
    return Trainer(world_of(mdp, settings, device), reference, settings)


def reference_of(mdp: TokenMDP, settings: Settings, device: torch.device | str) -> GPT:
    """The reference policy that the settings name, else the world's own."""
    path = reference_file(mdp, settings)
    if path is None:
        raise BadInput(
            f"env: {mdp.name} has no reference policy; expected a world with one, or the setting `reference`"
        )
    return load_policy(path, device)


def reference_file(mdp: TokenMDP, settings: Settings) -> Path | None:
    """The file of the policy that a run starts from; none where it starts from no policy, or the world has none."""
    if settings.algorithm == "sft":
        return None
    return weights_at(settings.reference) if settings.reference else mdp.reference


def world_of(mdp: TokenMDP, settings: Settings, device: torch.device | str) -> TokenMDP:
    """The world, judged by the reward model that the settings name, if they do."""
    if not settings.reward_model:
        return mdp
    model = load_policy(weights_at(settings.reward_model), device, "reward")
    return mdp.judged_by(LearnedReward(model.requires_grad_(False)))


def weights_at(named: str) -> Path:
    """The file of weights that a setting names: the file itself, or that of a run's folder."""
    path = Path(named).expanduser()
    return path / MODEL if path.is_dir() else path
