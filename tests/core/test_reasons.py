"""Why a forecast says what it says: words for every code, both ways, in both languages."""

from __future__ import annotations

import pytest

from core.forecast import REASONS, Reason
from core.reasons import driver_word, missing_text, model_word, reason_text
from core.texts import LANGUAGES, NBSP


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("code", REASONS)
def test_every_code_has_words(code: str, lang: str) -> None:
    """One sentence each way, and the two ways differ (persistence has none to choose)."""
    up, down = (reason_text(Reason(code=code, name="discharge", effect=effect, lead=1), lang) for effect in (0.01, -0.01))
    assert (up == down) == (code == "persistence")
    for text in (up, down):
        assert text[0].isupper()
        assert text.endswith(".")
        assert "g/L" not in text, "a hundredth is no number to tell"


def test_how_much() -> None:
    """What can be told as a number is, without its sign."""
    assert reason_text(Reason(code="season", effect=-1.26, lead=1), "vi") == f"Mùa này thường ngọt, bớt mặn chừng 1,3{NBSP}g/L."
    assert reason_text(Reason(code="season", effect=1.26, lead=1), "en") == f"This season is usually salty, about 1.3{NBSP}g/L saltier."


def test_drivers_and_models_by_name() -> None:
    """A known kind in words with its place behind it, by the name it has where that is known; what we have no word for as it is called."""
    assert driver_word("level.my-tho", "vi") == "mực nước My Tho"
    assert driver_word("level.my-tho", "vi", {"my-tho": "Mỹ Tho"}.__getitem__) == "mực nước Mỹ Tho"
    assert driver_word("discharge", "en") == "the discharge upstream"
    assert driver_word("chlorophyll", "vi") == "chlorophyll"
    assert missing_text("discharge", "vi") == "Thiếu số liệu lưu lượng thượng nguồn, nên khoảng báo rộng hơn."
    assert model_word("persistence", "en") == "“tomorrow as today”"
    assert model_word("somebody", "vi") == "somebody"
