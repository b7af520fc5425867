"""A line as text: what it is read as, what is refused and at which place, and that none of it is executed."""

from __future__ import annotations

import ast
import builtins
import subprocess
import sys
import tomllib
from fractions import Fraction
from pathlib import Path

import pytest

import derivations.cli.check
from derivations import lines
from derivations.checker.errors import BadInput
from derivations.checker.statement import Hypothesis, Statement, assume
from derivations.checker.terms import (
    HALF_OPEN_UNIT,
    NONNEGATIVE,
    OPEN_UNIT,
    POSITIVE,
    REAL,
    UNIT,
    D,
    E,
    Function,
    Indicator,
    Number,
    Sort,
    Term,
    clip,
    exp,
    function,
    kl,
    law,
    log,
    maximum,
    minimum,
    parameter,
    term,
    total,
)

Y, S = Sort("Y"), Sort("S")
y, z, s = Y.index("y"), Y.index("z"), S.index("s")
p, q, f = law("p", Y), law("q", Y), function("f", Y)
pi = law("pi", Y, given=[S], positive=True, depends=True)
x, u, theta = parameter("x", REAL), parameter("u", POSITIVE), parameter("theta", REAL, slope=1)

DECLARE = """
[declare]
p = "law over Y"
q = "law over Y"
f = "function of Y"
pi = "positive law over Y given S depending on theta"
x = "real"
u = "positive"
theta = "real"
"""


def read(left: str, relation: str = "=", right: str = "0", *assuming: str, more: str = "") -> Statement:
    """The statement of a line with the declarations above."""
    quoted = [f'"""{text}"""' for text in (left, right)]
    line = f'[line]\nleft = {quoted[0]}\nrelation = "{relation}"\nright = {quoted[1]}\nassuming = {list(assuming)}\n'
    return lines.read((DECLARE + line + more).encode()).statement


def refusal(left: str, *assuming: str) -> str:
    """What is said of a line that is refused, behind the notes, as the command line shows it."""
    with pytest.raises(BadInput) as refused:
        read(left, "=", "0", *assuming)
    return ": ".join([*getattr(refused.value, "__notes__", ()), str(refused.value)])


# --- terms ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1/2", term(Fraction(1, 2))),
        ("-1/2", term(Fraction(-1, 2))),
        ("6/4/3", term(Fraction(1, 2))),
        ("1000000000000", term(10**12)),
        ("x/2", x / 2),
        ("2*x - u", 2 * x - u),
        ("-x**2", -(x**2)),
        ("x**-2", x**-2),
        ("x - u - 1", (x - u) - 1),
        ("x - (u - 1)", x - (u - 1)),
        ("x/u*2", (x / u) * 2),
        ("u*(x/u)", u * (x / u)),
        ("f(y) + x", f(y) + x),
        ("log(u) + exp(x)", log(u) + exp(x)),
        ("min(x, u, 1) * max(x, 0)", minimum(x, u, 1) * maximum(x, 0)),
        ("clip(x, 0, u)", clip(x, 0, u)),
        ("E(p(y), f(y))", E(p(y), f(y))),
        ("E(pi(y, s), f(y))", E(pi(y, s), f(y))),
        ("sum(y, p(y)*f(y))", total(y, of=p(y) * f(y))),
        ("sum(y, z, f(y)*f(z))", total(y, z, of=f(y) * f(z))),
        ("kl(p, q, y)", kl(p, q, y)),
        ("kl(pi, pi, y, s)", kl(pi, pi, y, s)),
        ("D(log(pi(y, s)))", D(log(pi(y, s)))),
        ("D(theta*x)", D(theta * x)),
        ("sum(y,\n  f(y))\n", total(y, of=f(y))),
    ],
)
def test_what_a_term_is_read_as(text: str, expected: Term) -> None:
    assert read(text).left == expected


def test_an_exact_fraction_is_one_number() -> None:
    assert read("1/3").left == Number(Fraction(1, 3))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("=", "="), ("!=", "≠"), ("<", "<"), ("<=", "≤"), (">", ">"), (">=", "≥"), ("==", "="), ("≤", "≤")],
)
def test_the_relations(text: str, expected: str) -> None:
    assert read("x", text).relation == expected
    assert read("x", "=", "0", f"x {text} 1").assuming[0] == assume("x " + expected + " 1", x, expected, 1)


# --- declarations ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("real", parameter("a", REAL).function),
        ("positive", parameter("a", POSITIVE).function),
        ("nonnegative", parameter("a", NONNEGATIVE).function),
        ("in [0, 1]", parameter("a", UNIT).function),
        ("in [0,1]", parameter("a", UNIT).function),
        ("in (0, 1)", parameter("a", OPEN_UNIT).function),
        ("in (0, 1]", parameter("a", HALF_OPEN_UNIT).function),
        ("positive depending on theta", parameter("a", POSITIVE, depends=True).function),
        ("function of Y", function("a", Y)),
        ("positive  function of Y,S", function("a", Y, S, domain=POSITIVE)),
        ("nonnegative function of Y", function("a", Y, domain=NONNEGATIVE)),
        ("function of Y in [0, 1] depending on θ", function("a", Y, domain=UNIT, depends=True)),
        ("law over Y", law("a", Y)),
        ("law over Y, S", law("a", Y, S)),
        ("positive law over Y given S, Y", law("a", Y, given=[S, Y], positive=True)),
        ("law over Y given S depending on theta", law("a", Y, given=[S], depends=True)),
    ],
)
def test_what_a_declaration_is_read_as(words: str, expected: Function) -> None:
    assert lines.declaration("a", words) == expected


@pytest.mark.parametrize(
    "words",
    [
        "",
        "reel",
        "law",
        "law over",
        "law over Y Z",
        "law over Y, given S",
        "law over Y in [0, 1]",
        "functon of Y",
        "function of Y in [0, 2]",
        "positive function of Y in [0, 1]",
        "in [0, 1)",
        "depending on theta",
        3,
        ["real"],
    ],
)
def test_a_declaration_that_says_nothing_is_refused(words: object) -> None:
    with pytest.raises(BadInput, match=r"^declare\.a: given .*; expected"):
        lines.declaration("a", words)


@pytest.mark.parametrize("name", ["E", "sum", "log", "kl", "where", "sizes", "lambda", "for", "2x", "a b", "", "ϕ"])
def test_a_name_that_a_term_could_not_hold_is_refused(name: str) -> None:
    # ϕ is read by Python as φ: a declaration of it would never be found.
    with pytest.raises(BadInput, match="this name is taken or is none"):
        lines.declaration(name, "real")


# --- assumptions ----------------------------------------------------------------------------------------------------


def test_an_assumption_speaks_of_all_values_of_an_index_that_is_not_free_in_the_line() -> None:
    (given,) = read("E(p(y), f(y))", "=", "0", "q(y) > 0 where p(y) > 0").assuming
    condition = Indicator(p(y), ">", term(0))
    assert given == assume("q(y) > 0 for all y ∈ Y where p(y) > 0", q(y), ">", 0, for_all=[y], given=condition)


@pytest.mark.parametrize(
    ("left", "text", "own"),
    [
        ("f(y)", "f(y) > 0", ()),
        ("f(y)", "f(y) > 0 for y", (y,)),
        ("f(y)", "f(y) > 0 for all y", (y,)),
        ("f(y)", "f(y) > f(z)", (z,)),
        ("f(y)", "f(y) > f(z) where p(y) > p(z) for y, z", (y, z)),
        ("sum(y, f(y))", "f(y) > 0", (y,)),
        ("sum(y, f(y))", "f(y) > sum(z, f(z))", (y,)),
        ("x", "x > 0", ()),
    ],
)
def test_over_what_an_assumption_ranges(left: str, text: str, own: tuple[object, ...]) -> None:
    (given,) = read(left, "=", "0", text).assuming
    assert isinstance(given, Hypothesis)
    assert given.for_all == own


def test_an_index_has_one_sort_wherever_it_stands() -> None:
    # Nothing in the left side tells what y is; the assumption does.
    assert read("sum(y, 1)", "=", "0", "f(y) > 0").left == total(y, of=1)


def test_an_assumption_that_is_said_twice_is_assumed_once() -> None:
    assert len(read("x", "=", "0", "x > 0", "x>0").assuming) == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x", "line.assuming[0]: given 'x'; expected one comparison"),
        ("0 < x < 1", "expected one comparison"),
        ("x > 0 where u", "given 'u'; expected one comparison"),
        ("x > 0 where u > 0 where u > 1", "expected one comparison"),
        ("x > 0 for y", "given 'y' behind “for”"),
        ("f(y) > 0 for z", "given 'z' behind “for”"),
        ("sum(y, f(y)) > 0 for y", "given 'y' behind “for”"),
        ("x > ", "line.assuming[0]: given ' '; expected a term"),
        ("x > 0.5", "line.assuming[0], column 5: given 0.5"),
        ("x > 0 where  u > 0.5", "line.assuming[0], column 18: given 0.5"),
        ("", "expected such as"),
        ("f(y) = sum(y, f(y))", "bound"),
        ("x > 0 " + " where " * 1000, "expected such as"),
    ],
)
def test_an_assumption_that_is_refused(text: str, told: str) -> None:
    assert told in refusal("x", text)


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("f.__class__", "column 1: attribute in 'f.__class__' is refused"),
        ("x + f(y).real", "column 5: attribute in "),
        ("x[0]", "subscript in"),
        ("(lambda: 1)()", "column 1: call in"),
        ("(x := 1)", "named expr in"),
        ("x if x else u", "if exp in"),
        ("[x for x in f]", "list comp in"),
        ("{x}", "set in"),
        ("f'{x}'", "joined str in"),
        ("x < u", "compare in"),
        ("x and u", "and in"),
        ("not x", "not in"),
        ("+x", "uadd in"),
        ("x ^ 2", "bit xor in"),
        ("x // 2", "floor div in"),
        ("x % 2", "mod in"),
        ("x @ u", "mat mult in"),
        ("x ** u", "pow in"),
        ("x ** (1/2)", "pow in"),
        ("2 ** 3 ** 2", "pow in"),
        ("f(y=y)", "call in"),
        ("f(*y)", "given '*y'; expected an index"),
        ("f(y + 1)", "column 3: given 'y + 1'; expected an index"),
        ("f(0)", "given '0'; expected an index"),
        ("f(y, z)", "f: given 2 arguments; expected 1, over Y"),
        ("f", "f: given 0 arguments; expected 1, over Y"),
        ("x(y)", "x: given 1 arguments; expected none"),
        ("f(x)", "x is no index; expected one over Y"),
        ("f(sum)", "sum is no index"),
        ("f(y) + y", "column 8: y is an index; expected a number"),
        ("sum(y, 1)", "column 5: given 'y'; expected an index"),
        ("sum(y)", "given 'sum(y)'; expected such as sum(y, f(y))"),
        ("E(f(y), 1)", "f(y) is no law"),
        ("E(p(y))", "expected such as E(p(y), f(y))"),
        ("E + 1", "E is a word of the language"),
        ("kl(p(y), q, y)", "expected such as kl(p, q, y)"),
        ("log(u, 2)", "log: given 2 arguments; expected 1"),
        ("min(x)", "min: given 1 arguments; expected 2"),
        ("D(f(y))", "nothing in D(…) depends on θ"),
        ("0.5", "given 0.5; expected an integer up to 1000000000000; a float is not exact"),
        ("1e3", "a float is not exact"),
        ("2j", "given 2j; expected an integer"),
        ("'x'", "expected an integer"),
        ("'\\\\d'", "expected an integer"),
        ("True", "given True; expected an integer"),
        ("None", "expected an integer"),
        ("x; u", "column 2: given 'x; u'; expected a term"),
        ("import os", "expected a term"),
        ("x = 1", "expected a term"),
        ("f(y", "expected a term"),
        ("", "expected a term"),
        ("x\\u0000", "expected a term"),
        ("f(y) # + 1", "no #"),
        ("eval(x)", "column 1: eval has no domain; declare it under [declare]"),
        ("__import__('os')", "__import__ has no domain"),
        ("lgo(u)", "lgo has no domain; declare it under [declare]; did you mean log?"),
        ("beta*x", "column 1: beta has no domain; declare it under [declare]"),
        ("π(x) + 1", "column 1: π has no domain"),
        ("x*(πρ + 1)", "column 4: πρ has no domain"),
        ("f(π) + 0.5", "column 8: given 0.5"),
        (
            "f(s) + pi(y, s)",
            "line.left, column 14: index s is used with two sorts: given one over Y, expected one over S",
        ),
        ("sum(y, f(y) * sum(y, f(y)))", "line.left: index y is bound twice"),
        ("sum(y, f(y)) + f(y)", "index y is bound in one place and free in another"),
    ],
)
def test_what_is_refused(text: str, told: str) -> None:
    assert told in refusal(text)


@pytest.mark.parametrize(
    ("fits", "too_large", "told"),
    [
        ("x" + " " * 1_997 + "*u", "x" + " " * 1_999 + "**2", "at most 2000 characters"),
        (
            "min(" + ", ".join(["x"] * 398) + ")",
            "min(" + ", ".join(["x"] * 399) + ")",
            "parts 401; expected at most 400",
        ),
        ("-" * 59 + "x", "-" * 60 + "x", "levels of nesting 61; expected at most 60"),
        ("x**12", "x**13", "exponent 13; expected at most 12"),
        ("x**-12", "x**-13", "exponent 13; expected at most 12"),
        ("(x**3)**4 * x**12", "(x**5)**4", "exponent 20; expected at most 12"),
        ("D(D(theta))", "D(D(D(theta)))", "order of D 3; expected at most 2"),
        ("1000000000000", "1000000000001", "expected an integer up to 1000000000000"),
        ("-1000000000000", "9" * 1_999, "expected an integer up to 1000000000000"),
    ],
)
def test_the_largest_term(fits: str, too_large: str, told: str) -> None:
    read(fits)
    assert told in refusal(too_large)


@pytest.mark.parametrize("text", ["(" * 300 + "x" + ")" * 300, "-" * 1_990 + "x", "~" * 1_990 + "x", "(" * 1_990])
def test_deep_nesting_ends_in_a_message(text: str) -> None:
    assert "line.left" in refusal(text)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (b"[line", "not TOML"),
        (b"\xff", "not TOML"),
        (b"x = " + b"[" * 5_000, "not TOML"),
        (b" " * 100_001, "more than 100000 bytes"),
        (b"", "line.left: given nothing; expected text"),
        (b"line = 3", "line: given 3; expected a table"),
        (b"declare = []", r"declare: given \[\]; expected a table"),
        (b"[lines]\nleft = 'x'", "lines: unknown; expected one of declare, line, world; did you mean line?"),
        (b"[line]\nleft = 1", "line.left: given 1; expected text"),
        (b"[line]\nleft = '1'\nrelation = '=<'\nright = '1'", "line.relation: given '=<'; expected one of = !="),
        (
            b"[line]\nleft = '1'\nrelation = '='\nright = '1'\nassuming = 'x'",
            "line.assuming: given 'x'; expected a list",
        ),
        (b"[line]\nleft = '1'\nrelation = '='\nright = '1'\nassuming = [1]", r"line.assuming\[0\]: given 1; expected"),
    ],
)
def test_a_document_that_is_no_line(source: bytes, told: str) -> None:
    with pytest.raises(BadInput, match=told.replace("?", r"\?")):
        lines.read(source)


# --- worlds ---------------------------------------------------------------------------------------------------------


def in_world(left: str, world: str) -> object:
    """The value of a line's left side in a world."""
    line = f'[line]\nleft = "{left}"\nrelation = "="\nright = "0"\n[world]\n{world}'
    statement, found = lines.read((DECLARE + line).encode())
    assert found is not None
    return found(statement.left)


def test_the_values_in_a_world() -> None:
    half = "sizes = { Y = 2 }\np = ['1/2', '1/2']\n"
    assert in_world("E(p(y), f(y))", half + "f = [1, '-1/3']") == Fraction(1, 3)
    assert in_world("x*f(y)", "sizes = { Y = 2 }\nf = [1, 5]\nx = '2/3'\ny = 1") == Fraction(10, 3)
    assert in_world("log(u)", "u = 2") == "log 2"


def test_a_law_given_an_index_is_a_list_nested_in_the_order_of_its_arguments() -> None:
    nested = "sizes = { Y = 2, S = 3 }\npi = [['1/4', '1/2', '1/3'], ['3/4', '1/2', '2/3']]\nf = [0, 1]\ns = 0"
    assert in_world("E(pi(y, s), f(y))", nested) == Fraction(3, 4)


@pytest.mark.parametrize(
    ("left", "world", "told"),
    [
        ("x", "", "world.x: given nothing; expected an integer or a fraction"),
        ("x", "x = 0.5", "world.x: given 0.5; expected .*; a float is not exact"),
        ("x", "x = '0.5'", "world.x: given '0.5'; expected an integer or a fraction"),
        ("x", "x = '1/0'", "world.x: given '1/0'"),
        ("x", "x = true", "world.x: given True"),
        ("x", "x = [1]", r"world.x: given \[1\]"),
        ("x", "x = 1\nxx = 2", "world.xx: unknown; expected one of .*; did you mean x"),
        ("x", "x = 1\ny = 0", "world.y: unknown"),
        ("x", "x = 1\nsizes = 2", "world.sizes: given 2; expected a table"),
        ("x", "x = 1\nsizes = { T = 2 }", "world.sizes.T: unknown; expected one of Y, S"),
        ("u", "u = 0", "world: u is 0; expected a value in"),
        ("f(y)", "f = [1]\ny = 0", "world.sizes.Y: given nothing; expected an integer from 1 to 1000"),
        ("f(y)", "sizes = { Y = 1.0 }\nf = [1]\ny = 0", "world.sizes.Y: given 1.0"),
        ("f(y)", "sizes = { Y = 1000000000 }\nf = [1]\ny = 0", "world.sizes.Y: given 1000000000"),
        ("f(y)", "sizes = { Y = 0 }\nf = []\ny = 0", "world.sizes.Y: given 0; expected an integer from 1"),
        ("f(y)", "sizes = { Y = 2 }\nf = [1]\ny = 0", r"world.f: given \[1\]; expected a list .* of 2 in Y"),
        ("f(y)", "sizes = { Y = 2 }\nf = [1, 0.5]\ny = 0", r"world.f\[1\]: given 0.5"),
        ("f(y)", "sizes = { Y = 2 }\nf = 1\ny = 0", "world.f: given 1; expected a list"),
        ("f(y)", "sizes = { Y = 2 }\nf = [1, 2]", "world.y: given nothing; expected an integer from 0 to 1"),
        ("f(y)", "sizes = { Y = 2 }\nf = [1, 2]\ny = 2", "world.y: given 2; expected an integer from 0 to 1"),
        ("f(y)", "sizes = { Y = 2, S = 0 }\nf = [1, 2]\ny = 1", "world: size of S is 0; expected a positive integer"),
        ("D(theta)", "theta = 1", r"expected a line without D\(…\)"),
    ],
)
def test_a_world_that_is_refused(left: str, world: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        in_world(left, world)


# --- text is not executed -------------------------------------------------------------------------------------------


def test_text_is_not_executed(monkeypatch: pytest.MonkeyPatch) -> None:
    import sympy

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("text was executed")

    for module, name in ((builtins, "eval"), (builtins, "exec"), (sympy, "sympify"), (sympy, "parse_expr")):
        monkeypatch.setattr(module, name, refused)
    read("E(p(y), f(y)) + kl(p, q, y)", "=", "x", "u > 0 where x > 1/2")


def test_nothing_that_executes_is_called() -> None:
    for module in (lines, derivations.cli.check):
        tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
        named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert not named & {"eval", "exec", "compile", "sympify", "parse_expr"}


def test_reading_a_term_needs_no_engine() -> None:
    code = "import sys, derivations.lines; print(sorted({'sympy', 'z3', 'flint'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_declarations_of_these_tests_are_what_they_are_compared_with() -> None:
    declared = [lines.declaration(*pair) for pair in tomllib.loads(DECLARE)["declare"].items()]
    assert declared == [p, q, f, pi, x.function, u.function, theta.function]
