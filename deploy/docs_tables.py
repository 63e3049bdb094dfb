"""Write the tables of docs/ from the registries they tell of: `python deploy/docs_tables.py FOLDER`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import typer

from canhman.cli import build
from canhman.configuration import read_qc
from canhman.settings import PREFIX, Settings
from core.deadletter import REASONS
from core.derived import DERIVED
from core.flags import GIVEN_BITS
from core.quantities import ALIASES, QUANTITIES
from core.texts import LANGUAGES, texts
from ingest.mail import DECODERS
from quality.qc import Context
from quality.rules import TESTS

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


def settings() -> str:
    """The page on settings."""
    rows = (
        (
            f"`{PREFIX}{name.upper()}`",
            field.description,
            f"`{field.default}`" if isinstance(field.default, str | Path) and str(field.default) else "0" if field.default is False else "",
        )
        for name, field in Settings.model_fields.items()
    )
    return f"""# Settings

{MADE}

Source: `canhman/settings.py`. Everything is read once from the environment; an unknown `CANHMAN_` name is an error. Domain choices are TOML files,
in the wheel under `config/`, overridden file by file from the folder in `CANHMAN_CONFIG`. Secrets are never printed or logged.
`canhman demo` uses its own folder, clock, store and enrolment whatever stands there; ports and addresses begin at these.

{table(("Variable", "What it is", "Default"), rows)}
"""


def commands() -> str:
    """The page on commands."""
    rows = []
    root = typer.main.get_command(build())
    for name, command in sorted(root.commands.items()):  # type: ignore[attr-defined]  # the root is a group
        for path, leaf in sorted(getattr(command, "commands", {"": command}).items()):
            rows.append(
                (
                    f"`canhman {name} {path}".rstrip() + "`",
                    " ".join((leaf.help or "").split("\n\n")[0].split()),
                    f"`{(leaf.epilog or '').removeprefix('Example: ')}`",
                )
            )
    return f"""# Commands

{MADE}

Source: `canhman/commands/`. Exit codes: 0 done, 1 failed (one line says why), 2 used wrongly. `canhman COMMAND --help` lists the options.

{table(("Command", "What it does", "Example"), rows)}
"""


def quality() -> str:
    """The page on quality control."""
    config = read_qc(None)
    tests = table(
        ("Test", "Bit", "Needs before", "Needs after", "Tiếng Việt", "English"),
        ((f"`{t.name}`", t.bit, _context(t.before), _context(t.after), t.vi, t.en) for t in TESTS.values()),
    )
    given = table(("Bit", "Given by ingest"), ((bit, f"`{name}`") for name, bit in GIVEN_BITS.items()))
    rows = ((f"`{test}`", f"`{quantity}`", ", ".join(f"{k} = {v:g}" for k, v in params.items())) for (test, quantity), params in config.general.items())
    return f"""# Quality control

{MADE}

Source: `quality/tests/`, `config/qc.toml`. Flags are QARTOD: 1 good, 2 not evaluated, 3 suspect, 4 fail, 9 withdrawn; over several tests 4 > 3 > 1 > 2 > 9.
A flag describes a value and never removes it. A bit in `<quantity>_qt` names the test that suspects or fails; its number is never used again.

{tests}

{given}

## Parameters as shipped

Not approved by anybody yet (chưa được duyệt). Besides these, `range` fails what lies outside the [range of the quantity](quantities.md).

{table(("Test", "Quantity", "Parameters"), rows)}
"""


def _context(context: Context) -> str:
    parts = [f"{context.samples} samples"] if context.samples else []
    parts += [f"{context.hours:g} h"] if context.hours else []
    return ", ".join(parts) or "nothing"


def dead_letters() -> str:
    """The page on dead letters and decoders."""
    reasons = table(("Reason", "Tiếng Việt", "English"), ((f"`{reason}`", vi, en) for reason, (vi, en) in REASONS.items()))
    decoders = table(("Decoder", "Topic kind", "Model"), ((f"`{d.name}`", f"`{d.kind}`", d.model or "any") for d in DECODERS.values()))
    return f"""# Dead letters and decoders

{MADE}

Source: `core/deadletter.py`, `ingest/decoders/`. A message or a single value that cannot be stored is kept with its reason; its bytes stay in the journal.
`canhman deadletters list` shows them, `canhman deadletters replay` has ingest read them again after the fault was mended.

{reasons}

## Decoders

A message of another kind is kept as `no_decoder` until there is one.

{decoders}
"""


PAGES = {
    "quantities.md": quantities,
    "texts.md": words,
    "settings.md": settings,
    "commands.md": commands,
    "quality.md": quality,
    "deadletters.md": dead_letters,
}


def main() -> None:
    """Write the pages into the folder named."""
    folder = Path(sys.argv[1])
    for name, page in PAGES.items():
        (folder / name).write_text(page(), "utf-8")


if __name__ == "__main__":
    main()
