"""What is written down of a trained model beside its file: where it came from, how it scored, whether it speaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.errors import FormatError


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """How a model, the one that spoke until then, and the best honest baseline scored on the same days that none of them had learned from.

    `since`, `until`: local dates as text. `n` pairs. `crps`, `spoke`, `baseline` [unit of the target]: mean CRPS, lower is better; `spoke` is of those
    pairs that it spoke of too, None where no trained model spoke. `coverage90`: how often the 90 % interval held. `error`: mean |median − truth| of
    the next day (of hours: the next 24), None where none was scored.
    """

    since: str
    until: str
    n: int
    crps: float
    spoke: float | None
    baseline: float
    baseline_name: str
    coverage90: float
    error: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """One trained model of one target (`core.forecast.TARGETS`).

    `version` names it among all of its target, e.g. `1.20261126-3fa2c1`: the code's version, the day and the start of its hash. `data_from`, `data_until`:
    first and last local day learned from. `rows`: station days (or hours). `sha256` of the file. `promoted_at` [ms]: since when it speaks, None where
    it does not; `why`: why it was or was not promoted, in plain words (English). `drivers`: those it uses; `unused`: of each other one that was
    brought, why it does not use it. `inputs`: digest of all values it learned from.
    """

    target: str
    model: str
    version: str
    trained_at: int
    data_from: str
    data_until: str
    stations: tuple[str, ...]
    drivers: tuple[str, ...]
    rows: int
    source: str  # `store`, or the name of the data set
    held_out: HeldOut | None
    sha256: str = ""
    promoted_at: int | None = None
    why: str = ""
    inputs: str = ""
    unused: Mapping[str, str] = field(default_factory=dict)

    @property
    def code(self) -> str:
        """The version of the code that made it."""
        return self.version.rpartition(".")[0]


MAGIC, FORMAT = b"CANHMAN-MODEL", 1  # every model file begins with them


def check_head(content: bytes) -> None:
    """Raises FormatError where `content` is no model file, or one of another version."""
    line, end, _ = content[:40].partition(b"\n")
    magic, _, version = line.partition(b" ")
    if magic != MAGIC or not end:
        raise FormatError(f"no model file: it begins with {content[: len(MAGIC)]!r}, expected {MAGIC.decode()} {FORMAT}")
    if version != b"%d" % FORMAT:
        raise FormatError(f"a model file {MAGIC.decode()} of format {version.decode('ascii', 'replace')}, expected {FORMAT}: train anew with canhman train")
