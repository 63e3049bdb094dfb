"""When the forecast service last began a training, kept over its restarts: it is not begun again at once, nor twice a day for nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

FILE = "training.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class LastTraining:
    """`not_before` [system s]: no other begins earlier; `tried` [ms of the installation's clock]: the last that came to its end, None where none did.

    `codes`: the versions of the models' code, by name. What one code tried says nothing of another: after an upgrade none was begun.
    """

    not_before: float = 0.0
    tried: int | None = None
    codes: Mapping[str, str] = field(default_factory=dict)

    def waits_s(self, most: float) -> float:
        """How long another has to wait from now on; a system clock that was set back does not make it longer than `most`."""
        return min(max(self.not_before - time.time(), 0.0), most)


def read(folder: Path, codes: Mapping[str, str]) -> LastTraining:
    """What is known; nothing where the file is not there, cannot be read, or is of other code."""
    try:
        found = LastTraining(**json.loads((folder / FILE).read_text()))
        if found.codes == codes:
            return LastTraining(not_before=float(found.not_before), tried=None if found.tried is None else int(found.tried), codes=codes)
    except (OSError, ValueError, TypeError, OverflowError):
        pass
    return LastTraining(codes=codes)


def write(folder: Path, last: LastTraining) -> None:
    """Replace the file. A full disk is no reason not to train."""
    draft = folder / f".{FILE}.new"
    with suppress(OSError):
        draft.write_text(json.dumps(asdict(last)))
        draft.replace(folder / FILE)
