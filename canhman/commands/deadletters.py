"""`canhman deadletters`: what could not be stored, why, and reading it again after a fix."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer

APP = typer.Typer(no_args_is_help=True, help="What could not be stored, why, and reading it again after a fix.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Reason = Annotated[str | None, typer.Option(help="Only this reason.")]
Device = Annotated[str | None, typer.Option(help="Only this device.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")]
Id = Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="The dead letter's id, as list shows it.")]  # what a database takes


def _known(reason: str | None) -> str | None:
    """As given; one line with the known reasons for another one, which would find nothing. Raises UsageError."""
    from canhman.usage import one_of
    from core.deadletter import REASONS

    return None if reason is None else one_of("--reason", reason, REASONS)


_SHIFT = re.compile(r"([+-]?)(\d+(?:\.\d+)?)(ms|s|m|h|d)\Z")
_UNIT_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def parse_shift(text: str) -> int:
    """`-7h`, `+90m`, `2d` in ms. Raises typer.BadParameter."""
    found = _SHIFT.match(text)
    if not found:
        raise typer.BadParameter(f"{text!r} is no shift; write for example -7h, +90m or 2d")
    return round(float(found[2]) * _UNIT_MS[found[3]]) * (-1 if found[1] == "-" else 1)


def _page(reason: str | None, device: str | None, before: int | None) -> Any:
    return lambda db: db.dead_letters(reason=reason, device=device, limit=1000, before=before)


def _one(id: int) -> Any:
    return lambda db: db.dead_letter(id)


def _shown(letter: Any) -> dict[str, object]:
    from core.clock import rfc3339

    return {
        "id": letter.id,
        "reason": letter.reason,
        "device": letter.device,
        "key": letter.key,
        "count": letter.count,
        "received": rfc3339(letter.received),
        "text": letter.text,
        "org": letter.org,
        "topic": letter.topic,
        "position": letter.position,
        "offset_ms": letter.offset_ms,
        "replay": letter.replay,
        "resolved": letter.resolved_at is not None,
    }


@APP.command("list", epilog="Example: canhman deadletters list --reason clock --device kl01")
def list_(reason: Reason = None, device: Device = None, limit: Limit = 100, json: Json = False) -> None:
    """List the newest dead letters, and how many there are of each reason."""
    from canhman import terminal, wiring
    from canhman.settings import read_settings

    reason = _known(reason)
    with wiring.registry(read_settings()) as (_, run):
        letters = run(lambda db: db.dead_letters(reason=reason, device=device, limit=limit))
        counts = run(lambda db: db.dead_letter_counts())
    if json:
        terminal.as_json({"counts": counts, "items": [_shown(x) for x in letters]})
        return
    columns = ["id", "received", "reason", "device", "key", "count", "text"]
    rows = [[*(_shown(x)[c] for c in columns), "resolved" if x.resolved_at else "asked" if x.replay else "open"] for x in letters]
    terminal.table([*columns, "state"], rows, empty="No dead letters.")
    if counts:
        terminal.result("unresolved: " + ", ".join(f"{reason} {count}" for reason, count in sorted(counts.items())))


@APP.command("show", epilog="Example: canhman deadletters show 17")
def show(id: Id, json: Json = False) -> None:
    """Show one dead letter with the first 1 KiB of its message."""
    from canhman import terminal, wiring
    from canhman.settings import read_settings

    with wiring.registry(read_settings()) as (_, run):
        letter = run(lambda db: db.dead_letter(id))
    shown = _shown(letter) | {"payload": letter.head.decode("utf-8", "backslashreplace")}
    if json:
        terminal.as_json(shown)
    else:
        for name, value in shown.items():
            terminal.result(f"{name:10} {value}")


@APP.command("replay", epilog="Example: canhman deadletters replay --reason clock --device kl01 --shift -7h")
def replay(
    ids: Annotated[list[int] | None, typer.Argument(min=1, max=2**63 - 1, help="Which; or choose with --reason and --device.")] = None,
    reason: Reason = None,
    device: Device = None,
    shift: Annotated[str, typer.Option(help="Move their times: -7h, +90m, 2d.")] = "0s",
    json: Json = False,
) -> None:
    """Have ingest read dead letters again, from the journal, after the fault was mended. Idempotent."""
    from canhman import terminal, wiring
    from canhman.settings import read_settings
    from canhman.usage import UsageError
    from core.errors import NotFoundError

    reason = _known(reason)
    moved = parse_shift(shift)
    if not ids and reason is None and device is None:
        raise UsageError("nothing chosen: give ids, or --reason, or --device")
    with wiring.registry(read_settings()) as (_, run):
        chosen = [run(_one(number)).id for number in ids or []]
        before: int | None = None
        while not ids:
            page = run(_page(reason, device, before))
            if not page:
                break
            chosen += [x.id for x in page if x.resolved_at is None]
            before = page[-1].id
        if not chosen:
            raise NotFoundError("no unresolved dead letter fits")
        marked = run(lambda db: db.ask_replay(chosen, shift_ms=moved))
    if json:
        terminal.as_json({"marked": marked})
    else:
        terminal.result(f"{marked} marked; ingest reads them again within a second of running")
