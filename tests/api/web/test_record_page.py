"""`/record`: the record in words, as a picture and by station; honest where there is little or nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from servers.backend import NOW, Rig
from servers.html_page import read as parse

from api.web.unforecast import _why
from api.web.words import midnight
from core.flags import Flag
from core.forecast import HOUR_MS, TARGETS
from core.place import Station
from core.record import AHEAD, SLUICE, VALUES, Anew, Day, Score
from core.sluice import OPEN
from core.state import Latest
from registry.directory import Directory
from registry.situation import Reading


def keep(rig: Rig, station: str, *, n: int = 100, lead: int = 1) -> None:
    """Said .8 of n days, of which 82 % came; 2 more could not be scored."""
    facts = {"station": station, "point": "main", "target": "day_max", "model": "m", "lead": lead, "month": 202603}
    line = Score(**facts, line=1.0, bin=8, n=n, said=0.8 * n, events=round(0.82 * n), squares=0.15 * n, right=round(0.82 * n))  # type: ignore[arg-type]  # the names in `facts` are its fields
    value = Score(**facts, line=VALUES, bin=0, n=n, missing=2, inside=round(0.9 * n), error=0.25 * n)  # type: ignore[arg-type]  # the names in `facts` are its fields
    rig.run(lambda: rig.backend.records.add_scores([line, value], name=f"{station} {lead}", was=0, value=1))


def keep_hours(rig: Rig, station: str, *, days: int) -> None:
    """Said .75 of each hour's next hours, of which 70 % came."""
    n, scores = 24 * days, []
    for target, lead in AHEAD.items():
        facts = {"station": station, "point": "main", "target": target, "model": "m", "lead": lead, "month": 202603}
        scores.append(Score(**facts, line=VALUES, bin=0, n=n, missing=5))  # type: ignore[arg-type]  # the names in `facts` are its fields
        line = Score(**facts, line=1.0, bin=7, n=n, said=0.75 * n, events=round(0.7 * n), squares=0.21 * n, right=round(0.7 * n))  # type: ignore[arg-type]  # likewise
        scores.append(line)
    rig.run(lambda: rig.backend.records.add_scores(scores, name=f"{station} hours", was=0, value=1))


def read(rig: Rig, path: str = "/record", *, lang: str = "vi", **more: str) -> str:
    answer = rig.get(f"{path}{'&' if '?' in path else '?'}lang={lang}", headers={"Accept": "text/html"}, **more)
    assert answer.status_code == 200
    return answer.text


def test_nothing_has_passed(rig: Rig) -> None:
    """A new installation says so, in both languages, and shows no empty chart."""
    assert "Chưa có ngày nào đã qua để chấm" in read(rig)
    assert "No forecast day has passed yet" in read(rig, lang="en")
    assert '<svg class="chart reliability"' not in read(rig)


def test_a_station_whose_days_have_no_truth_stays(rig: Rig) -> None:
    """Where every reading turned out bad its row and its 90 days are still there: it was forecast, and nothing is dropped."""
    facts = {"station": "kenh-lau", "point": "main", "target": "day_max", "model": "m", "lead": 1, "month": 202603}
    value = Score(**facts, line=VALUES, bin=0, n=0, missing=6)  # type: ignore[arg-type]  # the names in `facts` are its fields
    before = midnight(NOW, "Asia/Ho_Chi_Minh") - 72 * HOUR_MS
    day = Day(station="kenh-lau", point="main", target="day_max", time=before, model="m", said=(1.0, 0.9, 0.0, 0.0), came=None)
    rig.run(lambda: rig.backend.records.add_scores([value], [day], name="kenh-lau", was=0, value=1))
    html = read(rig)
    assert 'href="/record?station=kenh-lau' in html
    assert "Không có số đo để chấm" in html


def test_why_a_station_was_never_forecast(rig: Rig) -> None:
    """No promise of a first score where no forecast was made: what is lacking is said; the promise where one was."""
    with_forecast = {f.station for t in TARGETS for f in rig.run(lambda t=t: rig.backend.forecasts.latest_forecasts(target=t))}  # type: ignore[misc]  # the default binds it
    assert "kenh-lau" in with_forecast
    assert "its score appears here" in read(rig, "/record?station=kenh-lau", lang="en")
    directory = Directory(rig.run(rig.backend.registry.snapshot))
    for station in sorted(directory.station_ids - with_forecast):
        html = read(rig, f"/record?station={station}", lang="en", as_="minh")
        assert "its score appears here" not in html, station
        assert "No forecast is made here" in html, station


@pytest.mark.parametrize(
    ("good", "told"),
    [(None, "has been found good yet"), (7 * HOUR_MS, "The last good reading came 7 h ago"), (HOUR_MS, "too few good ones of the days before")],
)
def test_what_is_lacking(good: int | None, told: str) -> None:
    """Of the newest good reading: none, one of before six hours, or none of the days before."""
    situation = _Situation(None if good is None else Latest(time=NOW - good, value=0.4, flag=Flag.GOOD))
    station = Station(id="a", org="o", name="A")
    assert told in _why(situation, station, NOW, "en")  # type: ignore[arg-type]  # it is asked for no more than this


class _Situation:
    def __init__(self, good: Latest | None) -> None:
        self._good = good

    def source_of(self, station: str) -> str:
        return station

    def readings(self, station: str) -> list[Reading]:
        newest = Latest(time=NOW, value=9.0, flag=Flag.FAIL)
        facts = {"org": "o", "station": station, "point": "main", "quantity": "water.salinity", "sensor": "s/main", "received": NOW, "interval_s": None}
        return [Reading(**facts, newest=newest, judged=newest, good=self._good)]  # type: ignore[arg-type]  # the names in `facts` are its fields


def keep_sluice(rig: Rig, station: str, *, n: int) -> None:
    """Said at least .75 of opening n times, of which 90 % were so; at least .2 of which pages tell nothing."""
    facts = {"station": station, "point": "in", "target": SLUICE[OPEN], "model": "m", "lead": 24, "month": 202603}
    told = Score(**facts, line=1.0, bin=7, n=n, said=0.75 * n, events=round(0.9 * n), squares=0.1 * n, right=round(0.9 * n))  # type: ignore[arg-type]  # likewise
    quiet = replace(told, bin=2, said=0.2 * n)
    value = Score(**facts, line=VALUES, bin=0, n=2 * n, missing=5)  # type: ignore[arg-type]  # likewise
    rig.run(lambda: rig.backend.records.add_scores([told, quiet, value], name=f"{station} sluice", was=0, value=1))


def test_openings_of_a_sluice(rig: Rig) -> None:
    """What was said at least and how often it was so, where pages tell of it; no rate of under twenty days at one place, as each hour says it again."""
    keep(rig, "kenh-lau")
    assert "mở cống" not in read(rig)
    keep_sluice(rig, "kenh-lau", n=480)
    html = read(rig)
    assert "Khi chúng tôi nói mở cống" in html
    assert "ít nhất 7,5 trên 10 lần" in html
    assert '">9 trên 10 lần</td>' in html
    assert "ít nhất 2 trên 10 lần" not in html
    assert "target=sluice" in html
    assert "at least 7.5 times in 10" in read(rig, lang="en")


def test_few_openings_are_no_rate(rig: Rig) -> None:
    """Two sluices of nineteen days are no twenty days; of a tenth that has fewer forecasts than so many, how many are needed."""
    for station in ("kenh-lau", "cai-lon"):
        keep(rig, station)
        keep_sluice(rig, station, n=239)
    html = read(rig)
    assert "chưa đủ (19 ngày)" in html
    assert "mới chấm 19 ngày, cần 20" in html
    keep(rig, "kenh-nam")
    keep_sluice(rig, "kenh-nam", n=241)  # twenty days with those of which pages tell nothing
    assert '">9 trên 10 lần</td>' in read(rig)
    few = read(rig, "/record?station=kenh-nam")
    assert "chưa đủ (cần 480)" in few
    assert '">241</td>' in few


def test_words_picture_and_stations(rig: Rig) -> None:
    """The sentence of the picture, how often right, what was not scored, a row per station; all without a script."""
    keep(rig, "kenh-lau")
    keep(rig, "cai-lon", n=12)
    html = read(rig)
    assert "Khi chúng tôi nói “8 trên 10 lần”, thật sự xảy ra 8,2 trên 10 lần." in html
    assert "Đúng 82 trên 100 lần." in html
    assert "Trong 100 lần mặn, báo trúng" in html
    assert "Đã chấm 112 lần; 4 lần không có số đo để chấm." in html
    assert "chart reliability" in html
    assert "chưa đủ (12 ngày)" in html
    assert "Hình gồm 112 lần báo trước 1 ngày “nước có lúc quá 1 g/L”, ở 2 trạm." in html
    assert 'href="/record?station=kenh-lau"' in html
    assert "Right 82 times in 100." in read(rig, lang="en")


def test_one_station_and_few(rig: Rig) -> None:
    """A station's own record is of itself; under 20 it says so instead of a rate, and draws nothing."""
    keep(rig, "kenh-lau")
    keep(rig, "cai-lon", n=12)
    html = read(rig, "/record?station=cai-lon")
    assert "Chưa đủ để nói: mới chấm 12 ngày, cần 20." in html
    assert "Kênh Lầu" not in html
    assert "chart reliability" not in html
    assert 'href="/record?station=kenh-lau"' in read(rig, "/stations/kenh-lau")


def test_few_days_are_few_however_many_stations(rig: Rig) -> None:
    """Nineteen days at three stations are nineteen cases: no headline, no rate, no skill; who was scored together is said."""
    for station in ("kenh-lau", "cai-lon", "kenh-nam"):
        keep(rig, station, n=19)
    facts = {"station": "kenh-lau", "point": "main", "target": "day_max", "model": "ensemble", "lead": 3, "line": 1.0, "month": 202603}
    other = Score(**facts, bin=8, n=1, said=0.8, events=1, right=1)  # type: ignore[arg-type]  # the names in `facts` are its fields
    rig.run(lambda: rig.backend.records.add_scores([other], name="other", was=0, value=1))
    html = read(rig)
    assert "Chưa đủ để nói: mới chấm 19 ngày, cần 20." in html
    assert "chart reliability" not in html
    assert "Đúng 82 trên 100 lần." not in html
    assert "chưa đủ (19 ngày)" in html
    assert "Chấm chung các cách báo: mô hình ghép, m." in html
    keep(rig, "tram-moi", n=20)
    assert "chart reliability" in read(rig)


@pytest.mark.parametrize("who", ["", "minh"])
def test_private_stations(rig: Rig, who: str) -> None:
    """They are in nobody's record but theirs who see them."""
    keep(rig, "rieng")
    assert ("chart reliability" in read(rig, as_=who)) is bool(who)
    assert rig.get("/record?station=rieng", as_=who).status_code == (200 if who else 404)


def test_ninety_days_the_table_and_the_files(pages: Rig) -> None:
    """Each station's days, the columns of each lead, what is weak is not hidden, and all of it to take away; in both languages."""
    html = read(pages)
    assert html.count('class="chart days across"') == html.count('class="chart days up"') == 3
    assert "Cái Tư, 90 ngày qua: nước có quá 1 g/L không?" in html
    assert "Báo mặn, mặn thật: <b>24 ngày</b>" in html
    assert '<td role="cell" data-head="Hơn cách “hôm nay sao mai vậy”">0,60</td>' in html
    assert '<td role="cell" data-head="Sai số ≤ 30% (cách chấm nhà nước)">8,6 / 10</td>' in html
    assert 'href="/record.csv?target=day_max"' in html
    one = read(pages, "/record?station=cai-tu")
    assert one.count('class="chart days across"') == 1
    assert "/record.csv?target=day_min&amp;station=cai-tu" in one
    assert "Cái Tư, the last 90 days: was the water over 1 g/L?" in read(pages, lang="en")


def test_the_next_hours(rig: Rig) -> None:
    """What verdicts say of 6 h and alerts of 24 h: a sentence, a row each, a column each by station; no rate before 20 days, nothing of none."""
    keep(rig, "kenh-lau")
    assert "Trong mấy giờ tới" not in read(rig)
    keep_hours(rig, "kenh-lau", days=25)
    keep_hours(rig, "cai-lon", days=4)
    keep(rig, "cai-lon", n=20)
    html = read(rig)
    assert "<h2>Trong mấy giờ tới</h2>" in html
    assert html.count("Khi chúng tôi nói “7,5 trên 10 lần”, thật sự xảy ra 7 trên 10 lần.") == 2
    assert html.count('<td role="cell" data-head="Đúng, trên 100 lần">70</td>') == 2
    rows = parse(html).one("table", class_="each").one("tbody").all("tr")
    told = {row.one("a").attributes["href"].partition("=")[2]: [(c.attributes["data-head"], c.text) for c in row.all("td")] for row in rows}
    assert told["kenh-lau"][:3] == [("6 giờ", "70"), ("24 giờ", "70"), ("1 ngày", "82")]
    assert told["cai-lon"][:2] == [("6 giờ", "chưa đủ (4 ngày)"), ("24 giờ", "chưa đủ (4 ngày)")]
    assert 'href="/record.csv?target=max_24h"' in html
    assert "In the next hours" in read(rig, "/record?station=kenh-lau", lang="en")
    few = read(rig, "/record?station=cai-lon")
    assert few.count('<td role="cell" data-head="Đúng, trên 100 lần">chưa đủ (4 ngày)</td>') == 2
    assert "7,5 trên 10" not in few


@pytest.mark.parametrize(("came", "words"), [(95, "xảy ra nhiều hơn đã báo"), (50, "xảy ra ít hơn đã báo"), (80, "")])
def test_what_is_weak_is_said(rig: Rig, came: int, words: str) -> None:
    """A group that is surely off, on either side."""
    facts = {"station": "kenh-lau", "point": "main", "target": "day_max", "model": "m", "lead": 1, "month": 202603}
    line = Score(**facts, line=1.0, bin=8, n=100, said=80.0, events=came, right=came)  # type: ignore[arg-type]  # the names in `facts` are its fields
    rig.run(lambda: rig.backend.records.add_scores([line], name="t", was=0, value=1))
    html = read(rig)
    assert ("Chỗ còn yếu: nhóm “8–9 trên 10 lần”" in html) is bool(words)
    assert words in html


def test_a_station_with_two_points_shows_the_one_of_its_verdict(rig: Rig) -> None:
    """Days of the other point are not mixed in."""
    keep(rig, "cai-lon")
    at = midnight(NOW, "Asia/Ho_Chi_Minh", -3)
    day = Day(station="cai-lon", point="in", target="day_max", time=at, model="m", said=(1.0, 0.9, 0.0, 0.0), came=2.0)
    days = [day, *(replace(day, point="out", time=at - n * 86_400_000, came=0.1) for n in range(3))]
    rig.run(lambda: rig.backend.records.add_scores([], days, name="days", was=0, value=1))
    html = read(rig)
    assert "Báo mặn, mặn thật: <b>1 ngày</b>" in html
    assert "Báo mặn mà không mặn: <b>0 ngày</b>" in html


def test_no_headline_from_a_handful(rig: Rig) -> None:
    """Twenty-six days, of which three were said with .74: what is told is of the tenth that has twenty; with none such nothing is drawn."""
    facts = {"station": "kenh-lau", "point": "main", "target": "day_max", "model": "m", "lead": 1, "month": 202603, "line": 1.0}
    few = Score(**facts, bin=7, n=3, said=2.22, events=3, right=3)  # type: ignore[arg-type]  # the names in `facts` are its fields
    rest = [Score(**facts, bin=b, n=n, said=n * (b + 0.5) / 10, events=0, right=n) for b, n in ((0, 12), (1, 11))]  # type: ignore[arg-type]  # likewise
    rig.run(lambda: rig.backend.records.add_scores([few, *rest], name="few", was=0, value=1))
    assert "trên 10 lần”" not in read(rig)
    assert "chart reliability" not in read(rig)
    more = Score(**facts, bin=0, n=12, said=0.6, events=0, right=12)  # type: ignore[arg-type]  # likewise
    rig.run(lambda: rig.backend.records.add_scores([more], name="more", was=0, value=1))
    assert "Khi chúng tôi nói “0,5 trên 10 lần”, thật sự xảy ra 0 trên 10 lần." in read(rig)


def test_nothing_was_said_ten_times_in_ten(rig: Rig) -> None:
    """Pages never told a chance as certain: a tenth of .999 was said as 9.9, and one of its ten drops is empty."""
    facts = {"station": "kenh-lau", "point": "main", "target": "day_max", "model": "m", "lead": 1, "month": 202603, "line": 1.0}
    sure = Score(**facts, bin=9, n=30, said=29.97, events=30, right=30)  # type: ignore[arg-type]  # the names in `facts` are its fields
    rig.run(lambda: rig.backend.records.add_scores([sure], name="sure", was=0, value=1))
    html = read(rig)
    assert "Khi chúng tôi nói “9,9 trên 10 lần”, thật sự xảy ra 10 trên 10 lần." in html
    assert [d.attributes["fill"] for d in parse(html).one("svg", class_="drops").all("path")] == ["var(--ink)"] * 9 + ["var(--card)"]


def test_two_points_of_a_gate_are_no_two_days(rig: Rig) -> None:
    """Eleven days inside and outside are eleven: too few, in the table of stations as on the station's own page."""
    for point in ("in", "out"):
        facts = {"station": "kenh-lau", "point": point, "target": "day_max", "model": "m", "lead": 1, "month": 202603}
        line = Score(**facts, line=1.0, bin=8, n=11, said=8.8, events=9, right=9)  # type: ignore[arg-type]  # the names in `facts` are its fields
        rig.run(lambda line=line, point=point: rig.backend.records.add_scores([line], name=point, was=0, value=1))  # type: ignore[misc]  # the defaults bind them
    cell = next(c for c in parse(read(rig)).one("table", class_="each").all("td") if c.attributes["data-head"] == "1 ngày")
    assert cell.text == "chưa đủ (11 ngày)"
    assert "chưa đủ (11 ngày)" in read(rig, "/record?station=kenh-lau")


def test_no_page_is_half_of_before_and_half_of_after(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scored anew while the page is read: it is read again, and tells of one record throughout."""
    keep(rig, "kenh-lau")
    records, whole, done = rig.backend.records, rig.backend.records.scored_days, []

    async def meanwhile(**asked: object) -> list[Day]:
        if not done:
            done.append(1)
            facts = {"station": "kenh-lau", "point": "main", "target": "day_max", "model": "m", "lead": 1, "month": 202603}
            line = Score(**facts, line=1.0, bin=8, n=50, said=40.0, events=25, squares=9.0, right=25)  # type: ignore[arg-type]  # the names in `facts` are its fields
            value = Score(**facts, line=VALUES, bin=0, n=50, missing=52)  # type: ignore[arg-type]  # likewise
            anew = Anew(station="kenh-lau", point="main", time=0, month=202601)
            await records.add_scores([line, value], name="kenh-lau 1", was=1, value=1, anew=anew)
        return await whole(**asked)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(records, "scored_days", meanwhile)
    html = read(rig)
    assert "Đúng 50 trên 100 lần." in html
    assert "Đã chấm 50 lần; 52 lần" in html
    assert "82 trên" not in html
