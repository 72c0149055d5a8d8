from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_render.file_links import editor_links
from codex_render.html_policy import ATTRIBUTES, TAGS, allowed_classes
from codex_render.markdown import MAX_BLOCK_CHARS, to_html
from tests.support.growth import assert_linear
from tests.support.hostile_texts import HOSTILE
from tests.support.html_check import Checked, check

LINKED = editor_links("vscode", "/repo", exists=None)
hostile_texts = st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=6)), max_size=25).map("".join)


def parsed(html: str) -> Checked:
    checked = check(html, TAGS, ATTRIBUTES)
    classes = allowed_classes()
    for tag, attributes in checked.elements:
        assert set((attributes.get("class") or "").split()) <= classes.get(tag, set())
    return checked


@settings(max_examples=600, deadline=None)
@given(hostile_texts)
def test_nothing_outside_the_allow_list_is_ever_made_of_any_text(text: str) -> None:
    checked = parsed(to_html(text, open_file=LINKED))
    for link in checked.links:
        assert link.startswith(("http://", "https://", "mailto:", "vscode://file/")), link
    assert not parsed(to_html(text)).links or all(
        link.startswith(("http://", "https://", "mailto:")) for link in parsed(to_html(text)).links
    )


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(["<b>", "a", "&", '"', "'", "\u202e", "\x07", "\n", "x = 1", "\x0c"]), max_size=30))
def test_code_is_shown_as_it_was_written(lines: list[str]) -> None:
    code = "".join(lines).strip("\n").replace("\x0c", "f")
    shown = parsed(to_html(f"~~~~~~python\n{code}\n~~~~~~\n")).text
    assert shown.strip("\n") == code.replace("\u202e", "<U+202E>").replace("\x07", "\u2407")


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a **b** _c_ ~~d~~ `e`", "<p>a <strong>b</strong> <em>c</em> <s>d</s> <code>e</code></p>\n"),
        ("# One\n### Three", '<h3 class="md-h1">One</h3>\n<h3 class="md-h3">Three</h3>\n'),
        ("3. a\n4. b", '<ol start="3">\n<li>a</li>\n<li>b</li>\n</ol>\n'),
        (
            "| a |\n|--:|\n| 1 |",
            '<div class="md-table"><table>\n<thead>\n<tr>\n<th class="align-right">a</th>\n</tr>\n</thead>\n<tbody>\n'
            '<tr>\n<td class="align-right">1</td>\n</tr>\n</tbody>\n</table></div>\n',
        ),
        (
            "```py\nx\n```",
            '<div class="code-block" data-copy="code" data-lang="py"><pre tabindex="0"><code>'
            '<span class="tok-n">x</span>\n</code></pre></div>\n',
        ),
        (
            "![a cat](https://x.y/cat.png)",
            '<p><a class="image-link" href="https://x.y/cat.png" title="https://x.y/cat.png" target="_blank" '
            'rel="noopener noreferrer">image: a cat</a></p>\n',
        ),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>\n"),
        ("[x][y]\n\n[y]: https://a.b", None),
        (
            "- [ ] a\n- [x] b",
            '<ul>\n<li><span class="task-open">\u2610</span> a</li>\n'
            '<li><span class="task-done">\u2611</span> b</li>\n</ul>\n',
        ),
        ("a\r\nb\rc", "<p>a\nb\nc</p>\n"),
        ("", ""),
    ],
)
def test_markdown_is_drawn(text: str, html: str | None) -> None:
    drawn = to_html(text)
    parsed(drawn)
    assert html is None or drawn == html


@pytest.mark.parametrize(
    ("text", "opened"),
    [
        ("See `src/app.py:12`.", [("src/app.py", 12)]),
        ("See src/app.py:12, and lib/x.rs:3-9.", [("src/app.py", 12), ("lib/x.rs", 3)]),
        ("At app.py:7:3 it fails", [("app.py", 7)]),
        ("【F:src/main.rs†L42-L50】【F:a b.py†L1】", [("src/main.rs", 42), ("a b.py", 1)]),
        ("[the parser](src/parse.py#L40-L50) and [it](/abs/x.py:3)", [("src/parse.py", 40), ("/abs/x.py", 3)]),
        ("[read](README.md)", [("README.md", None)]),
        ("[f](file:///abs/y.py)", [("/abs/y.py", None)]),
        ("localhost:8080, 12:30, 3:1, example.com:80, http://a.b/c.py:12, a::b", []),
        ("`print(a.py:3)` [x](#here) [y](?q) [z](//host/p)", []),
        ("```\nsrc/app.py:12\n```\n\n    src/app.py:12\n", []),
        ("[src/app.py:12](https://x.y)", []),
    ],
)
def test_references_to_files_are_found(text: str, opened: list[tuple[str, int | None]]) -> None:
    asked: list[tuple[str, int | None]] = []

    def open_file(path: str, line: int | None) -> str | None:
        asked.append((path, line))
        return None

    drawn = to_html(text, open_file=open_file)
    assert asked == opened
    assert drawn.count('class="file-ref"') == len(opened)


def test_a_file_opens_in_the_editor_of_the_settings(tmp_path) -> None:
    (tmp_path / "a b.py").write_text("")
    for opener in ("vscode", "vscode-insiders", "windsurf", "cursor"):
        open_file = editor_links(opener, tmp_path)
        assert open_file("a b.py", 3) == f"{opener}://file{tmp_path}/a%20b.py:3"
        assert open_file("missing.py", 3) is None
    assert editor_links("none", tmp_path)("a b.py", 3) is None


@pytest.mark.parametrize(
    "text",
    [
        "[" * 50_000,
        "![" * 10_000,
        "*a " * 30_000,
        "_" * 50_000,
        "`" * 20_000 + "a" + "`a``b" * 5_000,
        "> " * 2_000 + "a",
        "- " * 2_000 + "a",
        "\n".join("  " * (n % 500) + "- a" for n in range(2_000)),
        "a/" * 20_000,
        "https://a.b/" + "(" * 20_000,
        "https://a.b/" + ")" * 20_000,
        "<" * 50_000,
        "&" * 50_000,
        "|" * 20_000 + "\n" + "|-" * 10_000,
        "```py\n" + "(" * 19_000,
        "```py\n" + '"' * 19_000,
        "```html\n" + "<a " * 6_000,
        "【F:" * 10_000,
        "a." * 20_000 + ":1",
        "\\" * 50_000,
        "[a](" * 10_000,
        "[a](<" * 10_000,
    ],
    ids=lambda text: repr(text[:12]),
)
def test_no_text_takes_long(text: str) -> None:
    parsed(to_html(text, open_file=LINKED))
    assert_linear(lambda part: to_html(part, open_file=LINKED), text)


def test_a_huge_block_is_shown_as_it_was_written() -> None:
    text = "**word** " * (MAX_BLOCK_CHARS // 9 + 1)
    assert to_html(text).startswith('<pre class="md-plain" tabindex="0">**word** **word**')
