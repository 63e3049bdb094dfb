"""`canhman journal`: what the journal keeps, whether it is whole, and its messages as they came."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

APP = typer.Typer(no_args_is_help=True, help="The journal: what it keeps, whether it is whole, and its messages as they came.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@APP.command("list", epilog="Example: canhman journal list")
def list_(json: Json = False) -> None:
    """List the segments of the journal, oldest first, and what was removed."""
    from canhman import journals, terminal
    from canhman.settings import read_settings

    found = journals.listed(read_settings(), terminal.progress)
    if json:
        terminal.as_json(found)
        return
    for one in found:
        terminal.result(f"journal {one['journal']} in {one['folder']}: {one['words']}")
        columns = ["from", "to", "first", "last", "records", "size", "compressed", "damaged"]
        terminal.table(columns, [[s[c] for c in columns] for s in one["segments"]], empty="No segment yet.")
        if one["removed"]:
            last = one["removed"][-1]
            terminal.result(f"removed so far: {len(one['removed'])} segments, the last up to position {last['to']} ({last['why']}, {last['at']})")


@APP.command("verify", epilog="Example: canhman journal verify")
def verify(json: Json = False) -> None:
    """Read everything, check every checksum, and name what is damaged. Ingest may run; exit code 1 where something is."""
    from canhman import journals, terminal
    from canhman.settings import read_settings

    found = journals.verified(read_settings(), terminal.progress)
    if json:
        terminal.as_json(found)
    else:
        for one in found:
            terminal.result(f"journal {one['journal']} in {one['folder']}: {one['words']}")
            columns = ["from", "to", "bytes", "arrived after", "arrived before", "topic", "file"]
            if one["damage"]:
                terminal.table(columns, [[d[c] for c in columns] for d in one["damage"]], empty="")
            for line in one["files"]:
                terminal.result(line)
    if any(not one["whole"] for one in found):
        raise typer.Exit(1)


@APP.command("export", epilog="Example: canhman journal export --device kl01 --since 2026-03-01T00:00:00+07:00 --to kl01.jsonl")
def export(
    device: Annotated[str, typer.Option(help="Only messages of this device.")] = "",
    since: Annotated[str, typer.Option(help="Only what arrived at or after this time, with a zone.")] = "",
    until: Annotated[str, typer.Option(help="Only what arrived before this time, with a zone.")] = "",
    to: Annotated[Path | None, typer.Option(help="Write to this file (default: standard output).", dir_okay=False)] = None,
) -> None:
    """Write messages as they came, one JSON object a line: position, received, topic, source, qos, and the payload as text or as base64."""
    from canhman import journals, terminal
    from canhman.settings import read_settings
    from canhman.usage import instant

    settings = read_settings()
    span = (instant("--since", since) if since else None, instant("--until", until) if until else None)
    count = journals.export(settings, device=device, since=span[0], until=span[1], to=to, progress=terminal.progress)
    terminal.say(f"{count} messages" + (f" written to {to}" if to else ""))


@APP.command("forget", epilog="Example: canhman journal forget 1f0c2a9e4b7d4d0f")
def forget(journal: Annotated[str, typer.Argument(help="The journal, as `canhman redecode` names it.")]) -> None:
    """Say that the journal of a worker is gone for good: `canhman redecode` does not wait for it any more.

    While the database knows of a journal that cannot be read, no reading is withdrawn because nothing gives it: its message might be there.
    Once it is forgotten, a reading is withdrawn where its arrival is that of one message of ours which gives it no more; what arrived at another
    moment stays, and no value that may have come through that journal is written over. Never forget a journal that is only away.
    """
    from canhman import journals, terminal
    from canhman.settings import read_settings

    journals.forget(read_settings(), journal, actor=terminal.actor())
    terminal.say(f"journal {journal} is forgotten")
