"""The lines of the demo's screen: pure, from what was looked up to text and colours."""

from __future__ import annotations

import math
import textwrap

from rich.cells import cell_len
from rich.text import Text

from api.web import words
from api.web.charts.scale import position
from canhman.demo_facts import AlertFacts, Facts, StationFacts
from canhman.demo_layout import LAYOUTS, NAME, Layout, band_width, left_of, state_width
from canhman.demo_words import LANG, SHAPES, UNKNOWN, ZONE, count, sign, verdict_words, when
from canhman.terminal import visible
from core.bands import band
from core.reach import Reach
from core.texts import age, say, texts

FILLS = (("#CDEFFA", "#0B1513"), ("#FBDD4A", "#0B1513"), ("#F0924A", "#0B1513"), ("#A3261B", "#FFFFFF"), ("#4B0A2E", "#FFFFFF"))
BLOCKS = "▁▂▃▄▅▆▇█"
HATCH = "░"
BAR = 20  # cells of the longest reach


def parts_line(parts: dict[str, str], facts: Facts) -> Text:
    """✓ for everything that has started and works, ! for what is in trouble; whose word the forecasts are, for a model learns while the demo runs."""
    by = f" by {', '.join(facts.models)}" if facts.models else ""
    names = {
        "ingest": f"broker embedded {parts.get('ingest', '').rpartition(' ')[2]}   {_mark('ingest', facts)} store sqlite",
        "forecast": f"{facts.forecasts} forecasts{by}" if facts.forecasts else "forecast",
        "serve": "pages and API",
    }
    return Text("   ".join(f"{_mark(name, facts)} {names.get(name, name)}" for name in parts))


def trouble_lines(facts: Facts, width: int, most: int = 3) -> list[Text]:
    """What is wrong, in the words of doctor, folded; what finds no room there is told by `canhman doctor`."""
    folded = [
        part for name, trouble in sorted(facts.troubles.items()) for part in textwrap.wrap(visible(f"! {name}: {trouble}"), width, subsequent_indent="  ")
    ]
    if len(folded) > most:
        folded = [*folded[: most - 1], "  … the rest is told by canhman doctor"]
    return [Text(line, style="yellow") for line in folded]


def _mark(name: str, facts: Facts) -> str:
    return "!" if name in facts.troubles else "✓"


def title_lines(head: str, url: str, width: int) -> list[Text]:
    """What this is and where its pages are; where both do not fit beside each other the address stands first, whole."""
    name = Text("Canh Mặn demo   ", style="bold")
    if len(name) + len(head) + 3 + len(url) <= width:
        return [name + Text(f"{head}   ") + Text(url, style="underline")]
    return [name + Text(url, style="underline"), Text(head)]


def date_line(now: int, lang: str = LANG, layout: Layout = LAYOUTS[0]) -> Text:
    """With the moon's date and what tide people expect by it; above the last hours how many they are."""
    header = words.date_header(now, ZONE, lang)
    moon = ", ".join(part for part in (header.lunar, header.tide) if part)
    line = f"{when(now, lang)} ({moon})"
    return Text(line.ljust(left_of(layout, lang) - layout.hours - 2) + f" {layout.hours} h".rjust(3) if layout.hours else line, style="bold")


def tally(facts: Facts) -> str:
    """How many stations have which verdict."""
    return " · ".join(f"{kind} {sum(s.verdict.verdict == kind for s in facts.stations)}" for kind in ("take", "measure", "wait", "stop", "unknown"))


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
    wide = state_width(layout, lang)
    if kind is None or s.value is None:
        why = f"demo.{s.verdict.reason}"
        since = age(s.age_ms, lang) if s.age_ms is not None else ""
        told = say(lang, why, **({"age": since} if s.verdict.reason in ("silent", "stale") else {})).strip() if why in texts(lang) else s.verdict.reason
        state = words.band_word("unknown", lang) + "  " + told if layout.trend else told
        line.append(state.ljust(wide if len(state) < wide else len(state) + 2))
    else:
        told = f"{words.value_text(s.value, lang):>8}" + (f"  {words.band_word(kind, lang):<{band_width(lang)}}" if layout.word else "")
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
    refusals = f" · refused {count(refused)}" if refused else ""
    dead = f"dead letters {count(facts.dead_letters)}" + (" (canhman deadletters list)" if facts.dead_letters else "")
    return Text(f"{counts}{refusals} · {dead} · open alerts {facts.open_alerts}")
