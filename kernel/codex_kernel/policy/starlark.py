"""The language of `.rules` files: the part of Starlark that rules are written in, evaluated by a small interpreter.

Python's parser reads the file, as Starlark's syntax is a part of Python's; what is evaluated is a written-out list of
its nodes. Nothing of Python can be reached: no attribute but the methods of `starlark_values`, no import, no file.
Source: spec/execpolicy-and-hooks.md section 1.2.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Mapping
from typing import NamedTuple, cast

from codex_kernel.policy.starlark_values import (
    FUNCTIONS,
    MAX_INTEGER,
    Budget,
    Called,
    StarlarkError,
    Value,
    entries,
    equal,
    key_of,
    kind,
    method,
    text_of,
)

MAX_BYTES = 512 * 1024
_MAX_CALLS = 30

Builtin = Callable[[int, list[Value], dict[str, Value]], Value]
"""Called with the line, the positional and the named arguments; raises `StarlarkError`."""


class _Function(NamedTuple):
    """A `def` of the file."""

    definition: ast.FunctionDef


class _Bound(NamedTuple):
    """A function of the language, or a method of a value."""

    called: Called


class _Given(NamedTuple):
    """What the caller of `run` put there."""

    called: Builtin


class _Jump(NamedTuple):
    """Why a block ended early."""

    word: str
    value: Value = None


def run(source: str, given: Mapping[str, Builtin]) -> None:
    """Evaluate a file; what it does, it does through the functions of `given`.

    Raises:
        StarlarkError: It is no Starlark, uses what is not supported, or takes too much; or `given` raised it.
    """
    tree = parse(source)
    try:
        _Run(given).module(tree)
    except RecursionError as error:
        raise StarlarkError("the file is nested too deeply") from error


def parse(source: str) -> ast.Module:
    """The file's syntax tree, nothing of it checked.

    Raises:
        StarlarkError: It cannot be parsed.
    """
    if len(source) > MAX_BYTES:
        raise StarlarkError(f"the file has more than {MAX_BYTES} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes and comparisons in somebody else's file
            return ast.parse(source)
    except SyntaxError as error:
        raise StarlarkError(f"the syntax is wrong: {error.msg}", error.lineno or 0) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise StarlarkError("the file is nested too deeply or holds null characters") from error


class _Run:
    def __init__(self, given: Mapping[str, Builtin]) -> None:
        self._budget = Budget()
        self._globals: dict[str, Value] = {name: _Given(called) for name, called in given.items()}
        self._globals |= {name: _Bound(called) for name, called in FUNCTIONS.items()}
        self._reserved = frozenset(self._globals)
        self._globals |= {"True": True, "False": False, "None": None}
        self._scopes: list[dict[str, Value]] = []
        self._running: list[str] = []

    def module(self, tree: ast.Module) -> None:
        jump = self._block(tree.body)
        if jump is not None:
            raise StarlarkError(f"{jump.word} stands outside of what it could leave", 0)

    # Statements

    def _block(self, body: list[ast.stmt]) -> _Jump | None:
        for statement in body:
            jump = self._statement(statement)
            if jump is not None:
                return jump
        return None

    def _statement(self, node: ast.stmt) -> _Jump | None:
        self._budget.step(node.lineno)
        match node:
            case ast.Expr(value):
                self._value(value)
            case ast.Assign(targets, value):
                found = self._value(value)
                for target in targets:
                    self._assign(target, found)
            case ast.AugAssign(ast.Name(name) as target, operator, value):
                read = ast.copy_location(ast.Name(name, ast.Load()), target)
                self._assign(target, self._binary(self._value(read), operator, self._value(value), node.lineno))
            case ast.If(test, body, orelse):
                return self._block(body if self._value(test) else orelse)
            case ast.For(target, iterated, body, []):
                return self._loop(target, iterated, body)
            case ast.FunctionDef(name=name, decorator_list=[], returns=None):
                self._define(node, name)
            case ast.Return(value):
                return _Jump("return", None if value is None else self._value(value))
            case ast.Break():
                return _Jump("break")
            case ast.Continue():
                return _Jump("continue")
            case ast.Pass():
                pass
            case _:
                raise StarlarkError(f"'{_word(node)}' is not supported in rules files", node.lineno)
        return None

    def _loop(self, target: ast.expr, iterated: ast.expr, body: list[ast.stmt]) -> _Jump | None:
        for entry in entries(self._value(iterated), self._budget, iterated.lineno):
            self._assign(target, entry)
            jump = self._block(body)
            if jump is None or jump.word == "continue":
                continue
            if jump.word == "break":
                return None
            return jump
        return None

    def _define(self, node: ast.FunctionDef, name: str) -> None:
        arguments = node.args
        if arguments.posonlyargs or arguments.vararg or arguments.kwonlyargs or arguments.kwarg:
            raise StarlarkError(f"'def {name}' may only have plain arguments in rules files", node.lineno)
        self._bind(name, _Function(node), node.lineno)

    def _assign(self, target: ast.expr, value: Value) -> None:
        match target:
            case ast.Name(name):
                self._bind(name, value, target.lineno)
            case ast.Tuple(elements) | ast.List(elements):
                found = entries(value, self._budget, target.lineno)
                if len(found) != len(elements):
                    raise StarlarkError(f"{len(found)} values cannot go to {len(elements)} names", target.lineno)
                for element, entry in zip(elements, found, strict=True):
                    self._assign(element, entry)
            case ast.Subscript(holder, index):
                table = self._value(holder)
                if not isinstance(table, dict):
                    raise StarlarkError("only entries of a table can be set", target.lineno)
                self._budget.make(1, target.lineno)
                cast("dict[Value, Value]", table)[key_of(self._value(index), target.lineno)] = value
            case _:
                raise StarlarkError("nothing can be assigned to this in rules files", target.lineno)

    def _bind(self, name: str, value: Value, line: int) -> None:
        if name in self._reserved:
            raise StarlarkError(f"{name} has a meaning already and cannot be given another", line)
        (self._scopes[-1] if self._scopes else self._globals)[name] = value

    # Expressions

    def _value(self, node: ast.expr) -> Value:
        line = node.lineno
        self._budget.step(line)
        match node:
            case ast.Constant(value):
                return self._constant(value, line)
            case ast.Name(name):
                return self._named(name, line)
            case ast.List(elements):
                return self._many(elements, line)
            case ast.Tuple(elements):
                return tuple(self._many(elements, line))
            case ast.Dict(keys, values):
                return self._table(keys, values, line)
            case ast.Call():
                return self._call(node)
            case ast.BinOp(left, operator, right):
                return self._binary(self._value(left), operator, self._value(right), line)
            case ast.BoolOp(operator, values):
                return self._either(values, stop_at=isinstance(operator, ast.Or))
            case ast.UnaryOp(ast.Not(), operand):
                return not self._value(operand)
            case ast.UnaryOp(ast.USub(), operand):
                return self._binary(0, ast.Sub(), self._value(operand), line)
            case ast.Compare(left, [operator], [right]):
                return self._compare(self._value(left), operator, self._value(right), line)
            case ast.IfExp(test, body, orelse):
                return self._value(body if self._value(test) else orelse)
            case ast.Subscript(holder, index):
                return self._entry(self._value(holder), index, line)
            case ast.Attribute(holder, name):
                return _Bound(method(self._value(holder), name, line))
            case ast.JoinedStr(parts):
                return self._joined(parts, line)
            case ast.ListComp(element, generators):
                return self._comprehension(generators, lambda: self._value(element), line)
            case ast.DictComp(key, value, generators):
                pairs = self._comprehension(generators, lambda: (self._value(key), self._value(value)), line)
                return {key_of(first, line): second for first, second in pairs}
            case _:
                raise StarlarkError(f"{_word(node)} is not supported in rules files", line)

    def _constant(self, value: object, line: int) -> Value:
        if value is None or isinstance(value, str | bool):
            return value
        if isinstance(value, int) and abs(value) <= MAX_INTEGER:
            return value
        raise StarlarkError("only strings, whole numbers, True, False and None can be written in rules files", line)

    def _named(self, name: str, line: int) -> Value:
        for scope in (*self._scopes[-1:], self._globals):
            if name in scope:
                return scope[name]
        raise StarlarkError(f"there is no {name} here", line)

    def _many(self, elements: list[ast.expr], line: int) -> list[Value]:
        self._budget.make(len(elements), line)
        return [self._value(element) for element in elements]

    def _table(self, keys: list[ast.expr | None], values: list[ast.expr], line: int) -> Value:
        self._budget.make(len(keys), line)
        table: dict[Value, Value] = {}
        for key, value in zip(keys, values, strict=True):
            if key is None:
                raise StarlarkError("'**' is not supported in rules files", line)
            table[key_of(self._value(key), line)] = self._value(value)
        return table

    def _either(self, values: list[ast.expr], *, stop_at: bool) -> Value:
        found: Value = None
        for value in values:
            found = self._value(value)
            if bool(found) is stop_at:
                return found
        return found

    def _joined(self, parts: list[ast.expr], line: int) -> str:
        texts: list[str] = []
        for part in parts:
            match part:
                case ast.Constant(str(text)):
                    texts.append(text)
                case ast.FormattedValue(value, -1, None):
                    texts.append(text_of(self._value(value), line))
                case _:
                    raise StarlarkError("f-strings take plain names in rules files, without formats", line)
        self._budget.make(sum(map(len, texts)), line)
        return "".join(texts)

    def _binary(self, left: Value, operator: ast.operator, right: Value, line: int) -> Value:
        match operator:
            case ast.Add() if kind(left) == kind(right) and kind(left) in {"string", "list", "tuple"}:
                self._budget.make(len(left) + len(right), line)
                return left + right
            case ast.Mult() if kind(left) in {"string", "list"} and type(right) is int:
                self._budget.make(len(left) * max(0, right), line)
                return left * right
            case ast.Add() | ast.Sub() | ast.Mult() if type(left) is int and type(right) is int:
                sums = {ast.Add: left + right, ast.Sub: left - right, ast.Mult: left * right}
                result = sums[type(operator)]
                if abs(result) > MAX_INTEGER:
                    raise StarlarkError("the number is too large", line)
                return result
            case _:
                raise StarlarkError(f"a {kind(left)} and a {kind(right)} cannot be combined like this", line)

    def _compare(self, left: Value, operator: ast.cmpop, right: Value, line: int) -> bool:
        match operator:
            case ast.Eq():
                return equal(left, right, self._budget, line)
            case ast.NotEq():
                return not equal(left, right, self._budget, line)
            case ast.In() | ast.NotIn():
                if isinstance(right, str) and isinstance(left, str):
                    self._budget.make(len(right), line)
                    found = left in right
                else:
                    held = entries(right, self._budget, line)
                    found = any(equal(left, entry, self._budget, line) for entry in held)
                return found is isinstance(operator, ast.In)
            case ast.Lt() | ast.LtE() | ast.Gt() | ast.GtE() if kind(left) == kind(right) and type(left) in (int, str):
                order = {
                    ast.Lt: left < right,
                    ast.LtE: left <= right,
                    ast.Gt: left > right,
                    ast.GtE: left >= right,
                }
                return order[type(operator)]
            case _:
                raise StarlarkError(f"a {kind(left)} and a {kind(right)} cannot be compared like this", line)

    def _entry(self, holder: Value, index: ast.expr, line: int) -> Value:
        if isinstance(index, ast.Slice):
            if not isinstance(holder, str | list | tuple):
                raise StarlarkError(f"a {kind(holder)} has no parts", line)
            ends = [None if end is None else self._value(end) for end in (index.lower, index.upper, index.step)]
            if not all(end is None or type(end) is int for end in ends) or ends[2] == 0:
                raise StarlarkError("parts of a list are named by whole numbers", line)
            part = cast("list[Value]", holder)[slice(*ends)]
            self._budget.make(len(part), line)
            return part
        key = self._value(index)
        try:
            if isinstance(holder, dict):
                return cast("dict[Value, Value]", holder)[key_of(key, line)]
            if isinstance(holder, str | list | tuple) and type(key) is int:
                return cast("list[Value]", holder)[key]
        except (KeyError, IndexError):
            raise StarlarkError(f"there is no entry {key!r}", line) from None
        raise StarlarkError(f"a {kind(holder)} has no entry of that kind", line)

    def _comprehension(self, generators: list[ast.comprehension], make: Callable[[], Value], line: int) -> list[Value]:
        found: list[Value] = []
        around = self._scopes[-1] if self._scopes else {}
        self._budget.make(len(around), line)
        self._scopes.append(dict(around))

        def go(depth: int) -> None:
            if depth == len(generators):
                self._budget.make(1, line)
                found.append(make())
                return
            generator = generators[depth]
            for entry in entries(self._value(generator.iter), self._budget, line):
                self._assign(generator.target, entry)
                if all(self._value(condition) for condition in generator.ifs):
                    go(depth + 1)

        try:
            go(0)
        finally:
            self._scopes.pop()
        return found

    def _call(self, node: ast.Call) -> Value:
        line = node.lineno
        called = self._value(node.func)
        args = self._many(node.args, line)
        named: dict[str, Value] = {}
        for keyword in node.keywords:
            if keyword.arg is None:
                raise StarlarkError("'**' is not supported in rules files", line)
            named[keyword.arg] = self._value(keyword.value)
        match called:
            case _Given():
                return called.called(line, args, named)
            case _Bound():
                if named:
                    raise StarlarkError("this function takes no named arguments", line)
                return called.called(args, self._budget, line)
            case _Function(definition):
                return self._run_function(definition, args, named, line)
            case _:
                raise StarlarkError(f"a {kind(called)} cannot be called", line)

    def _run_function(
        self, definition: ast.FunctionDef, args: list[Value], named: dict[str, Value], line: int
    ) -> Value:
        name = definition.name
        if name in self._running or len(self._running) >= _MAX_CALLS:
            raise StarlarkError(f"{name}() calls itself, or calls go too deep", line)
        names = [argument.arg for argument in definition.args.args]
        defaults = definition.args.defaults
        scope = dict(zip(names[len(names) - len(defaults) :], map(self._value, defaults), strict=True))
        scope |= dict(zip(names, args, strict=False)) | named
        if len(args) > len(names) or set(scope) != set(names) or set(named) & set(names[: len(args)]):
            raise StarlarkError(f"{name}() takes {', '.join(names) or 'no arguments'}", line)
        self._running.append(name)
        self._scopes.append(scope)
        try:
            jump = self._block(definition.body)
        finally:
            self._scopes.pop()
            self._running.pop()
        if jump is not None and jump.word != "return":
            raise StarlarkError(f"{jump.word} stands outside of a loop", line)
        return None if jump is None else jump.value


def _word(node: ast.AST) -> str:
    words = {
        "Import": "import",
        "ImportFrom": "from … import",
        "While": "while",
        "ClassDef": "class",
        "Lambda": "lambda",
        "Starred": "*",
        "NamedExpr": ":=",
    }
    return words.get(type(node).__name__, type(node).__name__)
