"""The measured entries: each rule can say no, each experiment runs, and what is kept follows from its numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
import torch
from small_worlds import policy_for

from derivations.algorithms import exact
from derivations.ledger import Ledger
from derivations.measured import EXPERIMENTS, anchor, approach, collapse, conjugate_gradient, gaming
from derivations.measured.exact_policy import World, reference
from derivations.measured.experiment import experiment_for, files_of, known
from derivations.measured.kept import LEAST_SEEDS, ROOT, Outcome, code_hash, kept_result
from derivations.measured.measuring import FIRST_SEED
from derivations.measured.rule import Condition, decided
from derivations.sections.claim import Measured
from derivations.sweeps.work import alone
from toy_envs import SORTING
from toy_envs.errors import BadInput

GOOD: dict[str, dict[str, float]] = {
    "IS.10.measured": {
        **{"old_entropy": 5.0, "cpi_entropy": 0.1, "ppo_entropy": 4.0},
        **{"old_return": 0.7, "cpi_return": 0.4, "ppo_return": 0.75},
    },
    "TP.10.measured": {
        **{"image_of_the_shift": 3e-8, "residual_1": 0.7, "residual_10": 0.1, "residual_100": 0.01},
        **{"residual_without_damping": 0.08, "share_of_dim": 0.005, "share_of_dim_float64": 0.003},
    },
    "KL.13": {
        **{"free_kl_quarter_2": 5.0, "free_kl_quarter_3": 5.2, "free_kl_quarter_4": 5.3, "free_kl": 5.7},
        **{"free_kl_of_its_mode": 6.0, "kl_best": 4.0, "anchored_kl": 4.05},
        **{"anchored_kl_quarter_3": 4.0, "anchored_kl_quarter_4": 4.1},
    },
    "KL.14": {
        **{"free_far_score": 0.7, "free_score": 1.5, "anchored_far_score": 0.7, "anchored_score": 1.3},
        **{"free_far_true_score": 2.9, "free_true_score": -5.0},
        **{"anchored_far_true_score": 2.9, "anchored_true_score": 3.5},
    },
    "OP.15.measured": {
        **{"disagreement": 1e-15, "quarter_1": 0.2, "quarter_2": 0.02, "quarter_3": 0.01, "quarter_4": 0.005},
        **{"short_left": 0.02, "middle_left": 0.01, "long_left": 0.004},
    },
}
BAD: dict[str, list[dict[str, float]]] = {
    "IS.10.measured": [{"cpi_entropy": 2.0}, {"cpi_return": 0.72}, {"ppo_return": 0.69}],
    "TP.10.measured": [
        {"image_of_the_shift": 1e-3},
        {"residual_10": 0.3, "residual_100": 0.1},
        {"residual_1": 0.05},
        {"residual_100": 0.2},
        {"share_of_dim": 0.02},
        {"share_of_dim_float64": 0.006},
        {"residual_without_damping": 0.001},
    ],
    "KL.13": [
        {"free_kl_quarter_3": 4.9},
        {"free_kl_quarter_4": 5.1},
        {"free_kl": 5.0},
        {"free_kl": 4.2, "free_kl_of_its_mode": 4.3},
        {"anchored_kl": 3.0},
        {"anchored_kl_quarter_4": 4.5},
    ],
    "KL.14": [
        {"free_score": 0.6},
        {"free_true_score": 3.0, "anchored_true_score": 3.2},
        {"free_true_score": 2.0, "anchored_true_score": 1.9},
        {"anchored_true_score": 2.0},
    ],
    "OP.15.measured": [
        {"disagreement": 1e-7},
        {"quarter_1": 0.01},
        {"quarter_2": 0.005},
        {"quarter_4": 0.02},
        {"short_left": 0.005},
        {"long_left": 0.011, "middle_left": 0.0105},
        {"long_left": 0.012, "middle_left": 0.015},
    ],
}


def seeds(numbers: Mapping[str, float], count: int = 10) -> list[dict[str, float]]:
    """Made-up seeds that scatter a little about these numbers."""
    return [{name: value * (1 + 1e-4 * (-1) ** n) for name, value in numbers.items()} for n in range(count)]


# --- the rules ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("identifier", EXPERIMENTS)
def test_a_rule_says_yes_to_what_the_entry_says(identifier: str) -> None:
    outcomes = decided(experiment_for(identifier).conditions, seeds(GOOD[identifier]))
    assert all(found.holds for found in outcomes), [found.text for found in outcomes]


@pytest.mark.parametrize(
    ("identifier", "place"), [(name, place) for name, changes in BAD.items() for place in range(len(changes))]
)
def test_each_condition_of_a_rule_can_say_no(identifier: str, place: int) -> None:
    conditions = experiment_for(identifier).conditions
    assert len(conditions) == len(BAD[identifier]), "every condition is tried"
    outcomes = decided(conditions, seeds({**GOOD[identifier], **BAD[identifier][place]}))
    assert not outcomes[place].holds, outcomes[place].text


def test_an_interval_that_reaches_the_bound_decides_nothing() -> None:
    above = Condition("x", lambda n: n["x"], above=0.0)
    sure, unsure = [{"x": 1 + 0.1 * n} for n in range(10)], [{"x": n - 3.0} for n in range(10)]
    assert decided([above], sure)[0].holds
    (found,) = decided([above], unsure)
    assert found.mean > 0 > found.low and not found.holds
    assert not decided([Condition("x", lambda n: n["x"], below=2.0)], unsure)[0].holds
    assert decided([Condition("x", lambda n: n["x"], below=4.0)], unsure)[0].holds


def test_what_is_no_number_holds_nowhere() -> None:
    for bound in ({"above": 0.0}, {"below": 0.0}):
        (found,) = decided([Condition("x", lambda n: n["x"], **bound)], [{"x": 1.0}] * 9 + [{"x": math.nan}])
        assert not found.holds


def test_fewer_than_ten_seeds_decide_nothing() -> None:
    with pytest.raises(BadInput, match="seeds are 9; expected at least 10"):
        decided(experiment_for("KL.13").conditions, seeds(GOOD["KL.13"], 9))


def test_a_condition_has_one_bound() -> None:
    for bounds in ({}, {"above": 0.0, "below": 1.0}):
        with pytest.raises(BadInput, match="expected one of them"):
            Condition("x", lambda n: 0.0, **bounds)


# --- the experiments ------------------------------------------------------------------------------------------------


def small(identifier: str) -> Mapping[str, float]:
    """One seed of an experiment, made as small as it can be."""
    with alone():
        match identifier:
            case "KL.13":
                return anchor.measure(0, updates=4)
            case "KL.14":
                return gaming.measure(0, updates=2, fitted=2, many=64)
            case "OP.15.measured":
                return approach.measure(0, (1, 2, 4))
            case "IS.10.measured":
                return collapse.measure(0, warm=1, epochs=2)
            case _:
                return conjugate_gradient.measure(0, episodes=32)


@pytest.mark.parametrize("identifier", EXPERIMENTS)
def test_a_seed_has_every_number_that_the_rule_asks_for(identifier: str) -> None:
    found = small(identifier)
    assert all(math.isfinite(value) for value in found.values()), found
    assert set(GOOD[identifier]) <= set(found)
    for condition in experiment_for(identifier).conditions:
        assert math.isfinite(condition.of(found))
    if identifier == "OP.15.measured":
        assert found["disagreement"] < 1e-9 and found["quarter_4"] < found["quarter_1"]
    if identifier == "IS.10.measured":
        assert found["cpi_entropy"] < found["ppo_entropy"] < found["old_entropy"] < 8.147
    if identifier == "KL.13":
        assert found["free_kl_quarter_1"] > 0 and found["free_kl_quarter_4"] > found["free_kl_quarter_1"]
    if identifier == "KL.14":
        assert found["free_kl"] > 0 and found["free_score"] != found["anchored_score"]
    if identifier == "TP.10.measured":
        assert found["dim"] == sum(weight.numel() for weight in reference().parameters())


def test_what_is_known_of_a_policy_is_what_enumeration_gives() -> None:
    with alone():
        world = World()
        policy = policy_for(SORTING, 1)
        known_of = world.of(policy)
        start = world.of(reference())
        with torch.no_grad():
            logp = exact.response_logp(world.tree, exact.tree_logp(policy, world.tree))
            ref = exact.response_logp(world.tree, world.logp_ref)
    chances = logp.exp()
    scores = torch.tensor([SORTING.reward(*pair) for pair in world.tree.responses], dtype=torch.float64)
    kl = (chances * (logp - ref)).sum().item()
    log_z = (ref + scores / SORTING.beta).logsumexp(0).item()
    assert known_of.entropy == pytest.approx(-(chances * logp).sum().item(), abs=1e-12)
    assert known_of.kl == pytest.approx(kl, abs=1e-12)
    assert known_of.objective == pytest.approx((chances * scores).sum().item() - SORTING.beta * kl, abs=1e-12)
    assert known_of.gap == pytest.approx(SORTING.beta * log_z - known_of.objective, abs=1e-9)
    assert known_of.kl_of_its_mode == pytest.approx(-ref[logp.argmax()].item(), abs=1e-12)
    assert start.kl == 0 and start.gap > 0.3


def test_every_measured_entry_has_an_experiment() -> None:
    entries = {name for name, entry in Ledger().entries.items() if isinstance(entry, Measured)}
    assert entries == set(EXPERIMENTS)


def test_an_entry_is_found_by_the_claim_that_it_is_part_of() -> None:
    assert known("IS.10") == known("IS.10.measured") == "IS.10.measured"
    with pytest.raises(BadInput, match=r"id is 'PPO\.1'; expected one of IS\.10\.measured, "):
        known("PPO.1")


# --- what is kept ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("identifier", EXPERIMENTS)
def test_what_is_kept_is_of_the_code_that_is_here_and_shows_the_entry(identifier: str) -> None:
    kept = kept_result(identifier)
    if kept is None:
        pytest.skip(f"not measured yet: derivations measure {identifier}")
    experiment = experiment_for(identifier)
    assert kept.files == files_of(identifier)
    assert not kept.stale, f"the kept result is of other code; run derivations measure {identifier}"
    assert list(kept.seeds) == list(range(FIRST_SEED, FIRST_SEED + len(kept.seeds)))
    assert len(kept.seeds) >= LEAST_SEEDS
    assert kept.settings == experiment.settings
    for found, condition in zip(kept.outcomes, experiment.conditions, strict=True):
        again: Outcome = condition.outcome(kept.numbers)
        assert (found.words, found.above, found.below) == (again.words, again.above, again.below)
        assert (found.mean, found.low, found.high) == pytest.approx((again.mean, again.low, again.high), rel=1e-9)
    assert kept.shown, kept.text


@pytest.mark.parametrize("identifier", EXPERIMENTS)
def test_the_code_is_all_that_makes_the_numbers(identifier: str) -> None:
    files = files_of(identifier)
    assert len(set(files)) == len(files) and all((ROOT / name).is_file() for name in files)
    assert f"derivations/measured/{EXPERIMENTS[identifier]}.py" in files
    for name in ("trainer", "losses", "exact", "gpt", "kl", "rollout", "trpo"):
        assert f"derivations/algorithms/{name}.py" in files
    world, other = ("names", "sorting") if identifier == "KL.14" else ("sorting", "names")
    read = {f"toy_envs/{world}.py", "toy_envs/token_mdp.py", f"toy_envs/data/{world}-v0.safetensors"}
    assert read <= set(files)
    assert not any("cli/" in name or "sections/" in name or other in name for name in files)
    assert code_hash(files) != code_hash(files[1:])
