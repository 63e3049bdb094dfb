"""People's accounts; a password is shown once and never again."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from core.clock import rfc3339
from core.person import Person

Role = Literal["officer", "admin"]


class PersonShape(BaseModel):
    """An account. `last_login_at` is null until the first log-in."""

    name: str
    org: str
    role: str
    active: bool
    must_change: bool = Field(description="Its password is good for one log-in, and another must be chosen.")
    created_at: str
    last_login_at: str | None

    @classmethod
    def of(cls, p: Person) -> PersonShape:
        """As people see it."""
        last = None if p.last_login_at is None else rfc3339(p.last_login_at)
        created = rfc3339(p.created_at)
        return cls(name=p.name, org=p.org, role=p.role, active=p.active, must_change=p.must_change, created_at=created, last_login_at=last)


class PeoplePage(BaseModel):
    """Accounts by name."""

    items: list[PersonShape]
    next: str | None


class NewPerson(BaseModel):
    """An account to be made."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=200)
    role: Role
    org: str = Field(default="default", max_length=64)


class ChangedPerson(BaseModel):
    """What is to change; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    role: Role | None = None
    org: str | None = Field(default=None, max_length=64)
    active: bool | None = None


class PersonWithPassword(PersonShape):
    """An account with its one-time password, shown this once."""

    password: str
