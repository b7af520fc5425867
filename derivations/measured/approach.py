"""OP.15: PPO with the KL in the reward approaches π*.

PPO on Sorting-v0 from π_ref with k1 in the reward, in runs of 20, 40 and 80 updates; after each update the gap
β log z − J(π), J(π) by the backward recursion, and β D(π‖π*), both exact and so equal up to rounding.

The rule. The two agree to 10⁻⁹ after every update. The gap falls: within the longest run each quarter's mean is below
that of the quarter before, and each longer run ends nearer than a shorter one. It falls towards 0: the longest ends with
less than 1 % of the gap with which it began.
"""

from __future__ import annotations

from statistics import fmean

from derivations.algorithms.settings import settings_for
from derivations.algorithms.trainer import Trainer
from derivations.measured.exact_policy import World, reference
from derivations.measured.experiment import Experiment, all_settings
from derivations.measured.rule import Condition, Numbers
from toy_envs.sorting import SORTING

LENGTHS = (20, 40, 80)


def measure(seed: int, lengths: tuple[int, int, int] = LENGTHS) -> Numbers:
    """The share of the first gap that is left at the end of each run, and in each quarter of the longest."""
    world = World()
    found: dict[str, float] = {"disagreement": 0.0}
    for name, updates in zip(("short", "middle", "long"), lengths, strict=True):
        trainer = Trainer(SORTING, reference(), settings_for("ppo", seed=seed, updates=updates))
        gaps: list[float] = []
        for _ in trainer.run():
            now = world.of(trainer.policy)
            gaps.append(now.gap)
            by_objective = world.best.objective.item() - now.objective
            found["disagreement"] = max(found["disagreement"], abs(by_objective - now.gap))
        found[f"{name}_left"] = gaps[-1] / gaps[0]
        quarter = updates // 4
        if name == "long":
            for q in (1, 2, 3, 4):
                found[f"quarter_{q}"] = fmean(gaps[1 + (q - 1) * quarter : 1 + q * quarter]) / gaps[0]
    return found


EXPERIMENT = Experiment(
    {"env": SORTING.name, "beta": SORTING.beta, "runs": [all_settings("ppo", updates=length) for length in LENGTHS]},
    measure,
    (
        Condition("|β log z − J(π) − β D(π‖π*)|, the most of all updates", lambda n: n["disagreement"], below=1e-9),
        *(
            Condition(
                f"fall of the mean gap from quarter {q} to quarter {q + 1}, as a share of the first gap",
                lambda n, q=q: n[f"quarter_{q}"] - n[f"quarter_{q + 1}"],  # type: ignore[misc]
                above=0.0,
            )
            for q in (1, 2, 3)
        ),
        Condition(
            f"share of the gap left after {LENGTHS[0]} updates less that after {LENGTHS[1]}",
            lambda n: n["short_left"] - n["middle_left"],
            above=0.0,
        ),
        Condition(
            f"share of the gap left after {LENGTHS[1]} updates less that after {LENGTHS[2]}",
            lambda n: n["middle_left"] - n["long_left"],
            above=0.0,
        ),
        Condition(f"share of the gap left after {LENGTHS[2]} updates", lambda n: n["long_left"], below=0.01),
    ),
)
