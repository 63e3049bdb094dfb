"""`canhman bench`: what this machine and these servers carry."""

from __future__ import annotations

from typing import Annotated

import typer

APP = typer.Typer(no_args_is_help=True, help="Measure what this machine and the servers in the settings carry.")


@APP.command("ingest", epilog="Example: canhman bench ingest --messages 50000")
def ingest(
    messages: Annotated[int, typer.Option(min=1000, max=5_000_000, help="Messages at full speed.")] = 200_000,
    devices: Annotated[int, typer.Option(min=1, max=100_000, help="Devices that send them.")] = 50,
    rate: Annotated[float, typer.Option(min=0, help="Messages a second of the second phase, which tells publish to stored (0: none).")] = 1000,
    seconds: Annotated[float, typer.Option(min=1, help="How long the second phase is.")] = 10,
    yes: Annotated[bool, typer.Option("--yes", help="Publish at the broker in CANHMAN_BROKER, where others may be subscribed.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Measure the whole path: messages a second, CPU a message, publish to stored, memory. It uses a folder and a database of its own and removes both."""
    from dataclasses import asdict

    from canhman import benching, terminal
    from canhman.settings import read_settings

    def say(line: str) -> None:
        if not json:
            terminal.say(line)

    report = benching.ingest(read_settings(), messages=messages, devices=devices, rate=rate, seconds=seconds, yes=yes, say=say)
    if json:
        terminal.as_json(asdict(report))
        return
    rows = []
    for title, phase in (("as fast as they go", report.full), (f"{rate:,.0f} a second", report.steady)):
        if phase is not None:
            cpu = ", ".join(f"{name} {spent:.0f}" for name, spent in phase.cpu_us.items())
            waits = "" if phase.p50_ms is None else f"{phase.p50_ms:.0f} / {phase.p99_ms:.0f}"
            rows.append((title, f"{phase.messages:,}", f"{phase.per_second:,.0f}", cpu, waits))
    terminal.result(f"{report.broker}, {report.store}, {report.devices:,} devices")
    terminal.table(("Load", "Messages", "Stored a second", "CPU µs a message", "Publish to stored p50 / p99 ms"), rows, empty="")
    terminal.result(f"memory of ingest: {report.most_mb:.0f} MiB at most, {report.steady_mb:.0f} in the end")
