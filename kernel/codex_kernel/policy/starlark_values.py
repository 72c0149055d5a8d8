"""Values of the rules language: what they may hold, how much of them there may be, and what can be called on them.

Everything here is counted against a budget, so that no file, whoever wrote it, takes long or much memory to load.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

MAX_STEPS = 40_000
MAX_CELLS = 2_000_000
"""Characters and list entries made over the whole run."""
MAX_INTEGER = 2**53

Value = Any
"""None, bool, int, str, list, tuple, dict, or something that can be called."""


class StarlarkError(Exception):
    """A rules file cannot be used; the message has no end mark.

    Attributes:
        line: 1-based; 0 when it is not known.
    """

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


class Budget:
    """What a run may still use."""

    def __init__(self, steps: int = MAX_STEPS, cells: int = MAX_CELLS) -> None:
        self._steps = steps
        self._cells = cells

    def step(self, line: int) -> None:
        """One evaluation.

        Raises:
            StarlarkError: There were too many.
        """
        self._steps -= 1
        if self._steps < 0:
            raise StarlarkError("the file takes too many steps to evaluate", line)

    def make(self, cells: int, line: int) -> None:
        """So many characters or entries are about to be made.

        Raises:
            StarlarkError: There were too many.
        """
        self._cells -= cells
        if self._cells < 0:
            raise StarlarkError("the file makes lists or strings that are too long", line)


def kind(value: Value) -> str:
    """A value's type, as the language calls it."""
    if value is None:
        return "None"
    name = type(value).__name__
    return {"str": "string"}.get(name, name if name in {"bool", "int", "list", "tuple", "dict"} else "function")


def equal(left: Value, right: Value, budget: Budget, line: int) -> bool:
    """Whether two values are the same; counted, because lists may hold the same list many times over."""
    budget.step(line)
    if kind(left) != kind(right):
        return False
    if isinstance(left, list | tuple):
        one, other = cast("list[Value]", left), cast("list[Value]", right)
        return len(one) == len(other) and all(equal(a, b, budget, line) for a, b in zip(one, other, strict=True))
    if isinstance(left, dict):
        table, second = cast("dict[Value, Value]", left), cast("dict[Value, Value]", right)
        return table.keys() == second.keys() and all(equal(table[key], second[key], budget, line) for key in table)
    return bool(left == right)


def text_of(value: Value, line: int) -> str:
    """A value inside an f-string or `str()`.

    Raises:
        StarlarkError: It is a list, table or function.
    """
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool | int):
        return str(value)
    raise StarlarkError(f"a {kind(value)} cannot be made a string here", line)


def entries(value: Value, budget: Budget, line: int) -> list[Value]:
    """What a loop over the value goes through; a copy, so that a body may change the original.

    Raises:
        StarlarkError: It cannot be looped over.
    """
    if not isinstance(value, list | tuple | dict):
        raise StarlarkError(f"a {kind(value)} cannot be looped over", line)
    found = list(cast("list[Value]", value))
    budget.make(len(found), line)
    return found


def key_of(value: Value, line: int) -> str | int | bool | None:
    """A value as a table's key.

    Raises:
        StarlarkError: Only strings, numbers and the like can be keys.
    """
    if value is None or isinstance(value, str | int | bool):
        return value
    raise StarlarkError(f"a {kind(value)} cannot be a key", line)


Called = Callable[[list[Value], Budget, int], Value]


def _len(args: list[Value], budget: Budget, line: int) -> Value:
    if len(args) != 1 or not isinstance(args[0], str | list | tuple | dict):
        raise StarlarkError("len() takes one string, list or table", line)
    return len(cast("list[Value]", args[0]))


def _range(args: list[Value], budget: Budget, line: int) -> Value:
    if not 1 <= len(args) <= 3 or not all(type(arg) is int for arg in args) or (len(args) == 3 and args[2] == 0):
        raise StarlarkError("range() takes one to three numbers", line)
    numbers = range(*args)
    budget.make(len(numbers), line)
    return list(numbers)


def _list(args: list[Value], budget: Budget, line: int) -> Value:
    return entries(_only(args, "list", line), budget, line) if args else []


def _tuple(args: list[Value], budget: Budget, line: int) -> Value:
    return tuple(entries(_only(args, "tuple", line), budget, line)) if args else ()


def _str(args: list[Value], budget: Budget, line: int) -> Value:
    return text_of(_only(args, "str", line), line)


def _bool(args: list[Value], budget: Budget, line: int) -> Value:
    return bool(_only(args, "bool", line))


def _sorted(args: list[Value], budget: Budget, line: int) -> Value:
    found = entries(_only(args, "sorted", line), budget, line)
    if not (all(type(entry) is str for entry in found) or all(type(entry) is int for entry in found)):
        raise StarlarkError("sorted() takes a list of strings or of numbers", line)
    return sorted(found)


def _enumerate(args: list[Value], budget: Budget, line: int) -> Value:
    found = entries(_only(args, "enumerate", line), budget, line)
    budget.make(2 * len(found), line)
    return list(enumerate(found))


def _zip(args: list[Value], budget: Budget, line: int) -> Value:
    columns = [entries(arg, budget, line) for arg in args]
    budget.make(sum(map(len, columns)), line)
    return list(zip(*columns, strict=False))


def _fail(args: list[Value], budget: Budget, line: int) -> Value:
    raise StarlarkError("fail: " + " ".join(text_of(arg, line) for arg in args), line)


def _print(args: list[Value], budget: Budget, line: int) -> Value:
    return None


def _only(args: list[Value], name: str, line: int) -> Value:
    if len(args) != 1:
        raise StarlarkError(f"{name}() takes one argument", line)
    return args[0]


FUNCTIONS: Mapping[str, Called] = {
    "len": _len,
    "range": _range,
    "list": _list,
    "tuple": _tuple,
    "str": _str,
    "bool": _bool,
    "sorted": _sorted,
    "enumerate": _enumerate,
    "zip": _zip,
    "fail": _fail,
    "print": _print,
}
"""Functions of the language that a rules file may want; `print` says nothing."""

_STRING_METHODS = frozenset({"split", "join", "strip", "lstrip", "rstrip", "startswith", "endswith", "lower", "upper"})


def method(value: Value, name: str, line: int) -> Called:
    """A method of a value.

    Raises:
        StarlarkError: There is none of that name.
    """
    if isinstance(value, str) and name in _STRING_METHODS:
        return lambda args, budget, at: _string_method(value, name, args, budget, at)
    if isinstance(value, list) and name in {"append", "extend"}:
        return lambda args, budget, at: _grow(cast("list[Value]", value), name, args, budget, at)
    if isinstance(value, dict) and name in {"keys", "values", "items", "get"}:
        return lambda args, budget, at: _look(cast("dict[Value, Value]", value), name, args, budget, at)
    raise StarlarkError(f"a {kind(value)} has no .{name} here", line)


def _string_method(text: str, name: str, args: list[Value], budget: Budget, line: int) -> Value:
    budget.make(len(text) + 1, line)
    if name == "join":
        parts = entries(_only(args, "join", line), budget, line)
        if not all(isinstance(part, str) for part in parts):
            raise StarlarkError("join() takes a list of strings", line)
        budget.make(sum(map(len, parts)) + len(text) * len(parts), line)
        return text.join(parts)
    if len(args) > 1 or not all(isinstance(arg, str) and arg for arg in args):
        raise StarlarkError(f"{name}() takes at most one string that is not empty", line)
    if name in {"startswith", "endswith"} and not args:
        raise StarlarkError(f"{name}() takes one string", line)
    if name in {"lower", "upper"} and args:
        raise StarlarkError(f"{name}() takes no argument", line)
    return getattr(text, name)(*args)


def _grow(grown: list[Value], name: str, args: list[Value], budget: Budget, line: int) -> Value:
    added = [_only(args, name, line)] if name == "append" else entries(_only(args, name, line), budget, line)
    budget.make(len(added), line)
    grown.extend(added)
    return None


def _look(table: dict[Value, Value], name: str, args: list[Value], budget: Budget, line: int) -> Value:
    if name == "get":
        if not 1 <= len(args) <= 2:
            raise StarlarkError("get() takes a key and maybe a default", line)
        return table.get(key_of(args[0], line), args[1] if len(args) == 2 else None)
    if args:
        raise StarlarkError(f"{name}() takes no argument", line)
    budget.make(2 * len(table), line)
    match name:
        case "keys":
            return list(table)
        case "values":
            return list(table.values())
        case _:
            return list(table.items())
