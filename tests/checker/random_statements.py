"""Random statements that are known to be true, or to be false, by how they are made.

A term is drawn, and rewritten by sound steps: it stays the same number in every world. Term = rewritten term is true, and so
is term ≤ rewritten (term + something that is not negative). Term = rewritten (term + something that is not always zero) is
false. The steps are those of a calculation on paper, written here without a look at the checker's rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import count
from random import Random

from derivations import (
    POSITIVE,
    REAL,
    D,
    E,
    Sort,
    Statement,
    Sum,
    exp,
    function,
    law,
    log,
    parameter,
    statement,
    term,
)
from derivations.checker.errors import StatementError
from derivations.checker.terms import (
    Add,
    Apply,
    Derivative,
    Exp,
    Expectation,
    Index,
    Log,
    Multiply,
    Number,
    Power,
    Term,
    bound_here,
    children,
    rebuild,
    substitute,
)
from derivations.checker.terms import Sum as SumTerm

X, Y = Sort("X"), Sort("Y")
c, d = parameter("c", REAL), parameter("d", REAL)
s, t = parameter("s", POSITIVE), parameter("t", POSITIVE)
f, g, r = function("f", Y), function("g", Y), function("r", Y, X)
m, p = law("m", X), law("p", Y)
q = law("q", Y, positive=True)
k = law("k", Y, given=[X])
pi = law("π", Y, positive=True, depends=True)
FREE = (Y.index("y"), X.index("x"))

Scope = tuple[Index, ...]


class Maker:
    """Draws terms and rewrites them; the same seed gives the same."""

    def __init__(self, seed: int) -> None:
        self.draw = Random(seed)
        self.numbers = count(1)

    def index(self, sort: Sort) -> Index:
        """An index with a name of its own."""
        return sort.index(f"{sort.name.lower()}{next(self.numbers)}")

    # --- terms

    def term(self, scope: Scope, depth: int) -> Term:
        """A term of these indices."""
        if depth == 0 or self.draw.random() < 0.15:
            return self.leaf(scope)
        kinds: list[Callable[[], Term]] = [
            lambda: self.term(scope, depth - 1) + self.term(scope, depth - 1),
            lambda: self.term(scope, depth - 1) - self.term(scope, depth - 1),
            lambda: self.term(scope, depth - 1) * self.leaf(scope),
            lambda: self.leaf(scope) * self.term(scope, depth - 1),
            lambda: self.summed(scope, depth),
            lambda: self.expected(scope, depth),
            lambda: self.expected(scope, depth),
            lambda: self.leaf(scope) ** 2,
            lambda: self.leaf(scope) / self.draw.choice([s, t, s * t]),
        ]
        if not scope:
            kinds.append(self.moving)
        return self.draw.choice(kinds)()

    def leaf(self, scope: Scope) -> Term:
        """A number, a parameter, or a function at indices."""
        found: list[Term] = [c, d, s, term(Fraction(self.draw.randint(-3, 3), self.draw.randint(1, 3)))]
        found += [log(s), log(s * t), exp(c - d)]
        own = [i for i in scope if i.sort == Y]
        for y in own:
            found += [f(y), g(y), p(y), q(y), f(y) / q(y), log(q(y))]
            found += [r(y, x) for x in scope if x.sort == X] + [k(y, x) for x in scope if x.sort == X]
        return self.draw.choice(found)

    def summed(self, scope: Scope, depth: int) -> Term:
        """A sum over one of the sets."""
        new = self.index(self.draw.choice([X, Y]))
        return Sum(new, self.term((*scope, new), depth - 1))

    def expected(self, scope: Scope, depth: int) -> Term:
        """An expectation under one of the laws."""
        laws: list[Apply] = [p(self.index(Y)), q(self.index(Y)), m(self.index(X))]
        laws += [k(self.index(Y), x) for x in scope if x.sort == X]
        chosen = self.draw.choice(laws)
        (new,) = chosen.arguments[:1]
        assert isinstance(new, Index)
        return E(chosen, self.term((*scope, new), depth - 1))

    def moving(self) -> Term:
        """A derivative in θ."""
        new = self.index(Y)
        return D(E(pi(new), self.leaf((new,)) * self.leaf((new,))))

    # --- the same number, written otherwise

    def rewritten(self, node: Term, scope: Scope, steps: int) -> Term:
        """The term after so many sound steps, each somewhere in it."""
        done = 0
        for _ in range(10 * steps):
            if done == steps:
                break
            try:
                changed = self.somewhere(node, scope)
            except StatementError:
                continue  # an index would be bound twice
            if changed is not None:
                node, done = changed, done + 1
        return node

    def somewhere(self, node: Term, scope: Scope) -> Term | None:
        """One step at a place that chance finds; None where it finds none."""
        parts = children(node)
        inside = not parts or isinstance(node, Derivative) or self.draw.random() < 0.3
        if inside:
            return self.draw.choice(STEPS)(self, node, scope)
        place = self.draw.randrange(len(parts))
        if isinstance(node, Expectation) and place == 0:
            return None
        changed = self.somewhere(parts[place], (*scope, *bound_here(node)))
        return None if changed is None else rebuild(node, (*parts[:place], changed, *parts[place + 1 :]))

    def reorder(self, node: Term, scope: Scope) -> Term | None:
        """a + b = b + a, a·b = b·a."""
        if not isinstance(node, (Add, Multiply)):
            return None
        parts = list(children(node))
        self.draw.shuffle(parts)
        return rebuild(node, tuple(parts))

    def nest(self, node: Term, scope: Scope) -> Term | None:
        """a + b + c = a + (b + c), and the same for products."""
        if not isinstance(node, (Add, Multiply)) or len(children(node)) < 3:
            return None
        first, *rest = children(node)
        return type(node)((first, type(node)(tuple(rest))))

    def distribute(self, node: Term, scope: Scope) -> Term | None:
        """a·(b + c) = a·b + a·c."""
        if not isinstance(node, Multiply):
            return None
        sums = [n for n, part in enumerate(node.factors) if isinstance(part, Add)]
        if not sums:
            return None
        place = self.draw.choice(sums)
        before, after = node.factors[:place], node.factors[place + 1 :]
        return Add(tuple(self.renamed(Multiply((*before, part, *after))) for part in children(node.factors[place])))

    def pull_in(self, node: Term, scope: Scope) -> Term | None:
        """a·Σ b = Σ a·b, and the same for expectations."""
        if not isinstance(node, Multiply):
            return None
        binding = [n for n, part in enumerate(node.factors) if isinstance(part, (SumTerm, Expectation))]
        if not binding:
            return None
        place = self.draw.choice(binding)
        inner = self.renamed(node.factors[place])
        others = (*node.factors[:place], *node.factors[place + 1 :])
        *kept, body = children(inner)
        return rebuild(inner, (*kept, Multiply((*others, body))))

    def split(self, node: Term, scope: Scope) -> Term | None:
        """Σ (a + b) = Σ a + Σ b."""
        if not isinstance(node, (SumTerm, Expectation)) or not isinstance(node.body, Add):
            return None
        *kept, body = children(node)
        return Add(tuple(self.renamed(rebuild(node, (*kept, part))) for part in children(body)))

    def spell_out(self, node: Term, scope: Scope) -> Term | None:
        """E_p[a] = Σ p·a."""
        if not isinstance(node, Expectation):
            return None
        (index,) = node.indices
        return Sum(index, node.law * node.body)

    def exchange(self, node: Term, scope: Scope) -> Term | None:
        """Σ_x Σ_y a = Σ_y Σ_x a."""
        if not isinstance(node, SumTerm) or not isinstance(node.body, SumTerm):
            return None
        return Sum(node.body.index, Sum(node.index, node.body.body))

    def rename(self, node: Term, scope: Scope) -> Term | None:
        """Σ_y a(y) = Σ_z a(z)."""
        return self.renamed(node) if bound_here(node) else None

    def add_nothing(self, node: Term, scope: Scope) -> Term | None:
        """a = a + b − b."""
        more = self.leaf(scope)
        return node + more - more

    def multiply_by_one(self, node: Term, scope: Scope) -> Term | None:
        """a = a·s/s, or a·Σ p."""
        new = self.index(Y)
        return node * self.draw.choice([s / s, Sum(new, p(new)), Sum(new, q(new)), E(q(new), term(1))])

    def square(self, node: Term, scope: Scope) -> Term | None:
        """a² = a·a."""
        if not isinstance(node, Power) or node.exponent != 2:
            return None
        return node.base * self.renamed(node.base)

    def part_number(self, node: Term, scope: Scope) -> Term | None:
        """3 = 5 − 2."""
        if not isinstance(node, Number):
            return None
        part = Fraction(self.draw.randint(-4, 4), self.draw.randint(1, 3))
        return term(part) + term(node.value - part)

    def log_of_product(self, node: Term, scope: Scope) -> Term | None:
        """log(a·b) = log a + log b."""
        if not isinstance(node, Log) or not isinstance(node.argument, Multiply):
            return None
        return Add(tuple(map(Log, node.argument.factors)))

    def exp_of_sum(self, node: Term, scope: Scope) -> Term | None:
        """exp(a + b) = exp a·exp b."""
        if not isinstance(node, Exp) or not isinstance(node.argument, Add):
            return None
        return Multiply(tuple(map(Exp, node.argument.terms)))

    def differentiate(self, node: Term, scope: Scope) -> Term | None:
        """∇E_π[a] = E_π[a·∇log π], where a does not move."""
        if not isinstance(node, Derivative) or not isinstance(node.body, Expectation):
            return None
        law_, body = node.body.law, node.body.body
        return E(law_, D(log(law_)) * body)

    def renamed(self, node: Term) -> Term:
        """The term with every bound index under a name of its own."""
        parts = tuple(self.renamed(child) for child in children(node))
        node = rebuild(node, parts) if parts else node
        for old in bound_here(node):
            new = self.index(old.sort)
            if isinstance(node, SumTerm):
                node = Sum(new, substitute(node.body, {old: new}))
            elif isinstance(node, Expectation):
                moved = substitute(node.law, {old: new})
                assert isinstance(moved, Apply)
                node = E(moved, substitute(node.body, {old: new}))
        return node

    # --- what is added

    def not_negative(self, scope: Scope) -> Term:
        """Something that is never below zero."""
        new = self.index(Y)
        return self.draw.choice(
            [c**2, (c - d) ** 2, s, exp(d), E(p(new), f(new) ** 2), Sum(new, (f(new) - g(new)) ** 2)]
        )

    def positive(self, scope: Scope) -> Term:
        """Something that is above zero."""
        new = self.index(Y)
        return self.draw.choice([s, term(Fraction(1, 2)), exp(c), s / t, s + c**2, Sum(new, q(new) / s)])

    def not_zero(self, scope: Scope) -> Term:
        """Something that is not zero in some world."""
        new = self.index(Y)
        found = [
            c,
            term(1),
            s,
            c * d,
            E(p(new), f(new)),
            Sum(new, f(new) * g(new)),
            log(s),
            c / s,
            E(p(new), p(new)) - 1,
        ]
        return self.draw.choice([*found, *(f(i) * c for i in scope if i.sort == Y)])


STEPS: tuple[Callable[[Maker, Term, Scope], Term | None], ...] = (
    Maker.reorder,
    Maker.nest,
    Maker.distribute,
    Maker.pull_in,
    Maker.split,
    Maker.spell_out,
    Maker.exchange,
    Maker.rename,
    Maker.add_nothing,
    Maker.multiply_by_one,
    Maker.square,
    Maker.part_number,
    Maker.log_of_product,
    Maker.exp_of_sum,
    Maker.differentiate,
)


def statements(number: int, *, true: bool, seed: int) -> Iterator[Statement]:
    """So many statements, all true or all false."""
    maker = Maker(seed)
    made = 0
    while made < number:
        scope = maker.draw.choice([(), FREE[:1], FREE])
        left = maker.term(scope, maker.draw.randint(1, 4))
        try:
            yield _statement(maker, left, scope, true)
        except StatementError:
            continue
        made += 1


def _statement(maker: Maker, left: Term, scope: Scope, true: bool) -> Statement:
    relation = maker.draw.choice(["=", "=", "=", "≤", "<", "≥", ">"])
    steps = maker.draw.randint(3, 10)
    sign = 1 if relation in ("≤", "<") else -1
    if relation == "=":
        right = left if true else left + maker.not_zero(scope)
    elif true:
        right = left + sign * (maker.positive(scope) if relation in ("<", ">") else maker.not_negative(scope))
    else:
        right = left - sign * (maker.positive(scope) if relation in ("≤", "≥") else maker.not_negative(scope))
    given = statement(maker.renamed(left), relation, maker.rewritten(maker.renamed(right), scope, steps))
    return given if maker.draw.random() < 0.5 else _turned(given)


def _turned(given: Statement) -> Statement:
    from derivations.checker.statement import CONVERSE

    assert isinstance(given.relation, str)
    return statement(given.right, CONVERSE[given.relation], given.left)


__all__ = ["Maker", "statements"]
