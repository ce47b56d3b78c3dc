# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real servers on 127.0.0.1 that answer as PanDA does, or misbehave, and certificates for them."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.pandawms.panda.plugins.module_utils._health_probe import Probe, Trust, tls_context
from ansible_collections.pandawms.panda.plugins.module_utils._health_target import parse_target
from ansible_collections.pandawms.panda.plugins.module_utils._health_verdict import PATHS, Verdict
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

V1, LEGACY = PATHS["v1"], PATHS["legacy"]
ALIVE = b'{"success": true, "message": "", "data": null}'
MARGIN = 3.0
"""Seconds that a loaded machine may take longer than a deadline before a test says so."""

Behaviour = Callable[[socket.socket, str], None]


class Server:
    """A TCP server that reads one request a connection and lets ``behaviour(connection, path)`` answer it.

    One that is not ``patient`` answers whatever it reads first, as httpd does with what is no HTTP. ``host`` is an IPv4
    or IPv6 address of this machine.
    """

    def __init__(
        self,
        behaviour: Behaviour,
        context: ssl.SSLContext | None = None,
        port: int = 0,
        patient: bool = True,
        host: str = "127.0.0.1",
    ) -> None:
        self.requests: list[str] = []
        self.stopping = threading.Event()
        self._behaviour = behaviour
        self._patient = patient
        self._context = context
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=128)
        self.port = self._listener.getsockname()[1]
        shown_host = f"[{host}]" if ":" in host else host
        self.url = f"{'https' if context else 'http'}://{shown_host}:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                connection, _address = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection.settimeout(20)
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_side=True)
            request = b""
            while b"\r\n\r\n" not in request:
                chunk = connection.recv(4096)
                if not chunk:
                    break
                request += chunk
                if not self._patient:
                    break
            self.requests.append(request.decode("latin-1"))
            words = self.requests[-1].split(" ", 2)
            self._behaviour(connection, words[1] if len(words) > 1 else "")
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        connection.close()

    def paths(self) -> list[str]:
        return [request.split(" ", 2)[1] for request in self.requests]


def http_answer(status: int, body: bytes, *headers: str) -> bytes:
    head = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Content-Type: text/plain", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def answering(answers: dict[str, tuple[int, bytes]]) -> Behaviour:
    """Behave as httpd does: the answer by path, 404 for all others."""

    def behave(connection: socket.socket, path: str) -> None:
        connection.sendall(http_answer(*answers.get(path, (404, b"<html>Not Found</html>"))))

    return behave


def sending(data: bytes) -> Behaviour:
    return lambda connection, path: connection.sendall(data)


def dripping(start: bytes, drop: bytes) -> Behaviour:
    """Send ``start``, then ``drop`` every 0.1 s for far longer than any test waits."""

    def behave(connection: socket.socket, path: str) -> None:
        connection.sendall(start)
        for _second in range(200):
            connection.sendall(drop)
            time.sleep(0.1)

    return behave


def resetting(connection: socket.socket, path: str) -> None:
    """Close with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


NEW_PANDA = answering({V1: (200, ALIVE), LEGACY: (403, b"ERROR : method isAlive is forbidden")})
OLD_PANDA = answering({V1: (403, b"ERROR : method is_alive is forbidden"), LEGACY: (200, b"alive=yes")})


def try_once(url: str, api: str = "auto", seconds: float = 10.0, **trust: Any) -> Verdict:
    """One try, with so much time that a loaded machine does not turn its verdict into a timeout."""
    how, target = Trust(**trust), parse_target(url)
    probe = Probe(target, api, how, tls_context(how, target.scheme == "https"))
    try:
        return probe.ask(time.monotonic() + seconds)
    finally:
        probe.close()


@dataclass
class Certificates:
    """A certificate authority, what it signed, and one that nobody knows; all as PEM files in ``folder``."""

    folder: Path

    @property
    def ca_file(self) -> str:
        return str(self.folder / "ca.pem")

    def file(self, name: str) -> str:
        return str(self.folder / f"{name}.pem")

    def server(self, name: str = "good", client_ca: bool = False, tls12: bool = False) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file(name))
        if client_ca:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.ca_file)
        if tls12:
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        return context


def make_certificate(
    path: Path, name: str, issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None, days: tuple[int, int]
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Write key and certificate for ``name``, an address or a host name, valid from and to so many days from now.

    Without an issuer it is a CA of its own. None of them has a key identifier, as with many a grid CA.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=days[0]))
        .not_valid_after(now + datetime.timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer:
        other: x509.GeneralName = x509.DNSName(name)
        with contextlib.suppress(ValueError):
            other = x509.IPAddress(ipaddress.ip_address(name))
        builder = builder.add_extension(x509.SubjectAlternativeName([other]), critical=False)
    certificate = builder.sign(issuer[1] if issuer else key, hashes.SHA256())
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    path.write_bytes(public if issuer is None else public + secret)
    path.with_suffix(".key").write_bytes(secret)
    path.with_suffix(".crt").write_bytes(public)
    path.with_suffix(".locked").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"passphrase"),
        )
    )
    return certificate, key
