"""`canhman redecode`: today's decoders and deployments over the past, and the log of what that changed."""

from __future__ import annotations

from typing import Annotated, Any

import typer


class _Group(typer.core.TyperGroup):
    """`canhman redecode --since …` is `canhman redecode run --since …`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Name the command where only its options are given."""
        if args and args[0].startswith("--") and args[0] != "--help":
            args = ["run", *args]
        return super().parse_args(ctx, args)


APP = typer.Typer(cls=_Group, no_args_is_help=True, help="Decode the past again: after a decoder or a deployment was put right.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Limit = Annotated[int, typer.Option(min=0, max=100_000, help="How many changes to show.")]


@APP.command("run", epilog="Example: canhman redecode run --since 2026-03-01T00:00:00+07:00 --device kl01 --dry-run")
def run(
    since: Annotated[str, typer.Option(help="Readings measured at or after this time, with a zone.")],
    until: Annotated[str, typer.Option(help="Readings measured before this time (default: all later ones).")] = "",
    device: Annotated[str, typer.Option(help="Only this device.")] = "",
    org: Annotated[str, typer.Option(help="Only devices of this org.")] = "",
    reason: Annotated[str, typer.Option(help="Why, for the log.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be changed, and write nothing.")] = False,
    clock_was_behind: Annotated[
        bool, typer.Option("--clock-was-behind", help="Our own clock was behind: take times after their arrival that are over now.")
    ] = False,
    limit: Limit = 20,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for a missing server at start.")] = 60,
    json: Json = False,
) -> None:
    """Read the journal with today's decoders and deployments, and write only what differs from what is stored.

    New and changed readings are written; what stands under a wrong deployment, or is given no more, keeps its number and is
    withdrawn (flag 9). Every change is logged, old and new. Ingest may run; a run that is cut short is simply started again.
    """
    from canhman import logs, redecoding, terminal
    from canhman.settings import read_settings
    from canhman.usage import UsageError, instant
    from core.place import FOREVER
    from ingest.redecode import Asked

    logs.set_up(json=False)
    first, last = instant("--since", since), instant("--until", until) if until else FOREVER
    if last <= first:
        raise UsageError(f"--until {until!r} does not lie after --since {since!r}")
    asked = Asked(since=first, until=last, device=device, org=org, actor=terminal.actor(), reason=reason, dry=dry_run, clock_was_behind=clock_was_behind)
    result = redecoding.run(read_settings(), asked, wait_s=wait)
    touched = sorted(result.touched.values(), key=lambda t: t.key)
    if json:
        counts = {name: n for name, n in result.counts.items() if n}
        terminal.as_json(
            {
                "run": result.run or None,
                "dry_run": dry_run,
                "counts": counts,
                "not_read": sorted(result.not_read),
                **redecoding.as_json(result.changes[:limit], touched),
            }
        )
        return
    if touched:
        terminal.table(redecoding.SERIES, [redecoding.series_row(t) for t in touched], empty="")
        terminal.result("")
        terminal.table(redecoding.CHANGES, [redecoding.change_row(c) for c in result.changes[:limit]], empty="")
        terminal.result("")
    for line in redecoding.words(result, dry=dry_run):
        terminal.result(line)


@APP.command("list", epilog="Example: canhman redecode list")
def list_(json: Json = False) -> None:
    """List the runs so far, the newest first: who, when, why, for which readings, and how many they changed."""
    from canhman import redecoding, terminal
    from canhman.settings import read_settings

    with redecoding.log(read_settings()) as ask:
        runs = [redecoding.run_json(r) for r in ask(lambda db: db.redecode_runs(limit=1000))]
    if json:
        terminal.as_json({"items": runs})
        return
    columns = ["id", "at", "actor", "device", "since", "until", "state", "reason"]
    rows = [[*(r[c] for c in columns), ", ".join(f"{redecoding.COUNTS.get(name, name)} {n}" for name, n in r["counts"].items() if n)] for r in runs]
    terminal.table([*columns, "counts"], rows, empty="Nothing was decoded again yet.")


@APP.command("show", epilog="Example: canhman redecode show 3 --limit 100")
def show(
    id: Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="The run's number, as list shows it.")],
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """Show what a run changed: each series, and its readings with the value before and after."""
    from canhman import redecoding, terminal
    from canhman.settings import read_settings

    with redecoding.log(read_settings()) as ask:
        found = redecoding.run_json(ask(lambda db: db.redecode_run(id)))
        touched = ask(lambda db: db.redecode_touched(id))
        changes = [change for _, change in ask(lambda db: db.redecode_changes(id, limit=limit))]
    if json:
        terminal.as_json({**found, **redecoding.as_json(changes, touched)})
        return
    for name, value in found.items():
        terminal.result(f"{name:10} {value}")
    terminal.table(redecoding.SERIES, [redecoding.series_row(t) for t in touched], empty="It changed nothing.")
    if changes:
        terminal.result("")
        terminal.table(redecoding.CHANGES, [redecoding.change_row(c) for c in changes], empty="")
