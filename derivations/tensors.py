"""A term as a torch function: one axis per index, gradients by autograd, ∇ by forward mode.

What the checker judged is computed as it stands. Nothing is simplified, differentiated on paper or written a second
time: Sum sums over an axis, D is the derivative along a direction of θ (`torch.func.jvp`), a definition is evaluated where
it is used. `worlds.py` says what each node means, in exact numbers; this module says the same in floating point.

Conventions, which are those of `worlds.py` where it has one:

1. An expectation sums over the support of its law. What lies outside contributes 0 to the value. Where the body is not
   defined there, as in E_p[log p] at p = 0, it contributes 0 to the gradient too, as under every parametrisation whose
   derivative is 0 where the law is 0, such as softmax; where it is defined, the law's entry has its usual gradient.
2. A term that is not defined (a division by zero, log 0) is torch's inf or nan, not an error.
3. At a kink the slope is torch's: that of equal arguments of min and max is shared among them.
4. Values are not checked against their domain: that a law sums to one is the caller's to see to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from derivations.checker.errors import BadInput
from derivations.checker.statement import Statement
from derivations.checker.terms import (
    Add,
    Apply,
    Cases,
    Definition,
    Delta,
    Derivative,
    Exp,
    Expectation,
    Function,
    Index,
    Indicator,
    Infinity,
    Length,
    Limit,
    Log,
    Maximum,
    Minimum,
    Multiply,
    Number,
    Path,
    Power,
    Size,
    Sort,
    Sum,
    Supremum,
    Term,
    bound_here,
    children,
    free_indices,
)

# The keys are functions, or parameters (functions of no index, as `parameter` returns them), and both may be mixed.
Tables = Mapping[Any, Any]
Model = Callable[[Tensor], Tables]
Curve = Callable[[Tensor], Mapping[Function, Tensor]]


@dataclass(frozen=True, eq=False)
class TorchFunction:
    """A term that takes tensors; the axes of its value are `indices`, in this order.

    `needs` are the functions that want a tensor, with one axis per sort; `moves` those of them that stand under a D and
    depend on θ, so that they want a tangent.
    """

    term: Term
    indices: tuple[Index, ...]
    definitions: Mapping[Function, Definition]
    needs: tuple[Function, ...]
    moves: tuple[Function, ...]
    sorts: tuple[Sort, ...]

    def __call__(
        self, tables: Tables, *, tangents: Tables | None = None, sizes: Mapping[Sort, int] | None = None
    ) -> Tensor:
        """The value of the term, [sizes of `indices`]; D is the derivative along `tangents`.

        Parameters: `tables` has for each of `needs` a tensor [sizes of its sorts], or a number; autograd goes through all
        of them. `tangents` has for each of `moves` the derivative of its tensor along one direction of θ; second
        derivatives of the tables are then 0 (not so in `along`). `sizes` has the sizes that no tensor tells. Raises
        BadInput where a tensor or a tangent is missing, or has another shape than its sorts and the others say.
        """
        values = self._read(tables)
        known = self._sizes(values, sizes or {})
        directions = self._read_tangents(tangents or {}, values)

        def curve(step: Tensor) -> Mapping[Function, Tensor]:
            return {f: table + step * directions[f] if f in directions else table for f, table in values.items()}

        return self._evaluate(values, known, curve)

    def along(
        self, model: Model, theta: Tensor, direction: Tensor, *, sizes: Mapping[Sort, int] | None = None
    ) -> Tensor:
        """The value at model(θ), [sizes of `indices`]; D is the derivative along `direction`, [*θ].

        Parameters: `model` makes the tables from `theta`; what by its declaration does not depend on θ stands still under
        D, whatever the model does with it. Raises BadInput as a call does, and where `direction` is not shaped like θ.
        """
        if direction.shape != theta.shape:
            raise BadInput(f"along: direction has shape {_shape(direction)}; expected that of θ, {_shape(theta)}")
        values = self._read(model(theta))
        known = self._sizes(values, sizes or {})

        def curve(step: Tensor) -> Mapping[Function, Tensor]:
            there = self._read(model(theta + step * direction))
            slopes = {f: values[f] + step * float(f.slope) for f in self.moves if f.slope is not None}
            return {**values, **{f: there[f] for f in self.moves}, **slopes}

        return self._evaluate(values, known, curve)

    def components(self, model: Model, theta: Tensor, *, sizes: Mapping[Sort, int] | None = None) -> Tensor:
        """The value with ∇ for D, [sizes of `indices`, *θ]: one component per entry of θ.

        Raises BadInput as a call does, and where θ has no entry.
        """
        if not theta.numel():
            raise BadInput(f"components: θ has shape {_shape(theta)}; expected at least one entry")
        basis = torch.eye(theta.numel(), dtype=theta.dtype, device=theta.device).reshape(-1, *theta.shape)
        values = [self.along(model, theta, direction, sizes=sizes) for direction in basis]
        return torch.stack(values, dim=-1).reshape(*values[0].shape, *theta.shape)

    def _evaluate(self, values: Mapping[Function, Tensor], sizes: Mapping[Sort, int], curve: Curve) -> Tensor:
        step = torch.zeros((), **_like(values))
        rank = len(self.indices)
        axes = {index: axis for axis, index in enumerate(self.indices)}
        live = torch.ones((1,) * rank, dtype=torch.bool, device=step.device)
        value = _value(self.term, _Place(values, sizes, self.definitions, axes, live, curve, step))
        return value.expand([sizes[index.sort] for index in self.indices])

    # --- reading what is given --------------------------------------------------------------------------------------

    def _read(self, given: Tables) -> dict[Function, Tensor]:
        tables = _by_function(given)
        for symbol in tables:
            if symbol in self.definitions:
                raise BadInput(f"{symbol.name} is given by a definition; expected no tensor for it")
        for symbol in self.needs:
            if symbol not in tables:
                raise BadInput(f"{symbol.name} has no tensor; give one with {_axes(symbol)}")
        return _tensors({symbol: tables[symbol] for symbol in self.needs})

    def _read_tangents(self, given: Tables, values: Mapping[Function, Tensor]) -> dict[Function, Tensor]:
        tangents = {f: t for f, t in _by_function(given).items() if f in values or not f.depends}
        for symbol in tangents:
            if not symbol.depends or symbol.slope is not None:
                why = "does not depend on θ" if not symbol.depends else f"has the slope {symbol.slope}"
                raise BadInput(f"{symbol.name} {why}; expected no tangent for it")
        for symbol in self.moves:
            if symbol.slope is not None:
                tangents[symbol] = symbol.slope
            elif symbol not in tangents:
                raise BadInput(f"{symbol.name} moves with θ under a ∇; give its tangent, with {_axes(symbol)}")
        like = _like(values)
        read = {symbol: _tensor(symbol, tangent).to(**like) for symbol, tangent in tangents.items()}
        for symbol, tangent in read.items():
            if tangent.shape != values[symbol].shape:
                expected = _shape(values[symbol])
                raise BadInput(f"the tangent of {symbol.name} has shape {_shape(tangent)}; expected {expected}")
        return read

    def _sizes(self, values: Mapping[Function, Tensor], given: Mapping[Sort, int]) -> dict[Sort, int]:
        known, told = dict(given), dict.fromkeys(given, "sizes")
        for sort, size in given.items():
            if type(size) is not int or size < 1:
                raise BadInput(f"sizes: {sort.name} has {size!r} elements; expected a positive integer")
        for symbol, table in values.items():
            if table.dim() != len(symbol.sorts):
                raise BadInput(f"{symbol.name} has shape {_shape(table)}; expected {_axes(symbol)}")
            for axis, (sort, size) in enumerate(zip(symbol.sorts, table.shape, strict=True)):
                if known.setdefault(sort, size) != size or not size:
                    there = f"{told[sort]} says {known[sort]} for {sort.name}" if size else "a sort is not empty"
                    raise BadInput(
                        f"{symbol.name} has shape {_shape(table)}, with {size} on axis {axis}, {sort.name}; "
                        f"expected another size there: {there}"
                    )
                told.setdefault(sort, symbol.name)
        for sort in self.sorts:
            if sort not in known:
                raise BadInput(f"no tensor tells how many elements {sort.name} has; give it by sizes")
        return known


def torch_function(
    term: Term,
    *,
    indices: Sequence[Index] | None = None,
    definitions: Iterable[Definition] = (),
    finite: Iterable[Sort] = (),
) -> TorchFunction:
    """A term as a function of tensors, one axis per index.

    Parameters: `term`; `indices` the axes of the value, by default the free indices, by name; `definitions` of functions
    in the term, evaluated where they stand; `finite` the sorts that are declared infinite and assumed to be finite.
    Raises BadInput, naming the node, where one has no value on tensors (a history, a limit, an infinite sort); and where
    `indices` lacks a free one.
    """
    chosen = tuple(sorted(free_indices(term), key=lambda index: index.name)) if indices is None else tuple(indices)
    missing = free_indices(term) - set(chosen)
    if missing or len(set(chosen)) < len(chosen):
        expected = ", ".join(sorted(index.name for index in free_indices(term)))
        given = ", ".join(index.name for index in chosen)
        raise BadInput(f"torch_function: indices are ({given}); expected each once, and all of ({expected})")
    equations = {definition.function: definition for definition in definitions}
    seen = list(_reached(term, equations, (), False))
    for node, moving in seen:
        _refuse(node, moving, frozenset(finite))
    applied = {(node.function, moving or node.order > 0) for node, moving in seen if isinstance(node, Apply)}
    needs = {symbol for symbol, _ in applied if symbol not in equations}
    moves = {symbol for symbol, moving in applied if moving and symbol.depends and symbol in needs}
    found = {index.sort for index in chosen} | {sort for symbol in needs for sort in symbol.sorts}
    found |= {sort for node, _ in seen for sort in _own_sorts(node)}
    return TorchFunction(term, chosen, equations, _by_name(needs), _by_name(moves), _by_name(found))


def sides(given: Statement) -> tuple[TorchFunction, TorchFunction]:
    """Both sides of a statement, with its definitions and the same axes, so that their values can be compared.

    Raises BadInput as `torch_function` does.
    """
    axes = sorted(free_indices(given.left) | free_indices(given.right), key=lambda index: index.name)
    finite = set(given.sorts) - set(given.infinite_sorts)
    left, right = (
        torch_function(side, indices=axes, definitions=given.definitions, finite=finite)
        for side in (given.left, given.right)
    )
    return left, right


# --- what is refused ------------------------------------------------------------------------------------------------


def _reached(
    node: Term, equations: Mapping[Function, Definition], open_: tuple[Function, ...], moving: bool
) -> Iterator[tuple[Term, bool]]:
    """Every node of a term and of the definitions in it, and whether it stands under a derivative."""
    yield node, moving
    inside = moving or isinstance(node, Derivative)
    for child in children(node):
        yield from _reached(child, equations, open_, inside)
    if isinstance(node, Apply) and node.function in equations:
        if node.function in open_:
            raise BadInput(f"torch_function: {node.function.name} is defined by itself")
        body = equations[node.function].value
        yield from _reached(body, equations, (*open_, node.function), moving or node.order > 0)


def _own_sorts(node: Term) -> tuple[Sort, ...]:
    bound = tuple(index.sort for index in bound_here(node))
    if isinstance(node, Apply):
        return (*bound, *node.function.sorts)
    return (*bound, node.sort) if isinstance(node, (Size, Length)) else bound


def _refuse(node: Term, moving: bool, finite: frozenset[Sort]) -> None:
    for sort in _own_sorts(node):
        if sort.is_history:
            raise _refusal(node, f"{sort.name} is a sort of histories, whose length is not one axis")
        if sort.infinite and sort not in finite:
            raise _refusal(node, f"the sort {sort.name} is infinite")
    match node:
        case Apply(_, arguments, _) if any(isinstance(argument, Path) for argument in arguments):
            raise _refusal(node, "a history is written out in it")
        case Limit():
            raise _refusal(node, "it is a limit")
        case Infinity():
            raise _refusal(node, "it is no real number")
        case Supremum() if moving:
            raise _refusal(node, "a supremum has no slope")
    if type(node) not in _RULES:
        raise _refusal(node, f"no rule is known for {type(node).__name__}")


def _refusal(node: Term, why: str) -> BadInput:
    return BadInput(f"torch_function: {node!r} ({type(node).__name__}) has no value on tensors: {why}")


# --- tensors from what is given -------------------------------------------------------------------------------------


def _by_function(given: Tables) -> dict[Function, Any]:
    found: dict[Function, Any] = {}
    for key, value in given.items():
        symbol = key.function if isinstance(key, Apply) else key
        if not isinstance(symbol, Function):
            raise BadInput(f"tables: the key {key!r} is neither a function nor a parameter")
        found[symbol] = value
    return found


def _tensor(symbol: Function, value: Any) -> Tensor:
    if isinstance(value, (int, float, Fraction)) and not isinstance(value, bool):
        # In float64: it takes the precision of the tensors beside it later, and must not set it.
        return torch.tensor(float(value), dtype=torch.float64)
    if not isinstance(value, Tensor) or value.is_complex():
        what = f"a {value.dtype} tensor" if isinstance(value, Tensor) else repr(value)
        raise BadInput(f"{symbol.name} is {what}; expected a real tensor with {_axes(symbol)}, or a number")
    return value


def _tensors(given: Mapping[Function, Any]) -> dict[Function, Tensor]:
    """Tensors of one floating type on one device: the widest type that a tensor has, float64 where all are numbers."""
    read = {symbol: _tensor(symbol, value) for symbol, value in given.items()}
    tensors = [value for value in given.values() if isinstance(value, Tensor)]
    types = [tensor.dtype for tensor in tensors if tensor.is_floating_point()]
    dtype = reduce(torch.promote_types, types) if types else torch.float64
    device = tensors[0].device if tensors else torch.device("cpu")
    return {s: t.to(dtype) if isinstance(given[s], Tensor) else t.to(device, dtype) for s, t in read.items()}


def _like(values: Mapping[Function, Tensor]) -> dict[str, Any]:
    first = next(iter(values.values()), torch.zeros((), dtype=torch.float64))
    return {"dtype": first.dtype, "device": first.device}


def _axes(symbol: Function) -> str:
    return f"axes ({', '.join(sort.name for sort in symbol.sorts)})" if symbol.sorts else "no axis"


def _shape(table: Tensor) -> str:
    return str(tuple(table.shape))


def _by_name(symbols: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(sorted(symbols, key=lambda symbol: str(symbol.name)))


# --- evaluation -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Place:
    """Where a node is evaluated: what the functions are, which axis each index has, which points count.

    A value has one axis per index in scope, of size 1 where it does not depend on it. `live` is false where a value will
    not be used (outside the support of a law, in the other case), so that it must be finite there and nothing else.
    `curve` gives the tables at θ + step·direction; `order` counts the derivatives around the node. `probing` looks only
    where a term is defined: everything infinite on the way is then nan, which no exp and no min brings back.
    """

    tables: Mapping[Function, Tensor]
    sizes: Mapping[Sort, int]
    definitions: Mapping[Function, Definition]
    axes: Mapping[Index, int]
    live: Tensor
    curve: Curve
    step: Tensor
    order: int = 0
    probing: bool = False

    def positions(self, index: Index) -> Tensor:
        """0, 1, 2, … along the axis of an index."""
        shape = [1] * self.live.dim()
        shape[self.axes[index]] = -1
        return torch.arange(self.sizes[index.sort], device=self.step.device).reshape(shape)

    def constant(self, value: Fraction | float) -> Tensor:
        """A number, with every axis of size 1."""
        return torch.full((1,) * self.live.dim(), float(value), dtype=self.step.dtype, device=self.step.device)

    def bind(self, indices: Iterable[Index]) -> _Place:
        """The same place with one more axis for each index, last."""
        axes, live = dict(self.axes), self.live
        for index in indices:
            axes[index] = live.dim()
            live = live.unsqueeze(-1)
        return replace(self, axes=axes, live=live)

    def only(self, where: Tensor) -> _Place:
        """The same place, where a condition holds."""
        return replace(self, live=self.live & where)

    def safe(self, value: Tensor, instead: float = 1.0) -> Tensor:
        """The value where it counts, and a harmless one elsewhere, through which no gradient goes.

        A value that does not depend on an index counts where it does for any: it is not copied along that axis.
        """
        shared = [axis for axis, size in enumerate(value.shape) if size < self.live.shape[axis]]
        return torch.where(self.live.any(dim=shared, keepdim=True) if shared else self.live, value, instead)


def _value(node: Term, at: _Place) -> Tensor:
    value = _RULES[type(node)](node, at)
    return torch.where(torch.isfinite(value), value, math.nan) if at.probing else value


def _number(node: Number, at: _Place) -> Tensor:
    return at.constant(node.value)


def _apply(node: Apply, at: _Place) -> Tensor:
    symbol, arguments = node.function, [a for a in node.arguments if isinstance(a, Index)]
    if node.order:
        return _derivative(Derivative(Apply(symbol, node.arguments, node.order - 1)), at)
    if symbol in at.definitions:
        rule = at.definitions[symbol]
        axes = {formal: at.axes[actual] for formal, actual in zip(rule.indices, arguments, strict=True)}
        return _value(rule.value, replace(at, axes=axes))
    table = at.tables[symbol]
    positions = tuple(at.positions(argument) for argument in arguments)
    return at.safe(table[positions] if positions else table.reshape((1,) * at.live.dim()))


def _add(node: Add, at: _Place) -> Tensor:
    return sum((_value(part, at) for part in node.terms), at.constant(0))


def _multiply(node: Multiply, at: _Place) -> Tensor:
    return math.prod((_value(part, at) for part in node.factors), start=at.constant(1))


def _power(node: Power, at: _Place) -> Tensor:
    base = _value(node.base, at)
    return torch.pow(at.safe(base) if node.exponent < 0 else base, node.exponent)


def _log(node: Log, at: _Place) -> Tensor:
    return torch.log(at.safe(_value(node.argument, at)))


def _exp(node: Exp, at: _Place) -> Tensor:
    return torch.exp(at.safe(_value(node.argument, at), instead=0.0))


def _sum(node: Sum, at: _Place) -> Tensor:
    return _summed(_value(node.body, at.bind([node.index])), [node.index], at)


def _summed(values: Tensor, indices: Sequence[Index], at: _Place) -> Tensor:
    """The sum over the last axes, which are those of the indices."""
    if not indices:
        return values
    sizes = [at.sizes[index.sort] for index in indices]
    widened = values.expand(*values.shape[: -len(sizes)], *sizes)
    return widened.sum(dim=tuple(range(-len(sizes), 0)))


def _expectation(node: Expectation, at: _Place) -> Tensor:
    inside = at.bind(node.indices)
    weight = _value(node.law, inside)
    used = inside.only(_support(node.law, inside) | _defined(node.body, inside))
    return _summed(torch.where(used.live, weight * _value(node.body, used), 0.0), node.indices, at)


def _defined(node: Term, at: _Place) -> Tensor:
    """Where a term is defined, with everything in it."""
    with torch.no_grad():
        return ~torch.isnan(_value(node, replace(at, probing=True)))


def _support(law: Term, at: _Place) -> Tensor:
    """Where a law is not zero; under a derivative also where it is zero and moves."""
    found = _value(law, at) != 0
    for _ in range(at.order):
        law = Derivative(law)
        found = found | (_value(law, at) != 0)
    return found


def _minimum(node: Minimum, at: _Place) -> Tensor:
    return reduce(torch.minimum, [_value(part, at) for part in node.terms])


def _maximum(node: Maximum, at: _Place) -> Tensor:
    return reduce(torch.maximum, [_value(part, at) for part in node.terms])


_COMPARISONS: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "=": torch.eq,
    "≠": torch.ne,
    "<": torch.lt,
    "≤": torch.le,
    ">": torch.gt,
    "≥": torch.ge,
}


def _holds(node: Indicator, at: _Place) -> Tensor:
    return _COMPARISONS[node.relation](_value(node.left, at), _value(node.right, at))


def _indicator(node: Indicator, at: _Place) -> Tensor:
    return _holds(node, at).to(at.step.dtype)


def _cases(node: Cases, at: _Place) -> Tensor:
    holds = _holds(node.condition, at)
    return torch.where(holds, _value(node.then, at.only(holds)), _value(node.otherwise, at.only(~holds)))


def _delta(node: Delta, at: _Place) -> Tensor:
    return (at.positions(node.left) == at.positions(node.right)).to(at.step.dtype)


def _size(node: Size, at: _Place) -> Tensor:
    return at.constant(at.sizes[node.sort])


def _supremum(node: Supremum, at: _Place) -> Tensor:
    return _value(node.body, at.bind([node.index])).amax(dim=-1)


def _derivative(node: Derivative, at: _Place) -> Tensor:
    def moved(step: Tensor) -> Tensor:
        return _value(node.body, replace(at, tables=at.curve(step), step=step, order=at.order + 1))

    both: tuple[Tensor, Tensor] = torch.func.jvp(moved, (at.step,), (torch.ones_like(at.step),))  # type: ignore[assignment]
    value, slope = both
    return torch.where(torch.isnan(value), math.nan, slope) if at.probing else slope


_RULES: Mapping[type[Term], Callable[[Any, _Place], Tensor]] = {
    Number: _number,
    Apply: _apply,
    Add: _add,
    Multiply: _multiply,
    Power: _power,
    Log: _log,
    Exp: _exp,
    Sum: _sum,
    Expectation: _expectation,
    Minimum: _minimum,
    Maximum: _maximum,
    Indicator: _indicator,
    Cases: _cases,
    Delta: _delta,
    Size: _size,
    Supremum: _supremum,
    Derivative: _derivative,
}

__all__ = ["TorchFunction", "sides", "torch_function"]
