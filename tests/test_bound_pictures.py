"""The bound of TRPO lies below the return, and touches it where the line begins."""

from __future__ import annotations

from fractions import Fraction

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from tabular_worlds import arms

from derivations.laboratory.bound_pictures import draw_bounds, policy_line
from toy_envs import CHAIN, TabularMDP
from toy_envs.errors import BadInput
from toy_envs.tabular_oracle import evaluate

matplotlib.use("Agg")

ONE, HALF = Fraction(1), Fraction(1, 2)
SHARES = [Fraction(k, 40) for k in range(41)]


def rooms(gamma: Fraction) -> TabularMDP:
    """To go on pays 1, to stop costs 1; in the room behind, one arm pays 2 and the other costs 2."""
    go, stop = ((ONE, 1, ONE, False),), ((ONE, 1, -ONE, True),)
    good, bad = ((ONE, 1, 2 * ONE, True),), ((ONE, 1, -2 * ONE, True),)
    return TabularMDP("rooms", ("door", "room"), ("a", "b"), (ONE, 0 * ONE), ((go, stop), (good, bad)), gamma)


EVEN = [[HALF, HALF]] * 2
TURNED = [[ONE, 0 * ONE], [0 * ONE, ONE]]  # go on, and then the bad arm


def test_the_bound_is_below_the_return_everywhere() -> None:
    draw = np.random.default_rng(0)
    for gamma in (Fraction(0), Fraction(1, 5), HALF, Fraction(9, 10)):
        line = policy_line(rooms(gamma), EVEN, TURNED, SHARES)
        assert all(bound <= float(value) + 1e-12 for bound, value in zip(line.bound, line.objective, strict=True))
    for _ in range(10):
        laws = [draw.integers(1, 6, (len(CHAIN.states), len(CHAIN.actions))) for _ in range(2)]
        old, new = ([[Fraction(int(n), int(row.sum())) for n in row] for row in law] for law in laws)
        line = policy_line(CHAIN, old, new, SHARES[::8])
        assert (line.bound <= np.array(line.objective, dtype=float) + 1e-9).all()


@pytest.mark.parametrize("gamma", [Fraction(1, 5), HALF, Fraction(9, 10)], ids=str)
def test_it_touches_the_return_at_the_start_with_the_surrogates_slope(gamma: Fraction) -> None:
    world = rooms(gamma)
    step = Fraction(1, 10**6)
    line = policy_line(world, EVEN, TURNED, [Fraction(0), step])
    assert line.objective[0] == line.surrogate[0] == evaluate(world, EVEN).objective
    assert line.bound[0] == float(line.objective[0]) and line.divergence[0] == 0
    assert line.surrogate[1] - line.surrogate[0] == line.slope * step
    # By hand: J = α(1 − γ) − γα².
    assert line.slope == 1 - gamma
    assert line.objective[1] == (1 - gamma) * step - gamma * step**2
    assert (line.bound[1] - line.bound[0]) / float(step) == pytest.approx(float(line.slope), abs=1e-3)


def test_the_numbers_are_those_of_the_formula() -> None:
    line = policy_line(rooms(HALF), EVEN, TURNED, [HALF, ONE])
    assert line.penalty == 4 * 2 * HALF / HALF**2
    assert line.divergence[0] == pytest.approx(-np.log(1 - 0.25) / 2)
    assert line.divergence[1] == np.inf and line.bound[1] == -np.inf


def test_maximising_the_bound_never_lowers_the_return() -> None:
    for gamma in (Fraction(1, 10), Fraction(3, 10), HALF, Fraction(7, 10)):
        line = policy_line(rooms(gamma), EVEN, TURNED, SHARES)
        assert line.objective[line.best] >= line.objective[0]


def test_the_picture_has_three_lines_that_are_told_apart() -> None:
    lines = {f"γ = {float(gamma):g}": policy_line(rooms(gamma), EVEN, TURNED, SHARES) for gamma in (HALF / 2, HALF)}
    figure = draw_bounds(lines)
    for axes, (name, line) in zip(figure.axes, lines.items(), strict=True):
        surrogate, objective, bound, best = axes.lines
        assert axes.get_title() == name
        assert len({one.get_linestyle() for one in (surrogate, objective, bound)}) == 3
        drawn = np.asarray(objective.get_ydata(), dtype=float)
        assert drawn.tolist() == [float(each) for each in line.objective]
        assert np.asarray(best.get_xdata()).tolist() == [float(line.shares[line.best])]
        bottom, top = axes.get_ylim()
        assert bottom < drawn.min() and top > float(max(line.surrogate))
    plt.close(figure)


def test_without_discount_there_is_no_penalty() -> None:
    line = policy_line(rooms(Fraction(0)), EVEN, TURNED, [Fraction(0), ONE])
    assert line.penalty == 0 and line.bound[1] == float(line.surrogate[1])


def test_what_has_no_bound_is_refused() -> None:
    with pytest.raises(BadInput, match="discount is 1"):
        policy_line(arms(1, 0), [[HALF, HALF]], [[ONE, 0 * ONE]], [Fraction(0)])
    with pytest.raises(BadInput, match="shares has 2"):
        policy_line(rooms(HALF), EVEN, TURNED, [Fraction(2)])
    with pytest.raises(BadInput, match="old is 0 somewhere"):
        policy_line(rooms(HALF), TURNED, EVEN, [Fraction(0)])
    with pytest.raises(BadInput, match="lines is empty"):
        draw_bounds({})
    assert not plt.get_fignums()
