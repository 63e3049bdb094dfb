"""`canhman migrate`: bring the database to this version, and make the store where asked."""

from __future__ import annotations

from typing import Annotated

import typer

APP = typer.Typer()


@APP.command("migrate", epilog="Example: canhman migrate --create-store")
def migrate(
    create_store: Annotated[bool, typer.Option("--create-store", help="Also make the InfluxDB database (or bucket) or SQLite file.")] = False,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for a missing server.")] = 60,
) -> None:
    """Bring the database to this program's version; does nothing where it is there already."""
    import asyncio

    from adapters.sql.schema import migrate as upgrade
    from canhman import terminal, wiring
    from canhman.settings import read_settings
    from core.ports import SeriesStore

    settings = read_settings()
    wiring.data_folder(settings)
    before, now = upgrade(settings.database_url, wait=wait)
    terminal.result(f"database: {before or 'empty'} → {now}" if before != now else f"database: already at {now}")
    if not create_store:
        return

    async def make(store: SeriesStore) -> None:
        try:
            await wiring.patient(store.create, wait_s=wait, say=terminal.say)
            await store.open()
        finally:
            await store.close()

    asyncio.run(make(wiring.store(settings)))
    terminal.result(f"store: {settings.store_address.kind} is ready")
