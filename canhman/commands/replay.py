"""`canhman replay`: recorded data as if its stations were devices."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

APP = typer.Typer()


@APP.command("replay", epilog="Example: canhman replay salinity_2h_2020_2022.csv.gz --speed max")
def replay(
    file: Annotated[Path, typer.Argument(help="CSV or CSV.GZ with columns station, time…, and values such as salinity_g_L.", exists=True, dir_okay=False)],
    speed: Annotated[str, typer.Option(help="max, or how many times faster than it was recorded.")] = "max",
    org: Annotated[str, typer.Option(help="Organisation of the devices.")] = "default",
    timezone: Annotated[str, typer.Option(help="Zone of times that name none.")] = "Asia/Ho_Chi_Minh",
    shift_to_now: Annotated[bool, typer.Option("--shift-to-now", help="Move all times so that the newest is now.")] = False,
    batch: Annotated[int, typer.Option(min=0, max=1000, help="Rows of one station in one message (default: 96 at speed max, else 1).")] = 0,
    window: Annotated[int, typer.Option(min=1, max=5000, help="Messages on their way at once.")] = 100,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for a missing broker at start.")] = 60,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Publish a recorded file at QoS 1 and wait until every row was taken; unreadable rows are named, the rest goes on."""
    import asyncio

    from canhman import logs, publishing, replaying, terminal
    from canhman.settings import read_settings

    logs.set_up()
    settings = read_settings()
    report = asyncio.run(
        replaying.replay_file(
            settings,
            file,
            speed=replaying.parse_speed(speed),
            org=org,
            timezone=timezone,
            shift_to_now=shift_to_now,
            batch=batch,
            window=window,
            wait_s=wait,
            quiet=json,
        )
    )
    if json:
        terminal.as_json(replaying.as_dict(report))
    else:
        for line in replaying.as_lines(report):
            terminal.result(line)
    if text := asyncio.run(publishing.waits(settings, report.stations)):
        terminal.say(text, style="yellow")
    if report.waiting or report.refused:
        raise typer.Exit(1)
