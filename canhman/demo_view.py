"""The terminal view of `canhman demo`: one screen that stays, or calm lines where standard output is no terminal.

The verdict and its words are those every page shows; shapes and words are always printed, colour only where there is some.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TextIO, cast

import structlog
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from adapters.sql.database import SqlDatabase
from api.web import words
from api.web.charts.scale import position
from canhman.configuration import read_risk
from canhman.demo_facts import AlertFacts, Facts, Reader, StationFacts
from canhman.device_log import DeviceLog
from canhman.settings import Settings
from canhman.signals import Signals
from canhman.terminal import Bar, UntilGone, visible
from core.bands import band
from core.clock import SimClock
from core.errors import UnavailableError
from core.reach import Reach
from core.texts import age, say
from firmware_sim.network import Network
from firmware_sim.run import Fleet

logger = structlog.get_logger()

ZONE = "Asia/Ho_Chi_Minh"
LANG = "vi"
EVERY_S = 1.0  # a new look at database and store
CALM_S = 15.0  # between two lines where standard output is no terminal
SHAPES = ("●", "■", "▲", "⬣", "◆")
UNKNOWN = "?"
FILLS = (("#CDEFFA", "#0B1513"), ("#FBDD4A", "#0B1513"), ("#F0924A", "#0B1513"), ("#A3261B", "#FFFFFF"), ("#4B0A2E", "#FFFFFF"))
BLOCKS = "▁▂▃▄▅▆▇█"
HATCH = "░"
NEWEST = 5  # alerts shown
NAME = 17
WIDE = 120  # columns; where there are fewer, what to do is more than what was


class View:
    """What people see from the start on: what has started, the history filling in, then the screen."""

    def __init__(self, url: str, signals: Signals, *, speed: float, console: Console | None = None) -> None:
        self._url = url
        self._signals = signals
        self._speed = speed
        self._console = console or Console(file=cast(TextIO, UntilGone(sys.stdout, signals.stop)), highlight=False, soft_wrap=False)
        self._parts: dict[str, str] = {}
        self._note = ""

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
        self.say("A real sensor in five minutes: in another terminal")
        for line in sensor_lines:
            self.say(f"  {line}")

    async def run(self, db: SqlDatabase, settings: Settings, network: Network, log: DeviceLog, fleet: Fleet, clock: SimClock) -> None:
        """Until cancelled: look, and show it."""
        reader = Reader(db, settings, [d.id for d in network.devices], read_risk(settings.config), clock)
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
        """All lines of the screen."""
        coloured = self._console.color_system in ("256", "truecolor") and not self._console.no_color
        room = max(3, self._console.height - 16)
        lines = [Text(f"Canh Mặn demo   {head}   ", style="bold") + Text(self._url, style="underline"), parts_line(self._parts, facts)]
        lines += [Text(), date_line(facts.now)]
        lines += [station_line(s, coloured=coloured, day=self._console.width >= WIDE) for s in facts.stations[:room]]
        if len(facts.stations) > room:
            lines.append(Text(f"… and {len(facts.stations) - room} more on the page"))
        lines += [Text(), *reach_lines(facts), Text()]
        lines += [alert_line(a, facts.now) for a in facts.alerts[:NEWEST]]
        lines += [Text(), counts_line(facts, counts, refused) + Text(" · q quits, o opens the app"), Text(self._note)]
        for line in lines:
            line.no_wrap = True
            line.overflow = "ellipsis"
        return lines

    @contextlib.contextmanager
    def _keys(self) -> Iterator[None]:
        """q and o, where standard input is a terminal; it is given back as it was."""
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
                for line in (Text(head), parts_line(self._parts, facts), date_line(facts.now), *(station_line(s, coloured=False) for s in facts.stations)):
                    self.say(line.plain)
                for line in reach_lines(facts):
                    self.say(line.plain)
            for alert in reversed(facts.alerts):
                if told.get(alert.id) != (alert.at, alert.state):
                    told[alert.id] = (alert.at, alert.state)
                    self.say(alert_line(alert, facts.now).plain)
            if first or loop.time() >= due:
                due = loop.time() + CALM_S
                tally = " · ".join(
                    f"{kind} {sum(s.verdict.verdict == kind for s in facts.stations)}" for kind in ("take", "measure", "wait", "stop", "unknown")
                )
                self.say(f"{when(facts.now)}  {tally} · {counts_line(facts, counts, fleet.counts.refused).plain}")
            first = False
            for gone in set(told) - {a.id for a in facts.alerts}:
                del told[gone]

        yield show


# ---------------------------------------------------------------- lines, pure


def parts_line(parts: dict[str, str], facts: Facts) -> Text:
    """✓ for everything that has started."""
    names = {
        "ingest": f"broker embedded {parts.get('ingest', '').rpartition(' ')[2]}   ✓ store sqlite",
        "forecast": f"{facts.forecasts} forecasts" if facts.forecasts else "forecast",
        "serve": "pages and API",
    }
    return Text("   ".join(f"✓ {names.get(name, name)}" for name in parts))


def when(now: int) -> str:
    """`Thứ Năm 5/3 07:10`."""
    return f"{words.date_words(now, ZONE, LANG)} {words.local(now, ZONE):%H:%M}"


def date_line(now: int) -> Text:
    """With the moon's date and what tide people expect by it."""
    header = words.date_header(now, ZONE, LANG)
    moon = ", ".join(part for part in (header.lunar, header.tide) if part)
    return Text(f"{when(now)} ({moon})".ljust(70) + "24 h", style="bold")


def tally(facts: Facts) -> str:
    """How many stations have which verdict."""
    return " · ".join(f"{kind} {sum(s.verdict.verdict == kind for s in facts.stations)}" for kind in ("take", "measure", "wait", "stop", "unknown"))


def verdict_words(s: StationFacts) -> str:
    """What to do, in the words of every page, from the verdict given."""
    kinds = {"take": "verdict.0", "measure": "verdict.1", "wait": "verdict.2", "stop": "verdict.4" if s.verdict.band == 4 else "verdict.3"}
    text = say(LANG, kinds.get(s.verdict.verdict, "unknown"))
    return f"{text} {say(LANG, 'sure.none')}." if s.verdict.reason == "no_forecast" else text


def station_line(s: StationFacts, *, coloured: bool, day: bool = True) -> Text:
    """Shape, name, value, band, trend, km, the last 24 h (`day`), and what to do."""
    kind = s.verdict.band
    name = visible(s.station.name)
    line = Text(f"{UNKNOWN if kind is None else SHAPES[kind]} {name[:NAME]:<{NAME}} ")
    if kind is None or s.value is None:
        why = {"silent": "silent", "stale": "old", "suspect": "suspect", "fault": "faulty", "no_data": "no data"}.get(s.verdict.reason, s.verdict.reason)
        since = f" {age(s.age_ms, 'en')}" if s.age_ms is not None and s.verdict.reason in ("silent", "stale") else ""
        line.append(f"{words.band_word('unknown', LANG):<11}{why + since:<21}")
    else:
        told = f"{words.value_text(s.value, LANG):>8}  {words.band_word(kind, LANG):<9}"
        line.append(told, style=f"{FILLS[kind][1]} on {FILLS[kind][0]}" if coloured else "")
        line.append(f"  {s.trend:<11}")
    km = "" if s.station.km is None else f"km {s.station.km:.0f}"
    line.append(f"{km:<7}{sparkline(s) + '  ' if day else ''}{verdict_words(s)}")
    return line


def sparkline(s: StationFacts) -> str:
    """The last 24 h, an hour a block, on the one scale; ░ where nothing good was measured."""
    return "".join(HATCH if v is None else BLOCKS[min(len(BLOCKS) - 1, int(position(v) * len(BLOCKS)))] for v in s.hours)


def reach_lines(facts: Facts) -> list[Text]:
    """Where the 4 and the 1 g/L line stand on each waterway with stations."""
    found: list[Text] = []
    for way in facts.waterways:
        if way.stations:
            shown = "".join(_reach(r, way.waterway.length_km).ljust(56) for r in sorted(way.reaches, key=lambda r: -r.line))
            title = "Reach (km from the sea)" if not found else ""
            found.append(Text(f"{title:<25}{way.waterway.name:<14}{shown}".rstrip()))
    return found


def _reach(r: Reach, length_km: float) -> str:
    name = f"{r.line:g} g/L "
    if r.km is None:
        return f"{name}not known"
    told = {"at": f"{r.km:.0f}", "over": f"over {r.km:.0f}", "under": f"under {r.km:.0f}"}[r.side]
    bar = ("┄" if r.hatched else "─") * max(1, round(30 * min(1.0, r.km / max(1.0, length_km))))
    return f"{name}├{bar}{SHAPES[band(r.line)]} {told}"


def alert_line(a: AlertFacts, now: int) -> Text:
    """`07:10 alert ◆ Kênh Lầu: Đừng lấy nước. …`."""
    shape = UNKNOWN if a.level == 0 else SHAPES[a.level]
    then = words.local(a.at, ZONE)
    at = f"{then:%H:%M}" if then.date() == words.local(now, ZONE).date() else f"{then.day}/{then.month} {then:%H:%M}"
    return Text(f"{at:>11}  {a.state:<12} {shape} {visible(a.words)}")


def counts_line(facts: Facts, counts: str, refused: int) -> Text:
    """Received, written, refused."""
    refusals = f" · refused {_count(refused)}" if refused else ""
    dead = f"dead letters {_count(facts.dead_letters)}" + (" (canhman deadletters list)" if facts.dead_letters else "")
    return Text(f"{counts}{refusals} · {dead} · open alerts {facts.open_alerts}")


def _count(n: int) -> str:
    return f"{n:,}".replace(",", " ")
