"""Records: what a verdict said, there and back, and examples that are evaluated again."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from derivations import (
    REAL,
    BadInput,
    D,
    E,
    Length,
    Sort,
    Statement,
    Sum,
    assume,
    check,
    covers,
    exp,
    first_order,
    function,
    histories,
    law,
    log,
    parameter,
    point,
    recursion,
    same_maximiser,
    statement,
)
from derivations.records import Record, as_object, fails_again, from_object, record_of

Y = Sort("Y")
y, w = Y.indices("y w")
p, q = law("p", Y), law("q", Y, positive=True)
f, g = function("f", Y), function("g", Y)
moving = law("π", Y, positive=True, depends=True)
old = law("π_old", Y, positive=True)
c = parameter("c", REAL)
H = histories("H", step=[Y])
h = H.index("h")
G = function("G", H)
SUMMED = recursion(G, start=lambda: 0, step=lambda h, y: G(h) + f(y))

PROVED = statement(Sum(y, p(y)), "=", 1)
FALSE = [
    statement(f(y), "=", 0),
    statement(E(p(y), f(y)), "=", E(q(w), f(w))),
    statement(D(E(moving(y), f(y))), "=", 0),
    statement(Sum(y, exp(f(y))), "=", Sum(w, 1 + f(w))),
    statement(E(q(y), log(q(y))), "=", 0),
    statement(G(h), "≤", Length(H), recursions=[SUMMED]),
    statement(E(moving(y), f(y)), same_maximiser(moving), E(moving(w), g(w))),
    statement(E(moving(y), f(y)), first_order(point("θ_old", {moving: old})), E(old(w), f(w))),
    statement(c * c, "=", c, assuming=[assume("c > 1", c, ">", 1)]),
]
EXISTS = statement(Sum(y, f(y)), "=", 3, exists=True)


def recorded(given: Statement) -> Record:
    return record_of(check(given), given)


@pytest.mark.parametrize("given", [PROVED, *FALSE, EXISTS], ids=str)
def test_a_record_is_the_same_after_json(given: Statement) -> None:
    record = recorded(given)
    assert from_object(json.loads(json.dumps(as_object(record)))) == record


@pytest.mark.parametrize("given", [*FALSE, EXISTS], ids=str)
def test_an_example_does_again_what_it_did(given: Statement) -> None:
    record = recorded(given)
    assert record.world is not None
    again = from_object(json.loads(json.dumps(as_object(record))))
    assert fails_again(given, again)


def test_an_example_of_another_statement_does_not() -> None:
    record = recorded(FALSE[0])
    assert not fails_again(statement(f(y), "=", 1), record)
    assert not fails_again(statement(g(y), "=", 0), record)
    assert not fails_again(statement(f(y) + c, "=", 0), record)


@pytest.mark.parametrize(
    "change",
    [
        {"sizes": {}},
        {"sizes": {"Y": 0}},
        {"tables": {}},
        {"tables": {"f": [[[0], ["0", "0", "0"]]]}},
        {"tables": {"f": [[[0], ["7", "0", "0"]]]}},
        {"tables": {"f": [[[0], ["x"]]]}},
        {"tables": {"f": [[[0], ["1/0", "0", "0"]]]}},
        {"tables": {"f": 3}},
        {"indices": {"y": [1]}},
    ],
)
def test_an_example_that_was_changed_is_not_believed(change: dict[str, Any]) -> None:
    record = recorded(FALSE[0])
    assert record.world is not None
    changed = replace(record, world={**record.world, **change})
    assert fails_again(FALSE[0], changed) is (change == {"indices": {"y": [1]}})


def test_what_was_not_needed_is_named() -> None:
    given = statement(E(p(y), f(y)), "=", E(p(w), f(w)), assuming=[covers(q(y), p(y))])
    record = recorded(given)
    assert (record.status, record.removed) == ("proved", ("q > 0 wherever p > 0",))


def test_a_value_that_is_only_known_in_a_ball_is_not_written_as_if_it_were_exact() -> None:
    from flint import arb

    from derivations.checker.worlds import World
    from derivations.records import _exact_world

    assert _exact_world(World({Y: 1}, {f: {(0,): (arb(2).sqrt(),)}})) is None


@pytest.mark.parametrize(
    "change",
    [
        {"status": 1},
        {"steps": ["a line"]},
        {"uses": [1]},
        {"axioms": "none"},
        {"world": []},
        {"seconds": "1"},
        {"kept": True},
    ],
)
def test_what_is_no_record_is_refused(change: dict[str, Any]) -> None:
    good = json.loads(json.dumps(as_object(recorded(PROVED))))
    with pytest.raises(BadInput, match="a record: "):
        from_object({**good, **change})
    with pytest.raises(BadInput, match="a record: "):
        from_object({name: part for name, part in good.items() if name != "text"})
    assert Fraction(good["seconds"]) >= 0
