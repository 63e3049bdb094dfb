"""Write docs/quantities.md and docs/texts.md from the registries they tell of: `python deploy/docs_tables.py FOLDER`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from core.derived import DERIVED
from core.quantities import ALIASES, QUANTITIES
from core.texts import LANGUAGES, texts

MADE = "<!-- made by `make docs`; change the source it names, not this file -->"


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table."""
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def quantities() -> str:
    """The page on quantities."""
    known = table(
        ("Name", "Unit (UCUM)", "Symbol", "Range", "Decimals", "Cell methods", "Tiếng Việt", "English"),
        ((f"`{q.name}`", f"`{q.unit}`", q.symbol, f"{q.low:g} … {q.high:g}", q.decimals, q.cell_methods, q.vi, q.en) for q in QUANTITIES.values()),
    )
    derived = table(("Quantity", "From", "Method"), ((f"`{d.quantity}`", ", ".join(f"`{s}`" for s in d.sources), d.method) for d in DERIVED))
    aliases = table(("Column", "Quantity", "Factor"), ((f"`{alias}`", f"`{name}`", f"{factor:g}") for alias, (name, factor) in ALIASES.items()))
    return f"""# Quantities

{MADE}

Source: `core/quantities.py`, `core/derived.py`. A device sends these names as keys of `readings`. A value outside the range is stored with flag 4 (fail).
The measurement in InfluxDB is the text before the dot, the field the text after it.

{known}

## Derived at ingest

Where a device does not send them itself, these are computed from others of the same message and inherit the worst flag of their sources.

{derived}

## Column names that are understood in files

Value × factor is the quantity in its unit.

{aliases}
"""


def words() -> str:
    """The page on texts."""
    rows = ((f"`{key}`", *(texts(lang)[key] for lang in LANGUAGES)) for key in texts(LANGUAGES[0]))
    return f"""# Texts

{MADE}

Source: `core/texts/vi.toml`, `core/texts/en.toml`. Names in braces are filled in.

{table(("Key", *LANGUAGES), rows)}
"""


def main() -> None:
    """Write the pages into the folder named."""
    folder = Path(sys.argv[1])
    (folder / "quantities.md").write_text(quantities(), "utf-8")
    (folder / "texts.md").write_text(words(), "utf-8")


if __name__ == "__main__":
    main()
