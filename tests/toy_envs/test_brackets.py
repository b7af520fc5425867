"""Brackets-v0: all of its 21845 responses, by a second way to tell which brackets match."""

from __future__ import annotations

from collections import Counter
from math import comb

import pytest
from walking import finished

from toy_envs import BRACKETS
from toy_envs.brackets import depth

RESPONSES = [response for _, response in finished(BRACKETS)]


def peeled(text: str) -> int | None:
    """The depth of what stands before the end, by taking away pairs that touch, all at once, until nothing changes."""
    if not text.endswith("."):
        return None
    inside, rounds = text[:-1], 0
    while inside:
        kept, at = "", 0
        while at < len(inside):
            pair = inside[at : at + 2] in ("()", "[]")
            kept += "" if pair else inside[at]
            at += 2 if pair else 1
        if kept == inside:
            return None
        inside, rounds = kept, rounds + 1
    return rounds


def nesting(text: str) -> int:
    """How many brackets are open at most."""
    return max(
        sum(symbol in "([" for symbol in text[:k]) - sum(symbol in ")]" for symbol in text[:k])
        for k in range(len(text) + 1)
    )


def test_what_matches_is_what_can_be_peeled_off() -> None:
    matching = 0
    for response in RESPONSES:
        text, found = BRACKETS.text(response), depth(response)
        assert (found is None) == (peeled(text) is None)
        assert BRACKETS.reward((), response) == (0 if found is None else nesting(text) / 3)
        matching += found is not None
    # Catalan numbers, times two kinds for each pair.
    assert matching == sum(2**n * comb(2 * n, n) // (n + 1) for n in range(4)) == 51


def test_how_many_have_each_depth() -> None:
    assert Counter(depth(response) for response in RESPONSES) == {None: 21845 - 51, 0: 1, 1: 14, 2: 28, 3: 8}
    best = {BRACKETS.text(response) for response in RESPONSES if BRACKETS.reward((), response) == 1}
    assert best == {f"{a}{b}{c}{d}{e}{f}." for a, f in ("()", "[]") for b, e in ("()", "[]") for c, d in ("()", "[]")}


@pytest.mark.parametrize(
    ("text", "score"),
    [
        (".", 0),
        ("().", 1 / 3),
        ("()[].", 1 / 3),
        ("([]).", 2 / 3),
        ("(()[]).", 2 / 3),
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
