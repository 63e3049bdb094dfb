"""People who may log in. Personal data kept: the name they log in with, nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass

ROLES = ("officer", "admin")  # in rising order; who is not logged in is `public`
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """An account: who, of which org, with which role. `password` is an Argon2 hash.

    `must_change`: the password was made by us, is good for one log-in, and its holder must choose another.
    `generation` rises when sessions are to end (password changed, role changed, account closed).
    """

    name: str
    org: str
    role: str
    password: str
    must_change: bool = True
    active: bool = True
    generation: int = 1
    created_at: int = 0
    last_login_at: int | None = None
