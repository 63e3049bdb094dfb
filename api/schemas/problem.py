"""The shape of an error."""

from __future__ import annotations

from pydantic import BaseModel, Field


class ProblemFailure(BaseModel):
    """One parameter that failed."""

    parameter: str
    detail: str


class ProblemShape(BaseModel):
    """RFC 9457. Programs rely on `type` and `status`; `title` and `detail` are for people."""

    type: str = Field(description="urn:canhman:problem:KIND")
    title: str
    status: int
    detail: str
    instance: str
    parameter: str | None = None
    value: str | None = None
    errors: list[ProblemFailure] | None = None
