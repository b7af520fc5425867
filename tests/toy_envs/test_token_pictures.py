"""Pictures of worlds with an end token and with prompts, and of what a tree costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import matplotlib
import matplotlib.pyplot as plt
import pytest
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from walking import finished

from toy_envs import ADDITION, BRACKETS, BadInput
from toy_envs.demonstrations import Writer
from toy_envs.pictures import draw_prefix_tree, draw_tree_cost
from toy_envs.token_mdp import TokenMDP, Tokens

matplotlib.use("Agg")


@pytest.fixture
def axes() -> Iterator[Axes]:
    figure, made = plt.subplots()
    yield made
    plt.close(figure)


def blocks(axes: Axes) -> dict[tuple[float, float], float]:
    """The width of the block at each (row, left)."""
    found = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    return {(b.get_y(), round(b.get_x(), 9)): round(b.get_width(), 9) for b in found}


def law_of(mdp: TokenMDP, prompt: Tokens) -> dict[Tokens, float]:
    """What the careless writer answers to one prompt."""
    writer = mdp.demonstrations
    assert isinstance(writer, Writer)
    law = {}
    for _, response in (pair for pair in finished(mdp) if pair[0] == prompt):
        chance = 1.0
        for place, token in enumerate(response):
            chance *= float(writer.law(prompt, response[:place])[token])
        law[response] = chance
    return law


def test_a_response_that_ends_early_ends_its_column(axes: Axes) -> None:
    law = {BRACKETS.encode("()."): 0.5, BRACKETS.encode("."): 0.25, BRACKETS.encode("([])."): 0.25}
    draw_prefix_tree(axes, BRACKETS, law)
    below = {(row, 0.5): 0.25 for row in (2, 3, 4)}  # `]).` below `[`, to the right of `).`
    assert blocks(axes) == {
        (0, 0.0): 0.75,
        (0, 0.75): 0.25,  # `.`, with nothing below
        (1, 0.0): 0.5,
        (1, 0.5): 0.25,
        (2, 0.0): 0.5,
        **below,
    }
    assert axes.get_ylim() == (7, 0)


@pytest.mark.parametrize(
    ("mdp", "prompt"), [(BRACKETS, ()), (ADDITION, ADDITION.encode("7+5="))], ids=["brackets", "one prompt of addition"]
)
def test_each_row_is_as_wide_as_what_has_not_ended_before(axes: Axes, mdp: TokenMDP, prompt: Tokens) -> None:
    law = law_of(mdp, prompt)
    draw_prefix_tree(axes, mdp, law)
    drawn = blocks(axes)
    for row in range(mdp.horizon):
        longer = sum(p for response, p in law.items() if len(response) > row)
        width = sum(width for (y, _), width in drawn.items() if y == row)
        assert width <= longer + 1e-6
        if row < 2:  # further down some blocks are too thin to be drawn
            assert width == pytest.approx(longer, abs=5e-3)
    if mdp is ADDITION:
        labels = [text.get_text() for text in axes.texts]
        assert labels[0] == "1" and {"2", "3", "."} <= set(labels)


def test_a_law_of_several_prompts_at_once_is_refused(axes: Axes) -> None:
    law = {y: p / 100 for y, p in law_of(ADDITION, ADDITION.prompts[3]).items()}
    with pytest.raises(
        BadInput, match=r"law: the probabilities of the responses sum to 0\.01; expected 1, for one prompt"
    ):
        draw_prefix_tree(axes, ADDITION, law)


@dataclass(frozen=True)
class Measured:
    prefixes: int
    responses: int
    seconds: float


def test_the_cost_is_drawn_over_both_counts() -> None:
    one = [Measured(10, 1000, 0.1), Measured(100, 1000, 1.0)]
    other = [Measured(50, 10, 0.5), Measured(50, 5000, 0.5)]
    figure = draw_tree_cost({"one": one, "other": other})
    left, right = figure.axes
    assert (left.get_xlabel(), right.get_xlabel()) == ("responses", "prefixes")
    assert left.get_xscale() == right.get_xscale() == left.get_yscale() == "log"
    for axes, name in ((left, "responses"), (right, "prefixes")):
        for line, series in zip(axes.lines, (one, other), strict=True):
            assert list(line.get_xdata()) == [getattr(cost, name) for cost in series]
            assert list(line.get_ydata()) == [cost.seconds for cost in series]
    assert len({line.get_marker() for line in left.lines}) == 2, "told apart without colour"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["one", "other"]
    plt.close(figure)
