"""Which runs a sweep is made of."""

from __future__ import annotations

import pytest

from derivations.algorithms.settings import settings_for
from derivations.sweeps.grid import grid
from toy_envs.errors import BadInput

WORLD = "toy_envs/Sorting-v0"


def test_every_algorithm_with_every_combination_and_every_seed() -> None:
    runs = grid(WORLD, ["ppo", "trpo"], range(3), {"clip_range": ["0.1", "0.2"], "updates": ["5"]})
    found = [(run.settings["algorithm"], run.settings["clip_range"], run.seed) for run in runs]
    assert found == [(name, clip, seed) for name in ("ppo", "trpo") for clip in (0.1, 0.2) for seed in range(3)]
    assert {run.settings["updates"] for run in runs} == {5}
    assert runs[-1].settings["minibatches"] == settings_for("trpo").minibatches, "what the algorithm wants stays"
    assert len({run.key for run in runs}) == 12
    assert len({run.without_seed for run in runs}) == 4


def test_a_key_is_of_all_that_a_run_is_made_of() -> None:
    (one,) = grid(WORLD, ["ppo"], [0])
    (same,) = grid(WORLD, ["ppo"], [0], {"clip_range": [str(settings_for("ppo").clip_range)]})
    others = [
        *grid("toy_envs/Copy-v0", ["ppo"], [0]),
        *grid(WORLD, ["cpi"], [0]),
        *grid(WORLD, ["ppo"], [1]),
        *grid(WORLD, ["ppo"], [0], {"lam": ["0.5"]}),
    ]
    assert one.key == same.key
    assert len({run.key for run in (one, *others)}) == 5


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"clip": ["0.1"]}, "set: 'clip' is no setting; expected one of updates, "),
        ({"seed": ["0"]}, "set: seed has an option of its own"),
        ({"epochs": ["2.5"]}, "set: epochs is '2.5'; expected a whole number"),
        ({"lam": ["high"]}, "set: lam is 'high'; expected a number"),
        ({"kl": ["k9"]}, "kl is 'k9'; expected one of reward"),
        ({"clip_range": ["2"]}, "clip_range is 2.0; expected a number between 0 and 1"),
        ({"lam": ["0.5", "0.50"]}, "stands twice in the sweep; expected each run once"),
    ],
)
def test_what_is_no_setting_is_refused(given: dict[str, list[str]], message: str) -> None:
    with pytest.raises(BadInput) as refused:
        grid(WORLD, ["ppo"], [0], given)
    assert message in str(refused.value)


def test_an_unknown_algorithm_or_none_is_refused() -> None:
    with pytest.raises(BadInput, match="algorithm is 'sarsa'; expected one of reinforce, cpi"):
        grid(WORLD, ["sarsa"], [0])
    with pytest.raises(BadInput, match="algorithm is empty; expected at least one"):
        grid(WORLD, [], [0])
    with pytest.raises(BadInput, match="seeds is empty; expected at least one"):
        grid(WORLD, ["ppo"], [])
