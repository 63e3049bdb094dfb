"""Times in a query: RFC 3339 with a zone. A `+` left raw in a URL arrives as a space and is read as the `+` it was."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import Query
from pydantic import BeforeValidator
from pydantic.json_schema import WithJsonSchema

from api.problem import bad_value
from core.clock import rfc3339
from core.instant import parse_rfc3339

# "2026-03-01T00:00:00 07:00": an offset that lost its sign
_LOST_PLUS = re.compile(r"(\d{2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?) (\d{2}:?\d{2})\Z")
_DATED = re.compile(r"\d{4}-?\d{2}-?\d{2}")
_FIRST, _LAST = -2_208_988_800_000, 4_102_444_800_000  # 1900 and 2100: what every store can be asked for
_TEXT = {"type": "string", "format": "date-time", "examples": ["2026-03-01T00:00:00Z", "2026-03-01T00:00:00+07:00"]}


def query_time(parameter: str, text: str) -> int:
    """`2026-03-01T00:00:00+07:00` or `…Z` in ms since 1970 UTC. Raises Problem (422) that names the parameter and the way out."""
    found = parse_rfc3339(_LOST_PLUS.sub(r"\1+\2", text.strip()))
    if found is None:
        is_naive = bool(_DATED.match(text)) and parse_rfc3339(f"{text.strip()}Z") is not None
        is_date = bool(_DATED.fullmatch(text.strip()))
        raise bad_value(parameter, text, must="zoned" if is_naive or is_date else "time")
    if not _FIRST <= found <= _LAST:
        raise bad_value(parameter, text, must="within", low=rfc3339(_FIRST), high=rfc3339(_LAST))
    return found


def _reads(parameter: str) -> BeforeValidator:
    def read(value: Any) -> int | None:
        return query_time(parameter, value) if isinstance(value, str) else value

    return BeforeValidator(read)


_HOW = "RFC 3339 with a zone (`Z` or an offset; a `+` is `%2B` in a URL)."
Start = Annotated[int | None, _reads("start"), WithJsonSchema(_TEXT), Query(description=f"From this time on, included. {_HOW}")]
End = Annotated[int | None, _reads("end"), WithJsonSchema(_TEXT), Query(description=f"Up to this time, excluded. {_HOW}")]
IssuedBefore = Annotated[int | None, _reads("issued_before"), WithJsonSchema(_TEXT), Query(description=f"The newest issue before this time. {_HOW}")]
