"""The one table of symbols: what each means here, what sort and domain it has, and where the sources clash.

Source A is the note on PPO, source B the derivation of the PPO loss; a roman number is B's section or equation.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from difflib import get_close_matches

from derivations.checker.errors import BadInput


@dataclass(frozen=True)
class Symbol:
    """A symbol as it is written here; `clash`: where a source means another thing by it, or writes it otherwise."""

    name: str
    latex: str
    sort: str
    domain: str
    meaning: str
    source: str
    clash: str = ""


SYMBOLS = (
    # --- prompts, responses, states, actions ---
    Symbol("x", "x", "index over X", "X, finite or countable", "a prompt", "A; B II"),
    Symbol(
        "y",
        "y",
        "index over Y",
        "Y, finite or countable",
        "a response: the tokens y_0, y_1, … up to its end",
        "A; B II",
    ),
    Symbol("y_w", "y_w", "index over Y", "Y", "the preferred response of a pair", "B II.I"),
    Symbol("y_l", "y_l", "index over Y", "Y", "the other response of a pair", "B II.I"),
    Symbol(
        "s", "s", "index over S", "S, finite", "a state; for a language model the prompt and the tokens so far", "B I"
    ),
    Symbol("a", "a", "index over A", "A, finite", "an action; for a language model the next token", "B I"),
    Symbol(
        "h",
        "h",
        "index over the histories H_t",
        "H_0 = {∅}, H_(t+1) = H_t × S × A",
        "a history: the states and actions before the state of step t",
        "beyond",
        clash="The histories H_t carry an index; H without one is the entropy.",
    ),
    Symbol(
        "τ",
        r"\tau",
        "index over the longest histories",
        "s_0, a_0, …, s_T, a_T",
        "a trajectory: a history up to the last step",
        "B III",
        clash="B lists the rewards in τ as well; here they are functions of its states and actions.",
    ),
    Symbol("t", "t", "number", "0, 1, …, T", "a step", "B III"),
    Symbol(
        "T",
        "T",
        "number",
        "0, 1, 2, …",
        "the last step, so that a trajectory has T + 1 actions",
        "B III.I",
        clash="Where responses are counted, as in V^T, T is the number of tokens instead.",
    ),
    Symbol("N", "N", "number", "1, 2, 3, …", "how many trajectories a batch has", "B IV.V"),
    # --- rewards and returns ---
    Symbol(
        "r",
        "r",
        "function of (s, a), or (h, s, a), or (y, x)",
        "ℝ, bounded",
        "the reward of an action, or the score of a response",
        "A; B I",
        clash=(
            "B writes r for three things: the reward, the reward model and the probability ratio. Here r is the reward "
            "only; the model is r_φ, the ratio is called ratio."
        ),
    ),
    Symbol(
        "r_t",
        "r_t",
        "function of (s_t, a_t)",
        "ℝ, bounded",
        "the reward at step t: r(s_t, a_t)",
        "B III",
        clash="B's r_t(θ), from VI.II on, is no reward but a ratio of probabilities; here it is called ratio.",
    ),
    Symbol(
        "r_φ",
        r"r_\varphi",
        "function of (x, y)",
        "ℝ",
        "the reward model, with parameters φ",
        "B II.II",
        clash="B also writes r and r_RM for it.",
    ),
    Symbol(
        "G",
        "G",
        "function of τ",
        "ℝ",
        "the return: Σ_t γᵗ r_t; G_t is the one from step t on, G_t = r_t + γ G_(t+1)",
        "B III.II",
        clash="B writes R(τ).",
    ),
    Symbol(
        "R̂",
        r"\hat{R}",
        "function of τ and t",
        "ℝ",
        "the reward-to-go: R̂_t = Σ_(k≥t) γ^(k−t) r_k, the same as G_t",
        "B V.I",
        clash="B prints it without γ in V.I, and with γ^k for γ^(k−t) in V.V, which is γᵗ times as much (AD.12).",
    ),
    Symbol(
        "γ", r"\gamma", "parameter", "[0, 1]", "the discount factor; γ < 1 where the horizon is infinite", "B III.II"
    ),
    # --- laws and policies ---
    Symbol(
        "ρ",
        r"\rho",
        "law over S",
        "simplex; free of θ",
        "the law of the first state",
        "B III.I",
        clash="B writes ρ_0. The ρ of the KL estimators is another thing: π_ref/π, written out here.",
    ),
    Symbol(
        "P",
        "P",
        "law over S, given h, or (s, a)",
        "simplex; free of θ",
        "the dynamics: P(s′∣s, a), or P(s∣h) after any history; after the empty one that is ρ(s)",
        "B III.I",
        clash=(
            "B also writes P for the law of a trajectory, here p(τ), and for the probability of a preference (II.I); "
            "A for the law of the prompts, here P(x), which appears only where there are no dynamics."
        ),
    ),
    Symbol(
        "p",
        "p",
        "law over a set",
        "simplex",
        "any law, such as that of a trajectory: p(τ) = ρ(s_0) Π_t π(a_t∣s_t) P(s_(t+1)∣s_t, a_t)",
        "B III.I, VI.I",
        clash="B writes P(τ∣θ) for the law of a trajectory.",
    ),
    Symbol(
        "q", "q", "law over a set", "simplex", "another law: the one that samples, or the second in D(p‖q)", "B VI.I"
    ),
    Symbol("π", r"\pi", "law over A given s, or (h, s); over Y given x", "simplex", "a policy", "A; B I"),
    Symbol(
        "π_θ",
        r"\pi_\theta",
        "law over A given s; moves with θ",
        "simplex, positive",
        "the policy with parameters θ: the one that is trained",
        "B IV.I",
        clash="Where no other policy is near, it is written π here.",
    ),
    Symbol(
        "π_old",
        r"\pi_{\mathrm{old}}",
        "law over A given s; free of θ",
        "simplex, positive",
        "the policy that the samples come from: π_θ at θ_old",
        "B VI",
        clash="B once speaks of the ratio to the reference policy; it is the ratio to π_old (PPO.11).",
    ),
    Symbol(
        "π_ref",
        r"\pi_{\mathrm{ref}}",
        "law over A given s, or Y given x; free of θ",
        "simplex, positive",
        "the reference policy, to which the KL penalty ties π_θ; it stays as it was before training",
        "A; B IX.I",
    ),
    Symbol(
        "π*",
        r"\pi^{*}",
        "law over Y given x",
        "simplex",
        "the best policy of the KL-regularised objective: π*(y∣x) = π_ref(y∣x) exp(r(x, y)/β) / z(x)",
        "A",
        clash="It is not the maximiser of the reward alone, nor that of the clipped objective (OP.15).",
    ),
    Symbol("z", "z", "function of x", "(0, ∞)", "what normalises π*: z(x) = Σ_y π_ref(y∣x) exp(r(x, y)/β)", "A"),
    Symbol(
        "ratio",
        r"\mathrm{ratio}",
        "function of (s, a); moves with θ",
        "[0, ∞)",
        "the probability ratio π_θ(a∣s) / π_old(a∣s); 1 at θ_old",
        "B VI.II",
        clash="B writes r_t(θ), which is also its letter for the reward.",
    ),
    # --- objectives ---
    Symbol(
        "J",
        "J",
        "function of the policy",
        "ℝ",
        "the objective: the expected return E[G(τ)], and where there is a KL penalty (A, IX) less β times it",
        "B IV.I; A",
        clash="The TRPO paper writes η for the expected return.",
    ),
    Symbol(
        "η",
        r"\eta",
        "function of the policy",
        "ℝ",
        "the expected return, without any penalty",
        "B VII",
        clash="B writes J.",
    ),
    Symbol("L_CPI", r"L_{\mathrm{CPI}}", "function of θ", "ℝ", "the surrogate E_old[ratio · Â]", "B VI.III"),
    Symbol(
        "L_CLIP",
        r"L_{\mathrm{CLIP}}",
        "function of θ",
        "ℝ",
        "the clipped surrogate E_old[min(ratio · Â, clip(ratio, 1−ε, 1+ε) · Â)]; it is maximised",
        "B VIII.I",
    ),
    Symbol(
        "L_VF",
        r"L_{\mathrm{VF}}",
        "function of φ",
        "[0, ∞)",
        "the value loss (V(s) − target)²; it is minimised",
        "B VIII.II",
    ),
    Symbol("c_1", "c_1", "parameter", "[0, ∞)", "the weight of the value loss", "B VIII.II"),
    Symbol("c_2", "c_2", "parameter", "[0, ∞)", "the weight of the entropy bonus", "B VIII.II"),
    Symbol(
        "β",
        r"\beta",
        "parameter",
        "(0, ∞)",
        "the coefficient of the KL penalty D(π‖π_ref)",
        "A; B IX.I",
        clash=(
            "B uses β twice, with the arguments of the KL in opposite orders: in IX it weighs D(π_θ‖π_ref), and that "
            "is our β; in VII.II it weighs TRPO's D(π_old‖π_θ), and that we call β_TRPO."
        ),
    ),
    Symbol(
        "β_TRPO",
        r"\beta_{\mathrm{TRPO}}",
        "parameter",
        "(0, ∞)",
        "the coefficient of TRPO's penalty D(π_old‖π_θ)",
        "B VII.II",
        clash="B writes β, as it does for the penalty of IX. In TP.8 it is the c of the penalty form.",
    ),
    Symbol("ε", r"\varepsilon", "parameter", "(0, 1)", "the clip range: ratios count within [1−ε, 1+ε]", "B VIII.I"),
    # --- values and advantages ---
    Symbol(
        "V",
        "V",
        "function of s",
        "ℝ",
        "the value of a state: V^π(s) = E[Σ_t γᵗ r_t ∣ s_0 = s]",
        "B V",
        clash="B's learned value has parameters φ in V and θ in VIII; here always φ, V_φ. In V^T it is the vocabulary.",
    ),
    Symbol(
        "V_φ",
        r"V_\varphi",
        "function of s",
        "ℝ",
        "the learned value, with parameters φ of its own",
        "B V.V",
        clash="B writes V_θ in VIII.II, as if it shared the policy's parameters; whether it does matters (PPO.16).",
    ),
    Symbol("Q", "Q", "function of (s, a)", "ℝ", "the value of an action: Q(s, a) = r(s, a) + γ E[V(s′)]", "B V"),
    Symbol(
        "A",
        "A",
        "function of (s, a)",
        "ℝ",
        "the advantage: A(s, a) = Q(s, a) − V(s)",
        "B V.III",
        clash="The set of actions is A too; it is only ever written behind ∈, ∣·∣ or ×.",
    ),
    Symbol(
        "Â", r"\hat{A}", "function of τ and t", "ℝ", "an estimate of the advantage, such as R̂_t − V_φ(s_t)", "B V.V"
    ),
    Symbol("b", "b", "function of s", "ℝ", "a baseline", "B V.II"),
    Symbol(
        "δ",
        r"\delta",
        "function of τ and t",
        "ℝ",
        "the temporal-difference error: δ_t = r_t + γ V(s_(t+1)) − V(s_t)",
        "the GAE paper, cited in B V",
        clash="B's δ in VII.I is the bound that TRPO sets on the KL; here it is called δ_KL.",
    ),
    Symbol(
        "δ_KL",
        r"\delta_{\mathrm{KL}}",
        "parameter",
        "(0, ∞)",
        "TRPO's bound on the KL from π_old to π_θ",
        "B VII.I",
        clash="B writes δ, our letter for the temporal-difference error.",
    ),
    Symbol(
        "λ",
        r"\lambda",
        "parameter",
        "[0, 1]",
        "the weight of the next step in GAE: Â_t = Σ_l (γλ)^l δ_(t+l)",
        "the GAE paper, cited in B V",
    ),
    # --- parameters and gradients ---
    Symbol("θ", r"\theta", "parameters", "ℝ^d", "the parameters of the policy; θ_old are those that sampled", "B IV.I"),
    Symbol(
        "φ",
        r"\varphi",
        "parameters",
        "ℝ^d",
        "the parameters of a learned value or of a reward model",
        "B II.II, V.V",
        clash="B's reward model and its value each have a φ; they are not the same numbers.",
    ),
    Symbol("α", r"\alpha", "parameter", "(0, ∞)", "the step size of gradient ascent", "B IV.II"),
    Symbol(
        "∇",
        r"\nabla_\theta",
        "operator",
        "terms",
        "the derivative in θ; what holds along every direction holds for the gradient",
        "B IV.II",
        clash="In Python it is D(…); D(p‖q) with two laws is the KL divergence, kl(p, q, …) in Python.",
    ),
    Symbol(
        "g",
        "g",
        "function of (s, a)",
        "ℝ^d",
        "the score: ∇log π_θ(a∣s)",
        "B IV.IV",
        clash="In TRPO's step (TP.7 to TP.10) g is the gradient of the surrogate.",
    ),
    Symbol("ĝ", r"\hat{g}", "function of the samples", "ℝ^d", "an estimate of the gradient ∇J", "B IV.V"),
    Symbol("F", "F", "matrix", "d × d, positive semidefinite", "the Fisher matrix E[g gᵀ]", "B VII"),
    # --- functions ---
    Symbol(
        "σ",
        r"\sigma",
        "function of a number",
        "(0, 1)",
        "the logistic function 1/(1 + exp(−u)); never a standard deviation here",
        "B II.I",
    ),
    Symbol(
        "D(p‖q)",
        r"D(p\,\|\,q)",
        "function of two laws",
        "[0, ∞]",
        "the Kullback–Leibler divergence Σ p log(p/q); no distance: D(p‖q) and D(q‖p) differ",
        "A; B VII.I, IX.I",
        clash="A and B write D_KL. Mind the order: VII has D(π_old‖π_θ), IX has D(π_θ‖π_ref).",
    ),
    Symbol(
        "H",
        "H",
        "function of a law",
        "[0, log n]",
        "the entropy −Σ_a π(a∣s) log π(a∣s), for n actions",
        "B VIII.II",
        clash="B writes S[π_θ]; S is the set of states here. H_t, with an index, are the histories.",
    ),
    Symbol(
        "d̂_t",
        r"\hat{d}_t",
        "function of (s_t, a_t)",
        "ℝ",
        "the sampled log-ratio log(π_θ(a_t∣s_t) / π_ref(a_t∣s_t)), one term of the KL",
        "B IX.I",
        clash="It is the estimator k1; its mean is the KL only when a_t is drawn from π_θ (KL.1).",
    ),
)

# What the sources, or a keyboard, write for a symbol of ours.
OTHER_SPELLINGS = {
    "KL": "D(p‖q)",
    "D_KL": "D(p‖q)",
    "D": "D(p‖q)",
    "R": "G",
    "R(τ)": "G",
    "S[π]": "H",
    "S[π_θ]": "H",
    "ρ_0": "ρ",
    "r_t(θ)": "ratio",
    "r_RM": "r_φ",
    "V_θ": "V_φ",
    "V^π": "V",
    "Q^π": "Q",
    "A^π": "A",
    "p(τ)": "p",
    "z(x)": "z",
    "score": "g",
    "grad": "∇",
    "eps": "ε",
}

_LETTERS = "αβγδεϵζηθϑικλμνξπρστυφϕχψω"
_SPELLED = (
    "alpha beta gamma delta epsilon epsilon zeta eta theta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon "
    "phi phi chi psi omega"
)
_GREEK = dict(zip(_LETTERS, _SPELLED.split(), strict=True))
_ASCII = {**_GREEK, "\u0302": "_hat", "∇": "nabla", "‖": "||", "∣": "|"}


def ascii_spelling(name: str) -> str:
    """A name as a keyboard without Greek letters writes it: π_ref as pi_ref, R̂ as R_hat."""
    return "".join(_ASCII.get(c, c) for c in unicodedata.normalize("NFD", name))


def lookup(given: str) -> Symbol:
    """The symbol of a name, of an ASCII spelling (pi_ref, pi*, R_hat), of its LaTeX, or of a source's spelling."""
    named = {_key(symbol.name): symbol for symbol in SYMBOLS}
    spelled = {_key(symbol.latex): symbol for symbol in SYMBOLS}
    other = {_key(spelling): named[_key(name)] for spelling, name in OTHER_SPELLINGS.items()}
    known = {**spelled, **other, **named}
    if _key(given) in known:
        return known[_key(given)]
    raise BadInput(f"symbol {given!r} is not known{_nearest(given)}")


_LATEX = {r"\mathrm": "", r"\varepsilon": "epsilon", r"\varphi": "phi", r"\,": ""}


def _key(given: str) -> str:
    """A spelling without what writers differ in: π_old, pi_old, \\pi_{\\mathrm{old}} and pi old are one."""
    spelled = ascii_spelling(given)
    for command, meant in _LATEX.items():
        spelled = spelled.replace(command, meant)
    return "".join(c for c in spelled if not (c in r"\{}_^" or c.isspace()))


def _nearest(given: str) -> str:
    spellings = {symbol.name: symbol.name for symbol in SYMBOLS}
    spellings |= {ascii_spelling(symbol.name).lower(): symbol.name for symbol in SYMBOLS}
    close = get_close_matches(ascii_spelling(given).lower(), list(spellings), n=5, cutoff=0.5)
    names = list(dict.fromkeys(spellings[spelling] for spelling in close))
    return f"; did you mean {', '.join(names)}?" if names else "; `derivations notation` lists them all"


__all__ = ["OTHER_SPELLINGS", "SYMBOLS", "Symbol", "ascii_spelling", "lookup"]
