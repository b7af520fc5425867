"""Two thousand random statements, half of them true and half false: never a wrong verdict, and hardly an unknown one."""

from __future__ import annotations

import pytest
from random_statements import statements

from derivations.checker.statement import Statement
from derivations.checker.verdict import PROVED, REFUTED, UNKNOWN, judge

CHUNKS, EACH = 20, 50  # chunks, so that they can be run side by side; so many true ones in each, and so many false ones


def verdicts(chunk: int, *, true: bool) -> list[tuple[Statement, str]]:
    return [(given, judge(given).status) for given in statements(EACH, true=true, seed=2 * chunk + true)]


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_true_statement_is_never_refuted_and_nine_in_ten_are_proved(chunk: int) -> None:
    found = verdicts(chunk, true=True)
    assert [given for given, status in found if status not in (PROVED, UNKNOWN)] == []
    unknown = [given for given, status in found if status == UNKNOWN]
    assert len(unknown) <= EACH / 10, unknown


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_false_statement_is_never_proved_and_ninety_eight_in_a_hundred_are_refuted(chunk: int) -> None:
    found = verdicts(chunk, true=False)
    assert [given for given, status in found if status not in (REFUTED, UNKNOWN)] == []
    unknown = [given for given, status in found if status == UNKNOWN]
    assert len(unknown) <= EACH / 50, unknown


def test_they_are_two_thousand() -> None:
    assert CHUNKS * EACH * 2 == 2000


def test_the_same_seed_gives_the_same_and_another_gives_others() -> None:
    first, again, other = (list(map(repr, statements(10, true=True, seed=seed))) for seed in (3, 3, 4))
    assert first == again
    assert not set(first) & set(other)


def test_every_kind_of_term_and_every_relation_is_among_them() -> None:
    shown = "\n".join(repr(given) for true in (True, False) for given in statements(150, true=true, seed=1))
    for part in ("∇", "E_{", "Σ_", "log", "exp", "k(", "π", "/q(", "²", " = ", " ≤ ", " < ", " ≥ ", " > "):
        assert part in shown, part
