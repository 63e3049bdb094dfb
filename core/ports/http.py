"""Requests to other machines."""

from __future__ import annotations

from typing import Protocol

from core.http import Request, Response


class Http(Protocol):
    """Sends requests that somebody else built."""

    async def send(self, request: Request) -> Response:
        """One try within its time, no redirect followed. Raises UnavailableError, without the address, where no whole answer came."""
        ...
