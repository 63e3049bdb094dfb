"""What a function comes to: the functions, classes and values of ours that it names, and those they name in turn, read from the code.

A name counts as used wherever it stands: what a function only may come to is found too. A class is followed whole; of a variable that is
declared as one (`door: LogIns = …`) only the methods that are used.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
Node = tuple[str, str]  # (module, name at its top, or Class.method)


class Graph:
    """The code of some of our packages."""

    def __init__(self, *packages: str) -> None:
        self.bodies: dict[Node, ast.AST] = {}
        self._imported: dict[str, dict[str, Node]] = {}
        for path in sorted(p for package in packages for p in (ROOT / package).rglob("*.py")):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
            tree = ast.parse(path.read_text("utf-8"))
            self._imported[module] = dict(_imports(tree, packages))
            for statement in tree.body:
                for name in _defined(statement):
                    self.bodies[(module, name)] = statement
                if isinstance(statement, ast.ClassDef):
                    self.bodies |= {(module, f"{statement.name}.{inner.name}"): inner for inner in statement.body if _is_function(inner)}  # type: ignore[attr-defined]  # a function has a name

    def reached(self, start: Node, *, but: Iterable[str] = ()) -> Iterator[ast.AST]:
        """Every part of the code of `start` and of what it comes to, without the modules `but`."""
        seen: set[Node] = set()
        waiting = [start]
        while waiting:
            node = waiting.pop()
            if node in seen or node not in self.bodies or node[0] in but:
                continue
            seen.add(node)
            body = self.bodies[node]
            declared = self._declared(node[0], body)
            skipped = {id(part) for annotation in _annotations(body) for part in ast.walk(annotation)}
            own = _locals(body)
            for part in ast.walk(body):
                yield part
                if id(part) not in skipped and not (isinstance(part, ast.Name) and part.id in own):
                    waiting += self._named(node, part, declared)

    def _declared(self, module: str, body: ast.AST) -> dict[str, Node]:
        """Parameters and variables that are declared as a class of ours."""
        found = {}
        for part in ast.walk(body):
            name = part.arg if isinstance(part, ast.arg) else part.target.id if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name) else ""
            annotation = getattr(part, "annotation", None)
            if name and isinstance(annotation, ast.Name):
                found[name] = self._imported[module].get(annotation.id, (module, annotation.id))
        return found

    def _named(self, node: Node, part: ast.AST, declared: dict[str, Node]) -> Iterator[Node]:
        """What a name, `module.name`, `variable.method` or `self.method` stands for."""
        module, name = node
        imported = self._imported[module]
        if isinstance(part, ast.Name):
            yield imported.get(part.id, (module, part.id))
        elif isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
            owner = part.value.id
            if owner in declared:
                yield (declared[owner][0], f"{declared[owner][1]}.{part.attr}")
            elif owner == "self" and "." in name:
                yield (module, f"{name.partition('.')[0]}.{part.attr}")
            elif owner in imported:
                parent, inner = imported[owner]
                yield (f"{parent}.{inner}", part.attr)


def _locals(body: ast.AST) -> set[str]:
    """Names that a function gives itself: they hide those at the top of its module."""
    if not isinstance(body, ast.FunctionDef | ast.AsyncFunctionDef):
        return set()
    given = {part.arg for part in ast.walk(body) if isinstance(part, ast.arg)}
    return given | {part.id for part in ast.walk(body) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}


def _annotations(body: ast.AST) -> Iterator[ast.expr]:
    """Types are no uses."""
    for part in ast.walk(body):
        found = (
            part.returns if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef) else part.annotation if isinstance(part, ast.arg | ast.AnnAssign) else None
        )
        if found is not None:
            yield found


def _is_function(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef)


def _defined(statement: ast.stmt) -> list[str]:
    """The names a statement at the top of a module gives: of a function, a class, or a value."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target] if isinstance(statement, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _imports(tree: ast.Module, packages: Iterable[str]) -> Iterator[tuple[str, Node]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in packages:
            for alias in node.names:
                yield alias.asname or alias.name, (node.module, alias.name)
