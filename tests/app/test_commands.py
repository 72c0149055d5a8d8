"""The registry of commands, without a browser."""

from __future__ import annotations

from pathlib import Path

from tests.support.page_modules import evaluate

PAGE = """
const said = []
const asked = []
const page = new Proxy({say: text => said.push(text), ask: message => { asked.push(message.type) }, busy: () => busy},
  {get: (known, name) => known[name] ?? ((...words) => { asked.push(name) })})
let busy = false
const registry = new m.Registry(page)
"""


def test_every_command_does_something_and_is_told_about_in_one_line(tmp_path: Path) -> None:
    dumb = evaluate(
        tmp_path,
        "commands.js",
        PAGE
        + """
        const dumb = []
        for (const command of m.COMMANDS) {
          said.length = asked.length = 0
          await registry.run(command.name, command.argument ? 'some words' : '')
          if (!asked.length || said.length || !command.about || command.about.includes('\\n')) dumb.push(command.name)
        }
        return dumb""",
    )
    assert dumb == []


def test_names_and_keys_are_given_once(tmp_path: Path) -> None:
    names, keys = evaluate(
        tmp_path,
        "commands.js",
        """return [m.COMMANDS.flatMap(c => [c.name, ...(c.also || [])]), m.COMMANDS.flatMap(c => c.keys || [])]""",
    )
    assert len(names) == len(set(names))
    assert len(keys) == len(set(keys))


def test_a_key_a_line_and_a_name_run_the_same_command(tmp_path: Path) -> None:
    found = evaluate(
        tmp_path,
        "commands.js",
        PAGE
        + """
        const key = (key, more, where) => registry.byKey({key, code: '', altKey: false, ctrlKey: false, ...more}, where)
        const found = [key('n', {code: 'KeyN', altKey: true}), registry.parse('/new').command, registry.find('new'),
          key('?', {shiftKey: true}), key('?', {}, {writing: true}), key('n'), registry.parse('/nothing'),
          registry.parse('new')]
        return [...found.map(command => command?.name), registry.parse('/rename a name ').words]""",
    )
    assert found == ["new", "new", "new", "keys", None, None, None, None, "a name"]


def test_a_command_that_must_wait_says_so_while_a_turn_runs(tmp_path: Path) -> None:
    said, asked = evaluate(
        tmp_path, "commands.js", PAGE + "busy = true; await registry.run('compact'); return [said, asked]"
    )
    assert asked == []
    assert "/compact waits until the running turn has ended" in said[0]


def test_letters_find_names_as_the_table_says(tmp_path: Path) -> None:
    cases = [
        ("hello", "hl", [0, 2], -99),
        ("abc", "abc", [0, 1, 2], -100),
        ("a-b-c", "abc", [0, 2, 4], -98),
        ("file_name", "file", [0, 1, 2, 3], -100),
        ("my_file_name", "file", [3, 4, 5, 6], 0),
        ("FooBar", "foO", [0, 1, 2], -100),
        ("İstanbul", "is", [0, 1], -99),
        ("straße", "strasse", None, None),
    ]
    found = evaluate(
        tmp_path, "fuzzy.js", f"return {[[name, query] for name, query, *_ in cases]}.map(([n, q]) => m.match(n, q))"
    )
    assert found == [None if at is None else {"score": score, "indices": at} for _, _, at, score in cases]


def test_of_names_that_match_alike_the_one_that_begins_like_the_query_is_first(tmp_path: Path) -> None:
    names = ["settings", "status", "theme"]
    found = evaluate(tmp_path, "fuzzy.js", f"return m.ranked({names}, 'stt', name => name).map(hit => hit.item)")
    assert found == ["status", "settings"]
