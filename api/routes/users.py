"""`/api/v1/users`: people's accounts, for admins. Every change ends the sessions of its person."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Request, Response

from api import passwords
from api.access import ADMIN, Caller
from api.backend import Backend
from api.login import LogIns
from api.paging import PAGE, Next, PageSize, decode, encode
from api.problem import Problem, bad_value
from api.schemas.users import ChangedPerson, NewPerson, PeoplePage, PersonShape, PersonWithPassword
from core.person import NAME, Person

router = APIRouter(prefix="/users", tags=["users"])
Admin = Annotated[Caller, ADMIN]


@router.get("")
async def people(request: Request, _: Admin, limit: PageSize = PAGE, next: Next = None) -> PeoplePage:
    """Every account, by name."""
    backend: Backend = request.app.state.backend
    after = decode("users", next, str)
    found = [p for p in await backend.people.people() if after is None or p.name > str(after[0])]
    more = encode("users", found[limit - 1].name) if len(found) > limit else None
    return PeoplePage(items=[PersonShape.of(p) for p in found[:limit]], next=more)


@router.post("", status_code=201)
async def add(request: Request, response: Response, body: NewPerson, caller: Admin) -> PersonWithPassword:
    """Make an account; the answer holds its one-time password, which is not shown again."""
    if not NAME.match(body.name):
        raise bad_value("name", body.name, must="name")
    await _check_org(request, body.org)
    backend: Backend = request.app.state.backend
    if await backend.people.person(body.name) is not None:
        raise Problem(409, "name_taken", parameter="name", value=body.name)
    person = Person(name=body.name, org=body.org, role=body.role, password="", created_at=backend.system.now_ms())
    return await _with_password(request, response, person, caller, why="added")


@router.patch("/{name}")
async def change(request: Request, name: str, body: ChangedPerson, caller: Admin) -> PersonShape:
    """Change role or org, close the account or open it again."""
    person = await _person(request, name)
    changes = body.model_dump(exclude_none=True)
    if "org" in changes:
        await _check_org(request, changes["org"])
    if any(getattr(person, key) != value for key, value in changes.items()):
        person = replace(person, **changes, generation=person.generation + 1)
        await _put(request, person, caller, why=", ".join(f"{key} {value}" for key, value in sorted(changes.items())))
    return PersonShape.of(person)


@router.post("/{name}/password")
async def reset(request: Request, response: Response, name: str, caller: Admin) -> PersonWithPassword:
    """Give a new one-time password; the old password and all sessions end."""
    person = await _person(request, name)
    return await _with_password(request, response, replace(person, must_change=True, generation=person.generation + 1), caller, why="new password")


async def _with_password(request: Request, response: Response, person: Person, caller: Caller, *, why: str) -> PersonWithPassword:
    door: LogIns = request.app.state.log_ins
    password = passwords.one_time()
    person = replace(person, password=await door.hash_of(password))
    await _put(request, person, caller, why=why)
    response.headers["Cache-Control"] = "no-store"
    return PersonWithPassword(**PersonShape.of(person).model_dump(), password=password)


async def _put(request: Request, person: Person, caller: Caller, *, why: str) -> None:
    await request.app.state.backend.people.put_person(person, actor=caller.name, why=why)
    request.app.state.sessions.forget(person.name)


async def _person(request: Request, name: str) -> Person:
    found: Person | None = await request.app.state.backend.people.person(name) if NAME.match(name) else None
    if found is None:
        raise Problem(404, "no_person", value=name)
    return found


async def _check_org(request: Request, org: str) -> None:
    if (await request.app.state.present.directory()).org(org) is None:
        raise bad_value("org", org, must="org")
