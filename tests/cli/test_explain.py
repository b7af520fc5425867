"""derivations explain: the source, the verdict, the proof or the counterexample, and what it rests on."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from planted_claims import FALSE, assertion, claim, everything, f, y

from derivations.checker.errors import EngineDisagreement
from derivations.checker.statement import statement
from derivations.sections.claim import Claim


def in_order(shown: str, pieces: Sequence[str]) -> None:
    """The pieces stand in the text, in this order."""
    place = 0
    for piece in pieces:
        found = shown.find(piece, place)
        assert found >= 0, f"{piece!r} is not in {shown[place:]!r}"
        place = found + len(piece)


def test_a_claim_with_its_parts(plant, run) -> None:
    plant(everything())
    result = run("explain", "T.1")
    assert (result.code, result.err) == (0, "")
    in_order(
        result.out,
        [
            "T.1 · IV Policy gradient · the tag of T.1\n",
            "the quote of T.1\n",
            "the reading of T.1\n",
            "claim T.1\n  the words of T.1\n  stated: proved; found: proved, as stated\n",
            "✓ proved by normal form\n",
            "= c·E_{y∼q}[f(y)]  ✓ calculation\n",
            "part T.1a\n",
            "stated: conditional; found: conditional, as stated\n",
            "without “c ≠ 0”: refuted by c = 0\n",
            "part T.1b\n",
            "stated: refuted; found: refuted, as stated\n",
            "counterexample: left = 1, right = 0\n",
            "|Y| = 1, y = 0\n",
            "rests on\n  no lemma and no axiom\n",
        ],
    )
    assert "correction" not in result.out
    assert "T.2" not in result.out


def test_a_refuted_claim_ends_in_its_correction_and_what_to_believe(plant, run) -> None:
    plant(everything())
    result = run("explain", "T.2")
    assert result.code == 0
    in_order(
        result.out, ["claim T.2\n", "✗ refuted by counterexample\n", "correction T.2′\n", "✓ proved by normal form\n"]
    )
    in_order(result.out, ["correction T.2′\n", "believe instead\n  some f are not zero\n", "rests on\n"])


def test_a_part_alone(plant, run) -> None:
    plant(everything())
    result = run("explain", "T.1b")
    assert result.code == 0
    in_order(result.out, ["T.1 · IV", "the reading of T.1\n", "part T.1b\n", "✗ refuted", "rests on\n"])
    assert "claim T.1\n" not in result.out
    assert "T.1a" not in result.out


def test_a_correction_alone(plant, run) -> None:
    plant(everything())
    result = run("explain", "T.2′")
    assert result.code == 0
    in_order(result.out, ["correction T.2′\n", "✓ proved", "believe instead\n  some f are not zero\n"])
    assert "claim T.2\n" not in result.out


def test_lemmas_are_told_down_to_the_last(plant, run) -> None:
    plant(everything())
    in_order(
        run("explain", "T.5").out,
        [
            "lemmas: T.4\n",
            "rests on\n",
            "lemma T.4: the words of T.4 (proved)\n",
            "lemma T.3: the words of T.3 (proved)\n",
        ],
    )


def test_axioms_are_told(plant, run) -> None:
    plant(everything())
    shown = run("explain", "T.6").out
    in_order(" ".join(shown.split()), ["rests on axiom: a dominated series may be differentiated term by term (Rudin"])
    assert "no lemma and no axiom" not in shown


def test_the_formulas_as_latex(plant, run) -> None:
    plant(everything())
    plain, latex = run("explain", "T.2"), run("explain", "T.2", "--latex")
    assert latex.code == 0
    in_order(
        latex.out,
        [
            "the quote of T.2\n",
            "claim T.2\n",
            "$$\\begin{aligned}\n",
            r"\text{refuted by counterexample}",
            "\\end{aligned}$$\n",
            "correction T.2′\n",
            r"\mathbb{E}_{y\sim q}\left[c\,f(y)\right]",
            "\\end{aligned}$$\n",
            "believe instead\n",
        ],
    )
    assert latex.out.count("$$") == 4
    assert "$" not in plain.out
    assert "E_{y∼q}[" not in latex.out
    assert "E_{y∼q}[" in plain.out


def test_a_verdict_that_is_not_the_stated_one_is_told(plant, run) -> None:
    plant([claim(assertion("T.1", "proved", FALSE))])
    result = run("explain", "T.1")
    assert result.code == 0
    assert "stated: proved; found: refuted, NOT as stated\n" in result.out


def test_a_long_formula_stays_on_its_line(plant, run) -> None:
    plant([claim(assertion("T.1", formal=statement(sum([f(y)] * 60), "=", 60 * f(y))))])
    shown = run("explain", "T.1").out
    assert f"{' + '.join(['f(y)'] * 60)} = 60·f(y)\n" in shown


def test_formulas_and_words_are_printed_as_they_are(plant, run) -> None:
    odd = Claim("IV", "tag [bold]", "x·x⁻¹ is [x ≠ 0] :smile:", "[red]reading[/red]", assertion("T.1"))
    plant([odd])
    shown = run("explain", "T.1").out
    for words in ("tag [bold]", "x·x⁻¹ is [x ≠ 0] :smile:", "[red]reading[/red]"):
        assert words in shown


@pytest.mark.parametrize(("given", "near"), [("T.9", "T.6"), ("T.1c", "T.1a")])
def test_an_unknown_identifier_is_refused_with_near_matches(plant, run, given: str, near: str) -> None:
    plant(everything())
    result = run("explain", given)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"Error: claim {given!r} is not known; did you mean ")
    assert near in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(("raised", "code"), [(KeyboardInterrupt(), 130), (EngineDisagreement("two say two"), 3)])
def test_how_it_ends_when_judging_does_not(plant, run, raised: BaseException, code: int) -> None:
    def prover(_: object) -> None:
        raise raised

    plant([claim(assertion("T.1", prover=prover))])
    result = run("explain", "T.1")
    assert (result.code, result.out) == (code, "")
