"""Sorting-v0: all of its 7776 responses, its careless writer, and the ways to get it."""

from __future__ import annotations

import ast
from collections import Counter
from fractions import Fraction
from itertools import pairwise, product
from math import comb, exp, log
from pathlib import Path

import gymnasium
import numpy as np
import pytest

import toy_envs
from toy_envs import SORTING, BadInput, SortingEnv, make_mdp
from toy_envs.sorting import FIRST, NEXT

PACKAGE = Path(toy_envs.__file__).parent
RESPONSES = list(product(range(6), repeat=5))


def ascents(values: int, length: int) -> Counter[int]:
    """How many sequences have so many strict ascents, by the number that end in each value; no sequence is written.

    One that ends in v gives one more ascent for each greater value, and none for v itself or a smaller one.
    """
    ending = {(value, 0): 1 for value in range(values)}
    for _ in range(length - 1):
        longer: Counter[tuple[int, int]] = Counter()
        for (last, count), number in ending.items():
            for value in range(values):
                longer[value, count + (value > last)] += number
        ending = dict(longer)
    found: Counter[int] = Counter()
    for (_, count), number in ending.items():
        found[count] += number
    return found


def by_inclusion_and_exclusion(values: int, length: int, count: int) -> int:
    """The same by a closed form: sequences with `count` strict ascents among `length` − 1 neighbouring pairs.

    Where j given pairs ascend and the others are free, each run of m + 1 places is one of C(values, m + 1) increasing
    ones. Cutting `length` places into runs in all ways, with Σ_j (−1)^{j−count} C(j, count) for "exactly".
    """

    def at_least(pairs: int, places: int) -> int:
        """The ways to choose `pairs` pairs among `places` places, times the sequences in which these ascend."""
        if places == 0:
            return int(pairs == 0)
        return sum(
            comb(values, run) * at_least(pairs - run + 1, places - run) for run in range(1, min(places, pairs + 1) + 1)
        )

    return sum((-1) ** (j - count) * comb(j, count) * at_least(j, length) for j in range(count, length))


def probability(response: tuple[int, ...]) -> Fraction:
    found = FIRST[response[0]]
    for last, following in pairwise(response):
        found *= NEXT[last][following]
    return found


def test_what_it_is() -> None:
    assert (SORTING.vocabulary, SORTING.horizon, SORTING.beta) == (("0", "1", "2", "3", "4", "5"), 5, 0.05)
    assert (SORTING.prompts, SORTING.end) == (((),), None)
    assert (SORTING.responses(), SORTING.prefixes()) == (len(RESPONSES), 1 + 6 + 36 + 216 + 1296)
    assert SORTING.reference is not None
    assert SORTING.reference.parts[-3:] == ("toy_envs", "data", "sorting-v0.safetensors")


def test_every_score_is_met_as_often_as_counted() -> None:
    found = Counter(SORTING.reward((), response) for response in RESPONSES)
    by_quarters = {k: found[k / 4] for k in range(5)}
    assert by_quarters == {0: 252, 1: 2856, 2: 3906, 3: 756, 4: 6}
    assert by_quarters == ascents(6, 5) == {k: by_inclusion_and_exclusion(6, 5, k) for k in range(5)}
    assert sum(found.values()) == 6**5  # so there is no other score


@pytest.mark.parametrize(
    ("text", "score"),
    [("01234", 1), ("12345", 1), ("54321", 0), ("00000", 0), ("00123", 0.75), ("05050", 0.5), ("43210", 0)],
)
def test_scores_by_hand(text: str, score: float) -> None:
    assert SORTING.reward((), SORTING.encode(text)) == score


def test_a_uniform_writer_scores_five_twelfths() -> None:
    # A pair of six values ascends in 15 of 36 cases, and every pair is alike.
    assert sum(Fraction(SORTING.reward((), y)) for y in RESPONSES) / 6**5 == Fraction(comb(6, 2), 6**2)


def test_the_careless_writer_is_a_markov_chain_that_can_write_everything() -> None:
    assert sum(FIRST) == 1 and all(sum(row) == 1 for row in NEXT)
    assert len(FIRST) == len(NEXT) == 6 and all(len(row) == 6 for row in NEXT)
    assert min(FIRST) > 0 and min(map(min, NEXT)) > 0
    assert FIRST[0] == Fraction(6, 21) and NEXT[0] == tuple(Fraction(w, 20) for w in (4, 8, 4, 2, 1, 1))
    assert NEXT[2] == tuple(Fraction(w, 30) for w in (4, 8, 4, 8, 4, 2))


def test_the_mean_score_of_the_careless_writer_exactly() -> None:
    """All responses, against the law of each digit moved along the chain."""
    enumerated = sum(probability(y) * Fraction(SORTING.reward((), y)) for y in RESPONSES)
    law, moved = list(FIRST), Fraction(0)
    for _ in range(4):
        moved += sum(law[i] * NEXT[i][j] for i in range(6) for j in range(i + 1, 6)) * Fraction(1, 4)
        law = [sum((law[i] * NEXT[i][j] for i in range(6)), Fraction(0)) for j in range(6)]
    assert sum(probability(y) for y in RESPONSES) == 1
    assert enumerated == moved == Fraction(279327807901, 595213920000)


def test_the_careless_writer_is_at_least_two_nats_from_the_optimal_policy() -> None:
    weights = {y: float(probability(y)) * exp(SORTING.reward((), y) / SORTING.beta) for y in RESPONSES}
    total = sum(weights.values())
    apart = sum(w / total * log(w / total / float(probability(y))) for y, w in weights.items())
    # β D(π*‖π_ref) = E_{π*}[r] − β log z as well.
    mean = sum(w / total * SORTING.reward((), y) for y, w in weights.items())
    assert apart == pytest.approx((mean - SORTING.beta * log(total)) / SORTING.beta)
    assert 3.9 < apart < 4


def test_demonstrations_follow_the_chain() -> None:
    assert SORTING.demonstrations is not None
    samples = SORTING.demonstrations(np.random.default_rng(5), 60_000)
    assert len(samples) == 60_000
    assert all(x == () and len(y) == 5 and all(type(token) is int for token in y) for x, y in samples)
    first = Counter(y[0] for _, y in samples)
    pairs = Counter((y[k], y[k + 1]) for _, y in samples for k in range(4))
    # Digits are compared at five standard deviations, of which none of 42 is expected outside; the seed is fixed.
    for digit in range(6):
        p = float(FIRST[digit])
        assert abs(first[digit] - 60_000 * p) < 5 * (60_000 * p * (1 - p)) ** 0.5
        visits = sum(pairs[digit, j] for j in range(6))
        for j in range(6):
            q = float(NEXT[digit][j])
            assert abs(pairs[digit, j] - visits * q) < 5 * (visits * q * (1 - q)) ** 0.5


def test_demonstrations_are_decided_by_the_generator() -> None:
    assert SORTING.demonstrations is not None
    first, again, other = (SORTING.demonstrations(np.random.default_rng(seed), 50) for seed in (1, 1, 2))
    assert first == again != other
    assert SORTING.demonstrations(np.random.default_rng(1), 0) == []


def test_made_by_gymnasium() -> None:
    env = gymnasium.make("toy_envs/Sorting-v0", render_mode="ansi")
    observation, info = env.reset(seed=0)
    assert observation.tolist() == [6] * 5 and info == {"prompt": (), "response": ()}
    for token in (0, 1, 3, 3):
        _, reward, terminated, truncated, _ = env.step(token)
        assert (reward, terminated, truncated) == (0, False, False)
    assert env.step(5)[1:4] == (0.75, True, False)
    assert env.render() == "→ 01335"
    assert isinstance(env.unwrapped, SortingEnv) and env.unwrapped.mdp is SORTING


def test_made_many_at_once() -> None:
    envs = gymnasium.make_vec("toy_envs/Sorting-v0", num_envs=3)
    observations, _ = envs.reset(seed=0)
    assert observations.shape == (3, 5) and (observations == 6).all()
    written = np.array([[0, 1, 2, 3, 4], [0, 0, 0, 0, 0], [5, 0, 5, 0, 5]])
    for tokens in written.T[:-1]:
        _, rewards, terminated, truncated, infos = envs.step(tokens)
        assert not rewards.any() and not terminated.any() and not truncated.any()
    observations, rewards, terminated, truncated, infos = envs.step(written[:, -1])
    assert rewards.tolist() == [1, 0, 0.5] and terminated.all() and not truncated.any()
    assert (observations == written).all()
    assert infos["response"].tolist() == written.tolist()
    envs.close()


def test_its_name_gives_the_make_mdp() -> None:
    assert make_mdp("toy_envs/Sorting-v0") is SORTING
    assert set(toy_envs.__all__) <= set(vars(toy_envs))


@pytest.mark.parametrize("name", ["Sorting-v0", "toy_envs/Sorting-v1", ""])
def test_an_unknown_name_is_refused_with_those_that_there_are(name: str) -> None:
    with pytest.raises(BadInput) as refused:
        make_mdp(name)
    assert str(refused.value) == (
        f"env is {name!r}; expected one of 'toy_envs/Sorting-v0', 'toy_envs/Brackets-v0', 'toy_envs/Addition-v0', "
        "'toy_envs/Copy-v0', 'toy_envs/Names-v0'"
    )


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.name)
def test_the_environments_know_neither_torch_nor_derivations(path: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])
        elif isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
    assert not imported & {"torch", "derivations"}
