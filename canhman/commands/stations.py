"""`canhman stations`: the places people know, seeded from TOML or CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

APP = typer.Typer(no_args_is_help=True, help="Stations: listing, seeding from a file, publishing.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Id = Annotated[str, typer.Argument(help="The station's id.")]


@APP.command("list", epilog="Example: canhman stations list --search 'kenh lau'")
def list_(
    search: Annotated[str, typer.Option(help="Part of the name or id, with or without accents.")] = "",
    json: Json = False,
) -> None:
    """List stations."""
    from dataclasses import asdict

    from canhman import terminal, wiring
    from canhman.settings import read_settings
    from registry.ids import fold

    with wiring.registry(read_settings()) as (directory, _):
        wanted = fold(search)
        stations = [s for s in directory.snapshot.stations if wanted in fold(" ".join([s.id, s.name, *(a.name for a in s.aliases)]))]
    if json:
        terminal.as_json([asdict(s) for s in stations])
        return
    rows = [[s.id, s.name, s.org, s.waterway, s.km, "public" if s.public else "private"] for s in stations]
    terminal.table(
        ["id", "name", "org", "waterway", "km", "seen by"], rows, empty="No stations yet." if not search else f"No station is called like {search!r}."
    )


@APP.command("show", epilog="Example: canhman stations show kenh-lau")
def show(id: Id, json: Json = False) -> None:
    """Show one station: where it is, which sensors stood there, and its newest readings."""
    from dataclasses import asdict

    from canhman import terminal, wiring
    from canhman.settings import read_settings
    from core.clock import rfc3339
    from core.errors import NotFoundError
    from core.place import ALWAYS, FOREVER, sensor_tag

    with wiring.registry(read_settings()) as (directory, run):
        station = directory.station(id)
        if station is None:
            raise NotFoundError(f"no station is called {id!r}; `canhman stations list` shows them")
        states = run(lambda db: db.states(station=id))
    places = sorted(directory.deployments_at(id), key=lambda d: (d.point, d.start))
    if json:
        terminal.as_json(
            {"station": asdict(station), "deployments": [asdict(d) for d in places], "series": [asdict(s) | {"key": s.key._asdict()} for s in states]}
        )
        return
    for field, value in asdict(station).items():
        if value not in ("", None, ()):
            terminal.result(f"{field:14} {value}")
    terminal.result("")
    spans = [
        [d.point, sensor_tag(d.device, d.channel), d.role, "always" if d.start == ALWAYS else rfc3339(d.start), "on" if d.end == FOREVER else rfc3339(d.end)]
        for d in places
    ]
    terminal.table(["point", "sensor", "role", "from", "to"], spans, empty="No sensor ever stood here.")
    terminal.result("")
    rows = [
        [
            s.key.point,
            s.key.quantity,
            _shown(s.key.quantity, s.newest.value),
            rfc3339(s.newest.time),
            s.newest.flag,
            "yes" if s.dirty_from is None else "not yet",
        ]
        for s in states
    ]
    terminal.table(["point", "quantity", "newest", "time", "flag", "judged"], rows, empty="No readings yet.")


def _shown(quantity: str, value: float) -> str:
    from core.quantities import QUANTITIES

    known = QUANTITIES.get(quantity)
    return f"{value:.{known.decimals}f} {known.unit}" if known else f"{value:g}"


@APP.command("apply", epilog="Example: canhman stations apply stations.csv --dry-run")
def apply(
    file: Annotated[Path, typer.Argument(help="TOML ([[station]]) or CSV.", exists=True, dir_okay=False)],
    org: Annotated[str, typer.Option(help="Organisation of new stations that name none.")] = "default",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    json: Json = False,
) -> None:
    """Make or change stations as a file says; shows what changes, never deletes, and twice is the same as once."""
    from canhman import terminal, wiring
    from canhman.settings import read_settings
    from registry.apply import differences, merge, parse_stations, plan

    rows = parse_stations(file.read_bytes(), source=str(file))
    with wiring.registry(read_settings(), making=not dry_run) as (directory, run):
        changes = plan(directory.snapshot, merge(directory.snapshot, rows, org=org))
        if changes and not dry_run:
            items = [c.after for c in changes]
            run(lambda db: db.put(*items, actor=terminal.actor(), why=f"stations apply {file.name}"))
    if json:
        terminal.as_json([{"id": c.id, "new": c.before is None, "changes": differences(c)} for c in changes])
        return
    for change in changes:
        terminal.result(f"{'+' if change.before is None else '~'} {change.id}")
        for name, (before, after) in differences(change).items():
            if change.before is not None or after not in ("", None, ()):
                terminal.result(f"    {name}: {before} → {after}" if change.before else f"    {name}: {after}")
    unchanged = len(rows) - len(changes)
    terminal.result(f"{len(changes)} {'would change' if dry_run else 'changed'}, {unchanged} unchanged")


@APP.command("publish", epilog="Example: canhman stations publish kenh-lau")
def publish(id: Id, hide: Annotated[bool, typer.Option("--hide", help="Make it private again.")] = False) -> None:
    """Show a station to everybody (or hide it again)."""
    from dataclasses import replace

    from canhman import terminal, wiring
    from canhman.settings import read_settings
    from core.errors import NotFoundError

    with wiring.registry(read_settings()) as (directory, run):
        station = directory.station(id)
        if station is None:
            raise NotFoundError(f"no station is called {id!r}; `canhman stations list` shows them")
        changed = replace(station, public=not hide)
        run(lambda db: db.put(changed, actor=terminal.actor()))
    terminal.result(f"station {id} is {'private' if hide else 'public'}")
