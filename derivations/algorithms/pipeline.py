"""The whole of RLHF: fitting to demonstrations, a reward model from pairs, and from both a policy by each algorithm.

Each part is a run in a folder of its own, as runs.py writes it; what was stopped is taken up, what is finished stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import torch

from derivations.algorithms import runs
from derivations.algorithms.settings import Settings, settings_for
from derivations.algorithms.stage import Metrics
from derivations.algorithms.trainer import ALGORITHMS
from toy_envs.errors import BadInput
from toy_envs.token_mdp import TokenMDP

PREPARATION = ("sft", "reward")
POLICIES = ("reinforce", "cpi", "trpo_penalty", "ppo", "dpo")
"""The algorithms that are compared where none is named."""

Watch = Callable[[Metrics], None]
Watching = Callable[[Settings], AbstractContextManager[Watch]]
"""Makes of a run's settings what is called with each of its metrics."""


def parts(mdp: TokenMDP, algorithms: Sequence[str], folder: Path, seed: int = 0) -> dict[str, Settings]:
    """The settings of each part, by the name of its folder, in the order in which they need each other.

    Raises BadInput where an algorithm is none of a policy, or the world has no demonstrations or no pairs.
    """
    for algorithm in algorithms:
        if algorithm not in ALGORITHMS:
            raise BadInput(f"algorithm is {algorithm!r}; expected some of {', '.join(ALGORITHMS)}")
    if mdp.demonstrations is None or mdp.pairs is None:
        raise BadInput(f"env: {mdp.name} lacks demonstrations or pairs; expected a world with both")
    start = {"reference": str(folder / "sft")}
    judged = {**start, "reward_model": str(folder / "reward")}
    return {
        "sft": settings_for("sft", mdp.name, seed=seed),
        "reward": settings_for("reward", mdp.name, seed=seed, **start),
        **{name: settings_for(name, mdp.name, seed=seed, **judged) for name in algorithms},
    }


def pipeline(
    mdp: TokenMDP,
    wanted: dict[str, Settings],
    folder: Path,
    device: torch.device,
    watching: Watching,
    *,
    resume: bool = False,
) -> Iterator[tuple[str, Metrics]]:
    """Runs each part of `wanted` in its folder below `folder`, and gives its name and its last metrics.

    `watching` is entered around each. Raises what runs.train raises, and BadInput where the folder is not empty, unless
    with `resume`.
    """
    if not resume and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"out: {folder} is not empty; expected a new or an empty folder, or --resume to go on")
    for name, settings in wanted.items():
        with watching(settings) as watch:
            last = runs.train(mdp, settings, folder / name, device, watch, resume=resume)
        yield name, last
