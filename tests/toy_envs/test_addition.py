"""Addition-v0: all of its answers to all of its questions."""

from __future__ import annotations

from fractions import Fraction

import pytest
from walking import finished

from toy_envs import ADDITION
from toy_envs.addition import attempts, careless


def test_one_answer_to_each_prompt_is_right_and_it_is_the_sum() -> None:
    right: dict[str, list[str]] = {}
    answers = 0
    for prompt, response in finished(ADDITION):
        answers += 1
        score = ADDITION.reward(prompt, response)
        assert score in (0, 1)
        if score:
            right.setdefault(ADDITION.text(prompt), []).append(ADDITION.text(response))
    assert answers == 100 * 157
    assert right == {f"{a}+{b}=": [f"{a + b}." if a + b < 10 else str(a + b)] for a in range(10) for b in range(10)}


def test_the_prompt_of_two_digits_has_their_index() -> None:
    for a in range(10):
        for b in range(10):
            assert ADDITION.text(ADDITION.prompts[10 * a + b]) == f"{a}+{b}="


@pytest.mark.parametrize(
    ("prompt", "response", "score"),
    [("7+5=", "12", 1), ("7+5=", "2.", 0), ("3+4=", "7.", 1), ("3+4=", "07", 0), ("0+0=", "0.", 1), ("9+9=", ".", 0)],
)
def test_scores_by_hand(prompt: str, response: str, score: float) -> None:
    assert ADDITION.is_over(ADDITION.encode(response))
    assert ADDITION.reward(ADDITION.encode(prompt), ADDITION.encode(response)) == score


def test_what_the_careless_writer_means_to_write() -> None:
    def meant(prompt: str) -> dict[str, Fraction]:
        return {ADDITION.text(answer): chance for answer, chance in attempts(ADDITION.encode(prompt)).items()}

    half, quarter, eighth = Fraction(1, 2), Fraction(1, 4), Fraction(1, 8)
    assert meant("7+5=") == {"12": half, "2.": quarter, "13": eighth, "11": eighth}
    assert meant("3+4=") == {"7.": half + quarter, "8.": eighth, "6.": eighth}
    assert meant("0+0=") == {"0.": half + quarter, "1.": 2 * eighth}


def test_the_mean_score_of_the_careless_writer_exactly() -> None:
    """Of the first token and the second, each right with its share of what is meant or by a slip."""
    total = Fraction(0)
    for prompt in ADDITION.prompts:
        right = next(y for y in attempts(prompt) if ADDITION.reward(prompt, y))
        total += careless(prompt, ())[right[0]] * careless(prompt, right[:1])[right[1]]
    share = Fraction(9, 10) * Fraction(1, 2) + Fraction(1, 130)
    assert careless(ADDITION.encode("9+9="), ())[1] == Fraction(9, 10) * Fraction(3, 4) + Fraction(1, 130)
    assert careless(ADDITION.encode("4+6="), ())[1] == Fraction(9, 10) * Fraction(5, 8) + Fraction(1, 130) > share
    assert 0.52 < total / 100 < 0.53
