"""Brackets-v0: all of its 21845 responses, by a second way to tell which brackets match."""

from __future__ import annotations

from collections import Counter
from math import comb

import pytest
from walking import finished

from toy_envs import BRACKETS
from toy_envs.brackets import pairs

RESPONSES = [response for _, response in finished(BRACKETS)]


def peeled(text: str) -> int | None:
    """How many pairs that touch can be taken away, one after the other, until none is left of what stands before the end."""
    if not text.endswith("."):
        return None
    inside, taken = text[:-1], 0
    while inside:
        kept = inside.replace("()", "", 1) if "()" in inside else inside.replace("[]", "", 1)
        if kept == inside:
            return None
        inside, taken = kept, taken + 1
    return taken


def test_what_matches_is_what_can_be_peeled_off() -> None:
    for response in RESPONSES:
        assert pairs(response) == peeled(BRACKETS.text(response))
        assert BRACKETS.reward((), response) == (pairs(response) or 0) / 3


def test_how_many_match() -> None:
    """Catalan numbers, times two kinds for each pair."""
    catalan = {n: 2**n * comb(2 * n, n) // (n + 1) for n in range(4)}
    assert Counter(map(pairs, RESPONSES)) == {None: 21845 - 51, **catalan} == {None: 21794, 0: 1, 1: 2, 2: 8, 3: 40}


@pytest.mark.parametrize(
    ("text", "score"),
    [
        (".", 0),
        ("().", 1 / 3),
        ("()[].", 2 / 3),
        ("([]).", 2 / 3),
        ("(()[]).", 1),
        ("([()]).", 1),
        ("([)].", 0),  # crossed
        ("(.", 0),  # left open
        (").", 0),  # nothing to close
        ("(].", 0),  # the other kind
        ("([()])(", 0),  # no end token
    ],
)
def test_scores_by_hand(text: str, score: float) -> None:
    response = BRACKETS.encode(text)
    assert BRACKETS.is_over(response)
    assert BRACKETS.reward((), response) == pytest.approx(score)


def test_to_match_is_to_remember() -> None:
    """What closes rightly after the same last token depends on what stands before it."""
    inside, outside = BRACKETS.encode("[()"), BRACKETS.encode("(()")
    assert inside[-1] == outside[-1]
    for prefix, right in ((inside, "]"), (outside, ")")):
        scores = {symbol: BRACKETS.reward((), (*prefix, *BRACKETS.encode(f"{symbol}."))) for symbol in ")]"}
        assert scores == {right: 2 / 3, ({")", "]"} - {right}).pop(): 0}
