"""derivations bench: ratios, not times; a slow one and a wrong one are told."""

from __future__ import annotations

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor

from derivations.algorithms import benchmarks
from derivations.algorithms.benchmarks import BENCHMARKS, Benchmark
from derivations.cli import main


def ticking(monkeypatch: pytest.MonkeyPatch, slow: float, fast: float) -> Benchmark:
    """A benchmark whose clock moves by `slow` and `fast` seconds, not by what the machine does."""
    now = [0.0]
    monkeypatch.setattr(benchmarks, "perf_counter", lambda: now[0])

    def taking(seconds: float) -> Tensor:
        now[0] += seconds
        return torch.ones(1)

    return Benchmark("nothing at all", lambda: taking(slow), lambda: taking(fast), at_least=20)


def run(monkeypatch: pytest.MonkeyPatch, benchmark: Benchmark) -> tuple[int, str]:
    for name in list(BENCHMARKS):
        monkeypatch.delitem(BENCHMARKS, name)
    monkeypatch.setitem(BENCHMARKS, "planted", benchmark)
    result = CliRunner().invoke(main, ["bench", "--pairs", "3"])
    return result.exit_code, result.stdout


def test_a_ratio_that_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    status, told = run(monkeypatch, ticking(monkeypatch, 50.0, 2.0))
    assert status == 0
    assert "planted: 25.0 times faster (25.0 to 25.0 in 3 pairs; at least 20 is claimed)" in told


def test_a_ratio_that_is_not_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    status, told = run(monkeypatch, ticking(monkeypatch, 38.0, 2.0))
    assert status == 1
    assert "planted: 19.0 times faster" in told


def test_a_wrong_result_is_no_fast_one() -> None:
    wrong = Benchmark("wrong", lambda: torch.ones(2), lambda: torch.zeros(2), at_least=1)
    with pytest.raises(ArithmeticError, match="wrong: the two ways differ"):
        wrong.ratios(1)


def test_the_objective_by_rows_is_the_one_by_the_tree() -> None:
    """On 8⁵ responses, value and gradient, in float32."""
    by_rows, by_tree = benchmarks.objective_by_rows(), benchmarks.objective_by_tree()
    assert torch.allclose(by_rows, by_tree, rtol=1e-3, atol=1e-6)
    assert by_tree[0] != 0
    assert by_tree[1:].norm() > 1e-3
