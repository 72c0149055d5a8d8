import contextlib
import string
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_kernel.policy.starlark import run
from codex_kernel.policy.starlark_values import StarlarkError


def seen(source: str) -> list[Any]:
    """What a file hands to `see(…)`."""
    found: list[Any] = []
    run(source, {"see": lambda line, args, named: found.append(args[0] if args else named)})
    return found


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("see(['a', \"b\"])", ["a", "b"]),
        ("see(pattern = ['a'], decision='x')", {"pattern": ["a"], "decision": "x"}),
        ("A = ['git']\nB = A + ['status']  # a comment\nsee(B)", ["git", "status"]),
        ("name = 'x'\nsee(f'{name}-{1 + 1}')", "x-2"),
        ("see([w + '!' for w in ['a', 'b'] if w != 'a'])", ["b!"]),
        ("see([x + y for x in ['a', 'b'] for y in ['c', 'd']])", ["ac", "ad", "bc", "bd"]),
        ("def f(a, b='z'):\n    return a + b\nsee(f('y') + f(b='2', a='1'))", "yz12"),
        (
            "out = []\nfor w in ('a', 'b', 'c'):\n    if w == 'b':\n        continue\n    out.append(w)\nsee(out)",
            ["a", "c"],
        ),
        ("def first(xs):\n    for x in xs:\n        return x\nsee(first(['q']))", "q"),
        ("t = {'a': ['x'], 'b': ['y']}\nsee([k for k in t] + t['a'] + t.get('c', ['none']))", ["a", "b", "x", "none"]),
        ("see('a b c'.split()[1:])", ["b", "c"]),
        ("see(','.join(sorted(['b', 'a'])).upper())", "A,B"),
        ("see('x' if len([1, 2]) >= 2 and not False else 'y')", "x"),
        ("a, b = ['1', '2']\nsee(b + a)", "21"),
        ("x = 1\nx += 2\nsee(-x)", -3),
        ("see([i for i, w in enumerate(['a', 'b']) if w in ('b',)])", [1]),
        ("pass\nsee(None)", None),
    ],
)
def test_what_rule_files_use_of_the_language_works(source: str, value: object) -> None:
    assert seen(source) == [value]


@pytest.mark.parametrize(
    ("source", "line", "words"),
    [
        ("import os", 1, "import"),
        ("x = 1\nload('//a', 'b')", 2, "no load"),
        ("see(().__class__)", 1, "no .__class__"),
        ("see('{0.__class__}'.format(see))", 1, "no .format"),
        ("see(open('/etc/passwd'))", 1, "no open"),
        ("see(__builtins__)", 1, "no __builtins__"),
        ("while True:\n    pass", 1, "while"),
        ("class A:\n    pass", 1, "class"),
        ("try:\n    pass\nexcept E:\n    pass", 1, "Try"),
        ("with see() as x:\n    pass", 1, "With"),
        ("see(lambda: 1)", 1, "lambda"),
        ("see(*[1])", 1, "*"),
        ("see(**{'a': 1})", 1, "**"),
        ("@see\ndef f():\n    pass", 2, "FunctionDef"),
        ("async def f():\n    pass", 1, "AsyncFunctionDef"),
        ("def f(*a):\n    pass", 1, "plain arguments"),
        ("def f():\n    return f()\nf()", 2, "calls itself"),
        ("see = 1", 1, "has a meaning already"),
        ("len = 1", 1, "has a meaning already"),
        ("return", 0, "return stands outside"),
        ("see(1.5)", 1, "only strings"),
        ("see(b'x')", 1, "only strings"),
        ("see(f'{1:>99999}')", 1, "f-strings"),
        ("see(f'{see!r}')", 1, "f-strings"),
        ("see(1 < 2 < 3)", 1, "Compare"),
        ("see(2 ** 99)", 1, "cannot be combined"),
        ("see(1 << 99)", 1, "cannot be combined"),
        ("see('%s' % 1)", 1, "cannot be combined"),
        ("see([1][5])", 1, "no entry 5"),
        ("see('a')\nsee(", 2, "syntax is wrong"),
        ("fail('no ' + 'way')", 1, "fail: no way"),
        ("for i in range(10):\n    see(i)\nelse:\n    pass", 1, "For"),
        ("see(x := 1)", 1, ":="),
        ("global x", 1, "Global"),
        ("x: int = 1", 1, "AnnAssign"),
        ("del x", 1, "Delete"),
    ],
)
def test_anything_else_is_an_error_that_names_its_line(source: str, line: int, words: str) -> None:
    with pytest.raises(StarlarkError) as caught:
        seen(source)
    assert caught.value.line == line
    assert words in str(caught.value)


BOMBS = {
    "string": "x = 'aaaaaaaaaa'\nfor i in range(60):\n    x = x + x",
    "repeated string": "x = 'a' * 9999999999",
    "list": "x = [1] * 9999999999",
    "range": "range(9999999999)",
    "loops": "for a in range(999):\n  for b in range(999):\n    for c in range(999):\n      pass",
    "growing while looping": "x = [1]\nfor i in range(99):\n    x.extend(x)",
    "shared lists compared": "a = ['x']\nb = ['x']\nfor i in range(200):\n    a = [a, a]\n    b = [b, b]\na == b",
    "shared lists looked for": "a = ['x']\nb = ['x']\nfor i in range(200):\n    a = [a, a]\n    b = [b, b]\na in [b]",
    "shared tuple as key": "a = ('x',)\nfor i in range(200):\n    a = (a, a)\n{a: 1}",
    "shared list as text": "a = ['x']\nfor i in range(200):\n    a = [a, a]\nstr(a)",
    "f-string": "x = 'aaaaaaaaaa'\nfor i in range(60):\n    x = f'{x}{x}'",
    "join": "x = 'aaaaaaaaaa'\nfor i in range(60):\n    x = x.join([x, x])",
    "numbers": "x = 9\nfor i in range(60):\n    x = x * x",
    "call tower": "\n".join(f"def f{i}():\n    {f'f{i - 1}()' if i else 'pass'}" for i in range(500)) + "\nf499()",
    "deep brackets": "x = " + "[" * 5000 + "]" * 5000,
    "deep minus": "x = " + "-" * 100_000 + "1",
    "long sum": "x = " + "+".join(["1"] * 50_000),
    "deep blocks": "\n".join(" " * i + "if True:" for i in range(99)) + "\n" + " " * 99 + "pass",
    "null": "x = 'a\0b'",
    "comprehensions": "x = [[a for a in range(99)] for b in range(9999)]",
    "huge number": "x = " + "9" * 5000,
    "long file": "#" * 600_000,
}


@pytest.mark.parametrize("name", [name for name in BOMBS if name not in {"deep blocks"}])
def test_a_file_made_to_take_long_or_much_memory_is_refused_soon(name: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(StarlarkError):
            seen(BOMBS[name])
        assert tracemalloc.get_traced_memory()[1] < 300 * 2**20
    finally:
        tracemalloc.stop()


@given(st.text(alphabet=string.printable, max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_text_is_evaluated_or_refused_with_one_error(source: str) -> None:
    with contextlib.suppress(StarlarkError):
        seen(source)


_WORDS = "see ( ) [ ] { } 'a' 1 , : = + * - for in if else x def return not and == . append join range len f'{x}'"
_PIECES = st.sampled_from([*_WORDS.split(), " ", "\n", "\n    ", "def f(", "x = "])


@given(st.lists(_PIECES, max_size=40).map("".join))
@settings(max_examples=500, deadline=None)
def test_any_mixture_of_the_languages_words_is_evaluated_or_refused_with_one_error(source: str) -> None:
    with contextlib.suppress(StarlarkError):
        seen(source)
