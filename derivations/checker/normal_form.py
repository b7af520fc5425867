"""Equality of sums over index sets of unknown size.

A term is expanded into a polynomial: a sum of monomials, each a rational number times atoms under sum signs. An index
that stands in one normalised law only is summed out (its sum is 1, that of the law's derivative is 0), a Kronecker
delta replaces an index, bound indices are renamed to a canonical order by colour refinement (only ties are permuted),
and equal monomials are collected. Two terms are equal for every size when their difference has no monomial left.

x · x⁻¹ becomes [x ≠ 0], and 1 only where x is known not to be zero. What must be defined is checked elsewhere, before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from enum import Flag, auto
from fractions import Fraction
from functools import lru_cache
from itertools import permutations

import flint

from derivations.checker.errors import Undecided
from derivations.checker.facts import Facts
from derivations.checker.polynomial import (
    MAX_MONOMIALS,
    ONE,
    Atom,
    Composite,
    Exponent,
    Factors,
    LogPrime,
    Monomial,
    Nonzero,
    Polynomial,
    Raw,
    atom_indices,
    collect,
    composite_of,
    constant,
    delta_of,
    new_index,
    raws_of,
    rename_argument,
    rename_atom,
    renamed_factors,
)
from derivations.checker.statement import Hypothesis
from derivations.checker.terms import (
    Add,
    Apply,
    Argument,
    Cases,
    Delta,
    Derivative,
    Exp,
    Expectation,
    Index,
    Indicator,
    Length,
    Limit,
    Log,
    Maximum,
    Minimum,
    Multiply,
    Number,
    Power,
    Size,
    Sum,
    Term,
    bound_here,
    children,
    depends_on_theta,
    differentiate,
    free_indices_of,
    rebuild,
    substitute,
    subterms,
)


class Rules(Flag):
    """Which rules may be used. Ring operations on sums, products and inverses are always among them."""

    RING = 0
    LAWS = auto()
    DERIVATIVE = auto()
    LOGARITHM = auto()
    ALL = LAWS | DERIVATIVE | LOGARITHM


# --- the normaliser --------------------------------------------------------------------------------------------------


class _Kept:
    """What was worked out with the same facts and rules."""

    def __init__(self) -> None:
        self.polynomials: dict[Term, Polynomial] = {}
        self.folds: tuple[tuple[Hypothesis, Monomial | None], ...] | None = None
        self.away_from_zero: frozenset[Polynomial] = frozenset()


@lru_cache(maxsize=1_000)
def _kept(facts: Facts, rules: Rules) -> _Kept:
    return _Kept()


class Normaliser:
    """Turns terms into polynomials, using the given facts and no rules but the given ones."""

    def __init__(self, facts: Facts, rules: Rules = Rules.ALL) -> None:
        self.facts = facts
        self.rules = rules
        self._values = tuple(r for r in facts.rewrites if r.pattern.order == 0)
        self._slopes = tuple(r for r in facts.rewrites if r.pattern.order > 0)
        # The same facts come back with every line and every obligation: what was worked out with them is kept.
        self._kept = _kept(facts, rules)
        if self._kept.folds is None:
            self._kept.folds = tuple(self._fold(hypothesis) for hypothesis in facts.sums)
            self._kept.away_from_zero = self._nonzero_sums()
        self._folds = self._kept.folds
        self._away_from_zero = self._kept.away_from_zero

    # --- public

    def polynomial(self, node: Term) -> Polynomial:
        """The canonical polynomial of a term."""
        known = self._kept.polynomials.get(node)
        if known is None:
            known = self._kept.polynomials[node] = self.reduce(self.lower(self.rewritten(node)))
        return known

    def difference(self, left: Term, right: Term) -> Polynomial:
        """The canonical polynomial of left − right."""
        return self.polynomial(Add((left, Multiply((Number(Fraction(-1)), right)))))

    def equal(self, left: Term, right: Term) -> bool:
        """Whether two terms are equal for every size, by these rules."""
        return self.vanishes(self.difference(left, right))

    def vanishes(self, polynomial: Polynomial) -> bool:
        """Whether a polynomial is zero, if need be after multiplying by denominators that are not zero."""
        for _ in range(4):
            if not polynomial:
                return True
            cleared = self._clear_denominators(polynomial)
            if cleared is None:
                return False
            polynomial = cleared
        return not polynomial

    def is_positive(self, polynomial: Polynomial, guards: frozenset[Apply] = frozenset()) -> bool:
        """Whether every value of a polynomial is positive, by the signs of its atoms."""
        signs = [self._monomial_sign(m, guards) for m in polynomial.monomials]
        if bool(signs) and all(s is not None for s in signs) and any(s == 1 for s in signs):
            return True
        bound = _lower_bound(polynomial)
        return bound is not None and (bound[0] > 0 or (bound[0] == 0 and bound[1]))

    def is_nonnegative(self, polynomial: Polynomial, guards: frozenset[Apply] = frozenset()) -> bool:
        """Whether no value of a polynomial is negative, by the signs of its atoms."""
        if all(self._monomial_sign(m, guards) is not None for m in polynomial.monomials):
            return True
        bound = _lower_bound(polynomial)
        return bound is not None and bound[0] >= 0

    # --- rewriting by equations

    def rewritten(self, node: Term, depth: int = 0) -> Term:
        """The term with every function replaced for which a hypothesis or a definition gives a value."""
        if not self._values:
            return node
        if depth > 60:
            raise Undecided("the equations among the hypotheses go in circles")
        if isinstance(node, Apply) and node.order == 0:
            for rule in self._values:
                value = rule.at(node)
                if value is not None:
                    return self.rewritten(value, depth + 1)
            return node
        if isinstance(node, Limit):
            # An equation may speak of the parameter, which the limit binds.
            return node
        inside = self
        if isinstance(node, Derivative) and depends_on_theta(node):
            # An equation that holds at this θ may not be differentiated; what is defined by one is so at every θ.
            inside = self._at_every_theta()
        parts = tuple(inside.rewritten(child, depth) for child in children(node))
        return node if parts == children(node) else rebuild(node, parts)

    def _slope(self, node: Apply) -> Term | None:
        wanted = Apply(node.function, node.arguments, node.order + 1)
        for rule in self._slopes:
            value = rule.at(wanted)
            if value is not None:
                return value
        return None

    # --- expanding

    def lower(
        self, node: Term, names: Mapping[Index, Index] | None = None, guards: frozenset[Apply] = frozenset()
    ) -> list[Raw]:
        """The monomials of a term; bound indices are all new."""
        names = names or {}
        match node:
            case Number(value):
                return [(value, (), {})] if value else []
            case Apply():
                return self._lower_apply(node, names, guards)
            case Add(parts):
                return [raw for part in parts for raw in self.lower(part, names, guards)]
            case Multiply(parts):
                result: list[Raw] = [(ONE, (), {})]
                for part in parts:
                    result = self._times(result, self.lower(part, names, guards))
                return result
            case Power(base, exponent):
                return self._lower_power(base, exponent, names, guards)
            case Sum(index, body):
                return self._lower_sum((index,), body, names, guards)
            case Expectation(distribution, body):
                return self._lower_expectation(node.indices, distribution, body, names, guards)
            case Log(argument):
                factors = self._factors_of_logarithm(argument, names, guards)
                if factors is not None:
                    return [raw for factor in factors for raw in self.lower(Log(factor), names, guards)]
                return self._lower_log(self.reduce(self.lower(argument, names, guards), guards), guards)
            case Exp(argument):
                return self._lower_exp(self.reduce(self.lower(argument, names, guards), guards))
            case Minimum(parts) | Maximum(parts):
                kind = "minimum" if isinstance(node, Minimum) else "maximum"
                polynomials = {self.reduce(self.lower(part, names, guards), guards) for part in parts}
                if len(polynomials) == 1:
                    return raws_of(polynomials.pop())
                return [(ONE, (), {composite_of(kind, tuple(polynomials)): 1})]
            case Indicator():
                return self._lower_indicator(node, names, guards)
            case Cases(condition, then, otherwise):
                flag = self.lower(condition, names, guards)
                opposite = [(ONE, (), {}), *_scaled(self.lower(condition, names, guards), -1)]
                first = self._times(flag, self.lower(then, names, guards))
                return first + self._times(opposite, self.lower(otherwise, names, guards))
            case Delta(left, right):
                return [_delta_raw(names.get(left, left), names.get(right, right))]
            case Size(sort):
                if not self.facts.is_finite(sort):
                    raise Undecided(f"{sort.name} may be infinite")
                return [(ONE, (), {node: 1})]
            case Length():
                return [(ONE, (), {node: 1})]
            case Derivative(body):
                return self._lower_derivative(body, names, guards)
            case Limit(body, parameter, to):
                inside = self.reduce(self.lower(body, names, guards), guards)
                return [(ONE, (), {Composite(f"limit {parameter.function.name}→{to}", (inside,)): 1})]
        raise Undecided(f"no rule for {type(node).__name__}")

    def _lower_apply(self, node: Apply, names: Mapping[Index, Index], guards: frozenset[Apply]) -> list[Raw]:
        renamed = Apply(node.function, tuple(rename_argument(a, names) for a in node.arguments), node.order)
        for rule in self._slopes:
            value = rule.at(renamed)
            if value is not None:
                return self.lower(value, {}, guards)
        return [(ONE, (), {renamed: 1})]

    def _lower_power(
        self, base: Term, exponent: int, names: Mapping[Index, Index], guards: frozenset[Apply]
    ) -> list[Raw]:
        if exponent >= 0:
            result: list[Raw] = [(ONE, (), {})]
            for _ in range(exponent):
                result = self._times(result, self.lower(base, names, guards))
            return result
        return [self._inverse(self.reduce(self.lower(base, names, guards), guards), exponent)]

    def _inverse(self, polynomial: Polynomial, exponent: int) -> Raw:
        if not polynomial:
            raise Undecided("a division by something that is zero")
        coefficient, outside, rest = _content(polynomial)
        factors = {atom: power * exponent for atom, power in outside.items()}
        if rest.monomials[0].coefficient < 0:
            coefficient, rest = -coefficient, _sign_free(rest)
        if constant(rest) is None:
            factors[Composite("sum", (rest,))] = exponent
        return (coefficient**exponent, (), factors)

    def _lower_sum(
        self, indices: tuple[Index, ...], body: Term, names: Mapping[Index, Index], guards: frozenset[Apply]
    ) -> list[Raw]:
        new = {index: new_index(index) for index in indices}
        inside = self.lower(body, {**names, **new}, guards)
        for index in new.values():
            if not self.facts.is_finite(index.sort):
                inside = self._summable(index, raws_of(self.reduce(inside)) or inside)
        return [(c, (*new.values(), *binders), factors) for c, binders, factors in inside]

    def _lower_expectation(
        self,
        indices: tuple[Index, ...],
        distribution: Apply,
        body: Term,
        names: Mapping[Index, Index],
        guards: frozenset[Apply],
    ) -> list[Raw]:
        new = {index: new_index(index) for index in indices}
        renamed = {**names, **new}
        weight = Apply(distribution.function, tuple(rename_argument(a, renamed) for a in distribution.arguments))
        inside = self._times([(ONE, (), {weight: 1})], self.lower(body, renamed, guards | {weight}))
        for index in new.values():
            if not self.facts.is_finite(index.sort):
                inside = self._summable(index, raws_of(self.reduce(inside)) or inside)
        return [(c, (*new.values(), *binders), factors) for c, binders, factors in inside]

    def _summable(self, index: Index, raws: list[Raw]) -> list[Raw]:
        """Refuses to split a sum over an infinite sort into parts that are not known to converge absolutely.

        The parts are those of the summand in normal form: what cancels in each summand is no series of its own.
        Where nothing is left, the sum as it is written is refused like any other.
        """
        for _, binders, factors in raws:
            if any(not self.facts.is_finite(b.sort) for b in binders):
                raise Undecided("two sums over infinite sets are not exchanged")
            involved = {atom: e for atom, e in factors.items() if index in atom_indices(atom)}
            if self._is_bare_law(index, involved) or self._matches_summable(index, involved):
                continue
            raise Undecided(f"a sum over {index.sort.name} is not known to converge absolutely")
        return raws

    @staticmethod
    def _is_bare_law(index: Index, involved: Factors) -> bool:
        if len(involved) != 1:
            return False
        ((atom, exponent),) = involved.items()
        return isinstance(atom, Apply) and exponent == 1 and is_law_over(atom, index)

    def _matches_summable(self, index: Index, involved: Factors) -> bool:
        """Whether a summand is known to converge: by hypothesis, or as part of the derivative of a dominated one."""
        known = [(s.index, s.body) for s in self.facts.summable]
        known += [(d.index, differentiate(d.body, self._slope)) for d in self.facts.dominated]
        for own, body in known:
            if own.sort != index.sort:
                continue
            polynomial = self.reduce(self.lower(self.rewritten(body), {own: index}))
            for monomial in polynomial.monomials:
                wanted = {a: e for a, e in monomial.factors if index in atom_indices(a)}
                if wanted == involved and (not monomial.binders) and len(polynomial.monomials) == 1:
                    return True
        return False

    def _lower_derivative(self, body: Term, names: Mapping[Index, Index], guards: frozenset[Apply]) -> list[Raw]:
        if not depends_on_theta(body):
            return []
        if Rules.DERIVATIVE in self.rules or isinstance(body, Apply):
            self.refuse_exchange(body)
            worked_out = differentiate(body, self._slope)
            if not isinstance(worked_out, Derivative):
                return self.lower(self.rewritten(worked_out), names, guards)
        # What equals something at this θ only may not be put in below a D that stays.
        still = self._at_every_theta()
        inner = still.reduce(still.lower(body, names, guards), guards)
        return [(ONE, (), {Composite("D", (inner,)): 1})] if inner else []

    def _at_every_theta(self) -> Normaliser:
        """The same rules, with the equations only that hold at every θ."""
        return Normaliser(self.facts.at_every_theta(), self.rules)

    def refuse_exchange(self, body: Term) -> None:
        """Refuses to differentiate a sum over an infinite set term by term, unless a summable bound is assumed."""
        for inner in subterms(body):
            if isinstance(inner, Derivative) and self._is_infinite_inside(inner):
                raise Undecided("a sum over an infinite set is not differentiated twice")
            if isinstance(inner, (Sum, Expectation)) and depends_on_theta(inner):
                indices = inner.indices if isinstance(inner, Expectation) else (inner.index,)
                summand = inner.body if isinstance(inner, Sum) else inner.law * inner.body
                for index in indices:
                    if not self.facts.is_finite(index.sort) and not self._is_dominated(index, summand):
                        raise Undecided(f"the derivative of a sum over {index.sort.name} may not be taken inside it")

    def _is_infinite_inside(self, node: Term) -> bool:
        bound = {index for inner in subterms(node) if depends_on_theta(inner) for index in bound_here(inner)}
        return not all(self.facts.is_finite(index.sort) for index in bound)

    def _is_dominated(self, index: Index, summand: Term) -> bool:
        plain = Normaliser(Facts(finite=frozenset((index.sort,))), Rules.RING)
        return any(
            known.index.sort == index.sort
            and not plain.difference(substitute(known.body, {known.index: index}), summand)
            for known in self.facts.dominated
        )

    # --- logarithms and exponentials

    def _factors_of_logarithm(
        self, argument: Term, names: Mapping[Index, Index], guards: frozenset[Apply]
    ) -> list[Term] | None:
        """The factors of a positive product of sums, none of which is negative: its logarithm is split before expanding."""
        if Rules.LOGARITHM not in self.rules or not isinstance(argument, Multiply):
            return None
        factors = list(_flat_factors(argument))
        if len(factors) < 2 or not any(isinstance(factor, Add) for factor in factors):
            return None
        for factor in factors:
            if not self.is_nonnegative(self.reduce(self.lower(factor, names, guards), guards), guards):
                return None
        return factors

    def _lower_log(self, polynomial: Polynomial, guards: frozenset[Apply]) -> list[Raw]:
        if Rules.LOGARITHM not in self.rules or not polynomial:
            return [(ONE, (), {Composite("log", (polynomial,)): 1})]
        coefficient, outside, rest = _content(polynomial)
        if coefficient < 0 or not all(self._splits(atom, guards) for atom in outside):
            return [(ONE, (), {Composite("log", (polynomial,)): 1})]
        result = _log_of_number(coefficient)
        for atom, exponent in outside.items():
            if isinstance(atom, Composite) and atom.kind == "exp":
                result += _scaled(raws_of(atom.parts[0]), Fraction(exponent))
            else:
                composite = isinstance(atom, Composite) and atom.kind == "sum"
                inside = atom.parts[0] if composite else collect([(ONE, (), {atom: 1})])  # type: ignore[union-attr]
                result.append((Fraction(exponent), (), {Composite("log", (inside,)): 1}))
        if constant(rest) is None:
            result.append((ONE, (), {Composite("log", (rest,)): 1}))
        return result

    def _splits(self, atom: Atom, guards: frozenset[Apply]) -> bool:
        """Whether an atom of a positive product may be taken out of its logarithm: it is not negative."""
        return self._atom_sign(atom, guards) is not None

    def _lower_exp(self, polynomial: Polynomial) -> list[Raw]:
        if Rules.LOGARITHM not in self.rules:
            return [(ONE, (), {Composite("exp", (polynomial,)): 1})]
        result: list[Raw] = [(ONE, (), {})]
        for monomial in polynomial.monomials:
            result = self._times(result, self._exp_of_monomial(monomial))
        return result

    def _exp_of_monomial(self, monomial: Monomial) -> list[Raw]:
        scale = monomial.coefficient
        if not monomial.binders and len(monomial.factors) == 1 and scale.denominator == 1:
            ((atom, exponent),) = monomial.factors
            power = int(scale)
            if exponent == 1 and isinstance(atom, LogPrime):
                return [(Fraction(atom.prime) ** power, (), {})]
            if exponent == 1 and isinstance(atom, Composite) and atom.kind == "log":
                inside = atom.parts[0]
                if power < 0:
                    return [self._inverse(inside, power)]
                result: list[Raw] = [(ONE, (), {})]
                for _ in range(power):
                    result = self._times(result, raws_of(inside))
                return result
        base = collect([(ONE, *_rebound(monomial))])
        return [(ONE, (), {Composite("exp", (base,)): scale})]

    def _lower_indicator(self, node: Indicator, names: Mapping[Index, Index], guards: frozenset[Apply]) -> list[Raw]:
        difference = self.reduce(
            self.lower(node.left, names, guards) + _scaled(self.lower(node.right, names, guards), -1), guards
        )
        flipped = self.reduce(_scaled(raws_of(difference), -1), guards)
        match node.relation:
            case "≠":
                return self._nonzero(difference)
            case "=":
                return [(ONE, (), {}), *_scaled(self._nonzero(difference), -1)]
            case "<":
                return self._negative(difference)
            case ">":
                return self._negative(flipped)
            case "≤":
                return [(ONE, (), {}), *_scaled(self._negative(flipped), -1)]
            case _:
                return [(ONE, (), {}), *_scaled(self._negative(difference), -1)]

    def _nonzero(self, polynomial: Polynomial) -> list[Raw]:
        if not polynomial:
            return []
        _, outside, rest = _content(polynomial)
        factors: Factors = {Nonzero(atom): 1 for atom in outside if not self._known_nonzero(atom, ())}
        if constant(rest) is None:
            atom = Composite("sum", (_sign_free(rest),))
            if not self._known_nonzero(atom, ()):
                factors[Nonzero(atom)] = 1
        return [(ONE, (), factors)]

    def _negative(self, polynomial: Polynomial) -> list[Raw]:
        value = constant(polynomial)
        if value is not None:
            return [(ONE, (), {})] if value < 0 else []
        if self.is_nonnegative(polynomial):
            return []
        scale = abs(polynomial.monomials[0].coefficient)
        scaled = collect((c / scale, b, f) for c, b, f in raws_of(polynomial))
        return [(ONE, (), {Composite("negative", (scaled,)): 1})]

    # --- products and elimination

    def _times(self, left: list[Raw], right: list[Raw]) -> list[Raw]:
        if len(left) * len(right) > MAX_MONOMIALS:
            raise Undecided(f"more than {MAX_MONOMIALS} monomials")
        return [self._product(a, b) for a in left for b in right]

    def _product(self, left: Raw, right: Raw) -> Raw:
        factors = dict(left[2])
        for atom, exponent in right[2].items():
            self._put(factors, atom, exponent)
        return (left[0] * right[0], left[1] + right[1], factors)

    def _put(self, factors: Factors, atom: Atom, exponent: Exponent) -> None:
        """Multiplies by atom^exponent; where the exponents cancel, [atom ≠ 0] is left."""
        if isinstance(atom, (Nonzero, Delta)):
            factors[atom] = 1
            return
        old = factors.pop(atom, 0)
        root = _root_of(atom) if Rules.LOGARITHM in self.rules else None
        if root is not None and old and Fraction(old + exponent).denominator == 1:
            # exp(log(x)/2)² is x, for an x that has a logarithm.
            self._put(factors, root, int(old + exponent))
        elif old + exponent:
            factors[atom] = old + exponent
        elif old and not self._known_nonzero(atom, ()):
            factors[Nonzero(atom)] = 1

    def reduce(self, raws: Iterable[Raw], guards: frozenset[Apply] = frozenset()) -> Polynomial:
        """The canonical polynomial of monomials, after summing out what can be."""
        reduced = []
        pending = list(raws)
        steps = 0
        while pending:
            steps += 1
            if steps > MAX_MONOMIALS:
                raise Undecided("the equations among the hypotheses go in circles")
            raw = self._simplify(pending.pop(), guards)
            if raw is None:
                continue
            replaced = self._replace_values(raw) or self._replace_sums(raw)
            if replaced is None:
                reduced.append(raw)
            else:
                pending.extend(replaced)
        return collect(reduced)

    def _simplify(self, raw: Raw, guards: frozenset[Apply]) -> Raw | None:
        """A monomial after δs, known indicators and sums that can be summed out; None where it is zero."""
        coefficient, binders, factors = raw
        while True:
            step = self._without_delta(binders, factors) or self._fold_inverse(binders, factors)
            if step is None:
                factors = self._without_known_indicators(factors, guards)
                found = self._eliminated(binders, factors)
                if found is None:
                    return None
                step, done = found
                if done:
                    return (coefficient, *step)
            binders, factors = step

    def _without_delta(self, binders: tuple[Index, ...], factors: Factors) -> tuple[tuple[Index, ...], Factors] | None:
        for atom in factors:
            if not isinstance(atom, Delta):
                continue
            if atom.left in binders:
                gone, kept = atom.left, atom.right
            elif atom.right in binders:
                gone, kept = atom.right, atom.left
            else:
                kept, gone = atom.left, atom.right
                if not any(gone in atom_indices(other) for other in factors if other != atom):
                    continue
            result: Factors = {}
            for other, exponent in factors.items():
                if other != atom:
                    renamed = rename_atom(other, {gone: kept})
                    if not (isinstance(renamed, Delta) and renamed.left == renamed.right):
                        self._put(result, renamed, exponent)
            if gone not in binders:
                result[atom] = 1
            return tuple(b for b in binders if b != gone), result
        return None

    def _without_known_indicators(self, factors: Factors, guards: frozenset[Apply]) -> Factors:
        present = [atom for atom in factors if isinstance(atom, Apply)]
        result: Factors = {}
        for atom, exponent in factors.items():
            known = isinstance(atom, Nonzero) and (
                atom.atom in factors or self._known_nonzero(atom.atom, [*present, *guards])
            )
            if not known:
                result[atom] = exponent
        return result

    def _eliminated(
        self, binders: tuple[Index, ...], factors: Factors
    ) -> tuple[tuple[tuple[Index, ...], Factors], bool] | None:
        """One index summed out, and whether none is left that can be; None where that makes the monomial zero."""
        for binder in binders:
            involved = [atom for atom in factors if binder in atom_indices(atom)]
            if not involved:
                if not self.facts.is_finite(binder.sort):
                    raise Undecided(f"a constant is summed over {binder.sort.name}, which may be infinite")
                rest = dict(factors)
                self._put(rest, Size(binder.sort), 1)
                return (tuple(b for b in binders if b != binder), rest), False
            if Rules.LAWS not in self.rules or len(involved) != 1:
                continue
            (atom,) = involved
            if not isinstance(atom, Apply) or not atom.function.law or factors[atom] != 1:
                continue
            leading = atom.arguments[: atom.function.law]
            if not self._alone(leading, atom, binders, factors):
                continue
            if atom.order:
                self._refuse_moving_total(atom, leading)
                return None
            gone = set(leading)
            return (tuple(b for b in binders if b not in gone), {a: e for a, e in factors.items() if a != atom}), False
        return (binders, factors), True

    def _refuse_moving_total(self, atom: Apply, leading: tuple[Argument, ...]) -> None:
        """The derivatives of a law over an infinite set sum to zero only where the exchange is justified."""
        for index in leading:
            if self.facts.is_finite(index.sort):
                continue
            still = Apply(atom.function, atom.arguments, atom.order - 1)
            if not isinstance(index, Index) or not self._is_dominated(index, still):
                raise Undecided(f"the derivative of a sum over {index.sort.name} may not be taken inside it")

    @staticmethod
    def _alone(leading: tuple[Argument, ...], atom: Apply, binders: tuple[Index, ...], factors: Factors) -> bool:
        """Whether a law's own indices are bound here, different, and stand nowhere else."""
        own = set(leading)
        if len(own) != len(leading) or not own <= set(binders):
            return False
        if own & free_indices_of(atom.arguments[len(leading) :]):
            return False
        return not any(own & atom_indices(other) for other in factors if other != atom)

    # --- replacing a sum by what it is known to equal

    def _fold_inverse(self, binders: tuple[Index, ...], factors: Factors) -> tuple[tuple[Index, ...], Factors] | None:
        """Where a monomial holds both 1/Σ… and that very sum written out, the sum is folded and cancelled."""
        for atom, exponent in factors.items():
            if not (_is_sum(atom) and exponent < 0) or not isinstance(atom, Composite):
                continue
            (inside,) = atom.parts
            if len(inside.monomials) != 1 or not inside.monomials[0].binders:
                continue
            (monomial,) = inside.monomials
            for chosen in _choices(monomial.binders, binders):
                mapping = dict(zip(monomial.binders, chosen, strict=True))
                if set(chosen) & atom_indices(atom):
                    continue
                wanted = renamed_factors(monomial.factors, mapping)
                involved = {a: e for a, e in factors.items() if atom_indices(a) & set(chosen)}
                if wanted == involved and monomial.coefficient == 1:
                    rest = {a: e for a, e in factors.items() if a not in involved}
                    self._put(rest, atom, 1)
                    return tuple(b for b in binders if b not in chosen), rest
        return None

    def _fold(self, hypothesis: Hypothesis) -> tuple[Hypothesis, Monomial | None]:
        plain = Normaliser(
            Facts(self.facts.signs, (), (), self.facts.finite, self.facts.summable, self.facts.dominated), self.rules
        )
        try:
            polynomial = plain.polynomial(hypothesis.left)
        except Undecided:
            return hypothesis, None
        usable = len(polynomial.monomials) == 1 and bool(polynomial.monomials[0].binders)
        return hypothesis, polynomial.monomials[0] if usable else None

    def _nonzero_sums(self) -> frozenset[Polynomial]:
        """The sums that are not zero by hypotheses of the form Σ… > 0, in the form in which these are divided by."""
        if not self.facts.positive_sums:
            return frozenset()
        plain = Normaliser(replace(self.facts, positive_sums=()), self.rules)
        known = []
        for hypothesis in self.facts.positive_sums:
            try:
                polynomial = plain.polynomial(hypothesis.left)
            except Undecided:
                continue
            if polynomial:
                _, _, rest = _content(polynomial)
                known.append(_sign_free(rest))
        return frozenset(known)

    def _replace_values(self, raw: Raw) -> list[Raw] | None:
        """Puts in what a function is known to equal at indices that came about by a δ."""
        coefficient, binders, factors = raw
        for atom, exponent in factors.items():
            if not isinstance(atom, Apply) or atom.order or exponent < 0:
                continue
            for rule in self._values:
                value = rule.at(atom)
                if value is not None:
                    rest = {a: e for a, e in factors.items() if a != atom}
                    result: list[Raw] = [(coefficient, binders, rest)]
                    for _ in range(int(exponent)):
                        result = self._times(result, self.lower(self.rewritten(value)))
                    return result if result else [(Fraction(0), (), {})]
        return None

    def _replace_sums(self, raw: Raw) -> list[Raw] | None:
        coefficient, binders, factors = raw
        for hypothesis, monomial in self._folds:
            if monomial is None:
                continue
            for mapping, chosen in self._occurrences(hypothesis, monomial, binders, factors):
                wanted = renamed_factors(monomial.factors, mapping)
                involved = {a: e for a, e in factors.items() if atom_indices(a) & set(chosen)}
                outside = {a: e for a, e in wanted.items() if not atom_indices(a) & set(chosen)}
                inner = {a: e for a, e in wanted.items() if a not in outside}
                if inner != involved:
                    continue
                rest: Factors = {a: e for a, e in factors.items() if a not in involved}
                if any(not self._divides(atom, exponent, rest) for atom, exponent in outside.items()):
                    continue
                for atom, exponent in outside.items():
                    self._put(rest, atom, -exponent)
                kept = tuple(b for b in binders if b not in chosen)
                free = {i: mapping[i] for i in hypothesis.for_all if i in mapping}
                right = self.lower(self.rewritten(substitute(hypothesis.right, free)))
                return self._times([(coefficient / monomial.coefficient, kept, rest)], right)
        return None

    def _divides(self, atom: Atom, exponent: Exponent, factors: Factors) -> bool:
        """Whether atom^exponent may be divided out of a product: it stands in it, or is not zero."""
        return (exponent > 0 and factors.get(atom, 0) >= exponent) or self._known_nonzero(atom, ())

    @staticmethod
    def _occurrences(
        hypothesis: Hypothesis, monomial: Monomial, binders: tuple[Index, ...], factors: Factors
    ) -> Iterator[tuple[dict[Index, Index], tuple[Index, ...]]]:
        present = sorted({i for a in factors for i in atom_indices(a)}, key=lambda i: i.name)
        needed = tuple(i for i in hypothesis.for_all if any(i in atom_indices(a) for a, _ in monomial.factors))
        for chosen in _choices(monomial.binders, binders):
            others = [i for i in present if i not in chosen]
            for values in _assignments(needed, others):
                mapping = dict(zip(monomial.binders, chosen, strict=True)) | dict(zip(needed, values, strict=True))
                yield mapping, chosen

    def _clear_denominators(self, polynomial: Polynomial) -> Polynomial | None:
        powers: dict[Composite, Exponent] = {}
        for monomial in polynomial.monomials:
            for atom, exponent in monomial.factors:
                if not (_is_sum(atom) and exponent < 0) or not isinstance(atom, Composite):
                    continue
                if atom_indices(atom) & set(monomial.binders):
                    continue
                if self._known_nonzero(atom, ()):
                    powers[atom] = min(powers.get(atom, 0), exponent)
        if not powers:
            return None
        raws = raws_of(polynomial)
        for atom, lowest in powers.items():
            cleared: list[Raw] = []
            for coefficient, binders, factors in raws:
                rest = {a: e for a, e in factors.items() if a != atom}
                missing = int(factors.get(atom, 0) - lowest)
                product: list[Raw] = [(coefficient, binders, rest)]
                for _ in range(missing):
                    product = self._times(product, raws_of(atom.parts[0]))
                cleared += product
            raws = cleared
        return self.reduce(raws)

    # --- signs

    def _known_nonzero(self, atom: Atom, present: Iterable[Apply]) -> bool:
        match atom:
            case Apply():
                return self.facts.nonzero(atom, present)
            case Composite("sum", (inside,)):
                return inside in self._away_from_zero or self.is_positive(inside)
            case Composite("exp", _) | Size() | LogPrime():
                return True
        return False

    def _atom_sign(self, atom: Atom, guards: frozenset[Apply]) -> int | None:
        """1 for positive, 0 for not negative, None where nothing is known."""
        match atom:
            case Apply():
                if self.facts.positive(atom, guards):
                    return 1
                return 0 if self.facts.nonnegative(atom) else None
            case Size() | LogPrime() | Composite("exp", _):
                return 1
            case Length() | Delta() | Nonzero() | Composite("negative", _):
                return 0
            case Composite("sum", (inside,)):
                return self._sign(inside, guards)
            case Composite("log", (inside,)):
                return self._sign(_less_one(inside, 1), guards)
        return None

    def _sign(self, polynomial: Polynomial, guards: frozenset[Apply]) -> int | None:
        if self.is_positive(polynomial, guards):
            return 1
        return 0 if self.is_nonnegative(polynomial, guards) else None

    def _monomial_sign(self, monomial: Monomial, guards: frozenset[Apply]) -> int | None:
        positive, negative = True, monomial.coefficient < 0
        if negative and not any(isinstance(atom, Composite) and atom.kind == "log" for atom, _ in monomial.factors):
            return None
        laws: list[Apply] = []
        for atom, exponent in monomial.factors:
            sign = self._atom_sign(atom, guards)
            if sign is None and exponent % 2 == 1 and self._is_log_below_one(atom, guards):
                positive, negative = False, not negative
                continue
            if sign == 1 or (sign is None and exponent % 2 == 0):
                positive = positive and sign == 1
            elif sign == 0:
                own = isinstance(atom, Apply) and atom.function.law and exponent == 1
                if own and isinstance(atom, Apply):
                    laws.append(atom)
                else:
                    positive = False
            else:
                return None
        if negative:
            return None
        return 1 if positive and self._sum_out_laws(laws, monomial.binders) else 0

    def _is_log_below_one(self, atom: Atom, guards: frozenset[Apply]) -> bool:
        """Whether an atom is the logarithm of what is at most one, such as a probability: it is at most zero."""
        if not (isinstance(atom, Composite) and atom.kind == "log"):
            return False
        (inside,) = atom.parts
        return self.is_nonnegative(_less_one(inside, -1), guards)

    @staticmethod
    def _sum_out_laws(laws: list[Apply], binders: tuple[Index, ...]) -> bool:
        """Whether closed laws can be summed out one after the other, so that a positive factor stays positive."""
        left = list(laws)
        while left:
            for law in left:
                own = set(law.arguments[: law.function.law])
                others = [other for other in left if other is not law]
                bound = own <= set(binders) and len(own) == law.function.law
                own_given = free_indices_of(law.arguments[law.function.law :])
                if bound and not own & own_given and not any(own & atom_indices(other) for other in others):
                    left = others
                    break
            else:
                return False
        return True


def is_law_over(node: Apply, index: Index) -> bool:
    """Whether a function at indices is a law over this one index, which stands nowhere else in it: it sums to one."""
    own = node.function.law == 1 and node.order == 0 and node.arguments[0] == index
    return own and index not in free_indices_of(node.arguments[1:])


# --- helpers --------------------------------------------------------------------------------------------------------


def _root_of(atom: Atom) -> Atom | None:
    """The function x at indices of an atom exp(log x), of which only fractional powers are kept."""
    if not (isinstance(atom, Composite) and atom.kind == "exp"):
        return None
    logarithm = _only_atom(atom.parts[0])
    if not (isinstance(logarithm, Composite) and logarithm.kind == "log"):
        return None
    inside = _only_atom(logarithm.parts[0])
    return inside if isinstance(inside, Apply) else None


def _only_atom(polynomial: Polynomial) -> Atom | None:
    """The atom that a polynomial is, if it is one."""
    if len(polynomial.monomials) != 1:
        return None
    (monomial,) = polynomial.monomials
    if monomial.coefficient != 1 or monomial.binders or len(monomial.factors) != 1:
        return None
    ((atom, exponent),) = monomial.factors
    return atom if exponent == 1 else None


def _is_sum(atom: Atom) -> bool:
    return isinstance(atom, Composite) and atom.kind == "sum"


def _flat_factors(node: Term) -> Iterator[Term]:
    if isinstance(node, Multiply):
        for factor in node.factors:
            yield from _flat_factors(factor)
    elif isinstance(node, Power) and node.exponent > 1:
        for _ in range(node.exponent):
            yield from _flat_factors(node.base)
    else:
        yield node


def _lower_bound(polynomial: Polynomial) -> tuple[Fraction, bool] | None:
    """A number that a polynomial of bounded quantities never falls below, and whether it stays above it."""
    total, strict = Fraction(0), False
    for monomial in polynomial.monomials:
        bound = None if monomial.binders else _bound_of_product(monomial)
        if bound is None:
            return None
        total, strict = total + monomial.coefficient * bound[0], strict or bound[1]
    return total, strict


def _bound_of_product(monomial: Monomial) -> tuple[Fraction, bool] | None:
    """The end of the range of a product of non-negative quantities that its coefficient makes the lower one.

    The second value says that the end is never reached: one factor stays off its end, and none of the others is zero.
    """
    product, reached, zero = Fraction(1), True, False
    for atom, exponent in monomial.factors:
        if isinstance(atom, Composite) and atom.kind == "exp" and monomial.coefficient > 0:
            # It comes as near to zero as one likes, and is never zero.
            product, reached = Fraction(0), False
            continue
        if not isinstance(atom, Apply) or atom.order or exponent < 0:
            return None
        domain = atom.function.domain
        lower, upper = domain.lower, domain.upper
        if lower is None or lower < 0:
            return None
        end, is_open = (lower, domain.lower_open) if monomial.coefficient > 0 else (upper, domain.upper_open)
        if end is None:
            return None
        product *= end ** int(exponent)
        reached = reached and not is_open
        # Below: a factor that can be zero. Above: a product that is never more than zero.
        zero = zero or (end == 0 and (monomial.coefficient < 0 or not is_open))
    return product, not reached and not zero


def _less_one(polynomial: Polynomial, sign: int) -> Polynomial:
    """A polynomial less one, or, where the sign is −1, one less it."""
    return collect([*_scaled(raws_of(polynomial), sign), (Fraction(-sign), (), {})])


def _scaled(raws: list[Raw], scale: Fraction | int) -> list[Raw]:
    return [(c * scale, binders, factors) for c, binders, factors in raws]


def _rebound(monomial: Monomial) -> tuple[tuple[Index, ...], Factors]:
    names = {b: new_index(b) for b in monomial.binders}
    return tuple(names.values()), renamed_factors(monomial.factors, names)


def _delta_raw(left: Index, right: Index) -> Raw:
    return (ONE, (), {} if left == right else {delta_of(left, right): 1})


def _log_of_number(value: Fraction) -> list[Raw]:
    powers: dict[int, int] = {}
    for number, direction in ((value.numerator, 1), (value.denominator, -1)):
        for prime, power in flint.fmpz(number).factor():
            powers[int(prime)] = powers.get(int(prime), 0) + direction * int(power)
    return [(Fraction(power), (), {LogPrime(prime): 1}) for prime, power in powers.items() if power]


def _content(polynomial: Polynomial) -> tuple[Fraction, Factors, Polynomial]:
    """polynomial = number · common factors that no binder touches · the rest, whose first coefficient is 1 or −1."""
    shared: Factors | None = None
    for monomial in polynomial.monomials:
        bound = set(monomial.binders)
        outside = {a: e for a, e in monomial.factors if not atom_indices(a) & bound}
        if shared is None:
            shared = outside
        else:
            shared = {a: min(e, outside[a]) for a, e in shared.items() if a in outside and (e > 0) == (outside[a] > 0)}
    shared = shared or {}
    if len(polynomial.monomials) > 1:
        # Dividing a sum by a common factor needs that factor not to be zero.
        shared = {a: e for a, e in shared.items() if isinstance(a, (Size, LogPrime)) or _always_positive(a)}
        shared |= _positive_denominators(polynomial)
    single = len(polynomial.monomials) == 1
    scale = polynomial.monomials[0].coefficient if single else abs(polynomial.monomials[0].coefficient)
    rest = []
    for coefficient, binders, factors in raws_of(polynomial):
        left = dict(factors)
        for atom, exponent in shared.items():
            remaining = left.pop(atom, 0) - exponent
            if remaining:
                left[atom] = remaining
        rest.append((coefficient / scale, binders, left))
    return scale, shared, collect(rest)


def _positive_denominators(polynomial: Polynomial) -> Factors:
    """The largest powers of positive atoms by which a monomial is divided: 1 + exp(v)/exp(u) is (exp(u) + exp(v))/exp(u)."""
    lowest: Factors = {}
    for monomial in polynomial.monomials:
        bound = set(monomial.binders)
        for atom, exponent in monomial.factors:
            if exponent < 0 and _always_positive(atom) and not atom_indices(atom) & bound:
                lowest[atom] = min(exponent, lowest.get(atom, exponent))
    return lowest


def _always_positive(atom: Atom) -> bool:
    return (isinstance(atom, Apply) and atom.order == 0 and atom.function.positive) or (
        isinstance(atom, Composite) and atom.kind == "exp"
    )


def _sign_free(polynomial: Polynomial) -> Polynomial:
    """The polynomial or its negative, whichever has a positive first coefficient."""
    if polynomial.monomials[0].coefficient > 0:
        return polynomial
    return collect(_scaled(raws_of(polynomial), -1))


def _choices(wanted: tuple[Index, ...], among: tuple[Index, ...]) -> Iterator[tuple[Index, ...]]:
    for chosen in permutations(among, len(wanted)):
        if all(w.sort == c.sort for w, c in zip(wanted, chosen, strict=True)):
            yield chosen


def _assignments(wanted: tuple[Index, ...], among: list[Index]) -> Iterator[tuple[Index, ...]]:
    if not wanted:
        yield ()
        return
    for index in among:
        if index.sort == wanted[0].sort:
            for rest in _assignments(wanted[1:], among):
                yield (index, *rest)


__all__ = ["Normaliser", "Rules", "is_law_over"]
