"""The demo's screen says what the verdict says, in words and shapes, with and without colour; nothing of its own."""

from __future__ import annotations

import asyncio
import io
import os
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from api.reach_now import WaterwayNow
from api.web import view
from api.web.history import History
from canhman.demo_facts import HOUR_MS, HOURS, AlertFacts, Facts, StationFacts, trend_word
from canhman.demo_layout import LAYOUTS, layout_for
from canhman.demo_lines import FILLS, alert_line, parts_line, reach_lines, sparkline, station_line, trouble_lines
from canhman.demo_view import KEYS, View
from canhman.demo_words import SHAPES, sign, verdict_words
from canhman.signals import Signals
from canhman.terminal import Doubt
from core.bands import band
from core.batch import Batch
from core.place import Station, Waterway
from core.reach import Reach, StationMax
from core.state import Latest
from core.texts import texts
from core.verdict import Verdict
from firmware_sim.run import Fleet

NOW = 1_772_668_800_000  # 2026-03-05T07:00 in Vietnam


def verdict(kind: str = "stop", *, reason: str = "ok", of: float | None = 3.2) -> Verdict:
    return Verdict(verdict=kind, reason=reason, band=None if of is None else band(of), as_of=NOW, until=None, p=0.5, limit=1.0)


def station(found: Verdict | None = None, **changes: object) -> StationFacts:
    facts = StationFacts(
        station=Station(id="kenh-lau", name="Kênh Lầu", org="default", waterway="cai-lon", km=37.0),
        verdict=found or verdict(),
        value=3.2,
        age_ms=60_000,
        trend="rising",
        hours=(0.2, None, *([3.0] * (HOURS - 2))),
    )
    return replace(facts, **changes)  # type: ignore[arg-type]  # values of several types


def facts(*stations: StationFacts, alerts: tuple[AlertFacts, ...] = ()) -> Facts:
    return Facts(now=NOW, stations=stations, waterways=(), alerts=alerts, open_alerts=len(alerts), forecasts=1, stored=10, dead_letters=0)


@pytest.mark.parametrize(
    ("kind", "value", "key"),
    [("take", 0.2, "verdict.0"), ("measure", 0.7, "verdict.1"), ("wait", 1.5, "verdict.2"), ("stop", 3.0, "verdict.3"), ("stop", 9.0, "verdict.4")],
)
def test_words_are_those_of_the_verdict(kind: str, value: float, key: str) -> None:
    """Whatever the value is: only the verdict decides which words stand there."""
    found = verdict(kind, of=value)
    assert verdict_words(station(found, value=0.01)) == texts("vi")[key]
    assert texts("vi")[key] in station_line(station(found), coloured=False).plain


@given(st.sampled_from(["stale", "silent", "suspect", "fault", "no_data"]), st.floats(0, 40))
def test_an_unknown_one_shows_no_value_and_no_band(reason: str, value: float) -> None:
    """No band, no band's shape, not even for the last value; the words already say not to take."""
    line = station_line(station(verdict("unknown", reason=reason, of=None), value=value), coloured=True)
    assert line.plain.startswith("? ")
    assert texts("vi")["unknown"] in line.plain
    assert texts("vi")["band.unknown"] in line.plain
    assert "g/L" not in line.plain
    assert not any(shape in line.plain for shape in SHAPES)
    assert not line.spans  # no colour


def test_no_forecast_is_said() -> None:
    """A new sensor's station shows at once, as without enough data to forecast."""
    assert "Chưa đủ số để báo trước" in verdict_words(station(verdict("measure", reason="no_forecast", of=0.2)))


@given(st.floats(0, 40))
def test_shape_word_and_colour_go_together(value: float) -> None:
    """Colour and word are the water's, the shape says what to do, as on the pages: a stop has its sign in fresh water too."""
    found = station(verdict("stop", of=value), value=value)
    line, kind = station_line(found, coloured=True), band(value)
    assert line.plain.startswith("◆" if kind == 4 else "⬣")
    assert texts("vi")[f"band.{kind}"] in line.plain
    assert [str(span.style) for span in line.spans] == [f"{FILLS[kind][1]} on {FILLS[kind][0]}"]
    assert not station_line(found, coloured=False).spans


def test_lines_stand_under_each_other() -> None:
    """Every station's 24 h begin in one column, known or not."""
    one, other = station(), station(verdict("unknown", reason="silent", of=None), age_ms=9 * HOUR_MS + 300_000)
    lines = [station_line(s, coloured=False).plain for s in (one, other)]
    assert len({line.index(sparkline(one)) for line in lines}) == 1
    assert "im 9 giờ 5 phút" in lines[1]


def test_silence_is_hatched_and_the_scale_is_the_pages() -> None:
    """░ where nothing good was measured, never a flat line; a saltier hour is never a lower block."""
    drawn = sparkline(station(hours=(None, 0.1, 0.7, 1.5, 3.0, 30.0)))
    assert drawn[0] == "░"
    assert list(drawn[1:]) == sorted(drawn[1:])
    assert len(set(drawn[1:])) == 5


def test_a_name_drives_no_terminal() -> None:
    """What a stranger's device is called is spelt out."""
    assert "\x1b" not in station_line(station(station=Station(id="x", name="\x1b[2Jx", org="default")), coloured=False).plain


@pytest.mark.parametrize(("change", "said"), [(0.3, "rising"), (-0.3, "falling"), (0.05, "steady")])
def test_the_trend_is_the_pages(change: float, said: str) -> None:
    """Over the last hour; without a value an hour ago nothing is said."""
    rows = Batch.of(series=[0, 0, 0], time=[NOW - HOUR_MS, NOW - HOUR_MS // 2, NOW], value=[2.0, 9.0, 2.0 + change], flag=[1, 1, 1])
    last = Latest(time=NOW, value=2.0 + change, flag=1)
    assert trend_word(History(rows=rows), last) == said
    assert trend_word(History(rows=rows.take(slice(1, None))), last) == ""


class Dead(io.StringIO):
    """A terminal whose other end was closed."""

    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


def test_a_terminal_that_was_closed_ends_the_demo_and_fails_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Services print through it when they have started."""
    monkeypatch.setattr("sys.stdout", Dead())
    signals = Signals()
    view = View("http://127.0.0.1:8000", signals, speed=600)
    view.started("serve", "pages")
    assert signals.stopped
    view.started("alerts", "watching")


def test_a_service_that_starts_with_something_wrong_is_not_shown_as_good() -> None:
    """Yellow, with doctor's sign and the words; others as ever."""
    out = io.StringIO()
    view = View("http://127.0.0.1:8000", Signals(), speed=600, console=Console(file=out, force_terminal=True, color_system="standard", width=200))
    view.started("forecast", Doubt("forecasting (persistence); day_max: a file is damaged"))
    view.started("serve", "pages")
    assert out.getvalue().splitlines() == ["\x1b[33m! forecast: forecasting (persistence); day_max: a file is damaged\x1b[0m", "✓ serve: pages"]


def test_reach_says_where_and_how_sure() -> None:
    """On the line, beyond the last station, before the first, and nothing known."""
    way = WaterwayNow(
        waterway=Waterway(id="hau", name="Sông Hậu", sea="East Sea", length_km=100.0),
        stations=(StationMax(station="a", km=5.0, value=3.0),),
        reaches=(Reach(line=1.0, side="over", km=82.0), Reach(line=4.0, side="at", km=47.4, hatched=True)),
    )
    title, line = reach_lines(replace(facts(), waterways=(way,)))
    assert title.plain == "Mặn vào (km từ biển, mỗi ô 5 km)"
    assert "4 g/L ├┄" in line.plain
    assert "◆ 47 (có trạm im)" in line.plain, "what the dots mean stands there in words"
    assert "◆ 47" in line.plain
    assert "▲ trên 82" in line.plain
    unknown = replace(way, reaches=(Reach(line=1.0, side="unknown", km=None),))
    assert "chưa rõ" in reach_lines(replace(facts(), waterways=(unknown,)))[1].plain


@given(st.lists(st.tuples(st.floats(0, 150), st.floats(40, 200)), min_size=1, max_size=4), st.integers(40, 240))
def test_every_river_is_on_one_scale(rivers: list[tuple[float, float]], width: int) -> None:
    """Law: whatever the rivers' lengths, what reaches further is no shorter, and all fit."""
    ways = tuple(
        WaterwayNow(
            waterway=Waterway(id=str(i), name=str(i), sea="East Sea", length_km=length),
            stations=(StationMax(station="a", km=5.0, value=3.0),),
            reaches=(Reach(line=4.0, side="at", km=km),),
        )
        for i, (km, length) in enumerate(rivers)
    )
    _, *lines = reach_lines(replace(facts(), waterways=ways), width=width)
    drawn = sorted((km, line.plain.count("─")) for (km, _), line in zip(rivers, lines, strict=True))
    assert [cells for _, cells in drawn] == sorted(cells for _, cells in drawn)
    assert all(line.cell_len <= width for line in lines)


@pytest.mark.parametrize("kind", ["take", "measure", "wait", "stop", "unknown", "something new"])
@pytest.mark.parametrize("of", [None, 0.2, 0.7, 1.5, 3.0, 9.0])
def test_the_sign_is_the_pages(kind: str, of: float | None) -> None:
    """One verdict has one sign, in the terminal and on the phone."""
    found = verdict(kind, of=of)
    assert sign(found) == view._number(found)


ALERT = AlertFacts(id=1, at=NOW, sign=4, kind="observed", state="open", words="Kênh Lầu: Đóng cống, bọng.")


def test_an_alert_is_one_line() -> None:
    """Time, shape of its level, words; a silent one has no band."""
    assert alert_line(ALERT, NOW).plain.split() == ["07:00", "đang", "mở", "◆", "Kênh", "Lầu:", "Đóng", "cống,", "bọng."]
    assert "?" in alert_line(replace(ALERT, sign=None), NOW).plain


def test_the_parts_that_have_started() -> None:
    """And no others."""
    line = parts_line({"ingest": "listening for devices on 127.0.0.1:1884", "serve": "…"}, facts()).plain
    assert line == "✓ broker embedded 127.0.0.1:1884   ✓ store sqlite   ✓ pages and API"
    assert parts_line({"forecast": "…"}, replace(facts(), forecasts=12, models=("boosted", "persistence"))).plain == "✓ 12 forecasts by boosted, persistence"


BROKEN = replace(facts(), forecasts=12, models=("persistence",), troubles={"forecast": "model day_max: its file is damaged; persistence speaks meanwhile"})


def test_no_tick_stands_at_what_is_in_trouble() -> None:
    """As `/readyz` and doctor have it, in their words; what is well keeps its tick."""
    parts = {"ingest": "listening on 127.0.0.1:1884", "serve": "…", "forecast": "…"}
    assert parts_line(parts, BROKEN).plain.endswith("✓ store sqlite   ✓ pages and API   ! 12 forecasts by persistence")
    assert [line.plain for line in trouble_lines(BROKEN, 200)] == ["! forecast: model day_max: its file is damaged; persistence speaks meanwhile"]
    ingest = replace(facts(), troubles={"ingest": "disk full"})
    assert parts_line(parts, ingest).plain.startswith("! broker embedded 127.0.0.1:1884   ! store sqlite   ✓ pages")


@pytest.mark.parametrize("sensor", [False, True])
@pytest.mark.parametrize(("width", "height"), [(80, 24), (140, 30), (70, 24), (60, 40)])
def test_troubles_stand_on_the_screen_and_it_still_fits(width: int, height: int, sensor: bool) -> None:
    """Three lines at most, folded at words; stations stay, and how to end it."""
    console = Console(file=io.StringIO(), force_terminal=True, width=width, height=height, no_color=True, color_system=None)
    shown = View("http://127.0.0.1:8000", Signals(), speed=600, console=console)
    shown.started("forecast", "forecasting")
    shown.ready(16, ["mosquitto_pub -h 127.0.0.1"])
    shown._sensor_shown = sensor
    many = dict.fromkeys(("alerts", "forecast", "ingest", "serve"), "a trouble of many words, as the database says it when it is away for a long time indeed")
    lines = [line.plain for line in shown.screen(replace(facts(*[station()] * 12), troubles=many), "head", "received 1")]
    assert len(lines) <= height
    assert lines[-1] == KEYS
    assert any(line.startswith("! 1 forecasts") for line in lines)
    assert sum(line.startswith(("! alerts:", "! forecast:", "  ")) for line in lines) >= 2
    assert any("canhman doctor" in line for line in lines)
    assert sum(line.startswith("⬣") for line in lines) >= 1


def test_calm_lines_tell_a_trouble_once_and_when_it_is_over() -> None:
    """Where standard output is no terminal."""
    out = io.StringIO()
    view = View("http://127.0.0.1:8000", Signals(), speed=600, console=Console(file=out, force_terminal=False, width=200))

    fleet = cast(Fleet, SimpleNamespace(counts=SimpleNamespace(refused=0)))

    async def work() -> None:
        with view._lines() as show:
            for found in (facts(), BROKEN, BROKEN, facts()):
                show(found, "head", "received 1", fleet)

    asyncio.run(work())
    assert out.getvalue().count("! forecast: model day_max: its file is damaged") == 1
    assert out.getvalue().count("✓ forecast: all is well again") == 1


def test_one_screen_fits_and_is_plain_without_colour() -> None:
    """However many stations there are, and nothing but text where the terminal has no colour."""
    console = Console(file=io.StringIO(), force_terminal=True, width=140, height=30, no_color=True, color_system=None)
    view = View("http://127.0.0.1:8000", Signals(), speed=600, console=console)
    lines = view.screen(facts(*[station()] * 50, alerts=(ALERT,) * 9), "head", "received 1 · written 1")
    assert len(lines) <= 30
    assert any("26 more on the page" in line.plain for line in lines)
    assert not any("on #" in str(span.style) for line in lines for span in line.spans)


@pytest.mark.parametrize("lang", ["vi", "en"])
@pytest.mark.parametrize("width", [60, 70, 80, 90, 100, 110, 120, 140, 200])
def test_address_and_verdict_are_whole_in_every_width(width: int, lang: str) -> None:
    """What else there is gives way: first hours of the past, then km, then trend; below 80 columns the verdict has its own line."""
    console = Console(file=io.StringIO(), force_terminal=True, width=width, height=40, no_color=True, color_system=None)
    view = View("http://127.0.0.1:8000", Signals(), speed=600, lang=lang, console=console)
    kinds = [verdict(of=9.0), verdict("take", of=0.2), verdict("measure", reason="no_forecast", of=0.2), verdict("unknown", reason="silent", of=None)]
    stations = [station(found, age_ms=9 * HOUR_MS + 300_000) for found in kinds]
    way = WaterwayNow(
        waterway=Waterway(id="hau", name="Sông Hậu", sea="East Sea", length_km=100.0),
        stations=(StationMax(station="a", km=5.0, value=3.0),),
        reaches=(Reach(line=1.0, side="over", km=82.0), Reach(line=4.0, side="at", km=47.4)),
    )
    lines = view.screen(replace(facts(*stations), waterways=(way,)), "12 stations · 2 estuaries · simulated dry season, 600× faster", "received 1 · written 1")
    fitting = " ".join(line.plain.strip() for line in lines if line.cell_len <= width)
    for text in ("http://127.0.0.1:8000", "▲ ", "◆ 47", *(verdict_words(s, lang) for s in stations), texts(lang)["demo.silent"].partition(" ")[0]):
        assert text in fitting
    assert (sparkline(stations[0]) in fitting) >= (width == 200)


@pytest.mark.parametrize("lang", ["vi", "en"])
@pytest.mark.parametrize(("width", "height"), [(80, 24), (80, 40), (100, 24), (70, 24), (124, 31), (40, 15)])
def test_a_small_terminal(width: int, height: int, lang: str) -> None:
    """How to end it stands whole in the last line, every station comes before the first alert, and nothing is cut within a word."""
    console = Console(file=io.StringIO(), force_terminal=True, width=width, height=height, no_color=True, color_system=None)
    shown = View("http://127.0.0.1:8000", Signals(), speed=600, lang=lang, console=console)
    kinds = [verdict(of=9.0), verdict("take", of=0.2), verdict("measure", reason="no_forecast", of=0.2), verdict("unknown", reason="silent", of=None)]
    long = replace(ALERT, words="Đại Ngãi: Đừng lấy nước. Tưới bằng nước đã trữ. Đo được 3,2 g/L lúc 7:10. Đã quá mức cảnh báo 2 g/L.")
    everything = replace(facts(*[station(k, age_ms=9 * HOUR_MS) for k in kinds * 3], alerts=(long,) * 9), dead_letters=3)
    lines = shown.screen(everything, "12 stations · 2 estuaries · simulated dry season, 600× faster", "received 69 084 · written 69 084")
    assert len(lines) <= height
    assert lines[-1].plain == KEYS
    assert lines[-1].plain[: min(width, 7)] == "q quits"
    stations = sum(line.plain.startswith(("⬣", "◆", "▲", "■", "●", "? ")) for line in lines)
    assert stations == 12 or width < 80
    alerts = [line for line in lines if "Đại Ngãi" in line.plain]
    assert stations >= 2
    assert not alerts or stations == 12
    for line in alerts:
        assert line.cell_len <= width
        words = line.plain.removesuffix(" …").split()
        assert words[-1].rstrip(".,:;") in [w.rstrip(".,:;") for w in long.words.split()]


@pytest.mark.parametrize("width", [60, 80, 140])
def test_s_shows_what_a_sensor_sends(width: int) -> None:
    """The whole line, at any time, in a terminal of any width; pressed again it goes."""
    console = Console(file=io.StringIO(), force_terminal=True, width=width, height=24, no_color=True, color_system=None)
    shown = View("http://127.0.0.1:8000", Signals(), speed=600, console=console)
    command = "mosquitto_pub -h 127.0.0.1 -p 1883 -u org:default -P " + "k" * 40 + " -q 1 -t canhman/default/vuon-toi/telemetry -m '{\"age_s\": 0}'"
    shown.ready(16, [command])

    def look() -> list[str]:
        lines = shown.screen(facts(*[station()] * 12, alerts=(ALERT,) * 9), "head", "received 1")
        assert len(lines) <= 24
        assert lines[-1].plain == KEYS
        return [line.plain for line in lines]

    assert command not in "".join(look())
    read, write = os.pipe()
    for expected in (True, False):
        os.write(write, b"s")
        shown._pressed(read)
        assert (command in "".join(look())) is expected
    os.close(read)
    os.close(write)


def test_what_was_gives_way_to_what_to_do() -> None:
    """The hours of the past first, then km, then the trend; below 80 columns what to do has a line of its own."""
    found = [layout_for([station()], width) for width in range(40, 160)]
    assert [x for x in dict.fromkeys(found) if not x.below] == list(reversed(LAYOUTS))
    assert all(x.below for x in found[:40])


def test_one_language_on_the_screen() -> None:
    """In English neither verdict, band, trend nor state is Vietnamese, and the other way round."""
    silent = station(verdict("unknown", reason="silent", of=None), age_ms=9 * HOUR_MS)
    assert "rising" in station_line(station(), coloured=False, lang="en").plain
    assert "đang lên" in station_line(station(), coloured=False).plain
    assert "silent 9 h" in station_line(silent, coloured=False, lang="en").plain
    assert "im 9 giờ" in station_line(silent, coloured=False).plain
    assert " open " in alert_line(ALERT, NOW, "en").plain
