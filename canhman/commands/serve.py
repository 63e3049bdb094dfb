"""`canhman serve`: the phone pages and the API."""

from __future__ import annotations

from typing import Annotated

import typer

APP = typer.Typer()


@APP.command("serve", epilog="Example: CANHMAN_LISTEN=0.0.0.0:8000 CANHMAN_URL=https://man.example.vn canhman serve")
def serve(
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for a missing server at start.")] = 60,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log as JSON lines.")] = False,
) -> None:
    """Answer on CANHMAN_LISTEN with pages and API, and on CANHMAN_METRICS with figures, until SIGTERM."""
    import asyncio

    from canhman import logs, services, serving, terminal
    from canhman.settings import read_settings

    logs.set_up(json=log_json)
    settings = read_settings()
    asyncio.run(
        services.alone(
            lambda signals, started: serving.serve(settings, wait_s=wait, signals=signals, started=started),
            lambda what: terminal.say(f"canhman serve: {what}", style="green"),
        )
    )
