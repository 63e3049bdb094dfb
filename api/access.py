"""Who may call a route. Every route declares it, by a parameter or dependency `PUBLIC`, `OFFICER` or `ADMIN`; the app factory refuses one that does not.

@router.get("/devices")
async def devices(caller: Annotated[Caller, OFFICER]) -> …
"""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Depends, Request

from core.person import ROLES

PUBLIC_ROLE = "public"
RANK = {PUBLIC_ROLE: 0, **{role: n for n, role in enumerate(ROLES, 1)}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls: nobody known (`public`, no name), an officer of an org, or an admin (of all orgs)."""

    name: str = ""
    role: str = PUBLIC_ROLE
    org: str = ""

    def sees(self, *, org: str, public: bool) -> bool:
        """Whether a station or device of `org` is this caller's to see."""
        return public or self.role == "admin" or (self.role == "officer" and self.org == org)


ANONYMOUS = Caller()


class Unauthorized(Exception):  # noqa: N818 the HTTP status's name
    """401: log in first."""


class Forbidden(Exception):  # noqa: N818 the HTTP status's name
    """403: logged in, but not as somebody who may."""


class MustChange(Forbidden):
    """403: logged in with a one-time password; such a session may choose another and nothing else."""


class Access:
    """A dependency that lets through who has at least `role`. `request.state.caller` is set by the session middleware."""

    def __init__(self, role: str) -> None:
        self.role = role

    async def __call__(self, request: Request) -> Caller:
        caller: Caller = getattr(request.state, "caller", ANONYMOUS)
        if RANK[caller.role] >= RANK[self.role]:
            return caller
        if getattr(request.state, "must_change", False):  # to all else such a session is nobody's
            raise MustChange
        raise Unauthorized if caller.role == PUBLIC_ROLE else Forbidden


PUBLIC = Depends(Access(PUBLIC_ROLE))
OFFICER = Depends(Access("officer"))
ADMIN = Depends(Access("admin"))
