"""The salinity ruler: words in fields, a pointer at the value, the limit as a bar."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import check, read, words

from api.web.charts.ruler import WIDTH, ruler
from core.texts import LANGUAGES


@given(st.none() | st.floats(-1, 50) | st.just(math.nan), st.sampled_from([0.3, 0.5, 1, 1.5, 4, 8, 12]), st.sampled_from(LANGUAGES), st.booleans())
def test_any_value(value: float | None, limit: float, lang: str, stale: bool) -> None:
    """Law: whatever is measured, the ruler is whole, within its width, and names all five bands."""
    chart = ruler(value, limit, lang, stale=stale)
    check(chart)
    tree = read(chart.svg)
    for box in tree.iter("{http://www.w3.org/2000/svg}rect"):
        assert float(box.get("x", "0")) >= 0
        assert float(box.get("x", "0")) + float(box.get("width", "0")) <= WIDTH + 0.1
    assert [box.get("fill") for box in tree.iter("{http://www.w3.org/2000/svg}rect")][:5] == [f"var(--s{i})" for i in range(5)]


def test_it_says_what_it_shows() -> None:
    """Value, band and limit in the picture, in the sentence and in the table."""
    chart = ruler(3.2, 1, "vi", stale=False)
    assert {"Ngọt", "Hơi lợ", "Lợ", "Mặn", "Rất mặn", "3,2", "giới hạn 1"} <= set(words(chart.svg))
    assert chart.sentence == "Thước mặn: 3,2\u00a0g/L, mặn."
    assert chart.rows == (("3,2\u00a0g/L", "Mặn", "1\u00a0g/L"),)


def test_an_old_value_is_dashed_and_named_old() -> None:
    """A stale value has no band: it is drawn dashed and called an old reading."""
    chart = ruler(2.7, 1, "vi", stale=True)
    assert "stroke-dasharray" in chart.svg
    assert "stroke-dasharray" not in ruler(2.7, 1, "vi", stale=False).svg
    assert chart.sentence == "Thước mặn: số cũ 2,7\u00a0g/L."
    assert chart.rows[0][1] == "Số cũ"


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_no_value_no_pointer(value: float | None) -> None:
    """Nothing points anywhere where nothing is known."""
    chart = ruler(value, 1, "vi", stale=False)
    assert chart.sentence == "Thước mặn: chưa có số."
    assert len(words(chart.svg)) == len(words(ruler(3.2, 1, "vi", stale=False).svg)) - 1
