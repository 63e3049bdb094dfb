"""`canhman simulate`: a network of simulated sensors on an estuary model, publishing to any broker."""

from __future__ import annotations

from typing import Annotated

import typer

APP = typer.Typer()


@APP.command("simulate", epilog="Example: canhman simulate --devices 100 --backfill 7")
def simulate(
    devices: Annotated[int | None, typer.Option(min=1, max=100_000, help="How many (default: the shipped network's twelve stations).")] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed, another season.")] = None,
    org: Annotated[str, typer.Option(help="Organisation of the devices.")] = "default",
    speed: Annotated[float, typer.Option(min=0, help="How many times faster than real time.")] = 1.0,
    start: Annotated[str, typer.Option(help="Where the simulated time begins, with a zone (default: now; of a faster simulation 60 days ago).")] = "",
    days: Annotated[float | None, typer.Option(min=0, help="End after so many simulated days.")] = None,
    backfill: Annotated[float, typer.Option(min=0, help="Send so many days of history first.")] = 0,
    rate: Annotated[float | None, typer.Option(min=0.001, help="All devices together make so many messages a second (load test).")] = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for a missing broker at start.")] = 60,
    json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Simulated sensors that keep each message until its PUBACK; until Ctrl-C, or --days.

    With CANHMAN_CLOCK=sim this process owns the installation's clock. With the real clock a faster simulation begins in
    the past and ends when it reaches now, for a reading from the future is refused.
    """
    import asyncio

    from canhman import logs, simulating, terminal
    from canhman.settings import read_settings

    logs.set_up()
    plan = simulating.Plan(devices=devices, seed=seed, org=org, speed=speed, start=start, days=days, backfill_days=backfill, rate=rate, wait_s=wait, quiet=json)
    counts = asyncio.run(simulating.simulate(read_settings(), plan))
    if json:
        terminal.as_json(simulating.as_dict(counts))
    else:
        terminal.result(simulating.as_line(counts))
    if counts.waiting or counts.refused or counts.dropped:
        raise typer.Exit(1)
