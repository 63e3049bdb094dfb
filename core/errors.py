"""One root error and its few leaves; each refines a builtin, and its text names the thing, the value and the way out."""

from __future__ import annotations


class CanhManError(Exception):
    """Root of every error this project raises on purpose; its text is fit to be shown to a person in one line."""


class DecodeError(CanhManError, ValueError):
    """A message, or one value of it, that cannot be read.

    `reason` is a dead-letter reason (a slug of `core.deadletter.REASONS`), `key` names the value within the message.
    """

    def __init__(self, reason: str, text: str, *, key: str = "") -> None:
        super().__init__(text)
        self.reason = reason
        self.key = key


class ConfigError(CanhManError, ValueError):
    """A setting or configuration file that cannot be used as it stands."""


class FormatError(CanhManError, ValueError):
    """A file or database of another format or version; names what was found and what is expected."""


class NotFoundError(CanhManError, LookupError):
    """A named thing (station, device, dead letter …) that does not exist."""


class ConflictError(CanhManError, ValueError):
    """A change that contradicts what is registered (id taken, deployments that overlap …)."""


class UnavailableError(CanhManError, ConnectionError):
    """A server that is away for now: wait and try again."""


class RefusedError(CanhManError, PermissionError):
    """A server that answers but refuses us (password, token, missing database): configuration, not weather."""


class JournalFullError(CanhManError, OSError):
    """The journal cannot take more (disk full or its own bound): nothing may be acknowledged."""
