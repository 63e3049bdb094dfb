"""`canhman deadletters`: what could not be stored, why, and reading it again after a fix."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from adapters.sql.database import SqlDatabase
    from canhman.settings import Settings
    from core.deadletter import Choice, Tally
    from registry.directory import Directory

APP = typer.Typer(no_args_is_help=True, help="What could not be stored, why, and reading it again after a fix.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Reason = Annotated[str | None, typer.Option(help="Only this reason.")]
Device = Annotated[str | None, typer.Option(help="Only this device.")]
Since = Annotated[str | None, typer.Option(help="Only those received since: 24h, 7d, or a time with a zone.")]
Until = Annotated[str | None, typer.Option(help="Only those received before: 1h, or a time with a zone.")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")]
Id = Annotated[int, typer.Argument(min=1, max=2**63 - 1, help="The dead letter's id, as list shows it.")]  # what a database takes


def _known(reason: str | None) -> str | None:
    """As given; one line with the known reasons for another one, which would find nothing. Raises UsageError."""
    from canhman.usage import one_of
    from core.deadletter import REASONS

    return None if reason is None else one_of("--reason", reason, REASONS)


def parse_shift(text: str) -> int:
    """`-7h`, `+90m`, `2d` in ms. Raises UsageError."""
    from canhman.usage import UsageError
    from core.instant import parse_span

    found = parse_span(text)
    if found is None:
        raise UsageError(f"--shift {text!r} is no span of time, such as -7h (seven hours earlier), +90m or 2d")
    return found


def _choice(reason: str | None, device: str | None, since: str | None, until: str | None, now: int | None = None, *, is_open: bool = False) -> Choice:
    """As the options say, at `now` (the installation's clock, by which `received` is; where it is not asked yet the machine's). Raises UsageError."""
    from canhman.usage import moment
    from core.clock import SystemClock
    from core.deadletter import Choice

    now = SystemClock().now_ms() if now is None else now
    return Choice(
        reason=_known(reason),
        device=device,
        since=None if since is None else moment("--since", since, now),
        until=None if until is None else moment("--until", until, now),
        is_open=is_open,
    )


def _now(settings: Settings, run: Callable[[Callable[[SqlDatabase], Awaitable[Any]]], Any]) -> int:
    """The installation's clock, which may be a simulated one."""
    from canhman import wiring

    return int(run(lambda db: wiring.now_ms(settings, db)))


def _nothing(directory: Directory, reason: str | None, device: str | None, since: str | None, until: str | None, kind: str = "dead letter") -> str:
    """That nothing fits, by what it was asked; and where nobody knows the device."""
    given = {"--reason": reason, "--device": device, "--since": since, "--until": until}
    asked = " ".join(f"{name} {value}" for name, value in given.items() if value is not None)
    if not asked:
        return "No dead letters."
    text = f"No {kind} fits {asked}."
    if device is not None and directory.device(device) is None:
        text += f" No device {device} is registered: canhman devices list, and canhman deadletters count for all that have dead letters."
    return text


def _one(id: int) -> Any:
    return lambda db: db.dead_letter(id)


def _tallied(tally: Tally) -> dict[str, object]:
    from core.clock import rfc3339

    return {
        "reason": tally.reason,
        "device": tally.device,
        "org": tally.org,
        "count": tally.count,
        "open": tally.open,
        "oldest": rfc3339(tally.oldest),
        "newest": rfc3339(tally.newest),
    }


def _show_tallies(tallies: Sequence[Tally], by: str, empty: str) -> None:
    """A table by reason and device, or the sums by one of them."""
    from canhman import terminal
    from core.clock import rfc3339

    columns = ["reason", "device"] if by == "both" else [by]
    sums: dict[tuple[str, ...], list[int]] = {}
    for one in tallies:
        found = sums.setdefault(tuple(str(getattr(one, name)) for name in columns), [0, 0, one.oldest, one.newest])
        found[:] = found[0] + one.count, found[1] + one.open, min(found[2], one.oldest), max(found[3], one.newest)
    ordered = sorted(sums.items(), key=lambda item: (-item[1][0], item[0]))
    rows = [[*key, count, unresolved, rfc3339(oldest), rfc3339(newest)] for key, (count, unresolved, oldest, newest) in ordered]
    terminal.table([*columns, "count", "open", "oldest", "newest"], rows, empty=empty)


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
def list_(reason: Reason = None, device: Device = None, since: Since = None, until: Until = None, limit: Limit = 100, json: Json = False) -> None:
    """List the newest dead letters, and how many there are of each reason."""
    from canhman import terminal, wiring
    from canhman.settings import read_settings

    settings, options = read_settings(), (reason, device, since, until)
    _choice(*options)  # what cannot be read is told before anything is looked for
    with wiring.registry(settings) as (directory, run):
        choice = _choice(*options, _now(settings, run))
        letters = run(lambda db: db.chosen_letters(choice, limit=limit))
        counts = run(lambda db: db.dead_letter_counts())
    if json:
        terminal.as_json({"counts": counts, "items": [_shown(x) for x in letters]})
        return
    columns = ["id", "received", "reason", "device", "key", "count", "text"]
    rows = [[*(_shown(x)[c] for c in columns), "resolved" if x.resolved_at else "asked" if x.replay else "open"] for x in letters]
    terminal.table([*columns, "state"], rows, empty=_nothing(directory, *options))
    if counts:
        terminal.result(
            ("unresolved in all: " if any(options) else "unresolved: ") + ", ".join(f"{reason} {count}" for reason, count in sorted(counts.items()))
        )


@APP.command("show", epilog="Example: canhman deadletters show 17")
def show(id: Id, json: Json = False) -> None:
    """Show one dead letter with its message: whole where the journal still keeps it, else the first 1 KiB."""
    from base64 import b64encode

    from canhman import terminal, wiring
    from canhman.settings import read_settings

    settings = read_settings()
    with wiring.registry(settings) as (_, run):
        letter = run(lambda db: db.dead_letter(id))
    message = wiring.message_at(settings, letter.journal, letter.position)
    payload = letter.head if message is None else message.payload
    shown = _shown(letter) | {"journal": letter.journal, "kept": message is not None, "payload": payload.decode("utf-8", "backslashreplace")}
    if json:
        shown["payload_base64"] = b64encode(payload).decode()
    if json:
        terminal.as_json(shown)
    else:
        for name, value in shown.items():
            terminal.result(f"{name:10} {value}")


@APP.command("count", epilog="Example: canhman deadletters count --since 7d --by device")
def count(
    reason: Reason = None,
    device: Device = None,
    since: Since = None,
    until: Until = None,
    by: Annotated[str, typer.Option(help="Sums by reason, by device, or by both.")] = "both",
    json: Json = False,
) -> None:
    """Count dead letters by reason and device; `open` are those nobody has resolved."""
    from canhman import terminal, wiring
    from canhman.settings import read_settings
    from canhman.usage import one_of

    one_of("--by", by, ("reason", "device", "both"))
    settings, options = read_settings(), (reason, device, since, until)
    _choice(*options)
    with wiring.registry(settings) as (directory, run):
        choice = _choice(*options, _now(settings, run))
        tallies = run(lambda db: db.dead_letter_tallies(choice))
    if json:
        terminal.as_json({"count": sum(x.count for x in tallies), "open": sum(x.open for x in tallies), "items": [_tallied(x) for x in tallies]})
    else:
        _show_tallies(tallies, by, _nothing(directory, *options))


@APP.command("replay", epilog="Example: canhman deadletters replay --reason clock --device kl01 --shift -7h")
def replay(
    ids: Annotated[list[int] | None, typer.Argument(min=1, max=2**63 - 1, help="Which; or choose with the options.")] = None,
    reason: Reason = None,
    device: Device = None,
    since: Since = None,
    until: Until = None,
    shift: Annotated[str, typer.Option(help="Move their times: -7h, +90m, 2d.")] = "0s",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would be read again.")] = False,
    json: Json = False,
) -> None:
    """Have ingest read dead letters again, from the journal, after the fault was mended. Idempotent."""
    from canhman import terminal, wiring
    from canhman.settings import read_settings
    from canhman.usage import UsageError
    from core.errors import NotFoundError

    settings, options = read_settings(), (reason, device, since, until)
    _choice(*options)
    moved = parse_shift(shift)
    if not ids and all(option is None for option in options[:3]):
        raise UsageError("nothing chosen: give ids, or --reason, --device or --since")
    if ids and (dry_run or any(option is not None for option in options)):
        raise UsageError("give ids, or options that choose (with --dry-run to count first); not both")
    actor = terminal.actor()
    tallies: list[Tally] = []
    with wiring.registry(settings) as (directory, run):
        choice = _choice(*options, _now(settings, run), is_open=True)
        if ids:
            chosen = [run(_one(number)).id for number in ids]
            marked = run(lambda db: db.ask_replay(chosen, shift_ms=moved, actor=actor))
        else:
            tallies = run(lambda db: db.dead_letter_tallies(choice))
            marked = 0 if dry_run else run(lambda db: db.ask_replays(choice, shift_ms=moved, actor=actor))
        if not marked and not (dry_run and tallies):
            raise NotFoundError("they are resolved already" if ids else "n" + _nothing(directory, *options, kind="unresolved dead letter")[1:])
    only_counted = sum(x.open - x.rows for x in tallies)
    would = sum(x.rows for x in tallies)
    if json:
        terminal.as_json({"marked": marked, **({"would_mark": would, "items": [_tallied(x) for x in tallies]} if dry_run else {})})
        return
    if dry_run:
        _show_tallies(tallies, "both", "")
        terminal.result(f"{would} would be marked{f', their times moved by {shift}' if moved else ''}; nothing was")
    else:
        terminal.result(f"{marked} marked{f', their times moved by {shift}' if moved else ''}; ingest reads them again within a second of running")
    if moved and (others := sorted({x.reason for x in tallies} - {"clock"})):
        terminal.say(f"Times of what was refused for another reason ({', '.join(others)}) are moved, too; --reason clock leaves them.", style="yellow")
    if only_counted:
        terminal.say(f"{only_counted} more were only counted, beyond the 1,000 kept of a device and reason.", style="yellow")
