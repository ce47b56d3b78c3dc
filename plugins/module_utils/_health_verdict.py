# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an answer of a PanDA server means, or that there is none: a verdict, with one sentence that says what to look at next.

A PanDA server is alive when it says so in the body of its answer. Where the rules come from:

* ``GET /api/v1/system/is_alive``, 0.6.0 and later, ``pandaserver/api/v1/system_api.py: is_alive``: answers
  ``{"success": true, "message": "", "data": null}``, as JSON when asked with ``Accept: application/json`` and as the
  ``str()`` of the dictionary otherwise (``pandaserver/server/panda.py: application``). A request that is turned down
  answers HTTP 200 with ``success`` false, so the status alone proves nothing.
* ``GET /server/panda/isAlive``, before 1.0.0, ``pandaserver/taskbuffer/Utils.py: isAlive``: answers ``alive=yes``. Later
  versions answer that path with HTTP 403 and ``ERROR : method isAlive is forbidden``.

Nothing here touches the network.
"""

from __future__ import annotations

import ast
import errno
import http.client
import json
import os
import re
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.pandawms.panda.plugins.module_utils._health_target import Target, quote

APIS = ("auto", "v1", "legacy")
PATHS = {"v1": "/api/v1/system/is_alive", "legacy": "/server/panda/isAlive"}

BODY_LIMIT = 64 * 1024
"""Bytes of a body that are read at most; the real answer has about fifty."""

_REPR_LIMIT = 4096
_ERROR_LOG = "panda_server_error_log on the server"
_PLAIN_ON_TLS = "The port expects TLS and was spoken to in plain http: write https:// in the target."
_NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNKNOWN_PROTOCOL")
_UNREACHABLE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN)


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
        reason = quote(said[1]) or "no reason given"
        return verdict("not_alive", f"The PanDA server says that it is not alive ({reason}): see its logs.", dead=True)
    if status == 200:
        if said is not None:
            return verdict("alive", "The PanDA server says that it is alive.")
        if not text:
            what = "an empty body"
        elif len(body) > BODY_LIMIT:
            what = f"more than {BODY_LIMIT // 1024} KiB, beginning with '{quote(text, 60)}'"
        else:
            what = f"'{quote(text, 80)}'"
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
        where = f" to '{quote(location)}'" if location else ""
        return f"the target redirects{where}; name the PanDA server itself."
    if status == 403:
        if api == "legacy":
            return "PanDA 1.0 and later forbid isAlive, use api v1 or auto; otherwise see the access rules of httpd."
        return (
            "PanDA before 0.6 does not know is_alive, use api legacy or auto; otherwise see the access rules of httpd "
            "and the authentication settings of PanDA."
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
    return f" ('{quote(text, 100)}')" if text and not text.startswith("<") else ""


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
                why = f"cannot be resolved ({quote(failure.strerror or str(failure))})"
            return Verdict(
                "dns", f"The name '{quote(name)}' {why}: see its spelling, DNS and /etc/hosts.", timed_out=timed_out
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
        if target.scheme == "http":
            hint = "the port expects https://"
        else:
            hint = f"it {'accepts the' if has_client_cert else 'demands a'} client certificate (client_cert)"
        return Verdict(
            "error",
            f"{where} closed the connection before the answer was complete: see {_ERROR_LOG}, and whether {hint}.",
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
    return Verdict(
        "error",
        f"The request to {where} failed ({type(error).__name__}: {quote(str(error))}): see the network between the hosts.",
    )


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
    said = quote(getattr(error, "verify_message", "") or str(error))
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
    return (
        f"The certificate of {target.address} cannot be verified ({said}): look at it with "
        f"'openssl s_client -connect {target.address}'."
    )


def _explain_tls(error: ssl.SSLError, phase: str, has_client_cert: bool) -> str:
    reason = str(error.reason or "").upper()
    said = quote(str(error.reason or error))
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
