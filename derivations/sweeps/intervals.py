"""What a few seeds say of all seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite, nan, sqrt
from statistics import fmean, stdev

from toy_envs.errors import BadInput

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """The mean of some values, and the interval that covers the mean of all in 95 % of such draws."""

    mean: float
    low: float
    high: float
    count: int


def t_interval(values: Sequence[float]) -> Interval:
    """Student's interval for a mean, of values that are about normal and independent.

    x̄ ± t_{n−1, 0.975} s/√n,  s² = Σ(x_i − x̄)²/(n − 1)

    One value says nothing of the others: its interval is everything. Where a value is not finite, neither the mean nor
    the interval is a number. Raises BadInput where there is no value.
    """
    from scipy.stats import t

    if not values:
        raise BadInput("values is empty; expected at least one")
    count = len(values)
    if not all(map(isfinite, values)):
        return Interval(nan, nan, nan, count)
    mean = fmean(values)
    if count == 1:
        return Interval(mean, -inf, inf, 1)
    half = float(t.ppf((1 + CONFIDENCE) / 2, count - 1)) * stdev(values) / sqrt(count)
    return Interval(mean, mean - half, mean + half, count)
