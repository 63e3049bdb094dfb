"""`/login`, `/password`, `/logout`: forms that work without JavaScript."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.access import PUBLIC, Caller, Unauthorized
from api.language import language
from api.login import LogIns
from api.problem import Problem, told
from api.routes.session import address_of, enter
from api.session import drop_cookie
from core.person import Person
from core.texts import say

router = APIRouter(include_in_schema=False)

Text = Annotated[str, Form(max_length=1024)]
Next = Annotated[str, Query(description="Path of ours to go on to; any other leads home.")]


def own_path(next: str) -> str:
    """`next` where it is a path of ours, else the home page: a link to our log-in never leads to another site."""
    plain = next.startswith("/") and not next.startswith(("//", "/\\")) and not any(c <= " " or c in "\\\x7f" for c in next)
    try:
        return next if plain and len(next) <= 500 and not urlsplit(next).netloc else "/"
    except ValueError:
        return "/"


def page(request: Request, template: str, *, next: str, fault: str = "", status: int = 200, name: str = "", headers: dict[str, str] | None = None) -> Response:
    """One of the forms, with what was wrong with the last try."""
    lang = language(request)
    words = {"request": request, "lang": lang, "nonce": request.state.nonce, "next": own_path(next), "fault": fault, "name": name, "problem": None}
    text = request.app.state.templates.get_template(template).render(words)
    return HTMLResponse(text, status_code=status, headers={"Cache-Control": "no-store", "Content-Language": lang, **(headers or {})})


@router.get("/login")
async def form(request: Request, _: Annotated[Caller, PUBLIC], next: Next = "/") -> Response:
    """The log-in form; who is logged in already sees as whom."""
    return page(request, "login.html", next=next)


@router.post("/login")
async def log_in(request: Request, _: Annotated[Caller, PUBLIC], name: Text = "", password: Text = "", next: Text = "/", form: Text = "") -> Response:
    """Log in and go on to `next`; with a one-time password first to a new one."""
    door: LogIns = request.app.state.log_ins
    try:
        person = await door.log_in(name, password, address_of(request), form=form)
    except Problem as error:
        about = told(error, language(request), page=True)
        return page(request, "login.html", next=next, fault=about.detail, status=about.status, name=name, headers=about.headers)
    return _go_on(request, person, next)


@router.get("/password")
async def password_form(request: Request, _: Annotated[Caller, PUBLIC], next: Next = "/") -> Response:
    """The form for a new password."""
    if request.state.person is None:
        raise Unauthorized
    return page(request, "password.html", next=next)


@router.post("/password")
async def choose(request: Request, _: Annotated[Caller, PUBLIC], old: Text = "", new: Text = "", again: Text = "", next: Text = "/") -> Response:
    """Choose another password and go on to `next`."""
    person: Person | None = request.state.person
    if person is None:
        raise Unauthorized
    if new != again:
        return page(request, "password.html", next=next, fault=say(language(request), "password.differ"), status=422)
    door: LogIns = request.app.state.log_ins
    try:
        changed = await door.choose(person, old, new, address_of(request))
    except Problem as error:
        about = told(error, language(request), page=True)
        return page(request, "password.html", next=next, fault=about.detail, status=about.status, headers=about.headers)
    return _go_on(request, changed, next)


@router.post("/logout")
async def log_out(request: Request, _: Annotated[Caller, PUBLIC]) -> Response:
    """Log this browser out and go home."""
    response = RedirectResponse("/", status_code=303)
    drop_cookie(response, request)
    return response


def _go_on(request: Request, person: Person, next: str) -> Response:
    target = own_path(next)
    if person.must_change:
        target = "/password" + ("" if target == "/" else f"?{urlencode({'next': target})}")
    response = RedirectResponse(target, status_code=303)
    enter(request, response, person)
    return response
