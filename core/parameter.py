"""Numbers that people choose in a TOML file, as fields of a dataclass that tell of themselves: default, unit, bounds, and what they do."""

from __future__ import annotations

from dataclasses import field, fields
from typing import Any, NamedTuple


class About(NamedTuple):
    """What a number is. `above` and `under` are left out, `least` and `most` are allowed; None where there is no such bound."""

    text: str
    unit: str = ""
    above: float | None = None
    least: float | None = None
    most: float | None = None
    under: float | None = None

    @property
    def bounds(self) -> str:
        """Where it may lie, in signs."""
        under = None if self.most is not None and self.under is not None and self.most < self.under else self.under  # said already
        signs = ((">", self.above), ("≥", self.least), ("≤", self.most), ("<", under))
        return ", ".join(f"{sign} {bound:g}" for sign, bound in signs if bound is not None)


def parameter(
    default: Any, text: str, *, unit: str = "", above: float | None = 0, least: float | None = None, most: float | None = None, under: float | None = None
) -> Any:
    """A field with its `About`; it is above 0 unless something else is said."""
    about = About(text=text, unit=unit, above=None if least is not None else above, least=least, most=most, under=under)
    return field(default=default, metadata={"about": about})


def parameters(kind: type) -> dict[str, About]:
    """Every field of `kind` that people may set."""
    return {f.name: f.metadata["about"] for f in fields(kind) if "about" in f.metadata}
