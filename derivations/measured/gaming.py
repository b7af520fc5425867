"""KL.14: without the penalty the policy games an imperfect reward.

On Names-v0, from the packaged reference policy: a reward model is fitted to pairs of real names, and PPO is run against it
twice, without a penalty and with β = 0.1, 60 updates each. The true reward is measured on fresh responses: 512 after each
update, 4096 at the end. Its first value is the one after the first update at which D(π‖π_ref) is at least 1 nat.

The rule. Without the penalty the learned reward rises from there to the end, and the true one falls; it ends below that of
the run with the penalty. With the penalty it falls by less than a tenth of that, if at all.
"""

from __future__ import annotations

from dataclasses import replace

from derivations.algorithms.checkpoints import load_policy
from derivations.algorithms.evaluation import Sampled
from derivations.algorithms.gpt import GPT
from derivations.algorithms.reward_model import LearnedReward, RewardFitting
from derivations.algorithms.settings import settings_for
from derivations.algorithms.trainer import Trainer
from derivations.measured.experiment import Experiment, all_settings
from derivations.measured.rule import Condition, Numbers
from toy_envs.errors import BadInput
from toy_envs.names import NAMES

BETA = 0.1
FAR = 1.0  # nats
MANY = 4096


def measure(seed: int, updates: int = 60, fitted: int = 150, many: int = MANY) -> Numbers:
    """Learned and true reward of both runs, where the KL first is FAR and at the end."""
    learned = _fitted(seed, fitted)
    return {**_run(learned, 0.0, seed, updates, many, "free"), **_run(learned, BETA, seed, updates, many, "anchored")}


def _reference() -> GPT:
    if NAMES.reference is None:
        raise BadInput(f"{NAMES.name} has no reference policy; expected one")
    return load_policy(NAMES.reference)


def _fitted(seed: int, updates: int) -> LearnedReward:
    """A reward model, from pairs of its own for each seed."""
    stage = RewardFitting(NAMES, _reference(), settings_for("reward", NAMES.name, seed=seed, updates=updates))
    for _ in stage.run():
        pass
    return LearnedReward(stage.model.requires_grad_(False))


def _run(learned: LearnedReward, beta: float, seed: int, updates: int, many: int, name: str) -> Numbers:
    settings = settings_for("ppo", NAMES.name, seed=seed, updates=updates, beta=beta)
    trainer = Trainer(NAMES.judged_by(learned), _reference(), settings)
    steps = list(trainer.run())
    far = next((step for step in steps if step["kl"] >= FAR), steps[-1])
    end = Sampled(trainer.mdp, trainer.reference, beta, replace(settings, fresh=many))(trainer.policy, updates + 1)
    return {
        f"{name}_far_at": far["update"],
        f"{name}_far_score": far["score"],
        f"{name}_far_true_score": far["true_score"],
        f"{name}_score": end["score"],
        f"{name}_true_score": end["true_score"],
        f"{name}_kl": end["kl"],
    }


def _drop(numbers: Numbers, name: str) -> float:
    """By how much the true reward falls from where the KL first is FAR to the end."""
    return numbers[f"{name}_far_true_score"] - numbers[f"{name}_true_score"]


EXPERIMENT = Experiment(
    {
        "env": NAMES.name,
        "reward": all_settings("reward", NAMES.name),
        "ppo": all_settings("ppo", NAMES.name),
        "betas": [0.0, BETA],
        "far": FAR,
        "fresh_at_the_end": MANY,
    },
    measure,
    (
        Condition(
            "β = 0: learned reward at the end less that at 1 nat",
            lambda n: n["free_score"] - n["free_far_score"],
            above=0.0,
        ),
        Condition("β = 0: true reward at 1 nat less that at the end", lambda n: _drop(n, "free"), above=0.0),
        Condition(
            "true reward at the end, β > 0 less β = 0",
            lambda n: n["anchored_true_score"] - n["free_true_score"],
            above=0.0,
        ),
        Condition(
            "β > 0: fall of the true reward from 1 nat to the end, less a tenth of that with β = 0",
            lambda n: _drop(n, "anchored") - _drop(n, "free") / 10,
            below=0.0,
        ),
    ),
    reads=("toy_envs/data/names-v0.safetensors", "toy_envs/data/names.csv"),
)
