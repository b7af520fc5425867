"""The attack on the proved claims: their false neighbours, over the cores, and what became of each.

A mutant is tried with every engine that the claim itself had, with its lemmas, and with the claim as a lemma: a weaker
inequality follows from the claim, and is then another truth that a person can look at. Whatever is proved is looked at in a
thousand worlds.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from derivations.checker.consequence import one_for_both, prove_by_comparison
from derivations.checker.errors import StatementError
from derivations.checker.mutate import (
    ALSO_TRUE,
    REFUTED,
    UNKNOWN,
    WRONGLY_PROVED,
    Proposal,
    Prover,
    Trial,
    attack,
    mutants,
)
from derivations.checker.proof import (
    Argumentation,
    ByCalculation,
    Derivation,
    IdleReason,
    Lemmas,
    Proof,
    Unproved,
    algebra,
    lemma,
    prove,
)
from derivations.checker.refute import fails_in
from derivations.checker.statement import Statement
from derivations.checker.terms import Function
from derivations.ledger import Ledger
from derivations.parallel import processes_for, spread
from derivations.records import Record
from derivations.sections.claim import Assertion, Claim

MOST = 4  # mutants of an assertion, unless others are asked for
IDLE = 3  # reasons that a slip may have made idle


@dataclass(frozen=True)
class Fate:
    """What became of one mutant, in words."""

    change: str
    outcome: str
    statement: str
    why: str
    worlds: int


@dataclass(frozen=True)
class Toll:
    """What became of the mutants of one assertion."""

    id: str
    fates: tuple[Fate, ...]

    def count(self, outcome: str) -> int:
        """How many came to this."""
        return sum(fate.outcome == outcome for fate in self.fates)

    def of(self, outcome: str) -> list[Fate]:
        """Those that came to this, in their order."""
        return [fate for fate in self.fates if fate.outcome == outcome]

    def as_object(self) -> dict[str, str | int]:
        """The counts, as JSON has them."""
        counts = {outcome.replace(" ", "_"): self.count(outcome) for outcome in OUTCOMES}
        return {"id": self.id, "mutants": len(self.fates), **counts}


OUTCOMES = (REFUTED, ALSO_TRUE, UNKNOWN, WRONGLY_PROVED)


class Attacker:
    """Attacks one assertion, with the records of its lemmas, in whatever process it is called."""

    def __init__(self, ledger: Ledger, most: int | None) -> None:
        self.ledger = ledger
        self.most = most

    def __call__(self, identifier: str, records: dict[str, Record]) -> Toll:
        """What becomes of the mutants of an assertion."""
        for name, record in records.items():
            self.ledger.take(name, record)
        assertion = self.ledger.assertions[identifier]
        provers, proposals = provers_for(assertion, self.ledger), proposals_of(assertion)
        tried = mutants(self.ledger.lemma(identifier), self.most, seed=identifier)
        return Toll(identifier, tuple(_fate(attack(mutant, provers, proposals)) for mutant in tried))

    def __reduce__(self) -> tuple[Callable[[int | None], Attacker], tuple[int | None]]:
        # As judging.Judge: a process that is not forked makes the claims anew.
        return _anew, (self.most,)


def _anew(most: int | None) -> Attacker:
    return Attacker(Ledger(), most)


def provers_for(assertion: Assertion, ledger: Ledger) -> list[Prover]:
    """Every way to prove a mutant of an assertion: the assertion's own, no help at all, and the assertion itself."""
    found: list[Prover] = [prove]
    if assertion.prover is not None:
        found.insert(0, assertion.prover)
    elif assertion.argument is not None:
        found.insert(0, partial(_as_argued, argument=assertion.argument, ledger=ledger))
    formal = assertion.formal
    if not isinstance(formal.relation, str) or formal.exists:
        return found
    if isinstance(assertion.argument, ByCalculation):
        # A claim on two terms together is proved of each by the lemmas that it rests on.
        deeper = [name for used in assertion.lemmas for name in (used, *ledger.assertions[used].lemmas)]
        if len(deeper) > len(assertion.lemmas):
            found.append(partial(_as_argued, argument=ByCalculation(tuple(map(lemma, deeper))), ledger=ledger))
    if formal.recursions:
        found.append(partial(_of_one, ledger=ledger, argument=assertion.argument))
    itself = partial(prove, argument=ByCalculation((lemma(assertion.id),)), lemmas=ledger.lemma)
    if formal.relation == "=" and isinstance(assertion.argument, Derivation):
        # What else a line of algebra makes of it; from other equations follows only what the rules make of them.
        found.append(itself)
    twins = _twins(formal)
    if twins:
        found.append(partial(prove, argument=ByCalculation((lemma(assertion.id, twins),)), lemmas=ledger.lemma))
    if formal.relation != "=":
        claim = ledger.lemma(assertion.id)
        found += [itself, partial(prove_by_comparison, claim=claim, name=assertion.id, prover=prove)]
    return found


def _as_argued(given: Statement, argument: Argumentation, ledger: Ledger) -> Proof:
    """A mutant proved as its claim was, from the same lemmas; a derivation, from its own left side to its own right one."""
    if isinstance(argument, Derivation):
        *before, last = argument.lines
        argument = Derivation(given.left, (*before, replace(last, right=given.right)))
    lemmas = _carried_over(given, ledger)
    for _ in range(IDLE):
        try:
            return prove(given, argument=argument, lemmas=lemmas)
        except IdleReason as idle:
            # What the slip has made idle, such as a lemma on a term that is dropped, is not to be given.
            assert isinstance(argument, Derivation)
            argument = _without_reason(argument, idle)
    return prove(given, argument=argument, lemmas=lemmas)


def _without_reason(argument: Derivation, idle: IdleReason) -> Derivation:
    """A derivation without a reason of one line that holds without it."""
    lines = list(argument.lines)
    line = lines[idle.line - 1]
    others = tuple(reason for reason in line.reasons if reason != idle.reason)
    lines[idle.line - 1] = replace(line, reasons=others or (algebra,))
    return replace(argument, lines=tuple(lines))


def _of_one(given: Statement, argument: Argumentation | None, ledger: Ledger) -> Proof:
    """A mutant that gives two functions by one equation, proved as a statement on one: they are equal."""
    merged = one_for_both(given)
    if merged == given:
        raise Unproved("no two functions are given by one equation")
    try:
        return prove(merged)
    except Unproved:
        if argument is None:
            raise
        return _as_argued(merged, argument, ledger)


def _carried_over(given: Statement, ledger: Ledger) -> Lemmas:
    """The lemmas of the ledger; what they say of functions that a mutant gives by another equation, proved of that one.

    A slip in an equation changes it in the lemmas, too: their arguments are executed again, and where one does not hold
    for the changed equation there is no lemma.
    """
    equations = {rule.function: rule for rule in given.recursions}
    found: dict[str, Statement] = {}

    def carried(identifier: str) -> Statement:
        if identifier not in found:
            known = ledger.lemma(identifier)
            rules = tuple(equations.get(rule.function, rule) for rule in known.recursions)
            if rules != known.recursions:
                try:
                    known = replace(known, recursions=rules)
                except StatementError as error:
                    raise Unproved(f"lemma {identifier}: {error}") from error
                prove(known, argument=ledger.assertions[identifier].argument, lemmas=carried)
            found[identifier] = known
        return found[identifier]

    return carried


def _twins(formal: Statement) -> dict[Function, Function]:
    """The functions that are alike in pairs, such as π and π′, each with the other: what is said of both may be turned."""
    fixed = {r.function for r in formal.recursions} | {d.function for d in formal.definitions}
    alike: dict[tuple[object, ...], list[Function]] = {}
    for symbol in formal.functions if not fixed else ():
        alike.setdefault((symbol.sorts, symbol.law, symbol.domain, symbol.positive, symbol.depends), []).append(symbol)
    pairs = [group for group in alike.values() if len(group) == 2]
    return {one: other for pair in pairs for one, other in (pair, pair[::-1])}


def proposals_of(assertion: Assertion) -> list[Proposal]:
    """The counterexamples that were proposed for an assertion, to be tried on its mutants."""
    return [
        *(partial(fails_in, world=world) for world in assertion.worlds),
        *(instance.evaluate for instance in assertion.instances),
    ]


def _fate(trial: Trial) -> Fate:
    # A refuted mutant is what is expected of it; only the others are looked at.
    shown = "" if trial.outcome == REFUTED else repr(trial.mutant.statement)
    return Fate(trial.mutant.change, trial.outcome, shown, _why(trial), trial.worlds)


def _why(trial: Trial) -> str:
    """The proof, the counterexample, or why there is neither."""
    if trial.outcome == REFUTED:
        return ""
    told = []
    found = trial.counterexample
    if found is not None:
        told += [f"left = {found.left}, right = {found.right}", repr(found.world)]
    if trial.proof is not None:
        told.append(f"by {trial.proof.method}")
        told += [f"{s.left!r} {s.relation} {s.right!r}  ({s.reason}: {s.method})" for s in trial.proof.steps]
    return "\n".join([*told, *([trial.reason] if trial.reason else [])])


def targets(ledger: Ledger, claims: Iterable[Claim]) -> list[str]:
    """The assertions of these claims that hold: claims, parts and corrections. They are judged before."""
    return [a.id for claim in claims for a in claim.assertions if ledger.record(a.id).holds]


def attack_all(
    ledger: Ledger,
    identifiers: Sequence[str],
    *,
    most: int | None = MOST,
    jobs: int | None = None,
    started: Callable[[str], None] = lambda identifier: None,
) -> Generator[tuple[str, Toll], None, None]:
    """Attacks assertions that hold, each by `most` mutants, in the order in which they are finished."""

    def records_for(identifier: str) -> dict[str, Record]:
        return {name: ledger.record(name) for name in (identifier, *ledger.assertions[identifier].lemmas)}

    return spread(
        dict.fromkeys(identifiers, ()),
        Attacker(ledger, most),
        records_for,
        processes=processes_for(len(identifiers), jobs),
        started=started,
    )


# --- for a person to review -----------------------------------------------------------------------------------------

GROUPS = (
    (WRONGLY_PROVED, "Proved, and with a counterexample: a fault of the checker"),
    (UNKNOWN, "Neither proved nor refuted"),
    (ALSO_TRUE, "Proved, and without a counterexample: other truths"),
)


def review(tolls: Sequence[Toll]) -> str:
    """Everything that was not refuted, with its proof, as Markdown."""
    lines = ["# Mutants that were not refuted", ""]
    for outcome, title in GROUPS:
        lines += [f"## {title} ({sum(toll.count(outcome) for toll in tolls)})", ""]
        for toll in tolls:
            for fate in toll.of(outcome):
                lines += [f"### {toll.id}, {fate.change}", "", *_block(fate.statement)]
                lines += [*_block(fate.why), f"No counterexample in {fate.worlds} worlds.", ""]
    return "\n".join(lines)


def _block(text: str) -> list[str]:
    return ["```text", text, "```", ""] if text else []


__all__ = ["OUTCOMES", "Attacker", "Fate", "Toll", "attack_all", "proposals_of", "provers_for", "review", "targets"]
