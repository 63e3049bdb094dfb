"""What devices sent that could not be stored. Names and payloads are strangers' words: plain text, never markup."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class DeadLetterShape(BaseModel):
    """One refusal of one message or value."""

    id: int
    reason: str
    text: str
    org: str
    device: str
    key: str
    count: int
    received: str
    topic: str
    position: int
    offset_ms: int | None
    replay: bool
    resolved_at: str | None
    payload: str = Field(description="the first 1,024 bytes, what is no text written as \\x…")


class DeadLettersPage(BaseModel):
    """Dead letters, the newest first."""

    items: list[DeadLetterShape]
    next: str | None


class DeadLetterDetail(DeadLetterShape):
    """One dead letter with its message."""

    journal: str
    shift_ms: int = Field(description="by how much its times are moved when it is read again")
    kept: bool = Field(description="whether the journal on this machine still keeps the message: then payload is all of it")
    payload_base64: str = Field(description="the same bytes, as they came")


class TallyShape(BaseModel):
    """Dead letters of one reason and device."""

    reason: str
    device: str
    org: str
    count: int
    open: int = Field(description="how many of them nobody has resolved")
    oldest: str
    newest: str


class TalliesShape(BaseModel):
    """How many there are, and of whom."""

    count: int
    open: int
    items: list[TallyShape]


Shift = Field(default="0s", max_length=32, description="Move their times: -7h, +90m, 2d.")


class AskedAgain(BaseModel):
    """How one message is to be read again."""

    model_config = ConfigDict(extra="forbid")

    shift: str = Shift


class ManyAskedAgain(BaseModel):
    """Which messages are to be read again, and how; `start` and `end` are about when they were received."""

    model_config = ConfigDict(extra="forbid")

    reason: str | None = Field(default=None, max_length=64)
    device: str | None = Field(default=None, max_length=64, pattern=r"^[^\x00]*$")
    start: str | None = Field(default=None, max_length=64, description="RFC 3339 with a zone")
    end: str | None = Field(default=None, max_length=64, description="RFC 3339 with a zone")
    shift: str = Shift
    dry_run: bool = False


class MarkedShape(BaseModel):
    """How many will be read again. What is only counted, beyond 1,000 of a device and reason, has no letter of its own."""

    marked: int
    would_mark: int
    only_counted: int
    items: list[TallyShape]
