# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One try to ask one server: everything of is_alive that touches the network.

All times are in seconds. A try ends at its deadline, whatever the other side does: names are resolved in a thread that
can be left behind, and each read from a socket gets only the time that is left of the try, so that a server which sends
one byte now and then (in the TLS handshake, the headers or the body) cannot hold the check.
"""

from __future__ import annotations

import http.client
import math
import os
import re
import socket
import ssl
import threading
import time
import traceback
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.pandawms.panda.plugins.module_utils._health_target import InputError, Target
from ansible_collections.pandawms.panda.plugins.module_utils._health_verdict import (
    BODY_LIMIT,
    PATHS,
    Verdict,
    explain,
    judge,
)

REQUESTS_IMPORT_ERROR: str | None
try:
    import requests
    import requests.utils
    import urllib3
    from requests.adapters import HTTPAdapter
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
    from urllib3.exceptions import HTTPError, InsecureRequestWarning
except ImportError:
    REQUESTS_IMPORT_ERROR = traceback.format_exc()
    HTTPAdapter = HTTPConnection = HTTPSConnection = object  # type: ignore[assignment,misc]
    HTTPConnectionPool = HTTPSConnectionPool = object  # type: ignore[assignment,misc]
else:
    REQUESTS_IMPORT_ERROR = None

ACCEPT = {"v1": "application/json", "legacy": "text/plain, */*"}


# --- whom to trust ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trust:
    """Whom to believe and how to introduce oneself over TLS, and whether the environment's proxies are used."""

    ca_path: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    validate_certs: bool = True
    use_proxy: bool = False


def tls_context(trust: Trust, wanted: bool = True) -> ssl.SSLContext:
    """The TLS settings for all targets. Raises InputError for a file that is missing, unreadable or no certificate.

    With ``ca_path`` only those authorities are believed; without it, those of the operating system and those that come
    with requests, which are not loaded (0.05 s) when no target is ``wanted`` over TLS.
    """
    # Not ssl.create_default_context, which is strict about RFC 5280 since Python 3.13: many a grid CA lacks an
    # extension that it then demands, and neither httpd nor curl nor older Python asks for it.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = _BoundedTLSSocket
    if trust.ca_path is not None:
        _load_authorities(context, trust.ca_path)
    elif wanted and trust.validate_certs:
        context.load_default_certs()
        context.load_verify_locations(cafile=requests.utils.DEFAULT_CA_BUNDLE_PATH)
    # urllib3 1 compares the name itself, and cannot do with a context that insists on it for an address.
    if not trust.validate_certs or getattr(urllib3, "__version__", "").startswith("1."):
        context.check_hostname = False
    if not trust.validate_certs:
        context.verify_mode = ssl.CERT_NONE
        urllib3.disable_warnings(InsecureRequestWarning)
    if trust.client_key is not None and trust.client_cert is None:
        raise InputError("client_key is given without client_cert.")
    if trust.client_cert is not None:
        _load_client_certificate(context, trust.client_cert, trust.client_key)
    return context


def _load_authorities(context: ssl.SSLContext, ca_path: str) -> None:
    if os.path.isdir(ca_path):
        try:
            names = os.listdir(ca_path)
        except OSError as error:
            raise InputError(f"ca_path {ca_path} cannot be listed: {error.strerror}.") from None
        if not any(re.fullmatch(r"[0-9a-f]{8}\.[0-9]+", name) for name in names):
            raise InputError(
                f"ca_path {ca_path} is a directory without hashed certificates (such as 1a2b3c4d.0): "
                "run 'openssl rehash' on it."
            )
        context.load_verify_locations(capath=ca_path)
        return
    _must_be_readable("ca_path", ca_path)
    try:
        context.load_verify_locations(cafile=ca_path)
    except (ssl.SSLError, OSError):
        raise InputError(f"ca_path {ca_path} holds no PEM certificate that can be read.") from None


def _load_client_certificate(context: ssl.SSLContext, cert: str, key: str | None) -> None:
    _must_be_readable("client_cert", cert)
    if key is not None:
        _must_be_readable("client_key", key)
    asked: list[bool] = []

    def no_passphrase() -> str:
        asked.append(True)
        return ""

    try:
        context.load_cert_chain(cert, key, password=no_passphrase)
    except (ssl.SSLError, OSError, ValueError) as error:
        holder = key or cert
        if asked:
            raise InputError(f"The private key in {holder} is encrypted: give one without a passphrase.") from None
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            raise InputError(f"The private key in {holder} does not belong to the client certificate {cert}.") from None
        raise InputError(
            f"The client certificate {cert} and its private key in {holder} cannot be loaded: both must be PEM."
        ) from None


def _must_be_readable(option: str, path: str) -> None:
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise InputError(f"{option} {path} cannot be read: {error.strerror}.") from None


# --- a connection that ends at a deadline -----------------------------------------------------------------------------


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise socket.timeout("timed out")
    return left


class _BoundedSocket(socket.socket):
    """A socket whose reads together end at a deadline, where the timeout of a plain one starts anew with every read."""

    deadline: float = math.inf

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        if self.deadline != math.inf:
            self.settimeout(_left(self.deadline))
        return super().recv_into(*args, **kwargs)


class _BoundedTLSSocket(ssl.SSLSocket):
    deadline: float = math.inf

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        if self.deadline != math.inf:
            self.settimeout(_left(self.deadline))
        return super().recv_into(*args, **kwargs)


class _Wire:
    """The one connection of a try: opens it before ``deadline`` and knows how far it came (``phase``)."""

    def __init__(self) -> None:
        self.deadline = 0.0
        self.phase = "resolve"

    def begin(self, deadline: float) -> None:
        self.deadline = deadline
        self.phase = "resolve"

    def open(self, host: str, port: int) -> socket.socket:
        """Connect to the first address that answers; those still to be tried share the time that is left."""
        self.phase = "resolve"
        addresses = self._resolve(host.strip("[]"), port)
        self.phase = "connect"
        errors: list[OSError] = []
        for index, (family, kind, proto, _name, address) in enumerate(addresses):
            sock = None
            try:
                share = _left(self.deadline) / (len(addresses) - index)
                sock = _BoundedSocket(family, kind, proto)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.settimeout(share)
                sock.connect(address)
                sock.settimeout(_left(self.deadline))
                sock.deadline = self.deadline
                self.phase = "answer"
                return sock
            except OSError as error:
                errors.append(error)
                if sock is not None:
                    sock.close()
        # A refusal says most: there is a host, and nothing listens.
        refused = [error for error in errors if isinstance(error, ConnectionRefusedError)]
        raise (refused or errors)[-1]

    def _resolve(self, host: str, port: int) -> list[Any]:
        """getaddrinfo knows no timeout: for a name it runs in a thread that does not keep the process from ending."""
        try:
            return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        except (OSError, UnicodeError):
            pass  # not an address
        found: list[Any] = []
        errors: list[OSError] = []

        def ask() -> None:
            try:
                found.extend(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
            except OSError as error:
                errors.append(error)
            except UnicodeError:
                errors.append(socket.gaierror(socket.EAI_NONAME, "not a valid host name"))

        thread = threading.Thread(target=ask, daemon=True, name=f"resolve {host}")
        thread.start()
        thread.join(_left(self.deadline))
        if errors:
            raise errors[0]
        if thread.is_alive() or not found:
            raise socket.timeout("timed out")
        return found


# --- a request over it ------------------------------------------------------------------------------------------------


def _pools(wire: _Wire) -> dict[str, Any]:
    """urllib3's connection pools, with connections that the wire opens and bounds."""

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return wire.open(self._dns_host, self.port or 80)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            sock = wire.open(self._dns_host, self.port or 443)
            wire.phase = "tls"
            return sock

        def connect(self) -> None:
            super().connect()
            sock: Any = self.sock
            sock.deadline = wire.deadline
            wire.phase = "answer"

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


class _Adapter(HTTPAdapter):
    """requests over a wire and with the TLS settings of this check, none of the environment's."""

    def __init__(self, wire: _Wire, context: ssl.SSLContext) -> None:
        self._wire = wire
        self._context = context
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _pools(self._wire)

    def proxy_manager_for(self, proxy: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, ssl_context=self._context, **kwargs)
        if not str(proxy).lower().startswith("socks"):
            manager.pool_classes_by_scheme = _pools(self._wire)
        return manager

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """The context has all of it already."""


def _read_body(response: requests.Response) -> bytes:
    """The body, of which at most one byte more than the limit is read. Raises IncompleteRead when less came than was
    announced, which not every version of urllib3 does."""
    body = b""
    while len(body) <= BODY_LIMIT:
        chunk = response.raw.read(BODY_LIMIT + 1 - len(body), decode_content=False)
        if not chunk:
            break
        body += chunk
    announced = response.headers.get("Content-Length", "")
    if announced.isdecimal() and len(body) < min(int(announced), BODY_LIMIT):
        raise http.client.IncompleteRead(body, int(announced) - len(body))
    return body


class Probe:
    """Asks one target, with one session; used by one thread at a time."""

    def __init__(self, target: Target, api: str, trust: Trust, context: ssl.SSLContext) -> None:
        self.target = target
        self._apis = ("v1", "legacy") if api == "auto" else (api,)
        self._trust = trust
        self._wire = _Wire()
        self._session = requests.Session()
        self._session.trust_env = False
        adapter = _Adapter(self._wire, context)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        self._proxies: dict[str, str] = {}
        self._proxy = ""
        if trust.use_proxy:
            self._proxies = dict(requests.utils.get_environ_proxies(target.base))
            chosen = requests.utils.select_proxy(target.base, self._proxies)
            # Its user name and password, if any, stay out of every message.
            self._proxy = chosen.rpartition("@")[2].rpartition("//")[2].rstrip("/") if chosen else ""

    def close(self) -> None:
        self._session.close()

    def ask(self, deadline: float) -> Verdict:
        """One try, over at ``deadline`` (monotonic): the API asked for or, for auto, v1 and then legacy where v1 is
        unknown."""
        verdict = self._ask(self._apis[0], deadline)
        if len(self._apis) > 1 and (verdict.category == "not_panda" or verdict.status in (403, 404)):
            older = self._ask(self._apis[1], deadline)
            if older.alive or older.category == "not_alive" or (older.status or 0) >= 500:
                return older
        return verdict

    def _ask(self, api: str, deadline: float) -> Verdict:
        start = time.monotonic()
        self._wire.begin(deadline)
        try:
            left = _left(deadline)
            response = self._session.get(
                self.target.base + PATHS[api],
                headers={
                    "Accept": ACCEPT[api],
                    "Accept-Encoding": "identity",
                    "Connection": "close",
                    "User-Agent": "pandawms.panda-is_alive",
                },
                allow_redirects=False,
                stream=True,
                timeout=(left, left),
                verify=self._trust.validate_certs,
                proxies=self._proxies,
            )
            with response:
                body = _read_body(response)
        except (requests.RequestException, HTTPError, OSError, http.client.HTTPException, ValueError) as error:
            spent = time.monotonic() - start
            verdict = explain(
                error, self._wire.phase, self.target, spent, self._trust.client_cert is not None, self._proxy
            )
            verdict = replace(verdict, api=api)
        else:
            location = response.headers.get("Location", "")
            verdict = judge(api, response.status_code, body, location, self.target.scheme)
        finally:
            # A new connection each time, also where the server would keep it: what counts is whether it takes one now.
            self._session.close()
        if self._proxy and verdict.category != "not_alive":
            # The failure may be the proxy's own, and proves nothing about the server behind it.
            verdict = replace(verdict, dead=False)
        return verdict
