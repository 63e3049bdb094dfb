"""Certificates for tests over TLS, made by openssl."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def certificate(folder: Path, name: str, *names: str) -> tuple[Path, Path]:
    """A self-signed certificate (its own authority) for `names`, and its key."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed")
    cert, key = folder / f"{name}.pem", folder / f"{name}.key"
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    words += ["-addext", f"subjectAltName={','.join(names or ('IP:127.0.0.1',))}"]
    subprocess.run([program, *words, "-out", str(cert), "-keyout", str(key)], check=True, capture_output=True)
    return cert, key
