"""Pictures of the worlds, in one style that can be read without colour."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from toy_envs.errors import BadInput
from toy_envs.grid import DIRECTIONS, ENDS, GOAL, START, Layout, cells
from toy_envs.token_mdp import TokenMDP, Tokens

Law = Mapping[Tokens, float]
"""The probability of each response."""

TOLERANCE = 1e-3  # of a sum of probabilities, which may come from a policy in float32
THINNEST = 0.0005  # of the width; what is narrower is not drawn one by one
NARROWEST_LABEL = 0.022  # of the width; narrower blocks have no room for their symbol

LONGEST_ARROW = 0.42  # of a cell: an action of probability one
SHORTEST_ARROW = 0.02  # of a probability; rarer actions have no arrow


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
    and its shade, is the last token. Responses that end early end their column. Raises BadInput where the law does not
    sum to 1, as one of several prompts at once would not for each.
    """
    total = sum(law.values())
    if abs(total - 1) > TOLERANCE:
        raise BadInput(f"law: the probabilities of the responses sum to {total:g}; expected 1, for one prompt")
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


class Cost(Protocol):
    """What a tree has, and how long its J and ∇J take."""

    @property
    def prefixes(self) -> int: ...
    @property
    def responses(self) -> int: ...
    @property
    def seconds(self) -> float: ...


def draw_tree_cost(series: Mapping[str, Sequence[Cost]]) -> Figure:
    """The time of J and ∇J over the number of responses and over that of prefixes; on which does it depend?

    Both panels have the same points, a marker for each series, joined in their order, on logarithmic axes.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
    for (name, costs), marker, line in zip(series.items(), "os^v", ("-", "--", ":", "-."), strict=False):
        times = [cost.seconds for cost in costs]
        for axes, counts in (
            (left, [cost.responses for cost in costs]),
            (right, [cost.prefixes for cost in costs]),
        ):
            axes.loglog(counts, times, marker=marker, linestyle=line, label=name)
    left.set(xlabel="responses", ylabel="seconds for J and ∇J")
    left.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    left.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    left.yaxis.set_minor_formatter(NullFormatter())
    right.set(xlabel="prefixes")
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=len(series))
    return figure


def draw_grid(axes: Axes, layout: Layout, v: Sequence[Any], policy: Sequence[Sequence[Any]]) -> None:
    """Draws a grid's value and policy: in each cell the number V(s), and an arrow as long as each action is likely.

    `v` [S] and `policy` [S, 4] are in the order of `grid.cells`, exact or not. The darker a cell, the lower its value.
    Walls are hatched, the start has a thick border; goal and pit show their sign only, as nothing is chosen there.
    """
    values = [float(value) for value in v]
    chosen = [
        value for (row, column), value in zip(cells(layout), values, strict=True) if layout[row][column] not in ENDS
    ]
    lowest, highest = min(chosen), max(chosen)
    axes.set_facecolor("white")
    axes.add_patch(Rectangle((0, 0), len(layout[0]), len(layout), facecolor="lightgrey", edgecolor="grey", hatch="///"))
    for (row, column), value, law in zip(cells(layout), values, policy, strict=True):
        symbol = layout[row][column]
        height = (value - lowest) / ((highest - lowest) or 1)
        ends = symbol in ENDS
        # Only the light half of the scale, so that black can be read everywhere.
        shade = "white" if ends else plt.get_cmap("Greys")(0.5 * (1 - height))
        axes.add_patch(Rectangle((column, row), 1, 1, facecolor=shade, edgecolor="black", linewidth=0.8))
        if symbol == START:
            axes.add_patch(Rectangle((column + 0.04, row + 0.04), 0.92, 0.92, fill=False, linewidth=2))
        if ends:
            sign = "+" if symbol == GOAL else "−"
            axes.text(column + 0.5, row + 0.5, sign, ha="center", va="center", fontsize="xx-large")
        else:
            axes.text(
                column + 0.93, row + 0.08, f"{value:.2f}".replace("-", "−"), ha="right", va="top", fontsize="small"
            )
            _draw_arrows(axes, row + 0.56, column + 0.5, law)
    axes.set(xlim=(0, len(layout[0])), ylim=(len(layout), 0), xticks=[], yticks=[], aspect="equal")


def draw_grids(layout: Layout, policies: Mapping[str, tuple[Sequence[Any], Sequence[Sequence[Any]]]]) -> Figure:
    """The value and the policy of several policies on the same grid, side by side, with their names."""
    width, height = len(layout[0]), len(layout)
    figure, row = plt.subplots(
        1, len(policies), figsize=(width * len(policies), height + 0.4), squeeze=False, layout="constrained"
    )
    for axes, (name, (v, policy)) in zip(row.flat, policies.items(), strict=True):
        draw_grid(axes, layout, v, policy)
        axes.set_title(name, loc="left")
    return figure


def _draw_arrows(axes: Axes, row: float, column: float, law: Sequence[Any]) -> None:
    for (down, right), probability in zip(DIRECTIONS, law, strict=True):
        length = LONGEST_ARROW * float(probability)
        if probability >= SHORTEST_ARROW:
            axes.arrow(
                column,
                row,
                length * right,
                length * down,
                length_includes_head=True,
                head_width=min(0.09, 0.4 * length),
                head_length=min(0.09, 0.4 * length),
                linewidth=1,
                color="black",
            )


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
