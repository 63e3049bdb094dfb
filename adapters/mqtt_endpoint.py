"""A broker and who we are there: its address, log-in and TLS, and the errors that name them."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Any, TypedDict

from core.errors import CanhManError, ConfigError, RefusedError, UnavailableError

# CONNACK codes that are weather: server unavailable, busy, moved, quota, rate (3.1.1's code 3 arrives as 0x88)
AWAY = frozenset({0x88, 0x89, 0x97, 0x9C, 0x9D, 0x9F})


class Login(TypedDict, total=False):
    """How a client logs in and how long it waits, as its constructor takes it; what is left out is as in `Endpoint`."""

    username: str
    password: str
    tls: bool
    tls_ca: str | None
    keepalive_s: int
    timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A broker and who we are there. `tls_ca` is the path of a CA file (None: the system's), which counts with `tls` alone."""

    host: str
    port: int
    client_id: str
    username: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False
    tls_ca: str | None = None
    keepalive_s: int = 30
    timeout_s: float = 5.0

    def __str__(self) -> str:
        return f"MQTT broker {self.host}:{self.port}"

    @property
    def who(self) -> str:
        """`user 'kl01'`, for a message."""
        return f"user {self.username!r}" if self.username else "a client without user name"

    def refusal(self, why: str, *, away: bool = False) -> CanhManError:
        """The error for a server that answers `why`; `away` where it will change its mind by itself."""
        if away:
            return UnavailableError(f"{self} is not available: {why}")
        return RefusedError(f"{self} refuses {self.who}: {why}")

    def unreachable(self, error: OSError) -> CanhManError:
        """The error for a connection that failed with `error`; a certificate is configuration, not weather."""
        if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            return UnavailableError(f"{self} closed the connection during the TLS handshake")
        if isinstance(error, ssl.SSLError):
            return RefusedError(f"{self} cannot be trusted or speaks no TLS: {error.strerror or error}")
        return UnavailableError(f"{self} cannot be reached: {error}")


class TlsContext(ssl.SSLContext):
    """Remembers the socket it wrapped: paho does not close it where the handshake fails."""

    wrapped: ssl.SSLSocket | None = None

    def wrap_socket(self, *args: Any, **more: Any) -> ssl.SSLSocket:
        self.wrapped = super().wrap_socket(*args, **more)
        return self.wrapped

    def forget(self) -> None:
        """Close the socket of a handshake that failed."""
        if self.wrapped is not None:
            self.wrapped.close()
            self.wrapped = None


def tls_context(ca: str | None) -> TlsContext:
    """Certificates and host names are checked, by `ca` or the system's authorities. Raises ConfigError."""
    context = TlsContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca is None:
        context.load_default_certs()
        return context
    try:
        context.load_verify_locations(ca)
    except OSError as error:  # ssl.SSLError is one too
        raise ConfigError(f"CA file {ca} cannot be used: {error}") from error
    return context
