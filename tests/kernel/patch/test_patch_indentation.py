import pytest

from codex_kernel.patch.indentation import indented_alike

MEANT = {
    "a level too little": ([" f:", "-  x", "+  y", "+    z"], ["    f:", "      x"], ["      y", "        z"]),
    "a level too much": (["     f:", "-      x", "+      y"], ["f:", "  x"], ["  y"]),
    "a level of tabs too little": (["-x", "+y"], ["\tx"], ["\ty"]),
    "blanks for tabs": ([" all:", "     a", "+    b", "+      c"], ["all:", "\ta"], ["\tb", "\t  c"]),
    "eight blanks for a tab": (["-        a", "+        b", "+                c"], ["\ta"], ["\tb", "\t\tc"]),
    "a docstring": (["-x", "+def y():", '+  """Y.', '+  """'], ["  x"], ["  def y():", '    """Y.', '    """']),
    "blank lines stay blank": (["-x", "+", "+y", "+  "], ["  x"], ["", "  y", "  "]),
}


@pytest.mark.parametrize("name", MEANT)
def test_added_lines_are_indented_as_the_lines_they_stand_with(name: str) -> None:
    body, found, added = MEANT[name]
    assert [line[1:] for line in indented_alike(body, found) if line[0] == "+"] == added


UNCLEAR = {
    "as in the file": (["-x", "+  y"], ["x"]),
    "lines do not agree": ([" f:", "-  x", "+  y"], ["f:", "    x"]),
    "context whose sign was forgotten": ([" f", "  x", "+   y"], ["f", "   x"]),
    "all context a blank off": (["   f", "+    y"], ["    f"]),
    "the same blanks stand for blanks and for a tab": (["     a", "     b", "+    c"], ["    a", "\tb"]),
    "the patch is about indentation": (["-  x", "+    x"], ["    x"]),
    "an added line stands further left": (["-    x", "+ y"], ["  x"]),
    "trailing blanks alone": (["-  x ", "+ y"], ["  x"]),
    "tabs for blanks": (["-\tb.c", "+\tc.c", " all:", "+\techo"], ["    b.c", "all:"]),
    "removed lines alone are off": (["-x", "+    y"], ["    x"]),
    "removed lines alone are off, with context": ([" f:", "-  x", "+    y"], ["  f:", "    x"]),
    "nothing stands for a removed line": (["-x", " y", "+z"], ["  x", "  y"]),
    "text further left than all there is": (["-  x", "+  y", "+z"], ["    x"]),
    "a heredoc": (["-x", "+x <<'END'", "+y", "+END"], ["    x"]),
    "a string of several lines": (["-x", '+y = b"""', "+z", '+"""'], ["    x"]),
    "text between backticks": (["-    x", "+    x(`", "+    y`)"], ["\tx"]),
}


@pytest.mark.parametrize("name", UNCLEAR)
def test_added_lines_stay_as_they_are_where_what_was_meant_is_unclear(name: str) -> None:
    body, found = UNCLEAR[name]
    assert list(indented_alike(body, found)) == body
