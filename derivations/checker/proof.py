"""A derivation: lines, one relation each, one executed reason each.

The reasons are a closed list. A reason says which rules may be used, and it must be needed: a line that holds without
it, or does not hold with it, is rejected. The relations of the lines must compose to the relation of the statement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from derivations.checker import arithmetic, induction
from derivations.checker.errors import DerivationsError, StatementError, Undecided
from derivations.checker.facts import Facts, facts_of, gather
from derivations.checker.normal_form import Normaliser, Rules
from derivations.checker.polynomial import Polynomial, as_term, show
from derivations.checker.statement import (
    CONVERSE,
    Assumption,
    Dominated,
    FirstOrder,
    Hypothesis,
    Relation,
    SameMaximiser,
    Statement,
    Summable,
    assume,
    at_point,
    compose,
    relation,
)
from derivations.checker.terms import (
    REAL,
    Add,
    Apply,
    Definition,
    Derivative,
    Function,
    Index,
    Indicator,
    Length,
    Made,
    Maximum,
    Minimum,
    Multiply,
    Number,
    Scalar,
    Size,
    Term,
    bound_here,
    children,
    depends_on_theta,
    differentiate,
    free_indices,
    free_indices_of,
    functions,
    rebuild,
    substitute,
    substitute_functions,
    subterms,
    term,
    total,
    with_fresh_binders,
)
from derivations.checker.wellformed import require_defined, require_smooth_equations

ONE = Number(Fraction(1))


class Unproved(DerivationsError):
    """No proof was found, or a line of one was rejected; the message says why."""


class IdleReason(Unproved):
    """A line holds without one of its reasons."""

    def __init__(self, message: str, reason: Reason, line: int = 0) -> None:
        super().__init__(message)
        self.reason = reason
        self.line = line


# --- reasons --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class UseRules:
    """The line holds by ring operations on sums together with these rules of the normal form."""

    name: str
    rules: Rules


@dataclass(frozen=True)
class UseHypothesis:
    """The line holds by a named hypothesis or definition, put in for what it gives."""

    name: str


@dataclass(frozen=True)
class UseLemma:
    """The line holds by a proved claim, its functions replaced, both sides multiplied by `times` (not negative)."""

    name: str
    instance: tuple[tuple[Function, tuple[tuple[Index, ...], Term]], ...] = ()
    times: Term = ONE
    at: tuple[tuple[Index, Index], ...] = ()


@dataclass(frozen=True)
class UseArithmetic:
    """The line holds for all real values of what stands in it, sums taken as they are."""

    name: str = "arithmetic"


@dataclass(frozen=True)
class UsePointwise:
    """An inequality between sums holds because it holds for every summand; strictly at the index `strict_at`."""

    name: str = "for each summand"
    strict_at: Index | None = None


Reason = UseRules | UseHypothesis | UseLemma | UseArithmetic | UsePointwise

algebra = UseRules("algebra", Rules.RING)
laws_sum_to_one = UseRules("a law sums to one", Rules.LAWS)
differentiation = UseRules("rules of differentiation", Rules.DERIVATIVE)
logarithms = UseRules("rules of the logarithm", Rules.LOGARITHM)
arithmetics = UseArithmetic()
pointwise = UsePointwise()


def hypothesis(name: str) -> UseHypothesis:
    """The reason “by the hypothesis of that name”; for a definition, its function's name."""
    return UseHypothesis(name)


def strictly(at: Index) -> UsePointwise:
    """The reason “for each summand, and strictly at this one”."""
    return UsePointwise(f"for each summand, strictly at {at.name}", at)


Replacement = Function | tuple[tuple[Index, ...], Term] | Callable[..., Term]


def lemma(
    name: str,
    instance: Mapping[Function, Replacement] | None = None,
    times: Scalar = 1,
    at: Mapping[Index, Index] | None = None,
) -> UseLemma:
    """The reason “by the proved claim NAME”.

    Its functions are replaced by functions, or by terms of the same indices; its free indices by those of `at`, and the
    others stay arbitrary; both sides are multiplied by `times`.
    """
    pairs: list[tuple[Function, tuple[tuple[Index, ...], Term]]] = []
    for symbol, value in (instance or {}).items():
        indices = tuple(Index(Made(f"·{symbol.name}{k}"), sort) for k, sort in enumerate(symbol.sorts))
        if isinstance(value, Function):
            pairs.append((symbol, (indices, Apply(value, indices))))
        elif isinstance(value, tuple):
            pairs.append((symbol, value))
        else:
            pairs.append((symbol, (indices, term(value(*indices)))))
    return UseLemma(name, tuple(pairs), term(times), tuple((at or {}).items()))


# --- derivations ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """relation right, because of the reasons; the left side is the line before."""

    relation: Relation
    right: Term
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Derivation:
    """A chain of lines from one term to another."""

    start: Term
    lines: tuple[Line, ...]

    def then(self, comparison: str, right: Scalar, *reasons: Reason) -> Derivation:
        """The derivation with one more line."""
        if not reasons:
            raise StatementError("a line needs a reason; give one of the reasons of derivations.checker.proof")
        return Derivation(self.start, (*self.lines, Line(relation(comparison), term(right), reasons)))


def begin(start: Scalar) -> Derivation:
    """A derivation that starts at a term."""
    return Derivation(term(start), ())


@dataclass(frozen=True)
class ByInduction:
    """Base and step over the length of the histories, with proved claims put in."""

    lemmas: tuple[UseLemma, ...] = ()


@dataclass(frozen=True)
class ByCalculation:
    """One step: every rule, every hypothesis, and these proved claims."""

    lemmas: tuple[UseLemma, ...] = ()


Argumentation = Derivation | ByInduction | ByCalculation


@dataclass(frozen=True)
class Step:
    """One judged line, for display."""

    left: Term
    relation: Relation
    right: Term
    reason: str
    method: str


@dataclass(frozen=True)
class Proof:
    """What a proof consists of."""

    steps: tuple[Step, ...]
    method: str
    axioms: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()


Lemmas = Callable[[str], Statement]


def no_lemmas(name: str) -> Statement:
    """The lemmas that are at hand when there are none."""
    raise Unproved(f"lemma {name} is not among the proved claims")


@dataclass(frozen=True)
class Setting:
    """A statement with the lemmas at hand."""

    statement: Statement
    lemmas: Lemmas = field(default=no_lemmas)

    @property
    def hypotheses(self) -> list[Hypothesis]:
        """The assumptions that are relations."""
        return [a for a in (*self.statement.assuming, *self.statement.standing) if isinstance(a, Hypothesis)]


TERMWISE = "a dominated series may be differentiated term by term (Rudin, Principles of Mathematical Analysis, 7.17)"


def prove(statement: Statement, argument: Argumentation | None = None, lemmas: Lemmas = no_lemmas) -> Proof:
    """A proof of the statement by the given argument, or by every engine in turn; raises Unproved."""
    setting = Setting(statement, lemmas)
    if statement.exists:
        raise Unproved("a statement of existence is proved by an example")
    try:
        match argument:
            case Derivation():
                proof = _chain(argument, setting)
            case ByInduction():
                proof = _induction(argument, setting)
            case ByCalculation():
                proof = _calculation(setting, argument.lemmas)
            case _:
                proof = _automatic(setting)
    except (Undecided, StatementError) as reason:
        raise Unproved(str(reason)) from reason
    except RecursionError as reason:
        raise Unproved("the statement is nested too deeply") from reason
    dominated = any(isinstance(a, Dominated) for a in (*statement.assuming, *statement.standing))
    return replace(proof, axioms=(*proof.axioms, TERMWISE)) if dominated else proof


def _automatic(setting: Setting) -> Proof:
    try:
        return _calculation(setting, ())
    except (Unproved, Undecided) as first:
        if induction.history_sort(setting.statement) is None or not isinstance(setting.statement.relation, str):
            raise
        try:
            return _induction(ByInduction(), setting)
        except (Unproved, Undecided) as second:
            raise Unproved(f"{first}; by induction: {second}") from second


# --- one step, every rule -------------------------------------------------------------------------------------------


def _calculation(setting: Setting, lemmas: Sequence[UseLemma]) -> Proof:
    statement = setting.statement
    known = [h for use in lemmas for h in (_as_hypothesis(use, setting),)]
    facts = _with(facts_of(statement), known)
    normaliser = Normaliser(facts)
    match statement.relation:
        case SameMaximiser(over):
            method = _same_maximiser(statement, over, normaliser)
        case FirstOrder():
            method = _first_order(statement, normaliser)
        case str() as comparison:
            method = _comparison(statement, comparison, normaliser, [*setting.hypotheses, *known])
    reason = ", ".join(["calculation", *(use.name for use in lemmas)])
    step = Step(statement.left, statement.relation, statement.right, reason, method)
    return Proof((step,), method, uses=tuple(use.name for use in lemmas))


def _comparison(statement: Statement, comparison: str, normaliser: Normaliser, hypotheses: Sequence[Hypothesis]) -> str:
    if comparison in ("=", "≤", "≥") and normaliser.equal(statement.left, statement.right):
        return "normal form"
    method = arithmetic.prove_comparison(
        statement.left, comparison, statement.right, normaliser, hypotheses, indices=statement.free
    )
    if method is None:
        raise Unproved(_left_over(normaliser.difference(statement.left, statement.right)))
    return method


def _left_over(difference: Polynomial) -> str:
    """What is left of left − right, for the reader of an unknown verdict."""
    try:
        shown = repr(as_term(difference))
    except Undecided:
        shown = show(difference)
    return f"left − right is {shown if len(shown) < 400 else shown[:400] + '…'}, which is not seen to be as claimed"


def _same_maximiser(statement: Statement, over: Function, normaliser: Normaliser) -> str:
    difference = normaliser.difference(statement.left, statement.right)
    # A definition on histories is not put in: what it defines depends on what it speaks of.
    reached = _reached(statement, over)
    if any(_mentions(difference, symbol) for symbol in reached):
        raise Unproved(f"the difference of the two sides depends on {over.name}")
    return f"the difference does not depend on {over.name}"


def _reached(statement: Statement, over: Function) -> frozenset[Function]:
    """A function, and everything that is given by an equation that speaks of it."""
    equations = {d.function: functions(d.value) for d in statement.definitions}
    equations |= {r.function: functions(r.start) | functions(r.step) for r in statement.recursions}
    found = frozenset((over,))
    while more := {symbol for symbol, inside in equations.items() if inside & found} - found:
        found |= more
    return found


def _mentions(polynomial: Polynomial, symbol: Function) -> bool:
    return any(
        node.function == symbol for monomial in polynomial.monomials for node in arithmetic.applications(monomial)
    )


def _first_order(statement: Statement, normaliser: Normaliser) -> str:
    assert isinstance(statement.relation, FirstOrder)
    where = statement.relation.at
    left, right = (_worked_out(side, normaliser) for side in (statement.left, statement.right))
    left_slope, right_slope = (_worked_out(Derivative(side), normaliser) for side in (left, right))
    if any(_is_differentiated(side) for side in (statement.left, statement.right)):
        for side in (statement.left, statement.right):
            normaliser.refuse_exchange(Derivative(side))
    pairs = ((left, right, "value"), (left_slope, right_slope, "derivative"))
    for ours, theirs, what in pairs:
        if not normaliser.equal(at_point(ours, where), at_point(theirs, where)):
            raise Unproved(f"the {what} at {where.name} is not seen to be the same")
    return "value and derivative, normal form"


def _is_differentiated(node: Term) -> bool:
    return any(isinstance(inner, Derivative) for inner in subterms(node))


def _worked_out(node: Term, normaliser: Normaliser) -> Term:
    """The term without D: only then can a point be put in for what moves."""
    parts = tuple(_worked_out(child, normaliser) for child in children(node))
    node = rebuild(node, parts) if parts else node
    if not isinstance(node, Derivative):
        return node
    normaliser.refuse_exchange(node.body)
    found = differentiate(node.body)
    # Whether a minimum has a kink is asked of this θ, not of the point.
    kinked = any(isinstance(inner, (Minimum, Maximum)) and depends_on_theta(inner) for inner in subterms(node.body))
    if kinked or any(isinstance(inner, Derivative) for inner in subterms(found)):
        raise Undecided(f"the derivative of {node.body!r} is not worked out")
    return found


# --- lemmas ---------------------------------------------------------------------------------------------------------


def _with(facts: Facts, hypotheses: Iterable[Hypothesis]) -> Facts:
    more = gather(hypotheses)
    return replace(
        facts,
        rewrites=(*facts.rewrites, *more.rewrites),
        sums=(*facts.sums, *more.sums),
        signs=(*facts.signs, *more.signs),
    )


def _as_hypothesis(use: UseLemma, setting: Setting) -> Hypothesis:
    """A proved claim, made to fit: its functions replaced, its indices chosen or arbitrary.

    What it assumes must hold here; one assumption that does not becomes the condition of an implication.
    """
    claim = spelled_out(setting.lemmas(use.name), setting.statement.definitions)
    if not isinstance(claim.relation, str) or claim.exists:
        raise Unproved(f"lemma {use.name}: it does not compare two terms for all values")
    mapping = {symbol: _of_made_indices(symbol, *replacement) for symbol, replacement in use.instance}
    _require_same_equations(use, claim, setting.statement)
    for symbol, (indices, value) in mapping.items():
        _fits(symbol, indices, value, claim, setting)
    chosen = dict(use.at)
    # Indices that are not chosen get names that nothing here has: what is shown of them is shown of any.
    arbitrary = {i: Index(Made(f"{i.name}·{use.name}"), i.sort) for i in claim.free if i not in chosen}

    def moved(node: Term) -> Term:
        return substitute_functions(substitute(with_fresh_binders(node), {**chosen, **arbitrary}), mapping)

    left, right = moved(claim.left), moved(claim.right)
    for side in (left, right):
        _require_defined(side, setting)
    conditions = [
        unmet
        for assumption in (*claim.assuming, *claim.standing)
        for unmet in [_unmet(_moved_assumption(assumption, moved), setting)]
        if unmet is not None
    ]
    if len(conditions) > 1:
        raise Unproved(f"lemma {use.name} assumes several things that are not seen to hold here")
    return Hypothesis(
        use.name,
        left,
        claim.relation,
        right,
        tuple(arbitrary.values()),
        conditions[0] if conditions else None,
    )


def spelled_out(claim: Statement, kept: Sequence[Definition] = ()) -> Statement:
    """A claim with what it defines put in, except for the definitions that are kept."""
    foreign = tuple(d for d in claim.definitions if d not in kept)
    if not foreign or any(sort.is_history for d in foreign for sort in d.function.sorts):
        return claim
    gone = {d.function for d in foreign}
    if any(
        gone & functions(a.body) for a in (*claim.assuming, *claim.standing) if isinstance(a, (Summable, Dominated))
    ):
        return claim
    rules = Normaliser(facts_of(replace(claim, assuming=(), standing=(), definitions=foreign)))

    def plain(assumption: Assumption) -> Assumption:
        if not isinstance(assumption, Hypothesis):
            return assumption
        given = assumption.given
        if given is not None:
            given = replace(given, left=rules.rewritten(given.left), right=rules.rewritten(given.right))
        left, right = rules.rewritten(assumption.left), rules.rewritten(assumption.right)
        return replace(assumption, left=left, right=right, given=given)

    return replace(
        claim,
        left=rules.rewritten(claim.left),
        right=rules.rewritten(claim.right),
        assuming=tuple(map(plain, claim.assuming)),
        standing=tuple(map(plain, claim.standing)),
        definitions=tuple(d for d in claim.definitions if d in kept),
    )


def _require_same_equations(use: UseLemma, claim: Statement, here: Statement) -> None:
    """A claim about functions given by equations speaks of those functions only: they must be the same here."""
    equations = {*claim.recursions, *claim.definitions}
    if not equations <= {*here.recursions, *here.definitions}:
        raise Unproved(f"lemma {use.name} is about functions that are defined otherwise here")
    inside = {f for r in claim.recursions for t in (r.start, r.step) for f in functions(t) | {r.function}}
    inside |= {f for d in claim.definitions for f in functions(d.value) | {d.function}}
    replaced = inside & {symbol for symbol, _ in use.instance}
    if replaced:
        raise Unproved(
            f"lemma {use.name}: {min(f.name for f in replaced)} stands in a definition, it cannot be replaced"
        )


def _of_made_indices(symbol: Function, indices: tuple[Index, ...], value: Term) -> tuple[tuple[Index, ...], Term]:
    """A term that is put in for a function, of indices of which nothing is assumed."""
    made = tuple(Index(Made(f"·{symbol.name}{k}"), sort) for k, sort in enumerate(symbol.sorts))
    return made, substitute(with_fresh_binders(value), dict(zip(indices, made, strict=True)))


def _is_alike(symbol: Function, indices: tuple[Index, ...], value: Apply) -> bool:
    """Whether a function at indices is declared as what it is put in for: a law over the same indices, in order."""
    if value.function.law != symbol.law or value.function.domain != symbol.domain or value.order:
        return False
    leading, given = value.arguments[: symbol.law], value.arguments[symbol.law :]
    return leading == indices[: symbol.law] and not set(leading) & free_indices_of(given)


def _fits(symbol: Function, indices: tuple[Index, ...], value: Term, claim: Statement, setting: Setting) -> None:
    """A term that is put in for a function must have what the function's declaration promises."""
    if symbol.slope is not None and not (isinstance(value, Apply) and value.function.slope == symbol.slope):
        raise Unproved(f"{symbol.name} of the lemma has the slope {symbol.slope}; what is put in has not")
    differentiated = any(isinstance(node, Derivative) for t in claim.terms for node in subterms(t))
    if depends_on_theta(value) and not symbol.depends and differentiated:
        raise Unproved(f"{symbol.name} of the lemma does not depend on θ, but what is put in does")
    facts = facts_of(setting.statement)
    normaliser = Normaliser(facts)
    if isinstance(value, Apply) and _is_alike(symbol, indices, value):
        return
    summed = Normaliser(facts.at_every_theta()) if depends_on_theta(value) else normaliser
    if symbol.law and not summed.equal(total(indices[0], *indices[1 : symbol.law], of=value), Number(Fraction(1))):
        raise Unproved(f"what is put in for the law {symbol.name} is not known to sum to one")
    domain = symbol.domain
    if domain == REAL:
        return
    polynomial = normaliser.polynomial(value)
    if symbol.law or (domain.lower == 0 and domain.upper is None):
        fine = normaliser.is_positive(polynomial) if domain.lower_open else normaliser.is_nonnegative(polynomial)
    else:
        fine = all(
            bound is None
            or arithmetic.decide(normaliser.difference(value, Number(bound)), how, normaliser, setting.hypotheses)
            for bound, how in (
                (domain.lower, ">" if domain.lower_open else "≥"),
                (domain.upper, "<" if domain.upper_open else "≤"),
            )
        )
    if not fine:
        raise Unproved(f"what is put in for {symbol.name} is not known to lie in {domain}")


def _moved_assumption(assumption: Assumption, moved: Callable[[Term], Term]) -> Assumption:
    """An assumption with its functions replaced, and its own indices given names that nothing else has."""
    if isinstance(assumption, (Summable, Dominated)):
        return replace(assumption, body=moved(assumption.body))
    if not isinstance(assumption, Hypothesis):
        return assumption
    own = {i: Index(Made(f"{i.name}·own"), i.sort) for i in assumption.for_all}

    def renamed(node: Term) -> Term:
        return moved(substitute(node, own))

    given = assumption.given
    if given is not None:
        given = replace(given, left=renamed(given.left), right=renamed(given.right))
    return Hypothesis(
        assumption.name,
        renamed(assumption.left),
        assumption.relation,
        renamed(assumption.right),
        tuple(own.values()),
        given,
    )


def _unmet(assumption: Assumption, setting: Setting) -> Indicator | None:
    """None where an assumption of a lemma holds here; else the condition that it is."""
    if not isinstance(assumption, Hypothesis):
        if assumption not in (*setting.statement.assuming, *setting.statement.standing):
            raise Unproved(f"the lemma assumes “{assumption.name}”, which is not assumed here")
        return None
    normaliser = Normaliser(facts_of(setting.statement))
    # Often it is one of ours, word for word, or holds in normal form, which is seen sooner than proved.
    if any(same_hypothesis(assumption, ours, normaliser) for ours in setting.hypotheses):
        return None
    if assumption.relation in ("=", "≤", "≥") and normaliser.equal(assumption.left, assumption.right):
        return None
    guards: frozenset[Apply] = frozenset()
    known = list(setting.hypotheses)
    if assumption.given is not None:
        given = assumption.given
        if isinstance(given.left, Apply) and given.relation == "≠" and given.right == Number(Fraction(0)):
            guards = frozenset((given.left,))
        known.append(assume("case", given.left, given.relation, given.right))
    if arithmetic.prove_comparison(
        assumption.left, assumption.relation, assumption.right, normaliser, known, guards, setting.statement.free
    ):
        return None
    if assumption.for_all or assumption.given is not None:
        raise Unproved(f"the lemma assumes “{assumption.name}”, which is not seen to hold here")
    return Indicator(assumption.left, assumption.relation, assumption.right)


def same_hypothesis(theirs: Hypothesis, ours: Hypothesis, normaliser: Normaliser) -> bool:
    """Whether two hypotheses say the same, after their own indices are matched in order."""
    if theirs.relation != ours.relation or theirs.given != ours.given:
        return False
    if [i.sort for i in theirs.for_all] != [i.sort for i in ours.for_all]:
        return False
    renaming = dict(zip(theirs.for_all, ours.for_all, strict=True))
    plain = Normaliser(_signs_only(normaliser.facts))
    try:
        return all(
            plain.equal(substitute(with_fresh_binders(a), renaming), with_fresh_binders(b))
            for a, b in ((theirs.left, ours.left), (theirs.right, ours.right))
        )
    except Undecided:
        return False


# --- chains ---------------------------------------------------------------------------------------------------------


def _chain(chain: Derivation, setting: Setting) -> Proof:
    statement = setting.statement
    if not chain.lines:
        raise Unproved("the derivation has no lines")
    whole = compose(line.relation for line in chain.lines)
    if not _implies(whole, statement.relation):
        raise Unproved(f"the lines give {whole}, the statement says {statement.relation}")
    ends = Normaliser(_signs_only(facts_of(statement)), Rules.RING)
    for ours, theirs, where in (
        (chain.start, statement.left, "starts"),
        (chain.lines[-1].right, statement.right, "ends"),
    ):
        if ours != theirs and not ends.equal(ours, theirs):
            raise Unproved(f"the derivation {where} at {ours!r}, the statement at {theirs!r}")
    steps = []
    left = chain.start
    for number, line in enumerate(chain.lines, 1):
        try:
            _require_defined(line.right, setting)
            method = execute(left, line, setting)
        except IdleReason as idle:
            raise IdleReason(f"line {number}: {idle}", idle.reason, number) from idle
        except Unproved as reason:
            raise Unproved(f"line {number}: {reason}") from reason
        steps.append(Step(left, line.relation, line.right, ", ".join(r.name for r in line.reasons), method))
        left = line.right
    uses = tuple(dict.fromkeys(r.name for line in chain.lines for r in line.reasons if isinstance(r, UseLemma)))
    return Proof(tuple(steps), "derivation", uses=uses)


def _require_defined(node: Term, setting: Setting) -> None:
    facts = facts_of(setting.statement)
    try:
        require_defined(node, facts, setting.hypotheses)
        if any(isinstance(inner, Derivative) for inner in subterms(node)):
            require_smooth_equations(setting.statement, facts, setting.hypotheses, (node,))
    except StatementError as reason:
        raise Unproved(str(reason)) from reason


def _implies(whole: Relation, wanted: Relation) -> bool:
    if whole == wanted:
        return True
    weaker = {"=": ("≤", "≥"), "<": ("≤", "≠"), ">": ("≥", "≠")}
    return isinstance(whole, str) and wanted in weaker.get(whole, ())


def _signs_only(facts: Facts) -> Facts:
    return replace(facts, rewrites=(), sums=())


def execute(left: Term, line: Line, setting: Setting) -> str:
    """Executes the reasons of one line; raises Unproved if it does not follow, or a reason is not needed."""
    if not isinstance(line.relation, str):
        raise Unproved(f"a line compares two terms; {line.relation} is for whole statements")
    method = _holds(left, line.relation, line.right, line.reasons, setting)
    if method is None:
        names = ", ".join(reason.name for reason in line.reasons)
        raise Unproved(f"{left!r} {line.relation} {line.right!r} does not follow by {names}")
    for reason in line.reasons:
        others = tuple(other for other in line.reasons if other != reason) or (algebra,)
        if reason != algebra and _holds(left, line.relation, line.right, others, setting) is not None:
            message = f"the reason “{reason.name}” is not what makes the line true: it holds without it"
            raise IdleReason(message, reason)
    return method


def _holds(left: Term, comparison: str, right: Term, reasons: Sequence[Reason], setting: Setting) -> str | None:
    rules = Rules.RING
    for reason in reasons:
        if isinstance(reason, UseRules):
            rules |= reason.rules
    lemmas = [(use, _as_hypothesis(use, setting)) for use in reasons if isinstance(use, UseLemma)]
    facts = _named_facts(setting, [r.name for r in reasons if isinstance(r, UseHypothesis)])
    normaliser = Normaliser(_with(facts, (h for _, h in lemmas)), rules)
    if comparison in ("=", "≤", "≥") and normaliser.equal(left, right):
        return "normal form"
    plain = Normaliser(facts, Rules.ALL)
    for use, known in lemmas:
        if _is_multiple(left, comparison, right, use, known, plain):
            return "lemma"
    hypotheses = [*setting.hypotheses, *(h for _, h in lemmas)]
    if any(isinstance(reason, UseArithmetic) for reason in reasons):
        difference = normaliser.difference(left, right)
        if arithmetic.decide(difference, comparison, normaliser, hypotheses, indices=setting.statement.free):
            return "arithmetic"
    for reason in reasons:
        if isinstance(reason, UsePointwise):
            full = Normaliser(_with(facts, (h for _, h in lemmas)), rules | Rules.LOGARITHM)
            if arithmetic.decide_sum(full.difference(left, right), comparison, full, hypotheses, reason.strict_at):
                return "pointwise"
    return None


def _named_facts(setting: Setting, names: Sequence[str]) -> Facts:
    """The signs of every assumption, but the equations of the named ones only."""
    statement = setting.statement
    facts = facts_of(statement)
    wanted = {*names, *(f"definition of {name}" for name in names)}
    unknown = set(names) - {h.name for h in setting.hypotheses} - {d.function.name for d in statement.definitions}
    if unknown:
        raise Unproved(f"no hypothesis or definition is called “{min(unknown)}”")
    return replace(
        facts,
        rewrites=tuple(r for r in facts.rewrites if r.name in wanted),
        sums=tuple(h for h in facts.sums if h.name in wanted),
    )


def _is_multiple(
    left: Term, comparison: str, right: Term, use: UseLemma, known: Hypothesis, normaliser: Normaliser
) -> bool:
    """Whether left − right is `times` (lemma's left − lemma's right), read from either side, and the relation fits."""
    if known.given is not None:
        return False
    polynomial = normaliser.polynomial(use.times)
    if known.relation != "=":
        strict = known.relation in ("<", ">", "≠")
        if not (normaliser.is_positive(polynomial) if strict else normaliser.is_nonnegative(polynomial)):
            return False
    ours = left - right
    theirs = use.times * (known.left - known.right)
    return any(
        _implies(oriented, comparison) and normaliser.equal(ours, side)
        for oriented, side in ((known.relation, theirs), (CONVERSE[known.relation], -theirs))
    )


# --- induction ------------------------------------------------------------------------------------------------------


def _induction(argument: ByInduction, setting: Setting) -> Proof:
    statement = setting.statement
    if not isinstance(statement.relation, str):
        raise Unproved("induction: the relation is not a comparison of two terms")
    if any(_open_history(a) for a in (*statement.assuming, *statement.standing)):
        raise Unproved("induction: an assumption speaks of one history only, or of one length; state it for all")
    known = [_as_hypothesis(use, setting) for use in argument.lemmas]
    steps = []
    parts = ((induction.base(statement), False, "base"), (induction.step(statement), True, "step"))
    for part, stepping, name in parts:
        method = _induction_part(part, statement, stepping, setting, known)
        if method is None:
            raise Unproved(f"the {name} of the induction does not follow")
        steps.append(Step(part.left, part.relation, part.right, f"{name} of the induction", method))
    return Proof(tuple(steps), "induction", uses=tuple(use.name for use in argument.lemmas))


def _open_history(assumption: Assumption) -> bool:
    if not isinstance(assumption, Hypothesis):
        return False
    free = {i for t in assumption.terms for i in free_indices(t)} - set(assumption.for_all)
    inside = [node for t in assumption.terms for node in subterms(t)]
    of_one_length = any(isinstance(node, (Length, Size)) and node.sort.is_history for node in inside)
    of_one_length = of_one_length or any(i.sort.is_history for node in inside for i in bound_here(node))
    return of_one_length or any(i.sort.is_history for i in free)


def _induction_part(
    part: Statement, whole: Statement, stepping: bool, setting: Setting, known: Sequence[Hypothesis]
) -> str | None:
    assert isinstance(part.relation, str)
    facts = _with(facts_of(part, below_the_horizon=stepping), known)
    previous = induction.hypothesis(whole) if stepping else None
    hypotheses = [*setting.hypotheses, *known] + ([previous] if previous is not None else [])
    normaliser = Normaliser(facts if previous is None else _with(facts, [previous]))
    if part.relation == "=":
        if normaliser.equal(part.left, part.right):
            return "normal form"
        if previous is not None:
            plain = Normaliser(facts)
            now = Add((part.left, Multiply((Number(Fraction(-1)), part.right))))
            before = Add((previous.left, Multiply((Number(Fraction(-1)), previous.right))))
            if plain.equal(now, before):
                return "normal form"
    return arithmetic.prove_comparison(part.left, part.relation, part.right, normaliser, hypotheses, indices=part.free)


__all__ = [
    "Argumentation",
    "ByCalculation",
    "ByInduction",
    "Derivation",
    "IdleReason",
    "Line",
    "Proof",
    "Reason",
    "Step",
    "Unproved",
    "algebra",
    "arithmetics",
    "begin",
    "differentiation",
    "execute",
    "hypothesis",
    "laws_sum_to_one",
    "lemma",
    "logarithms",
    "pointwise",
    "prove",
    "same_hypothesis",
    "strictly",
]
