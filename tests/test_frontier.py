"""The reward–KL frontier: no policy is above it, and π* is on it."""

from __future__ import annotations

from functools import cache

import matplotlib
import matplotlib.pyplot as plt
import pytest
import torch
from small_worlds import ENDING, policy_for

from derivations.algorithms import exact
from derivations.algorithms.checkpoints import load_policy
from derivations.algorithms.devices import one_thread
from derivations.algorithms.settings import settings_for
from derivations.algorithms.trainer import Trainer
from derivations.laboratory.frontier import Frontier, Point, exact_logp, frontier, place
from derivations.laboratory.frontier_pictures import draw_frontier
from toy_envs import SORTING
from toy_envs.errors import BadInput

matplotlib.use("Agg")

TREE = exact.prefix_tree(ENDING)
REF = exact_logp(policy_for(ENDING, 0), TREE)
BETAS = (0.01, 0.03, 0.1, 0.3, 1.0, 10.0)


def excess(found: Frontier, policy: Point) -> float:
    return policy.score - found.most(policy.kl)


def test_a_point_is_the_kl_and_the_score_of_the_optimum() -> None:
    found = frontier(TREE, REF, BETAS)
    assert found.betas == tuple(sorted(BETAS, reverse=True))
    for beta, point in zip(found.betas, found.points, strict=True):
        best = exact.optimum(TREE, REF, beta)
        at = place(TREE, best.logp, REF)
        assert (at.kl, at.score) == pytest.approx((point.kl, point.score), abs=1e-12)
        assert abs(excess(found, at)) < 1e-9


def test_it_begins_at_the_reference_and_ends_at_the_best_response_rising_and_concave() -> None:
    found = frontier(TREE, REF, [10.0 ** (power / 4) for power in range(-14, 17)])
    first, last = found.points[0], found.points[-1]
    start = place(TREE, REF, REF)
    assert start.kl == pytest.approx(0, abs=1e-12)
    assert (first.kl, first.score) == pytest.approx((0, start.score), abs=1e-4)
    best = [
        max(ENDING.reward(prompt, y) for asked, y in TREE.responses if asked == prompt) for prompt in ENDING.prompts
    ]
    assert last.score == pytest.approx(sum(p * r for p, r in zip(ENDING.prompt_law, best, strict=True)), abs=1e-4)
    slopes = []
    for one, other in zip(found.points, found.points[1:], strict=False):
        assert other.kl >= one.kl - 1e-9 and other.score >= one.score - 1e-9
        if other.kl > one.kl + 1e-6:
            slopes.append((other.score - one.score) / (other.kl - one.kl))
    assert slopes == sorted(slopes, reverse=True)


def mixed(logp: exact.Levels, other: exact.Levels, share: float) -> exact.Levels:
    """Between two policies at each prefix, in the logarithm."""
    return tuple(((1 - share) * a + share * b).log_softmax(-1) for a, b in zip(logp, other, strict=True))


def test_no_random_policy_is_above_it() -> None:
    found = frontier(TREE, REF, BETAS)
    generator = torch.Generator().manual_seed(1)
    nearest = -float("inf")
    for _ in range(200):
        spread = 10 ** (4 * torch.rand((), generator=generator).item() - 2)
        noise = tuple(spread * torch.randn(r.shape, generator=generator, dtype=r.dtype) for r in REF)
        wild = tuple((r + n).log_softmax(-1) for r, n in zip(REF, noise, strict=True))
        beta = BETAS[int(torch.randint(len(BETAS), (), generator=generator))]
        best = exact.optimum(TREE, REF, beta).logp
        for policy in (wild, mixed(best, wild, 0.5), mixed(best, wild, 1e-3)):
            over = excess(found, place(TREE, policy, REF))
            assert over <= 1e-9
            nearest = max(nearest, over)
    assert nearest > -1e-3, "some come near enough for the bound to mean something"


@cache
def trained(algorithm: str) -> tuple[list[Point], Frontier]:
    """The path of a short run on Sorting-v0, with the frontier of its world."""
    assert SORTING.reference is not None
    tree = exact.prefix_tree(SORTING)
    with one_thread():
        ref = exact_logp(load_policy(SORTING.reference), tree)
        settings = settings_for(algorithm, updates=6, episodes=64)
        trainer = Trainer(SORTING, load_policy(SORTING.reference), settings)
        path = [place(tree, exact_logp(trainer.policy, tree), ref) for _ in trainer.run()]
    return path, frontier(tree, ref, (0.02, SORTING.beta, 0.1, 0.2, 1.0))


@pytest.mark.parametrize("algorithm", ["ppo", "cpi", "dpo"])
def test_no_trained_policy_is_above_it(algorithm: str) -> None:
    path, found = trained(algorithm)
    assert abs(path[0].kl) < 1e-12
    assert all(excess(found, point) <= 1e-9 for point in path)
    assert path[-1].kl > 0.2 and path[-1].score > path[0].score


def test_a_policy_in_float32_is_exact_only_once_its_sum_is_one() -> None:
    with torch.no_grad():
        raw = tuple(level.double() for level in exact.tree_logp(policy_for(ENDING, 3, torch.float32), TREE))
    normal = exact_logp(policy_for(ENDING, 3, torch.float32), TREE)
    assert max((level.exp().sum(-1) - 1).abs().max().item() for level in raw) > 1e-9
    assert max((level.exp().sum(-1) - 1).abs().max().item() for level in normal) < 1e-14
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(raw, normal, strict=True))


@pytest.mark.parametrize(
    ("betas", "message"), [((), "betas is empty"), ((0.1, 0.0), "beta is 0.0; expected a positive")]
)
def test_what_is_no_beta_is_refused(betas: tuple[float, ...], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        frontier(TREE, REF, betas)


def test_the_picture_has_the_frontier_and_every_path_under_it() -> None:
    found = frontier(TREE, REF, BETAS)
    paths = {"one": [Point(0, 0.3), Point(0.5, 0.4)], "other": [Point(0, 0.3), Point(2.5, 0.2)]}
    figure = draw_frontier(found, paths, named=(0.1, 1.0), beta=0.3)
    (axes,) = figure.axes
    curve = axes.lines[0]
    assert list(curve.get_xdata())[:-1] == [p.kl for p in found.points]
    assert list(curve.get_ydata())[:-1] == [p.score for p in found.points]
    drawn = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines}
    assert drawn["one"] == ([0, 0.5], [0.3, 0.4]) and drawn["other"] == ([0, 2.5], [0.3, 0.2])
    assert axes.get_xlim()[1] > 2.5, "no path leaves the picture"
    assert [text.get_text() for text in axes.texts] == ["β = 0.1", "β = 1"]
    styles = [(line.get_marker(), line.get_linestyle()) for line in axes.lines if line.get_label() in paths]
    assert len({marker for marker, _ in styles}) == len({line for _, line in styles}) == 2
    assert "(nats)" in axes.get_xlabel() and "(reward)" in axes.get_ylabel()
    plt.close(figure)


def test_what_cannot_be_drawn_is_refused() -> None:
    found = frontier(TREE, REF, BETAS)
    with pytest.raises(BadInput, match="paths has 7 paths; expected at most 6"):
        draw_frontier(found, {str(n): [Point(0, 0)] for n in range(7)})
    with pytest.raises(BadInput, match=r"beta is 0\.5; expected one of the frontier's: 10, 1, 0\.3"):
        draw_frontier(found, {}, beta=0.5)
