"""A function is right, or behaves like a bug of the zoo, or differs on a batch that is shown.

It is tried on small batches made by hand and on random ones, in float64, value and gradient. Right is said only of a
function that agrees with the right one on every batch on which it could be tried, under one set of conventions; a bug is
named only where the function agrees with the buggy one on every batch. Conventions that were not given are guessed, and
the message says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, product
from typing import Any, TypeVar

import torch

from derivations.algorithms.bugs import BUGS, Function
from derivations.algorithms.losses import AGGREGATIONS
from derivations.diagnose.arguments import TYPICAL, Call, ways
from derivations.diagnose.batches import Batch
from derivations.diagnose.observing import Failure, Observed, Outcome, agree, observed, prepared, reference
from derivations.diagnose.sampler import diagnose_sampler
from derivations.diagnose.shrinking import smaller
from derivations.diagnose.subjects import EACH, SUBJECTS, TOTAL, Subject
from derivations.diagnose.telling import shown
from toy_envs.errors import BadInput

MOST_WAYS = 600  # to call a function whose arguments are not known by their names
MOST_WITH_BUGS = 48  # of them, in which it is looked for in the zoo
T = TypeVar("T")
SAID = ("arguments", "sign", "aggregation", "scale", "correction", "time_major", "detached_by", *TYPICAL)


@dataclass(frozen=True)
class Diagnosis:
    """What was found of a function.

    `right`; `bug`, the name in the zoo of what it behaves like, or None; `message`, a few sentences; `conventions`, those
    under which it was compared, given or guessed; where it is not right, `batch`, the smallest on which it differs, with
    what was `found` and what was `expected` there. `print` shows all of it.
    """

    like: str
    right: bool
    bug: str | None
    message: str
    conventions: Mapping[str, Any] = field(default_factory=dict)
    batch: Mapping[str, Any] | None = None
    found: Outcome | Failure | None = None
    expected: Outcome | Failure | None = None

    def __str__(self) -> str:
        return shown(self.message, self.batch, self.found, self.expected)


@dataclass(frozen=True)
class Convention:
    """How a function may differ from the right one and be right."""

    aggregation: str
    sign: str = "minimised"
    scale: float = 1.0
    correction: int = 0
    differentiated: bool = True

    def applied(self, outcome: Observed, inputs: Mapping[str, Any]) -> Observed:
        """What a function says under this convention; the aggregation is in it already."""
        if isinstance(outcome, Failure):
            return outcome
        factor = self.scale * (-1 if self.sign == "maximised" else 1)
        if self.correction:
            count = int(inputs["mask"].sum())
            factor *= ((count - self.correction) / count) ** 0.5
        return outcome.scaled(factor)


def diagnose(function: Callable[..., Any], like: str, **conventions: Any) -> Diagnosis:
    """Tries a function against the right one of this name and against the bug zoo.

    Parameters: `function`, of torch tensors: it may return a tensor, or one as the loss in a tuple or a mapping; `like`, a
    key of SUBJECTS, or "sample", whose function takes (policy, mdp, episodes, generator) and has no conventions. Values
    and gradients agree where they differ by at most 1e-5 of their size. What of `conventions` is not given is guessed:
    `arguments`: the names of the arguments here, in the order of the function's parameters, or a mapping from parameters;
    `sign`: "minimised" or "maximised"; `aggregation`: one of those of losses.py, "total", or "each" for a number a step;
    `scale`: a factor, such as ½ before a squared error; `correction`: 1 where a deviation divides by the number less one;
    `time_major`: whether tensors are [time, batch]; `detached_by="caller"`: advantages and targets come without a
    gradient; `epsilon`, `gamma`, `lam`, `beta`, `clip`: what the function has inside, where it has no such argument.

    Raises BadInput where `like` or a convention is not known, or a parameter of the function can be nothing that is.
    The generators of torch are left as they were.
    """
    if like != "sample" and like not in SUBJECTS:
        raise BadInput(f"like is {like!r}; expected one of {', '.join((*SUBJECTS, 'sample'))}")
    for name in conventions:
        if name not in SAID or like == "sample":
            expected = "none for a sampler" if like == "sample" else f"one of {', '.join(SAID)}"
            raise BadInput(f"convention {name!r} is not known; expected {expected}")
    with torch.random.fork_rng():
        if like == "sample":
            return Diagnosis("sample", *diagnose_sampler(function))
        return _Examination(function, SUBJECTS[like], conventions).result()


class _Trial:
    """One way to call the function, on the batches on which it can be called so; asked lazily, each batch once."""

    def __init__(self, call: Call, subject: Subject, fixed: Mapping[str, Any]) -> None:
        self.call, self.subject, self.fixed = call, subject, fixed
        usable = [batch for batch in subject.batches() if _usable(batch, call.given, subject, fixed)]
        asked = AGGREGATIONS if "aggregation" in call.given else (None,)
        self.batches = [(batch, aggregation) for batch in usable for aggregation in asked]
        self._found: dict[int, Observed] = {}
        self._expected: dict[tuple[Function, str, int], Observed] = {}

    def inputs(self, k: int) -> dict[str, Any]:
        """The arguments of a batch."""
        batch, aggregation = self.batches[k]
        return prepared(batch, self.fixed) | ({} if aggregation is None else {"aggregation": aggregation})

    def found(self, k: int) -> Observed:
        """What the function says of a batch."""
        if k not in self._found:
            self._found[k] = observed(self.call, self.subject, self.inputs(k))
        return self._found[k]

    def expected(self, k: int, function: Function, convention: Convention) -> Observed:
        """What another function says of it under a convention."""
        aggregation = self.batches[k][1] or convention.aggregation
        key = (function, aggregation, k)
        if key not in self._expected:
            self._expected[key] = reference(function, self.subject, self.inputs(k), aggregation)
        return convention.applied(self._expected[key], self.inputs(k))

    def agrees(self, k: int, function: Function, convention: Convention, slack: bool = False) -> bool:
        """Whether the function says of a batch what the other does."""
        batch, found = self.batches[k][0], self.found(k)
        if isinstance(found, Failure) or (found.value.dim() == 0) == (convention.aggregation == EACH):
            return False
        if not convention.differentiated and found.differentiable:
            return False
        atol = batch.slack if slack and batch.strict else None
        return agree(found, self.expected(k, function, convention), batch, atol, convention.differentiated)

    def all_agree(self, function: Function, convention: Convention) -> bool:
        """Whether it does of every batch."""
        return bool(self.batches) and all(self.agrees(k, function, convention) for k in range(len(self.batches)))

    def behaves_like(self, function: Function, convention: Convention) -> bool:
        """Whether it says of every batch what a buggy function does, and that is not what the right one says.

        Where it differs from the right one in ordinary batches, the strict ones need not agree.
        """
        everything = range(len(self.batches))
        ordinary = [k for k in everything if not self.batches[k][0].strict]
        if not ordinary or not all(self.agrees(k, function, convention) for k in ordinary):
            return False
        right = self.subject.right
        if not all(self.agrees(k, right, convention) for k in ordinary):
            return True
        strict = [k for k in everything if self.batches[k][0].strict]
        return bool(strict) and all(self.agrees(k, function, convention, slack=True) for k in strict)

    def first_difference(self, convention: Convention) -> int | None:
        """The first batch on which it does not say what the right function says."""
        right = self.subject.right
        return next((k for k in range(len(self.batches)) if not self.agrees(k, right, convention)), None)


@dataclass(frozen=True)
class _Match:
    """A trial and a convention under which it was compared."""

    trial: _Trial
    convention: Convention


class _Examination:
    """Of one function: the trials in the order of their likelihood, made when they are asked for."""

    def __init__(self, function: Callable[..., Any], subject: Subject, said: Mapping[str, Any]) -> None:
        self.function, self.subject, self.said = function, subject, said
        self._trials: list[_Trial] = []
        self._more = self._made()

    def result(self) -> Diagnosis:
        """The answer."""
        unsteady = self._unsteady()
        if unsteady is not None:
            return unsteady
        for _, match in self._matches(_Trial.all_agree, [(None, self.subject.right)], self._conventions()):
            return self._right(match)
        forms = [(bug, form) for bug in BUGS for form in bug.forms(self.subject.like)]
        for bug, match in self._matches(_Trial.behaves_like, forms, self._conventions(), MOST_WITH_BUGS):
            k = match.trial.first_difference(match.convention)
            message = f"{self._name()} behaves like the bug {bug.name}. {bug.does}"
            return self._about(match, k, bug.name, message + self._hint())
        return self._different()

    # --- trials and conventions -----------------------------------------------------------------------------------------

    def _made(self) -> Iterator[_Trial]:
        majors = [self.said["time_major"]] if "time_major" in self.said else [False, True]
        for call in ways(self.function, self.subject, self.said.get("arguments")):
            missing = [name for name in TYPICAL if name in self.subject.inputs and name not in call.given]
            choices = [(self.said[name],) if name in self.said else TYPICAL[name] for name in missing]
            for values in product(*choices):
                for major in majors:
                    for numbers in (False, True):
                        shaped = replace(call, time_major=major, float_flags=numbers)
                        yield _Trial(shaped, self.subject, dict(zip(missing, values, strict=True)))

    def _all(self) -> Iterator[_Trial]:
        """The trials, those first that were made before; flags become numbers only where the function wants them so."""
        k = 0
        while k < MOST_WAYS:
            if k == len(self._trials):
                trial = next(self._more, None)
                if trial is None:
                    return
                self._trials.append(trial)
            trial = self._trials[k]
            k += 1
            if trial.call.float_flags and self._speaks(self._trials[k - 2]):
                continue
            yield trial

    @staticmethod
    def _speaks(trial: _Trial) -> bool:
        """Whether it gives results: where flags are wanted as numbers, the first batches tell."""
        return bool(trial.batches) and all(
            isinstance(trial.found(k), Outcome) for k in range(min(3, len(trial.batches)))
        )

    def _conventions(self, widely: bool = False) -> list[Convention]:
        """The conventions that may be meant; `widely`: also those that are not guessed and those that were not given."""
        subject, said = self.subject, {} if widely else self.said
        known = subject.aggregations
        if widely and known[0] in AGGREGATIONS:
            known = (*AGGREGATIONS, TOTAL)
        for name, options in (("sign", ("minimised", "maximised")), ("correction", (0, 1))):
            if name in said and said[name] not in options:
                raise BadInput(f"{name} is {said[name]!r}; expected one of {', '.join(map(repr, options))}")
        every = (*AGGREGATIONS, TOTAL, EACH, "pair_mean")
        if "aggregation" in said and said["aggregation"] not in every:
            raise BadInput(f"aggregation is {said['aggregation']!r}; expected one of {', '.join(every)}")
        scales = (*subject.scales, 0.5, 2.0) if widely else subject.scales
        made = product(
            (True,) if subject.is_loss or not subject.leaves else (True, False),
            (said["scale"],) if "scale" in said else dict.fromkeys(scales),
            (said["correction"],) if "correction" in said else subject.corrections,
            (said["sign"],) if "sign" in said else (("minimised", "maximised") if widely else subject.signs),
            (said["aggregation"],) if "aggregation" in said else known,
        )
        return [Convention(how, sign, scale, correction, moved) for moved, scale, correction, sign, how in made]

    def _matches(
        self,
        test: Callable[[_Trial, Function, Convention], bool],
        functions: Sequence[tuple[T, Function]],
        conventions: Sequence[Convention],
        most: int | None = None,
    ) -> Iterator[tuple[T, _Match]]:
        for trial in islice(self._all(), most):
            for convention in conventions:
                for bug, function in functions:
                    if test(trial, function, convention):
                        yield bug, _Match(trial, convention)

    # --- answers ----------------------------------------------------------------------------------------------------------

    def _name(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)

    def _unsteady(self) -> Diagnosis | None:
        """The answer where the same batch gives two results."""
        for trial in islice(self._all(), 2):
            for k in range(len(trial.batches)):
                first, again = trial.found(k), observed(trial.call, self.subject, trial.inputs(k))
                same = isinstance(first, Failure) or isinstance(again, Failure) or torch.equal(first.value, again.value)
                if same or (isinstance(first, Outcome) and first.value.isnan().any()):
                    continue
                bug = "score_with_dropout" if self.subject.like in ("score", "token_logp") else None
                message = f"{self._name()} is not right: it says two things of one batch" + (
                    f", as the bug {bug} does: dropout is on while scoring." if bug else "; something in it is random."
                )
                return Diagnosis(self.subject.like, False, bug, message, {}, trial.inputs(k), again, first)
        return None

    def _right(self, match: _Match) -> Diagnosis:
        leaks = self._leaks(match.trial, self.subject.constants)
        if leaks and self.said.get("detached_by") != "caller":
            k, names = leaks
            bug = "targets_not_detached" if "targets" in names else "advantages_not_detached"
            message = (
                f"{self._name()} behaves like the bug {bug}: a gradient passes to {', '.join(names)}. In all else it is "
                f"right; where the caller detaches them, say detached_by='caller'."
            )
            return self._about(match, k, bug, message)
        count = len(match.trial.batches)
        message = f"{self._name()} is right: it agrees with {self.subject.like} on {count} batches, in value"
        message += " and gradient." if self.subject.leaves and match.convention.differentiated else "."
        if not match.convention.differentiated:
            message += " No gradient leaves it: in a loss it would do nothing."
        past = self._leaks(match.trial, self.subject.past)
        if past and self.said.get("detached_by") != "caller":
            message += f" A gradient passes to {', '.join(past[1])}: they must come without one."
        return Diagnosis(self.subject.like, True, None, message + self._guesses(match), self._told(match))

    def _different(self) -> Diagnosis:
        """The answer where nothing is known that behaves like it: the smallest batch on which it differs."""
        trials = [trial for trial in islice(self._all(), 8) if trial.batches]
        if not trials:
            raise BadInput(
                f"{self._name()} lacks arguments without which there is no batch for it; "
                f"expected {', '.join(self.subject.inputs)}"
            )
        best = max(
            (_Match(trial, convention) for trial in trials for convention in self._conventions()),
            key=lambda match: (
                sum(
                    match.trial.agrees(k, self.subject.right, match.convention) for k in range(len(match.trial.batches))
                )
                + sum(isinstance(match.trial.found(k), Outcome) for k in range(len(match.trial.batches)))
            ),
        )
        total = len(best.trial.batches)
        k = best.trial.first_difference(best.convention) or 0
        found = best.trial.found(k)
        agreeing = sum(best.trial.agrees(j, self.subject.right, best.convention) for j in range(total))
        if isinstance(found, Failure):
            what = f"it {found.words}"
        elif not found.finite:
            what = "value or gradient is not a number"
        else:
            what = self._what(found, best.trial.expected(k, self.subject.right, best.convention))
        message = (
            f"{self._name()} is not right, and behaves like no bug of the zoo: {what}. It agrees with {self.subject.like} "
            f"on {agreeing} of {total} batches."
        )
        for name in best.trial.fixed:
            if name not in self.said:
                tried = ", ".join(map(str, TYPICAL[name]))
                message += f" It takes no {name}: {tried} were tried; say {name}=… for another."
        return self._about(best, k, None, message + self._hint())

    def _about(self, match: _Match, k: int | None, bug: str | None, message: str) -> Diagnosis:
        """A diagnosis with the batch `k`, made smaller as long as the function differs there."""
        message += self._guesses(match)
        told = self._told(match)
        if k is None:
            return Diagnosis(self.subject.like, False, bug, message, told)
        trial, (batch, aggregation) = match.trial, match.trial.batches[k]

        def both(inputs: Mapping[str, Any]) -> tuple[Observed, Observed]:
            how = aggregation or match.convention.aggregation
            expected = reference(self.subject.right, self.subject, inputs, how)
            return observed(trial.call, self.subject, inputs), match.convention.applied(expected, inputs)

        def differs(inputs: Mapping[str, Any]) -> bool:
            found, expected = both(inputs)
            same_kind = isinstance(found, Outcome) == isinstance(trial.found(k), Outcome)
            if isinstance(expected, Failure) or not same_kind:
                return False
            return not agree(found, expected, batch, None, match.convention.differentiated)

        inputs: Mapping[str, Any] = trial.inputs(k)
        if not trial.agrees(k, self.subject.right, match.convention):
            inputs = smaller(inputs, differs)
        given = {name: inputs[name] for name in inputs if name in trial.call.given}
        found, expected = both(inputs)
        return Diagnosis(self.subject.like, False, bug, message, told, given, found, expected)

    @staticmethod
    def _what(found: Outcome, expected: Observed) -> str:
        if isinstance(expected, Failure):
            return "the batch is refused by the right function"
        if found.value.shape != expected.value.shape:
            return f"it returns {list(found.value.shape)}; expected {list(expected.value.shape)}"
        if not torch.allclose(found.value.double(), expected.value.double(), rtol=1e-5, atol=1e-7):
            return "its value differs"
        if not found.differentiable:
            return "its value is right, and no gradient leaves it"
        return "its value is right, and its gradient differs"

    @staticmethod
    def _leaks(trial: _Trial, names: Sequence[str]) -> tuple[int, list[str]] | None:
        """The first batch in which a gradient passes to one of these arguments, and to which."""
        for k in range(len(trial.batches)):
            found = trial.found(k)
            passed = [name for name in names if isinstance(found, Outcome) and name in found.leaks]
            if passed:
                return k, passed
        return None

    def _hint(self) -> str:
        """What would have to be said for the function to be right."""
        usual = set(self._conventions())
        for trial in islice(self._all(), 2):
            for convention in self._conventions(widely=True):
                if convention not in usual and trial.all_agree(self.subject.right, convention):
                    told = {**_spoken(convention), **({"time_major": True} if trial.call.time_major else {})}
                    words = ", ".join(f"{name}={value!r}" for name, value in told.items())
                    return f" It would be right with {words}."
        return ""

    def _told(self, match: _Match) -> dict[str, Any]:
        convention, call = match.convention, match.trial.call
        told: dict[str, Any] = {"arguments": dict(call.order)}
        if self.subject.is_loss:
            told["sign"] = convention.sign
        told["aggregation"] = "as asked for" if "aggregation" in call.given else convention.aggregation
        if len(self.subject.scales) > 1 or "scale" in self.said:
            told["scale"] = convention.scale
        if len(self.subject.corrections) > 1 or "correction" in self.said:
            told["correction"] = convention.correction
        return {**told, "time_major": call.time_major, **match.trial.fixed}

    def _guesses(self, match: _Match) -> str:
        """What was not given and had to be guessed, where it is not the usual or there was a choice."""
        told, call = self._told(match), match.trial.call
        words = []
        if call.guessed:
            words.append("the arguments are " + ", ".join(told["arguments"].values()))
        for name in ("sign", "aggregation", "scale", "correction", *match.trial.fixed):
            if name in told and name not in self.said and told[name] != "as asked for":
                words.append(f"{name} is {told[name]}")
        if call.time_major and "time_major" not in self.said:
            words.append("tensors are [time, batch]")
        if call.float_flags:
            words.append("masks and ends are numbers, 0 and 1")
        message = f" Guessed: {'; '.join(words)}." if words else ""
        if "mask" in self.subject.inputs and not {"mask", "lengths"} & call.given:
            message += " It takes no mask: only batches without padding were tried."
        return message


def _spoken(convention: Convention) -> dict[str, Any]:
    return {
        "sign": convention.sign,
        "aggregation": convention.aggregation,
        **({"scale": convention.scale} if convention.scale != 1 else {}),
    }


def _usable(batch: Batch, given: set[str], subject: Subject, fixed: Mapping[str, Any]) -> bool:
    """Whether a function with these arguments can be right on a batch: what it is not told must say nothing there."""
    inputs = {**batch.inputs, **fixed}
    needed = set(subject.inputs) - given

    def says(name: str) -> bool:
        return name in needed and name in inputs and bool(inputs[name].any())

    if "mask" in needed and "lengths" not in given and "mask" in inputs and not inputs["mask"].all():
        return False
    if "values_old" in needed and inputs.get("clip") is not None:
        return False
    if "dones" not in given and (says("truncated") or says("terminated")):
        return False
    if "next_values" in needed:
        if inputs["truncated"][:, :-1].any():
            return False
        return "last_values" in given or bool(inputs["terminated"][:, -1].all())
    return True
