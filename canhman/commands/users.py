"""`canhman users`: who may log in, as whom, and one-time passwords."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from core.person import Person

APP = typer.Typer(no_args_is_help=True, help="People who may log in, their roles and one-time passwords.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Name = Annotated[str, typer.Argument(help="The name they log in with.")]
Role = Annotated[str, typer.Option("--role", help="officer (of one org) or admin (of all).")]


@APP.command("list", epilog="Example: canhman users list --json")
def list_(json: Json = False) -> None:
    """List people: role, org, whether their account is open, and when they were here last."""
    from canhman import terminal, wiring
    from canhman.settings import read_settings
    from core.clock import rfc3339

    with wiring.registry(read_settings()) as (_, run):
        people: list[Person] = run(lambda db: db.people())
    rows: list[dict[str, Any]] = [
        {
            "name": p.name,
            "org": p.org,
            "role": p.role,
            "active": p.active,
            "must_change": p.must_change,
            "last_login_at": rfc3339(p.last_login_at) if p.last_login_at is not None else None,
        }
        for p in people
    ]
    if json:
        terminal.as_json(rows)
        return
    state = {True: "open", False: "closed"}
    terminal.table(
        ["name", "role", "org", "account", "password", "last log-in"],
        [[r["name"], r["role"], r["org"], state[r["active"]], "one-time" if r["must_change"] else "own", r["last_login_at"]] for r in rows],
        empty="Nobody can log in yet; canhman users add NAME --role admin makes the first account.",
    )


@APP.command("add", epilog="Example: canhman users add lan --role officer --org vithanh")
def add(
    name: Name,
    role: Role,
    org: Annotated[str, typer.Option(help="Their organisation.")] = "default",
    json: Json = False,
) -> None:
    """Make an account; its one-time password is printed once."""
    from canhman import wiring
    from canhman.settings import read_settings
    from canhman.usage import one_of
    from core.clock import SystemClock
    from core.errors import ConflictError
    from core.person import ROLES, Person

    one_of("--role", role, ROLES)
    settings = read_settings()
    with wiring.registry(settings, making=True) as (_, run):
        if run(lambda db: db.person(name)) is not None:
            raise ConflictError(f"{name} has an account already; `canhman users reset {name}` gives it a new password, `canhman users role` another role")
        person = Person(name=name, org=org, role=role, password="", created_at=SystemClock().now_ms())
        _give_password(run, person, why="added", json=json)


@APP.command("reset", epilog="Example: canhman users reset lan")
def reset(name: Name, json: Json = False) -> None:
    """Give a new one-time password; the old password and every session end."""
    from canhman import wiring
    from canhman.settings import read_settings

    with wiring.registry(read_settings()) as (_, run):
        _give_password(run, _known(run, name), why="new password", json=json)


@APP.command("role", epilog="Example: canhman users role lan admin")
def role(
    name: Name,
    role: Annotated[str, typer.Argument(help="officer or admin.")],
    org: Annotated[str, typer.Option(help="Another organisation too (default: as it is).")] = "",
) -> None:
    """Give another role; every session of theirs ends."""
    from canhman.usage import one_of
    from core.person import ROLES

    one_of("role", role, ROLES)
    _change(name, why=f"role {role}", role=role, **({"org": org} if org else {}))


@APP.command("disable", epilog="Example: canhman users disable lan")
def disable(name: Name) -> None:
    """Close an account: nobody can log in with it, and every session ends."""
    _change(name, why="closed", active=False)


@APP.command("enable", epilog="Example: canhman users enable lan")
def enable(name: Name) -> None:
    """Open a closed account again, with its password as it was."""
    _change(name, why="opened", active=True)


def _known(run: Any, name: str) -> Person:
    from core.errors import NotFoundError

    found: Person | None = run(lambda db: db.person(name))
    if found is None:
        raise NotFoundError(f"nobody is called {name!r}; `canhman users list` shows who has an account")
    return found


def _change(name: str, *, why: str, **changes: Any) -> None:
    from dataclasses import replace

    from canhman import terminal, wiring
    from canhman.settings import read_settings

    with wiring.registry(read_settings()) as (_, run):
        before = _known(run, name)
        after = replace(before, **changes, generation=before.generation + 1)
        if replace(after, generation=before.generation) == before:
            terminal.result(f"{name}: nothing to change")
            return
        run(lambda db: db.put_person(after, actor=terminal.actor(), why=why))
    terminal.result(f"{name}: {after.role} of {after.org}, account {'open' if after.active else 'closed'}")


def _give_password(run: Any, person: Person, *, why: str, json: bool) -> None:
    from dataclasses import replace

    from api import passwords
    from canhman import terminal

    password = passwords.one_time()
    changed = replace(person, password=passwords.hash_of(password), must_change=True, generation=person.generation + (1 if person.password else 0))
    run(lambda db: db.put_person(changed, actor=terminal.actor(), why=why))
    if json:
        terminal.as_json({"name": person.name, "role": person.role, "org": person.org, "password": password})
        return
    terminal.result(f"user     {person.name}  ({person.role} of {person.org})")
    terminal.result(f"password {password}")
    terminal.say("It is good for one log-in, at which they choose their own. It is not shown again.", style="yellow")
    if not person.active:
        terminal.say(f"The account is closed; canhman users enable {person.name} opens it.", style="yellow")
