"""Building the boards' files, bringing them to a Grafana, and asking the store every query a board would ask."""

from __future__ import annotations

import json
import re
import statistics
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from canhman.settings import Settings
from core.errors import CanhManError, ConfigError, NotFoundError, RefusedError, UnavailableError
from dashboards import provisioning
from dashboards.build import as_json, boards, dump
from dashboards.push import Grafana, Step
from dashboards.queries import Bound, bound
from dashboards.rules import faults

RUNS = 3  # of each query; the middle one counts
SLOW_MS = 300.0
PREFIX = "canhman-"  # of the uids of our boards
WIDTH_PX = 1200  # of a panel: Grafana asks for no more points than it can draw
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_WRITERS = {"forecast": "forecast", "latest": "alerts", "station": "alerts", "alert": "alerts"}  # measurement → service; ingest for readings
_WHILE_IT_RUNS = {
    "forecast": "not enough readings yet: forecasts need three days",
    "latest": "no point has a judged salinity yet",
    "station": "no station is registered yet",
    "alert": "there was no alert yet",
}
_FRESH_STATIONS = 'SELECT "station", "seen" FROM (SELECT last("seen") AS "seen" FROM "latest" GROUP BY "station")'
_UNITS_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One query and what came of it: series, points, milliseconds (the middle of three runs), what is wrong with it, or why it may well be empty."""

    board: str
    panel: str
    ref: str
    series: int
    points: int
    ms: float
    fault: str
    note: str = ""


class Found(Protocol):
    """One series of an answer."""

    @property
    def columns(self) -> Sequence[str]:
        """The first is the time, where there is one."""
        ...

    @property
    def rows(self) -> Sequence[Sequence[Any]]:
        """A value for each column."""
        ...


Ask = Callable[[str], Awaitable[Sequence[Found]]]


# ---------------------------------------------------------------- building


def store_for_grafana(settings: Settings, *, url: str = "") -> provisioning.Store | None:
    """The InfluxDB of CANHMAN_STORE as Grafana asks it, at `url` where Grafana sees it elsewhere; None for SQLite. Raises ConfigError."""
    address = settings.store_address
    if address.kind != "influxdb":
        return None
    host = f"[{address.host}]" if ":" in address.host else address.host
    seen = (url or f"http{'s' if address.tls else ''}://{host}:{address.port}").rstrip("/")
    if not re.fullmatch(r"https?://[^/@\s]+(/\S*)?", seen):
        raise ConfigError(f"--store-url {url!r}: expected http://host:8086")
    secret = settings.grafana_store_token.get_secret_value() or settings.store_token.get_secret_value()
    if address.api == "v2":
        if not secret:
            raise ConfigError("api=v2 needs a token: CANHMAN_GRAFANA_STORE_TOKEN or CANHMAN_STORE_TOKEN")
        return provisioning.Store(url=seen, database=address.database, api="v2", token=secret)
    user, colon, password = secret.partition(":")
    if secret and not colon:
        raise ConfigError("CANHMAN_GRAFANA_STORE_TOKEN and CANHMAN_STORE_TOKEN are user:password for api=v1")
    return provisioning.Store(url=seen, database=address.database, user=user, password=password)


def build(settings: Settings, folder: Path, *, lang: str, store_url: str = "", seen_as: str = "") -> dict[str, bool]:
    """Write every file that differs; returns whether each was written. Raises ConfigError where `folder` is no place for files."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--folder {str(folder)!r} is no folder and cannot be made: {error.strerror}") from error
    texts = {uid: dump(board, lang) for uid, board in boards().items()}
    made = provisioning.files(texts, store=store_for_grafana(settings, url=store_url), path=seen_as or str(folder.absolute()))
    written = {}
    for name, text in made.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            written[name] = not path.exists() or path.read_bytes() != text.encode()
            if written[name]:
                draft = path.with_name(f".{path.name}.new")  # Grafana may read at any moment: a file is there whole or not
                draft.write_text(text, "utf-8")
                draft.replace(path)
        except OSError as error:
            raise ConfigError(f"--folder {str(folder)!r}: {path} cannot be written: {error.strerror}") from error
    return written


def left_over(folder: Path, *, prune: bool) -> list[str]:
    """Names of files in `folder` of boards of ours that no longer exist; with `prune` they are removed. Boards of others stay. Raises ConfigError."""
    now = boards()
    found = [path for path in sorted((folder / "dashboards").glob(f"{PREFIX}*.json")) if path.stem not in now and _uid(path) == path.stem]
    for path in found if prune else ():
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise ConfigError(f"--prune: {path} cannot be removed: {error.strerror}") from error
    return [str(path.relative_to(folder)) for path in found]


def _uid(path: Path) -> str:
    """Of the board in a file; empty where there is none."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return ""
    return str(found.get("uid", "")) if isinstance(found, dict) else ""


# ---------------------------------------------------------------- pushing


def source_for(settings: Settings, *, store_url: str) -> tuple[dict[str, Any], str]:
    """(the datasource, a note or an empty text). Raises ConfigError, RefusedError."""
    store = store_for_grafana(settings, url=store_url)
    if store is None:
        raise RefusedError("CANHMAN_STORE is SQLite, which Grafana cannot read: the boards need InfluxDB 1.6 to 2.x")
    near = urlsplit(store.url).hostname in _LOOPBACK and urlsplit(settings.grafana).hostname not in _LOOPBACK
    note = f"Grafana is told to read InfluxDB at {store.url}, which is its own machine; --store-url names another" if near else ""
    return provisioning.datasource(store), note


def push(settings: Settings, grafana: Grafana, source: Mapping[str, Any], *, lang: str, overwrite: bool) -> Iterable[Step]:
    """Bring folder, datasource and boards to it, one step at a time."""
    documents = [as_json(board, lang) for board in boards().values()]
    return grafana.push(documents, source, settings.grafana_token.get_secret_value(), overwrite=overwrite)


# ---------------------------------------------------------------- checking


def documents(lang: str) -> dict[str, dict[str, Any]]:
    """Every board as Grafana loads it, by uid."""
    return {uid: as_json(board, lang) for uid, board in boards().items()}


def offline(built: Mapping[str, dict[str, Any]]) -> list[str]:
    """What the rules say against the boards."""
    return [f"{uid}: {fault}" for uid, document in built.items() for fault in faults(document)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """One board as it was looked at: the station it opened with (empty where there is none), and its queries."""

    station: str
    queries: list[Asked]


async def asked(
    document: dict[str, Any],
    ask: Ask,
    *,
    now: int,
    days: float,
    station: str = "",
    running: Collection[str] = (),
    slow_ms: float = SLOW_MS,
    moved: Callable[[int, int], None] = lambda done, total: None,
) -> Looked:
    """Every query of one board over the last `days` and as far ahead as it looks, as it opens: with `station`, else the first that has a newest value.

    `running` are the services known to run. Raises UnavailableError, or NotFoundError where the board knows no such station.
    """
    start, end = now - round(days * _UNITS_MS["d"]), now + ahead_ms(document["time"]["to"])
    interval = interval_ms(end - start)
    values = await _values(document, ask, start=start, end=end, interval=interval, station=station)
    queries = bound(document, start=start, end=end, interval_ms=interval, values=values)
    absent: dict[str, str] = {}
    found = []
    for n, query in enumerate(queries):
        found.append(await _one(document["uid"], query, ask, slow_ms=slow_ms, absent=absent, running=running))
        moved(n + 1, len(queries))
    return Looked(station=next(iter(values.get("station", ())), ""), queries=found)


async def _one(board: str, query: Bound, ask: Ask, *, slow_ms: float, absent: dict[str, str], running: Collection[str]) -> Asked:
    took: list[float] = []
    answer: Sequence[Found] = ()
    fault = note = ""
    try:
        for _ in range(RUNS):
            begun = time.perf_counter()
            answer = await ask(query.text)
            took.append(1000 * (time.perf_counter() - begun))
    except UnavailableError:
        raise
    except CanhManError as error:
        fault = str(error)
    ms = statistics.median(took) if took else 0.0
    points = count_points(answer)
    if not fault and not points:
        why = await _missing(query.text, ask, absent, running)
        fault, note = ("", why or query.why_empty) if query.may_be_empty else (why or "no points in this time", "")
    if not fault and ms > slow_ms:
        fault = f"slower than {slow_ms:g} ms"
    return Asked(board=board, panel=query.title, ref=query.ref, series=len(answer), points=points, ms=round(ms, 1), fault=fault, note=note)


async def _missing(text: str, ask: Ask, known: dict[str, str], running: Collection[str]) -> str:
    """The measurement without any row, and who would write it; empty where each has some."""
    for name in re.findall(r'\bFROM\s+"(\w+)"', text, re.IGNORECASE):
        if name not in known:
            rows = await ask(f'SELECT * FROM "{name}" LIMIT 1')  # noqa: S608  a name of \w only, from a board of ours
            known[name] = "" if rows else f"no rows of `{name}`: {_why_none(name, running)}"
        if known[name]:
            return known[name]
    return ""


def _why_none(measurement: str, running: Collection[str]) -> str:
    """A service that runs is not asked after."""
    service = _WRITERS.get(measurement, "ingest")
    if service in running:
        return _WHILE_IT_RUNS.get(measurement, "do devices send?")
    return f"does canhman {service} run{'' if measurement in _WRITERS else ', and do devices send'}?"


async def _values(document: Mapping[str, Any], ask: Ask, *, start: int, end: int, interval: int, station: str) -> dict[str, Sequence[str]]:
    """The values of the board's variables as it opens: what is set, All where it has that (each value where All has no pattern), else the first.

    Of stations the first that has a newest value: those that are planned and have no sensor yet would find nothing.
    """
    values: dict[str, Sequence[str]] = {}
    for variable in document["templating"]["list"]:
        name, current = variable["name"], variable["current"].get("value") or []
        chosen = [current] if isinstance(current, str) else list(current)
        if variable["type"] != "query" or (chosen and chosen != ["$__all"]):
            values[name] = chosen
        elif chosen and "allValue" in variable:
            values[name] = []
        else:
            queries = bound(document, start=start, end=end, interval_ms=interval, values=values)
            own = next(query for query in queries if query.panel == 0 and query.title == name)
            found = choices(await ask(own.text), variable["regex"])
            if name == "station" and station and station not in found:
                raise NotFoundError(f"--station {station!r}: the board {document['uid']} knows no such station; it knows {', '.join(found[:10]) or 'none'}")
            if name == "station" and not chosen:
                speaking = {str(row[series.columns.index("station")]) for series in await ask(_FRESH_STATIONS) for row in series.rows}
                found = [station] if station else sorted(found, key=lambda one: one not in speaking)  # a stable sort: else in the board's order
            values[name] = found if chosen else found[:1]
    return values


def choices(answer: Sequence[Found], regex: str = "") -> list[str]:
    """The values of a variable, as Grafana reads them: the second column (the first where it is alone), through the regex, each once, by their texts."""
    pattern = re.compile(re.sub(r"\(\?<(\w+)>", r"(?P<\1>", regex.strip("/"))) if regex else None
    found: dict[str, str] = {}
    for text in (str(row[1] if len(row) > 1 else row[0]) for series in answer for row in series.rows):
        match = pattern.search(text) if pattern else None
        if pattern and match is None:
            continue
        groups = match.groupdict() if match else {}
        plain = match[1] if match and match.groups() else match[0] if match else text
        value = groups.get("value") or groups.get("text") or plain
        found.setdefault(value, groups.get("text") or value)
    return sorted(found, key=lambda value: found[value].casefold())


def count_points(answer: Sequence[Found]) -> int:
    """Rows that hold anything beside their time."""
    found = 0
    for series in answer:
        skipped = 1 if series.columns and series.columns[0] == "time" else 0
        found += sum(any(value is not None for value in row[skipped:]) for row in series.rows)
    return found


def ahead_ms(to: str) -> int:
    """How far after now a board ends [ms]: `now+3d`, `now`, `now-1h`."""
    found = re.fullmatch(r"now(?:([+-]\d+)([mhdw]))?(?:/\w)?", to)
    if found is None or found[1] is None:
        return 0
    return int(found[1]) * _UNITS_MS[found[2]]


def interval_ms(span: int) -> int:
    """`$__interval` for a panel of the usual width: the span by its pixels, rounded up to whole minutes."""
    return max(60_000, -(-span // WIDTH_PX // 60_000) * 60_000)
