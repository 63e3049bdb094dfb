"""In which language a caller is answered: a page by `?lang=`, else the cookie of the language switch, else Vietnamese; a program by Accept-Language."""

from __future__ import annotations

from starlette.requests import Request

from core.texts import LANGUAGES

COOKIE = "canhman_lang"


def accepted(header: str) -> str:
    """The best of our languages by an Accept-Language header; the first one where none of ours is named."""
    best, best_q = LANGUAGES[0], 0.0
    for part in header[:500].split(","):
        tag, _, parameter = part.strip().partition(";")
        try:
            q = float(parameter.strip().removeprefix("q=")) if parameter else 1.0
        except ValueError:
            q = 0.0
        lang = tag.strip().lower().partition("-")[0]
        if lang in LANGUAGES and q > best_q:
            best, best_q = lang, q
    return best


def language(request: Request) -> str:
    """The language of a page. Vietnamese until somebody chooses: many phones in the delta were never set to it."""
    for asked in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if asked in LANGUAGES:
            return asked
    return LANGUAGES[0]
