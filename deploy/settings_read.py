"""Which command reads which setting, found in the code of the front door."""

from __future__ import annotations

import ast

from canhman.settings import Settings
from deploy.reached import ROOT, Graph

# properties of Settings, and what they read
_DERIVED = {"broker_address": {"broker"}, "store_address": {"store", "data"}, "database_url": {"database", "data"}, "journal_max_bytes": {"journal_max"}}


def readers() -> dict[str, list[str]]:
    """setting → the commands (`ingest`, `devices`, …) that read it, sorted."""
    graph = Graph("canhman")
    found: dict[str, set[str]] = {name: set() for name in Settings.model_fields}
    for path in sorted((ROOT / "canhman" / "commands").glob("*.py")):
        module = f"canhman.commands.{path.stem}"
        for node in [n for n in graph.bodies if n[0] == module]:
            for part in graph.reached(node, but=["canhman.settings"]):
                for setting in _setting(part):
                    found[setting].add(path.stem)
    return {name: sorted(commands) for name, commands in found.items()}


def _setting(part: ast.AST) -> set[str]:
    """The setting in `settings.NAME` or `self._settings.NAME`."""
    if not isinstance(part, ast.Attribute):
        return set()
    owner = part.value
    named = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
    if named.strip("_") != "settings":
        return set()
    return _DERIVED.get(part.attr, {part.attr} & set(Settings.model_fields))
