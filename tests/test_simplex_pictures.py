"""The paths on the triangle take the steps that the package's losses prescribe, and the exact ones end at π*."""

from __future__ import annotations

from typing import Any, cast

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from derivations.algorithms import losses, trpo
from derivations.algorithms.kl import exact_kl
from derivations.laboratory.simplex_pictures import (
    ALGORITHMS,
    Algorithm,
    Arms,
    Pace,
    draw_paths,
    draw_preference_losses,
    excess,
    gradient,
    natural_step,
    path,
)
from toy_envs.errors import BadInput

matplotlib.use("Agg")

ARMS = Arms((0.55, 0.35, 0.1), (0.0, 0.6, 1.0), 0.3)
OLD, POLICY = np.array([0.5, 0.3, 0.2]), np.array([0.3, 0.35, 0.35])
ALL_PAIRS = np.array([[0, 1, 1], [0, 0, 1], [0, 0, 0]]) / 3
ONE_PAIR = np.array([[0, 1, 0], [0, 0, 0], [0, 0, 0]])


def objective(policies: Any) -> Any:
    """J by its definition, of positive policies."""
    laws = np.asarray(policies)
    return (laws * (np.array(ARMS.rewards) - ARMS.beta * np.log(laws / np.array(ARMS.reference)))).sum(-1)


@pytest.mark.parametrize("algorithm", ["pg", "trpo", "ppo"])
def test_the_exact_methods_end_at_the_optimum(algorithm: Algorithm) -> None:
    end = path(ARMS, algorithm)[-1]
    assert np.abs(end - ARMS.best).max() < 2e-3
    assert ARMS.regret(end) < 1e-4


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_path_begins_at_the_reference_and_stays_in_the_triangle(algorithm: Algorithm) -> None:
    for pace in (Pace(), Pace(updates=5, epochs=7, learning_rate=3.0)):
        found = path(ARMS, algorithm, pace)
        assert found[0] == pytest.approx(np.array(ARMS.reference))
        assert (found > 0).all() and np.abs(found.sum(-1) - 1).max() < 1e-12
        assert len(found) == 1 + pace.updates * (pace.epochs if algorithm == "pg" else 1)


def test_without_the_clip_an_update_runs_to_a_corner_and_may_lose() -> None:
    free, held = path(ARMS, "cpi"), path(ARMS, "ppo")
    worth = objective(free)
    assert (np.diff(worth) < -0.03).any()
    assert free.max() > 0.8 and held.max() < 0.7
    assert (np.diff(objective(path(ARMS, "pg"))) >= -1e-12).all()


def test_the_natural_step_follows_the_best_policies_of_all_beta() -> None:
    for law in path(ARMS, "trpo")[1:4]:
        shift = np.log(law / np.array(ARMS.reference))
        [first, second] = np.diff(shift) / np.diff(ARMS.rewards)
        assert first == pytest.approx(second) and 0 < first < 1 / ARMS.beta


def test_the_regret_is_what_is_missing_of_the_objective() -> None:
    laws = np.array([OLD, POLICY, ARMS.reference])
    assert ARMS.regret(laws) == pytest.approx(objective(ARMS.best) - objective(laws))
    assert ARMS.regret([0.0, 0.0, 1.0]) == pytest.approx(-ARMS.beta * np.log(ARMS.best[2]))


@pytest.mark.parametrize("algorithm", ["pg", "cpi", "ppo"])
@pytest.mark.parametrize("policy", [OLD, POLICY], ids=["at π_old", "elsewhere"])
def test_the_gradients_are_those_of_the_losses_over_all_arms(algorithm: Algorithm, policy: Any) -> None:
    """Each arm is a row, its advantage multiplied by its probability under π_old, 3 for the mean over the rows."""
    logits = torch.tensor(np.log(policy), requires_grad=True)
    logp = logits.log_softmax(0).unsqueeze(-1)
    if algorithm == "pg":
        law = logp.squeeze(-1)
        reference = torch.tensor(ARMS.reference, dtype=torch.float64)
        rewards = torch.tensor(ARMS.rewards, dtype=torch.float64)
        loss = -(law.exp() * (rewards - ARMS.beta * (law - reference.log()))).sum()
    else:
        logp_old = torch.tensor(np.log(OLD)).unsqueeze(-1)
        weighted = torch.tensor(3 * OLD * ARMS.advantages(OLD)).unsqueeze(-1)
        mask = torch.ones(3, 1, dtype=torch.bool)
        given = (logp, logp_old, weighted, mask)
        loss = losses.cpi(*given)[0] if algorithm == "cpi" else losses.ppo_clip(*given, epsilon=0.2)[0]
    (slope,) = torch.autograd.grad(loss, logits)
    assert gradient(ARMS, algorithm, OLD, policy, 0.2) == pytest.approx(-slope.numpy(), abs=1e-12)


def test_the_natural_step_is_that_of_the_package() -> None:
    theta, delta = torch.tensor(np.log(OLD), requires_grad=True), 0.001
    product = trpo.fisher_vector_product(exact_kl(theta.detach(), theta), [theta])
    rise = torch.tensor(OLD * ARMS.advantages(OLD))
    wanted = trpo.natural_step(product, rise, delta).detach()
    found = natural_step(ARMS, OLD, delta)
    parts = [found * 2**halvings for halvings in range(3)]
    assert any(np.diff(part) == pytest.approx(wanted.diff().numpy(), rel=1e-6) for part in parts)
    after = OLD * np.exp(found)
    assert OLD @ np.log(OLD / (after / after.sum())) <= delta


def test_the_excess_is_the_loss_of_dpo_less_that_of_the_optimum() -> None:
    def population(law: Any) -> float:
        logp, anchor = (torch.tensor(np.log(each)) for each in (law, np.array(ARMS.reference)))
        total = 0.0
        for a in range(3):
            for b in range(3):
                chance = 1 / (1 + np.exp(ARMS.rewards[b] - ARMS.rewards[a]))
                for first, second, weight in ((a, b, chance), (b, a, 1 - chance)):
                    rows = [part[[place]] for part in (logp, anchor) for place in (first, second)]
                    loss = losses.dpo(rows[0], rows[1], rows[2], rows[3], ARMS.beta)[0]
                    total += ALL_PAIRS[a, b] * weight * loss.item()
        return total

    assert excess(ARMS, ALL_PAIRS, POLICY) == pytest.approx(population(POLICY) - population(ARMS.best), abs=1e-12)
    assert excess(ARMS, ALL_PAIRS, ARMS.best) == pytest.approx(0, abs=1e-15)


def test_where_one_pair_is_compared_a_whole_line_has_the_least_loss() -> None:
    first, second, _ = ARMS.best
    for share in (0.1, 0.5, 0.9):
        law = np.array([first, second, 0]) / (first + second) * (1 - share) + [0, 0, share]
        assert excess(ARMS, ONE_PAIR, law) == pytest.approx(0, abs=1e-12)
        assert (abs(law[2] - ARMS.best[2]) < 0.05) or excess(ARMS, ALL_PAIRS, law) > 1e-4


def test_the_pictures_show_the_paths_and_are_told_apart() -> None:
    groups = {"held": {name: path(ARMS, name) for name in ("pg", "trpo", "ppo")}, "free": {"cpi": path(ARMS, "cpi")}}
    figure = draw_paths(ARMS, groups)
    left, right = figure.axes
    assert [axes.get_title() for axes in (left, right)] == ["held", "free"]
    assert (
        len({line.get_linestyle() for line in left.lines[:3]})
        == len({line.get_marker() for line in left.lines[:3]})
        == 3
    )
    plt.close(figure)
    figure = draw_preference_losses(ARMS, {"all pairs": ALL_PAIRS, "one pair": ONE_PAIR})
    both, alone = figure.axes
    assert [line.get_label() for line in alone.lines if line.get_label() == "least loss"] == ["least loss"]
    assert not [line for line in both.lines if line.get_label() == "least loss"]
    plt.close(figure)


def test_what_cannot_be_drawn_is_refused() -> None:
    for law in ((0.5, 0.5, 0.0), (0.5, 0.3, 0.3)):
        with pytest.raises(BadInput, match="three positive probabilities"):
            Arms(law, (0.0, 1.0, 2.0), 1.0)
    with pytest.raises(BadInput, match="expected three"):
        Arms((0.5, 0.3, 0.2), cast(Any, (0.0, 1.0)), 1.0)
    with pytest.raises(BadInput, match="beta is 0"):
        Arms((0.5, 0.3, 0.2), (0.0, 1.0, 2.0), 0)
    with pytest.raises(BadInput, match="algorithm is 'sac'"):
        path(ARMS, cast(Any, "sac"))
    with pytest.raises(BadInput, match="expected a law"):
        draw_preference_losses(ARMS, {"none": np.zeros((3, 3))})
    for draw in (draw_paths, draw_preference_losses):
        with pytest.raises(BadInput, match="panels is empty"):
            draw(ARMS, {})
    assert not plt.get_fignums()
