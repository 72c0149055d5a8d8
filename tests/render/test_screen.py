import pytest

from codex_render.screen import Screen, columns_of, fit


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
