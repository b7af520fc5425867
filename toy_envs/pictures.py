"""Pictures of the worlds, in one style that can be read without colour."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Protocol

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from toy_envs.errors import BadInput
from toy_envs.token_mdp import TokenMDP, Tokens

Law = Mapping[Tokens, float]
"""The probability of each response."""

TOLERANCE = 1e-3  # of a sum of probabilities, which may come from a policy in float32
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
