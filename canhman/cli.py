"""`canhman`: the command line. Exit codes: 0 done, 1 failed (one line says why), 2 used wrongly, 130 ended by Ctrl-C."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import canhman.commands
from canhman import terminal
from canhman.usage import UsageError
from core.errors import CanhManError
from core.plugins import collect


def build() -> typer.Typer:
    """The application with every command of `canhman/commands`."""
    app = typer.Typer(
        name="canhman",
        help="Canh Mặn keeps watch over salt: field sensors to warnings in the Mekong Delta's dry season.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )

    @app.callback(invoke_without_command=True)
    def root(version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False) -> None:
        if version:
            from importlib.metadata import version as installed

            terminal.result(f"canhman {installed('canhman')}")
            raise typer.Exit

    for name, commands in collect(canhman.commands, "APP", typer.Typer).items():
        single = len(commands.registered_commands) == 1 and commands.registered_commands[0].name == name
        app.add_typer(commands, name=None if single else name)
    return app


ENDED = 130  # by Ctrl-C, as shells have it; typer too


def main() -> None:
    """Run; wrong use is one line and exit code 2; an error of ours, or of the machine (a full disk, a file we may not read), is one line and exit code 1.

    Ctrl-C is one line and exit code 130; services, which end by it in order, see to it themselves.
    """
    try:
        build()()
    except UsageError as error:
        terminal.say(f"canhman: {error}", style="red")
        sys.exit(2)
    except (CanhManError, OSError) as error:
        terminal.say(f"canhman: {error}", style="red")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(_ended())
    except SystemExit as end:
        raise SystemExit(_ended() if end.code == ENDED else end.code) from None


def _ended() -> int:
    terminal.say("canhman: ended by Ctrl-C", style="red")
    return ENDED


if __name__ == "__main__":
    main()
