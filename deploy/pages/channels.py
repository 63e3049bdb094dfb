"""Channels that alerts go out by."""

from __future__ import annotations

import inspect

import alerts.notifiers
from alerts.outbox import NOTIFIERS
from deploy.page import Page, mark, table


def body() -> str:
    """The page below its head."""
    rows = ((mark(name), _about(name).partition("\n")[0]) for name in NOTIFIERS)
    sections = "\n\n".join(f"## {name}\n\n{_about(name)}" for name in NOTIFIERS)
    return f"""Every alert stands in the inbox of the pages. Beside it a message goes out by each channel that is switched on. Each message carries
an idempotency key, and is tried again until the receiver takes it or refuses it for good: [alerts.md](alerts.md). Another channel is one file:
[CONTRIBUTING.md](../CONTRIBUTING.md#adding-one-thing).

{table(("Channel", "What it is"), rows)}

{sections}"""


def _about(name: str) -> str:
    return inspect.getdoc(getattr(alerts.notifiers, name)) or ""


PAGE = Page(title="Channels", about="By which ways an alert reaches people and programs.", source="`alerts/notifiers/`", body=body)
