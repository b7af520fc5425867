"""What is refused before anything is judged: terms that nothing keeps defined, equations that break a declared domain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction

from derivations.checker import arithmetic
from derivations.checker.errors import StatementError, Undecided
from derivations.checker.facts import Facts, facts_of
from derivations.checker.induction import closure_obligations
from derivations.checker.normal_form import Normaliser
from derivations.checker.statement import (
    Assumption,
    Dominated,
    FirstOrder,
    Hypothesis,
    Obligation,
    Statement,
    Summable,
    obligations,
)
from derivations.checker.terms import (
    REAL,
    Apply,
    Definition,
    Derivative,
    Domain,
    Function,
    Index,
    Indicator,
    Maximum,
    Minimum,
    Number,
    Recursion,
    Term,
    bound_indices,
    children,
    depends_on_theta,
    free_indices,
    fresh,
    rename_all_bound,
    substitute,
    subterms,
    total,
)


def require(statement: Statement) -> None:
    """Raises StatementError where a term of the statement may be undefined, or an equation breaks a declaration."""
    try:
        _require(statement)
    except Undecided as reason:
        raise StatementError(f"an equation or a hypothesis is not understood: {reason}") from reason


def _require(statement: Statement) -> None:
    facts = facts_of(statement)
    hypotheses = [a for a in (*statement.assuming, *statement.standing) if isinstance(a, Hypothesis)]
    statement = _apart(statement, _named_indices(hypotheses))
    for definition in statement.definitions:
        _require_definition(definition, facts, hypotheses)
    for recursion in statement.recursions:
        _require_recursion(recursion, facts, hypotheses)
    for term in statement.terms:
        require_defined(term, facts, hypotheses)
    require_smooth_equations(statement, facts, hypotheses)


def require_smooth_equations(
    statement: Statement, facts: Facts, hypotheses: list[Hypothesis], more: Iterable[Term] = ()
) -> None:
    """Raises StatementError where a function of θ that is differentiated is given by an equation with a kink or a jump.

    `more` are terms beside those of the statement. What is differentiated twice, be it by way of an equation, has no
    slope where terms meet, even with one slope.
    """
    values = [d.value for d in statement.definitions]
    values += [value for r in statement.recursions for value in (r.start, r.step)]
    order = max((_derivatives(term) for term in (*statement.terms, *more)), default=0)
    order += isinstance(statement.relation, FirstOrder)
    if order:
        order += any(_derivatives(value) for value in values)
    for value in values if order else ():
        if any(isinstance(node, (Minimum, Maximum, Indicator)) and depends_on_theta(node) for node in subterms(value)):
            require_defined(Derivative(value) if order == 1 else Derivative(Derivative(value)), facts, hypotheses)


def _derivatives(term: Term) -> int:
    """How many derivatives are nested in a term."""
    return max((_derivatives(child) for child in children(term)), default=0) + isinstance(term, Derivative)


def _named_indices(hypotheses: Iterable[Hypothesis]) -> frozenset[Index]:
    """The indices of which something is assumed for one value only."""
    found: frozenset[Index] = frozenset()
    for hypothesis in hypotheses:
        for term in hypothesis.terms:
            found |= free_indices(term) - frozenset(hypothesis.for_all)
    return found


def _apart(statement: Statement, named: frozenset[Index]) -> Statement:
    """The statement with the indices of its equations and assumptions that share a name with a free one renamed."""

    def renaming(own: Iterable[Index], *terms: Term) -> dict[Index, Index]:
        taken = named | frozenset(own)
        for term in terms:
            taken |= free_indices(term) | bound_indices(term)
        return {index: fresh(index, taken) for index in own if index in named}

    def of_definition(given: Definition) -> Definition:
        new = renaming(given.indices, given.value)
        return replace(given, indices=_renamed(given.indices, new), value=substitute(given.value, new))

    def of_recursion(given: Recursion) -> Recursion:
        first = renaming(given.start_indices, given.start)
        new = renaming((given.history, *given.step_indices), given.step)
        return replace(
            given,
            start_indices=_renamed(given.start_indices, first),
            start=substitute(given.start, first),
            history=new.get(given.history, given.history),
            step_indices=_renamed(given.step_indices, new),
            step=substitute(given.step, new),
        )

    def of_assumption(given: Assumption) -> Assumption:
        match given:
            case Hypothesis():
                new = renaming(given.for_all, *given.terms)
                condition = given.given
                if condition is not None:
                    left, right = (substitute(side, new) for side in (condition.left, condition.right))
                    condition = replace(condition, left=left, right=right)
                left, right = substitute(given.left, new), substitute(given.right, new)
                own = _renamed(given.for_all, new)
                return replace(given, left=left, right=right, for_all=own, given=condition)
            case Summable() | Dominated():
                new = renaming((given.index,), given.body)
                return replace(given, index=new.get(given.index, given.index), body=substitute(given.body, new))
        return given

    return replace(
        statement,
        definitions=tuple(map(of_definition, statement.definitions)),
        recursions=tuple(map(of_recursion, statement.recursions)),
        assuming=tuple(map(of_assumption, statement.assuming)),
        standing=tuple(map(of_assumption, statement.standing)),
    )


def _renamed(indices: tuple[Index, ...], new: Mapping[Index, Index]) -> tuple[Index, ...]:
    return tuple(new.get(index, index) for index in indices)


def require_defined(term: Term, facts: Facts, hypotheses: list[Hypothesis]) -> None:
    """Raises StatementError where a logarithm or a division in a term is kept from failing by nothing."""
    # What is assumed of a free index says nothing of a bound one of that name.
    for obligation in obligations(rename_all_bound(term, _named_indices(hypotheses))):
        if not _is_met(obligation, facts, hypotheses):
            wanted = "is positive" if obligation.positive else "is not zero"
            raise StatementError(
                f"{obligation.reason} {obligation.what!r}: nothing says that it {wanted}; "
                "declare its domain, assume it, or take the expectation under a law that keeps it so"
            )


def _is_met(obligation: Obligation, facts: Facts, hypotheses: list[Hypothesis]) -> bool:
    guards = frozenset(g for g in obligation.guards if isinstance(g, Apply))
    conditions = [g for g in obligation.guards if isinstance(g, Indicator)]
    normaliser = Normaliser(facts)
    try:
        polynomial = normaliser.reduce(normaliser.lower(normaliser.rewritten(obligation.what), {}, guards), guards)
        if normaliser.is_positive(polynomial, guards):
            return True
        known = [*hypotheses, *(Hypothesis("case", c.left, c.relation, c.right) for c in conditions)]
        return arithmetic.decide(polynomial, ">" if obligation.positive else "≠", normaliser, known, guards)
    except Undecided:
        return False


def _require_definition(definition: Definition, facts: Facts, hypotheses: list[Hypothesis]) -> None:
    symbol = definition.function
    _require_dependence(symbol, definition.value)
    if symbol.law:
        own = definition.indices[: symbol.law]
        _require_sum(symbol, total(*own, of=definition.value), facts, "")
    _require_domain(symbol, definition.value, facts, hypotheses)


def _require_recursion(recursion: Recursion, facts: Facts, hypotheses: list[Hypothesis]) -> None:
    symbol = recursion.function
    for value in (recursion.start, recursion.step):
        _require_dependence(symbol, value)
        _require_domain(symbol, value, facts, hypotheses)
    for where, left, _ in closure_obligations(recursion):
        _require_sum(symbol, left, facts, where)


def _require_dependence(symbol: Function, value: Term) -> None:
    if depends_on_theta(value) and not symbol.depends:
        raise StatementError(f"{symbol.name}: its equation depends on θ; declare it with depends=True")


def _require_sum(symbol: Function, value: Term, facts: Facts, where: str) -> None:
    # A law that moves sums to one at every θ.
    if not Normaliser(facts.at_every_theta() if symbol.depends else facts).equal(value, Number(Fraction(1))):
        raise StatementError(f"{symbol.name} is declared a law, but its equation is not known to sum to one {where}")


def _require_domain(symbol: Function, value: Term, facts: Facts, hypotheses: list[Hypothesis]) -> None:
    """For a law the lower end is enough: entries that are not negative and sum to one are at most one."""
    domain = Domain(symbol.domain.lower, None, symbol.domain.lower_open) if symbol.law else symbol.domain
    if domain == REAL:
        return
    normaliser = Normaliser(facts)
    polynomial = normaliser.polynomial(value)
    zero = domain.lower == 0 and domain.upper is None
    if zero and (normaliser.is_positive if domain.lower_open else normaliser.is_nonnegative)(polynomial):
        return
    for bound, strict, relation in ((domain.lower, domain.lower_open, ">"), (domain.upper, domain.upper_open, "<")):
        if bound is None:
            continue
        wanted = relation if strict else {">": "≥", "<": "≤"}[relation]
        difference = normaliser.difference(value, Number(bound))
        if not arithmetic.decide(difference, wanted, normaliser, hypotheses):
            raise StatementError(f"{symbol.name}: its equation is not known to stay in {symbol.domain}")
