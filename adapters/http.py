"""Sends a built request with httpx: one try, within its time, no redirect followed, no proxy or cookie from the surroundings."""

from __future__ import annotations

import asyncio
from types import TracebackType

import httpx

from core.errors import UnavailableError
from core.http import Request, Response

MOST_BYTES = 1000  # of an answer that are read: a receiver cannot fill our memory


class HttpSender:
    """One client for many requests. Use as an async context manager."""

    def __init__(self) -> None:
        self._client = httpx.AsyncClient(follow_redirects=False, trust_env=False, headers={"user-agent": "canhman", "accept-encoding": "identity"})

    async def __aenter__(self) -> HttpSender:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def send(self, request: Request) -> Response:
        """Send it. Raises UnavailableError where no whole answer came; the text names no address, for it may hold a secret."""
        try:
            async with (
                asyncio.timeout(request.timeout_s),
                self._client.stream(request.method, request.url, headers=dict(request.headers), content=request.body, timeout=request.timeout_s) as answer,
            ):
                self._client.cookies.clear()
                return Response(status=answer.status_code, headers={k.lower(): v for k, v in answer.headers.items()}, body=await _head(answer))
        except TimeoutError:
            raise UnavailableError(f"no answer within {request.timeout_s:g} s") from None
        except httpx.InvalidURL:
            raise UnavailableError("the address is no web address") from None
        except httpx.HTTPError as error:
            raise UnavailableError(_why(error)) from None

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()


async def _head(answer: httpx.Response) -> bytes:
    found = b""
    async for part in answer.aiter_raw():
        found += part
        if len(found) >= MOST_BYTES:
            break
    return found[:MOST_BYTES]


def _why(error: httpx.HTTPError) -> str:
    """What happened in words, without the address."""
    if isinstance(error, httpx.ConnectTimeout | httpx.ReadTimeout | httpx.WriteTimeout | httpx.PoolTimeout):
        return "no answer in time"
    if isinstance(error, httpx.ConnectError):
        return "no connection"
    return f"the connection broke ({type(error).__name__})"
