"""TLS of our own listener: reading certificate and key with errors that name the faulty file, and looking at it as a device does."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from canhman import ownership
from canhman.settings import Settings
from core.errors import ConfigError, RefusedError, UnavailableError

AGAIN = "then restart the service (systemctl restart canhman)"


def server_context(settings: Settings) -> ssl.SSLContext:
    """What the listener serves with. Raises ConfigError that names the file, what is wrong with it and the way out."""
    missing = [name for name, path in (("CANHMAN_TLS_CERT", settings.tls_cert), ("CANHMAN_TLS_KEY", settings.tls_key)) if path is None]
    if settings.tls_cert is None or settings.tls_key is None:
        raise ConfigError(f"CANHMAN_BROKER={settings.broker!r} speaks TLS and needs {' and '.join(missing)}: the path of a PEM file, in the settings")
    for name, path in (("CANHMAN_TLS_CERT", settings.tls_cert), ("CANHMAN_TLS_KEY", settings.tls_key)):
        _check_readable(name, path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key, password=_no_password)
    except ssl.SSLError as error:
        raise ConfigError(_unfit(settings.tls_cert, settings.tls_key, error)) from error
    except OSError as error:
        raise ConfigError(f"CANHMAN_TLS_CERT={str(settings.tls_cert)!r}, CANHMAN_TLS_KEY={str(settings.tls_key)!r}: {error}") from error
    return context


def _check_readable(name: str, path: Path) -> None:
    try:
        path.read_bytes()
    except PermissionError as error:
        mend = f"as root: chown root:{ownership.we()} {path}; chmod 640 {path}; {AGAIN}"
        raise ConfigError(f"{name}={str(path)!r} cannot be read: {ownership.whose(path)}; {mend}") from error
    except FileNotFoundError as error:
        raise ConfigError(f"{name}={str(path)!r} is not there: mend the path in the settings, {AGAIN}") from error
    except OSError as error:
        raise ConfigError(f"{name}={str(path)!r} cannot be read: {error.strerror}") from error


def _no_password() -> str:
    raise ssl.SSLError("the key is encrypted")


def _unfit(cert: Path, key: Path, error: ssl.SSLError) -> str:
    """OpenSSL names neither file; which of the two it is can be seen."""
    certs, keys = (path.read_bytes() for path in (cert, key))
    if b"-----BEGIN CERTIFICATE-----" not in certs:
        return f"CANHMAN_TLS_CERT={str(cert)!r} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)"
    if b"PRIVATE KEY-----" not in keys:
        return f"CANHMAN_TLS_KEY={str(key)!r} holds no private key in PEM form (-----BEGIN … PRIVATE KEY-----)"
    if b"ENCRYPTED" in keys:
        return f"CANHMAN_TLS_KEY={str(key)!r} asks for a password, which a service cannot type: openssl pkey -in {key} -out NEW.key"
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"CANHMAN_TLS_KEY={str(key)!r} does not belong to CANHMAN_TLS_CERT={str(cert)!r}: put the key there that this certificate was made with; {AGAIN}"
    return f"CANHMAN_TLS_CERT={str(cert)!r} and CANHMAN_TLS_KEY={str(key)!r} cannot be used together: {error.reason or error}"


def near_host(host: str) -> str:
    """Where a client on this machine finds a listener that is bound to `host`."""
    return "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 it is compared, not bound


def knock(settings: Settings, *, timeout_s: float = 5.0) -> None:
    """Whether somebody answers at our listener, without a word. Raises UnavailableError."""
    address = settings.broker_address
    try:
        socket.create_connection((near_host(address.host), address.port), timeout=timeout_s).close()
    except OSError as error:
        raise UnavailableError(f"our listener {near_host(address.host)}:{address.port}: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the certificate is for; whether a client on this machine may take it; what is doubtful about it (empty: nothing)."""

    names: str
    is_for_here: bool
    doubt: str


def look(settings: Settings, *, timeout_s: float = 5.0) -> Look:
    """Connect as a device would, and read the certificate.

    Raises UnavailableError where nobody answers, RefusedError where a device with CANHMAN_BROKER_CA would hang up.
    """
    address = settings.broker_address
    host = near_host(address.host)
    ca = settings.broker_ca or settings.tls_cert
    context = ssl.create_default_context(cafile=str(ca) if ca else None)
    context.check_hostname = False  # who it is for we say ourselves
    try:
        with socket.create_connection((host, address.port), timeout=timeout_s) as plain, context.wrap_socket(plain) as line:
            found = line.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        signed = (
            f"CANHMAN_BROKER_CA={str(settings.broker_ca)!r}" if settings.broker_ca else "the authorities of this machine (set CANHMAN_BROKER_CA to your own)"
        )
        text = f"devices refuse its certificate {settings.tls_cert}: {error.verify_message}; checked by {signed}"
        raise RefusedError(f"our listener {address.host}:{address.port}: {text}") from error
    except OSError as error:
        raise UnavailableError(f"our listener {host}:{address.port}: {error}") from error
    names = [str(entry[1]) for entry in found.get("subjectAltName", ())]
    shown = ", ".join(names) or "no name at all"
    url_host = urlsplit(settings.url).hostname if settings.url else None
    here, there = _covers(names, host), url_host is not None and _covers(names, url_host)
    if not here and not there:
        wanted = f"{host}{f' or {url_host}' if url_host else ''}"
        text = f"its certificate {settings.tls_cert} is for {shown}, not for {wanted}: make one with the name devices connect to"
        raise RefusedError(f"our listener {address.host}:{address.port}: {text}; {AGAIN}")
    doubt = f"its certificate is for {shown}, not for {url_host} (CANHMAN_URL): devices that connect to that name hang up" if url_host and not there else ""
    return Look(names=shown, is_for_here=here, doubt=doubt)


def _covers(names: list[str], host: str) -> bool:
    """As a TLS client compares: whole names, addresses by value, `*.` for one label."""
    try:
        address = ip_address(host)
    except ValueError:
        host = host.lower().rstrip(".")
        return any(n.lower() == host or (n.startswith("*.") and host.partition(".")[2] == n[2:].lower()) for n in names)
    for name in names:
        try:
            if ip_address(name) == address:
                return True
        except ValueError:
            continue
    return False
