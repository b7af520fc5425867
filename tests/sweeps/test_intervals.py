"""Student's interval, against numbers from a table, and against what it promises."""

from __future__ import annotations

import random
from math import inf, isnan, nan

import pytest

from derivations.sweeps.intervals import t_interval
from toy_envs.errors import BadInput


def test_an_interval_of_a_table() -> None:
    found = t_interval([1.0, 2.0, 3.0])
    # t of 2 degrees of freedom at 0.975 is 4.302653 in every table; s = 1.
    half = 4.302653 / 3**0.5
    assert found.mean == 2 and found.count == 3
    assert (found.low, found.high) == pytest.approx((2 - half, 2 + half), abs=1e-6)


def test_it_covers_the_mean_in_95_of_100_draws() -> None:
    draw = random.Random(1)
    samples = ([draw.gauss(3, 2) for _ in range(4)] for _ in range(4000))
    covered = sum(found.low <= 3 <= found.high for found in map(t_interval, samples))
    assert covered / 4000 == pytest.approx(0.95, abs=0.011)  # three deviations


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_what_is_not_finite_has_no_interval(value: float) -> None:
    found = t_interval([1.0, value, 2.0])
    assert isnan(found.mean) and isnan(found.low) and isnan(found.high) and found.count == 3


def test_one_value_excludes_nothing_and_none_is_refused() -> None:
    assert (t_interval([4.0]).low, t_interval([4.0]).high) == (-inf, inf)
    with pytest.raises(BadInput, match="values is empty; expected at least one"):
        t_interval([])
