"""Every formula prints in one way, that way can be read in one way only, and LaTeX is what MathJax takes."""

from __future__ import annotations

import re
import subprocess
import sys
from fractions import Fraction
from itertools import combinations
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from derivations.checker.latex import name_latex, words_latex
from derivations.checker.printing import (
    assumption_text,
    latex,
    statement_latex,
    statement_text,
    text,
    verdict_latex,
    verdict_line,
    verdict_text,
    world_latex,
    world_text,
)
from derivations.checker.statement import (
    Dominated,
    Summable,
    assume,
    covers,
    finite,
    first_order,
    point,
    same_maximiser,
    statement,
)
from derivations.checker.terms import (
    POSITIVE,
    Add,
    Apply,
    Cases,
    D,
    Delta,
    Derivative,
    E,
    Index,
    Length,
    Made,
    Multiply,
    Number,
    Path,
    Power,
    Size,
    Sort,
    Sum,
    Term,
    clip,
    define,
    differentiate,
    exp,
    function,
    histories,
    kl,
    law,
    log,
    maximum,
    minimum,
    negative,
    nonzero,
    parameter,
    recursion,
    term,
    total,
    with_fresh_binders,
)
from derivations.checker.worlds import World, world

Y, S, A, X = Sort("Y"), Sort("S"), Sort("A"), Sort("X")
H = histories("H", start=[X], step=[A, S])
y, w = Y.indices("y w")
s, s_next = S.indices("s s′")
i, a, x, h = Y.index("i"), A.index("a"), X.index("x"), H.index("h")

π = law("π", Y, depends=True)
π_old, π_ref, π_star = law("π_old", Y), law("π_ref", Y), law("π*", Y)
p, q = law("p", Y), law("q", Y)
policy = law("π", A, given=[S], depends=True)
P = law("P", S, given=[S, A])
joint = law("p", X, Y, given=[S])
f, g, r = function("f", Y), function("g", Y), function("r", Y)
Q, V, G, F = function("Q", S, A), function("V", S), function("G", H), function("F", H, Y)
b, c, d, β, γ = (parameter(name, POSITIVE) for name in "bcdβγ")
u = parameter("u", POSITIVE, depends=True)
z = parameter("z*", POSITIVE)
HALF = Fraction(1, 2)


def number(value: int | Fraction) -> Number:
    return Number(Fraction(value))


# --- terms as text ------------------------------------------------------------------------------------------

TERMS: list[tuple[Term, str]] = [
    # sums, minus signs, numbers
    ((b + c) * d, "(b + c)·d"),
    (d * (b + c), "d·(b + c)"),
    (b + c * d, "b + c·d"),
    (b - (c - d), "b − (c − d)"),
    (b - c - d, "b − c − d"),
    (b + (c + d), "b + c + d"),
    (b + (c - d), "b + c − d"),
    (-(b + c), "−(b + c)"),
    (-b + c, "−b + c"),
    (b - (-c), "b − (−c)"),
    (negative(-b), "−(−b)"),
    (b * -2, "b·(−2)"),
    (number(-2) * b, "−2·b"),
    (b - 2 * c, "b − 2·c"),
    (b + number(-2), "b − 2"),
    (b - 2, "b − 2"),
    (2 - b, "2 − b"),
    (number(-2), "−2"),
    (number(HALF), "1/2"),
    (number(-HALF), "−1/2"),
    (b - HALF, "b − 1/2"),
    (HALF * b, "(1/2)·b"),
    (-HALF * b, "−(1/2)·b"),
    (number(2) * number(3), "2·3"),
    (-b * c, "−b·c"),
    (b * (-c), "b·(−c)"),
    (Add(()), "0"),
    (Multiply(()), "1"),
    (Add((b * c,)) * d, "b·c·d"),
    # quotients
    (b / c, "b/c"),
    (b / (c * d), "b/(c·d)"),
    (b / c / d, "b/(c·d)"),
    (b * c / d, "b·c/d"),
    (b / c * d, "(b/c)·d"),
    (d * (b / c), "d·(b/c)"),
    (b / (c / d), "b/(c/d)"),
    (-(b / c), "−b/c"),
    (b / (-c), "b/(−c)"),
    (b / (c + d), "b/(c + d)"),
    ((b + c) / d, "(b + c)/d"),
    (1 / b, "1/b"),
    (Power(b, -1), "1/b"),
    (Power(b, -2), "1/b²"),
    (Power(b * c, -1), "1/(b·c)"),
    (b / c**2, "b/c²"),
    (HALF / b, "(1/2)/b"),
    (b / Fraction(2, 3), "b/(2/3)"),
    (1 / (1 - γ), "1/(1 − γ)"),
    (
        π_ref(y) * exp(r(y) / β) / total(w, of=π_ref(w) * exp(r(w) / β)),
        "π_ref(y)·exp(r(y)/β)/(Σ_w π_ref(w)·exp(r(w)/β))",
    ),
    # powers
    (b**2, "b²"),
    (b**10, "b¹⁰"),
    ((b + c) ** 2, "(b + c)²"),
    ((b * c) ** 2, "(b·c)²"),
    ((b / c) ** 2, "(b/c)²"),
    ((b**2) ** 3, "(b²)³"),
    ((-b) ** 2, "(−b)²"),
    (-(b**2), "−b²"),
    (number(-3) ** 2, "(−3)²"),
    (number(HALF) ** 2, "(1/2)²"),
    (exp(b) ** 2, "exp(b)²"),
    (r(y) ** 2, "r(y)²"),
    # sums over indices
    (total(y, of=f(y)), "Σ_y f(y)"),
    (total(y, of=p(y) * r(y)), "Σ_y p(y)·r(y)"),
    (total(y, of=f(y)) * b, "(Σ_y f(y))·b"),
    (b * total(y, of=f(y)), "b·Σ_y f(y)"),
    (total(y, of=f(y) + g(y)), "Σ_y (f(y) + g(y))"),
    (total(y, of=f(y)) + b, "Σ_y f(y) + b"),
    (total(y, of=-f(y)), "Σ_y (−f(y))"),
    (-total(y, of=f(y)), "−Σ_y f(y)"),
    (b - total(y, of=f(y)), "b − Σ_y f(y)"),
    (total(y, of=f(y) / b), "Σ_y f(y)/b"),
    (total(y, of=f(y)) / b, "(Σ_y f(y))/b"),
    (b / total(y, of=f(y)), "b/(Σ_y f(y))"),
    (total(y, of=f(y)) ** 2, "(Σ_y f(y))²"),
    (total(y, w, of=f(y) * g(w)), "Σ_{y,w} f(y)·g(w)"),
    (total(y, of=f(y) * total(w, of=g(w))), "Σ_y f(y)·Σ_w g(w)"),
    (total(y, of=f(y)) * total(w, of=g(w)), "(Σ_y f(y))·Σ_w g(w)"),
    (total(s_next, of=V(s_next)), "Σ_{s′} V(s′)"),
    # expectations, laws
    (E(π(y), r(y)), "E_{y∼π}[r(y)]"),
    (E(π(y), r(y) + b), "E_{y∼π}[r(y) + b]"),
    (E(π(y), r(y)) + b, "E_{y∼π}[r(y)] + b"),
    (E(π(y), r(y)) * b, "E_{y∼π}[r(y)]·b"),
    (E(π(y), r(y)) ** 2, "E_{y∼π}[r(y)]²"),
    (E(policy(a, s), Q(s, a)), "E_{a∼π(·∣s)}[Q(s, a)]"),
    (E(P(s_next, s, a), V(s_next)), "E_{s′∼P(·∣s, a)}[V(s′)]"),
    (E(joint(x, y, s), r(y)), "E_{(x,y)∼p(·∣s)}[r(y)]"),
    (joint(x, y, s), "p(x, y∣s)"),
    (policy(a, s), "π(a∣s)"),
    (Q(s, a), "Q(s, a)"),
    (E(q(y), p(y) / q(y) * r(y)), "E_{y∼q}[(p(y)/q(y))·r(y)]"),
    (kl(π, π_ref, y), "E_{y∼π}[log π(y) − log π_ref(y)]"),
    # logarithms, derivatives
    (log(b), "log b"),
    (log(number(2)), "log 2"),
    (log(p(y) / q(y)), "log(p(y)/q(y))"),
    (log(p(y)) / q(y), "(log p(y))/q(y)"),
    (log(b * c), "log(b·c)"),
    (log(b) * c, "(log b)·c"),
    (c * log(b), "c·log b"),
    (log(b**2), "log(b²)"),
    (log(b) ** 2, "(log b)²"),
    (log(log(b)), "log(log b)"),
    (-log(b), "−log b"),
    (log(b) - log(c), "log b − log c"),
    (log(total(y, of=f(y))), "log(Σ_y f(y))"),
    (exp(-b), "exp(−b)"),
    (log(Size(Y)), "log |Y|"),
    (D(π(y)), "∇π(y)"),
    (Apply(π, (y,), 1), "∇π(y)"),
    (Apply(π, (y,), 2), "∇²π(y)"),
    (D(D(log(π(y)))), "∇²log π(y)"),
    (D(log(π(y))) * r(y), "∇log π(y)·r(y)"),
    (D(log(u)) / b, "(∇log u)/b"),
    (D(log(u / b)), "∇log(u/b)"),
    (D(π(y)) / π(y), "∇π(y)/π(y)"),
    (D(π(y) * r(y)), "∇(π(y)·r(y))"),
    (D(π(y)) * r(y), "∇π(y)·r(y)"),
    (D(u + b), "∇(u + b)"),
    (D(total(y, of=π(y))), "∇(Σ_y π(y))"),
    (D(E(π(y), r(y))), "∇E_{y∼π}[r(y)]"),
    (D(u**2), "∇(u²)"),
    (D(u) ** 2, "(∇u)²"),
    (differentiate(log(π(y))), "∇π(y)/π(y)"),
    # the rest
    (Delta(y, w), "[y = w]"),
    (nonzero(b), "[b ≠ 0]"),
    (nonzero(b) * c, "[b ≠ 0]·c"),
    (Cases(nonzero(b), c, d), "(c if b ≠ 0 else d)"),
    (Cases(nonzero(b), c, d) + 1, "(c if b ≠ 0 else d) + 1"),
    (Cases(nonzero(b), c, Cases(nonzero(c), c, d)), "(c if b ≠ 0 else (c if c ≠ 0 else d))"),
    (exp(Cases(nonzero(b), c, d)), "exp(c if b ≠ 0 else d)"),
    (minimum(b, c + d), "min(b, c + d)"),
    (clip(b, 1 - γ, 1 + γ), "max(min(b, 1 + γ), 1 − γ)"),
    (b / Size(Y), "b/|Y|"),
    (Length(H) + 1, "t(H) + 1"),
    (G(h), "G(h)"),
    (G(Path(H, None, (x,))), "G(x)"),
    (G(Path(H, h, (a, s))), "G(h·a·s)"),
    (F(Path(H, h, (a, s)), y), "F(h·a·s, y)"),
]


@pytest.mark.parametrize(("node", "expected"), TERMS, ids=[expected for _, expected in TERMS])
def test_a_term_prints_as_text(node: Term, expected: str) -> None:
    assert text(node) == expected


def test_an_empty_initial_history_prints() -> None:
    bare = histories("H", step=[A])
    assert text(function("G", bare)(Path(bare, None, ()))) == "G(∅)"


def test_what_is_no_term_is_refused() -> None:
    with pytest.raises(TypeError, match="no way to print"):
        text(Term())


# --- one reading --------------------------------------------------------------------------------------------

DIFFERENT: list[tuple[Term, ...]] = [
    (b - (c - d), b - c - d, b - (c + d)),
    ((b + c) * d, b + c * d, d + b * c),
    (b / (c * d), b / c * d, b * (c / d) * 2),
    (b / (c / d), b / c / d, b / c * d),
    ((-b) ** 2, -(b**2), b**-2),
    ((b * c) ** 2, b * c**2, b**2 * c),
    ((b**2) ** 3, b**23, b**2 * 3),
    (log(b * c), log(b) * c, log(c) * b),
    (log(b / c), log(b) / c, b / log(c)),
    (log(b**2), log(b) ** 2, log(b) * 2),
    (log(b) + c, log(b + c)),
    (exp(b) * c, exp(b * c)),
    (total(y, of=f(y)) * b, total(y, of=f(y) * b)),
    (total(y, of=f(y)) + b, total(y, of=f(y) + b)),
    (total(y, of=f(y)) / b, total(y, of=f(y) / b)),
    (b / total(y, of=f(y)), b / total(y, of=f(y)) * c, b * c / total(y, of=f(y))),
    (total(y, of=f(y)) ** 2, total(y, of=f(y) ** 2)),
    (total(y, of=f(y)) * total(w, of=g(w)) * 2, total(y, of=f(y) * total(w, of=g(w)))),
    (E(p(y), r(y)) + b, E(p(y), r(y) + b)),
    (E(p(y), r(y)) * b, E(p(y), r(y) * b)),
    (E(p(y), r(y)), E(q(y), r(y)), total(y, of=p(y) * r(y))),
    (D(u * b), D(u) * b, D(b) * u),
    (D(u) ** 2, D(u**2), D(D(u))),
    (D(log(u)), log(D(u)), D(log(u)) * u),
    (D(log(u / b)), D(log(u)) / b, log(D(u) / b)),
    (D(total(y, of=π(y) * r(y))), D(total(y, of=π(y))) * r(w)),
    (number(HALF) * b, 1 / (2 * b), number(-HALF) * b, b - HALF),
    (Cases(nonzero(b), c, d) + 1, Cases(nonzero(b), c, d + 1)),
    (Cases(nonzero(b), c, d) * 2, Cases(nonzero(b), c * 2, d)),
    (minimum(b, c) + d, minimum(b, c + d), maximum(b, c) + d),
    (nonzero(b * c), nonzero(b) * c),
    (policy(a, s), function("π", A, S)(a, s)),
    (joint(x, y, s), function("p", X, Y, S)(x, y, s)),
]


@pytest.mark.parametrize("terms", DIFFERENT, ids=lambda terms: text(terms[0]))
def test_terms_that_differ_print_differently(terms: tuple[Term, ...]) -> None:
    for one, other in combinations(terms, 2):
        assert text(one) != text(other)
        assert latex(one) != latex(other)


VALUES = {"b": Fraction(2), "c": Fraction(3), "d": Fraction(5, 7)}
LEAVES = st.sampled_from([b, c, d, *map(number, (0, 1, 2, -1, -3, HALF, Fraction(-2, 3)))])
ARITHMETIC = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, min_size=0, max_size=3).map(lambda parts: Add(tuple(parts))),
        st.lists(inner, min_size=0, max_size=3).map(lambda parts: Multiply(tuple(parts))),
        st.tuples(inner, st.integers(-2, 3)).map(lambda pair: Power(*pair)),
        inner.map(negative),
        st.tuples(inner, inner).map(lambda pair: pair[0] / pair[1]),
    ),
    max_leaves=12,
)


def read_text(printed: str) -> Fraction:
    """The value of printed arithmetic by the rules of Python, which are those of school."""
    source = printed.replace("·", "*").replace("−", "-")
    source = re.sub(r"\d+", lambda m: f"Fraction({m[0]})", source)
    source = re.sub("[⁰¹²³]", lambda m: f"**{'⁰¹²³'.index(m[0])}", source)
    return Fraction(eval(source, {"Fraction": Fraction, **VALUES}))


def read_latex(printed: str) -> Fraction:
    """The value of printed arithmetic in LaTeX."""
    source = printed.replace(r"\left(", "(").replace(r"\right)", ")")
    source = re.sub(r"\^\{(\d)\}", r"**\1", source)
    source = re.sub(r"\\,| \\cdot ", "*", source)
    source = source.replace(r"\frac{", "quotient(").replace("}{", ",").replace("}", ")")
    source = re.sub(r"(?<!\*)\b\d+\b", lambda m: f"Fraction({m[0]})", source)
    return Fraction(eval(source, {"Fraction": Fraction, "quotient": lambda n, m: n / m, **VALUES}))


@settings(max_examples=400, derandomize=True, deadline=None)
@given(ARITHMETIC)
def test_what_is_printed_has_the_value_of_the_term(node: Term) -> None:
    tables = {b: VALUES["b"], c: VALUES["c"], d: VALUES["d"]}
    try:
        value = world({}, tables)(node)
    except Exception as error:  # a division by zero
        assert "division by zero" in str(error)
        for read, printed in ((read_text, text(node)), (read_latex, latex(node))):
            with pytest.raises(ZeroDivisionError):
                read(printed)
        return
    assert read_text(text(node)) == value
    assert read_latex(latex(node)) == value


# --- indices that the checker made up -----------------------------------------------------------------------


def test_a_renamed_binder_gets_its_name_back() -> None:
    node = total(y, w, of=f(y) * g(w))
    assert text(with_fresh_binders(node)) == text(with_fresh_binders(with_fresh_binders(node))) == text(node)


def test_names_that_were_made_up_stay_apart() -> None:
    one, other = Index(Made("y·7"), Y), Index(Made("y·12"), Y)
    node = f(one) * g(other) * r(y)
    assert text(node) == "f(y′)·g(y″)·r(y)"
    assert latex(node) == r"f(y')\,g(y'')\,r(y)"


def test_names_that_were_made_up_from_nothing_take_the_letter_of_their_sort() -> None:
    node = Sum(
        Index(Made("#0.0"), Y), Sum(Index(Made("#0.1"), Y), f(Index(Made("#0.0"), Y)) * g(Index(Made("#0.1"), Y)))
    )
    assert text(node) == "Σ_{y,y′} f(y)·g(y′)"
    assert latex(node) == r"\sum_{y, y'} f(y)\,g(y')"


def test_many_names_that_were_made_up() -> None:
    node = Add(tuple(f(Index(Made(f"·{k}"), Y)) for k in range(6)))
    assert text(node) == "f(y) + f(y′) + f(y″) + f(y‴) + f(y₄) + f(y₅)"


# --- terms in LaTeX -----------------------------------------------------------------------------------------

LATEX: list[tuple[Term, str]] = [
    (E(π(y), r(y)), r"\mathbb{E}_{y\sim \pi}\left[r(y)\right]"),
    (E(policy(a, s), Q(s, a)), r"\mathbb{E}_{a\sim \pi(\cdot\mid s)}\left[Q(s, a)\right]"),
    (
        E(joint(x, y, s), r(y)),
        r"\mathbb{E}_{(x, y)\sim p(\cdot\mid s)}\left[r(y)\right]",
    ),
    (D(log(π(y))) * r(y), r"\nabla_\theta \log \pi(y)\,r(y)"),
    (D(D(log(π(y)))), r"\nabla_\theta^{2} \log \pi(y)"),
    (D(π(y) * r(y)), r"\nabla_\theta \left(\pi(y)\,r(y)\right)"),
    (policy(a, s), r"\pi(a\mid s)"),
    (p(y) / q(y) * r(y), r"\frac{p(y)}{q(y)}\,r(y)"),
    (r(y) * (p(y) / q(y)), r"r(y)\,\frac{p(y)}{q(y)}"),
    (log(p(y) / q(y)), r"\log\left(\frac{p(y)}{q(y)}\right)"),
    ((b + c) * d, r"\left(b + c\right)\,d"),
    (d * (b + c), r"d \cdot \left(b + c\right)"),
    (b - (c - d), r"b - \left(c - d\right)"),
    (number(2) * number(3), r"2 \cdot 3"),
    (number(2) * (b / c), r"2 \cdot \frac{b}{c}"),
    (HALF * b, r"\frac{1}{2}\,b"),
    ((b / c) ** 2, r"\left(\frac{b}{c}\right)^{2}"),
    (z**2, r"\left(z^{*}\right)^{2}"),
    (π_star(y) ** 2, r"\pi^{*}(y)^{2}"),
    (parameter("b′", POSITIVE) ** 2, r"\left(b'\right)^{2}"),
    (exp(r(y) / β), r"\exp\left(\frac{r(y)}{\beta}\right)"),
    (total(y, of=f(y)) / b, r"\frac{\sum_{y} f(y)}{b}"),
    (total(y, of=f(y)) * b, r"\left(\sum_{y} f(y)\right)\,b"),
    (total(y, w, of=f(y) * g(w)), r"\sum_{y, w} f(y)\,g(w)"),
    (1 / Size(Y), r"\frac{1}{\lvert Y\rvert}"),
    (Length(H), "t(H)"),
    (Delta(y, w), r"\left[y = w\right]"),
    (nonzero(b), r"\left[b \ne 0\right]"),
    (clip(b, 1 - γ, 1 + γ), r"\max\left(\min\left(b, 1 + \gamma\right), 1 - \gamma\right)"),
    (
        Cases(nonzero(b), c, d),
        r"\begin{cases}c & \text{if }b \ne 0 \\ d & \text{otherwise}\end{cases}",
    ),
    (
        Cases(nonzero(b), c, d) + 1,
        r"\left(\begin{cases}c & \text{if }b \ne 0 \\ d & \text{otherwise}\end{cases}\right) + 1",
    ),
    (G(Path(H, h, (a, s))), r"G(h \cdot a \cdot s)"),
    (function("ratio", Y, latex=r"\rho_t")(y), r"\rho_t(y)"),
]


@pytest.mark.parametrize(("node", "expected"), LATEX, ids=[expected for _, expected in LATEX])
def test_a_term_prints_in_latex(node: Term, expected: str) -> None:
    assert latex(node) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("π", r"\pi"),
        ("π_ref", r"\pi_{\mathrm{ref}}"),
        ("π*", r"\pi^{*}"),
        ("π_old′", r"\pi_{\mathrm{old}}'"),
        ("π*′", r"\pi^{*\prime}"),
        ("y0", "y_{0}"),
        ("y_w", "y_{w}"),
        ("s′", "s'"),
        ("s″", "s''"),
        ("c₂", "c_{2}"),
        ("ε_A", r"\varepsilon_{A}"),
        ("R̂", r"\hat{R}"),
        ("Â", r"\hat{A}"),
        ("d̂_t", r"\hat{d}_{t}"),
        ("a_t+1", "a_{t+1}"),
        ("KL", r"\mathrm{KL}"),
        ("σ²", r"\sigma^{2}"),
        ("πa", r"\pi a"),
        ("50%", r"50\%"),
        ("a_b_c", "a_{b,c}"),
        ("x y", r"x\text{ }y"),
        ("☃", r"\text{☃}"),
    ],
)
def test_a_name_in_latex(name: str, expected: str) -> None:
    assert name_latex(name) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("q > 0 wherever p > 0", r"\text{q > 0 wherever p > 0}"),
        ("π_ref is positive", r"\pi_{\mathrm{ref}}\text{ is positive}"),
        ("100% & $5", r"\text{100}\%\text{ }\&\text{ }\$\text{5}"),
        ("", ""),
    ],
)
def test_words_in_latex(words: str, expected: str) -> None:
    assert words_latex(words) == expected


def fit_for_mathjax(written: str) -> bool:
    """Braces, \\left and environments in balance; no sign of mathematics in Unicode outside \\text."""
    outside = re.sub(r"\\text\{[^{}]*\}", "", written)
    bare = re.sub(r"\\[{}]", "", outside)
    depth = 0
    for character in bare:
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0, written
    paired = bare.count(r"\left") == bare.count(r"\right") and bare.count(r"\begin") == bare.count(r"\end")
    superscripts = re.search(r"\^(?:\{[^{}]*\}|.)'*\^", bare)
    return depth == 0 and paired and outside.isascii() and not superscripts


@pytest.mark.parametrize("node", [node for node, _ in TERMS + LATEX], ids=text)
def test_the_latex_of_a_term_is_fit_for_mathjax(node: Term) -> None:
    assert fit_for_mathjax(latex(node))


# --- statements ---------------------------------------------------------------------------------------------


def test_a_statement_with_a_hypothesis() -> None:
    judged = statement(E(q(y), p(y) / q(y) * r(y)), "=", E(p(y), r(y)), assuming=[covers(q(y), p(y))])
    assert statement_text(judged).splitlines() == [
        "E_{y∼q}[(p(y)/q(y))·r(y)] = E_{y∼p}[r(y)]",
        "  assuming q > 0 wherever p > 0",
    ]
    assert statement_latex(judged) == (
        "\\begin{aligned}\n"
        r"&\mathbb{E}_{y\sim q}\left[\frac{p(y)}{q(y)}\,r(y)\right] = \mathbb{E}_{y\sim p}\left[r(y)\right] \\"
        "\n"
        r"&\text{assuming }\text{q > 0 wherever p > 0}"
        "\n\\end{aligned}"
    )


def test_a_statement_with_free_indices_definitions_and_standing_assumptions() -> None:
    positive = assume("Q is positive", Q(s, a), ">", 0, for_all=[s, a])
    defined = define(V(s), E(policy(a, s), Q(s, a)))
    judged = statement(V(s), "<=", Q(s, a) + r(y), definitions=[defined], standing=[positive])
    assert statement_text(judged).splitlines() == [
        "V(s) ≤ Q(s, a) + r(y)",
        "  for all a ∈ A, s ∈ S, y ∈ Y",
        "  where V(s) := E_{a∼π(·∣s)}[Q(s, a)]",
        "  assuming Q is positive (standing)",
    ]
    assert r"V(s) \le Q(s, a) + r(y)" in statement_latex(judged)
    assert fit_for_mathjax(statement_latex(judged))


def test_a_statement_of_existence_with_a_recursion() -> None:
    weight = recursion(G, start=lambda x: 1, step=lambda h, a, s: G(h) * Q(s, a))
    judged = statement(total(h, of=G(h)), "≠", b, recursions=[weight], exists=True)
    assert statement_text(judged).splitlines() == [
        "Σ_h G(h) ≠ b",
        "  for some Q, b",
        "  where G(x) := 1, G(h·a·s) := G(h)·Q(s, a)",
    ]
    assert fit_for_mathjax(statement_latex(judged))


def test_a_plain_statement_is_one_line() -> None:
    judged = statement(b + c, "=", c + b)
    assert statement_text(judged) == "b + c = c + b"
    assert statement_latex(judged) == "b + c = c + b"


def test_statements_of_nothing_open_and_of_infinite_sorts() -> None:
    assert "for some sizes" in statement_text(statement(Size(Y), "=", 1, exists=True))
    N = Sort("N", infinite=True)
    n = N.index("n")
    mass = law("m", N)
    assert "  where N may be infinite" in statement_text(statement(total(n, of=mass(n)), "=", 1)).splitlines()


def test_relations_that_are_no_comparison() -> None:
    θ_old = point("θ_old", {π: π_old})
    first = statement(E(π(y), r(y)), first_order(θ_old), b)
    same = statement(E(π(y), r(y)), same_maximiser(π), E(π(y), r(y) - b))
    assert statement_text(first) == "E_{y∼π}[r(y)] equals to first order at θ_old b"
    assert r"\overset{\theta_{\mathrm{old}}}{\simeq}" in statement_latex(first)
    assert statement_text(same) == "E_{y∼π}[r(y)] same maximiser over π as E_{y∼π}[r(y) − b]"
    assert r"\overset{\text{argmax }\pi}{\sim}" in statement_latex(same)


def test_the_same_index_has_the_same_name_on_both_sides() -> None:
    hidden = Index(Made("y·3"), Y)
    assert statement_text(statement(f(hidden), "=", f(y))).splitlines()[0] == "f(y′) = f(y)"


def test_assumptions_in_full() -> None:
    assert assumption_text(covers(q(y), p(y))) == "q(y) > 0 for all y ∈ Y where p(y) ≠ 0"
    assert assumption_text(finite(Y)) == "Y is finite"
    assert assumption_text(Summable(y, f(y))) == "Σ_y f(y) converges absolutely"
    assert assumption_text(Dominated(y, π(y))) == "Σ_y π(y) may be differentiated term by term"
    unnamed = statement(total(y, of=f(y)), "=", 1, assuming=[Summable(y, f(y))])
    assert statement_text(unnamed).splitlines()[1:] == ["  assuming Σ_y f(y) converges absolutely"]


# --- worlds -------------------------------------------------------------------------------------------------


def small_world() -> World:
    return world(
        {Y: 2, S: 2, A: 2, X: 1},
        {
            r: [0, log(2)],
            p: [HALF, HALF],
            policy: [[HALF, Fraction(1, 3)], [HALF, Fraction(2, 3)]],
            Q: [[0, 1], [-HALF, 2]],
            β: 1,
            γ: exp(term(1)),
            G: {((0,),): 1, ((0, 1, 1),): 2},
            F: {((0,), 0): 3, ((0,), 1): 4},
            joint: {(0, k, m): HALF for k in range(2) for m in range(2)},
        },
        slopes={policy: [[1, 0], [-1, 0]]},
        lengths={H: 1},
        indices={y: 1, h: (0, 1, 1)},
    )


def test_a_world_prints_in_a_fixed_order() -> None:
    assert world_text(small_world()).splitlines() == [
        "|A| = 2, |S| = 2, |X| = 1, |Y| = 2, t(H) = 1, h = (0, 1, 1), y = 1",
        "β = 1, γ ≈ 2.7182818",
        "F(h=(0), ·) = (3, 4)",
        "G(0) = 1, G(0, 1, 1) = 2",
        "Q(s=0, ·) = (0, 1), Q(s=1, ·) = (−1/2, 2)",
        "p = (1/2, 1/2)",
        "p(·, ·∣s=0) = ((1/2, 1/2)), p(·, ·∣s=1) = ((1/2, 1/2))",
        "r = (0, log 2)",
        "π(·∣s=0) = (1/2, 1/2), π(·∣s=1) = (1/3, 2/3)",
        "∇π(·∣s=0) = (1, −1), ∇π(·∣s=1) = (0, 0)",
    ]


def test_the_order_of_the_tables_does_not_matter() -> None:
    one = world({S: 1, Y: 2}, {p: [0, 1], r: [1, 2], b: 1})
    other = world({Y: 2, S: 1}, {b: 1, r: [1, 2], p: [0, 1]})
    assert world_text(one) == world_text(other)


def test_a_world_in_latex() -> None:
    lines = world_latex(small_world()).splitlines()
    assert lines[3] == r"&F(h=\left(0\right), \cdot) = \left(3, 4\right) \\"
    assert r"\gamma \approx 2.7182818" in lines[2]
    assert r"Q(s=1, \cdot) = \left(-\tfrac{1}{2}, 2\right)" in lines[5]
    assert r"&r = \left(0, \log 2\right) \\" in lines
    assert fit_for_mathjax(world_latex(small_world()))


def test_a_law_over_histories_and_no_slopes_where_all_are_zero() -> None:
    over = law("ρ", H, depends=True)
    given_world = world({X: 1, A: 1, S: 2}, {over: {((0, 0, 1),): 1, ((0, 0, 0),): 0}}, lengths={H: 1})
    assert world_text(given_world).splitlines()[1:] == ["ρ(0, 0, 0) = 0, ρ(0, 0, 1) = 1"]


def test_numbers_in_latex() -> None:
    values = {b: log(12) * HALF, c: exp(term(-40)), d: exp(term(1)), γ: number(Fraction(3, 4))}
    shown = world_latex(world({}, values))
    assert r"b = \log 2 + \tfrac{1}{2}\,\log 3" in shown
    assert r"c \approx 4.2483543 \cdot 10^{-18}" in shown
    assert r"\gamma = \tfrac{3}{4}" in shown


# --- verdicts -----------------------------------------------------------------------------------------------

NO_COVER = world({Y: 2}, {p: [HALF, HALF], q: [1, 0], r: [1, 1]})


def verdict(**told: Any) -> Any:
    empty = {
        "assumptions": (),
        "counterexample": None,
        "method": "normal form",
        "steps": (),
        "axioms": (),
        "needed": (),
        "sides": None,
        "note": "",
        "opinion": "",
        "seconds": 1.5,
    }
    return SimpleNamespace(**{**empty, **told})


def step(left: Term, right: Term, reason: str, method: str = "normal form") -> Any:
    return SimpleNamespace(left=left, relation="=", right=right, reason=reason, method=method)


def importance(assuming: bool) -> Any:
    hypotheses = [covers(q(y), p(y))] if assuming else []
    return statement(E(q(y), p(y) / q(y) * r(y)), "=", E(p(y), r(y)), assuming=hypotheses)


def score() -> Any:
    middle = total(y, of=D(π(y)) * r(y))
    left, right = D(E(π(y), r(y))), E(π(y), D(log(π(y))) * r(y))
    steps = (step(left, middle, "finite sums"), step(middle, right, "log-derivative trick"))
    positive = assume("π > 0", π(y), ">", 0, for_all=[y])
    return verdict(
        status="conditional",
        statement=statement(left, "=", right, assuming=[positive]),
        steps=steps,
        assumptions=("π > 0", "Y is finite"),
        needed=(("π > 0", NO_COVER),),
        axioms=("a named fact", "another"),
        note="as in the source",
    )


def test_a_refuted_verdict_shows_its_world() -> None:
    found = verdict(
        status="refuted",
        statement=importance(False),
        method="counterexample",
        counterexample=NO_COVER,
        sides=("1/2", "1"),
    )
    assert verdict_text(found).splitlines() == [
        "✗ refuted by counterexample",
        "E_{y∼q}[(p(y)/q(y))·r(y)] = E_{y∼p}[r(y)]",
        "counterexample: left = 1/2, right = 1",
        "  |Y| = 2",
        "  p = (1/2, 1/2)",
        "  q = (1, 0)",
        "  r = (1, 1)",
    ]
    line = "✗ refuted: E_{y∼q}[(p(y)/q(y))·r(y)] = E_{y∼p}[r(y)] (left = 1/2, right = 1)"
    assert verdict_line(found) == line
    shown = verdict_latex(found)
    assert shown.startswith("$$\\begin{aligned}\n&\\times\\ \\text{refuted by counterexample} \\\\\n&\\mathbb{E}")
    assert shown.endswith("\n&\\quad r = \\left(1, 1\\right)\n\\end{aligned}$$")
    assert r"\text{left} = \tfrac{1}{2}, \text{right} = 1" in shown
    assert fit_for_mathjax(shown)


def test_a_conditional_verdict_shows_its_steps_and_what_refutes_it_without_a_hypothesis() -> None:
    assert verdict_text(score()).splitlines() == [
        "✓ conditional by normal form",
        "∇E_{y∼π}[r(y)] = E_{y∼π}[∇log π(y)·r(y)]",
        "  assuming π > 0",
        "steps:",
        "  ∇E_{y∼π}[r(y)]",
        "  = Σ_y ∇π(y)·r(y)           ✓ finite sums",
        "  = E_{y∼π}[∇log π(y)·r(y)]  ✓ log-derivative trick",
        "assumptions: π > 0; Y is finite",
        "without “π > 0”: refuted by |Y| = 2, p = (1/2, 1/2), q = (1, 0), r = (1, 1)",
        "axioms: a named fact; another",
        "note: as in the source",
    ]
    assert verdict_line(score()) == ("✓ conditional: ∇E_{y∼π}[r(y)] = E_{y∼π}[∇log π(y)·r(y)] (assuming π > 0)")


def test_a_verdict_in_latex() -> None:
    rows = [row.removesuffix(r" \\") for row in verdict_latex(score()).splitlines()]
    expectation = r"\mathbb{E}_{y\sim \pi}\left[\nabla_\theta \log \pi(y)\,r(y)\right]"
    assert rows == [
        r"$$\begin{aligned}",
        r"&\checkmark\ \text{conditional by normal form}",
        r"&\nabla_\theta \mathbb{E}_{y\sim \pi}\left[r(y)\right] = " + expectation,
        r"&\quad \text{assuming }\pi\text{ > 0}",
        r"&\begin{aligned}",
        r"\nabla_\theta \mathbb{E}_{y\sim \pi}\left[r(y)\right]& = \sum_{y} \nabla_\theta \pi(y)\,r(y)"
        r" && \checkmark\ \text{finite sums}",
        r"& = " + expectation + r" && \checkmark\ \text{log-derivative trick}",
        r"\end{aligned}",
        r"&\text{assumptions: }\pi\text{ > 0; Y is finite}",
        r"&\text{without “}\pi\text{ > 0”: refuted by }\lvert Y\rvert = 2, "
        r"p = \left(\tfrac{1}{2}, \tfrac{1}{2}\right), q = \left(1, 0\right), r = \left(1, 1\right)",
        r"&\text{axioms: a named fact; another}",
        r"&\text{note: as in the source}",
        r"\end{aligned}$$",
    ]
    assert fit_for_mathjax(verdict_latex(score()))


def test_an_unknown_verdict_is_never_marked_as_a_pass() -> None:
    steps = (step(b, c, "because", method=""),)
    unknown = verdict(status="unknown", statement=statement(b, "=", c), method="none", steps=steps, note="too large")
    assert verdict_text(unknown).splitlines() == [
        "? unknown",
        "b = c",
        "steps:",
        "  b",
        "  = c  ? because",
        "note: too large",
    ]
    assert verdict_line(unknown) == "? unknown: b = c (too large)"
    assert "checkmark" not in verdict_latex(unknown)
    surprising = verdict(status="timeout", statement=statement(b, "=", c))
    assert verdict_text(surprising).startswith("? timeout")


def test_a_proved_existence_shows_its_example() -> None:
    found = verdict(
        status="proved",
        method="example",
        statement=statement(E(p(y), r(y)), "≠", 0, exists=True),
        counterexample=NO_COVER,
        sides=("1", "0"),
    )
    assert verdict_text(found).splitlines()[:4] == [
        "✓ proved by example",
        "E_{y∼p}[r(y)] ≠ 0",
        "  for some p, r",
        "example: left = 1, right = 0",
    ]


def test_an_example_that_is_no_finite_world_speaks_for_itself() -> None:
    class Series:
        def __repr__(self) -> str:
            return "p(y) = 2^−y on y = 1, 2, …"

    found = verdict(status="refuted", statement=importance(False), counterexample=Series(), sides=("∞", "no limit"))
    assert verdict_text(found).splitlines()[2:] == [
        "counterexample: left = ∞, right = no limit",
        "  p(y) = 2^−y on y = 1, 2, …",
    ]
    assert fit_for_mathjax(verdict_latex(found))


def test_a_chain_that_starts_again_shows_its_left_side() -> None:
    steps = (step(b, c, "one"), step(d, b, "two"))
    found = verdict(status="proved", statement=statement(b, "=", c), steps=steps)
    assert verdict_text(found).splitlines()[3:] == ["  b", "  = c  ✓ one", "  d", "  = b  ✓ two"]


def test_a_long_step_does_not_push_the_reasons_away() -> None:
    long = Add(tuple(f(y) for _ in range(20)))
    steps = (step(b, long, "one"), step(long, c, "two"))
    found = verdict(status="proved", statement=statement(b, "=", c), steps=steps)
    assert verdict_text(found).splitlines()[-1] == "  = c  ✓ two"


def test_seconds_are_not_shown() -> None:
    assert "1.5" not in verdict_text(score()) + verdict_line(score()) + verdict_latex(score())


def test_printing_does_not_depend_on_the_order_of_hashing() -> None:
    """Two processes with different seeds of hashing print the same."""
    program = (
        "from tests.checker.test_printing import *\n"
        "print(verdict_text(score()), verdict_latex(score()), world_text(small_world()))"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8", "PYTHONPATH": "."},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1
    assert "∇π" in next(iter(printed)).decode()


def test_a_term_shows_itself() -> None:
    assert repr(b + c) == "b + c"
    assert repr(Derivative(u)) == "∇u"
    assert repr(NO_COVER) == world_text(NO_COVER)
    assert repr(statement(b, "=", c)) == "b = c"
