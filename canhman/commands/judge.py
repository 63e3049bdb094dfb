"""`canhman judge`: quality control by itself, beside shared ingest processes."""

from __future__ import annotations

from typing import Annotated

import typer

APP = typer.Typer()


@APP.command("judge", epilog="Example: canhman judge --once")
def judge(
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for a missing server at start.")] = 60,
    once: Annotated[bool, typer.Option("--once", help="End when nothing is left to judge.")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Have judged anew what was judged by another configuration (qc.toml): by the running ingest, or with --once now.")
    ] = False,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log as JSON lines.")] = False,
) -> None:
    """Judge every series that was written to since it was judged last."""
    import asyncio

    from canhman import logs, services, terminal
    from canhman.settings import read_settings

    logs.set_up(json=log_json)
    settings = read_settings()
    if again:
        marked = services.judge_again(settings, wait_s=wait)
        terminal.result(f"{marked} series are to be judged anew" + ("" if once else "; the running ingest does it, or canhman judge --once"))
        if not once:
            return
    rows = asyncio.run(
        services.alone(
            lambda signals, started: services.judge(settings, wait_s=wait, signals=signals, started=started, once=once),
            lambda what: terminal.say(f"canhman judge: {what}", style="green"),
        )
    )
    if once and rows is not None:
        terminal.result(f"{rows} rows judged")
