"""Which message a stored row is of: known where a device has but one of its arrival, in all journals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from ingest.past import UNTOLD, PastJournal, Reading


async def proven(
    asked: set[tuple[str, int]], *, journals: Sequence[PastJournal], reading_of: Callable[[PastJournal, int], Reading], ends: Mapping[str, int]
) -> set[tuple[str, int]]:
    """Of these (device, arrival) the ones that are of one message in all journals, which may be read.

    `ends`: how far each journal was read when `asked` was found.
    """
    found: Counter[tuple[str, int]] = Counter()
    barred: set[tuple[str, int]] = set()
    first, last = min(r for _, r in asked), max(r for _, r in asked)
    for journal in journals:
        reading = reading_of(journal, first)
        at = journal.at_arrival(first)
        while (part := journal.read(at, limit=2000)).next > at:
            at = part.next
            inside = [(p, m) for p, m in part.records if first <= m.received <= last and reading.is_mine(m)]
            of = {position: (reading.device_of(message), message.received) for position, message in inside}
            mine = [(p, m) for p, m in inside if of[p] in asked]
            for work in await reading.process(mine) if mine else []:
                barred |= {of[d.position] for d in work.pending.dead if d.reason in UNTOLD and d.position in of}
                barred |= {of[w.position] for w in work.pending.waiting}
            barred |= {of[position] for position in reading.failed if position in of}
            barred |= {of[p] for p, _ in mine if p >= ends[journal.id]}  # it came after we looked
            found.update(of[p] for p, _ in mine)
    return {one for one, times in found.items() if times == 1} - barred
