"""Places that a search found: what the page shows of them, and which entry of a conversation they lead to."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_app.entries import CommandEntry, Entry, TextEntry
from codex_app.search import FILTERS, find_entry, search
from codex_protocol.errors import UsageError
from codex_store.home import Home
from codex_store.rollout_writer import RolloutWriter
from tests.support.rollouts import call, home_at, new_meta, output, write_turn

SHELL = '{"command": ["bash", "-lc", "grep -rn needle <src>"], "workdir": "/w"}'


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = home_at(tmp_path)
    with RolloutWriter.create(made, new_meta()) as writer:
        write_turn(writer, "Where is the needle?", call("c1", arguments=SHELL), output("c1", "x\nneedle \u202ehere\ny"))
    with RolloutWriter.create(made, new_meta()) as writer:
        write_turn(writer, "another needle")
    return made


async def test_words_are_marked_and_hidden_characters_shown(home: Home) -> None:
    [place] = await search(home, "needle here", "printed", "")
    assert [text for text, marked in place["pieces"] if marked] == ["needle", "here"]
    assert "\u202e" not in str(place["pieces"])
    assert place["line"].startswith("needle")


async def test_filters_and_one_thread_alone(home: Home) -> None:
    every = await search(home, "needle", "all", "")
    assert sorted(place["kind"] for place in every) == ["command", "output", "prompt", "prompt"]
    assert {place["kind"] for place in await search(home, "needle", "run", "")} == {"command"}
    one = every[0]["thread"]
    assert {place["thread"] for place in await search(home, "needle", "all", one)} == {one}
    assert set(FILTERS) == {"all", "said", "run", "printed", "patched"}


async def test_a_search_for_no_word_says_so(home: Home) -> None:
    with pytest.raises(UsageError):
        await search(home, "...", "all", "")


def command(script: str, printed: str) -> CommandEntry:
    entry = CommandEntry(steps=[["Run", script]], exploring=False, script=script, cwd="", sandboxed=True, yours=False)
    entry.end(printed, state="done")
    return entry


def answer(text: str) -> TextEntry:
    entry = TextEntry("answer", None)
    entry.append(text)
    entry.finish()
    return entry


def test_a_place_is_the_entry_that_says_it_in_its_turn() -> None:
    entries: dict[str, Entry] = {
        "u1": Entry("user", text="find it", number=1),
        "c1": command("grep -rn <a>", "src/a.py: <b>needle</b>"),
        "a1": answer("The **needle** is in `a.py`."),
        "u2": Entry("user", text="find it again", number=2),
        "c2": command("grep -rn <a>", "nothing"),
        "p2": Entry("patch", what="a.py", html='<span class="dn">12</span><span class="dt">the &lt;needle&gt;</span>'),
    }
    assert find_entry(entries, "output", "src/a.py: <b>needle</b>", 1) == "c1"
    assert find_entry(entries, "answer", "needle** is in", 1) == "a1"
    assert find_entry(entries, "command", "grep -rn <a>", 2) == "c2"
    assert find_entry(entries, "command", "grep -rn <a>", None) == "c1"
    assert find_entry(entries, "patch", "+the <needle>", 2) == "p2"
    assert find_entry(entries, "prompt", "find it again", None) == "u2"
    assert find_entry(entries, "output", "stands nowhere", 2) == "u2"
    assert find_entry(entries, "output", "stands nowhere", None) is None
