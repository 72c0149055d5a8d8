"""Bokeh figures of the inspector: how bars look in either theme, and the columns each of them is drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from bokeh.models import (
    BasicTicker,
    CategoricalAxis,
    CategoricalScale,
    ColumnDataSource,
    FactorRange,
    Grid,
    HBar,
    HoverTool,
    LinearAxis,
    NumeralTickFormatter,
    Plot,
    Range1d,
    Stack,
    TapTool,
    VBar,
)

from codex_render.styles import DARK, LIGHT

_FONT = "ui-sans-serif, system-ui, sans-serif"
_RAMP = {False: ("#0b62c4", "#9cc3ec", "#9a5b00", "#c9a06a"), True: ("#6cb0ff", "#2f5a86", "#f0b24a", "#8a6a35")}
"""By theme: two shades of input, two of output. Told apart in grey too."""
BAR_PX = 26


class Part(NamedTuple):
    """One column that bars are stacked from."""

    field: str
    label: str
    shade: int = 0
    """Index into the ramp."""


class Bars:
    """Stacked bars over one source; `theme` colours them anew, `put` shows other numbers.

    Args:
        name: What the browser finds figure and source by.
        title: What is shown, for people.
        parts: What is stacked, from the axis outwards.
        columns: What the table beside it shows: field and heading.
        across: Bars lie, one a line, and are named by the field `label`; else they stand on the field `x`.
        number: Bokeh's format of the amounts.
    """

    def __init__(
        self,
        name: str,
        title: str,
        parts: Sequence[Part],
        columns: Sequence[tuple[str, str]],
        *,
        across: bool = False,
        number: str = "0.[0]a",
    ) -> None:
        self.name = name
        self.parts = tuple(parts)
        self.across = across
        fields = dict.fromkeys(
            [*(field for field, _ in columns), *(part.field for part in parts), "label", "x", "goto"]
        )
        self._empty: dict[str, list[Any]] = {field: [] for field in fields}
        self._about: dict[str, Any] = {"title": title, "columns": [list(each) for each in columns], "words": ""}
        self.source: Any = ColumnDataSource({field: [] for field in fields}, name=f"{name}-numbers")
        self._glyphs = self._stacked([part.field for part in parts])
        self.figure: Any = self._plot(number)
        self.theme(dark=False)

    def put(self, columns: dict[str, list[Any]], words: str) -> None:
        """Show these numbers, and the sentence above them; nothing is sent when they are the same."""
        self._tell(words=words)
        data = {field: columns.get(field, []) for field in self._empty}
        length = max(map(len, data.values()), default=0)
        data = {field: values or [""] * length for field, values in data.items()}
        if data == self.source.data:
            return
        longest = max((sum(data[part.field][row] for part in self.parts) for row in range(length)), default=0)
        (self.figure.x_range if self.across else self.figure.y_range).end = longest * 1.05 or 1
        if self.across:
            self.figure.y_range.factors = list(reversed(data["label"]))
            self.figure.height = 40 + BAR_PX * max(1, length)
        elif length:
            self.figure.x_range.update(start=data["x"][0] - 0.6, end=max(data["x"][-1], data["x"][0] + 9) + 0.6)
        self.source.data = data

    def _tell(self, **about: Any) -> None:
        """What the browser writes beside the figure, in the source's tags."""
        told = {**self._about, **about}
        if told != self._about or not self.source.tags:
            self._about = told
            self.source.tags = [told]

    def theme(self, *, dark: bool) -> None:
        """Take the colours of the page."""
        colours = DARK if dark else LIGHT
        plot = self.figure
        for axis in plot.axis:
            axis.axis_label_text_color = axis.major_label_text_color = colours["muted"]
            axis.axis_line_color = axis.major_tick_line_color = colours["line"]
        for grid in plot.grid:
            grid.grid_line_color = colours["line"]
        for glyph, part in zip(self._glyphs, self.parts, strict=True):
            glyph.fill_color = _RAMP[dark][part.shade]
        self._tell(parts=[[part.label, _RAMP[dark][part.shade], part.field] for part in self.parts])

    def _stacked(self, fields: Sequence[str]) -> list[Any]:
        """A glyph a part, each beginning where the ones before it end."""
        glyphs: list[Any] = []
        for at, field in enumerate(fields):
            begin: Any
            end: Any
            begin, end = {"expr": Stack(fields=fields[:at])}, {"expr": Stack(fields=[*fields[:at], field])}
            if self.across:
                glyphs.append(HBar(y="label", left=begin, right=end, height=0.6, line_color=None))
            else:
                glyphs.append(VBar(x="x", bottom=begin, top=end, width=0.8, line_color=None))
        return glyphs

    def _plot(self, number: str) -> Any:
        amount = Range1d(start=0, end=1)
        ticker = BasicTicker(desired_num_ticks=4)
        formatter: Any = NumeralTickFormatter(format=number)
        amounts = LinearAxis(ticker=ticker, formatter=formatter, minor_tick_line_color=None)
        if self.across:
            ranges: dict[str, Any] = {
                "x_range": amount,
                "y_range": FactorRange(),
                "y_scale": CategoricalScale(),
                "height": 80,
            }
            names: Any = CategoricalAxis()
        else:
            ranges = {"x_range": Range1d(start=0.4, end=10.6), "y_range": amount, "height": 150}
            names = LinearAxis(ticker=BasicTicker(min_interval=1, num_minor_ticks=0))
        clear: dict[str, Any] = dict.fromkeys(("background_fill_color", "border_fill_color", "outline_line_color"))
        plot = Plot(name=self.name, sizing_mode="stretch_width", toolbar_location=None, min_border=4, **clear, **ranges)
        plot.add_layout(amounts, "below" if self.across else "left")
        plot.add_layout(names, "left" if self.across else "below")
        plot.add_layout(Grid(dimension=0 if self.across else 1, ticker=ticker))
        for axis in (amounts, names):
            axis.major_label_text_font = _FONT
            axis.major_label_text_font_size = "11px"
            axis.major_tick_in = 0
        for glyph in self._glyphs:
            # Bars look the same whether one of them was clicked or not.
            plot.add_glyph(self.source, glyph, selection_glyph=glyph, nonselection_glyph=glyph)
        plot.add_tools(TapTool(), HoverTool(tooltips=None))
        return plot
