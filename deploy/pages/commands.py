"""Commands: each with its arguments, options and an example, as the command line itself has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from canhman.cli import build
from deploy.page import Page, mark, table

KINDS = {"str": "text", "float": "number", "int": "whole number", "bool": "switch", "Path": "path"}
LARGEST = 2**63 - 1  # of a database: no limit anybody meets


def leaves(command: Any, name: str = "canhman") -> Iterator[tuple[str, Any]]:
    """Every command that does something, with its whole name."""
    inner = getattr(command, "commands", None)
    if inner is None:
        yield name, command
    else:
        for word, one in sorted(inner.items()):
            yield from leaves(one, f"{name} {word}")


def body() -> str:
    """The page below its head."""
    root: Any = typer.main.get_command(build())
    found = list(leaves(root))
    index = table(("Command", "What it does"), ((f"[`{name}`](#{name.replace(' ', '-')})", _first(leaf)) for name, leaf in found))
    return f"""`canhman --version` prints the version; `canhman COMMAND --help` says what stands here. Results go to stdout, all else to stderr.
What a command reads from the environment: [settings.md](settings.md#which-command-reads-what). No option has a variable of its own.

| Exit code | Meaning |
| --- | --- |
| 0 | done; of a service: it was told to stop, and has |
| 1 | failed; one line on stderr says what and why. `canhman doctor`: something is red |
| 2 | used wrongly: no such command or option, or a value that cannot be meant |
| 130 | ended by Ctrl-C |

{index}

{chr(10).join(_section(name, leaf) for name, leaf in found)}"""


def _section(name: str, leaf: Any) -> str:
    arguments = [p for p in leaf.params if p.param_type_name == "argument"]
    options = [p for p in leaf.params if p.param_type_name == "option" and not p.hidden]
    usage = " ".join([name, *(["[OPTIONS]"] if options else []), *(_usage(p) for p in arguments)])
    rows = [(_name(p), _kind(p), _default(p), p.help or "") for p in arguments + options]
    parts = [f"## {name}", " ".join((leaf.help or "").split()), f"`{usage}`"]
    parts += [table(("Argument or option", "Kind", "Default", "What it is"), rows)] if rows else []
    example = (leaf.epilog or "").removeprefix("Example: ")
    return "\n\n".join([*parts, f"Example: {_code(example)}"]) + "\n"


def _first(leaf: Any) -> str:
    return " ".join((leaf.help or "").split("\n\n")[0].split())


def _usage(p: Any) -> str:
    name = p.name.upper() + ("…" if p.nargs == -1 else "")
    return name if p.required else f"[{name}]"


def _name(p: Any) -> str:
    return mark(_usage(p)) if p.param_type_name == "argument" else ", ".join(map(mark, (*p.opts, *p.secondary_opts)))


def _kind(p: Any) -> str:
    annotation = p.type_descriptor.annotation
    inner = getattr(annotation, "__args__", (annotation,))[0]
    kind = KINDS.get(getattr(inner, "__name__", ""), str(inner))
    low, high = p.min, None if p.max == LARGEST else p.max
    bounds = f"{low:g} … {high:g}" if None not in (low, high) else f"≥ {low:g}" if low is not None else f"≤ {high:g}" if high is not None else ""
    return ", ".join(filter(None, (kind, bounds)))


def _default(p: Any) -> str:
    if p.required:
        return "required"
    if p.default in (None, "", False) or not p.show_default:
        return ""
    return mark("yes" if p.default is True else p.default)


def _code(text: str) -> str:
    """As code, with a longer fence where the text has backticks of its own."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


PAGE = Page(title="Commands", about="Every command with its arguments, options, exit codes and an example.", source="`canhman/commands/`", body=body)
