"""KL.13: clipping anchors each update, the penalty anchors the whole run.

PPO on Sorting-v0 from π_ref, once with β = 0 and once with the world's β, 100 updates each; D(π‖π_ref) exact after each.

The rule. With β = 0 the KL keeps climbing: its mean over the updates 51 to 75 is above that over 26 to 50, and that over
76 to 100 above both. It climbs towards that of a deterministic policy: at the end less than a tenth is missing to
−log π_ref(ŷ), the KL of the policy that always gives ŷ, its most likely response. With β > 0 it levels off at D(π*‖π_ref):
at the end it is within 5 % of it, and so are the last two quarters of each other; and without it the KL ends at least half
a nat above.
"""

from __future__ import annotations

from statistics import fmean

from derivations.algorithms.settings import settings_for
from derivations.algorithms.trainer import Trainer
from derivations.measured.exact_policy import World, reference
from derivations.measured.experiment import Experiment, all_settings
from derivations.measured.rule import Condition, Numbers
from toy_envs.sorting import SORTING

UPDATES = 100


def measure(seed: int, updates: int = UPDATES) -> Numbers:
    """The KL of both runs, a mean for each quarter and at the end."""
    world = World()
    return {
        "kl_best": world.kl_best,
        **_run(world, 0.0, seed, updates, "free"),
        **_run(world, SORTING.beta, seed, updates, "anchored"),
    }


def _run(world: World, beta: float, seed: int, updates: int, name: str) -> Numbers:
    trainer = Trainer(SORTING, reference(), settings_for("ppo", seed=seed, updates=updates, beta=beta))
    kls = [world.of(trainer.policy).kl for _ in trainer.run()][1:]  # after each update
    quarter = updates // 4
    end = world.of(trainer.policy)
    return {
        **{f"{name}_kl_quarter_{q}": fmean(kls[(q - 1) * quarter : q * quarter]) for q in (1, 2, 3, 4)},
        f"{name}_kl": end.kl,
        f"{name}_kl_of_its_mode": end.kl_of_its_mode,
        f"{name}_entropy": end.entropy,
    }


EXPERIMENT = Experiment(
    {"env": SORTING.name, "betas": [0.0, SORTING.beta], "runs": [all_settings("ppo", updates=UPDATES)]},
    measure,
    (
        Condition(
            "β = 0: D(π‖π_ref) in the third quarter less that in the second (nats)",
            lambda n: n["free_kl_quarter_3"] - n["free_kl_quarter_2"],
            above=0.0,
        ),
        Condition(
            "β = 0: D(π‖π_ref) in the fourth quarter less that in the third (nats)",
            lambda n: n["free_kl_quarter_4"] - n["free_kl_quarter_3"],
            above=0.0,
        ),
        Condition(
            "β = 0: what is missing at the end to the KL of a deterministic policy, as a share",
            lambda n: 1 - n["free_kl"] / n["free_kl_of_its_mode"],
            below=0.1,
        ),
        Condition(
            "β = 0: D(π‖π_ref) at the end less D(π*‖π_ref) (nats)",
            lambda n: n["free_kl"] - n["kl_best"],
            above=0.5,
        ),
        Condition(
            "β > 0: distance of D(π‖π_ref) at the end from D(π*‖π_ref), as a share of it",
            lambda n: abs(n["anchored_kl"] - n["kl_best"]) / n["kl_best"],
            below=0.05,
        ),
        Condition(
            "β > 0: distance between the third and the fourth quarter, as a share of D(π*‖π_ref)",
            lambda n: abs(n["anchored_kl_quarter_4"] - n["anchored_kl_quarter_3"]) / n["kl_best"],
            below=0.05,
        ),
    ),
)
