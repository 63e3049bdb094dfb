"""The terminal view of `canhman demo`: one screen that stays, or calm lines where standard output is no terminal.

The verdict and its words are those every page shows; shapes and words are always printed, colour only where there is some.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import sys
import textwrap
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TextIO, cast

import structlog
from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from adapters.sql.database import SqlDatabase
from api.web import words
from api.web.charts.scale import position
from api.web.view import title_of
from canhman.configuration import read_risk
from canhman.demo_facts import HOURS, AlertFacts, Facts, Reader, StationFacts
from canhman.device_log import DeviceLog
from canhman.settings import Settings
from canhman.signals import Signals
from canhman.terminal import Bar, UntilGone, visible
from core.bands import band
from core.clock import SimClock
from core.errors import UnavailableError
from core.reach import Reach
from core.texts import age, say, texts
from core.verdict import Verdict
from firmware_sim.network import Network
from firmware_sim.run import Fleet

logger = structlog.get_logger()

ZONE = "Asia/Ho_Chi_Minh"
LANG = "vi"  # where nothing else is asked for
EVERY_S = 1.0  # a new look at database and store
CALM_S = 15.0  # between two lines where standard output is no terminal
SHAPES = ("●", "■", "▲", "⬣", "◆")
UNKNOWN = "?"
FILLS = (("#CDEFFA", "#0B1513"), ("#FBDD4A", "#0B1513"), ("#F0924A", "#0B1513"), ("#A3261B", "#FFFFFF"), ("#4B0A2E", "#FFFFFF"))
SIGNS = {"take": 0, "measure": 1, "wait": 2, "stop": 3}
BLOCKS = "▁▂▃▄▅▆▇█"
HATCH = "░"
NEWEST = 5  # alerts shown
BAR = 20  # cells of the longest reach
SENSOR = "A real sensor in five minutes: in another terminal"
KEYS = "q quits · o opens the app · s shows what a sensor sends"
NAME = 17
NARROW = 80  # columns; where there are fewer, what to do stands on a line of its own


class View:
    """What people see from the start on: what has started, the history filling in, then the screen."""

    def __init__(self, url: str, signals: Signals, *, speed: float, lang: str = LANG, console: Console | None = None) -> None:
        self._url = url
        self._signals = signals
        self._speed = speed
        self._lang = lang
        self._console = console or Console(file=cast(TextIO, UntilGone(sys.stdout, signals.stop)), highlight=False, soft_wrap=False)
        self._parts: dict[str, str] = {}
        self._note = ""
        self._sensor: list[str] = []  # how a real one publishes
        self._sensor_shown = False

    @property
    def is_live(self) -> bool:
        """Whether a screen can be drawn again and again."""
        return self._console.is_terminal and not self._console.is_dumb_terminal

    def say(self, line: str, *, style: str = "") -> None:
        """One line, at once."""
        self._console.print(Text(visible(line), style=style), soft_wrap=True)

    def hello(self, folder: str, again: bool) -> None:
        """Before anything starts."""
        self.say(f"Canh Mặn demo  {self._url}  (data in {folder}{', going on where it stopped' if again else ''}; Ctrl-C ends it)")

    def started(self, name: str, what: str) -> None:
        """A service has started."""
        self._parts[name] = what
        self.say(f"✓ {name}: {what}")

    @contextlib.contextmanager
    def history(self, total: int) -> Iterator[Bar]:
        """A progress bar over the objects the devices have to send; a line each quarter where it is no terminal."""
        if not total:
            yield lambda done, note="": None
            return
        if self.is_live:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}"), TimeElapsedColumn())
            with Progress(*columns, console=self._console) as bar:
                task = bar.add_task("history, in objects", total=total, note="")
                yield lambda done, note="": bar.update(task, completed=done, note=note)
            return
        said = -1

        def move(done: int, note: str = "") -> None:
            nonlocal said
            quarter = 4 * done // total
            if quarter > said:
                said = quarter
                self.say(f"history: {done} of {total} objects taken {note}".rstrip())

        yield move

    def ready(self, seconds: float, sensor_lines: list[str]) -> None:
        """From here on it is live."""
        self.say(f"ready after {seconds:.0f} s: {self._url}", style="bold")
        self._sensor = sensor_lines
        self.say(SENSOR)
        for line in sensor_lines:
            self.say(f"  {line}")

    async def run(self, db: SqlDatabase, settings: Settings, network: Network, log: DeviceLog, fleet: Fleet, clock: SimClock) -> None:
        """Until cancelled: look, and show it."""
        reader = Reader(db, settings, [d.id for d in network.devices], read_risk(settings.config), clock, self._lang)
        await reader.open()
        head = f"{len(network.devices)} stations · {len(network.waterways)} estuaries · simulated dry season, {self._speed:g}× faster"
        try:
            with self._shown() as show:
                while True:
                    try:
                        facts = await reader.look()
                    except UnavailableError:  # for a moment: the last picture stands, its clock with it
                        logger.warning("the database is away")
                    except Exception:  # the path goes on without its picture
                        logger.exception("a fault in the demo's view")
                    else:
                        show(facts, head, f"received {_count(log.objects(network))} · written {_count(facts.stored)}", fleet)
                    await asyncio.sleep(EVERY_S)
        finally:
            await reader.close()

    def _shown(self) -> AbstractContextManager[Callable[[Facts, str, str, Fleet], None]]:
        return self._screen() if self.is_live else self._lines()

    # ------------------------------------------------------------ a terminal

    @contextlib.contextmanager
    def _screen(self) -> Iterator[Callable[[Facts, str, str, Fleet], None]]:
        with self._keys(), Live(console=self._console, auto_refresh=False, vertical_overflow="crop") as live:

            def show(facts: Facts, head: str, counts: str, fleet: Fleet) -> None:
                live.update(Group(*self.screen(facts, head, counts, fleet.counts.refused)), refresh=True)

            yield show

    def screen(self, facts: Facts, head: str, counts: str, refused: int = 0) -> list[Text]:
        """All lines of the screen, never more than it has: stations first, then what people asked for, how far salt reaches, alerts, and air last."""
        coloured = self._console.color_system in ("256", "truecolor") and not self._console.no_color
        width, lang = self._console.width, self._lang
        top = title_lines(head, self._url, width)
        end = [counts_line(facts, counts, refused), *([Text(self._note)] if self._note else []), Text(KEYS)]
        room = max(3, self._console.height - len(top) - 2 - len(end))
        layout = layout_for(facts.stations, width, lang, room)
        stations = [station_lines(s, coloured=coloured, lang=lang, layout=layout, width=width) for s in facts.stations]
        table = fitting(stations, room)
        room = room - len(table) if len(table) >= sum(map(len, stations)) else 0  # what is left of stations that do not fit is nobody's
        folded = self._sensor_lines(width) if self._sensor_shown else []
        if folded and len(folded) > room:  # asked for: then it comes before the stations
            table = fitting(stations, max(1, self._console.height - len(top) - 2 - len(end) - len(folded)))
            room = 0
        room = max(0, room - len(folded))
        reach = reach_lines(facts, lang, width)
        if folded or len(reach) > room:
            reach = []
        alerts = [] if folded else [alert_line(a, facts.now, lang, width) for a in facts.alerts[: min(NEWEST, room - len(reach))]]
        room -= len(reach) + len(alerts)
        lines = [*top, parts_line(self._parts, facts)]
        for block in ([date_line(facts.now, lang, layout), *table], folded, reach, alerts, end):
            if block and room > 0:
                lines.append(Text())
                room -= 1
            lines += block
        for line in lines:
            if line not in top:  # an address is never cut
                line.no_wrap = True
                line.overflow = "ellipsis"
        return lines

    def _sensor_lines(self, width: int) -> list[Text]:
        """How a real sensor publishes, whole, in as many lines as that takes."""
        return [Text(SENSOR), *(Text(line[i : i + width]) for line in map(visible, self._sensor) for i in range(0, len(line), width))]

    @contextlib.contextmanager
    def _keys(self) -> Iterator[None]:
        """q, o and s, where standard input is a terminal; it is given back as it was."""
        if not sys.stdin.isatty():
            yield
            return
        import termios
        import tty

        descriptor = sys.stdin.fileno()
        loop = asyncio.get_running_loop()
        try:
            before = termios.tcgetattr(descriptor)
            tty.setcbreak(descriptor)
        except termios.error:  # it was closed just now
            self._signals.stop()
            yield
            return
        loop.add_reader(descriptor, self._pressed, descriptor)
        try:
            yield
        finally:
            loop.remove_reader(descriptor)
            with contextlib.suppress(termios.error):  # closed meanwhile
                termios.tcsetattr(descriptor, termios.TCSADRAIN, before)

    def _pressed(self, descriptor: int) -> None:
        try:
            pressed = os.read(descriptor, 64).lower()
        except OSError:
            pressed = b""
        if b"q" in pressed or not pressed:  # nothing at all: the terminal was closed
            self._signals.stop()
        elif b"o" in pressed:
            self._note = self._open()
        elif b"s" in pressed:
            self._sensor_shown = not self._sensor_shown

    def _open(self) -> str:
        if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform == "darwin"):
            return f"no browser can be opened from here; the address is {self._url}"
        asyncio.get_running_loop().run_in_executor(None, webbrowser.open, self._url)
        return f"opened {self._url}"

    # ------------------------------------------------------------ no terminal

    @contextlib.contextmanager
    def _lines(self) -> Iterator[Callable[[Facts, str, str, Fleet], None]]:
        loop = asyncio.get_running_loop()
        due = 0.0
        told: dict[int, tuple[int, str]] = {}
        first = True

        def show(facts: Facts, head: str, counts: str, fleet: Fleet) -> None:
            nonlocal due, first
            if first:
                for line in (
                    Text(head),
                    parts_line(self._parts, facts),
                    date_line(facts.now, self._lang),
                    *(station_line(s, coloured=False, lang=self._lang) for s in facts.stations),
                ):
                    self.say(line.plain)
                for line in reach_lines(facts, self._lang):
                    self.say(line.plain)
            for alert in reversed(facts.alerts):
                if told.get(alert.id) != (alert.at, alert.state):
                    told[alert.id] = (alert.at, alert.state)
                    self.say(alert_line(alert, facts.now, self._lang).plain)
            if first or loop.time() >= due:
                due = loop.time() + CALM_S
                tally = " · ".join(
                    f"{kind} {sum(s.verdict.verdict == kind for s in facts.stations)}" for kind in ("take", "measure", "wait", "stop", "unknown")
                )
                self.say(f"{when(facts.now, self._lang)}  {tally} · {counts_line(facts, counts, fleet.counts.refused).plain}")
            first = False
            for gone in set(told) - {a.id for a in facts.alerts}:
                del told[gone]

        yield show


# ---------------------------------------------------------------- lines, pure


def parts_line(parts: dict[str, str], facts: Facts) -> Text:
    """✓ for everything that has started; whose word the forecasts are, for a model learns while the demo runs."""
    by = f" by {', '.join(facts.models)}" if facts.models else ""
    names = {
        "ingest": f"broker embedded {parts.get('ingest', '').rpartition(' ')[2]}   ✓ store sqlite",
        "forecast": f"{facts.forecasts} forecasts{by}" if facts.forecasts else "forecast",
        "serve": "pages and API",
    }
    return Text("   ".join(f"✓ {names.get(name, name)}" for name in parts))


def title_lines(head: str, url: str, width: int) -> list[Text]:
    """What this is and where its pages are; where both do not fit beside each other the address stands first, whole."""
    name = Text("Canh Mặn demo   ", style="bold")
    if len(name) + len(head) + 3 + len(url) <= width:
        return [name + Text(f"{head}   ") + Text(url, style="underline")]
    return [name + Text(url, style="underline"), Text(head)]


def when(now: int, lang: str = LANG) -> str:
    """`Thứ Năm 5/3 07:10`."""
    return f"{words.date_words(now, ZONE, lang)} {words.local(now, ZONE):%H:%M}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What a station's line has room for: hours of its past, km, trend, the band's word.

    `below`: what to do stands on a line of its own; `short`: without the sentence that adds to it.
    """

    hours: int = HOURS
    km: bool = True
    trend: bool = True
    word: bool = True
    below: bool = False
    short: bool = False


# in this order things are left out: what to do is more than what was
LAYOUTS = (Layout(), Layout(hours=12), Layout(hours=0), Layout(hours=0, km=False), Layout(hours=0, km=False, trend=False))
SHORTEST = Layout(hours=0, km=False, trend=False, word=False)  # the sign stands there still


def layout_for(stations: Sequence[StationFacts], width: int, lang: str = LANG, room: int = 1000) -> Layout:
    """The first in which every verdict stands whole in `width` columns; as the rows of the pages have it where two lines a station are too many for `room`."""
    for short in (False, True):
        if len(stations) * 2 > room if short else width >= NARROW:
            needed = max((cell_len(verdict_words(s, lang, short=short)) for s in stations), default=0)
            for layout in (*LAYOUTS, SHORTEST) if short else LAYOUTS:
                if _left(layout, lang) + needed <= width:
                    return replace(layout, short=short)
    for layout in LAYOUTS:
        if _left(layout, lang) <= width:
            return replace(layout, below=True)
    return replace(LAYOUTS[-1], below=True)


def fitting(stations: Sequence[list[Text]], room: int) -> list[Text]:
    """The lines of as many stations as there is room for, and how many more there are."""
    if sum(map(len, stations)) <= room:
        return [line for lines in stations for line in lines]
    shown: list[Text] = []
    for n, lines in enumerate(stations):
        if len(shown) + len(lines) >= room:
            return [*shown, Text(f"… and {len(stations) - n} more on the page")]
        shown += lines
    return shown


def _band_width(lang: str) -> int:
    return max(len(words.band_word(kind, lang)) for kind in range(len(SHAPES)))


def _state_width(layout: Layout, lang: str) -> int:
    return 12 + (_band_width(lang) if layout.word else 0) + (11 if layout.trend else 0)


def _left(layout: Layout, lang: str) -> int:
    """Columns before what to do."""
    return NAME + 3 + _state_width(layout, lang) + (7 if layout.km else 0) + (layout.hours + 2 if layout.hours else 0)


def date_line(now: int, lang: str = LANG, layout: Layout = LAYOUTS[0]) -> Text:
    """With the moon's date and what tide people expect by it; above the last hours how many they are."""
    header = words.date_header(now, ZONE, lang)
    moon = ", ".join(part for part in (header.lunar, header.tide) if part)
    line = f"{when(now, lang)} ({moon})"
    return Text(line.ljust(_left(layout, lang) - layout.hours - 2) + f" {layout.hours} h".rjust(3) if layout.hours else line, style="bold")


def tally(facts: Facts) -> str:
    """How many stations have which verdict."""
    return " · ".join(f"{kind} {sum(s.verdict.verdict == kind for s in facts.stations)}" for kind in ("take", "measure", "wait", "stop", "unknown"))


def sign(verdict: Verdict) -> int | None:
    """Of the shape and of the words, as on the pages: by what is to be done, not by the water. None where nothing may be said."""
    if verdict.verdict == "stop" and verdict.band == 4:
        return 4
    return SIGNS.get(verdict.verdict) if verdict.band is not None else None


def verdict_words(s: StationFacts, lang: str = LANG, *, short: bool = False) -> str:
    """What to do, in the words of every page, from the verdict given; `short` as in the rows of the pages."""
    kind = sign(s.verdict)
    text = say(lang, "unknown" if kind is None else f"verdict.{kind}")
    if short:
        return title_of(text)[0]
    return f"{text} {say(lang, 'sure.none')}." if s.verdict.reason == "no_forecast" else text


def station_lines(s: StationFacts, *, coloured: bool, lang: str = LANG, layout: Layout = LAYOUTS[0], width: int = 240) -> list[Text]:
    """One line, or more where what to do stands below, folded where it must be."""
    line = station_line(s, coloured=coloured, lang=lang, layout=layout)
    return [line, *(Text(f"    {part}") for part in textwrap.wrap(verdict_words(s, lang), width - 4))] if layout.below else [line]


def station_line(s: StationFacts, *, coloured: bool, lang: str = LANG, layout: Layout = LAYOUTS[0]) -> Text:
    """Sign of the verdict, name, value, band, and as `layout` says trend, km, the last hours, and what to do."""
    kind = s.verdict.band
    name = visible(s.station.name)
    shape = sign(s.verdict)
    line = Text(f"{UNKNOWN if shape is None else SHAPES[shape]} {name[:NAME]:<{NAME}} ")
    wide = _state_width(layout, lang)
    if kind is None or s.value is None:
        why = f"demo.{s.verdict.reason}"
        since = age(s.age_ms, lang) if s.age_ms is not None else ""
        told = say(lang, why, **({"age": since} if s.verdict.reason in ("silent", "stale") else {})).strip() if why in texts(lang) else s.verdict.reason
        state = words.band_word("unknown", lang) + "  " + told if layout.trend else told
        line.append(state.ljust(wide if len(state) < wide else len(state) + 2))
    else:
        told = f"{words.value_text(s.value, lang):>8}" + (f"  {words.band_word(kind, lang):<{_band_width(lang)}}" if layout.word else "")
        line.append(told, style=f"{FILLS[kind][1]} on {FILLS[kind][0]}" if coloured else "")
        trend = f"  {say(lang, f'demo.trend.{s.trend}')}" if layout.trend and s.trend else ""
        line.append(trend.ljust(wide - len(told)))
    km = "" if s.station.km is None else f"km {s.station.km:.0f}"
    line.append(f"{km:<7}" if layout.km else "")
    line.append(f"{sparkline(s)[-layout.hours :]}  " if layout.hours else "")
    if not layout.below:
        line.append(verdict_words(s, lang, short=layout.short))
    return line


def sparkline(s: StationFacts) -> str:
    """The last 24 h, an hour a block, on the one scale; ░ where nothing good was measured."""
    return "".join(HATCH if v is None else BLOCKS[min(len(BLOCKS) - 1, int(position(v) * len(BLOCKS)))] for v in s.hours)


def reach_lines(facts: Facts, lang: str = LANG, width: int = 240) -> list[Text]:
    """Where the 4 and the 1 g/L line stand on each waterway with stations, all on one scale; a line for each of the two where both are too wide."""
    ways = [way for way in facts.waterways if way.stations]
    longest = max((r.km for way in ways for r in way.reaches if r.km is not None), default=0.0)
    cell_km = max(1, math.ceil(longest / max(3, min(BAR, width - 50))))
    title = say(lang, "demo.reach", km=cell_km)
    found = [Text(title)] if ways else []
    lines = [(way.waterway.name, [_reach(r, cell_km, lang) for r in sorted(way.reaches, key=lambda r: -r.line)]) for way in ways]
    wide = max((len(part) for _, parts in lines for part in parts), default=0) + 4
    for name, parts in lines:
        if 15 + wide * len(parts) <= width:
            found.append(Text(f"{name:<14} {''.join(part.ljust(wide) for part in parts)}".rstrip()))
        else:
            found += [Text(f"{name if i == 0 else '':<14} {part}") for i, part in enumerate(parts)]
    return found


def _reach(r: Reach, cell_km: int, lang: str) -> str:
    name = f"{r.line:g} g/L "
    if r.km is None:
        return f"{name}{say(lang, 'demo.reach.unknown')}"
    km = f"{r.km:.0f}"
    told = km if r.side == "at" else say(lang, f"demo.reach.{r.side}", km=km)
    bar = ("┄" if r.hatched else "─") * max(1, round(r.km / cell_km))
    doubt = f" {say(lang, 'demo.reach.silent')}" if r.hatched else ""
    return f"{name}├{bar}{SHAPES[band(r.line)]} {told}{doubt}"


def alert_line(a: AlertFacts, now: int, lang: str = LANG, width: int = 240) -> Text:
    """`07:10 đang mở ◆ Kênh Lầu: Đừng lấy nước. …`, with the sign the pages give it; what is too long ends with a whole word."""
    shape = UNKNOWN if a.sign is None else SHAPES[a.sign]
    then = words.local(a.at, ZONE)
    at = f"{then:%H:%M}" if then.date() == words.local(now, ZONE).date() else f"{then.day}/{then.month} {then:%H:%M}"
    state = say(lang, f"demo.{a.state}") if f"demo.{a.state}" in texts(lang) else a.state
    return Text(_cut(f"{at:>11}  {state:<12} {shape} {visible(a.words)}", width))


def _cut(line: str, width: int) -> str:
    """At most `width` columns, ending with a whole word."""
    return line if cell_len(line) <= width else f"{line[: width - 1].rpartition(' ')[0].rstrip(' :.,;')} …"


def counts_line(facts: Facts, counts: str, refused: int) -> Text:
    """Received, written, refused."""
    refusals = f" · refused {_count(refused)}" if refused else ""
    dead = f"dead letters {_count(facts.dead_letters)}" + (" (canhman deadletters list)" if facts.dead_letters else "")
    return Text(f"{counts}{refusals} · {dead} · open alerts {facts.open_alerts}")


def _count(n: int) -> str:
    return f"{n:,}".replace(",", " ")
