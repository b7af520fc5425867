"""What is refused before anything is judged: terms that nothing keeps defined, equations that break a declared domain."""

from __future__ import annotations

from fractions import Fraction

from derivations.checker import arithmetic
from derivations.checker.errors import StatementError, Undecided
from derivations.checker.facts import Facts, facts_of
from derivations.checker.induction import closure_obligations
from derivations.checker.normal_form import Normaliser
from derivations.checker.statement import FirstOrder, Hypothesis, Obligation, Statement, obligations
from derivations.checker.terms import (
    REAL,
    Apply,
    Definition,
    Derivative,
    Domain,
    Function,
    Indicator,
    Maximum,
    Minimum,
    Number,
    Recursion,
    Term,
    depends_on_theta,
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
    for definition in statement.definitions:
        _require_definition(definition, facts, hypotheses)
    for recursion in statement.recursions:
        _require_recursion(recursion, facts, hypotheses)
    for term in statement.terms:
        require_defined(term, facts, hypotheses)
    if isinstance(statement.relation, FirstOrder) or any(map(_is_differentiated, statement.terms)):
        require_smooth_equations(statement, facts, hypotheses)


def require_smooth_equations(statement: Statement, facts: Facts, hypotheses: list[Hypothesis]) -> None:
    """Raises StatementError where a function of θ is given by an equation that has a kink at this θ."""
    values = [d.value for d in statement.definitions]
    values += [value for r in statement.recursions for value in (r.start, r.step)]
    for value in values:
        if any(isinstance(node, (Minimum, Maximum)) and depends_on_theta(node) for node in subterms(value)):
            require_defined(Derivative(value), facts, hypotheses)


def _is_differentiated(term: Term) -> bool:
    return any(isinstance(node, Derivative) for node in subterms(term))


def require_defined(term: Term, facts: Facts, hypotheses: list[Hypothesis]) -> None:
    """Raises StatementError where a logarithm or a division in a term is kept from failing by nothing."""
    for obligation in obligations(term):
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
    if not Normaliser(facts).equal(value, Number(Fraction(1))):
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
