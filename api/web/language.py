"""The VI | EN switch: the same page in the other language, and the cookie that remembers which was chosen.

Which language a request is answered in `api.language` says; this is how people choose it.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.language import COOKIE
from core.texts import LANGUAGES

YEAR_S = 365 * 86_400


def switch(request: Request, lang: str) -> str:
    """The address of the page that is being read, in `lang`."""
    kept = [(key, value) for key, value in parse_qsl(request.url.query) if key != "lang"]
    return f"?{urlencode([*kept, ('lang', lang)])}"


class RememberLanguage:
    """ASGI: whoever asks a page with `?lang=` gets that language from then on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        lang = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"))).get("lang") if scope["type"] == "http" else None
        if lang not in LANGUAGES or scope["path"].startswith("/api/"):
            await self._app(scope, receive, send)
            return

        async def remember(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("Set-Cookie", _cookie(lang))
            await send(message)

        await self._app(scope, receive, remember)


def _cookie(lang: str) -> str:
    return f"{COOKIE}={lang}; Path=/; Max-Age={YEAR_S}; SameSite=Lax"
