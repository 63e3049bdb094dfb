"""`canhman ingest`: messages to the journal, and on into the store, judged."""

from __future__ import annotations

from typing import Annotated

import typer

APP = typer.Typer()


@APP.command("ingest", epilog="Example: CANHMAN_BROKER=mqtt://canhman-ingest@127.0.0.1 CANHMAN_ENROL=open canhman ingest")
def ingest(
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for a missing server at start.")] = 60,
    no_judge: Annotated[bool, typer.Option("--no-judge", help="Leave judging to `canhman judge` (several ingest processes).")] = False,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log as JSON lines.")] = False,
) -> None:
    """Take in messages until SIGTERM: journal first, then acknowledge, decode, judge and store."""
    import asyncio

    from canhman import logs, services, terminal
    from canhman.settings import read_settings

    logs.set_up(json=log_json)
    settings = read_settings()
    asyncio.run(
        services.alone(
            lambda signals, started: services.ingest(settings, wait_s=wait, signals=signals, started=started, judging=not no_judge),
            lambda where: terminal.say(f"canhman ingest: {where}", style="green"),
        )
    )
