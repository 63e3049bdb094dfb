"""The terminal view of `canhman demo`: one screen that stays, or calm lines where standard output is no terminal.

The verdict and its words are those every page shows; shapes and words are always printed, colour only where there is some.
Its lines stand in `canhman.demo_lines`, what they have room for in `canhman.demo_layout`.
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
from canhman.configuration import read_risk
from canhman.demo_facts import Facts, Reader
from canhman.demo_layout import fitting, layout_for
from canhman.demo_lines import alert_line, counts_line, date_line, parts_line, reach_lines, station_line, station_lines, tally, title_lines, trouble_lines
from canhman.demo_words import LANG, count, when
from canhman.device_log import DeviceLog
from canhman.settings import Settings
from canhman.signals import Signals
from canhman.terminal import Bar, Doubt, UntilGone, visible
from core.clock import SimClock
from core.errors import UnavailableError
from firmware_sim.network import Network
from firmware_sim.run import Fleet

logger = structlog.get_logger()

EVERY_S = 1.0  # a new look at database and store
CALM_S = 15.0  # between two lines where standard output is no terminal
NEWEST = 5  # alerts shown
SENSOR = "A real sensor in five minutes: in another terminal"
KEYS = "q quits · o opens the app · s shows what a sensor sends"


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
        doubtful = isinstance(what, Doubt)
        self.say(f"{'!' if doubtful else '✓'} {name}: {what}", style="yellow" if doubtful else "")

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
                        show(facts, head, f"received {count(log.objects(network))} · written {count(facts.stored)}", fleet)
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
        parts = [parts_line(self._parts, facts), *trouble_lines(facts, width)]
        end = [counts_line(facts, counts, refused), *([Text(self._note)] if self._note else []), Text(KEYS)]
        room = max(3, self._console.height - len(top) - 1 - len(parts) - len(end))
        layout = layout_for(facts.stations, width, lang, room)
        stations = [station_lines(s, coloured=coloured, lang=lang, layout=layout, width=width) for s in facts.stations]
        table = fitting(stations, room)
        room = room - len(table) if len(table) >= sum(map(len, stations)) else 0  # what is left of stations that do not fit is nobody's
        folded = self._sensor_lines(width) if self._sensor_shown else []
        if folded and len(folded) > room:  # asked for: then it comes before the stations
            table = fitting(stations, max(1, self._console.height - len(top) - 1 - len(parts) - len(end) - len(folded)))
            room = 0
        room = max(0, room - len(folded))
        reach = reach_lines(facts, lang, width)
        if folded or len(reach) > room:
            reach = []
        alerts = [] if folded else [alert_line(a, facts.now, lang, width) for a in facts.alerts[: min(NEWEST, room - len(reach))]]
        room -= len(reach) + len(alerts)
        lines = [*top, *parts]
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
        troubles: dict[str, str] = {}
        first = True

        def show(facts: Facts, head: str, counts: str, fleet: Fleet) -> None:
            nonlocal due, first, troubles
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
            for name in sorted({*facts.troubles, *troubles}):
                if facts.troubles.get(name) != troubles.get(name):
                    self.say(f"! {name}: {facts.troubles[name]}" if name in facts.troubles else f"✓ {name}: all is well again", style="yellow")
            troubles = dict(facts.troubles)
            for alert in reversed(facts.alerts):
                if told.get(alert.id) != (alert.at, alert.state):
                    told[alert.id] = (alert.at, alert.state)
                    self.say(alert_line(alert, facts.now, self._lang).plain)
            if first or loop.time() >= due:
                due = loop.time() + CALM_S
                self.say(f"{when(facts.now, self._lang)}  {tally(facts)} · {counts_line(facts, counts, fleet.counts.refused).plain}")
            first = False
            for gone in set(told) - {a.id for a in facts.alerts}:
                del told[gone]

        yield show
