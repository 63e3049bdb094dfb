"""Quantities: the registry, what is derived, column names that files may have."""

from __future__ import annotations

from core.derived import DERIVED
from core.quantities import ALIASES, QUANTITIES
from deploy.page import Page, mark, table


def body() -> str:
    """The page below its head."""
    known = table(
        ("Name", "Unit (UCUM)", "Symbol", "Range", "Decimals", "Cell methods", "Tiếng Việt", "English"),
        ((mark(q.name), mark(q.unit), q.symbol, f"{q.low:g} … {q.high:g}", q.decimals, q.cell_methods, q.vi, q.en) for q in QUANTITIES.values()),
    )
    derived = table(("Quantity", "From", "Method"), ((mark(d.quantity), ", ".join(map(mark, d.sources)), d.method) for d in DERIVED))
    aliases = table(("Column", "Quantity", "Factor"), ((mark(alias), mark(name), mark(f"{factor:g}")) for alias, (name, factor) in ALIASES.items()))
    return f"""A device sends these names as keys of `readings`. A value outside the range is stored with flag 4 (fail).
The measurement in InfluxDB is the text before the dot, the field the text after it.

{known}

## Derived at ingest

Where a device does not send them itself, these are computed from others of the same message and inherit the worst flag of their sources.
What a device sends itself is stored as it is; what cannot be true beside its sources is suspect, and so are these ([quality.md](quality.md), test `agree`).

{derived}

## Column names that are understood in files

Value × factor is the quantity in its unit.

{aliases}"""


PAGE = Page(
    title="Quantities",
    about="What can be measured: name, unit, range; what is derived; column names that recorded files may have.",
    source="`core/quantities.py`, `core/derived.py`",
    body=body,
)
