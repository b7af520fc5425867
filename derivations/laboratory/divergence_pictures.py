"""The divergence of two policies over two actions, in both orders of its arguments; readable without colour.

D(p‖q) = Σ_a p(a) log(p(a)/q(a)), in nats. The penalty of RLHF is D(π‖π_ref), that of TRPO D(π_old‖π): in one the policy that
is trained stands first, in the other second.
"""

from __future__ import annotations

from math import log

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from toy_envs.errors import BadInput

TOP = 2.5  # nats, where the picture ends
CLOSEST = 1e-4  # how near to 0 and 1 the curves are drawn


def divergence(first: float, second: float) -> float:
    """D(p‖q) of two laws over two actions, given the probability of the first action in each; inf where q lacks one."""
    pairs = ((first, second), (1 - first, 1 - second))
    if any(p > 0 and q == 0 for p, q in pairs):
        return float("inf")
    return sum(p * log(p / q) for p, q in pairs if p > 0)


def draw_divergences(still: float) -> Figure:
    """Draws D(π‖π′) and D(π′‖π) over the policy π(a), with π′(a) = `still` held.

    Raises BadInput unless 0 < still < 1.
    """
    if not 0 < still < 1:
        raise BadInput(f"still is {still}; expected a probability between 0 and 1")
    across = np.linspace(CLOSEST, 1 - CLOSEST, 800)
    figure, axes = plt.subplots(figsize=(6.8, 4), layout="constrained")
    axes.plot(across, [divergence(p, still) for p in across], "k-", linewidth=1.8, label="D(π‖π′), π first")
    axes.plot(across, [divergence(still, p) for p in across], "k--", linewidth=1.8, label="D(π′‖π), π second")
    axes.plot(still, 0, "ko", markersize=8, label=f"π = π′ = ({still:g}, {1 - still:g})")
    for edge, height in ((0.0, divergence(0.0, still)), (1.0, divergence(1.0, still))):
        label = None if edge else "D(π‖π′) at the edges"
        axes.plot(edge, height, "ks", markerfacecolor="white", markersize=7, clip_on=False, zorder=3, label=label)
    axes.set(xlabel="π(a)", ylabel="divergence (nats)", xlim=(0, 1), ylim=(-0.06, TOP))
    axes.legend(fontsize="small", loc="upper center")
    return figure
