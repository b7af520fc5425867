"""IS.10: many epochs of unclipped ascent of L_CPI on one batch, with estimated advantages, collapse the policy.

π_old is what PPO has after 5 updates of 50 on Sorting-v0, with the critic that it has by then. It draws one batch of 256
responses; the advantages are estimated from it by GAE. On this batch L_CPI is ascended for 50 epochs of 4 minibatches at
a constant step size; and the same is done with the clipped loss of PPO. Then the entropy and the return are exact.

The return is J(π) = E_π[r] − β D(π‖π_ref), which the rewards of the batch add up to. The score E_π[r] alone is kept, too,
and decides nothing: the one response to which the policy collapses may have any score that the batch has.

The rule. Under L_CPI less than a tenth of the entropy of π_old is left; J ends below that of π_old; under PPO it ends above.
"""

from __future__ import annotations

from derivations.algorithms.gpt import GPT
from derivations.algorithms.settings import settings_for
from derivations.algorithms.trainer import Trainer
from derivations.measured.exact_policy import Known, World, reference
from derivations.measured.experiment import Experiment, all_settings
from derivations.measured.rule import Condition, Numbers
from toy_envs.sorting import SORTING

WARM, WARM_OF, EPOCHS = 5, 50, 50
OTHER_SEEDS = 1000  # π_old is trained with a seed of its own


def measure(seed: int, warm: int = WARM, epochs: int = EPOCHS) -> Numbers:
    """Entropy, return, score and largest ratio of π_old, and after L_CPI and PPO on its batch."""
    world, old = World(), old_policy(seed, warm)
    found = {**_told(world.of(old), "old")}
    for algorithm in ("cpi", "ppo"):
        settings = settings_for(algorithm, seed=seed, updates=1, epochs=epochs)
        trainer = Trainer(SORTING, reference(), settings)
        trainer.policy.load_state_dict(old.state_dict())
        *_, last = trainer.run()
        found |= {**_told(world.of(trainer.policy), algorithm), f"{algorithm}_ratio_most": last["ratio_most"]}
    return found


def old_policy(seed: int, warm: int) -> GPT:
    """PPO's policy after a few updates, with its critic."""
    trainer = Trainer(SORTING, reference(), settings_for("ppo", seed=OTHER_SEEDS + seed, updates=WARM_OF))
    for step in trainer.run():
        if step["update"] == warm:
            break
    return trainer.policy


def _told(known: Known, name: str) -> Numbers:
    score = known.objective + SORTING.beta * known.kl
    return {f"{name}_entropy": known.entropy, f"{name}_return": known.objective, f"{name}_score": score}


EXPERIMENT = Experiment(
    {
        "env": SORTING.name,
        "beta": SORTING.beta,
        "old": {"updates_done": WARM, "run": all_settings("ppo", updates=WARM_OF)},
        "runs": [all_settings(algorithm, updates=1, epochs=EPOCHS) for algorithm in ("cpi", "ppo")],
    },
    measure,
    (
        Condition(
            "L_CPI: entropy of the responses at the end, as a share of that of π_old",
            lambda n: n["cpi_entropy"] / n["old_entropy"],
            below=0.1,
        ),
        Condition("L_CPI: J at the end less J(π_old)", lambda n: n["cpi_return"] - n["old_return"], below=0.0),
        Condition("PPO: J at the end less J(π_old)", lambda n: n["ppo_return"] - n["old_return"], above=0.0),
    ),
)
