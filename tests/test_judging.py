"""Judging over several processes finds what one process finds, and judges nothing twice."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from derivations import BadInput, E, Sort, function, law, parameter, statement
from derivations.checker.errors import EngineDisagreement
from derivations.checker.proof import ByCalculation, Proof, lemma
from derivations.checker.statement import Statement
from derivations.checker.terms import REAL
from derivations.judging import Judge, judge_all
from derivations.kept import Store
from derivations.ledger import CircularLemmas, Ledger
from derivations.sections.claim import Assertion, Claim

Y = Sort("Y")
y = Y.index("y")
p, f = law("p", Y), function("f", Y)
c = parameter("c", REAL)


def chain(length: int) -> list[Claim]:
    """c² + n > 0 by c² + n − 1 > 0, and so on; and as many claims that rest on nothing."""
    found = []
    for n in range(1, length + 1):
        by = ByCalculation((lemma(f"C.{n - 1}"),)) if n > 1 else None
        for name, formal, argument in (
            (f"C.{n}", statement(c * c + n, ">", 0), by),
            (f"F.{n}", statement(f(y), "=", n), None),
            (f"P.{n}", statement(E(p(y), n * f(y)), "=", n * E(p(y), f(y))), None),
        ):
            stated = "refuted" if name.startswith("F") else "proved"
            main = Assertion(name, "words", stated, formal, argument)
            right = Assertion(f"{name}′", "words", "refuted", statement(f(y), "=", -n)) if stated == "refuted" else None
            found.append(Claim("X", "tag", "quote", "reading", main, correction=right, believe="…"))
    return found


def test_several_processes_find_what_one_does() -> None:
    one, several = Ledger(chain(6)), Ledger(chain(6))
    assert list(judge_all(one, one.claims.values(), jobs=1)) == list(one.assertions)
    assert sorted(judge_all(several, several.claims.values(), jobs=3)) == sorted(one.assertions)
    for name in one.assertions:
        assert replace(one.record(name), seconds=0.0) == replace(several.record(name), seconds=0.0)
    assert list(several.graph()) and set(several.graph()) == set(one.graph())


def test_the_last_of_a_chain_brings_those_that_it_rests_on_and_no_other() -> None:
    ledger = Ledger(chain(6))
    done = list(judge_all(ledger, ledger.select(["C.4"]), jobs=2))
    assert done == ["C.1", "C.2", "C.3", "C.4"]


def test_what_is_kept_is_not_judged_and_what_is_judged_is_kept(tmp_path: Path) -> None:
    first = Ledger(chain(4), Store(tmp_path))
    assert list(judge_all(first, first.select(["C.3"]), jobs=2)) == ["C.1", "C.2", "C.3"]
    second = Ledger(chain(4), Store(tmp_path))
    assert list(judge_all(second, second.select(["C.4"]), jobs=2)) == ["C.4"]
    assert list(judge_all(second, second.select(["C.1"]), jobs=2)) == []


def test_a_kept_claim_does_not_bring_its_lemmas(tmp_path: Path) -> None:
    first = Ledger(chain(3), Store(tmp_path))
    list(judge_all(first, first.select(["C.3"])))
    key = first.key("C.1")
    assert key is not None and first.store is not None
    first.store.discard(key)
    second = Ledger(chain(3), Store(tmp_path))
    assert list(judge_all(second, second.select(["C.3"]))) == []


def test_what_is_finished_before_an_interruption_is_kept(tmp_path: Path) -> None:
    ledger = Ledger(chain(5), Store(tmp_path))
    finished = judge_all(ledger, ledger.claims.values(), jobs=2)
    names = [next(finished) for _ in range(4)]
    finished.close()
    again = Ledger(chain(5), Store(tmp_path))
    assert all(again.record(name).kept for name in names)


@pytest.mark.parametrize("jobs", [1, 2])
def test_the_claim_in_which_an_error_arose_is_named(jobs: int) -> None:
    def believes(_: Statement) -> Proof:
        return Proof((), "belief")

    wrong = Assertion("W.1a", "words", "proved", statement(f(y), "=", 0), prover=believes)
    bad = Claim("X", "tag", "quote", "reading", Assertion("W.1", "words", "proved", statement(c, "=", c)), (wrong,))
    ledger = Ledger([*chain(2), bad])
    with pytest.raises(EngineDisagreement) as raised:
        list(judge_all(ledger, ledger.claims.values(), jobs=jobs))
    assert raised.value.__notes__ == ["W.1"]


def test_a_circle_is_found_before_anything_is_judged() -> None:
    def claim(name: str, other: str) -> Claim:
        main = Assertion(name, "words", "proved", statement(c, "=", c), ByCalculation((lemma(other),)))
        return Claim("X", "tag", "quote", "reading", main)

    ledger = Ledger([*chain(1), claim("A", "B"), claim("B", "A")])
    with pytest.raises(CircularLemmas, match="A → B → A") as raised:
        judge_all(ledger, ledger.claims.values())
    assert raised.value.__notes__ == ["A"]
    with pytest.raises(BadInput, match="claim 'none' is not known"):
        judge_all(Ledger([claim("A", "none")]), Ledger([claim("A", "none")]).claims.values())


def test_a_process_that_is_not_forked_makes_the_claims_anew() -> None:
    judge = pickle.loads(pickle.dumps(Judge(Ledger())))
    assert judge("OP.3.same", {}).status == "proved"
