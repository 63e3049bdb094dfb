"""`canhman up`: everything in one process."""

from __future__ import annotations

from typing import Annotated

import typer

APP = typer.Typer()


@APP.command("up", epilog="Example: CANHMAN_ENROL=open canhman up")
def up(
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for a missing server at start.")] = 60,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log as JSON lines.")] = False,
) -> None:
    """Run ingest, judge, forecast, alerts and serve in this one process until SIGTERM or Ctrl-C."""
    import asyncio

    from canhman import logs, terminal
    from canhman.settings import read_settings
    from canhman.signals import Signals
    from canhman.up import up as run
    from canhman.up import wait_no_longer

    logs.set_up(json=log_json)
    settings = read_settings()

    async def until_stopped() -> list[str]:
        signals = Signals()
        signals.listen()
        return await run(settings, wait_s=wait, signals=signals, started=terminal.started)

    wait_no_longer(asyncio.run(until_stopped()))
