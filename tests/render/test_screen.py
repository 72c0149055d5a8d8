import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_render.screen import Screen, columns_of, fit, wrap


class Sink:
    def __init__(self, *, live: bool = True, width: int = 40) -> None:
        self.written: list[str] = []
        self.screen = Screen(lambda data: self.written.append(data.decode()), live=live, width=lambda: width)

    @property
    def text(self) -> str:
        return "".join(self.written)


def test_the_status_line_is_taken_away_before_text_comes():
    sink = Sink()
    sink.screen.set_status("working")
    sink.screen.line("done")
    sink.screen.set_status("")
    assert sink.text == "\r\x1b[Kworking\r\x1b[Kdone\n"


def test_a_pipe_never_gets_a_status_line():
    sink = Sink(live=False)
    sink.screen.line("a")
    sink.screen.set_status("working")
    assert sink.text == "a\n"


def test_the_same_status_is_not_drawn_twice():
    sink = Sink()
    sink.screen.set_status("working")
    sink.screen.set_status("working")
    assert len(sink.written) == 1


def test_no_status_is_drawn_behind_an_unfinished_line():
    sink = Sink()
    sink.screen.put("half a li")
    sink.screen.set_status("working")
    sink.screen.put("ne")
    sink.screen.line("next")
    sink.screen.flush()
    assert sink.text == "half a line\nnext\n"


def test_the_status_line_never_reaches_the_last_column():
    sink = Sink(width=10)
    sink.screen.set_status("0123456789abc")
    assert sink.text == "\r\x1b[K01234567…"


@pytest.mark.parametrize("width", range(12))
@pytest.mark.parametrize(
    "text", ["ascii only text", "日本語のテキスト", "e\u0301e\u0301e\u0301e\u0301e\u0301", "a日b本c", ""]
)
def test_fitted_text_is_never_wider_than_it_may_be(text: str, width: int):
    assert sum(map(columns_of, fit(text, width))) <= width


def test_text_that_fits_is_left_alone():
    assert fit("日本", 4) == "日本"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("one two three four", ["one two", "  three", "  four"]),
        ("\x1b[1mone two\x1b[0m three", ["\x1b[1mone two\x1b[0m", "  three"]),
        ("a_long_word_stays whole", ["a_long_word_stays", "  whole"]),
        ("  ▶ step one", ["  ▶ step", "  one"]),
        ("全角 全角", ["全角", "  全角"]),
        ("short\nwords to  break", ["short", "words to", "  break"]),
        ("fits   ", ["fits   "]),
        ("a \x1b[2m b", ["a\x1b[2m  b"]),
        ("", [""]),
    ],
)
def test_words_are_broken_between_words(text: str, lines: list[str]):
    assert wrap(text, 8, hang=2).split("\n") == lines


@given(st.text("ab \n全\x1b", max_size=80), st.integers(0, 20), st.integers(0, 6))
def test_breaking_adds_and_loses_nothing_but_space(text: str, width: int, hang: int):
    text = text.replace("\x1b", "\x1b[2m")
    assert "".join(wrap(text, width, hang=hang).split()) == "".join(text.split())


def test_a_pipe_gets_every_sentence_on_one_line():
    for live, expected in ((True, "one two\n  three\n"), (False, "one two three\n")):
        sink = Sink(live=live, width=8)
        sink.screen.prose("one two three", hang=2)
        sink.screen.flush()
        assert sink.text == expected
