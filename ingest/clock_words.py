"""What is said of a device's clock: a sentence for people in both languages, a short word for tables, the way out for a dead letter."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from core.clock import rfc3339
from core.state import DeviceClock
from core.texts import number, say
from ingest.offsets import AHEAD_MS, BEHIND_MS, DAY, HOUR, MINUTE, VERDICTS, whole_hours

WRONG = ("zone", "ahead", "behind", "drifting", "lost")
NAMED_FOR_MS = 7 * DAY  # how long a device is named that lost its clock and has it again
SHARED_MS = MINUTE  # how near each other offsets lie that are one
LOCAL_HOURS = (7, 8)  # of Vietnam and its neighbours: there whole hours are a zone, elsewhere a machine that started behind
FEWEST = 3  # devices that agree, before ours is said to be the wrong one


def sentence(clock: DeviceClock, lang: str, now: int) -> str:
    """All that is to be said of it, with the way out."""
    said = _of_now(clock, lang)
    if clock.reset_at is None or now - clock.reset_at > NAMED_FOR_MS:
        return said
    lost = say(lang, "clock.lost", at=rfc3339(clock.reset_at), fallen=fallen_to(clock))
    return lost if clock.verdict == "lost" else f"{lost} {said}"


def _of_now(clock: DeviceClock, lang: str) -> str:
    offset = clock.offset_ms
    if clock.verdict == "lost":
        return say(lang, "clock.lost", at=rfc3339(clock.reset_at or clock.at), fallen=fallen_to(clock))
    if offset is None or clock.verdict not in VERDICTS or (clock.verdict == "drifting" and clock.drift_ms is None):
        return say(lang, "clock.unknown")
    spread = about(clock.spread_ms or 0, lang)
    if clock.verdict == "zone":
        hours = whole_hours(offset)
        way = way_out(clock.device, offset)
        return say(lang, "clock.zone.ahead" if hours > 0 else "clock.zone.behind", hours=abs(hours), zone=f"{hours:+d}", command=way)
    if clock.verdict == "drifting" and clock.drift_ms is not None:
        gains = number(abs(clock.drift_ms) / 1000, 0, lang)
        key = "clock.drifting.gains" if clock.drift_ms > 0 else "clock.drifting.loses"
        return say(lang, key, seconds=gains, offset=about(offset, lang), side=say(lang, "clock.side.ahead" if offset > 0 else "clock.side.behind"))
    return say(lang, f"clock.{clock.verdict}", offset=about(offset, lang), spread=spread)


def about(milliseconds: int, lang: str) -> str:
    """How much, without its sign: `40 s`, `12 min`, `3.5 h`, `9 d`."""
    size = abs(milliseconds)
    for unit, least, decimals in ((DAY, 3 * DAY, 0), (HOUR, 2 * HOUR, 1), (MINUTE, 2 * MINUTE, 0)):
        if size >= least:
            key = {DAY: "clock.days", HOUR: "clock.hours", MINUTE: "clock.minutes"}[unit]
            return say(lang, key, n=number(size / unit, decimals, lang))
    return say(lang, "clock.seconds", n=number(size / 1000, 0 if size >= 10_000 else 1, lang))


def fallen_to(clock: DeviceClock) -> str:
    """The day a clock that was lost stood at."""
    try:
        return "?" if clock.reset_to is None else rfc3339(clock.reset_to)[:10]
    except (OverflowError, ValueError, OSError):
        return f"{clock.reset_to} ms"


def short(clock: DeviceClock | None, now: int) -> str:
    """For a column of a table: `ok`, `+7 h?`, `-12 min`, `+9 s/day`, `lost (1970-01-01)`; empty where nothing is known."""
    if clock is None or (clock.offset_ms is None and clock.reset_at is None):
        return ""
    if clock.verdict == "lost":
        return f"lost ({fallen_to(clock)})"
    was = " (was lost)" if clock.reset_at is not None and now - clock.reset_at <= NAMED_FOR_MS else ""
    if clock.verdict == "good":
        return f"ok{was}"
    if clock.offset_ms is None or clock.verdict == "unknown":
        return f"?{was}"
    if clock.verdict == "drifting" and clock.drift_ms is not None:
        return f"{clock.drift_ms / 1000:+.0f} s/day{was}"
    if clock.verdict == "zone":
        return f"{whole_hours(clock.offset_ms):+d} h (zone?){was}"
    return f"{'+' if clock.offset_ms > 0 else '-'}{about(clock.offset_ms, 'en')}{was}"


def is_to_be_named(clock: DeviceClock, now: int) -> bool:
    """Whether somebody should look at it."""
    return clock.verdict in WRONG or (clock.reset_at is not None and now - clock.reset_at <= NAMED_FOR_MS)


def way_out(device: str, offset_ms: int) -> str:
    """The command that reads again what was refused of a clock off by whole hours."""
    return f"canhman deadletters replay --reason clock --device {device} --shift {-whole_hours(offset_ms):+d}h"


def hint(device: str, offset_ms: int) -> str:
    """For the text of one dead letter: what its offset looks like; empty where it looks like nothing."""
    hours = whole_hours(offset_ms)
    return f"; it looks like local time sent as UTC ({hours:+d} h): {way_out(device, offset_ms)}" if hours > 0 else ""


def ours(clocks: Iterable[DeviceClock]) -> int | None:
    """How far our own clock seems to be behind the devices' [ms] (negative: ahead), where most of them agree; else None."""
    return agreed(sorted(c.offset_ms for c in clocks if c.offset_ms is not None and c.verdict not in ("unknown", "lost")))


def agreed(offsets: Sequence[int]) -> int | None:
    """What most of these agree on, where it is no small thing. Sorted; local time sent as UTC is the devices' fault, of however many."""
    if len(offsets) < FEWEST:
        return None
    middle = offsets[len(offsets) // 2]
    agree = sum(abs(offset - middle) <= SHARED_MS for offset in offsets)
    is_off = middle > AHEAD_MS or middle < -BEHIND_MS
    return middle if is_off and agree >= FEWEST and 2 * agree > len(offsets) and abs(whole_hours(middle)) not in LOCAL_HOURS else None


def ours_is_wrong(off: int) -> str:
    """That our own clock is so far behind the devices' (negative: ahead), with what to look at."""
    return f"most devices agree that this machine's clock is {about(off, 'en')} {'behind' if off > 0 else 'ahead'}: is its time synchronised (timedatectl)?"
