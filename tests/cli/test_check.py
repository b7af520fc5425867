"""derivations check: a line in a text file is judged, or evaluated in a world, or refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from test_main import ENGINES, imported_by

from derivations.checker import verdict
from derivations.checker.errors import EngineDisagreement
from derivations.checker.proof import Unproved
from derivations.checker.statement import covers
from derivations.checker.terms import E, Sort, function, law
from derivations.checker.verdict import check

if TYPE_CHECKING:
    from conftest import Result

    Check = Callable[[str], Result]

IMPORTANCE = """
[declare]
p = "law over Y"
q = "law over Y"
f = "function of Y"
[line]
left = "E(p(y), f(y))"
relation = "="
right = "E(q(y), p(y)/q(y)*f(y))"
assuming = ["q(y) > 0 where p(y) > 0"]
"""

DISCOUNTED = """
[declare]
p = "law over Y"
f = "function of Y"
gamma = "in [0, 1]"
[line]
left = "gamma*E(p(z), f(z)) + f(y)"
relation = "<="
right = "1"
assuming = ["gamma < 1", "f(z) <= 1", "p(y) > 1/2"]
[world]
sizes = { Y = 2 }
p = ["1/3", "2/3"]
f = ["1/2", -1]
gamma = "9/10"
y = 0
"""


@pytest.fixture
def judged(tmp_path: Path, run: Callable[..., Result]) -> Check:
    """Runs `derivations check` on a file with the given text."""

    def ran(text: str) -> Result:
        path = tmp_path / "line.toml"
        path.write_text(text, encoding="utf-8")
        result = run("check", path)
        assert "Traceback" not in result.err
        return result

    return ran


def replaced(text: str, *changes: tuple[str, str]) -> str:
    """The text with each of the changes made, each of which is one."""
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in the text"
        text = text.replace(old, new)
    return text


# --- verdicts -------------------------------------------------------------------------------------------------------


def test_a_line_that_holds_under_its_assumptions(judged: Check) -> None:
    result = judged(IMPORTANCE)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("✓ conditional by normal form\nE_{y∼p}[f(y)] = E_{y∼q}[(p(y)/q(y))·f(y)]\n")
    assert "without “q(y) > 0 for all y ∈ Y where p(y) > 0”: refuted by" in result.out


def test_a_line_without_the_assumption_that_it_needs_is_refuted(judged: Check) -> None:
    result = judged(replaced(IMPORTANCE, ('"q(y) > 0 where p(y) > 0"', "")))
    assert (result.code, result.err) == (1, "")
    assert result.out.startswith("✗ refuted by counterexample\n")
    assert "counterexample: left = 1, right = 0\n" in result.out


def test_a_line_that_is_proved(judged: Check) -> None:
    moving = """
    declare = { pi = "positive law over A given S depending on theta", r = "function of A, S" }
    [line]
    left = "D(E(pi(a, s), r(a, s)))"
    relation = "="
    right = "E(pi(b, s), D(log(pi(b, s)))*r(b, s))"
    """
    result = judged(moving)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("✓ proved by normal form\n")


def test_unknown_is_not_a_pass(judged: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    def finds_nothing(*_: object) -> None:
        raise Unproved("there is no engine")

    monkeypatch.setattr(verdict, "prove", finds_nothing)
    result = judged(IMPORTANCE)
    assert (result.code, result.err) == (1, "")
    assert result.out.startswith("? unknown\n")


def test_a_disagreement_of_engines_ends_in_3(judged: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    def disagrees(*_: object) -> None:
        raise EngineDisagreement("one says this and one says that")

    monkeypatch.setattr(verdict, "judge", disagrees)
    result = judged(IMPORTANCE)
    assert (result.code, result.out) == (3, "")
    assert "one says this and one says that" in result.err


def test_the_verdict_is_that_of_the_line_written_in_python(judged: Check) -> None:
    sort = Sort("Y")
    y = sort.index("y")
    p, q, f = law("p", sort), law("q", sort), function("f", sort)
    by_hand = check(E(p(y), f(y)), "=", E(q(y), p(y) / q(y) * f(y)), assuming=[covers(q(y), p(y))])
    shown = judged(IMPORTANCE).out
    named = ("q > 0 wherever p > 0", "q(y) > 0 for all y ∈ Y where p(y) > 0")
    assert shown == repr(by_hand).replace(*named) + "\n"


# --- worlds ---------------------------------------------------------------------------------------------------------


def test_a_line_in_a_world(judged: Check) -> None:
    result = judged(DISCOUNTED)
    assert result == (
        0,
        "gamma·E_{z∼p}[f(z)] + f(y) ≤ 1\n"
        "holds in this world: left = 1/20, right = 1\n"
        "assuming gamma < 1: holds\n"
        "assuming f(z) ≤ 1 for all z ∈ Y: holds\n"
        "assuming p(y) > 1/2: does not hold\n",
        "",
    )


def test_a_line_that_fails_in_a_world(judged: Check) -> None:
    result = judged(replaced(DISCOUNTED, ('["1/2", -1]', "[2, -1]")))
    assert result.code == 1
    assert "does not hold in this world: left = 2, right = 1\n" in result.out
    assert "assuming f(z) ≤ 1 for all z ∈ Y: does not hold\n" in result.out


def test_where_its_condition_fails_an_assumption_asks_for_nothing(judged: Check) -> None:
    # 1/x has no value, and nowhere is it asked for.
    text = """
    declare = { x = "real", f = "function of Y" }
    line = { left = "f(y)", relation = "<", right = "5", assuming = ["x != 0", "1/x > f(z) where f(z) > 4"] }
    world = { sizes = { Y = 2 }, f = [3, 4], x = 0, y = 1 }
    """
    result = judged(text)
    assert (result.code, result.err) == (0, "")
    assert "assuming x ≠ 0: does not hold\nassuming 1/x > f(z) for all z ∈ Y where f(z) > 4: holds\n" in result.out
    asked = judged(replaced(text, ("[3, 4]", "[5, 4]")))
    assert "where f(z) > 4: is not defined (a division by zero)\n" in asked.out


def test_a_side_that_has_no_value_in_a_world(judged: Check) -> None:
    changed = replaced(
        IMPORTANCE,
        ("E(q(y), p(y)/q(y)*f(y))", "1/x"),
        ('f = "', 'x = "real"\nf = "'),
        ("q(y) > 0 where p(y) > 0", "x != 0"),
    )
    result = judged(changed + "[world]\nsizes = { Y = 1 }\np = [1]\nf = [3]\nx = 0")
    assert result.code == 1
    assert "right = not defined (a division by zero)\n" in result.out
    assert "assuming x ≠ 0: does not hold\n" in result.out


def test_values_that_are_not_rational_are_exact_too(judged: Check) -> None:
    text = """
    declare = { x = "positive" }
    line = { left = "log(x**2)", relation = "=", right = "2*log(x)" }
    world = { x = "3/2" }
    """
    assert "holds in this world: left = −2·log 2 + 2·log 3, right = −2·log 2 + 2·log 3\n" in judged(text).out


def test_a_comparison_that_the_digits_do_not_settle_is_not_a_pass(judged: Check) -> None:
    text = """
    declare = { x = "positive" }
    line = { left = "log(1 + exp(x))", relation = "=", right = "log(exp(x) + 1)" }
    world = { x = 1 }
    """
    result = judged(text)
    assert result.code == 1
    assert "is not settled in this world: left = ≈ 1.3132617, right = ≈ 1.3132617\n" in result.out


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "change", "told"),
    [
        (IMPORTANCE, ('q = "law over Y"\n', ""), "line.right, column 3: q has no domain; declare it under [declare]"),
        (DISCOUNTED, ('gamma = "in [0, 1]"\n', ""), "line.left, column 1: gamma has no domain; declare it under"),
        (IMPORTANCE, ('q = "law over Y"', 'q = "law over X"'), "index y is used with two sorts: given one over Y, expected"),
        (IMPORTANCE, ('"E(p(y), f(y))"', '"E(p(y), sum(y, f(y)))"'), "line.left: index y is bound twice"),
        (DISCOUNTED, ('p = ["1/3", "2/3"]', 'p = ["1/3", "1/3"]'), "world: p sums to 2/3; expected 1"),
        (DISCOUNTED, ('"9/10"', '"11/10"'), "world: gamma is 11/10; expected a value in [0, 1]"),
        (IMPORTANCE, ('"E(p(y), f(y))"', '"sum(y, p(y)/q(y))"'), "a division by q(y): nothing says that it is not zero"),
        (DISCOUNTED, ('"gamma*E(p(z), f(z)) + f(y)"', '"f(y)/gamma"'), "a division by gamma: nothing says that it is not"),
        (IMPORTANCE, ('"E(p(y), f(y))"', '"0.5*E(p(y), f(y))"'), "line.left, column 1: given 0.5; expected an integer up to"),
        (IMPORTANCE, ('"E(p(y), f(y))"', "0.5"), "line.left: given 0.5; expected text"),
        (DISCOUNTED, ('"9/10"', "0.9"), "world.gamma: given 0.9; expected an integer or a fraction"),
        (IMPORTANCE, ("assuming", "asuming"), "line.asuming: unknown; expected one of left, relation, right, assuming; did"),
        (IMPORTANCE, ("[declare]", "[declared]"), "declared: unknown; expected one of declare, line, world; did you mean"),
        (DISCOUNTED, ("sizes", "size"), "world.size: unknown; expected one of sizes, p, f, gamma, y; did you mean sizes?"),
        (IMPORTANCE, ('"E(p(y), f(y))"', '"E(p(y), sin(y))"'), "line.left, column 9: sin has no domain; declare it under"),
        (IMPORTANCE, ('"E(p(y), f(y))"', '"f.__class__"'), "line.left, column 1: attribute in 'f.__class__' is refused"),
        (IMPORTANCE, ('f = "function of Y"', 'f = "fuction of Y"'), "declare.f: given 'fuction of Y'; expected"),
        (IMPORTANCE, ('relation = "="', 'relation = "=<"'), "line.relation: given '=<'; expected one of = != < <= > >="),
        (IMPORTANCE, ("[line]", "[line"), "not TOML: "),
    ],
)  # fmt: skip
def test_what_has_no_meaning_ends_in_2_with_one_line(
    judged: Check, text: str, change: tuple[str, str], told: str
) -> None:
    result = judged(replaced(text, change))
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("Error: ")
    assert told in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize("name", ["missing.toml", "."])
def test_a_file_that_is_not_there_ends_in_2(run: Callable[..., Result], tmp_path: Path, name: str) -> None:
    result = run("check", tmp_path / name)
    assert (result.code, result.out) == (2, "")
    assert "FILE.toml" in result.err and "directory" in result.err


def test_text_that_python_warns_of_is_refused_without_the_warning(judged: Check) -> None:
    result = judged(replaced(IMPORTANCE, ('"E(p(y), f(y))"', r"'''E(p(y), '\d')'''")))
    assert result.code == 2
    assert result.err.count("\n") == 1


def test_the_help_shows_a_line_that_can_be_read(run: Callable[..., Result], judged: Check) -> None:
    shown = run("check", "--help").out
    example = shown[shown.index("  [declare]") : shown.index("  An assumption")]
    result = judged(example)
    assert (result.code, result.err) == (0, "")
    assert "holds in this world: left = 9/20, right = 1\n" in result.out


def test_the_help_needs_no_engine() -> None:
    modules, shown = imported_by("check", "--help")
    assert not modules & ENGINES
    assert "FILE.toml" in shown
