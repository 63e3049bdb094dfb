"""What a chart is to a page: a picture, one sentence, and the table behind it."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """`sentence` labels the picture for a screen reader and stands under it; `head` and `rows` are the table "Xem bằng chữ"."""

    svg: Markup
    sentence: str
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
