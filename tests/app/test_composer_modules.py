"""What the composer is made of that needs no browser: tokens, long pastes, the past, stepping back."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.page_modules import evaluate

TOKENS = [
    ("@test", 0, "test"),
    ("@test", 1, "test"),
    ("@test", 5, "test"),
    ("@file1 @file2", 0, "file1"),
    ("@file1 @file2", 8, "file2"),
    ("@", 1, ""),
    ("hello", 2, None),
    ("", 0, None),
    ("aaa@aaa", 4, None),
    ("aaa @aaa", 5, "aaa"),
    ("test\t@file", 6, "file"),
    ("@ hello", 2, None),
    ("test @ world", 6, None),
    ("@İstanbul", 3, "İstanbul"),
    ("@诶", 1, "诶"),
    ("@ЙЦУ\u3000@诶", 5, "诶"),
]


def test_the_word_at_the_caret_is_found_as_the_table_says(tmp_path: Path) -> None:
    cases = json.dumps([[text, caret] for text, caret, _ in TOKENS])
    found = evaluate(tmp_path, "tokens.js", f"return {cases}.map(([t, c]) => m.tokenAt(t, c, '@')?.query ?? null)")
    assert found == [query for *_, query in TOKENS]


def test_a_command_is_written_while_the_caret_is_in_the_first_word_of_a_slash(tmp_path: Path) -> None:
    cases = [("/sta", 4, "sta"), ("/model x", 3, "model"), ("/model x", 8, None), ("a /b", 4, None), ("/", 1, "")]
    found = evaluate(
        tmp_path,
        "tokens.js",
        f"return {json.dumps([c[:2] for c in cases])}.map(([t, c]) => m.commandAt(t, c)?.query ?? null)",
    )
    assert found == [query for *_, query in cases]


def test_a_long_paste_stands_as_a_label_and_is_sent_whole(tmp_path: Path) -> None:
    found = evaluate(
        tmp_path,
        "pastes.js",
        """
        const pastes = new m.Pastes()
        const short = pastes.fold('x'.repeat(1000)), first = pastes.fold('a\\r\\n' + 'x'.repeat(1003))
        const text = first + ' and ' + pastes.fold('y'.repeat(1007))
        const same = pastes.fold('z'.repeat(1007))
        const whole = pastes.expand(text), strange = pastes.expand('[Pasted Content 9 chars]')
        return [short.length, text, same, whole.length, whole.slice(0, 3), strange]""",
    )
    label = "[Pasted Content 1005 chars] and [Pasted Content 1007 chars]"
    assert found == [1000, label, "[Pasted Content 1007 chars #2]", 1005 + 5 + 1007, "a\nx", "[Pasted Content 9 chars]"]


def test_a_label_goes_as_one_and_what_it_stood_for_is_dropped(tmp_path: Path) -> None:
    found = evaluate(
        tmp_path,
        "pastes.js",
        """
        const pastes = new m.Pastes()
        const a = pastes.fold('a'.repeat(1005)), b = pastes.fold('b'.repeat(1006)), text = a + ' and ' + b
        const beside = (caret, forward) => pastes.beside(text, caret, forward)
        const at = [beside(a.length, false), beside(0, true), beside(a.length + 2, false)]
        pastes.prune(' and ' + b)
        return [a.length, at, [...pastes.kept.keys()], new m.Pastes([...pastes.kept]).expand(b).length]""",
    )
    length = len("[Pasted Content 1005 chars]")
    assert found == [length, [[0, length], [0, length], None], ["[Pasted Content 1006 chars]"], 1006]


def test_up_and_down_go_through_what_was_written_and_stay_at_the_oldest(tmp_path: Path) -> None:
    found = evaluate(
        tmp_path,
        "past.js",
        """
        const past = new m.Past(async () => ['one', 'two'])
        past.add('three'); past.add('three')
        const steps = []
        for (const by of [-1, -1, -1, -1, 1, 1, 1]) steps.push(await past.step(by))
        await past.step(-1)
        const at = [['three', 0], ['three', 5], ['three', 2], ['other', 0], ['', 0]]
        return [steps, ...at.map(([text, caret]) => past.active(text, caret))]""",
    )
    assert found == [["three", "two", "one", "one", "two", "three", ""], True, True, False, False, True]


def test_a_past_that_cannot_be_read_leaves_what_was_written_here(tmp_path: Path) -> None:
    script = "const past = new m.Past(async () => { throw 1 }); past.add('here'); return await past.step(-1)"
    assert evaluate(tmp_path, "past.js", script) == "here"


def test_escape_primes_then_opens_and_counts_only_in_an_empty_field_while_nothing_runs(tmp_path: Path) -> None:
    found = evaluate(
        tmp_path,
        "backtrack.js",
        """
        const steps = new m.Steps(), idle = {empty: true, busy: false}
        const said = [steps.escape({empty: false, busy: false}), steps.escape({empty: true, busy: true})]
        said.push(steps.escape(idle))
        steps.reset()
        said.push(steps.escape(idle), steps.escape(idle))
        const chosen = [steps.chosen(3)]
        for (const by of [1, 1, 1, -1]) { steps.step(by, 3); chosen.push(steps.chosen(3)) }
        steps.step(1, 0)
        return [said, chosen, steps.chosen(0)]""",
    )
    assert found == [["none", "none", "prime", "prime", "open"], [2, 1, 0, 2, 0], -1]
