"""Forecast models."""

from __future__ import annotations

import inspect

import analytics.models
from analytics.model import models
from deploy.page import Page, mark, table


def body() -> str:
    """The page below its head."""
    rows = ((mark(m.name), m.version, ", ".join(map(mark, m.targets)), _about(name).partition("\n")[0]) for name, m in models().items())
    sections = "\n\n".join(f"## {name}\n\n{_about(name)}" for name in models())
    return f"""A model says of each point how the salinity goes on, with odds; name and version stand in every forecast it issues. Targets: `day_max`
and `day_min` are a local day's extremes, `hour` an hour's maximum. Another one is one file: [CONTRIBUTING.md](../CONTRIBUTING.md#adding-one-thing).

{table(("Model", "Version", "Targets", "What it does"), rows)}

{sections}"""


def _about(name: str) -> str:
    return inspect.getdoc(getattr(analytics.models, name)) or ""


PAGE = Page(title="Forecast models", about="Who forecasts, what, and by which rule.", source="`analytics/models/`", body=body)
