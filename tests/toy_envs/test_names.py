"""Names-v0: the real names, the hidden preference, and what pairs of real names cannot tell of it."""

from __future__ import annotations

from collections import Counter
from itertools import product
from math import exp

import numpy as np
import pytest

from toy_envs import NAMES, BadInput
from toy_envs.names import FILE, census, first_wins, preference, preference_pairs, real_names
from toy_envs.token_mdp import Tokens

REAL = census()
VOWELS = np.array([sum(symbol in "aeiou" for symbol in NAMES.text(name)) for name in REAL.names])


def name(text: str) -> Tokens:
    return NAMES.encode(text + ".")


def test_the_file_says_where_it_comes_from_and_in_whose_domain_it_is() -> None:
    told = " ".join(line.removeprefix("#").strip() for line in FILE.read_text(encoding="utf-8").splitlines()[:4])
    for words in (
        "United States Census Bureau",
        "1990 Census",
        "dist.female.first",
        "names 0.3.0",
        "in the public domain",
    ):
        assert words in told


def test_the_names_are_real_and_as_frequent_as_the_census_says() -> None:
    assert len(REAL.names) == len(set(REAL.names)) == 4896
    assert REAL.law.sum() == pytest.approx(1, abs=1e-12) and REAL.law.min() > 0
    assert all(NAMES.is_over(y) and not NAMES.is_over(y[:-1]) and 3 <= len(y) <= 9 for y in REAL.names)
    common = [NAMES.text(REAL.names[place]) for place in np.argsort(-REAL.law)[:6]]
    assert common == ["james.", "john.", "robert.", "michael.", "mary.", "william."]
    # Of 172860 in the two lists together: 2629 of 100000 women and 9 men are called Mary.
    share = dict(zip(REAL.names, REAL.law, strict=True))
    assert share[name("mary")] == pytest.approx((2629 + 9) / 172860)
    assert share[name("michael")] == pytest.approx((2629 + 12) / 172860)


@pytest.mark.parametrize(
    ("text", "score"),
    [("jon", 1), ("mary", 1), ("louise", 4), ("eugenia", 1), ("aaaaaa", -2), ("aeiouaei", -8), ("lynn", 0)],
)
def test_preferences_by_hand(text: str, score: float) -> None:
    assert NAMES.reward((), name(text)) == score


def test_each_vowel_up_to_the_fourth_is_better_and_each_after_it_worse() -> None:
    worth = [preference((), tuple([0] * vowels + [1] * (9 - vowels))) for vowels in range(10)]
    assert worth == [0, 1, 2, 3, 4, 1, -2, -5, -8, -11]


def test_real_names_show_the_rising_half_only() -> None:
    """One of 1465 names drawn has a fifth vowel, and none a sixth."""
    assert VOWELS.max() == 5
    assert 1 / REAL.law[VOWELS > 4].sum() == pytest.approx(1464.9, abs=0.1)
    mean = [float(REAL.law[v == VOWELS].sum()) for v in range(6)]
    assert mean[:5] == pytest.approx([0.0014, 0.1859, 0.4944, 0.2700, 0.0477], abs=1e-4)


def test_the_chance_to_be_preferred() -> None:
    assert first_wins(name("louise"), name("mary")) == pytest.approx(1 / (1 + exp(-3)))
    assert first_wins(name("mary"), name("john")) == 0.5
    for one, other in product(map(name, ("lynn", "anna", "eugenia")), repeat=2):
        assert first_wins(one, other) + first_wins(other, one) == pytest.approx(1, abs=1e-15)


def test_pairs_are_of_different_real_names_and_won_as_often_as_said() -> None:
    pairs = preference_pairs(np.random.default_rng(3), 40_000)
    known = set(REAL.names)
    assert len(pairs) == 40_000
    assert all(x == () and won in known and lost in known and won != lost for x, won, lost in pairs)
    gaps = Counter(round(preference((), won) - preference((), lost)) for _, won, lost in pairs)
    for gap in (1, 2, 3):
        count = gaps[gap] + gaps[-gap]
        expected = 1 / (1 + exp(-gap))
        assert count > 500
        # Five standard deviations; the seed is fixed.
        assert abs(gaps[gap] - count * expected) < 5 * (count * expected * (1 - expected)) ** 0.5


def test_names_in_pairs_are_as_frequent_as_in_the_census() -> None:
    pairs = preference_pairs(np.random.default_rng(4), 40_000)
    drawn = Counter(y for _, won, lost in pairs for y in (won, lost))
    # Two names that are alike are drawn again: P(y) = 2 p(y)(1 − p(y))/(1 − Σ p²) over the two of a pair.
    apart = 1 - float((REAL.law**2).sum())
    for place in np.argsort(-REAL.law)[:20]:
        expected = 80_000 * REAL.law[place] * (1 - REAL.law[place]) / apart
        assert abs(drawn[REAL.names[place]] - expected) < 5 * expected**0.5


def test_demonstrations_are_as_frequent_as_in_the_census() -> None:
    drawn = Counter(y for _, y in real_names(np.random.default_rng(4), 40_000))
    for place in np.argsort(-REAL.law)[:20]:
        expected = 40_000 * REAL.law[place]
        assert abs(drawn[REAL.names[place]] - expected) < 5 * expected**0.5


def test_pairs_are_decided_by_the_generator() -> None:
    first, again, other = (preference_pairs(np.random.default_rng(seed), 50) for seed in (1, 1, 2))
    assert first == again != other
    assert preference_pairs(np.random.default_rng(1), 0) == []
    with pytest.raises(BadInput, match="count is -1; expected a number of pairs, 0 or more"):
        preference_pairs(np.random.default_rng(1), -1)


def test_a_reward_that_is_learned_from_the_pairs_is_wrong_where_no_real_name_is() -> None:
    """The wrong way is known: fitted to the count of vowels, it rises for ever, while the truth falls after the fourth."""
    pairs = preference_pairs(np.random.default_rng(0), 20_000)
    count = dict(zip(REAL.names, VOWELS.tolist(), strict=True))
    gaps = np.array([count[won] - count[lost] for _, won, lost in pairs], dtype=np.float64)
    worth = 0.0
    for _ in range(20):  # Newton's method for the most likely worth of a vowel, by RM.2
        lost = 1 / (1 + np.exp(worth * gaps))
        worth += float((gaps * lost).sum() / (gaps**2 * lost * (1 - lost)).sum())
    assert 0.9 < worth < 1.05
    flooded = NAMES.judged_by(lambda prompt, response: worth * sum(NAMES.vocabulary[t] in "aeiou" for t in response))
    gamed, best = NAMES.encode("aeiouaeio"), name("louise")
    assert flooded.reward((), gamed) > 2 * flooded.reward((), best)
    assert flooded.true_reward is preference
    assert preference((), gamed) == -11 < preference((), best) == 4


def test_the_tree_is_too_large_to_be_written_which_is_meant() -> None:
    assert NAMES.prefixes() == sum(26**length for length in range(9)) == 217_180_147_159
