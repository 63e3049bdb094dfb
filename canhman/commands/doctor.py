"""`canhman doctor`: looks at everything and says what is wrong and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from canhman.settings import Settings

APP = typer.Typer()
_SHAPES = {"ok": ("✓", "green"), "warn": ("!", "yellow"), "red": ("✕", "red")}


@APP.command("doctor", epilog="Example: canhman doctor --json")
def doctor(
    repair: Annotated[bool, typer.Option("--repair", help="Rebuild the newest values (series_state) from the store. Stop ingest first.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check settings, folder, database, broker, ingest and store. Exit code 1 where something is red."""
    from dataclasses import asdict

    from canhman import checks, terminal
    from canhman.settings import read_settings

    settings = read_settings()
    if repair:
        terminal.result(f"series_state rebuilt from the store: {_repair(settings)} series")
    findings = checks.run(settings)
    if json:
        terminal.as_json([asdict(f) for f in findings])
    else:
        for finding in findings:
            shape, style = _SHAPES[finding.mark]
            terminal.OUT.print(f"[{style}]{shape}[/] ", end="")
            terminal.result(f"{finding.part:14} {finding.text}")
    if any(f.mark == "red" and not (repair and f.part == "ingest") for f in findings):  # which has to be stopped for a repair
        raise typer.Exit(1)


def _repair(settings: Settings) -> int:
    import asyncio

    from canhman import terminal, wiring
    from canhman.judge_lock import JudgeSeat
    from canhman.repair import rebuild
    from core.errors import RefusedError

    store = wiring.store(settings)

    async def work() -> int:
        seat = JudgeSeat(wiring.data_folder(settings), db)
        if not await seat.take():
            other = await seat.other()
            raise RefusedError(f"ingest or a judge runs {f'at {other}' if other else 'on this CANHMAN_DATA'}; stop it before a repair")
        try:
            await store.open()
            with terminal.progress("reading the store", None) as bar:
                return await rebuild(store, db, directory, lambda done, total: bar(done, f"of {total}"))
        finally:
            await store.close()
            await seat.release()

    with wiring.registry(settings) as (directory, _):
        db = wiring.database(settings)
        try:
            return asyncio.run(work())
        finally:
            db.close()
