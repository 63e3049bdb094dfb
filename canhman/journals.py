"""The journals of an installation, for people: listed, verified, exported. Nothing of ingest is touched; it may be running."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from adapters.journal import SPARE, spare_bytes
from adapters.journal_keeping import removed
from adapters.journal_reading import JournalReader
from adapters.journal_verify import Contents, Report, contents, verify
from canhman import wiring
from canhman.journal_house import IN_USE_S, lease_of
from canhman.settings import Settings
from canhman.terminal import Bar
from core.clock import rfc3339
from core.errors import DecodeError, NotFoundError, RefusedError, UnavailableError
from core.message import Message
from ingest.route import route

Shows = Callable[[str, int | None], AbstractContextManager[Bar]]
"""`terminal.progress`."""

DAY_MS = 86_400_000
FEW_DAYS = 14
_FEW_MS = 3_600_000  # less than that says nothing of how much comes in a day


def opened(settings: Settings) -> list[tuple[Path, JournalReader]]:
    """Every journal in CANHMAN_DATA. Raises NotFoundError, FormatError, UnavailableError."""
    folders = wiring.journal_folders(settings)
    if not folders:
        raise NotFoundError(f"no journal is in {settings.data.absolute()}: ingest makes it at its first start; CANHMAN_DATA says where it is looked for")
    found = []
    for folder in folders:
        journal = JournalReader(folder)
        journal.open()
        found.append((folder, journal))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How big the journals are, since when, how much a day adds, and what of the disk or the bound is left [bytes]; None = nobody knows yet."""

    size: int
    segments: int
    sealed: int
    since: int | None
    a_day: float | None
    left: int

    @property
    def days_left(self) -> float | None:
        """Until it is full, if nothing were removed."""
        return self.left / self.a_day if self.a_day else None

    def fits(self, keep_days: int) -> bool:
        """Whether what `CANHMAN_JOURNAL_KEEP` says has room at this rate."""
        return bool(keep_days) and self.a_day is not None and self.size + self.left > self.a_day * keep_days

    def is_short(self, keep_days: int) -> bool:
        """Full within two weeks."""
        return self.days_left is not None and self.days_left < FEW_DAYS and not self.fits(keep_days)

    def words(self, keep_days: int) -> str:
        """For `doctor` and `journal list`."""
        since = f" since {rfc3339(self.since)[:10]}" if self.since is not None else ""
        text = f"{shown(self.size)}{since} in {self.segments} segments, {self.sealed} of them compressed"
        if self.a_day is None or self.days_left is None:
            return text
        text += f"; about {shown(round(self.a_day))} a day"
        if self.fits(keep_days):
            return text + f", so {keep_days} days (CANHMAN_JOURNAL_KEEP) fit"
        return text + f", full in about {_days(self.days_left)}"


def room(settings: Settings, journals: list[tuple[Path, JournalReader]]) -> Room:
    """Figures of the segments' files and headers alone; nothing is read through."""
    sizes = [sum(_size(s.path) for s in journal.segments) for _, journal in journals]
    spans = [(made[0], made[-1]) for _, journal in journals if (made := [s.created for s in journal.segments if s.created])]
    since = min((first for first, _ in spans), default=None)
    grown = 0.0
    for (_, journal), (first, last) in zip([j for j in journals if any(s.created for s in j[1].segments)], spans, strict=True):
        before = sum(_size(s.path) for s in journal.segments[:-1])  # the last one has only begun
        grown += before / (last - first) * DAY_MS if last - first >= _FEW_MS else 0.0
    disk = shutil.disk_usage(settings.data)
    left = disk.free - spare_bytes(disk.total, SPARE)
    if (most := settings.journal_max_bytes) is not None:
        left = min(left, *(most - size for size in sizes))
    segments = [s for _, journal in journals for s in journal.segments]
    return Room(size=sum(sizes), segments=len(segments), sealed=sum(s.sealed for s in segments), since=since, a_day=grown or None, left=max(0, left))


def forget(settings: Settings, journal: str, *, actor: str) -> None:
    """The database waits for it no more. Raises RefusedError for one that is here or in use elsewhere, NotFoundError for one that nobody knows."""
    for folder in wiring.journal_folders(settings):
        found = JournalReader(folder)
        found.open()
        if found.id == journal:
            raise RefusedError(f"journal {journal} is in {folder}, and canhman redecode reads it there; it need not be forgotten")
    with wiring.registry(settings) as (_, run):
        if user := run(lambda db: db.lease_holder(lease_of(journal))):
            raise RefusedError(
                f"journal {journal} is in use: the ingest at {user} said so within {IN_USE_S / 60:.0f} minutes. Stop it first (canhman redecode runs there); "
                f"where that machine is gone for good, try again {IN_USE_S / 60:.0f} minutes after it went"
            )
        run(lambda db: db.forget_journal(journal, actor=actor))


def listed(settings: Settings, progress: Shows) -> list[dict[str, Any]]:
    """`journal list`."""
    found = []
    for folder, journal in opened(settings):
        with progress("reading the journal", len(journal.segments)) as moved:
            rows = []
            for number in range(len(journal.segments)):
                rows.append(contents(journal, number))
                moved(number + 1)
        gone = [{**row, "at": rfc3339(row["at"]), "created": rfc3339(row["created"])} for row in removed(folder)]
        words = room(settings, [(folder, journal)]).words(settings.journal_keep)
        found.append({"journal": journal.id, "folder": str(folder), "words": words, "segments": [_row(c) for c in rows if c is not None], "removed": gone})
    return found


def _row(c: Contents) -> dict[str, Any]:
    return {
        "file": c.file,
        "from": c.start,
        "to": c.stop,
        "first": _time(c.oldest),
        "last": _time(c.newest),
        "records": c.records,
        "bytes": c.size,
        "size": shown(c.size),
        "compressed": "yes" if c.sealed else "no",
        "damaged": ", ".join(c.damage),
    }


def verified(settings: Settings, progress: Shows) -> list[dict[str, Any]]:
    """`journal verify`."""
    found = []
    for folder, journal in opened(settings):
        start = journal.start
        with progress("checking the journal", journal.end - start) as moved:
            report = verify(journal, lambda position, start=start, moved=moved: moved(position - start))  # type: ignore[misc]  # defaults bind the loop's own
        found.append({"journal": journal.id, "folder": str(folder), "words": _words(report, journal), "whole": report.is_whole, **_report(report, journal)})
    return found


def _words(report: Report, journal: JournalReader) -> str:
    text = f"{report.records} records in {shown(report.bytes)}"
    if report.damage:
        text += f", {report.damaged_bytes} bytes damaged in {len(report.damage)} places"
    elif report.files:
        text += ", every record is whole, but not every file"
    else:
        text += ", all whole"
    if journal.unfinished_bytes:
        text += f"; {journal.unfinished_bytes} bytes at the end are being written, or the torn end of a crash that nobody was told is kept"
    return text


def _report(report: Report, journal: JournalReader) -> dict[str, Any]:
    damage = [
        {
            "file": d.file,
            "from": d.start,
            "to": d.stop,
            "bytes": d.stop - d.start,
            "arrived after": _time(d.after),
            "arrived before": _time(d.before),
            "topic": d.topic,
            "device": _device(d.topic),
        }
        for d in report.damage
    ]
    return {
        "records": report.records,
        "bytes": report.bytes,
        "damaged_bytes": report.damaged_bytes,
        "unfinished_bytes": journal.unfinished_bytes,
        "damage": damage,
        "files": report.files,
    }


def export(settings: Settings, *, device: str, since: int | None, until: int | None, to: Path | None, progress: Shows) -> int:
    """`journal export`: returns how many messages were written. Raises UnavailableError where the file cannot be."""
    journals = opened(settings)
    with _out(to) as file:
        count = 0
        for _, journal in journals:
            at = journal.start if since is None else journal.at_arrival(since)
            with progress("exporting the journal", journal.end - at) as moved:
                for position, message in _messages(journal, at, moved):
                    if (since is None or message.received >= since) and (until is None or message.received < until) and device in ("", _device(message.topic)):
                        file.write(_line(journal.id, position, message))
                        count += 1
    return count


def _messages(journal: JournalReader, at: int, moved: Bar) -> Iterator[tuple[int, Message]]:
    begin = at
    while (part := journal.read(at, limit=2000)).next > at:
        yield from part.records
        at = part.next
        moved(at - begin)


@contextlib.contextmanager
def _out(to: Path | None) -> Iterator[TextIO]:
    if to is None:
        try:
            yield sys.stdout
            sys.stdout.flush()
        except BrokenPipeError:  # `| head` has read enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    try:
        with to.open("w", encoding="utf-8") as file:
            yield file
    except OSError as error:
        raise UnavailableError(f"{to}: {error.strerror or error}") from error


def _line(journal: str, position: int, message: Message) -> str:
    row: dict[str, Any] = {
        "journal": journal,
        "position": position,
        "received": _time(message.received),
        "topic": message.topic.encode("utf-8", "replace").decode(),
        "source": message.source.encode("utf-8", "replace").decode(),
        "qos": message.qos,
    }
    row |= {name: True for name in ("retain", "dup", "refused") if getattr(message, name)}
    try:
        row["payload"] = message.payload.decode("utf-8")
    except UnicodeDecodeError:
        row["payload_base64"] = base64.b64encode(message.payload).decode("ascii")
    return json.dumps(row, ensure_ascii=False) + "\n"


def _device(topic: str) -> str:
    try:
        return route(topic).device
    except DecodeError:
        return ""


def _time(ms: int | None) -> str:
    if ms is None:
        return ""
    try:
        return rfc3339(ms)
    except (OverflowError, ValueError, OSError):
        return f"{ms} ms"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def shown(size: int) -> str:
    """A size for people."""
    for unit, shift in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if size >= 1 << shift:
            return f"{size / (1 << shift):.1f} {unit}"
    return f"{size} B"


def _days(days: float) -> str:
    return f"{days:.0f} days" if days < 730 else f"{days / 365:.0f} years"
