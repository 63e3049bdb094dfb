"""Texts: the same keys and placeholders in both languages, every word of the look, numbers as people write them."""

from __future__ import annotations

import re
import string
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import NotFoundError
from core.texts import LANGUAGES, NBSP, age, number, say, silence, texts

# The keys of the look; a text may be added, and none of these may go.
WORDS = [
    "verdict.0",
    "verdict.0.durian",
    "verdict.1",
    "verdict.2",
    "verdict.3",
    "verdict.4",
    "until",
    "window",
    "window.none",
    "window.check",
    "trend.up",
    "trend.down",
    "measured",
    "forecast",
    "sure.9",
    "sure.8",
    "sure.5",
    "sure.2",
    "sure.none",
    "unknown",
    "silent",
    "fault",
    "stale",
    "offline",
    "offline.send",
    "alert.holds",
    "alert.update",
    "allclear",
    "ack",
    "listen",
    "call",
    "remind",
    "trust",
    "report.sent",
    "empty.places",
    "empty.alerts",
    "error.server",
    "unit.help",
    "sms",
]

GSM7 = set("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà")


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_the_same_keys() -> None:
    """Both languages say the same things, and all words of the look are there."""
    assert LANGUAGES == ("vi", "en")
    assert texts("vi").keys() == texts("en").keys()
    assert texts("vi").keys() >= set(WORDS)


@pytest.mark.parametrize("key", sorted(texts("vi")))
def test_the_same_placeholders(key: str) -> None:
    """A text takes the same values in both languages, each by a plain name."""
    vi, en = placeholders(texts("vi")[key]), placeholders(texts("en")[key])
    assert vi == en
    assert all(re.fullmatch("[a-z_]+", name) for name in vi)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_composed_letters(lang: str) -> None:
    """Texts are NFC (one code point a letter), in one line, without space around."""
    for key, text in texts(lang).items():
        assert text == unicodedata.normalize("NFC", text), key
        assert text == " ".join(text.split()), key
        assert text, key


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_short_message_fits(lang: str) -> None:
    """The SMS has letters of the GSM alphabet only, and with usual values is one message of 160."""
    text = say(lang, "sms", place="Kenh Lau", hours="8-14h", value="3,2 g/L", time="7:10", peak="5 g/L", window="14-18h")
    assert set(text) <= GSM7
    assert len(text) <= 160


def test_say() -> None:
    """A text with its values, as the look writes it."""
    assert say("vi", "silent", hours=9, value=number(2.7, 1, "vi", unit="g/L")) == f"Máy im 9 giờ. Lần cuối 2,7{NBSP}g/L."
    assert say("en", "silent", hours=9, value=number(2.7, 1, "en", unit="g/L")) == f"Sensor silent for 9 hours. Last value 2.7{NBSP}g/L."
    assert say("vi", "stale", age=age(13_200_000, "vi")) == "Số cũ 3 giờ 40 phút. Đo lại trước khi lấy nước."
    assert say("en", "stale", age=age(13_200_000, "en")) == "Reading is 3 h 40 min old. Measure before taking water."


def test_what_is_missing_is_named() -> None:
    """An unknown language, an unknown key and a value not given are each named."""
    with pytest.raises(NotFoundError, match="'fr'"):
        texts("fr")
    with pytest.raises(NotFoundError, match=r"'verdict\.9'"):
        say("vi", "verdict.9")
    with pytest.raises(NotFoundError, match="'hours'"):
        say("vi", "silent", value="1")


def test_texts_cannot_be_changed() -> None:
    """The table is shared by everybody, so nobody can write to it."""
    with pytest.raises(TypeError):
        texts("vi")["ack"] = "?"  # type: ignore[index]  # the point of the test


@pytest.mark.parametrize(
    ("value", "decimals", "vi", "en"),
    [
        (3.2, 1, "3,2", "3.2"),
        (3.25, 0, "3", "3"),
        (1234.5, 1, "1234,5", "1234.5"),
        (-0.04, 1, "0,0", "0.0"),
        (-1.5, 1, "-1,5", "-1.5"),
        (float("nan"), 1, "–", "–"),
        (1e308, 2, "1,0e308", "1.0e308"),
        (-1e308, 0, "-1,0e308", "-1.0e308"),
        (123456.78, 1, "123456,8", "123456.8"),
        (123456789.0, 1, "1,2e8", "1.2e8"),
    ],
)
def test_number(value: float, decimals: int, vi: str, en: str) -> None:
    """A decimal comma in Vietnamese, a point in English, no minus before zero, a dash for no number."""
    assert number(value, decimals, "vi") == vi
    assert number(value, decimals, "en") == en


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 3), st.sampled_from(LANGUAGES))
def test_no_number_is_long(value: float, decimals: int, lang: str) -> None:
    """Law: eight characters at most, whatever a sensor sends."""
    assert len(number(value, decimals, lang)) <= 8


@given(st.floats(-1e3, 1e3), st.integers(0, 3), st.sampled_from(LANGUAGES))
def test_a_number_never_parts_from_its_unit(value: float, decimals: int, lang: str) -> None:
    """Law: number and unit hold together by a no-break space, and the number reads back to what was shown."""
    shown, unit = number(value, decimals, lang, unit="g/L").split(NBSP)
    assert unit == "g/L"
    assert " " not in shown
    assert float(shown.replace(",", ".")) == round(value, decimals)


@pytest.mark.parametrize(
    ("minutes", "vi"),
    [
        (0, "0 phút"),
        (59, "59 phút"),
        (60, "1 giờ"),
        (1439, "23 giờ 59 phút"),
        (1440, "24 giờ"),
        (46 * 60 + 12, "46 giờ"),
        (48 * 60 - 1, "47 giờ"),
        (48 * 60, "2 ngày"),
        (71 * 60, "2 ngày"),
        (-5, "0 phút"),
    ],
)
def test_age(minutes: int, vi: str) -> None:
    """Ages get coarser as they grow, and a time ahead of us is now."""
    assert age(minutes * 60_000, "vi") == vi


@given(st.integers(0, 100 * 24 * 60))
def test_one_screen_says_one_age(minutes: int) -> None:
    """Law: where a silence is told in days, so is the age beside it, and in as many; hours likewise."""
    said, beside = (re.findall(r"(\d+) (giờ|ngày)", words) for words in (silence(minutes * 60_000, "vi"), age(minutes * 60_000, "vi")))
    assert said == beside or minutes < 60
