"""The objects that several sections speak of, declared once, in the notation of the field.

Policies depend on the whole history; one that depends on the last state only is a special case.
"""

from __future__ import annotations

from derivations.checker.terms import (
    POSITIVE,
    Apply,
    D,
    E,
    Function,
    Index,
    Sort,
    Sum,
    Term,
    define,
    exp,
    function,
    histories,
    law,
    log,
    parameter,
)

# --- prompts and responses (source A) -------------------------------------------------------------------------------

X, Y = Sort("X"), Sort("Y")
x = X.index("x")
y, v, w = Y.indices("y v w")
y0 = Y.index("y0")

beta = parameter("β", POSITIVE)
prompts = law("P", X)
policy = law("π", Y, given=[X])
reference = law("π_ref", Y, given=[X], positive=True)
reward = function("r", Y, X)


def partition(scale: Term = beta, at: Index = x, over: Index = w) -> Term:
    """z(x) = Σ_w π_ref(w|x) exp(r(w, x)/β)."""
    return Sum(over, reference(over, at) * exp(reward(over, at) / scale))


def optimal(response: Index, scale: Term = beta, at: Index = x) -> Term:
    """π*(y|x) = π_ref(y|x) exp(r(y, x)/β) / z(x)."""
    return reference(response, at) * exp(reward(response, at) / scale) / partition(scale, at)


z = function("z", X, domain=POSITIVE)
star = law("π*", Y, given=[X], positive=True)
OPTIMUM = (
    define(z(x), partition()),
    define(star(y, x), reference(y, x) * exp(reward(y, x) / beta) / z(x)),
)


def objective(pi: Function, scale: Term = beta, at: Index = x, over: Index = y) -> Term:
    """J(π) = E_π[r − β log π + β log π_ref] at a prompt."""
    weight = pi(over, at)
    return E(weight, reward(over, at) - scale * log(weight) + scale * log(reference(over, at)))


# --- trajectories (source B) ----------------------------------------------------------------------------------------

S, A = Sort("S"), Sort("A")
H = histories("H", step=[S, A])
h = H.index("h")
s = S.index("s")
a, b = A.indices("a b")

dynamics = law("P", S, given=[H])
actor = law("π", A, given=[H, S], positive=True, depends=True)


def score(probability: Apply) -> Term:
    """∇ log of a probability."""
    return D(log(probability))
