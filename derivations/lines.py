"""A line of a derivation as text: declarations, two terms and a relation, assumptions, and perhaps a world.

The text is TOML, its terms are written as in Python. Python's parser makes a tree of a term, and a closed list of
constructs is translated; text is never executed, and never handed to a library that executes it.
"""

from __future__ import annotations

import ast
import re
import tomllib
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from fractions import Fraction
from functools import partial
from keyword import iskeyword
from operator import add, mul, sub
from typing import TYPE_CHECKING, Any, NamedTuple

from derivations.checker import terms
from derivations.checker.errors import BadInput, StatementError
from derivations.checker.statement import Hypothesis, Statement, assume, statement
from derivations.checker.terms import Apply, Derivative, Function, Index, Indicator, Number, Sort, Term

if TYPE_CHECKING:
    from derivations.checker.worlds import World

BYTES, SIZE = 100_000, 1_000  # of the largest document, of the largest index set in a world
CHARACTERS, INTEGER = 2_000, 10**12  # of the largest term; powers and derivatives are counted along the nesting
MOST = {"parts": 400, "levels of nesting": 60, "exponent": 12, "order of D": 2}
RELATIONS = {"=": "=", "!=": "≠", "<": "<", "<=": "≤", ">": ">", ">=": "≥", "==": "=", "≠": "≠", "≤": "≤", "≥": "≥"}
COMPARED = re.compile(r"([<>=!]=|[=<>≠≤≥])")
ASSUMED = re.compile(r"(.+?)(?:\bwhere\b(.+?))?(?:\bfor\b(?:\s+all\b)?(.+))?", re.DOTALL)
THETA = ("theta", "θ")
DOMAINS = {
    "real": terms.REAL,
    "positive": terms.POSITIVE,
    "nonnegative": terms.NONNEGATIVE,
    "in [0, 1]": terms.UNIT,
    "in (0, 1)": terms.OPEN_UNIT,
    "in (0, 1]": terms.HALF_OPEN_UNIT,
}
WORDS: dict[str, tuple[Callable[..., Term], int, int]] = {  # with the least and the greatest number of arguments
    "log": (terms.log, 1, 1),
    "exp": (terms.exp, 1, 1),
    "D": (terms.D, 1, 1),
    "min": (terms.minimum, 2, CHARACTERS),
    "max": (terms.maximum, 2, CHARACTERS),
    "clip": (terms.clip, 3, 3),
}
BINDERS = {"E": "E(p(y), f(y))", "sum": "sum(y, f(y))", "kl": "kl(p, q, y)"}
RESERVED = {*WORDS, *BINDERS, "where", "sizes"}


class Line(NamedTuple):
    """A statement, and the world in which it is to be evaluated, if there is one."""

    statement: Statement
    world: World | None


def read(source: bytes) -> Line:
    """The line that a TOML document tells; an error names the place at which it cannot be read."""
    if len(source) > BYTES:
        raise BadInput(f"more than {BYTES} bytes; expected one line of a derivation")
    try:
        document = tomllib.loads(source.decode())
    except (ValueError, RecursionError) as error:
        raise BadInput(f"not TOML: {error}") from error
    _require_keys(document, ("declare", "line", "world"), "")
    declare, line, world = (_entry(document, key, dict, "a table") for key in ("declare", "line", "world"))
    declared = {name: declaration(name, words) for name, words in declare.items()}
    stated = _statement(line, declared)
    return Line(stated, _world(world, stated, declared) if "world" in document else None)


def _require_keys(table: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise BadInput(f"{where}{key}: unknown; expected one of {', '.join(known)}{_nearest(key, known)}")


def _nearest(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else ""


def _entry(table: Mapping[str, Any], key: str, kind: type, wanted: str, where: str = "") -> Any:
    """The value at a key; without one, an empty table or list, but no text."""
    value = table.get(key, None if kind is str else kind())
    if not isinstance(value, kind):
        raise BadInput(f"{where}{key}: given {_short(value)}; expected {wanted}")
    return value


def _short(value: object) -> str:
    shown = "nothing" if value is None else repr(value)
    return shown if len(shown) <= 60 else shown[:59] + "…"


# --- declarations ---------------------------------------------------------------------------------------------------


def declaration(name: str, words: object) -> Function:
    """The function that words such as “positive law over Y given X” declare."""
    place = f"declare.{name}"
    if name in RESERVED or iskeyword(name) or not name.isidentifier() or unicodedata.normalize("NFKC", name) != name:
        raise BadInput(f"{place}: this name is taken or is none; expected letters and digits, no word of the language")
    said = re.sub(r"\s*,\s*", ", ", " ".join(words.split())) if isinstance(words, str) else ""
    plain = re.sub(rf" depending on ({'|'.join(THETA)})$", "", said)
    moves = plain != said
    if found := re.fullmatch(r"(positive )?law over (.+?)(?: given (.+))?", plain):
        over, given = (_sorts(part, place) for part in found.group(2, 3))
        return terms.law(name, *over, given=given, positive=bool(found[1]), depends=moves)
    found = re.fullmatch(r"(?:(positive|nonnegative) )?function of ([^\[(]+?)(?: (in .+))?", plain)
    domain = " ".join(filter(None, found.group(1, 3))) or "real" if found else plain
    if domain in DOMAINS and found:
        return terms.function(name, *_sorts(found[2], place), domain=DOMAINS[domain], depends=moves)
    if domain in DOMAINS:  # θ itself moves at speed one
        return terms.parameter(name, DOMAINS[domain], depends=moves, slope=1 if name in THETA else None).function
    raise BadInput(
        f'{place}: given {_short(words)}; expected "law over Y", "positive law over A, B given S", "function of Y", '
        f'"function of Y in [0, 1]", or one of {"; ".join(DOMAINS)}; perhaps with "depending on theta" behind it'
    )


def _sorts(names: str | None, place: str) -> tuple[Sort, ...]:
    given = [name.strip() for name in names.split(",")] if names else []
    for name in given:
        if not name.isidentifier():
            raise BadInput(f"{place}: given {name!r} as an index set; expected a name such as Y")
    return tuple(map(Sort, given))


# --- terms ----------------------------------------------------------------------------------------------------------


def _quotient(x: Term, y: Term) -> Term:
    """x / y; of two numbers, a number."""
    return Number(x.value / y.value) if isinstance(x, Number) and isinstance(y, Number) and y.value else x / y


OPERATIONS = {ast.Add: add, ast.Sub: sub, ast.Mult: mul, ast.Div: _quotient}


class Reader:
    """A term as text, parsed; read into a term once all the formulas of a line are parsed.

    `indices` is shared by the formulas of a line: the sort of an index is that of the places where it stands.
    """

    def __init__(
        self, declared: Mapping[str, Function], indices: dict[str, Index], text: str, place: str, behind: int = 0
    ) -> None:
        self.text = re.sub(r"\s", " ", text.strip())
        self.place, self.declared, self.indices = place, declared, indices
        self.behind = behind + len(text) - len(text.lstrip())
        if not 0 < len(self.text) <= CHARACTERS or "#" in text:  # behind # Python would read nothing
            raise BadInput(f"{place}: given {_short(text)}; expected a term of at most {CHARACTERS} characters, no #")
        try:
            with warnings.catch_warnings(action="ignore"):  # it warns of what is refused below
                self.tree = ast.parse(self.text, mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            told = f"given {_short(self.text)}; expected a term such as p(y)*f(y)"
            raise BadInput(f"{place}, column {self.behind + (getattr(error, 'offset', 0) or 1)}: {told}") from error
        self._require_bounds()
        for node in ast.walk(self.tree):
            match node:
                case ast.Call(func=ast.Name(id="kl"), args=[ast.Name(id=name), _, *args]):
                    self._learn(name, args)
                case ast.Call(func=ast.Name(id=name), args=args):
                    self._learn(name, args)

    def wrong(self, node: ast.expr, told: str) -> BadInput:
        """An error that tells what is wrong with a part of the term, and at which column it starts."""
        column = self.behind + len(self.text.encode()[: node.col_offset].decode()) + 1
        return BadInput(f"{self.place}, column {column}: {told}")

    def _require_bounds(self) -> None:
        waiting, parts = [(self.tree, 1, 1, 0)], 0
        while waiting:
            node, level, exponent, order = waiting.pop()
            parts += 1
            match node:
                case ast.BinOp(op=ast.Pow(), right=power):
                    exponent *= max(1, abs(_integer(power) or 0))
                case ast.Call(func=ast.Name(id="D")):
                    order += 1
            for (what, most), much in zip(MOST.items(), (parts, level, exponent, order), strict=True):
                if much > most:
                    raise self.wrong(node, f"the term is too large: {what} {much}; expected at most {most}")
            inside = (child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))
            waiting += [(child, level + 1, exponent, order) for child in inside]

    def _learn(self, name: str, args: Sequence[ast.expr]) -> None:
        """Finds the sorts of indices from a function that they are arguments of."""
        for node, sort in zip(args, self.declared[name].sorts if name in self.declared else (), strict=False):
            if not isinstance(node, ast.Name):
                continue
            if node.id in self.declared or node.id in RESERVED:
                raise self.wrong(node, f"{node.id} is no index; expected one over {sort.name}, of another name")
            known = self.indices.setdefault(node.id, Index(node.id, sort)).sort
            if known != sort:
                told = f"index {node.id} is used with two sorts: given one over {known.name}, expected one over {sort.name}"
                raise self.wrong(node, told)

    def read(self) -> Term:
        """The term."""
        try:
            return self._term(self.tree)
        except StatementError as error:
            error.add_note(self.place)
            raise

    def _term(self, node: ast.expr) -> Term:
        match node:
            case ast.Constant(value=value):
                if type(value) is int and value <= INTEGER:
                    return Number(Fraction(value))
                hint = "; a float is not exact, write 1/2 for a half" if isinstance(value, float) else ""
                raise self.wrong(node, f"given {_short(value)}; expected an integer up to {INTEGER}{hint}")
            case ast.Name(id=name):
                return self._apply(node, name, [])
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return -self._term(inner)
            case ast.BinOp(left=base, op=ast.Pow(), right=exponent) if (power := _integer(exponent)) is not None:
                return self._term(base) ** power
            case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATIONS:
                return OPERATIONS[type(op)](self._term(left), self._term(right))
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                return self._call(node, name, args)
        construct = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(getattr(node, "op", node)).__name__).lower()
        expected = "numbers, names, + - * /, ** with an integer, and calls such as f(y)"
        raise self.wrong(node, f"{construct} in {_short(ast.unparse(node))} is refused; expected {expected}")

    def _call(self, node: ast.expr, name: str, args: Sequence[ast.expr]) -> Term:
        match name, args:
            case "E", [law, body]:
                return self._expectation(law, self._term(law), self._term(body))
            case "sum", [*binders, body] if binders:
                inside = self._term(body)
                return terms.total(*map(self._index, binders), of=inside)
            case "kl", [ast.Name(id=p) as law, ast.Name(id=q) as other, *indices]:
                left, right = self._apply(law, p, indices), self._apply(other, q, indices)
                return self._expectation(law, left, terms.log(left) - terms.log(right))
        if name in BINDERS:
            raise self.wrong(node, f"given {_short(ast.unparse(node))}; expected such as {BINDERS[name]}")
        if name not in WORDS:
            return self._apply(node, name, args)
        build, least, most = WORDS[name]
        if not least <= len(args) <= most:
            raise self.wrong(node, f"{name}: given {len(args)} arguments; expected {least}")
        made = build(*map(self._term, args))
        if isinstance(made, Derivative) and not terms.depends_on_theta(made):
            raise self.wrong(node, 'nothing in D(…) depends on θ; expected a name declared "… depending on theta"')
        return made

    def _expectation(self, node: ast.expr, law: Term, body: Term) -> Term:
        if not isinstance(law, Apply) or not law.function.law:
            raise self.wrong(node, f'{law!r} is no law; expected one, as in p(y) with p declared "law over Y"')
        return terms.E(law, body)

    def _apply(self, node: ast.expr, name: str, args: Sequence[ast.expr]) -> Apply:
        if name in self.indices:
            raise self.wrong(node, f"{name} is an index; expected a number")
        if name in RESERVED:
            raise self.wrong(node, f"{name} is a word of the language; expected a number")
        if name not in self.declared:
            near = _nearest(name, (*self.declared, *WORDS, *BINDERS))
            raise self.wrong(node, f"{name} has no domain; declare it under [declare]{near}")
        sorts = self.declared[name].sorts
        if len(args) != len(sorts):
            wanted = f"{len(sorts)}, over {', '.join(sort.name for sort in sorts)}" if sorts else "none"
            raise self.wrong(node, f"{name}: given {len(args)} arguments; expected {wanted}")
        return self.declared[name](*map(self._index, args))

    def _index(self, node: ast.expr) -> Index:
        if isinstance(node, ast.Name) and node.id in self.indices:
            return self.indices[node.id]
        told = f"given {_short(ast.unparse(node))}; expected an index, one that is an argument of a declared function"
        raise self.wrong(node, told)


def _integer(node: ast.expr) -> int | None:
    """The value of an integer literal, with or without a minus sign."""
    match node:
        case ast.Constant(value=value) if type(value) is int:
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=value)) if type(value) is int:
            return -value
    return None


# --- statements -----------------------------------------------------------------------------------------------------


class Assumed(NamedTuple):
    """An assumption as it is written: what is said and perhaps where, and the names behind “for”."""

    place: str
    compared: list[tuple[Reader, str, Reader]]
    names: frozenset[str]


def _statement(line: Mapping[str, Any], declared: Mapping[str, Function]) -> Statement:
    _require_keys(line, ("left", "relation", "right", "assuming"), "line.")
    left, relation, right = (_entry(line, key, str, "text", "line.") for key in ("left", "relation", "right"))
    if relation not in RELATIONS:
        raise BadInput(f"line.relation: given {_short(relation)}; expected one of {' '.join(RELATIONS)}")
    # Every formula is parsed before one is read: only then are the sorts of the indices known.
    reader = partial(Reader, declared, {})
    sides = reader(left, "line.left"), reader(right, "line.right")
    listed = _entry(line, "assuming", list, "a list of texts", "line.")
    assumed = [_assumed(text, f"line.assuming[{k}]", reader) for k, text in enumerate(listed)]
    x, y = (side.read() for side in sides)
    free = terms.free_indices(x) | terms.free_indices(y)
    return statement(x, RELATIONS[relation], y, assuming=dict.fromkeys(_hypothesis(a, free) for a in assumed))


def _assumed(text: object, place: str, reader: Callable[..., Reader]) -> Assumed:
    found = ASSUMED.fullmatch(text) if isinstance(text, str) and len(text) <= 2 * CHARACTERS else None
    if found is None:
        raise BadInput(f'{place}: given {_short(text)}; expected such as "q(y) > 0 where p(y) > 0"')
    compared = []
    for group in (1, 2) if found[2] else (1,):
        left, relation, right = parts if len(parts := COMPARED.split(found[group])) == 3 else ("", "", "")
        if not relation:
            raise BadInput(f"{place}: given {_short(found[group].strip())}; expected one comparison, as in q(y) > 0")
        start = found.start(group)
        behind = start + len(left) + len(relation)
        compared.append((reader(left, place, start), RELATIONS[relation], reader(right, place, behind)))
    return Assumed(place, compared, frozenset(name.strip() for name in (found[3] or "").split(",") if found[3]))


def _hypothesis(given: Assumed, free: frozenset[Index]) -> Hypothesis:
    """The assumption, for all values of the indices that are not free in the line, and of those behind “for”."""
    from derivations.checker.printing import assumption_text

    said, *where = (Indicator(left.read(), relation, right.read()) for left, relation, right in given.compared)
    inside = frozenset(index for part in (said, *where) for index in terms.free_indices(part))
    for name in sorted(given.names - {index.name for index in inside}):
        raise BadInput(f"{given.place}: given {name!r} behind “for”; expected an index that stands free before it")
    own = sorted((i for i in inside if i not in free or i.name in given.names), key=lambda i: i.name)
    nameless = assume(given.place, said.left, said.relation, said.right, for_all=own, given=next(iter(where), None))
    return replace(nameless, name=assumption_text(nameless))


# --- worlds ---------------------------------------------------------------------------------------------------------


def _world(table: Mapping[str, Any], stated: Statement, declared: Mapping[str, Function]) -> World:
    """The world told by the size of each index set, a table for each function and an element for each free index."""
    from derivations.checker.worlds import world

    if any(isinstance(part, Derivative) for whole in stated.terms for part in terms.subterms(whole)):
        raise BadInput("world: the line has a derivative, and a world has no slopes; expected a line without D(…)")
    free = {index.name: index for index in stated.free}
    sorts = {sort.name: sort for symbol in declared.values() for sort in symbol.sorts}
    _require_keys(table, ("sizes", *declared, *free), "world.")
    sizes = _entry(table, "sizes", dict, "a table such as { Y = 2 }", "world.")
    _require_keys(sizes, sorts, "world.sizes.")
    needed = {symbol.name: symbol for symbol in (*stated.functions, *(declared[n] for n in table if n in declared))}
    return world(
        {sorts[name]: size for name, size in sizes.items()},
        {f: _table(table.get(name), f.sorts, sizes, f"world.{name}") for name, f in needed.items()},
        indices={i: _count(table.get(n), range(sizes[i.sort.name]), f"world.{n}") for n, i in free.items()},
    )


def _count(given: object, among: range, place: str) -> int:
    if type(given) is not int or given not in among:
        raise BadInput(f"{place}: given {_short(given)}; expected an integer from {among[0]} to {among[-1]}")
    return given


def _table(given: object, sorts: Sequence[Sort], sizes: Mapping[str, Any], place: str) -> object:
    """Exact numbers, in lists nested as the arguments are ordered."""
    if sorts:
        size = _count(sizes.get(sorts[0].name), range(1, SIZE + 1), f"world.sizes.{sorts[0].name}")
        if not isinstance(given, list) or len(given) != size:
            raise BadInput(
                f"{place}: given {_short(given)}; expected a list with one entry for each of {size} in {sorts[0].name}"
            )
        return [_table(row, sorts[1:], sizes, f"{place}[{k}]") for k, row in enumerate(given)]
    if type(given) is int or (
        isinstance(given, str) and re.fullmatch(r"-?\d{1,20}(/0*[1-9]\d{0,19})?", given, re.ASCII)
    ):
        return Fraction(given)
    hint = "; a float is not exact" if isinstance(given, float) else ""
    raise BadInput(f'{place}: given {_short(given)}; expected an integer or a fraction such as "9/10"{hint}')
