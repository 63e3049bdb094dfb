"""Who may log in at our own listener: devices by their credential, new ones by their org's join key."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac

from core.errors import UnavailableError
from core.ports import Registry
from registry.broker_files import join_key, verify_password
from registry.directory import Directory
from registry.permissions import JOIN_PREFIX, may_publish, may_subscribe, principal_of

READ_AGAIN_S = 0.2
MOST_REMEMBERED = 100_000
LONGEST_TOPIC = 256


class _Known:
    """A directory, and answers that hold as long as it does: a device asks the same thing with every message."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self._may_publish: dict[tuple[str, str], bool] = {}
        self._verified: dict[str, bytes] = {}  # device → digest of the password that was good, so that the next log-in costs no stretching

    def may_publish(self, principal: str, topic: str) -> bool:
        key = principal, topic
        found = self._may_publish.get(key)
        if found is None:
            found = may_publish(principal, topic, owner=self.directory.device)
            if len(self._may_publish) >= MOST_REMEMBERED:
                self._may_publish.clear()
            if len(topic) <= LONGEST_TOPIC:  # longer ones are no device's
                self._may_publish[key] = found
        return found

    def verify(self, device: str, credential: str, password: str) -> bool:
        digest = hashlib.sha256(password.encode("utf-8", "surrogatepass")).digest()
        if (known := self._verified.get(device)) is not None and hmac.compare_digest(known, digest):
            return True
        good = verify_password(credential, password)
        if good:
            self._verified[device] = digest
        return good


class RegistryAuthority:
    """The registry as the listener asks it: a directory that `follow` keeps current beside the listener."""

    def __init__(self, registry: Registry, secret: bytes, *, closed: bool) -> None:
        self._registry = registry
        self._secret = secret
        self._closed = closed
        self._known: _Known | None = None  # replaced whole, by the thread that reads

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
        if self._known is None or await self._registry.version() != self._known.directory.version:
            self._known = _Known(Directory(await self._registry.snapshot()))

    def authenticate(self, username: str, password: bytes, client_id: str) -> str | None:
        """The principal (`device:ID` or `org:SLUG`), or None."""
        principal = principal_of(username)
        try:
            text = password.decode()
        except UnicodeDecodeError:
            return None
        known = self._known
        if known is None:
            return None
        directory = known.directory
        kind, _, name = principal.partition(":")
        if kind == JOIN_PREFIX.rstrip(":"):
            org = directory.org(name)
            if org is None or self._closed:
                return None
            return principal if hmac.compare_digest(join_key(self._secret, org.id, org.join_generation), text) else None
        device = directory.device(name)
        return principal if device is not None and device.credential and known.verify(name, device.credential, text) else None

    def may_publish(self, principal: str, topic: str) -> bool:
        """Whether this principal may publish there."""
        known = self._known
        return known is not None and known.may_publish(principal, topic)

    def may_subscribe(self, principal: str, topic_filter: str) -> bool:
        """Whether this principal may subscribe to that."""
        known = self._known
        return known is not None and may_subscribe(principal, topic_filter, owner=known.directory.device)
