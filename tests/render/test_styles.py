from __future__ import annotations

import re

import pytest

from codex_render.html_policy import allowed_classes
from codex_render.styles import DARK, LIGHT, css


def contrast(first: str, second: str) -> float:
    """Source: WCAG 2.2, relative luminance and contrast ratio."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_is_readable_wherever_it_stands(theme: dict[str, str]) -> None:
    for ground in ("bg", "surface", "sunken", "add", "del", "add-mark", "del-mark"):
        assert contrast(theme["text"], theme[ground]) >= 7, ground
    for name in ("muted", "accent", "wait", "bad", "good", "tok-keyword", "tok-string", "tok-number", "tok-comment"):
        for ground in ("bg", "sunken"):
            assert contrast(theme[name], theme[ground]) >= 4.5, (name, ground)
    for at in range(16):
        assert contrast(theme[f"ansi-{at}"], theme["sunken"]) >= 4.5, at
    assert contrast(theme["muted"], theme["add"]) >= 4.5
    assert contrast(theme["muted"], theme["del"]) >= 4.5


def test_both_themes_define_the_same_properties_and_all_that_is_used() -> None:
    assert LIGHT.keys() == DARK.keys()
    assert set(re.findall(r"var\(--([\w-]+)\)", css())) <= LIGHT.keys()


def test_the_sheet_stays_inside_its_scope_and_fetches_nothing() -> None:
    assert "url(" not in css()
    assert "@import" not in css()
    for selectors in re.findall(r"^([^@{}\n]+)\{", css(), re.MULTILINE):
        for selector in selectors.split(","):
            assert ".codex" in selector, selector
    for selectors in re.findall(r"^([^@{}\n]+)\{", css(":host"), re.MULTILINE):
        assert all(":host" in selector for selector in selectors.split(",")), selectors


def test_the_classes_of_the_allow_list_are_styled() -> None:
    sheet = css()
    own = {name for names in allowed_classes().values() for name in names if not name.startswith("tok-")}
    plain = {"file-link", "image-link", "image-ref", "align-left", "md-h3", "md-h4", "md-h5", "md-h6"}
    for name in own - plain:
        assert f".{name}" in sheet, name
