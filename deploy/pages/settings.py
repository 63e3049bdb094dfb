"""Settings: every variable, its form, and which command reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr

from canhman.settings import PREFIX, Settings
from deploy.page import Page, mark, table
from deploy.settings_read import readers


def body() -> str:
    """The page below its head."""
    fields = Settings.model_fields.items()
    rows = ((_name(name), f"{field.description}.", _form(field.annotation), mark(_default(field.default)), _example(field.examples)) for name, field in fields)
    read = ((_name(name), ", ".join(map(mark, commands))) for name, commands in readers().items())
    return f"""Everything is read once from the environment; an unknown `{PREFIX}` name is an error, and so is one that is set and empty where a path is
expected. Domain choices are TOML files: [configuration.md](configuration.md). Secrets are never printed or logged.
`canhman demo` uses its own folder, clock, store and enrolment whatever stands there; ports and addresses begin at these.

{table(("Variable", "What it is", "Form", "Default", "Example"), rows)}

## Which command reads what

Found in the code: what a command only may come to is counted too. Whatever runs on one installation needs the same values.

{table(("Variable", "Read by `canhman …`"), read)}"""


def _name(name: str) -> str:
    return mark(PREFIX + name.upper())


def _form(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return " or ".join(map(mark, get_args(annotation)))
    kinds = [a for a in get_args(annotation) or (annotation,) if a is not type(None)]
    return {SecretStr: "secret text", Path: "path", bool: "`0` or `1`", str: "text", int: "whole number", float: "number"}[kinds[0]]


def _default(default: object) -> str:
    if isinstance(default, SecretStr) or default is None:
        return ""
    return str(int(default)) if isinstance(default, bool) else str(default)


def _example(examples: list[Any] | None) -> str:
    return ", ".join(map(mark, examples or ()))


PAGE = Page(
    title="Settings", about="Every environment variable: form, default, example, and which command reads it.", source="`canhman/settings.py`", body=body
)
