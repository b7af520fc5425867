"""Speeds, each as a ratio of two ways to the same result, timed in turn in one process.

A ratio is the median over pairs of (slow way, fast way): what else the machine does in the meantime hits both.

And what a whole tree of prefixes costs: `python -m derivations.algorithms.benchmarks VOCABULARY HORIZON` measures one,
in a process of its own, so that the most memory is that of this tree and of nothing before it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
from torch import Tensor

from derivations.algorithms import exact
from derivations.algorithms.devices import one_thread
from derivations.algorithms.gpt import GPT, GPTConfig
from derivations.algorithms.rollout import Responses, score
from toy_envs.errors import BadInput
from toy_envs.token_mdp import TokenMDP, Tokens

ROWS = 4096  # responses in one pass of the row-by-row way: larger parts were not faster


@dataclass(frozen=True)
class Benchmark:
    """Two ways to one result: `fast` is to be at least `at_least` times faster than `slow`."""

    words: str
    slow: Callable[[], Tensor]
    fast: Callable[[], Tensor]
    at_least: float

    def ratios(self, pairs: int) -> list[float]:
        """The times of `slow` over those of `fast`, pair by pair, after a first pair that is not counted.

        Raises ArithmeticError where the two results differ: a wrong result is no fast one.
        """
        if not torch.allclose(self.slow(), self.fast(), rtol=1e-3, atol=1e-6):
            raise ArithmeticError(f"{self.words}: the two ways differ")
        return [_seconds(self.slow) / _seconds(self.fast) for _ in range(pairs)]


def typical(ratios: list[float]) -> float:
    """The median."""
    return median(ratios)


def _seconds(work: Callable[[], Tensor]) -> float:
    started = perf_counter()
    work()
    return perf_counter() - started


# --- J and ∇J over 8⁵ responses -------------------------------------------------------------------------------------


def _ascending_ends(prompt: Tokens, response: Tokens) -> float:
    return float(response[0] < response[-1])


EIGHT = TokenMDP("eight", tuple("01234567"), 5, _ascending_ends, beta=0.1)


@cache
def _setting() -> tuple[GPT, exact.Tree, exact.Levels]:
    config = GPTConfig(EIGHT.size, EIGHT.horizon, layers=2, width=64, heads=2)
    tree = exact.prefix_tree(EIGHT)
    with torch.no_grad():
        logp_ref = exact.tree_logp(GPT(config, seed=1), tree)
    return GPT(config, seed=0), tree, logp_ref


@cache
def _rows() -> tuple[Responses, Tensor, Tensor]:
    """Every response, its score, and log π_ref of it."""
    _, tree, logp_ref = _setting()
    tokens = torch.tensor([response for _, response in tree.responses])
    scores = torch.tensor([EIGHT.reward(*pair) for pair in tree.responses])
    everything = Responses(tokens[:, :0], tokens, torch.ones_like(tokens, dtype=torch.bool))
    return everything, scores, exact.response_logp(tree, logp_ref)


def objective_by_rows() -> Tensor:
    """J and ∇J = ∇ Σ_y π(y)(r(y) − β log π(y)/π_ref(y)), each response read on a row of its own."""
    policy = _setting()[0]
    responses, scores, reference = _rows()
    policy.zero_grad()
    total = torch.zeros(())
    for index in torch.arange(len(responses)).split(ROWS):
        logp = score(policy, responses.rows(index)).logp.sum(-1)
        part = (logp.exp() * (scores[index] - EIGHT.beta * (logp - reference[index]))).sum()
        part.backward()
        total += part.detach()
    gradients = [torch.zeros_like(w) if w.grad is None else w.grad for w in policy.parameters()]
    return torch.cat([total.view(1), *(g.flatten() for g in gradients)])


def objective_by_tree() -> Tensor:
    """J and ∇J by the tree of prefixes."""
    policy, tree, logp_ref = _setting()
    objective = exact.evaluate(tree, exact.tree_logp(policy, tree), logp_ref, EIGHT.beta).objective
    gradients = torch.autograd.grad(objective, list(policy.parameters()), materialize_grads=True)
    return torch.cat([objective.detach().view(1), *(g.flatten() for g in gradients)])


BENCHMARKS = {
    "exact": Benchmark(
        "J and ∇J over 8⁵ responses: each prefix once, against a row for each response",
        objective_by_rows,
        objective_by_tree,
        at_least=20,
    ),
}


# --- what a tree costs ----------------------------------------------------------------------------------------------

LAYERS, WIDTH, HEADS = 2, 32, 2  # of the tiny GPT, as it is pretrained
TREES = {
    "about 10⁵ responses": ((316, 2), (46, 3), (18, 4), (10, 5), (7, 6), (3, 10)),
    "about 10⁴ prefixes": ((2, 13), (6, 6), (10, 5), (21, 4), (100, 3)),
}
"""Vocabulary and horizon of trees that have as many responses and ever more prefixes, or as many prefixes and ever more
responses: what the cost grows with is seen in the first, and what it does not grow with in the second."""


@dataclass(frozen=True)
class TreeCost:
    """What J and ∇J of a world cost, each response once: `rows` are the sequences that the policy read.

    `seconds` is the least of several runs on one thread; `peak` the most memory of the whole process, in MiB.
    """

    vocabulary: int
    horizon: int
    prefixes: int
    responses: int
    rows: int
    seconds: float
    peak: float


def tree_cost(vocabulary: int, horizon: int, repeats: int = 5) -> TreeCost:
    """Enumerates the world of all responses of `horizon` tokens, and works out J and ∇J of a tiny GPT on it.

    `peak` is the most that this process has ever held: for that of the tree alone, use `tree_cost_apart`. Raises BadInput
    where `repeats` is less than 1, and TooManyPrefixes where the tree is too large.
    """
    if repeats < 1:
        raise BadInput(f"repeats is {repeats}; expected at least 1")
    symbols = tuple(chr(ord("一") + token) for token in range(vocabulary))
    mdp = TokenMDP("cost", symbols, horizon, _ascending_ends, beta=0.1)
    tree = exact.prefix_tree(mdp)
    policy = GPT(GPTConfig(vocabulary, horizon, LAYERS, WIDTH, HEADS))
    with one_thread(), torch.no_grad():
        logp_ref = exact.tree_logp(GPT(policy.config, seed=1), tree)
    rows: list[int] = []
    counting = policy.register_forward_pre_hook(lambda _, given: rows.append(given[0].shape[0]))
    seconds = []
    with one_thread():
        for _ in range(repeats):
            rows.clear()
            started = perf_counter()
            exact.gradient(policy, tree, logp_ref, mdp.beta)
            seconds.append(perf_counter() - started)
    counting.remove()
    return TreeCost(vocabulary, horizon, tree.prefixes, mdp.responses(), sum(rows), min(seconds), _peak())


def tree_cost_apart(vocabulary: int, horizon: int) -> TreeCost:
    """`tree_cost` in a process of its own."""
    command = [sys.executable, "-m", "derivations.algorithms.benchmarks", str(vocabulary), str(horizon)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return TreeCost(**json.loads(done.stdout))


def tree_costs(trees: Mapping[str, Sequence[tuple[int, int]]] = TREES) -> dict[str, list[TreeCost]]:
    """The costs of each series of (vocabulary, horizon), each in a process of its own. Takes some seconds a tree."""
    return {name: [tree_cost_apart(*sizes) for sizes in series] for name, series in trees.items()}


def _peak() -> float:
    """The most memory that this process has held, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():
        # Not getrusage: on Linux that begins with what the process held that started this one.
        found = next(row for row in status.read_text(encoding="ascii").splitlines() if row.startswith("VmHWM"))
        return int(found.split()[1]) / 2**10
    import resource

    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / (2**20 if sys.platform == "darwin" else 2**10)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(tree_cost(*map(int, sys.argv[1:])))))
