"""`canhman replay`'s work: the file, the connection, the progress bar and the report."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from canhman import publishing, terminal
from canhman.settings import Settings
from canhman.usage import UsageError
from core.ports import Publisher
from firmware_sim.replay import ReplayReport, read_csv, replay

SHOWN = 20
# At full speed rows go in arrays, as a device's backlog does: a broker with Mosquitto's defaults silently drops what it
# has acknowledged once 1,000 messages wait, and three dry seasons of 37 stations are fewer messages than that.
BACKLOG_ROWS = 96


def parse_speed(text: str) -> float | None:
    """`max` (None) or a number over 0. Raises UsageError."""
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = math.nan
    if not (math.isfinite(speed) and speed > 0):
        raise UsageError(f"--speed {text!r}: write max, or a number over 0 (60 = a recorded hour in a minute)")
    return speed


async def replay_file(
    settings: Settings,
    file: Path,
    *,
    speed: float | None,
    org: str,
    timezone: str,
    shift_to_now: bool,
    batch: int,
    window: int,
    wait_s: float,
    quiet: bool,
) -> ReplayReport:
    """Publish `file` over one connection, with a progress bar over its rows. Raises ConfigError, RefusedError, UnavailableError."""
    recording = read_csv(file, timezone=timezone)
    total = sum(1 for _ in recording)
    at, login = await publishing.prepare(settings, org)
    client: Publisher = publishing.publisher(settings, client_id=publishing.client_id("replay"), login=login, window=window)
    with terminal.progress(f"replaying {file.name}", total, quiet=quiet) as bar:
        return await replay(
            read_csv(file, timezone=timezone),
            lambda device: client,
            at,
            org=org,
            speed=speed,
            shift_to_now=shift_to_now,
            window=window,
            batch=batch or (BACKLOG_ROWS if speed is None else 1),
            wait_s=wait_s,
            on_progress=lambda report: bar(report.acknowledged),
        )


def as_dict(report: ReplayReport) -> dict[str, Any]:
    """The report for machines."""
    return {
        "rows": report.rows,
        "bad": [{"line": b.line, "reason": b.reason} for b in report.bad],
        "bad_count": report.bad_count,
        "acknowledged": report.acknowledged,
        "refused": report.refused,
        "published": report.published,
        "stations": report.stations,
        "shift_ms": report.shift_ms,
        "clashes": [{"line": c.line, "text": c.text} for c in report.clashes],
        "clash_count": report.clash_count,
        "repeated": report.repeated,
        "ahead": report.ahead,
        "before_2000": report.before_2000,
    }


def as_lines(report: ReplayReport) -> list[str]:
    """The report for people."""
    lines = [f"{report.acknowledged} of {report.rows} rows acknowledged, {len(report.stations)} stations, {report.published} sent"]
    if report.shift_ms:
        lines.append(f"times moved by {report.shift_ms / 86_400_000:.2f} days, to end now")
    if report.refused:
        lines.append(f"{report.refused} rows refused by the broker: check user, org and devices")
    if not report.rows and not report.bad_count:
        lines.append("the file has a header and no rows")
    for count, what in ((report.ahead, "more than 10 minutes ahead of the clock"), (report.before_2000, "before 2000")):
        if count:
            lines.append(f"{count} rows are {what}: ingest refuses them (canhman deadletters list --reason clock)")
    if report.repeated:
        lines.append(f"{report.repeated} rows repeat an earlier one")
    if report.clash_count:
        lines.append(f"{report.clash_count} rows give a station and time another value than an earlier row; the last one wins:")
        lines += _listed([(c.line, c.text) for c in report.clashes], report.clash_count)
    if report.bad_count:
        lines.append(f"{report.bad_count} rows could not be read:")
        lines += _listed([(b.line, b.reason) for b in report.bad], report.bad_count)
    return lines


def _listed(kept: list[tuple[int, str]], count: int) -> list[str]:
    more = [f"  … and {count - SHOWN} more (--json lists those kept)"] if count > SHOWN else []
    return [*(f"  line {line}: {text}" for line, text in kept[:SHOWN]), *more]
