"""When the forecast service last began a training, kept over its restarts: it is not begun again at once, nor twice a day for nothing."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "training.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class LastTraining:
    """`not_before` [system s]: no other begins earlier; `tried` [ms of the installation's clock]: the last that came to its end, None where none did."""

    not_before: float = 0.0
    tried: int | None = None

    def waits_s(self, most: float) -> float:
        """How long another has to wait from now on; a system clock that was set back does not make it longer than `most`."""
        return min(max(self.not_before - time.time(), 0.0), most)


def read(folder: Path) -> LastTraining:
    """What is known; nothing where the file is not there or cannot be read."""
    try:
        found = LastTraining(**json.loads((folder / FILE).read_text()))
        return LastTraining(not_before=float(found.not_before), tried=None if found.tried is None else int(found.tried))
    except (OSError, ValueError, TypeError, OverflowError):
        return LastTraining()


def write(folder: Path, last: LastTraining) -> None:
    """Replace the file. A full disk is no reason not to train."""
    draft = folder / f".{FILE}.new"
    with suppress(OSError):
        draft.write_text(json.dumps(asdict(last)))
        draft.replace(folder / FILE)
