"""What a run is made of, and what each algorithm wants where the user says nothing."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isfinite
from typing import Any

from toy_envs.errors import BadInput

KL_PLACEMENTS = ("reward", "loss_k2", "loss_k3", "loss_exact")
BASELINES = ("none", "leave_one_out")

DEFAULTS: dict[str, dict[str, float | str]] = {
    "sft": {"updates": 400, "most_gradient_norm": 1e9},  # which none reaches: its first gradients are long, and right
    "reward": {"updates": 150},
    "reinforce": {"epochs": 1, "minibatches": 1},
    "cpi": {},
    "trpo_penalty": {},
    "trpo": {"minibatches": 2, "learning_rate": 0.03},
    "ppo": {},
    "dpo": {"epochs": 1, "minibatches": 1, "learning_rate": 0.01, "comparisons": 256},
}
"""Every algorithm, and its own defaults: fitting to demonstrations, fitting a reward model, then those of a policy."""

WORLDS: dict[str, dict[str, dict[str, float | str]]] = {
    "toy_envs/Names-v0": {
        "sft": {"updates": 1500, "learning_rate": 6e-3},
        "reinforce": {"updates": 60, "baseline": "leave_one_out"},
        "cpi": {"updates": 60},
        "trpo_penalty": {"updates": 60, "target_divergence": 0.01},
        "trpo": {"updates": 60},
        "ppo": {"updates": 60},
        "dpo": {"updates": 150, "learning_rate": 1e-3},
    }
}
"""What an algorithm wants in a world where the general defaults leave it short."""


@dataclass(frozen=True)
class Settings:
    """What a run is made of.

    `algorithm` is a key of DEFAULTS; `seed` fixes all that is drawn; `updates` batches of `episodes` responses (for a
    reward model: of so many pairs) are drawn, each used for `epochs` passes in `minibatches` parts; `learning_rate` is
    the first step size of Adam, which falls to zero;
    `reference` and `reward_model` are a run's folder or a file with weights, empty for the world's own reference
    policy and its own reward; `beta` is the KL coefficient in units of reward per nat, None for the world's own;
    `kl` says where the penalty against π_ref stands, one of KL_PLACEMENTS: "reward" is k1 in the reward, the others are
    in the loss, for each token; `gamma` and `lam` are those of GAE; `baseline` what REINFORCE subtracts from a return:
    "leave_one_out" is the mean of the others of the batch, which leaves the estimate unbiased;
    `clip_range` is ε of VIII.I; `value_coefficient` is c₁ of VIII.II; `trust_coefficient` is β of VII.II, to begin
    with, and `target_divergence` the D(π_old‖π) per token, in nats, to which it is adapted, 0 for never; `delta` is δ
    of VII.I; both fall with the square of the step size; `comparisons` of each response are made for DPO, where the
    world has no pairs of its own;
    `most_gradient_norm` bounds the norm of each gradient; `fresh` responses are drawn after each update to see how the
    policy does, in a world that cannot be enumerated; after each `checkpoint_every` updates the run is kept so that it can
    be taken up from there, and a few responses as text. Raises BadInput where one is out of its range.
    """

    algorithm: str
    seed: int = 0
    updates: int = 100
    episodes: int = 256
    epochs: int = 4
    minibatches: int = 4
    learning_rate: float = 3e-3
    reference: str = ""
    reward_model: str = ""
    beta: float | None = None
    kl: str = "reward"
    gamma: float = 1.0
    lam: float = 0.95
    baseline: str = "none"
    clip_range: float = 0.2
    value_coefficient: float = 0.5
    trust_coefficient: float = 1.0
    target_divergence: float = 0.0
    delta: float = 0.02
    comparisons: int = 16
    most_gradient_norm: float = 1.0
    fresh: int = 512
    checkpoint_every: int = 10

    def __post_init__(self) -> None:
        for name, known in (("algorithm", tuple(DEFAULTS)), ("kl", KL_PLACEMENTS), ("baseline", BASELINES)):
            if getattr(self, name) not in known:
                raise BadInput(f"{name} is {getattr(self, name)!r}; expected one of {', '.join(known)}")
        for name in ("updates", "episodes", "epochs", "minibatches", "comparisons", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name} is {getattr(self, name)}; expected at least 1")
        if self.minibatches > self.episodes:
            raise BadInput(f"minibatches is {self.minibatches}; expected at most episodes, which is {self.episodes}")
        if self.baseline == "leave_one_out" and self.episodes < 2:
            raise BadInput(f"episodes is {self.episodes}; expected at least 2, for a baseline of the others")
        if self.fresh < 2:
            raise BadInput(f"fresh is {self.fresh}; expected at least 2, for a standard error")
        if not 0 <= self.seed < 2**63:
            raise BadInput(f"seed is {self.seed}; expected a number from 0 to 2^63 − 1")
        if self.beta is not None and not (isfinite(self.beta) and self.beta >= 0):
            raise BadInput(f"beta is {self.beta}; expected a number from 0 on")
        for name, least, most in (
            ("learning_rate", 0.0, inf),
            ("gamma", 0.0, 1.0),
            ("lam", 0.0, 1.0),
            ("value_coefficient", 0.0, inf),
            ("target_divergence", 0.0, inf),
            ("most_gradient_norm", 0.0, inf),
        ):
            if not least <= getattr(self, name) <= most:
                raise BadInput(f"{name} is {getattr(self, name)}; expected a number from {least:g} to {most:g}")
        for name in ("trust_coefficient", "delta"):
            if not getattr(self, name) > 0:
                raise BadInput(f"{name} is {getattr(self, name)}; expected a positive number")
        if not 0 < self.clip_range < 1:
            raise BadInput(f"clip_range is {self.clip_range}; expected a number between 0 and 1")


def settings_for(algorithm: str, world: str = "", **given: Any) -> Settings:
    """The settings of an algorithm, as `named` or not: those given, else those that it wants, else the general ones.

    What it wants may depend on the `world`, by its name.
    """
    algorithm = named(algorithm)
    wanted = {**DEFAULTS.get(algorithm, {}), **WORLDS.get(world, {}).get(algorithm, {})}
    return Settings(algorithm, **{**wanted, **given})


def named(algorithm: str) -> str:
    """The key of DEFAULTS for an algorithm that may be written as on the command line, "trpo-penalty"."""
    return algorithm.replace("-", "_")
