"""`canhman dashboards`: Grafana boards from code: as files, checked without a Grafana, or brought to a running one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from canhman.boards import Looked
    from canhman.settings import Settings

APP = typer.Typer(no_args_is_help=True, help="Grafana boards: building their files, checking them, bringing them to a Grafana.")
Lang = Annotated[str, typer.Option("--lang", help="Language of the boards: vi or en.")]
StoreUrl = Annotated[str, typer.Option("--store-url", help="InfluxDB as Grafana sees it: http://influxdb:8086 (default: as CANHMAN_STORE has it).")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@APP.command("build", epilog="Example: canhman dashboards build --folder /etc/grafana/canhman")
def build(
    folder: Annotated[Path, typer.Option(help="Where the files are written.")] = Path("grafana"),
    lang: Lang = "vi",
    store_url: StoreUrl = "",
    seen_as: Annotated[str, typer.Option("--seen-as", help="The folder's path as Grafana sees it (default: where it is here).")] = "",
    prune: Annotated[bool, typer.Option("--prune", help="Remove the files of our boards that no longer exist; without it they are named.")] = False,
    json: Json = False,
) -> None:
    """Write the boards, and the provisioning files of datasource and boards; what stands there already is left alone."""
    from canhman import boards, terminal
    from canhman.settings import read_settings
    from canhman.usage import one_of
    from core.texts import LANGUAGES

    one_of("--lang", lang, LANGUAGES)
    written = boards.build(read_settings(), folder, lang=lang, store_url=store_url, seen_as=seen_as)
    gone = boards.left_over(folder, prune=prune)
    if json:
        files = [{"name": name, "written": done} for name, done in written.items()]
        terminal.as_json({"folder": str(folder), "files": files, "left_over": gone, "removed": prune})
    else:
        for name, done in written.items():
            terminal.result(f"{'written  ' if done else 'unchanged'} {folder / name}")
        for name in gone:
            terminal.result(f"{'removed  ' if prune else 'left over'} {folder / name}")
    if gone and not prune:
        terminal.say(f"Boards that no longer exist: {len(gone)}. Grafana shows them as long as their files stand there; --prune removes these.", style="yellow")
    if not any(name.startswith("provisioning/datasources/") for name in written):
        terminal.say("No datasource: CANHMAN_STORE is SQLite, which Grafana cannot read; the boards need InfluxDB 1.6 to 2.x.", style="yellow")


@APP.command("check", epilog="Example: canhman dashboards check --days 30")
def check(
    lang: Lang = "vi",
    days: Annotated[float, typer.Option(min=0.01, help="How many days back the queries look.")] = 30,
    slow_ms: Annotated[float, typer.Option("--slow-ms", min=1, help="A query that takes longer is a fault [ms].")] = 300,
    station: Annotated[str, typer.Option("--station", help="Id of the station the boards are opened with (default: the first that has a newest value).")] = "",
    json: Json = False,
) -> None:
    """Check every board by its rules, and with InfluxDB run every query there. Exit code 1 where anything is at fault."""
    import asyncio
    from dataclasses import asdict

    from canhman import boards, terminal
    from canhman.settings import read_settings
    from canhman.usage import one_of
    from core.texts import LANGUAGES

    one_of("--lang", lang, LANGUAGES)
    settings = read_settings()
    built = boards.documents(lang)
    faults = boards.offline(built)
    with_store = settings.store_address.kind == "influxdb"
    looked = asyncio.run(_ask_all(settings, built, days=days, slow_ms=slow_ms, station=station, quiet=json)) if with_store else {}
    asked = [a for board in looked.values() for a in board.queries]
    stations = {uid: board.station for uid, board in looked.items()}
    bad = [a for a in asked if a.fault]
    if json:
        terminal.as_json({"boards": list(built), "faults": faults, "store": with_store, "stations": stations, "queries": [asdict(a) for a in asked]})
    else:
        rows = [[a.board, a.panel, a.ref, a.series, a.points, f"{a.ms:.1f}", a.fault or (a.note and f"({a.note})")] for a in asked]
        if rows:
            terminal.table(["board", "panel", "query", "series", "points", "ms", "fault (or note)"], rows, empty="")
        for fault in faults:
            terminal.result(fault)
        for uid, one in stations.items():
            terminal.result(f"{uid} was looked at with station {one}" if one else f"{uid}: no station to look at")
        slowest = max((a.ms for a in asked), default=0.0)
        told = f", {len(asked)} queries asked, {len(bad)} at fault, the slowest took {slowest:.0f} ms" if with_store else ""
        terminal.result(f"{len(built)} boards, {len(faults)} faults by the rules{told}")
    if not with_store:
        terminal.say("Grafana needs InfluxDB 1.6 to 2.x, and CANHMAN_STORE is SQLite: the boards were checked by their rules only.", style="yellow")
    if faults or bad:
        raise typer.Exit(1)


@APP.command("push", epilog="Example: canhman dashboards push --lang vi")
def push(
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Put our boards in the place of what somebody changed by hand.")] = False,
    lang: Lang = "vi",
    store_url: StoreUrl = "",
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for a Grafana that is away.")] = 60,
    json: Json = False,
) -> None:
    """Bring folder, datasource and boards to the Grafana of CANHMAN_GRAFANA; what stands there already is left alone."""
    import asyncio

    from canhman import boards, terminal, wiring
    from canhman.settings import read_settings
    from canhman.usage import one_of
    from core.errors import ConfigError
    from core.texts import LANGUAGES
    from dashboards.push import Grafana

    one_of("--lang", lang, LANGUAGES)
    settings = read_settings()
    if not settings.grafana:
        raise ConfigError("CANHMAN_GRAFANA is not set; it is the address of Grafana, such as https://grafana.example.vn")
    source, note = boards.source_for(settings, store_url=store_url)
    steps: list[dict[str, str]] = []
    with Grafana(settings.grafana, settings.grafana_token.get_secret_value()) as grafana:

        async def look() -> tuple[str, str]:
            return grafana.version()

        version, doubt = asyncio.run(wiring.patient(look, wait_s=wait, say=terminal.say))
        for line in filter(None, (note, doubt)):
            terminal.say(line, style="yellow")
        for step in boards.push(settings, grafana, source, lang=lang, overwrite=overwrite):
            steps.append({"kind": step.kind, "name": step.name, "done": step.done})
            if not json:
                terminal.result(f"{step.done:9} {step.kind} {step.name}")
    if json:
        terminal.as_json({"grafana": settings.grafana, "version": version, "steps": steps})
    elif all(step["done"] == "unchanged" for step in steps):
        terminal.result("Nothing changed.")


async def _ask_all(settings: Settings, built: dict[str, dict[str, Any]], *, days: float, slow_ms: float, station: str, quiet: bool) -> dict[str, Looked]:
    from canhman import boards, heartbeat, terminal, wiring
    from core.clock import SystemClock

    beats = {name: heartbeat.read(settings.data, name) for name in ("ingest", "forecast", "alerts")}
    running = [name for name, beat in beats.items() if beat is not None and beat.is_fresh]
    found: dict[str, Looked] = {}
    store = wiring.influx(settings)
    try:
        await store.open()
        for uid, document in built.items():
            with terminal.progress(uid, None, quiet=quiet) as bar:
                found[uid] = await boards.asked(
                    document,
                    store.ask,
                    now=SystemClock().now_ms(),
                    days=days,
                    station=station,
                    running=running,
                    slow_ms=slow_ms,
                    moved=lambda done, total, bar=bar: bar(done, f"of {total}"),  # type: ignore[misc]  # a default argument is no part of the call
                )
    finally:
        await store.close()
    return found
