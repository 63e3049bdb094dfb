"""Who may log in at our own listener: devices by their credential, new ones by their org's join key."""

from __future__ import annotations

import asyncio
import contextlib
import hmac

from core.errors import UnavailableError
from core.ports import Registry
from registry.broker_files import join_key, verify_password
from registry.directory import Directory
from registry.permissions import JOIN_PREFIX, may_publish, may_subscribe, principal_of

READ_AGAIN_S = 0.2


class RegistryAuthority:
    """The registry as the listener asks it: a directory that `follow` keeps current beside the listener."""

    def __init__(self, registry: Registry, secret: bytes, *, closed: bool) -> None:
        self._registry = registry
        self._secret = secret
        self._closed = closed
        self._directory: Directory | None = None

    async def follow(self) -> None:
        """Until cancelled: take in a registry that changed. In a thread, for the database's answer may take its time."""
        while True:
            await asyncio.to_thread(self.read)
            await asyncio.sleep(READ_AGAIN_S)

    def read(self) -> None:
        """Take in the registry where it changed; where the database does not answer, the last directory stands."""
        with contextlib.suppress(UnavailableError):  # ingest's other thread tells that the database is away
            asyncio.run(self._read())

    async def _read(self) -> None:
        if self._directory is None or await self._registry.version() != self._directory.version:
            self._directory = Directory(await self._registry.snapshot())

    def authenticate(self, username: str, password: bytes, client_id: str) -> str | None:
        """The principal (`device:ID` or `org:SLUG`), or None."""
        principal = principal_of(username)
        try:
            text = password.decode()
        except UnicodeDecodeError:
            return None
        directory = self._directory
        if directory is None:
            return None
        kind, _, name = principal.partition(":")
        if kind == JOIN_PREFIX.rstrip(":"):
            org = directory.org(name)
            if org is None or self._closed:
                return None
            return principal if hmac.compare_digest(join_key(self._secret, org.id, org.join_generation), text) else None
        device = directory.device(name)
        return principal if device is not None and device.credential and verify_password(device.credential, text) else None

    def may_publish(self, principal: str, topic: str) -> bool:
        """Whether this principal may publish there."""
        directory = self._directory
        return directory is not None and may_publish(principal, topic, owner=directory.device)

    def may_subscribe(self, principal: str, topic_filter: str) -> bool:
        """Whether this principal may subscribe to that."""
        directory = self._directory
        return directory is not None and may_subscribe(principal, topic_filter, owner=directory.device)
