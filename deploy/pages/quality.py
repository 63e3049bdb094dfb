"""Quality control: the tests, their bits, parameters as shipped."""

from __future__ import annotations

from canhman.configuration import read_qc
from core.flags import GIVEN_BITS
from deploy.page import Page, approved, mark, table
from quality.qc import Context
from quality.rules import TESTS


def body() -> str:
    """The page below its head."""
    config = read_qc(None)
    tests = table(
        ("Test", "Bit", "Needs before", "Needs after", "Tiếng Việt", "English"),
        ((mark(t.name), t.bit, _context(t.before), _context(t.after), t.vi, t.en) for t in TESTS.values()),
    )
    given = table(("Bit", "Given by ingest"), ((bit, mark(name)) for name, bit in GIVEN_BITS.items()))
    rows = ((mark(test), mark(quantity), ", ".join(f"{k} = {v:g}" for k, v in params.items())) for (test, quantity), params in config.general.items())
    return f"""Flags are QARTOD: 1 good, 2 not evaluated, 3 suspect, 4 fail, 9 withdrawn; over several tests 4 > 3 > 1 > 2 > 9.
A flag describes a value and never removes it. A bit in `<quantity>_qt` names the test that suspects or fails; its number is never used again.
Where numbers of one probe and time cannot all be true (a salinity of its own beside its conductivity), `agree` makes all of them suspect:
nobody knows which is wrong, and no verdict speaks.

{tests}

{given}

## Parameters as shipped

{approved(config.approved_by)} What each parameter is: [configuration.md](configuration.md#qctoml). Besides these, `range` fails what lies outside the
[range of the quantity](quantities.md).

{table(("Test", "Quantity", "Parameters"), rows)}"""


def _context(context: Context) -> str:
    parts = [f"{context.samples} samples"] if context.samples else []
    parts += [f"{context.hours:g} h" if context.hours >= 1 else f"{context.hours * 60:g} min"] if context.hours else []
    return ", ".join(parts) or "nothing"


PAGE = Page(
    title="Quality control",
    about="How a value is judged: tests, bits, parameters as shipped.",
    source="`quality/tests/`, `config/qc.toml`",
    body=body,
)
