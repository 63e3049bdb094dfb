"""Finding plug-ins: every module of a package that exports a value under the agreed name."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import TypeVar

from core.errors import ConfigError

T = TypeVar("T")


def collect(package: ModuleType, export: str, kind: type[T]) -> dict[str, T]:
    """Import the modules of `package` and return {module name: its `export`}, sorted by name.

    Raises ConfigError where a module lacks the export or exports something else: a plug-in is never skipped in silence.
    """
    found: dict[str, T] = {}
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda i: i.name):
        name = f"{package.__name__}.{info.name}"
        value = getattr(importlib.import_module(name), export, None)
        if not isinstance(value, kind):
            raise ConfigError(f"{name} must export {export} of type {kind.__name__}, found {type(value).__name__}")
        found[info.name] = value
    return found
