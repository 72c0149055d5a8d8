"""Bokeh figures of the inspector: how bars look in either theme, and the columns each of them is drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from bokeh.models import ColumnDataSource, FactorRange, HoverTool, NumeralTickFormatter, Range1d, TapTool
from bokeh.plotting import figure

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
        parts: What is stacked, from the axis outwards.
        columns: What the table beside it shows: field and heading.
        across: Bars lie, one a line, and are named by the field `label`; else they stand on the field `x`.
        number: Bokeh's format of the amounts.
    """

    def __init__(
        self,
        name: str,
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
        self.source: Any = ColumnDataSource(
            {field: [] for field in fields}, name=f"{name}-numbers", tags=[list(column) for column in columns]
        )
        self.figure: Any = self._figure(number)  # Bokeh's properties are what no type checker can follow
        fields_of_parts = [part.field for part in parts]
        bar: dict[str, Any] = {"source": self.source, "line_width": 0, "selection_alpha": 1, "nonselection_alpha": 1}
        if across:
            self._bars = self.figure.hbar_stack(fields_of_parts, y="label", height=0.6, **bar)
        else:
            self._bars = self.figure.vbar_stack(fields_of_parts, x="x", width=0.8, **bar)
        self.theme(dark=False)

    def put(self, columns: dict[str, list[Any]]) -> None:
        """Show these numbers; nothing is sent when they are the same."""
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

    def theme(self, *, dark: bool) -> None:
        """Take the colours of the page."""
        colours = DARK if dark else LIGHT
        plot = self.figure
        plot.background_fill_color = plot.border_fill_color = colours["bg"]
        plot.outline_line_color = None
        for axis in plot.axis:
            axis.axis_label_text_color = axis.major_label_text_color = colours["muted"]
            axis.axis_line_color = axis.major_tick_line_color = colours["line"]
        for grid in plot.grid:
            grid.grid_line_color = colours["line"]
        for renderer, part in zip(self._bars, self.parts, strict=True):
            for glyph in (renderer.glyph, renderer.selection_glyph, renderer.nonselection_glyph):
                glyph.fill_color = _RAMP[dark][part.shade]

    def _figure(self, number: str) -> Any:
        amount = Range1d(start=0, end=1)
        lying: dict[str, Any] = {"x_range": amount, "y_range": FactorRange(), "height": 80}
        standing: dict[str, Any] = {"x_range": Range1d(start=0.4, end=10.6), "y_range": amount, "height": 150}
        plot: Any = figure(
            name=self.name,
            sizing_mode="stretch_width",
            toolbar_location=None,
            tools="",
            min_border=4,
            **(lying if self.across else standing),
        )
        amounts, names = (plot.xaxis, plot.yaxis) if self.across else (plot.yaxis, plot.xaxis)
        (plot.ygrid if self.across else plot.xgrid).visible = False
        formatter = NumeralTickFormatter(format=number)
        for axis in amounts:
            axis.formatter = formatter
            axis.ticker.desired_num_ticks = 4
        for axis in plot.axis:
            axis.major_label_text_font = axis.axis_label_text_font = _FONT
            axis.major_label_text_font_size = "11px"
            axis.minor_tick_line_color = None
        if not self.across:
            for axis in names:
                axis.ticker.num_minor_ticks = 0
        plot.add_tools(TapTool(), HoverTool(tooltips=None, attachment="vertical"))
        return plot
