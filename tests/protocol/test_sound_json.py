import msgspec
from hypothesis import given
from hypothesis import strategies as st

from codex_protocol.items import encode_item, user_message
from codex_protocol.sound_json import encode_json

HALF = "a\udcff"
VALUES = st.recursive(st.none() | st.integers(-9, 9) | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x))


def test_half_a_surrogate_pair_costs_one_character_wherever_it_stands() -> None:
    assert encode_json({HALF: [HALF, (HALF, {"x": HALF})]}) == b'{"a?":["a?",["a?",{"x":"a?"}]]}'
    assert b'"text":"a?"' in encode_item(user_message(HALF))


@given(VALUES)
def test_everything_else_is_the_same_json(value: object) -> None:
    assert msgspec.json.decode(encode_json(value)) == value
