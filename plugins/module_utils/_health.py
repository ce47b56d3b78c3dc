# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a PanDA server alive? The question asked of many servers at once, and the answer made plain.

A PanDA server is alive when it says so in the body of its answer. Where the rules come from:

* 1.0.0 and later, ``pandaserver/api/v1/system_api.py: is_alive``: ``GET /api/v1/system/is_alive`` answers
  ``{"success": true, "message": "", "data": null}``, as JSON when asked with ``Accept: application/json`` and as the
  ``str()`` of the dictionary otherwise (``pandaserver/server/panda.py: application``). A request that is turned down
  answers HTTP 200 with ``success`` false, so the status alone proves nothing.
* up to 0.8, ``pandaserver/server/panda.py: isAlive``: ``GET /server/panda/isAlive`` answers ``alive=yes``. Later
  versions answer that path with HTTP 403 and ``ERROR : method isAlive is forbidden``.

All times are in seconds. Every try ends at its deadline, whatever the other side does: names are resolved in a thread
that can be left behind, and each read from a socket gets only the time that is left of the try, so that a server which
sends one byte now and then (in the TLS handshake, the headers or the body) cannot hold the check.
"""

from __future__ import annotations

import ast
import errno
import http.client
import ipaddress
import json
import math
import os
import re
import socket
import ssl
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import urlsplit

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

APIS = ("auto", "v1", "legacy")
STATES = ("alive", "dead")
PATHS = {"v1": "/api/v1/system/is_alive", "legacy": "/server/panda/isAlive"}
ACCEPT = {"v1": "application/json", "legacy": "text/plain, */*"}

BODY_LIMIT = 64 * 1024
"""Bytes of a body that are read at most; the real answer has about fifty."""

BACKOFF_FIRST = 0.25
BACKOFF_MAX = 5.0

_REPR_LIMIT = 4096
_QUOTE_LIMIT = 160
_ERROR_LOG = "panda_server_error_log on the server"
_PLAIN_ON_TLS = "The port expects TLS and was spoken to in plain http: write https:// in the target."
_NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNKNOWN_PROTOCOL")
_UNREACHABLE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN)


class InputError(ValueError):
    """What the caller asked for cannot be done; the text is one sentence for a person."""


# --- what is asked ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trust:
    """Whom to believe and how to introduce oneself over TLS, and whether the environment's proxies are used."""

    ca_path: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    validate_certs: bool = True
    use_proxy: bool = False


@dataclass(frozen=True)
class Target:
    """One server: ``name`` as the caller wrote it, ``base`` the same URL without a trailing slash."""

    name: str
    base: str
    scheme: str
    host: str
    port: int

    @property
    def address(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_target(text: str) -> Target:
    """Take ``http(s)://host[:port]`` apart. Raises InputError with one sentence when it is anything else."""
    shown = _quote(text)
    if not text.strip():
        raise InputError("A target is empty: give a URL such as https://host.example.org:25443.")
    if any(char.isspace() or not char.isprintable() for char in text):
        raise InputError(f"Target '{shown}' contains a space or a control character.")
    if "://" not in text:
        raise InputError(f"Target '{shown}' has no scheme: write https://{shown} or http://{shown}.")
    try:
        parts = urlsplit(text)
        host = parts.hostname
        if "[" in parts.netloc:
            ipaddress.IPv6Address((host or "").partition("%")[0])
    except ValueError as error:
        raise InputError(f"Target '{shown}' is not a URL: {error}.") from None
    if "@" in parts.netloc:
        raise InputError(f"The target for '{host}' contains a user name or password: leave them out.")
    if parts.scheme not in ("http", "https"):
        raise InputError(f"Target '{shown}' has the scheme '{parts.scheme}': only http and https are known.")
    if not host:
        raise InputError(f"Target '{shown}' has no host name.")
    if parts.path not in ("", "/") or parts.query or parts.fragment or text[-1] in "?#":
        raise InputError(
            f"Target '{shown}' has a path or a query: give only scheme, host and port, the check knows its own path."
        )
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0 or (port is None and parts.netloc.endswith(":")):
        raise InputError(f"Target '{shown}' has no valid port: it must be a number from 1 to 65535.")
    if port is None:
        port = 443 if parts.scheme == "https" else 80
    shown_host = f"[{host}]" if ":" in host else host
    return Target(name=text, base=f"{parts.scheme}://{shown_host}:{port}", scheme=parts.scheme, host=host, port=port)


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


# --- what is answered -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    """What one answer, or its absence, says.

    ``dead`` is true only where it is proven that no living PanDA server answers there; a verdict can be neither alive
    nor dead (an untrusted certificate says nothing about the server behind it). ``timed_out``: time ran out.
    """

    category: str
    message: str
    api: str = "v1"
    status: int | None = None
    dead: bool = False
    timed_out: bool = False

    @property
    def alive(self) -> bool:
        return self.category == "alive"

    def is_in(self, state: str) -> bool:
        return self.alive if state == "alive" else self.dead


@dataclass(frozen=True)
class Result:
    """The last verdict on one target. ``latency`` is the duration in seconds of the try that it comes from."""

    target: str
    alive: bool
    api: str
    status: int | None
    attempts: int
    latency: float
    category: str
    message: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Report:
    """All results, in the order of the targets; ``unmet`` are those that did not reach the wanted state."""

    results: list[Result]
    unmet: list[Result]
    elapsed: float


def judge(api: str, status: int, body: bytes, location: str = "", scheme: str = "https") -> Verdict:
    """Judge an HTTP answer.

    Only status 200 *and* a body in which PanDA says that it is alive make a server alive. A body in which PanDA says
    that it is not counts whatever the status.
    """

    def verdict(category: str, message: str, dead: bool = False) -> Verdict:
        return Verdict(category, message, api, status, dead)

    text = body[:BODY_LIMIT].decode("utf-8", "replace").strip()
    said = (_read_v1(text) if api == "v1" else _read_legacy(text)) if len(body) <= BODY_LIMIT else None
    if said is not None and not said[0]:
        reason = _quote(said[1]) or "no reason given"
        return verdict("not_alive", f"The PanDA server says that it is not alive ({reason}): see its logs.", dead=True)
    if status == 200:
        if said is not None:
            return verdict("alive", "The PanDA server says that it is alive.")
        if not text:
            what = "an empty body"
        elif len(body) > BODY_LIMIT:
            what = f"more than {BODY_LIMIT // 1024} KiB, beginning with '{_quote(text, 60)}'"
        else:
            what = f"'{_quote(text, 80)}'"
        return verdict(
            "not_panda",
            f"HTTP 200, but {what} is not a PanDA server's answer to {PATHS[api]}: see what else serves this port.",
        )
    if status == 400 and scheme == "http" and re.search(r"plain HTTP.{0,40}(SSL|HTTPS)", text, re.I | re.S):
        return verdict("tls", _PLAIN_ON_TLS)
    return verdict("http", f"HTTP {status}{_said(text)}: {_advice(api, status, location)}", dead=status >= 500)


def _read_v1(text: str) -> tuple[bool, str] | None:
    """(success, message) of a v1 answer, JSON or the ``str()`` of a dictionary; None when it is neither."""
    if not text.startswith("{"):
        return None
    answer: Any = None
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        # Length and depth are bounded because the parser behind literal_eval can be crashed by deep nesting.
        if len(text) <= _REPR_LIMIT and sum(map(text.count, "([{")) <= 50:
            try:
                answer = ast.literal_eval(text)
            except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
                return None
    if isinstance(answer, dict) and isinstance(answer.get("success"), bool):
        return answer["success"], str(answer.get("message") or "")
    return None


def _read_legacy(text: str) -> tuple[bool, str] | None:
    if text == "alive=yes":
        return True, ""
    return (False, text) if text.startswith("alive=") else None


def _advice(api: str, status: int, location: str) -> str:
    if 300 <= status < 400:
        where = f" to '{_quote(location)}'" if location else ""
        return f"the target redirects{where}; name the PanDA server itself."
    if status == 403:
        if api == "legacy":
            return "PanDA 1.0 and later forbid isAlive, use api v1 or auto; otherwise see the access rules of httpd."
        return (
            "PanDA before 1.0 forbids is_alive, use api legacy or auto; otherwise see the access rules of httpd and "
            "the authentication settings of PanDA."
        )
    if status == 404:
        return f"nothing is mapped to {PATHS[api]}; see WSGIScriptAliasMatch in the httpd configuration."
    if status == 500:
        return f"the import of the application failed or it raised an error; see {_ERROR_LOG}."
    if status in (502, 503):
        return f"httpd runs, but its WSGI processes are starting, gone or all busy; see {_ERROR_LOG}."
    if status == 504:
        return (
            "the application did not answer in the time that httpd gives it, as when its import waits for the "
            f"database; see {_ERROR_LOG}."
        )
    if status >= 500:
        return f"the server failed; see {_ERROR_LOG}."
    return "see the access log and the configuration of httpd."


def _said(text: str) -> str:
    """The first words of a plain text error; an HTML page says nothing that the status does not."""
    return f" ('{_quote(text, 100)}')" if text and not text.startswith("<") else ""


def explain(
    error: BaseException, phase: str, target: Target, spent: float, has_client_cert: bool = False, proxy: str = ""
) -> Verdict:
    """Say what a failed request means.

    ``phase`` is how far it came (resolve, connect, tls, answer), ``spent`` its time in seconds, ``proxy`` the host and
    port of the proxy between here and the target, if there is one.
    """
    chain = list(_chain(error))
    where, name = (
        (f"the proxy {proxy}", proxy) if proxy and phase in ("resolve", "connect") else (target.address, target.host)
    )

    def first(*kinds: type[BaseException]) -> BaseException | None:
        return next((one for one in chain if isinstance(one, kinds)), None)

    bad_certificate = next((one for one in chain if _is_certificate_error(one)), None)
    if bad_certificate is not None:
        return Verdict("tls", _explain_certificate(bad_certificate, target))
    if phase == "resolve":
        failure = first(socket.gaierror, socket.timeout)
        if failure is not None:
            why = f"did not resolve within {spent:.1f} s"
            timed_out = not isinstance(failure, socket.gaierror)
            if isinstance(failure, socket.gaierror):
                why = f"cannot be resolved ({_quote(failure.strerror or str(failure))})"
            return Verdict(
                "dns", f"The name '{_quote(name)}' {why}: see its spelling, DNS and /etc/hosts.", timed_out=timed_out
            )
    if first(socket.timeout):
        return replace(_explain_timeout(phase, where, spent), timed_out=True)
    if first(ConnectionRefusedError):
        return Verdict(
            "refused",
            f"Nothing listens on {where} (connection refused): see whether the service runs and the port is right.",
            dead=True,
        )
    if target.scheme == "http" and any(_is_tls_alert(one) for one in chain):
        return Verdict("tls", _PLAIN_ON_TLS)
    tls_error = first(ssl.SSLError)
    if isinstance(tls_error, ssl.SSLError):
        return Verdict("tls", _explain_tls(tls_error, phase, has_client_cert))
    if first(ConnectionError, http.client.IncompleteRead):
        if phase == "tls":
            return Verdict(
                "tls",
                f"{where} closed the connection during the TLS handshake: see whether the port speaks TLS at all.",
            )
        hint = ""
        if target.scheme == "http":
            hint = ", and whether the port expects https://"
        elif not has_client_cert:
            hint = ", and whether it demands a client certificate (client_cert)"
        return Verdict(
            "error", f"{where} closed the connection before the answer was complete: see {_ERROR_LOG}{hint}."
        )
    if first(http.client.HTTPException):
        return Verdict("not_panda", f"What answers on {where} does not speak HTTP: see what else serves this port.")
    failure = first(OSError)
    if phase == "connect" and isinstance(failure, OSError):
        away = next((one for one in chain if isinstance(one, OSError) and one.errno in _UNREACHABLE), None)
        if away is not None:
            return Verdict(
                "error",
                f"{where} cannot be reached ({os.strerror(away.errno or 0)}): see whether the host is up and routed.",
                dead=away.errno == errno.EHOSTUNREACH,
            )
    return Verdict("error", f"The request failed ({type(error).__name__}: {_quote(str(error))}).")


def _explain_timeout(phase: str, where: str, spent: float) -> Verdict:
    if phase == "connect":
        return Verdict(
            "timeout",
            f"No connection to {where} within {spent:.1f} s (connect): see whether the host is up, and its firewall.",
            dead=True,
        )
    if phase == "tls":
        message = f"{where} accepted the connection, but the TLS handshake did not finish within {spent:.1f} s"
        return Verdict("timeout", f"{message}: see whether httpd is overloaded or the port speaks TLS at all.")
    return Verdict(
        "timeout",
        f"No complete answer from {where} within {spent:.1f} s (read): the application may still be importing or wait "
        f"for the database, see {_ERROR_LOG}.",
    )


def _is_certificate_error(error: BaseException) -> bool:
    """OpenSSL's verdict on a certificate, or that of urllib3 1 on its name, which has classes of its own."""
    return isinstance(error, ssl.SSLCertVerificationError) or type(error).__name__ == "CertificateError"


def _explain_certificate(error: BaseException, target: Target) -> str:
    code = getattr(error, "verify_code", 62)
    said = _quote(getattr(error, "verify_message", "") or str(error))
    if code == 10:
        return f"The certificate of {target.address} or of its CA has expired ({said}): renew it and reload httpd."
    if code == 9:
        return f"The certificate of {target.address} is not valid yet ({said}): see the clocks of both hosts."
    if code in (62, 64):
        return (
            f"The certificate of {target.address} is for another name ({said}): use a name that it holds as "
            "subjectAltName, or renew it with this one."
        )
    if code in (2, 18, 19, 20, 21, 27):
        return (
            f"The certificate of {target.address} is signed by a CA that is not trusted here ({said}): give the CA in "
            "ca_path, and see whether the server sends its chain."
        )
    return f"The certificate of {target.address} cannot be verified ({said})."


def _explain_tls(error: ssl.SSLError, phase: str, has_client_cert: bool) -> str:
    reason = str(error.reason or "").upper()
    said = _quote(str(error.reason or error))
    if any(word in reason for word in _NOT_TLS):
        return (
            "The port does not speak TLS: if it is the plain http port, write http:// or the https port in the target."
        )
    if "CERTIFICATE_REQUIRED" in reason:
        return "The server demands a client certificate: give client_cert and client_key."
    if "ALERT" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason):
        return f"The server does not accept the client certificate ({said}): see its dates and the server's CAs."
    if "HANDSHAKE_FAILURE" in reason:
        hint = "" if has_client_cert else " or demands a client certificate (client_cert)"
        return f"The server refused the TLS handshake ({said}): it shares no TLS version or cipher with us{hint}."
    if "EOF" in reason or isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)):
        at = "during the TLS handshake" if phase == "tls" else "before it answered"
        wants = "accepts the" if has_client_cert else "demands a"
        return f"The server closed TLS {at}: see whether it {wants} client certificate, and {_ERROR_LOG}."
    return f"TLS failed ({said}): see the TLS settings of httpd and {_ERROR_LOG}."


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and all that it wraps, outermost first; requests and urllib3 keep the real one in various places."""
    queue: list[Any] = [error]
    seen: set[int] = set()
    while queue:
        one = queue.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        queue += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]


def _is_tls_alert(error: BaseException) -> bool:
    """Whether an HTTP client read a TLS alert record (type 21, version 3.x) where the status line should be."""
    return isinstance(error, http.client.BadStatusLine) and str(error.args[0]).startswith("\x15\x03")


def _quote(text: str, limit: int = _QUOTE_LIMIT) -> str:
    """Foreign text made fit for one line of a message: bounded, printable, single spaces."""
    clean = " ".join("".join(char if char.isprintable() else " " for char in text[: 4 * limit]).split())
    return clean if len(clean) <= limit else clean[: limit - 3] + "..."


# --- how it is asked --------------------------------------------------------------------------------------------------


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


def check(
    targets: Sequence[Target],
    *,
    api: str = "auto",
    state: str = "alive",
    timeout: float = 60.0,
    try_timeout: float = 10.0,
    trust: Trust | None = None,
) -> Report:
    """Ask all targets at once until each is in ``state`` or ``timeout`` seconds have passed.

    Each target has a thread of its own, so that none waits for another. Raises InputError for bad arguments, before
    anything is sent.
    """
    if REQUESTS_IMPORT_ERROR is not None:
        raise InputError("The Python library requests is missing.")
    trust = trust or Trust()
    if not targets:
        raise InputError("targets is empty: name at least one URL such as https://host.example.org:25443.")
    for name, value in (("timeout", timeout), ("try_timeout", try_timeout)):
        if not 0 < value < threading.TIMEOUT_MAX:
            raise InputError(f"{name} is {value}: it must be a number of seconds greater than 0.")
    if api not in APIS or state not in STATES:
        raise InputError(f"api must be one of {', '.join(APIS)} and state one of {', '.join(STATES)}.")
    context = tls_context(trust, wanted=any(target.scheme == "https" for target in targets))
    if not trust.validate_certs:
        urllib3.disable_warnings(InsecureRequestWarning)
    start = time.monotonic()
    stop = threading.Event()

    def one(target: Target) -> tuple[Verdict, Result]:
        probe = Probe(target, api, trust, context)
        try:
            return _wait_for(probe, state, start + timeout, try_timeout, min(1.0, try_timeout, timeout / 4), stop)
        finally:
            probe.close()

    with ThreadPoolExecutor(max_workers=len(targets), thread_name_prefix="is_alive") as pool:
        try:
            answers = list(pool.map(one, targets))
        except BaseException:
            stop.set()
            raise
    return Report(
        results=[result for _verdict, result in answers],
        unmet=[result for verdict, result in answers if not verdict.is_in(state)],
        elapsed=round(time.monotonic() - start, 3),
    )


def _wait_for(
    probe: Probe, state: str, deadline: float, try_timeout: float, fair: float, stop: threading.Event
) -> tuple[Verdict, Result]:
    """Try until the state is reached or no try of at least ``fair`` seconds fits before the deadline.

    The last pause is cut so that the last try still has that time. Where it is too short all the same, and ends as a
    timeout, it does not replace what an earlier try has found.
    """
    attempts = 0
    delay = BACKOFF_FIRST
    verdict: Verdict | None = None
    latency = 0.0
    while True:
        attempts += 1
        begin = time.monotonic()
        latest = probe.ask(min(begin + try_timeout, deadline))
        end = time.monotonic()
        cut_short = latest.timed_out and deadline < begin + try_timeout
        if verdict is None or not cut_short or latest.is_in(state):
            verdict, latency = latest, end - begin
        pause = min(delay, deadline - end - fair)
        if verdict.is_in(state) or pause <= 0.01 or stop.wait(pause):
            return verdict, Result(
                target=probe.target.name,
                alive=verdict.alive,
                api=verdict.api,
                status=verdict.status,
                attempts=attempts,
                latency=round(latency, 4),
                category=verdict.category,
                message=verdict.message,
            )
        delay = min(delay * 2, BACKOFF_MAX)
