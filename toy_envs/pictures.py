"""Pictures of the worlds, in one style that can be read without colour."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from toy_envs.token_mdp import TokenMDP, Tokens

Law = Mapping[Tokens, float]
"""The probability of each response."""

THINNEST = 0.0005  # of the width; what is narrower is not drawn one by one
NARROWEST_LABEL = 0.022  # of the width; narrower blocks have no room for their symbol


def prefix_probabilities(law: Law) -> dict[Tokens, float]:
    """π(y_<t) of every prefix: the sum over the responses that begin with it."""
    found: dict[Tokens, float] = defaultdict(float)
    for response, probability in law.items():
        for length in range(1, len(response) + 1):
            found[response[:length]] += probability
    return found


def draw_prefix_tree(axes: Axes, mdp: TokenMDP, law: Law) -> None:
    """Draws the tree of prefixes of one prompt: a row for each place, a block for each prefix, as wide as it is likely.

    The blocks of a row stand in the order of their tokens, each below the one that it continues; the symbol in a block,
    and its shade, is the last token. Responses that end early end their column.
    """
    probabilities = prefix_probabilities(law)
    left: dict[Tokens, float] = {(): 0.0}
    for prefix in sorted(probabilities, key=lambda tokens: (len(tokens), tokens)):
        place = left[prefix[:-1]]
        left[prefix[:-1]] += probabilities[prefix]
        left[prefix] = place
        if probabilities[prefix] >= THINNEST:
            _draw_block(axes, mdp, prefix, place, probabilities[prefix])
    axes.set(xlim=(0, 1), ylim=(mdp.horizon, 0), xticks=[0, 0.5, 1], yticks=[t + 0.5 for t in range(mdp.horizon)])
    axes.set_yticklabels([f"y{_subscript(t)}" for t in range(mdp.horizon)])
    axes.tick_params(length=0)
    for side in axes.spines.values():
        side.set_visible(False)


def draw_prefix_trees(mdp: TokenMDP, laws: Mapping[str, Law]) -> Figure:
    """Several policies on the same tree, one above the other, with their names."""
    figure, rows = plt.subplots(
        len(laws), figsize=(9, 1.9 * len(laws)), sharex=True, squeeze=False, layout="constrained"
    )
    for axes, (name, law) in zip(rows.flat, laws.items(), strict=True):
        draw_prefix_tree(axes, mdp, law)
        axes.set_title(name, loc="left")
    rows[-1, 0].set_xlabel("probability")
    return figure


def _draw_block(axes: Axes, mdp: TokenMDP, prefix: Tokens, left: float, width: float) -> None:
    token, depth = prefix[-1], len(prefix) - 1
    shade = plt.get_cmap("cividis")(token / max(mdp.size - 1, 1))
    axes.add_patch(Rectangle((left, depth), width, 1, facecolor=shade, edgecolor="white", linewidth=0.3))
    if width >= NARROWEST_LABEL:
        dark = token < mdp.size / 2
        axes.text(
            left + width / 2,
            depth + 0.5,
            mdp.text((token,)),
            ha="center",
            va="center",
            color="white" if dark else "black",
        )


def _subscript(number: int) -> str:
    return "".join(chr(0x2080 + int(digit)) for digit in str(number))
