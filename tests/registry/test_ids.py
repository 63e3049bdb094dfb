"""Ids and names: what is allowed, what is made of what, what search takes for the same."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError
from core.place import DEVICE_ID, SLUG
from registry.ids import check_device_id, check_name, check_slug, fold, station_id_for


@pytest.mark.parametrize("id", ["kl01", "AA:BB:cc", "eui-70b3.d5_7", "x" * 64])
def test_device_ids(id: str) -> None:
    """Letters, digits and . _ : - make a device id."""
    assert check_device_id(id) == id


@pytest.mark.parametrize("id", ["", "x" * 65, "kênh", "a b", "a/b", "+", "#", "kl01\n", "org:default"])
def test_not_device_ids(id: str) -> None:
    """Anything MQTT or a file would trip over is no device id, nor is the user name of a join key."""
    with pytest.raises(ConfigError, match="device id"):
        check_device_id(id)


@pytest.mark.parametrize("slug", ["", "Kênh", "UPPER", "a_b", "x" * 65, "a\n"])
def test_not_slugs(slug: str) -> None:
    """The error names the kind and the value."""
    with pytest.raises(ConfigError, match="station id"):
        check_slug("station id", slug)


@pytest.mark.parametrize("name", ['Cống số 2, bờ "trái"', "a=b", "C:\\", "kl 03", "🌊", "👩‍🌾", "x" * 200, "=HYPERLINK(1)"])
def test_names(name: str) -> None:
    """Whatever can be printed is a name."""
    assert check_name("name", name) == name


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\nb", "a\0", "\x1b[31m", "a\u2028b", "\ud800", "\u202eKênh\u202c", "\u2067Kênh\u2069"])
def test_not_names(name: str) -> None:
    """Control characters, line ends, turns of direction (the number after it would be read backwards), half surrogates and 201 characters are not."""
    with pytest.raises(ConfigError, match="station name"):
        check_name("station name", name)


def test_names_are_composed() -> None:
    """A name typed decomposed is stored composed."""
    assert check_name("name", unicodedata.normalize("NFD", "Kênh Lầu")) == "Kênh Lầu"


def test_station_ids() -> None:
    """Lower case, dashes for the rest, then -2, -3."""
    assert station_id_for("A_b.C:1", set()) == "a-b-c-1"
    assert station_id_for("kl01", {"kl01", "kl01-2"}) == "kl01-3"
    assert station_id_for("X" * 64, {"x" * 64}) == "x" * 62 + "-2"


@pytest.mark.parametrize(("device", "station"), [("_", "station"), ("-", "station"), (".:-_", "station"), ("-a_", "a"), ("__KL.1", "kl-1")])
def test_station_ids_never_look_like_options(device: str, station: str) -> None:
    """No dash first or last; a device without letter or digit stands at `station`, `station-2` …"""
    assert station_id_for(device, set()) == station
    assert station_id_for(device, {station}) == f"{station}-2"


@given(st.from_regex(DEVICE_ID, fullmatch=True), st.integers(0, 12))
def test_station_ids_are_slugs_and_free(device: str, clashes: int) -> None:
    """Every device id gives a station id that is allowed and not taken, however often."""
    taken: set[str] = set()
    for _ in range(clashes + 1):
        found = station_id_for(device, taken)
        assert SLUG.match(found)
        assert found.strip("-") == found
        assert found not in taken
        taken.add(found)


@pytest.mark.parametrize(
    ("typed", "means"),
    [
        ("Kênh Lầu", "kenh lau"),
        (unicodedata.normalize("NFD", "Kênh Lầu"), "kenh lau"),
        ("KÊNH  LẦU ", "kenh lau"),
        ("Đại Ngãi", "dai ngai"),
        ("Hỏa Tiến", "hoa tien"),
        ("Hoả Tiến", "hoa tien"),
        ("Kênh Mới", "kenh moi"),
        ("Kênh Mối", "kenh moi"),
        ("ƯƠNG", "uong"),
    ],
)
def test_fold(typed: str, means: str) -> None:
    """Accents, đ, capitals and spaces do not matter to search."""
    assert fold(typed) == means


@given(st.text())
def test_fold_is_stable(text: str) -> None:
    """Folding what is folded changes nothing, and how accents are composed never matters."""
    assert fold(fold(text)) == fold(text)
    assert fold(unicodedata.normalize("NFD", text)) == fold(unicodedata.normalize("NFC", text))
