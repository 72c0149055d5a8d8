"""The reference of all keys stands in the README and says something about each."""

from pathlib import Path

import pytest

from codex_kernel.config.reference import Key, all_keys, with_reference

README = Path(__file__).parents[3] / "kernel" / "README.md"


def test_reference_in_the_readme_is_up_to_date() -> None:
    text = README.read_text("utf-8")
    assert with_reference(text) == text, "run: python -m codex_kernel.config.reference kernel/README.md"


@pytest.mark.parametrize("key", all_keys(), ids=lambda key: key.path)
def test_key_says_what_it_does_and_of_what_type_it_is(key: Key) -> None:
    assert key.doc.endswith(".")
    assert key.type not in {"", "a value"}


def test_section_is_added_to_a_readme_without_one() -> None:
    text = with_reference("# Title\n")
    assert text.startswith("# Title\n\n## Settings\n")
    assert with_reference(text) == text
