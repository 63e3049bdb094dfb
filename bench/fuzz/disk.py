"""Damaged files to what reads them back: journal segments, plain and sealed, and the listener's sessions; and the line protocol."""

from __future__ import annotations

import os
import random
import tempfile
from pathlib import Path

from adapters import journal_segments as segments
from adapters.journal_sealed import open_source, seal
from adapters.journal_segments import HEADER_BYTES, Records, Segment
from adapters.line_protocol import escape_tag, place
from adapters.listener_book import SessionFile
from adapters.listener_sessions import FOREVER, Key, Session
from bench.fuzz.decoding import random_text
from bench.fuzz.mutate import flipped, mutated
from bench.fuzz.target import Target, law
from core.errors import FormatError
from core.message import Message
from core.quantities import QUANTITIES
from core.series import SeriesKey

ID = "00112233445566778899aabbccddeeff"
KEYS = segments.keys_of(ID)
BASE = 4096


def _messages() -> list[Message]:
    rng = random.Random(1)
    made = []
    for n in range(12):
        payload = rng.randbytes(rng.randrange(80)) if n % 4 else KEYS.marker * 3 + rng.randbytes(9)  # markers in a payload are no records
        made.append(
            Message(f"canhman/o/d{n}/telemetry", payload, 1_772_323_800_000 + n, f"device:d{n}" if n % 2 else "", n % 2, n % 3 == 0, n % 5 == 0, n % 7 == 0)
        )
    return made


def _written() -> tuple[bytes, dict[int, Message]]:
    """A segment's bytes, and its messages by position."""
    messages = _messages()
    records = segments.encode(messages, BASE + HEADER_BYTES, KEYS)
    out: Records = []
    segments.take(records, BASE + HEADER_BYTES, KEYS, 100, out)
    law([m for _, m in out] == messages, "the journal does not read what it wrote")
    return segments.header(ID, BASE, BASE, 1) + records, dict(out)


PLAIN, WRITTEN = _written()
_STARTS = sorted(WRITTEN)
_STOPS = [*_STARTS[1:], BASE + len(PLAIN)]


def _sealed() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path, new = Path(folder) / segments.segment_name(BASE), Path(folder) / "sealed"
        path.write_bytes(PLAIN)
        for _ in seal(Segment(path, BASE, BASE, 1, intact=True), len(PLAIN), KEYS, ID, new):
            pass
        return new.read_bytes()


SEALED = _sealed()
_FD = os.memfd_create("fuzz")


def _read(data: bytes) -> tuple[Records, int]:
    """Everything a reader finds in a segment of these bytes, and what it counts as damaged."""
    os.ftruncate(_FD, 0)
    os.pwrite(_FD, data, 0)
    source = open_source(_FD, KEYS)
    out: Records = []
    at, stop, damaged = HEADER_BYTES, source.size, 0
    while at < stop:
        run = segments.read_run(source, BASE, at, stop, KEYS, 1000, out)
        law(run.next > at, "a read that does not go on")
        at, damaged = run.next, damaged + run.damaged
    for position, message in out[:3]:
        law(segments.read_one(source, BASE, position, KEYS) == message, "one record read by itself is another")
    return out, damaged


def _nothing_invented(out: Records) -> None:
    for position, message in out:
        law(WRITTEN.get(position) == message, f"a record at {position} that was never written there")
    law([p for p, _ in out] == sorted({p for p, _ in out}), "records twice, or out of order")


def _changed(data: bytes) -> None:
    """Bytes changed where they stand (the first ones say how many): records they do not touch must all come."""
    rng = random.Random(data)
    raw, places = flipped(rng, PLAIN[HEADER_BYTES:], 6)
    out, damaged = _read(PLAIN[:HEADER_BYTES] + raw)
    _nothing_invented(out)
    touched = {place + HEADER_BYTES + BASE for place in places}
    whole = {start for start, stop in zip(_STARTS, _STOPS, strict=True) if not any(start <= place < stop for place in touched)}
    law(whole <= {p for p, _ in out}, "a record was lost that nothing had touched")
    law(damaged <= len(raw), "more is damaged than there is")


def _any_damage(data: bytes) -> None:
    out, _ = _read(data)
    _nothing_invented(out)


def _header(data: bytes) -> None:
    path = _SCRATCH / segments.segment_name(BASE)
    path.write_bytes(data)
    found = segments.inspect(path, ID)
    law(found.base == BASE, "a segment with another position than its name says")


_SCRATCH = Path(tempfile.mkdtemp(prefix="canhman-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))  # noqa: S108 only where it is


# ---------------------------------------------------------------- sessions


def _lines() -> bytes:
    book = SessionFile(Path("nowhere"))
    made = [
        ((f"device:d{n}", f"c{n}"), Session(expiry_s=FOREVER if n % 3 else 60.0, subscriptions={f"canhman/o/d{n}/command"} if n % 2 else set()))
        for n in range(6)
    ]
    return b"".join(book._line(key, session) for key, session in made) + book._line(("device:d1", "c1"), None)


_BOOK = _lines()


def _sessions(data: bytes) -> None:
    found: dict[Key, Session] = {}
    for line in data.split(b"\n"):
        SessionFile._read(line, found, 5.0)
    law(set(found) <= {(f"device:d{n}", f"c{n}") for n in range(6)}, "a session that was never written")


# ---------------------------------------------------------------- line protocol


def _tag(raw: bytes) -> None:
    """An escaped tag, read as the server reads it, is the text; one that no server can hold is refused with ValueError."""
    rng = random.Random(raw)
    texts = [random_text(rng) for _ in range(4)]
    texts[0] = raw.decode("utf-8", "surrogateescape") or "x"
    key = SeriesKey(org=texts[0], station=texts[1], sensor=texts[2], point=texts[3], quantity=rng.choice(_QUANTITIES))
    try:
        for text in texts:
            escape_tag(text)
    except ValueError:
        try:
            place(key)
        except ValueError:
            return
        law(False, "a place with a tag that cannot be written")
    parts = _split(place(key).head)
    law(
        parts == [QUANTITIES[key.quantity].measurement, "org", texts[0], "point", texts[3], "sensor", texts[2], "station", texts[1]],
        f"{texts} came back as {parts}",
    )


def _split(head: str) -> list[str]:
    """Measurement and tags as InfluxDB takes them apart: a backslash takes the meaning from a comma, an equals sign or a space behind it."""
    parts, at = [""], 0
    while at < len(head):
        if head[at] == "\\" and head[at + 1 : at + 2] in (",", "=", " "):
            parts[-1] += head[at + 1]
            at += 2
        elif head[at] in ",=":
            parts.append("")
            at += 1
        else:
            law(head[at] != " ", "a space that ends the tags")
            parts[-1] += head[at]
            at += 1
    return parts


_QUANTITIES = sorted(QUANTITIES)
_TAGS = (b"kl-01", "Trạm Cổ Chiên, km 12=a".encode(), rb"C:\data", rb"a\,b", b"x")

TARGETS = (
    Target(
        name="journal segment, bytes changed",
        about="every record that was not touched, and no other",
        share=0.08,
        declared=(),
        make=lambda rng: rng.randbytes(8),
        feed=_changed,
    ),
    Target(
        name="journal segment, any damage",
        about="cut, spliced, repeated: no record that was never written where it is said to stand",
        share=0.08,
        declared=(),
        make=lambda rng: PLAIN[:HEADER_BYTES] + mutated(rng, [PLAIN[HEADER_BYTES:]]),
        feed=_any_damage,
    ),
    Target(
        name="journal segment, sealed",
        about="no record that was never written there, whatever is done to header, blocks and index",
        share=0.06,
        declared=(FormatError,),
        make=lambda rng: mutated(rng, [SEALED], most=3),
        feed=_any_damage,
    ),
    Target(
        name="journal header",
        about="FormatError, or the position of its name",
        share=0.01,
        declared=(FormatError,),
        make=lambda rng: mutated(rng, [PLAIN[:200], SEALED[:200]], most=3),
        feed=_header,
    ),
    Target(
        name="listener's sessions",
        about="no session that was never written",
        share=0.04,
        declared=(),
        make=lambda rng: mutated(rng, [_BOOK], most=4),
        feed=_sessions,
    ),
    Target(
        name="line protocol, tags",
        about="a tag comes back as it was, or is refused with ValueError",
        share=0.10,
        declared=(),
        make=lambda rng: mutated(rng, _TAGS, most=3),
        feed=_tag,
    ),
)
