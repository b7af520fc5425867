"""Section II: the reward model, trained on comparisons of two responses.

r(y, x) is the reward of a response to a prompt; σ(u) = 1/(1 + exp(−u)). A comparison says that y_w was preferred to y_l,
which Bradley–Terry gives the probability exp(r_w)/(exp(r_w) + exp(r_l)). ∇ is the derivative along an arbitrary direction
of the model's parameters φ.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from derivations.checker.proof import (
    ByCalculation,
    ByInduction,
    UseLemma,
    algebra,
    begin,
    hypothesis,
    lemma,
    logarithms,
    pointwise,
    strictly,
)
from derivations.checker.statement import assume, statement
from derivations.checker.terms import (
    NONNEGATIVE,
    OPEN_UNIT,
    POSITIVE,
    REAL,
    UNIT,
    D,
    Definition,
    Delta,
    E,
    Function,
    Index,
    Indicator,
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
    recursion,
    term,
)
from derivations.checker.worlds import World, world
from derivations.sections.claim import Assertion, Claim
from derivations.sections.objects import X, Y, beta, optimal, prompts, reference, reward, score, v, w, x, y

better, worse = Y.indices("y_w y_l")
zero = term(0)


def sigma(u: Term) -> Term:
    """The logistic function."""
    return 1 / (1 + exp(-u))


def pair_loss(margin: Term) -> Term:
    """−log σ(margin)."""
    return -log(sigma(margin))


def bradley_terry(first: Term, second: Term) -> Term:
    """The probability that a response of the first reward is preferred to one of the second."""
    return exp(first) / (exp(first) + exp(second))


MARGIN = reward(better, x) - reward(worse, x)

# --- RM.2: a data set of any size -----------------------------------------------------------------------------------

data = histories("D", step=[X, Y, Y])
d = data.index("d")
likelihood = function("ℓ", data, domain=POSITIVE)
losses = function("L", data)
likelihood_law = recursion(
    likelihood,
    start=lambda: 1,
    step=lambda d, x, y_w, y_l: likelihood(d) * bradley_terry(reward(y_w, x), reward(y_l, x)),
)
loss_sum = recursion(
    losses, start=lambda: 0, step=lambda d, x, y_w, y_l: losses(d) + pair_loss(reward(y_w, x) - reward(y_l, x))
)

# --- RM.3: a constant -----------------------------------------------------------------------------------------------

comparisons = law("D", X, Y, Y)
model = function("r", Y, X, depends=True)
shift = function("c", X, depends=True)


def data_loss(rewards) -> Term:  # type: ignore[no-untyped-def]
    """−E_D[log σ(r_w − r_l)] for rewards given as a callable of response and prompt."""
    return E(comparisons(x, better, worse), pair_loss(rewards(better, x) - rewards(worse, x)))


SHIFTED, PLAIN = data_loss(lambda y, x: model(y, x) + shift(x)), data_loss(model)

# --- RM.4: a gradient step on one pair ------------------------------------------------------------------------------

small, large = parameter("m", REAL), parameter("m′", REAL)
C = Sort("C")
c, c0, c1 = C.indices("i i0 j")
weight = function("u", C)
moving_weight = function("u", C, depends=True)
direction = function("e", C)
feature = function("f", C, Y)
alpha = parameter("α", POSITIVE)


def linear(weights: Function, response: Index) -> Term:
    """r = Σ_i u_i f_i(y)."""
    return Sum(c, weights(c) * feature(c, response))


def contrast(at: Index) -> Term:
    """f_i(y_w) − f_i(y_l)."""
    return feature(at, better) - feature(at, worse)


LINEAR_MARGIN = Sum(c, weight(c) * contrast(c))
PULL = sigma(-Sum(c1, weight(c1) * contrast(c1)))
STEPPED_MARGIN = Sum(c, (weight(c) + alpha * PULL * contrast(c)) * contrast(c))

table = function("r", Y)
u = Y.index("u")
TABLE_PULL = sigma(table(worse) - table(better))


def after_step(at: Index) -> Term:
    """The table of rewards after a step on the pair: r_w rises by ασ(−m), r_l falls by as much."""
    return table(at) + alpha * TABLE_PULL * (Delta(at, better) - Delta(at, worse))


slope = function("g", C)
margin = parameter("m", REAL)
moving_margin = parameter("m", REAL, depends=True)
phi = parameter("φ", REAL)


def bent(at: Term) -> Term:
    """A margin that is no linear function of its parameter: φ − φ²."""
    return at - at * at


BENT_STEP = phi + alpha * sigma(-bent(phi)) * (1 - 2 * phi)

# --- RM.5: labels that no ranking satisfies ---------------------------------------------------------------------------

labels = law("D", Y, Y)
other, moving_table, step = function("r′", Y), function("r", Y, depends=True), function("e", Y)
against = Y.index("v")
first, second, third = (parameter(name, REAL) for name in ("r₀", "r₁", "r₂"))
wins, defeats = parameter("n_w", POSITIVE), parameter("n_l", POSITIVE)


p, q = parameter("p", OPEN_UNIT), parameter("q", OPEN_UNIT)
p_not, q_not = parameter("p′", POSITIVE), parameter("q′", POSITIVE)
SUM_TO_ONE = [assume("p′ = 1 − p", p_not, "=", 1 - p), assume("q′ = 1 − q", q_not, "=", 1 - q)]
TWO_OUTCOMES = p * (log(p) - log(q)) + p_not * (log(p_not) - log(q_not))


def two_outcomes(name: str, true: Term, given: Term) -> UseLemma:
    """The lemma of that name about p, p′, q and q′, for the labels that two margins of a pair predict."""
    chances = {p: sigma(true), p_not: sigma(-true), q: sigma(given), q_not: sigma(-given)}
    return lemma(name, {symbol.function: _constant(value) for symbol, value in chances.items()})


def _constant(value: Term) -> tuple[tuple[Index, ...], Term]:
    return (), value


def slope_at(response: Index, rewards: Function) -> Term:
    """The derivative of the loss in the reward of one response: of a comparison lost less that of one won."""
    lost = Sum(against, labels(against, response) * sigma(rewards(response) - rewards(against)))
    won = Sum(against, labels(response, against) * sigma(rewards(against) - rewards(response)))
    return lost - won


def table_loss(rewards: Function) -> Term:
    """−E_D[log σ(r_w − r_l)] for a table of rewards."""
    return E(labels(better, worse), pair_loss(rewards(better) - rewards(worse)))


def above_tangent(first: Index, second: Index) -> Term:
    """How far the loss of a comparison at the rewards r′ lies above its tangent at r."""
    here, there = table(first) - table(second), other(first) - other(second)
    return pair_loss(there) - pair_loss(here) + sigma(-here) * (there - here)


above = function("a", Y, Y)
above_is = define(above(better, worse), above_tangent(better, worse))
ROW_ABOVE = Sum(worse, labels(better, worse) * above(better, worse))
TOTAL_ABOVE = Sum(better, ROW_ABOVE)
slopes = function("g", Y)
slope_is = define(slopes(u), slope_at(u, table))
no_slope = assume("r minimises the loss: its slope is zero", slopes(u), "=", 0, for_all=[u])
no_self = assume("no response is compared with itself", labels(u, u), "=", 0, for_all=[u])
one_way = assume("y_w is preferred to y_l in the data", labels(better, worse), ">", 0)


def slopes_of(won: Mapping[tuple[int, int], int]) -> list[Term]:
    """The slopes of the loss in three rewards, given how often one response is preferred to another."""
    rewards = (first, second, third)
    slopes = [zero, zero, zero]
    for (winner, loser), times in won.items():
        pull = times * sigma(rewards[loser] - rewards[winner])
        slopes[winner], slopes[loser] = slopes[winner] - pull, slopes[loser] + pull
    return slopes


CYCLE = slopes_of({(0, 1): 1, (1, 2): 1, (2, 0): 1})
MAJORITIES = slopes_of({(0, 1): 3, (1, 0): 2, (0, 2): 3, (2, 0): 2, (1, 2): 9, (2, 1): 1})
best_by_votes = assume(
    "y_w wins the majority against every other response",
    labels(better, u),
    ">",
    labels(u, better),
    for_all=[u],
    given=Indicator(Delta(u, better), "=", zero),
)


def _one_label_each_way() -> World:
    """Two responses, each preferred once: the loss is least at a tie."""
    half = Fraction(1, 2)
    return world({Y: 2}, {labels: [[0, half], [half, 0]], table: [0, 0]}, indices={better: 0, worse: 1})


def _beats_both_and_comes_second() -> World:
    """0 beats 1 by 9:6 and 2 by 12:8, 1 beats 2 by 52:2; the loss is least at exp(r) = (1, 2, 1/4)."""
    counts = {(0, 1): 9, (1, 0): 6, (0, 2): 12, (2, 0): 8, (1, 2): 52, (2, 1): 2}
    votes = {(i, j): Fraction(counts.get((i, j), 0), 89) for i in range(3) for j in range(3)}
    return world({Y: 3}, {labels: votes, table: [0, log(2), -2 * log(2)]}, indices={better: 0, worse: 1})


K = Sort("K")
k, k0 = K.indices("k k0")
samples = law("D", K)
margins = function("m", K)
widening = function("d", K, domain=POSITIVE)
cost = function("ℓ", K, domain=NONNEGATIVE)
cost_is = define(cost(k), pair_loss(margins(k)))

# --- RM.6: what the likelihood recovers -------------------------------------------------------------------------------

a, b, a0, b0, y1, y2 = Y.indices("a b a0 b0 y1 y2")
F = Sort("F")
i, i0, j = F.indices("i i0 j")
pairs = law("κ", Y, Y)
truth = function("r*", Y)
models = function("r_φ", Y, F)
frequency = function("f", Y, Y, domain=UNIT)
chance = function("P", Y, Y, domain=UNIT)
flow, net_flow = function("ψ", Y, Y), function("n", Y)


def label_loss(rewards, preferred) -> Term:  # type: ignore[no-untyped-def]
    """−E_κ[f log σ(r_a − r_b) + (1 − f) log σ(r_b − r_a)]: f is how often the first response of a pair is preferred."""
    margin = rewards(a) - rewards(b)
    return E(pairs(a, b), preferred(a, b) * pair_loss(margin) + (1 - preferred(a, b)) * pair_loss(-margin))


def true_chance(first: Index, second: Index) -> Term:
    """What Bradley–Terry says with the true rewards."""
    return sigma(truth(first) - truth(second))


def learned(response: Index) -> Term:
    """The reward of the model that is chosen."""
    return models(response, i)


def _excess(first: Index, second: Index) -> Term:
    here, there = truth(first) - truth(second), learned(first) - learned(second)
    return pair_loss(there) - pair_loss(here) + (1 - sigma(here)) * (there - here)


# The loss of a comparison beyond that at r*, where its labels follow r* (a divergence), and how far its margin is off.
excess, error = function("e", Y, Y, F), function("d", Y, Y, F)
excess_is = define(excess(a, b, i), _excess(a, b))
error_is = define(error(a, b, i), learned(a) - learned(b) - (truth(a) - truth(b)))


POPULATION_LOSS, TRUE_LOSS = label_loss(learned, true_chance), label_loss(truth, true_chance)
ROW = Sum(b, pairs(a0, b) * excess(a0, b, i))
STILL = Sum(b, pairs(a, b) * flow(a, b) * error(a, b, i))
wrong = assume("a compared pair has a wrong margin", pairs(a0, b0) * error(a0, b0, i) ** 2, ">", 0)
no_worse = assume("the loss is not above that of r*", POPULATION_LOSS, "≤", TRUE_LOSS)

net_flow_is = define(net_flow(a), Sum(b, pairs(a, b) * flow(a, b) - pairs(b, a) * flow(b, a)))
most_likely = assume(
    "r_φ is the most likely model of its class",
    label_loss(lambda y: models(y, i), frequency),
    "≤",
    label_loss(lambda y: models(y, j), frequency),
    for_all=[j],
)
population = assume(
    "population limit: the labels have their probabilities", frequency(a, b), "=", chance(a, b), for_all=[a, b]
)
follows = assume("the labels follow Bradley–Terry", chance(a, b), "=", true_chance(a, b), for_all=[a, b])
contained = assume("the class contains r*", models(a, i0), "=", truth(a), for_all=[a])
joined = assume(
    "compared pairs join y1 to y2: they carry a unit of flow",
    net_flow(a),
    "=",
    Delta(a, y1) - Delta(a, y2),
    for_all=[a],
)


def _lacking(**changed: object) -> World:
    """r* = (log 2, 0), one pair compared, and the tie (0, 0) as the chosen model; with something changed."""
    half, third = Fraction(1, 2), Fraction(1, 3)
    followed = [[half, 2 * third], [third, half]]
    tables: dict[object, object] = {
        pairs: [[0, 1], [0, 0]],
        flow: [[0, 1], [0, 0]],
        truth: [log(2), 0],
        models: [[0, log(2)], [0, 0]],
        frequency: followed,
        chance: followed,
    }
    named = {"pairs": pairs, "flow": flow, "models": models, "frequency": frequency, "chance": chance}
    tables |= {named[name]: value for name, value in changed.items()}
    return world({Y: 2, F: 2}, tables, indices={y1: 0, y2: 1, i: 0, i0: 1})


_FAIR = [[Fraction(1, 2)] * 2] * 2
_LACKING = (
    _lacking(frequency=_FAIR, chance=_FAIR),
    _lacking(frequency=_FAIR),
    _lacking(models=[[0, 0], [0, 0]]),
    _lacking(pairs=[[1, 0], [0, 0]], flow=[[0, 0], [0, 0]]),
)

# --- RM.7 to RM.9: what the policy needs of the reward ----------------------------------------------------------------

arm = law("π", Y, positive=True, depends=True)
quality = function("q", Y)
jump = Indicator(quality(u), ">", zero)
pay = function("r", Y)

second_reward = function("r′", Y, X)
first_star, second_star = (law(name, Y, given=[X], positive=True) for name in ("π*", "π*′"))


def optimum_of(star: Function, rewards: Function) -> Definition:
    """π* = π_ref exp(r/β)/z for a given reward."""
    weights = Sum(w, reference(w, x) * exp(rewards(w, x) / beta))
    return define(star(y, x), reference(y, x) * exp(rewards(y, x) / beta) / weights)


OPTIMA = (optimum_of(first_star, reward), optimum_of(second_star, second_reward))
same_ranking = assume(
    "r and r′ rank all responses alike",
    Indicator(reward(y, x), "<", reward(v, x)),
    "=",
    Indicator(second_reward(y, x), "<", second_reward(v, x)),
    for_all=[y, v, x],
)


S, A = Sort("S"), Sort("A")
state = S.index("s")
action, taken = A.indices("a b")
token_policy = law("π", A, given=[X, S])
completion = law("μ", Y, given=[X, S, A])
offset = function("c", X)
respond = law("π", Y, given=[X], positive=True, depends=True)


def plain_score(response: Index, prompt: Index) -> Term:
    """The score r(x, y)."""
    return reward(response, prompt)


def raised_score(response: Index, prompt: Index) -> Term:
    """The score with c(x) added."""
    return reward(response, prompt) + offset(prompt)


def advantage(rewards) -> Term:  # type: ignore[no-untyped-def]
    """A(s, a) = Q(s, a) − V(s), Q the expected score of the completed response: μ completes it after s and a."""
    value = E(token_policy(taken, x, state), E(completion(v, x, state, taken), rewards(v, x)))
    return E(completion(y, x, state, action), rewards(y, x)) - value


def expected(rewards) -> Term:  # type: ignore[no-untyped-def]
    """J = E_x[E_π[score]]."""
    return E(prompts(x), E(respond(y, x), rewards(y, x)))


def estimate(rewards) -> Term:  # type: ignore[no-untyped-def]
    """∇log π(y∣x) times the score: REINFORCE from one sample, without a baseline."""
    return score(respond(y, x)) * rewards(y, x)


def second_moment(rewards) -> Term:  # type: ignore[no-untyped-def]
    """E[ĝ²]; the mean of ĝ does not change, so that the variance changes as this does."""
    return E(respond(y, x), estimate(rewards) ** 2)


CLAIMS = (
    Claim(
        section="II",
        tag="II.I",
        quote="exp(r_w)/(exp(r_w) + exp(r_l)) = σ(r_w − r_l)",
        reading="For all rewards of the two responses to a prompt.",
        main=Assertion(
            "RM.1",
            "Bradley–Terry is the logistic function of the margin",
            "proved",
            statement(bradley_terry(reward(better, x), reward(worse, x)), "=", sigma(MARGIN)),
        ),
        parts=(
            Assertion(
                "RM.1.law",
                "the two labels of a pair have probabilities that sum to one",
                "proved",
                statement(sigma(MARGIN) + sigma(-MARGIN), "=", 1),
            ),
        ),
    ),
    Claim(
        section="II",
        tag="B II",
        quote="the loss −log σ(r_w − r_l)",
        reading="For a data set of any number of comparisons, each labelled independently: ℓ is its likelihood, L its loss.",
        main=Assertion(
            "RM.2",
            "the sum of −log σ(r_w − r_l) is the negative log-likelihood of the preferences",
            "proved",
            statement(-log(likelihood(d)), "=", losses(d), recursions=[likelihood_law, loss_sum]),
            ByInduction(),
        ),
        parts=(
            Assertion(
                "RM.2.pair",
                "−log σ(r_w − r_l) is that of one preference",
                "proved",
                statement(-log(bradley_terry(reward(better, x), reward(worse, x))), "=", pair_loss(MARGIN)),
            ),
        ),
    ),
    Claim(
        section="II",
        tag="B II",
        quote="invariant to adding a constant to all rewards",
        reading="For every law of comparisons and every c(x), even one that has parameters.",
        main=Assertion(
            "RM.3",
            "adding c(x) to every reward of a prompt does not change the loss",
            "proved",
            statement(SHIFTED, "=", PLAIN),
        ),
        parts=(Assertion("RM.3.gradient", "nor its gradient", "proved", statement(D(SHIFTED), "=", D(PLAIN))),),
    ),
    Claim(
        section="II",
        tag="B II",
        quote="One can verify that this loss forces the reward model",
        reading=(
            "One step of gradient descent, of any size α > 0, on the loss of one pair widens its margin. Main statement: a "
            "linear model r = Σ_i u_i f_i(y) (RM.4.gradient is its gradient)."
        ),
        main=Assertion(
            "RM.4",
            "a gradient step on one pair widens that pair's margin",
            "conditional",
            statement(
                STEPPED_MARGIN,
                ">",
                LINEAR_MARGIN,
                assuming=[assume("some feature of y_w and y_l differs", contrast(c0), "≠", 0)],
            ),
            begin(STEPPED_MARGIN)
            .then("=", LINEAR_MARGIN + Sum(c, alpha * PULL * contrast(c) ** 2), algebra)
            .then(">", LINEAR_MARGIN, strictly(c0)),
        ),
        parts=(
            Assertion(
                "RM.4.falls",
                "the loss falls strictly as the margin grows",
                "proved",
                statement(pair_loss(small), ">", pair_loss(large), standing=[assume("m < m′", small, "<", large)]),
            ),
            Assertion(
                "RM.4.gradient",
                "its loss has the gradient −σ(−m)(f_i(y_w) − f_i(y_l)): along e the derivative is that, times e_i",
                "proved",
                statement(
                    D(pair_loss(Sum(c, moving_weight(c) * contrast(c)))),
                    "=",
                    Sum(c, -sigma(-Sum(c1, moving_weight(c1) * contrast(c1))) * contrast(c) * direction(c)),
                    standing=[assume("θ moves along e", D(moving_weight(c)), "=", direction(c), for_all=[c])],
                ),
            ),
            Assertion(
                "RM.4.table",
                "in a table of rewards, too, a step of any size",
                "conditional",
                statement(
                    after_step(better) - after_step(worse),
                    ">",
                    table(better) - table(worse),
                    assuming=[assume("y_w ≠ y_l", Delta(better, worse), "=", 0)],
                ),
            ),
            Assertion(
                "RM.4.first",
                "in any model the margin's first-order change ∇m·d along the step d = ασ(−m)∇m is positive",
                "conditional",
                statement(
                    Sum(c, slope(c) * (alpha * sigma(-margin) * slope(c))),
                    ">",
                    0,
                    assuming=[assume("∇(r_w − r_l) ≠ 0", slope(c0), "≠", 0)],
                ),
            ),
            Assertion(
                "RM.4.descent",
                "the loss of a margin m has the gradient −σ(−m)∇m",
                "proved",
                statement(D(pair_loss(moving_margin)), "=", -sigma(-moving_margin) * D(moving_margin)),
            ),
            Assertion(
                "RM.4.large",
                "a step of any size widens the margin φ − φ², where its slope 1 − 2φ is not zero",
                "refuted",
                statement(bent(BENT_STEP), ">", bent(phi), standing=[assume("1 − 2φ ≠ 0", 1 - 2 * phi, "≠", 0)]),
            ),
        ),
        believe=(
            "The loss falls as the margin grows. A step on one pair widens that pair's margin if it is small, "
            "and in a table or a linear model whatever its size."
        ),
    ),
    Claim(
        section="II",
        tag="B II",
        quote="this loss forces the model to assign higher rewards to preferred responses",
        reading=(
            "A table of rewards that minimises the loss of a data set ranks each preferred response above the other. The "
            "loss is convex, so a slope of zero is a minimum (RM.5.convex, RM.5.minimum)."
        ),
        main=Assertion(
            "RM.5",
            "a minimiser of the loss gives every preferred response the higher reward",
            "refuted",
            statement(table(better), ">", table(worse), standing=[one_way, no_self, no_slope], definitions=[slope_is]),
            worlds=(_one_label_each_way(),),
        ),
        parts=(
            Assertion(
                "RM.5.convex",
                "the loss of one pair lies above its tangents",
                "proved",
                statement(pair_loss(large), "≥", pair_loss(small) - sigma(-small) * (large - small)),
                ByCalculation((two_outcomes("RM.5.gibbs", small, large),)),
            ),
            Assertion(
                "RM.5.gibbs",
                "Gibbs for two outcomes: p log(p/q) + p′ log(p′/q′) ≥ 0",
                "proved",
                statement(TWO_OUTCOMES, "≥", 0, standing=SUM_TO_ONE),
            ),
            Assertion(
                "RM.5.minimum",
                "a table at which every slope is zero has the least loss of all tables",
                "proved",
                statement(
                    table_loss(other), "≥", table_loss(table), standing=[no_slope], definitions=[slope_is, above_is]
                ),
                begin(table_loss(other))
                .then(
                    "=",
                    table_loss(table) + TOTAL_ABOVE + Sum(u, slopes(u) * (other(u) - table(u))),
                    hypothesis("g"),
                    hypothesis("a"),
                    hypothesis("a"),
                )
                .then("=", table_loss(table) + TOTAL_ABOVE, hypothesis("r minimises the loss: its slope is zero"))
                .then("≥", table_loss(table), lemma("RM.5.above")),
            ),
            Assertion(
                "RM.5.slopes",
                "the slopes are those of the loss: along e its derivative is the sum of the slopes times e",
                "proved",
                statement(
                    D(table_loss(moving_table)),
                    "=",
                    Sum(u, slope_at(u, moving_table) * step(u)),
                    standing=[assume("θ moves along e", D(moving_table(u)), "=", step(u), for_all=[u])],
                ),
            ),
            Assertion(
                "RM.5.tangent",
                "the loss of each comparison at r′ lies above its tangent at r",
                "proved",
                statement(above(better, worse), "≥", 0, definitions=[above_is]),
                ByCalculation(
                    (
                        lemma(
                            "RM.5.convex",
                            {
                                small.function: _constant(table(better) - table(worse)),
                                large.function: _constant(other(better) - other(worse)),
                            },
                        ),
                    )
                ),
            ),
            Assertion(
                "RM.5.row",
                "so does the loss of the comparisons that one response won",
                "proved",
                statement(ROW_ABOVE, "≥", 0, definitions=[above_is]),
                begin(ROW_ABOVE).then("≥", 0, lemma("RM.5.tangent"), pointwise),
            ),
            Assertion(
                "RM.5.above",
                "and that of all of them",
                "proved",
                statement(TOTAL_ABOVE, "≥", 0, definitions=[above_is]),
                begin(TOTAL_ABOVE).then("≥", 0, lemma("RM.5.row"), pointwise),
            ),
            Assertion(
                "RM.5.contradictory",
                "a pair labelled n_w times one way and n_l times the other has exp(margin) = n_w/n_l",
                "proved",
                statement(
                    exp(margin),
                    "=",
                    wins / defeats,
                    standing=[assume("the slope is zero", wins * sigma(-margin), "=", defeats * sigma(margin))],
                ),
            ),
            Assertion(
                "RM.5.two",
                "labels 2:1 give a margin of log 2",
                "proved",
                statement(
                    margin,
                    "=",
                    log(2),
                    standing=[assume("the slope is zero", 2 * sigma(-margin), "=", sigma(margin))],
                ),
            ),
            Assertion(
                "RM.5.cycle",
                "a cycle of preferences 0 ≻ 1 ≻ 2 ≻ 0 gives ties",
                "proved",
                statement(
                    first,
                    "=",
                    second,
                    standing=[assume("no slope in r₀", CYCLE[0], "=", 0), assume("no slope in r₁", CYCLE[1], "=", 0)],
                ),
            ),
            Assertion(
                "RM.5.majority",
                "a response that wins the majority against every other one gets the highest reward",
                "refuted",
                statement(
                    table(better),
                    "≥",
                    table(worse),
                    standing=[best_by_votes, no_self, no_slope],
                    definitions=[slope_is],
                ),
                worlds=(_beats_both_and_comes_second(),),
            ),
            Assertion(
                "RM.5.acyclic",
                "0 beats 1 by 3:2 and 2 by 3:2, 1 beats 2 by 9:1: at the best r₂ the loss falls with r₁ until 1 is above 0",
                "proved",
                statement(
                    MAJORITIES[1],
                    "<",
                    0,
                    standing=[
                        assume("1 is not above 0", first, "≥", second),
                        assume("no slope in r₂", MAJORITIES[2], "=", 0),
                    ],
                ),
                worlds=(world({}, {first: 0, second: 0, third: -2 * log(2)}),),
            ),
            Assertion(
                "RM.5.separable",
                "where one direction d widens every margin, each step along it lowers the loss: there is no minimiser",
                "proved",
                statement(
                    E(samples(k), pair_loss(margins(k) + widening(k))),
                    "<",
                    E(samples(k), pair_loss(margins(k))),
                    standing=[assume("k0 is in the data", samples(k0), ">", 0)],
                ),
                begin(E(samples(k), pair_loss(margins(k) + widening(k)))).then(
                    "<", E(samples(k), pair_loss(margins(k))), lemma("RM.5.wider"), strictly(k0)
                ),
            ),
            Assertion(
                "RM.5.wider",
                "a wider margin has the smaller loss, for each pair",
                "proved",
                statement(pair_loss(margins(k) + widening(k)), "<", pair_loss(margins(k))),
                ByCalculation(
                    (
                        lemma(
                            "RM.4.falls",
                            {
                                small.function: _constant(margins(k)),
                                large.function: _constant(margins(k) + widening(k)),
                            },
                        ),
                    )
                ),
            ),
            Assertion(
                "RM.5.one",
                "one of several costs that are not negative is at most their sum",
                "proved",
                statement(Sum(k, (1 - Delta(k, k0)) ** 2 * cost(k)), "≥", 0),
            ),
        ),
        correction=Assertion(
            "RM.5.corrected",
            "if the summed loss is below log 2, then every pair is ordered",
            "proved",
            statement(
                margins(k0),
                ">",
                0,
                standing=[assume("the summed loss is below log 2", Sum(k, cost(k)), "<", log(2))],
                definitions=[cost_is],
            ),
            ByCalculation((lemma("RM.5.one", at={k0: k0}),)),
        ),
        believe="The loss fits the odds of the labels; it orders every pair only where it gets below log 2 in sum.",
    ),
    Claim(
        section="II",
        tag="B II",
        quote="a learned proxy for human preferences",
        reading=(
            "At one prompt: the most likely model of a class has the true margin of every pair of responses y1, y2, so "
            "that it is r* up to a constant. κ says how often a pair is compared, f how often its first response wins."
        ),
        main=Assertion(
            "RM.6",
            "maximum likelihood recovers the true rewards up to a constant at each prompt",
            "conditional",
            statement(
                models(y1, i) - models(y2, i),
                "=",
                truth(y1) - truth(y2),
                assuming=[follows, contained, joined, population],
                standing=[most_likely],
                definitions=[net_flow_is, error_is],
            ),
            begin(models(y1, i) - models(y2, i))
            .then(
                "=",
                truth(y1) - truth(y2) + Sum(a, (models(a, i) - truth(a)) * net_flow(a)),
                hypothesis(joined.name),
            )
            .then("=", truth(y1) - truth(y2) + Sum(a, STILL), hypothesis("n"), hypothesis("d"))
            .then("=", truth(y1) - truth(y2), lemma("RM.6.still", at={i: i})),
            worlds=_LACKING,
        ),
        parts=(
            Assertion(
                "RM.6.strict",
                "the excess loss of a pair with a wrong margin is positive",
                "proved",
                statement(
                    excess(a0, b0, i),
                    ">",
                    0,
                    standing=[assume("a wrong margin", error(a0, b0, i), "≠", 0)],
                    definitions=[excess_is, error_is],
                ),
                ByCalculation(
                    (
                        lemma(
                            "RM.6.margins",
                            {
                                small.function: _constant(truth(a0) - truth(b0)),
                                large.function: _constant(learned(a0) - learned(b0)),
                            },
                        ),
                    )
                ),
            ),
            Assertion(
                "RM.6.margins",
                "the loss of one pair lies strictly above its tangents, but for the point where they touch",
                "proved",
                statement(
                    pair_loss(large),
                    ">",
                    pair_loss(small) - (1 - sigma(small)) * (large - small),
                    standing=[assume("m ≠ m′", small, "≠", large)],
                ),
                ByCalculation((two_outcomes("RM.6.gibbs", small, large),)),
            ),
            Assertion(
                "RM.6.gibbs",
                "Gibbs for two outcomes is strict: p log(p/q) + p′ log(p′/q′) > 0 for p ≠ q",
                "proved",
                statement(TWO_OUTCOMES, ">", 0, standing=[*SUM_TO_ONE, assume("p ≠ q", p, "≠", q)]),
            ),
            Assertion(
                "RM.6.least",
                "the excess loss of a pair is not negative",
                "proved",
                statement(excess(a, b, i), "≥", 0, definitions=[excess_is, error_is]),
                ByCalculation((lemma("RM.5.tangent", {table: truth, other: learned}, at={better: a, worse: b}),)),
            ),
            Assertion(
                "RM.6.none",
                "nor is that of the pairs that begin with one response",
                "proved",
                statement(Sum(b, pairs(a, b) * excess(a, b, i)), "≥", 0, definitions=[excess_is, error_is]),
                begin(Sum(b, pairs(a, b) * excess(a, b, i))).then("≥", 0, lemma("RM.6.least", at={i: i}), pointwise),
            ),
            Assertion(
                "RM.6.row",
                "the excess loss of the pairs that begin with one response is positive, if one of them is wrong",
                "proved",
                statement(ROW, ">", 0, standing=[wrong], definitions=[excess_is, error_is]),
                begin(ROW).then(
                    ">",
                    0,
                    lemma("RM.6.least", at={i: i}),
                    lemma("RM.6.strict", at={a0: a0, b0: b0, i: i}),
                    strictly(b0),
                ),
            ),
            Assertion(
                "RM.6.worse",
                "a model with the wrong margin at a compared pair has a larger loss than r*",
                "proved",
                statement(POPULATION_LOSS, ">", TRUE_LOSS, standing=[wrong], definitions=[excess_is, error_is]),
                begin(POPULATION_LOSS)
                .then("=", TRUE_LOSS + Sum(a, Sum(b, pairs(a, b) * excess(a, b, i))), hypothesis("e"), logarithms)
                .then(
                    ">",
                    TRUE_LOSS,
                    lemma("RM.6.none", at={i: i}),
                    lemma("RM.6.row", at={a0: a0, b0: b0, i: i}),
                    strictly(a0),
                ),
            ),
            Assertion(
                "RM.6.compared",
                "a model with no larger loss than r* has the true margin at every compared pair",
                "proved",
                statement(pairs(a0, b0) * error(a0, b0, i), "=", 0, standing=[no_worse], definitions=[error_is]),
                ByCalculation((lemma("RM.6.worse", at={a0: a0, b0: b0, i: i}),)),
            ),
            Assertion(
                "RM.6.still",
                "so a flow along compared pairs carries no error out of a response",
                "proved",
                statement(STILL, "=", 0, standing=[no_worse], definitions=[error_is]),
                begin(STILL).then("=", 0, lemma("RM.6.compared", at={i: i}), pointwise),
            ),
        ),
        believe=(
            "Maximum likelihood recovers the rewards up to c(x) only if labels follow Bradley–Terry, the model "
            "can express them, and the comparisons connect all responses of a prompt."
        ),
    ),
    Claim(
        section="II",
        tag="B II",
        quote="it provides the scalar signal needed",
        reading=(
            "A gradient estimate needs a reward that can be differentiated: with a reward that jumps, r = [q(y) > 0], the "
            "score-function estimate, which has only its values, misses ∇J wherever ∇J is not zero."
        ),
        main=Assertion(
            "RM.7",
            "gradient-based methods need a differentiable reward",
            "refuted",
            statement(
                E(arm(u), score(arm(u)) * jump),
                "≠",
                D(E(arm(u), jump)),
                standing=[assume("∇J ≠ 0", D(E(arm(y), Indicator(quality(y), ">", zero))), "≠", 0)],
            ),
        ),
        parts=(
            Assertion(
                "RM.7.jump",
                "for r = [q(y) > 0] the score-function gradient is exact",
                "proved",
                statement(E(arm(u), score(arm(u)) * jump), "=", D(E(arm(u), jump))),
            ),
        ),
        correction=Assertion(
            "RM.7.corrected",
            "for every reward, known by its values alone, E[∇log π · r] = ∇J",
            "proved",
            statement(E(arm(u), score(arm(u)) * pay(u)), "=", D(E(arm(u), pay(u)))),
        ),
        believe="The score-function gradient needs the values of the reward only; it is π that is differentiated.",
    ),
    Claim(
        section="II",
        tag="B II",
        quote="we only need the reward model to correctly rank responses",
        reading="For the policy that follows: two rewards that rank all responses alike have the same π* = π_ref exp(r/β)/z.",
        main=Assertion(
            "RM.8",
            "rewards of the same ranking have the same optimal policy",
            "refuted",
            statement(first_star(y, x), "=", second_star(y, x), standing=[same_ranking], definitions=OPTIMA),
        ),
        parts=(
            Assertion(
                "RM.8.differences",
                "π* gives back every difference of rewards",
                "proved",
                statement(
                    beta * (log(first_star(y, x)) - log(reference(y, x)))
                    - beta * (log(first_star(v, x)) - log(reference(v, x))),
                    "=",
                    reward(y, x) - reward(v, x),
                    definitions=OPTIMA[:1],
                ),
            ),
        ),
        correction=Assertion(
            "RM.8.corrected",
            "rewards of the same differences have the same optimal policy",
            "proved",
            statement(
                first_star(y, x),
                "=",
                second_star(y, x),
                standing=[
                    assume("r′ is r up to c(x)", second_reward(y, x), "=", reward(y, x) + offset(x), for_all=[y, x])
                ],
                definitions=OPTIMA,
            ),
        ),
        believe="Ranking is not enough: the differences of the rewards decide how much better a response is for π*.",
    ),
    Claim(
        section="II",
        tag="B II",
        quote="This will be useful later when we discuss the PPO loss",
        reading="c(x) is added to the score of each response to x: the advantage of a token a after a prefix s stays.",
        main=Assertion(
            "RM.9",
            "a constant in the score changes no advantage",
            "proved",
            statement(advantage(raised_score), "=", advantage(plain_score)),
        ),
        parts=(
            Assertion(
                "RM.9.gradient",
                "nor the gradient ∇J",
                "proved",
                statement(D(expected(raised_score)), "=", D(expected(plain_score))),
            ),
            Assertion(
                "RM.9.optimum",
                "nor π*",
                "proved",
                statement(
                    reference(y, x)
                    * exp(raised_score(y, x) / beta)
                    / Sum(w, reference(w, x) * exp(raised_score(w, x) / beta)),
                    "=",
                    optimal(y),
                ),
            ),
            Assertion(
                "RM.9.sample",
                "nor the estimate from one sample without a baseline",
                "refuted",
                statement(estimate(raised_score), "=", estimate(plain_score)),
            ),
            Assertion(
                "RM.9.mean",
                "its mean does not change",
                "proved",
                statement(E(respond(y, x), estimate(raised_score)), "=", E(respond(y, x), estimate(plain_score))),
            ),
            Assertion(
                "RM.9.variance",
                "nor does its variance",
                "refuted",
                statement(second_moment(raised_score), "=", second_moment(plain_score)),
            ),
        ),
    ),
)

__all__ = ["CLAIMS"]
