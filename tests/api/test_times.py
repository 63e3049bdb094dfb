"""Times in queries: one instant however it is written; without a zone none."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.problem import Problem, told
from api.times import query_time
from core.texts import LANGUAGES

MARCH = 1_772_298_000_000  # 2026-02-28T17:00:00Z, local midnight of 1 March


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T00:00:00+07:00",
        "2026-03-01T00:00:00 07:00",  # a raw + in a URL
        "2026-03-01T00:00 07:00",
        "2026-03-01T00:00:00.000 07:00",
        "2026-03-01T00:00:00 0700",
        "2026-02-28T17:00:00Z",
        "2026-02-28 17:00:00Z",
        " 2026-02-28T17:00:00Z ",
        "2026-02-28T12:00:00-05:00",
    ],
)
def test_one_instant_however_written(text: str) -> None:
    """With +07:00, with its + turned into a space, in Z or with another offset: the same time."""
    assert query_time("start", text) == MARCH


@given(st.datetimes(datetime(1901, 1, 1), datetime(2099, 1, 1)), st.integers(-23 * 60, 23 * 60))  # noqa: DTZ001 the zone follows
def test_any_offset(naive: datetime, minutes: int) -> None:
    """Any offset gives the instant Python's own arithmetic gives, floored to ms; a positive one also with its + lost."""
    moment = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    wanted = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert query_time("start", moment.isoformat()) == wanted
    assert query_time("start", moment.isoformat().replace("+", " ")) == wanted


@pytest.mark.parametrize("text", ["2026-03-01T00:00:00", "2026-03-01", "2026-03-01 00:00", "20260301", "2026-03-01T00"])
@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_time_without_a_zone_is_refused(text: str, lang: str) -> None:
    """422 that names the parameter, the value and how to write it, %2B too, in both languages: never read as UTC or as local."""
    with pytest.raises(Problem) as raised:
        query_time("start", text)
    about = told(raised.value, lang)
    assert about.status == 422
    for part in ("start", text, "%2B07:00", "zone" if lang == "en" else "múi giờ"):
        assert part in about.detail


@pytest.mark.parametrize("text", ["", "yesterday", "1772420400", "2026-13-01T00:00:00Z", "2026-03-01 07:00 07:00 07:00", "T00:00:00Z", "2026-03-01T25:00:00Z"])
def test_what_is_no_time_is_refused(text: str) -> None:
    """422 that shows how a time is written."""
    with pytest.raises(Problem) as raised:
        query_time("end", text)
    assert "%2B07:00" in told(raised.value, "en").detail


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "1899-12-31T23:59:59Z", "2100-01-01T00:00:01Z", "9999-12-31T23:59:59Z"])
def test_times_no_store_knows_are_refused(text: str) -> None:
    """422 that names the bounds, where InfluxDB would overflow."""
    with pytest.raises(Problem) as raised:
        query_time("end", text)
    assert "1900-01-01T00:00:00Z" in told(raised.value, "en").detail


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_a_problem(text: str) -> None:
    """No other exception comes of it, and a time lies within what every store knows."""
    with suppress(Problem):
        assert -2_208_988_800_000 <= query_time("start", text) <= 4_102_444_800_000
