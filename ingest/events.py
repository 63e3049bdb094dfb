"""What ingest counts, beside what it stores: each by device, or by reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Event = Literal["duplicate", "conflicting", "overwritten", "clock", "refused"]
EVENTS: Mapping[Event, str] = {
    "duplicate": "Messages that came again, and were stored once; by device.",
    "conflicting": "Messages whose number was known with another content; by device.",
    "overwritten": "Values written again at a time that had one: the last one stands; by device.",
    "clock": "Messages whose time cannot be, because the device's clock is wrong; by device.",
    "refused": "Messages and values that became dead letters; by reason.",
}
