"""What is known of devices beside the registry, for `devices list`, `show` and `gaps`, and for `doctor`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from core.clock import rfc3339
from core.state import DeviceClock, Gap
from ingest.clock_words import is_to_be_named, ours, ours_is_wrong, sentence

NAMED = 5  # devices one line of doctor names
HOLES = 5  # of a boot one line shows
RECENT_MS = 30 * 86_400_000  # a boot that was last heard of before is no news to doctor


def missing_of(gaps: Iterable[Gap]) -> Counter[str]:
    """How many messages each device numbered and we never got."""
    found: Counter[str] = Counter()
    for gap in gaps:
        found[gap.device] += gap.missing
    return found


def clock_as_json(clock: DeviceClock | None, now: int) -> dict[str, Any] | None:
    """As the API tells it."""
    if clock is None:
        return None
    return {
        "verdict": clock.verdict,
        "offset_s": None if clock.offset_ms is None else clock.offset_ms / 1000,
        "spread_s": None if clock.spread_ms is None else clock.spread_ms / 1000,
        "drift_s_per_day": None if clock.drift_ms is None else round(clock.drift_ms / 1000, 1),
        "at": rfc3339(clock.at),
        "lost_at": None if clock.reset_at is None else rfc3339(clock.reset_at),
        "text": sentence(clock, "en", now),
    }


def gap_as_json(gap: Gap) -> dict[str, Any]:
    """One boot of a device."""
    return {
        "device": gap.device,
        "boot": gap.boot if gap.boot >= 0 else None,
        "lowest": gap.lowest,
        "highest": gap.highest,
        "missing": gap.missing,
        "last_time": rfc3339(gap.last_time),
        "holes": [list(hole) for hole in gap.holes],
    }


def holes_as_text(gap: Gap) -> str:
    """`4-7, 12 …`."""
    shown = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in gap.holes[:HOLES])
    return shown + (" …" if len(gap.holes) > HOLES else "")


def findings(clocks: Sequence[DeviceClock], gaps: Sequence[Gap], now: int) -> list[tuple[str, str]]:
    """For doctor, as (part, text): clocks somebody should look at, ours where theirs agree against it, and what never came."""
    found: list[tuple[str, str]] = []
    off = ours(clocks)
    if off is not None:
        found.append(("clock", ours_is_wrong(off)))
    else:
        wrong = [clock for clock in clocks if is_to_be_named(clock, now)]
        found += [("clock", f"{clock.device}: {sentence(clock, 'en', now)}") for clock in wrong[:NAMED]]
        if len(wrong) > NAMED:
            found.append(("clock", f"{len(wrong) - NAMED} more devices have a wrong clock: canhman devices list"))
    missing = missing_of(gap for gap in gaps if now - gap.last_time <= RECENT_MS)
    if missing:
        names = ", ".join(f"{device} {count}" for device, count in missing.most_common(NAMED)) + (" …" if len(missing) > NAMED else "")
        found.append(("gaps", f"{missing.total()} messages were numbered by devices and never came: {names} (canhman devices gaps)"))
    return found
