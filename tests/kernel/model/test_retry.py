import pytest

from codex_kernel.model.retry import backoff_s, is_retryable, retry_after_s


@pytest.mark.parametrize(
    ("status", "retryable"),
    [
        (400, False), (401, False), (402, False), (403, False), (404, False), (408, True), (409, True), (413, False),
        (422, False), (425, True), (429, True), (500, True), (501, False), (502, True), (503, True), (504, True),
        (505, False), (529, True),
    ],
)  # fmt: skip
def test_only_what_may_succeed_later_is_retried(status: int, retryable: bool) -> None:
    assert is_retryable(status) is retryable


def test_the_pause_doubles_within_its_jitter_and_stays_below_a_minute() -> None:
    assert [round(backoff_s(n, lambda: 0.5), 3) for n in (1, 2, 3, 4)] == [0.2, 0.4, 0.8, 1.6]
    assert backoff_s(1, lambda: 0.0) == pytest.approx(0.18)
    assert backoff_s(1, lambda: 1.0) == pytest.approx(0.22)
    assert backoff_s(100, lambda: 0.5) == 60
    assert 0.18 <= backoff_s(1) <= 0.22


NOW = 1_000_000_000.0  # Sun, 09 Sep 2001 01:46:40 GMT


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9),
        ({"retry-after": "Sun, 09 Sep 2001 01:47:10 GMT"}, 30),
        ({"retry-after": "Sun, 09 Sep 2001 01:00:00 GMT"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, now=lambda: NOW) == seconds
