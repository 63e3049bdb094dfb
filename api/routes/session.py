"""`/api/v1/session`: log in, log out, who am I, another password."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response

from api.access import PUBLIC, Caller, Unauthorized
from api.login import LogIns
from api.schemas.session import LogInBody, PasswordBody, SessionShape
from api.session import Sessions, drop_cookie, set_cookie
from core.person import Person

router = APIRouter(prefix="/session", tags=["session"])


def address_of(request: Request) -> str:
    """Where the connection comes from; what a header says of it is not trusted."""
    return request.client.host if request.client else ""


def shape(person: Person | None) -> SessionShape:
    """Who is logged in."""
    if person is None:
        return SessionShape(name="", role="public", org="", must_change=False)
    return SessionShape(name=person.name, role=person.role, org="" if person.role == "admin" else person.org, must_change=person.must_change)


def enter(request: Request, response: Response, person: Person) -> None:
    """Give this browser a new session, whatever cookie it came with."""
    sessions: Sessions = request.app.state.sessions
    sessions.forget(person.name)
    set_cookie(response, request, sessions.sign(person))


@router.get("")
async def who(request: Request, response: Response, _: Annotated[Caller, PUBLIC]) -> SessionShape:
    """Who is logged in with this cookie."""
    response.headers["Cache-Control"] = "no-store"
    return shape(request.state.person)


@router.post("")
async def log_in(request: Request, response: Response, body: LogInBody, _: Annotated[Caller, PUBLIC]) -> SessionShape:
    """Log in; the answer sets the cookie `canhman_session`. Five failures of a name, or twenty of an address, within 15 minutes: 429."""
    door: LogIns = request.app.state.log_ins
    person = await door.log_in(body.name, body.password.get_secret_value(), address_of(request))
    enter(request, response, person)
    return shape(person)


@router.delete("", status_code=204)
async def log_out(request: Request, response: Response, _: Annotated[Caller, PUBLIC]) -> None:
    """Log this browser out."""
    drop_cookie(response, request)


@router.post("/password")
async def password(request: Request, response: Response, body: PasswordBody, _: Annotated[Caller, PUBLIC]) -> SessionShape:
    """Choose another password; every other session of this person ends. After a one-time password nothing else is allowed."""
    person: Person | None = request.state.person
    if person is None:
        raise Unauthorized
    door: LogIns = request.app.state.log_ins
    changed = await door.choose(person, body.old.get_secret_value(), body.new.get_secret_value(), address_of(request))
    enter(request, response, changed)
    return shape(changed)
