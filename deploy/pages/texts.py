"""Texts: every word a person reads, in both languages."""

from __future__ import annotations

from core.texts import LANGUAGES, texts
from deploy.page import Page, mark, table


def body() -> str:
    """The page below its head."""
    rows = ((mark(key), *(texts(lang)[key] for lang in LANGUAGES)) for key in texts(LANGUAGES[0]))
    return f"Names in braces are filled in.\n\n{table(('Key', *LANGUAGES), rows)}"


PAGE = Page(title="Texts", about="Every word a person reads, in Vietnamese and English.", source="`core/texts/vi.toml`, `core/texts/en.toml`", body=body)
