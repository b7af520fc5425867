"""Content keys: the same for the same, in every process; another for whatever a verdict depends on."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from derivations import (
    REAL,
    E,
    Sort,
    Sum,
    assume,
    begin,
    content,
    function,
    law,
    lemma,
    log,
    parameter,
    statement,
    world,
)
from derivations.checker.calculus import deferred
from derivations.checker.proof import ByCalculation, algebra, laws_sum_to_one
from derivations.checker.terms import NONNEGATIVE
from derivations.content import key_of
from derivations.ledger import Ledger
from derivations.sections.claim import Assertion, Claim
from derivations.sections.policy_gradient import _uniform_on_zero_to_theta

Y = Sort("Y")
y = Y.index("y")
p, f = law("p", Y), function("f", Y)
c = parameter("c", REAL)
GIVEN = Assertion("A", "words", "proved", statement(E(p(y), c * f(y)), "=", c * E(p(y), f(y))))
RENAMED = Y.index("z")
POSITIVE_LAW = law("p", Y, positive=True)
CHAIN = begin(Sum(y, p(y))).then("=", 1, laws_sum_to_one)


def key(assertion: Assertion, *lemmas: str) -> str:
    found = key_of(assertion, lemmas)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "other",
    [
        replace(GIVEN, formal=statement(E(p(y), c * f(y)), "≤", c * E(p(y), f(y)))),
        replace(GIVEN, formal=statement(E(p(y), c * f(y)), "=", E(p(y), f(y)) * c)),
        replace(GIVEN, formal=statement(E(p(y), c * f(y)), "=", 2 * E(p(y), f(y)))),
        replace(GIVEN, formal=statement(E(p(RENAMED), c * f(RENAMED)), "=", c * E(p(y), f(y)))),
        replace(GIVEN, formal=replace(GIVEN.formal, assuming=(assume("c > 0", c, ">", 0),))),
        replace(GIVEN, formal=replace(GIVEN.formal, standing=(assume("c > 0", c, ">", 0),))),
        replace(GIVEN, formal=replace(GIVEN.formal, notes=("a note",))),
        replace(GIVEN, formal=statement(E(POSITIVE_LAW(y), c * f(y)), "=", c * E(POSITIVE_LAW(y), f(y)))),
        replace(GIVEN, argument=ByCalculation()),
        replace(GIVEN, argument=ByCalculation((lemma("B"),))),
        replace(GIVEN, argument=ByCalculation((lemma("B", times=2),))),
        replace(GIVEN, argument=CHAIN),
        replace(GIVEN, argument=CHAIN.then("=", 1, algebra)),
        replace(GIVEN, worlds=(world({Y: 1}, {p: [1], f: [0], c: 0}),)),
        replace(GIVEN, worlds=(world({Y: 1}, {p: [1], f: [log(2)], c: 0}),)),
        replace(GIVEN, instances=(deferred(_uniform_on_zero_to_theta),)),
        replace(GIVEN, instances=(_uniform_on_zero_to_theta().witness(),)),
    ],
)  # fmt: skip
def test_another_content_has_another_key(other: Assertion) -> None:
    assert key(other) != key(GIVEN)


def test_words_and_the_stated_verdict_are_no_part_of_it() -> None:
    assert key(replace(GIVEN, id="B", words="others", stated="refuted")) == key(GIVEN)


def test_worlds_with_other_numbers_are_others() -> None:
    keys = {key(replace(GIVEN, worlds=(world({Y: 1}, {p: [1], f: [n], c: 0}),))) for n in range(5)}
    assert len(keys) == 5


def test_what_a_world_has_worked_out_is_no_part_of_it() -> None:
    given = world({Y: 1}, {p: [1], f: [0], c: 0})
    assertion = replace(GIVEN, worlds=(given,))
    before = key(assertion)
    assert given(E(p(y), f(y))) == 0
    assert key(assertion) == before


def test_two_functions_of_one_name_and_line_are_told_apart() -> None:
    from derivations.checker.verdict import Witness

    first, second = (eval_of_package(text) for text in ("lambda s: None", "lambda s: s"))
    assert key(replace(GIVEN, instances=(Witness(first),))) != key(replace(GIVEN, instances=(Witness(second),)))


def eval_of_package(text: str) -> object:
    """A function as a module of the package would hold it."""
    return eval(text, {"__name__": "derivations.sections.somewhere"})


def test_a_function_from_elsewhere_has_no_key() -> None:
    """Its globals may be anything, so that nothing tells when it has changed."""
    assert key_of(replace(GIVEN, prover=lambda s: None), ()) is None  # type: ignore[arg-type, return-value]


def test_what_an_assertion_rests_on_is_part_of_its_key() -> None:
    def ledger(domain: object) -> Ledger:
        g = function("g", Y, domain=domain)  # type: ignore[arg-type]
        first = Assertion("A", "words", "proved", statement(E(p(y), c * g(y)), "=", c * E(p(y), g(y))))
        second = Assertion("B", "words", "proved", GIVEN.formal, ByCalculation((lemma("A"),)))
        third = Assertion("C", "words", "proved", GIVEN.formal, ByCalculation((lemma("B"),)))
        return Ledger(Claim("X", "tag", "quote", "reading", each) for each in (first, second, third))

    one, other = ledger(REAL), ledger(NONNEGATIVE)
    assert all(one.key(name) != other.key(name) for name in "ABC")
    assert len({one.key(name) for name in "ABC"}) == 3


@pytest.mark.parametrize("changed", ["sources", "versions", "records"])
def test_another_checker_has_other_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, changed: str) -> None:
    def engines() -> str:
        content.engines.cache_clear()
        content.source_of.cache_clear()
        return content.engines()

    before = engines()
    assert engines() == before
    package = tmp_path / "derivations"
    for path in content.PACKAGE.rglob("*.py"):
        copy = package / path.relative_to(content.PACKAGE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    if changed == "sources":
        (package / "checker" / "proof.py").write_bytes((package / "checker" / "proof.py").read_bytes() + b"\n")
    elif changed == "records":
        (package / "records.py").write_bytes(b"")
    else:
        monkeypatch.setattr(content, "_version", lambda name: "0.0")
    monkeypatch.setattr(content, "PACKAGE", package)
    assert engines() != before
    monkeypatch.undo()
    assert engines() == before


def test_every_claim_has_a_key_of_its_own_that_another_process_finds_too() -> None:
    code = "from derivations.ledger import Ledger; l = Ledger(); print(*(l.key(n) for n in l.assertions))"
    command = [sys.executable, "-c", code]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() for _ in range(2)]
    assert runs[0] == runs[1]
    assert "None" not in runs[0]
    ledger = Ledger()
    formal = {}
    for identifier, key in zip(ledger.assertions, runs[0], strict=True):
        # A few claims take up a statement of another section word for word; nothing else may share a key.
        assert formal.setdefault(key, ledger.assertions[identifier].formal) == ledger.assertions[identifier].formal
    assert len(formal) > 0.95 * len(runs[0])
