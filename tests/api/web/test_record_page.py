"""`/record`: the record in words, as a picture and by station; honest where there is little or nothing."""

from __future__ import annotations

import pytest
from servers.backend import Rig

from core.record import VALUES, Score


def keep(rig: Rig, station: str, *, n: int = 100, lead: int = 1) -> None:
    """Said .8 of n days, of which 82 % came; 2 more could not be scored."""
    facts = {"station": station, "point": "main", "target": "day_max", "model": "m", "lead": lead, "month": 202603}
    line = Score(**facts, line=1.0, bin=8, n=n, said=0.8 * n, events=round(0.82 * n), squares=0.15 * n, right=round(0.82 * n))  # type: ignore[arg-type]  # the names in `facts` are its fields
    value = Score(**facts, line=VALUES, bin=0, n=n, missing=2, inside=round(0.9 * n), error=0.25 * n)  # type: ignore[arg-type]  # the names in `facts` are its fields
    rig.run(lambda: rig.backend.records.add_scores([line, value], name=f"{station} {lead}", was=0, value=1))


def read(rig: Rig, path: str = "/record", *, lang: str = "vi", **more: str) -> str:
    answer = rig.get(f"{path}{'&' if '?' in path else '?'}lang={lang}", headers={"Accept": "text/html"}, **more)
    assert answer.status_code == 200
    return answer.text


def test_nothing_has_passed(rig: Rig) -> None:
    """A new installation says so, in both languages, and shows no empty chart."""
    assert "Chưa có ngày nào đã qua để chấm" in read(rig)
    assert "No forecast day has passed yet" in read(rig, lang="en")
    assert '<svg class="chart reliability"' not in read(rig)


def test_words_picture_and_stations(rig: Rig) -> None:
    """The sentence of the picture, how often right, what was not scored, a row per station; all without a script."""
    keep(rig, "kenh-lau")
    keep(rig, "cai-lon", n=12)
    html = read(rig)
    assert "Khi chúng tôi nói “8 trên 10 lần”, thật sự xảy ra 8,2 trên 10 lần." in html
    assert "Đúng 82 trên 100 lần." in html
    assert "Đã chấm 112 lần; 4 lần không có số đo để chấm." in html
    assert "chart reliability" in html
    assert "chưa đủ (12)" in html
    assert 'href="/record?station=kenh-lau"' in html
    assert "Right 82 times in 100." in read(rig, lang="en")


def test_one_station_and_few(rig: Rig) -> None:
    """A station's own record is of itself; under 20 it says so instead of a rate, and draws nothing."""
    keep(rig, "kenh-lau")
    keep(rig, "cai-lon", n=12)
    html = read(rig, "/record?station=cai-lon")
    assert "Chưa đủ để nói: mới chấm 12 lần, cần 20." in html
    assert "Kênh Lầu" not in html
    assert "chart reliability" not in html
    assert 'href="/record?station=kenh-lau"' in read(rig, "/stations/kenh-lau")


@pytest.mark.parametrize("who", ["", "minh"])
def test_private_stations(rig: Rig, who: str) -> None:
    """They are in nobody's record but theirs who see them."""
    keep(rig, "rieng")
    assert ("chart reliability" in read(rig, as_=who)) is bool(who)
    assert rig.get("/record?station=rieng", as_=who).status_code == (200 if who else 404)
