"""What every board must hold to, found without a Grafana."""

from __future__ import annotations

from typing import Any


def faults(document: dict[str, Any]) -> list[str]:
    """Every fault of a board's JSON in words, empty for a sound one."""
    found: list[str] = []
    if document["timezone"] != "Asia/Ho_Chi_Minh":
        found.append(f"timezone {document['timezone']!r}: boards show local time")
    return found
