"""A whole tree of 100,000 responses through the tiny GPT: no prefix twice, little memory, and the cost of its prefixes."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from derivations.algorithms import benchmarks, exact
from derivations.algorithms.benchmarks import TREES, TreeCost, tree_cost, tree_cost_apart, tree_costs
from derivations.algorithms.gpt import GPT, GPTConfig
from toy_envs.errors import BadInput
from toy_envs.token_mdp import TokenMDP


def operations(vocabulary: int, horizon: int, width: int = 16) -> tuple[float, int, int]:
    """Multiplications and additions of J and ∇J, and how many prefixes and responses there are. The same everywhere."""
    symbols = tuple(chr(ord("一") + token) for token in range(vocabulary))
    mdp = TokenMDP("cost", symbols, horizon, lambda prompt, response: float(response[0] < response[-1]), beta=0.1)
    tree = exact.prefix_tree(mdp)
    policy = GPT(GPTConfig(vocabulary, horizon, layers=2, width=width, heads=2))
    with torch.no_grad():
        logp_ref = exact.tree_logp(policy, tree)
    with FlopCounterMode(display=False) as counted:
        exact.gradient(policy, tree, logp_ref, mdp.beta)
    return counted.get_total_flops(), mdp.prefixes(), mdp.responses()


def test_a_hundred_thousand_responses_take_each_prefix_once_and_little_memory() -> None:
    """In a process of its own; what torch itself takes is included."""
    found = tree_cost_apart(10, 5)
    assert found.responses == 100_000
    assert found.rows == found.prefixes == 11_111
    assert 100 < found.peak < 1024
    assert found.seconds > 0


def test_the_work_grows_with_the_prefixes_and_not_with_the_responses() -> None:
    """As many responses on ten times fewer prefixes: ten times less work. As many prefixes, twice the responses: as much."""
    few, few_prefixes, few_responses = operations(22, 3)
    many, many_prefixes, many_responses = operations(3, 8)
    assert many_responses / few_responses == pytest.approx(1, rel=0.4)
    assert many_prefixes / few_prefixes > 6
    assert many / few == pytest.approx(many_prefixes / few_prefixes, rel=0.1)
    narrow, narrow_prefixes, narrow_responses = operations(5, 4)
    wide, wide_prefixes, wide_responses = operations(12, 3)
    assert wide_responses / narrow_responses > 2.5
    assert wide / narrow == pytest.approx(wide_prefixes / narrow_prefixes, rel=0.1)


def test_the_series_of_the_figure() -> None:
    """One of as many responses and one of as many prefixes, from sizes alone."""

    def sizes(series: str) -> tuple[list[int], list[int]]:
        responses = [vocabulary**horizon for vocabulary, horizon in TREES[series]]
        prefixes = [sum(vocabulary**t for t in range(horizon)) for vocabulary, horizon in TREES[series]]
        return responses, prefixes

    responses, prefixes = sizes("about 10⁵ responses")
    assert max(responses) / min(responses) < 2 and max(prefixes) / min(prefixes) > 90
    responses, prefixes = sizes("about 10⁴ prefixes")
    assert max(responses) / min(responses) > 100 and max(prefixes) / min(prefixes) < 1.4


def test_costs_are_measured_series_by_series(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []

    def planted(vocabulary: int, horizon: int) -> TreeCost:
        asked.append((vocabulary, horizon))
        return TreeCost(vocabulary, horizon, 1, 1, 1, 0.1, 100.0)

    monkeypatch.setattr(benchmarks, "tree_cost_apart", planted)
    found = tree_costs({"one": [(2, 3)], "other": [(3, 4), (4, 3)]})
    assert asked == [(2, 3), (3, 4), (4, 3)]
    assert {name: [cost.vocabulary for cost in costs] for name, costs in found.items()} == {"one": [2], "other": [3, 4]}


def test_it_runs_at_least_once() -> None:
    with pytest.raises(BadInput, match="repeats is 0; expected at least 1"):
        tree_cost(2, 2, repeats=0)
