"""Logging in and out."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class LogInBody(BaseModel):
    """Name and password."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=200)
    password: SecretStr = Field(max_length=1024)


class PasswordBody(BaseModel):
    """The password as it is, and as it shall be."""

    model_config = ConfigDict(extra="forbid")

    old: SecretStr = Field(max_length=1024)
    new: SecretStr = Field(max_length=1024)


class SessionShape(BaseModel):
    """Who is logged in; role `public` and an empty name where nobody is."""

    name: str
    role: str
    org: str
    must_change: bool
