"""`canhman top` for people: tables in a terminal, drawn again and again, or printed once where there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from canhman.heartbeat import Heartbeat
from canhman.signals import Signals
from canhman.terminal import visible
from canhman.top_facts import Look, Looker
from core.texts import NO_NUMBER, age, number, say

GOOD, BAD = "green", "bold red"


def picture(look: Look, lang: str) -> RenderableType:
    """All of one look."""
    ingests = {name: beat for name, beat in look.beats.items() if name.partition("-")[0] == "ingest"}
    parts: list[RenderableType] = [_services(look, lang)]
    if not look.beats:
        parts = [Text(say(lang, "top.none"), style=BAD)]
    if ingests:
        parts += ["", _flow(ingests, lang), "", _times(ingests, lang)]
    parts += ["", *_known(look, lang)]
    return Group(*parts)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str | Text]], *, right: int = 1) -> Table:
    """Without lines; from column `right` on to the right."""
    view = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for i, column in enumerate(columns):
        view.add_column(column, justify="right" if i >= right else "left", overflow="fold")
    for row in rows:
        view.add_row(*(cell if isinstance(cell, Text) else Text(visible(cell)) for cell in row))
    return view


def _services(look: Look, lang: str) -> Table:
    rows: list[list[str | Text]] = []
    for name, beat in look.beats.items():
        words = "; ".join(f"{part}: {text}" for part, text in sorted(beat.troubles.items()))
        if not beat.is_fresh:
            quiet = say(lang, "top.quiet", age=age(round(beat.age_s * 1000), lang))
            state = Text(": ".join(filter(None, (quiet, visible(look.silent.get(name, ""))))), style=BAD)
        elif words:
            state = Text(visible(words), style=BAD)
        else:
            state = Text(say(lang, "top.runs"), style=GOOD)
        rows.append([name, str(beat.pid), state])
    return _table([say(lang, "top.service"), "pid", say(lang, "top.state")], rows, right=9)


def _flow(ingests: dict[str, Heartbeat], lang: str) -> Table:
    """Messages a second and what is behind."""
    columns = ["", *(say(lang, f"top.{key}") for key in ("received", "journalled", "stored", "batch", "behind", "oldest"))]
    return _table(columns, [_flow_of(name, beat, lang) for name, beat in ingests.items()])


def _flow_of(name: str, beat: Heartbeat, lang: str) -> list[str | Text]:
    rates = [_rate(beat.recent.get(f"{key}_per_s"), lang) for key in ("received", "journalled", "stored")]
    behind, lag_s = beat.figures.get("lag_messages", 0), beat.figures.get("lag_ms", 0) / 1000
    return [name, *rates, _rate(beat.recent.get("batch_messages_mean"), lang), _count(behind, lang), number(lag_s, 1, lang, unit="s")]


def _times(ingests: dict[str, Heartbeat], lang: str) -> Table:
    """How long fsync, write and the way from arrival to store took in the last minute [ms]."""
    names = ("fsync_seconds", "write_seconds", "delay_seconds")
    columns = ["[ms]", *(f"{say(lang, f'top.{key}')} {q}" for key in names for q in ("p50", "p99"))]
    rows = [[name, *(_ms(beat.recent.get(f"{key}_{q}"), lang) for key in names for q in ("p50", "p99"))] for name, beat in ingests.items()]
    return _table(columns, rows)


def _known(look: Look, lang: str) -> list[RenderableType]:
    k = look.known
    if k.trouble:
        return [Text(visible(k.trouble), style=BAD)]
    newest = NO_NUMBER if k.newest_age_s is None else age(round(k.newest_age_s * 1000), lang)
    dead = ", ".join(f"{reason} {_count(count, lang)}" for reason, count in sorted(k.dead.items())) or say(lang, "top.no")
    lines = [
        say(lang, "top.newest", age=newest, devices=k.devices, waiting=k.waiting),
        say(lang, "top.dead", counts=dead),
        say(lang, "top.missing", n=_count(k.missing, lang)),
    ]
    found: list[RenderableType] = [Text(line) for line in lines]
    if k.noisiest:
        columns = [say(lang, f"top.noisiest.{key}") for key in ("device", "dead", "again", "missing", "clock")]
        rows = [[n.device, _count(n.dead, lang), _count(n.again, lang), _count(n.missing, lang), n.clock] for n in k.noisiest]
        found += ["", _table(columns, rows)]
    return found


def _rate(value: float | None, lang: str) -> str:
    if value is None:
        return NO_NUMBER
    return _count(round(value), lang) if value >= 100 else number(value, 1, lang)


def _count(value: int, lang: str) -> str:
    return f"{value:,}".replace(",", "." if lang == "vi" else ",")


def _ms(seconds: float | None, lang: str) -> str:
    return NO_NUMBER if seconds is None else number(seconds * 1000, 1 if seconds < 0.1 else 0, lang)


async def run(looker: Looker, console: Console, signals: Signals, *, every: float, lang: str) -> None:
    """Draw until a stop."""
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while not signals.stopped:
            live.update(picture(await looker.look(), lang), refresh=True)
            await signals.wait(every)


def once(looker: Looker, console: Console, *, lang: str) -> None:
    """Print it once."""
    console.print(picture(asyncio.run(looker.look()), lang))
