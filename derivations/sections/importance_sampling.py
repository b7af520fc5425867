"""Section VI: importance sampling, as far as other sections rest on it."""

from __future__ import annotations

from derivations.checker.statement import assume, covers, statement
from derivations.checker.terms import E, Indicator, function, law, term
from derivations.sections.claim import Assertion, Claim
from derivations.sections.objects import Y, w, y

p, q = law("p", Y), law("q", Y)
f = function("f", Y)

CLAIMS = (
    Claim(
        section="VI",
        tag="VI.I",
        quote="E_{x∼p}[f] = E_{x∼q}[(p/q) f], q > 0 wherever p > 0",
        reading="For all distributions p, q on a finite set and every f, where q > 0 wherever p > 0.",
        main=Assertion(
            "IS.1",
            "importance weights turn an expectation under p into one under q",
            "proved",
            statement(E(p(y), f(y)), "=", E(q(w), p(w) / q(w) * f(w)), standing=[covers(q(y), p(y))]),
        ),
        parts=(
            Assertion(
                "IS.1.weaker",
                "q > 0 wherever p·f ≠ 0 suffices",
                "proved",
                statement(
                    E(p(y), f(y)),
                    "=",
                    E(q(w), p(w) / q(w) * f(w)),
                    standing=[
                        assume(
                            "q > 0 wherever p·f ≠ 0",
                            p(y) * f(y) * Indicator(q(y), "=", term(0)),
                            "=",
                            0,
                            for_all=[y],
                        )
                    ],
                ),
            ),
            Assertion(
                "IS.1.without",
                "the same with no condition on q",
                "refuted",
                statement(E(p(y), f(y)), "=", E(q(w), p(w) / q(w) * f(w))),
            ),
        ),
    ),
)
