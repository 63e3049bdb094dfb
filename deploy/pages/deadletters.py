"""Dead letters: the reasons."""

from __future__ import annotations

from core.deadletter import REASONS
from deploy.page import Page, mark, table


def body() -> str:
    """The page below its head."""
    reasons = table(("Reason", "Tiếng Việt", "English"), ((mark(reason), vi, en) for reason, (vi, en) in REASONS.items()))
    return f"""A message or a single value that cannot be stored is kept with its reason; its bytes stay in the journal.
`canhman deadletters list` shows them, `canhman deadletters replay` has ingest read them again after the fault was mended.
What a decoder reads: [devices.md](devices.md).

{reasons}"""


PAGE = Page(title="Dead letters", about="Why a message or a value was not stored, and how it is read again.", source="`core/deadletter.py`", body=body)
