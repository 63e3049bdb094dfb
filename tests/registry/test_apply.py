"""Stations from files: read with line and column in every error, merged over what is registered, planned, never deleted."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest

from core.errors import ConfigError
from core.place import Alias, Device, Org, Station
from core.ports import RegistrySnapshot
from registry.apply import Change, differences, merge, parse_stations, plan

KENH_LAU = Station(id="kenh-lau", org="default", name="Kênh Lầu", lat=9.7, lon=105.3, public=True)
SNAPSHOT = RegistrySnapshot(version=3, orgs=(Org(id="default", name="Mặc định"),), devices=(), stations=(KENH_LAU,), deployments=(), waterways=())

TOML = """
[[station]]
id = "nuoc-trong"
name = "Ngã ba Nước Trong"
km = 60
public = false
aliases = ["Hỏa Tiến", { name = "Nước Trong", end = 2025-06-30 }]
"""
CSV = """id,name,km,public,aliases
nuoc-trong,Ngã ba Nước Trong,60,no,Hỏa Tiến;Nước Trong||2025-06-30

kenh-lau,"Kênh Lầu",,,
"""


def stations(data: str, source: str) -> list[Station]:
    return merge(SNAPSHOT, parse_stations(data.encode(), source=source))


def test_toml_and_csv_say_the_same() -> None:
    """A station reads the same from both kinds of file."""
    expected = Station(
        id="nuoc-trong", org="default", name="Ngã ba Nước Trong", km=60.0, aliases=(Alias(name="Hỏa Tiến"), Alias(name="Nước Trong", end="2025-06-30"))
    )
    assert stations(TOML, "a.toml") == [expected]
    assert stations(CSV, "a.csv") == [expected, KENH_LAU]


@pytest.mark.parametrize("text", ["\ufeff" + CSV, CSV.replace("\n", "\r\n")])
def test_csv_as_spreadsheets_write_it(text: str) -> None:
    """With a byte order mark or Windows line ends it is the same file."""
    assert stations(text, "a.csv") == stations(CSV, "a.csv")


def test_semicolons_and_tabs() -> None:
    """A spreadsheet in Vietnamese writes semicolons."""
    for separator in ";\t":
        assert stations(f"id{separator}name{separator}km\nx{separator}Ba Cô, cống{separator}3.5\n", "a.csv")[0].name == "Ba Cô, cống"


def test_what_a_file_does_not_say_stays() -> None:
    """An absent column or an empty cell keeps what an officer has set since."""
    assert stations("id,km,name\nkenh-lau,12.5,\n", "a.csv") == [replace(KENH_LAU, km=12.5)]


def test_plan_is_idempotent_and_never_deletes() -> None:
    """Only what differs is planned; stations the file leaves out are left alone; a decomposed name is no difference."""
    assert plan(SNAPSHOT, [replace(KENH_LAU, name=unicodedata.normalize("NFD", KENH_LAU.name))]) == []
    assert plan(SNAPSHOT, []) == []
    moved = replace(KENH_LAU, km=3.0)
    assert plan(SNAPSHOT, [moved, Device(id="d", org="default")]) == [
        Change(kind="station", id="kenh-lau", before=KENH_LAU, after=moved),
        Change(kind="device", id="d", before=None, after=Device(id="d", org="default")),
    ]


def test_differences_hide_credentials() -> None:
    """The diff names the fields that change, and of a credential only that it does."""
    assert differences(Change(kind="station", id="kenh-lau", before=KENH_LAU, after=replace(KENH_LAU, km=3.0))) == {"km": (None, 3.0)}
    old, new = Device(id="d", org="default", credential="hash1"), Device(id="d", org="default", credential="hash2")
    assert differences(Change(kind="device", id="d", before=old, after=new)) == {"credential": ("set", "changed")}
    assert differences(Change(kind="device", id="d", before=None, after=new))["credential"] == ("unset", "set")


@pytest.mark.parametrize(
    ("source", "text", "words"),
    [
        ("a.csv", "id,nmae\nx,y\n", "line 1.*'nmae'"),
        ("a.csv", "name\ny\n", "line 1: no column id"),
        ("a.csv", "id,id\nx,y\n", "line 1.*doubled"),
        ("a.csv", "id,name,lat\nx,X,\n\ny,Y,9°42\n", "line 4: lat '9°42' is not a number"),
        ("a.csv", "id,name\nx,a\nx,b\n", "line 3.*already at a.csv line 2"),
        ("a.csv", "id,name\nx,a,b\n", "line 2: 3 cells"),
        ("a.csv", 'id,name\n"x,a\n', "line 2|line 3"),
        ("a.csv", "id,name,public\nx,a,perhaps\n", "line 2: public 'perhaps'"),
        ("a.csv", "id,name,lat,lon\nx,a,99,105\n", "line 2: station x: lat 99"),
        ("a.csv", "id,name,lat\nx,a,9\n", "line 2: station x: lat and lon"),
        ("a.csv", "id,name,position\nx,a,exact\n", "line 2: station x: position 'exact'"),
        ("a.csv", "id,name,timezone\nx,a,Asia/Cantho\n", "line 2: station x: timezone"),
        ("a.csv", "id,name\nKênh,a\n", "line 2: station id 'Kênh'"),
        ("a.csv", "id,km\nnew,1\n", "line 2: station new is new and needs a name"),
        ("a.csv", "id,name,aliases\nx,a,b|2020-13-01\n", "line 2: station x: alias 'b': start"),
        ("a.csv", "id,name,aliases\nx,a,b|c|d|e\n", "line 2: aliases"),
        ("a.toml", "[[station]]\nid = 'x'\nname = 'a'\nlat = 'north'\n", "station 1: lat 'north'"),
        ("a.toml", "[[station]]\nid = 'x'\nnme = 'a'\n", "station 1: unknown field nme"),
        ("a.toml", "[[station]]\nname = 'a'\n", "station 1: id is missing"),
        ("a.toml", "[[station]]\nid = 'x'\nname = 5\n", "station 1: name 5 must be a text"),
        ("a.toml", "[[station]]\nid = 'x'\nname = 'a'\naliases = [{nom = 'b'}]\n", "station 1: aliases"),
        ("a.toml", "[[stations]]\n", "unknown stations"),
        ("a.toml", "[station]\n", r"must be written \[\[station\]\]"),
        ("a.toml", "id = \n", "line 1"),
        ("a.json", "{}", ".toml or .csv"),
    ],
)
def test_errors_name_line_and_field(source: str, text: str, words: str) -> None:
    """Whatever is wrong with a file is one line that says where."""
    with pytest.raises(ConfigError, match=words) as caught:
        stations(text, source)
    assert source in str(caught.value)
    assert "\n" not in str(caught.value)


def test_not_utf8() -> None:
    """A file in another encoding is named with the line where it stops being text."""
    with pytest.raises(ConfigError, match="line 2: not UTF-8"):
        parse_stations(b"id,name\nx,K\xeanh\n", source="a.csv")


def test_an_intake_from_either_file() -> None:
    """The column names the station whose water a field takes; itself is refused with the line."""
    expected = [Station(id="ruong", org="default", name="Ruộng", intake="kenh-lau")]
    assert stations("id,name,intake\nruong,Ruộng,kenh-lau\n", "a.csv") == expected
    assert stations('[[station]]\nid = "ruong"\nname = "Ruộng"\nintake = "kenh-lau"\n', "a.toml") == expected
    with pytest.raises(ConfigError, match=r"a.csv line 2: station kenh-lau: intake 'kenh-lau' is the station itself"):
        stations("id,intake\nkenh-lau,kenh-lau\n", "a.csv")
