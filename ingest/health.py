"""What is wrong right now, in words: one line per part, shared by the log, `doctor` and (later) `/readyz`."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable


class Health:
    """The troubles of one process, by part (`journal`, `store`, `database`, `broker`). Safe from any thread.

    `tell(part, trouble)` is called once when trouble begins or changes kind, and with an empty text when it is over. What
    differs in its numbers alone (a lag that grows) is of the same kind: else it would be told at each look.
    """

    def __init__(self, tell: Callable[[str, str], None]) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._troubles: dict[str, str] = {}

    def red(self, part: str, trouble: str) -> None:
        """Something is wrong with `part`."""
        with self._lock:
            known = self._troubles.get(part)
            self._troubles[part] = trouble
        if known is None or _kind(known) != _kind(trouble):
            self._tell(part, trouble)

    def green(self, part: str) -> None:
        """`part` works (again)."""
        with self._lock:
            known = self._troubles.pop(part, None)
        if known is not None:
            self._tell(part, "")

    @property
    def troubles(self) -> dict[str, str]:
        """What is wrong now."""
        with self._lock:
            return dict(self._troubles)


def _kind(trouble: str) -> str:
    return re.sub(r"\d+", "", trouble)
