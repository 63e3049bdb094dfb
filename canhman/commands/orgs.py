"""`canhman orgs`: organisations and the join keys their new devices connect with."""

from __future__ import annotations

from typing import Annotated

import typer

APP = typer.Typer(no_args_is_help=True, help="Organisations, and the join keys their new devices connect with.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@APP.command("list", epilog="Example: canhman orgs list --json")
def list_(json: Json = False) -> None:
    """List organisations."""
    from canhman import terminal, wiring
    from canhman.settings import read_settings

    with wiring.registry(read_settings()) as (_, run):
        orgs = run(lambda db: db.snapshot()).orgs
    if json:
        terminal.as_json([{"id": o.id, "name": o.name} for o in orgs])
    else:
        terminal.table(["id", "name"], [[o.id, o.name] for o in orgs], empty="No organisation.")


@APP.command("add", epilog='Example: canhman orgs add vithanh --name "Vị Thanh"')
def add(id: Annotated[str, typer.Argument(help="a–z, 0–9 and -")], name: Annotated[str, typer.Option(help="Name for people.")] = "") -> None:
    """Add an organisation, or change its name."""
    from dataclasses import replace

    from canhman import terminal, wiring
    from canhman.settings import read_settings
    from core.place import Org

    with wiring.registry(read_settings(), making=True) as (directory, run):
        known = directory.org(id)
        org = replace(known, name=name or known.name) if known else Org(id=id, name=name or id)
        run(lambda db: db.put(org, actor=terminal.actor()))
    terminal.result(f"org {id}: {'changed' if known else 'added'}")


@APP.command("join-key", epilog="Example: canhman orgs join-key default")
def join_key(
    id: Annotated[str, typer.Argument(help="The organisation.")],
    rotate: Annotated[bool, typer.Option("--rotate", help="Make a new key; devices that use the old one must be told.")] = False,
    json: Json = False,
) -> None:
    """Print the user name and key new devices of an organisation connect with."""
    from dataclasses import replace

    from canhman import terminal, wiring
    from canhman.settings import read_settings
    from core.errors import NotFoundError
    from registry.broker_files import broker_user
    from registry.broker_files import join_key as key_of

    settings = read_settings()
    with wiring.registry(settings) as (directory, run):
        org = directory.org(id)
        if org is None:
            raise NotFoundError(f"no org is called {id!r}; `canhman orgs list` shows them")
        if rotate:
            org = replace(org, join_generation=org.join_generation + 1)
            changed = org
            run(lambda db: db.put(changed, actor=terminal.actor(), why="join key rotated"))
    if settings.enrol == "closed":
        terminal.say("CANHMAN_ENROL=closed: this key cannot log in now; register devices with `canhman devices add`.", style="yellow")
    user, key = f"org:{org.id}", key_of(wiring.secret(settings), org.id, org.join_generation)
    if json:
        terminal.as_json({"user": user, "broker_user": broker_user(user), "key": key})
        return
    terminal.result(f"user {user}  (at Mosquitto: {broker_user(user)})")
    terminal.result(f"key  {key}")
    if rotate:
        terminal.say("The old key no longer works at our listener; at Mosquitto run `canhman broker sync`.", style="yellow")
