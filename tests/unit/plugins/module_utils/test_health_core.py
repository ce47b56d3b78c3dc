# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The health check against real servers on 127.0.0.1, most of which misbehave."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import re
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pandawms.panda.plugins.module_utils import _health as health
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

V1, LEGACY = health.PATHS["v1"], health.PATHS["legacy"]
ALIVE = b'{"success": true, "message": "", "data": null}'
MARGIN = 3.0
"""Seconds that a loaded machine may take longer than a deadline before a test says so."""

Behaviour = Callable[[socket.socket, str], None]


# --- servers ----------------------------------------------------------------------------------------------------------


class Server:
    """A TCP server that reads one request a connection and lets ``behaviour(connection, path)`` answer it.

    One that is not ``patient`` answers whatever it reads first, as httpd does with what is no HTTP.
    """

    def __init__(
        self,
        behaviour: Behaviour,
        context: ssl.SSLContext | None = None,
        port: int = 0,
        patient: bool = True,
    ) -> None:
        self.requests: list[str] = []
        self.stopping = threading.Event()
        self._behaviour = behaviour
        self._patient = patient
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.port}"
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


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(*args: Any, **kwargs: Any) -> Server:
        servers.append(Server(*args, **kwargs))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nothing listens on; it is taken, so that nobody gets it but a server of the same test."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port whose queue is full: the kernel drops further connections, as a firewall does."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _connection in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], list[Any]]], None]:
    """Let a function answer for the name service, which a test cannot make hang or lie otherwise."""

    def use(answer: Callable[[], list[Any]]) -> None:
        def getaddrinfo(host: str, port: int, flags: int = 0, **_more: Any) -> list[Any]:
            if flags & socket.AI_NUMERICHOST:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return answer()

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

    return use


def ask(*urls: str, **options: Any) -> list[health.Result]:
    """Check with a short deadline; one entry a target."""
    options.setdefault("timeout", 0.5)
    options.setdefault("try_timeout", 0.4)
    trust = health.Trust(**options.pop("trust", {}))
    return health.check([health.parse_target(url) for url in urls], trust=trust, **options).results


def try_once(url: str, api: str = "auto", seconds: float = 10.0, **trust: Any) -> health.Verdict:
    """One try, with so much time that a loaded machine does not turn its verdict into a timeout."""
    how, target = health.Trust(**trust), health.parse_target(url)
    probe = health.Probe(target, api, how, health.tls_context(how, target.scheme == "https"))
    try:
        return probe.ask(time.monotonic() + seconds)
    finally:
        probe.close()


# --- judging a body ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("api", "status", "body", "category"),
    [
        ("v1", 200, ALIVE, "alive"),
        ("v1", 200, b"{'success': True, 'message': '', 'data': None}", "alive"),
        ("v1", 200, b' {"success":true} \n', "alive"),
        ("v1", 200, b'{"success": false, "message": "expecting GET"}', "not_alive"),
        ("v1", 200, b"{'success': False, 'message': \"it's wrong\", 'data': None}", "not_alive"),
        ("v1", 503, b'{"success": false, "message": "no database"}', "not_alive"),
        ("v1", 500, ALIVE, "http"),
        ("v1", 302, ALIVE, "http"),
        ("v1", 204, b"", "http"),
        ("v1", 200, b'{"success": "true"}', "not_panda"),
        ("v1", 200, b'{"success": 1}', "not_panda"),
        ("v1", 200, b'{"status": "ok"}', "not_panda"),
        ("v1", 200, b"[true]", "not_panda"),
        ("v1", 200, b"", "not_panda"),
        ("v1", 200, b"alive=yes", "not_panda"),
        ("v1", 200, b"<html>It works!</html>", "not_panda"),
        ("v1", 200, b"\xff\xfe\x00", "not_panda"),
        ("v1", 200, b"{" * 60000, "not_panda"),
        ("v1", 200, b'{"a":' * 12000, "not_panda"),
        ("v1", 200, b"{'success': __import__('os').abort()}", "not_panda"),
        ("v1", 200, ALIVE + b" " * health.BODY_LIMIT, "not_panda"),
        ("legacy", 200, b"alive=yes", "alive"),
        ("legacy", 200, b"alive=yes\n", "alive"),
        ("legacy", 200, b"alive=no", "not_alive"),
        ("legacy", 200, b"alive=yesterday", "not_alive"),
        ("legacy", 200, ALIVE, "not_panda"),
        ("legacy", 403, b"ERROR : method isAlive is forbidden", "http"),
    ],
)
def test_the_body_decides_whether_a_server_is_alive(api: str, status: int, body: bytes, category: str) -> None:
    verdict = health.judge(api, status, body)
    assert (verdict.category, verdict.status, verdict.api) == (category, status, api)
    assert verdict.alive == (category == "alive")


@given(
    st.sampled_from(["v1", "legacy"]),
    st.integers(100, 599),
    st.one_of(
        st.binary(max_size=300),
        st.text(max_size=300).map(str.encode),
        st.dictionaries(st.sampled_from(["success", "message", "data"]), st.one_of(st.booleans(), st.text()))
        .map(str)
        .map(str.encode),
    ),
)
def test_no_body_of_a_stranger_breaks_the_check_or_its_one_line_message(api: str, status: int, body: bytes) -> None:
    verdict = health.judge(api, status, body)
    assert verdict.message.isprintable()
    assert len(verdict.message) < 500
    assert not (verdict.alive and status != 200)
    assert not (verdict.alive and verdict.dead)


def test_a_reason_given_by_the_server_is_shown_but_bounded_to_one_printable_line() -> None:
    body = b'{"success": false, "message": "first\\nsecond\\u001b[31m' + b"x" * 5000 + b'"}'
    message = health.judge("v1", 200, body).message
    assert "first second [31mxxx" in message
    assert message.isprintable() and len(message) < 300


@pytest.mark.parametrize(
    ("api", "status", "advice"),
    [
        ("v1", 403, "api legacy or auto"),
        ("legacy", 403, "api v1 or auto"),
        ("v1", 404, "WSGIScriptAliasMatch"),
        ("v1", 500, "panda_server_error_log"),
        ("v1", 502, "WSGI processes"),
        ("v1", 503, "WSGI processes"),
        ("v1", 504, "database"),
        ("v1", 507, "panda_server_error_log"),
        ("v1", 418, "access log"),
    ],
)
def test_each_http_error_says_what_to_look_at_next(api: str, status: int, advice: str) -> None:
    verdict = health.judge(api, status, b"ERROR : because")
    assert advice in verdict.message
    assert f"HTTP {status} ('ERROR : because')" in verdict.message
    assert verdict.dead == (status >= 500)


# --- targets and other input ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "base", "host", "port"),
    [
        ("https://host.example.org:25443", "https://host.example.org:25443", "host.example.org", 25443),
        ("http://host:25080/", "http://host:25080", "host", 25080),
        ("HTTPS://Host.Example.ORG", "https://host.example.org:443", "host.example.org", 443),
        ("http://host", "http://host:80", "host", 80),
        ("http://[::1]:25080", "http://[::1]:25080", "::1", 25080),
        ("https://[2001:db8::1]", "https://[2001:db8::1]:443", "2001:db8::1", 443),
        ("https://192.0.2.7:65535", "https://192.0.2.7:65535", "192.0.2.7", 65535),
    ],
)
def test_a_url_of_scheme_host_and_port_is_taken_apart(text: str, base: str, host: str, port: int) -> None:
    target = health.parse_target(text)
    assert (target.name, target.base, target.host, target.port) == (text, base, host, port)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("host.example.org", "no scheme"),
        ("host.example.org:25443", "no scheme"),
        ("//host:25443", "no scheme"),
        ("ftp://host:21", "scheme 'ftp'"),
        ("https+unix://host", "scheme 'https+unix'"),
        ("https://", "no host"),
        ("https://:25443", "no host"),
        ("https://host:0", "no valid port"),
        ("https://host:65536", "no valid port"),
        ("https://host:-1", "no valid port"),
        ("https://host:25443x", "no valid port"),
        ("https://host:", "no valid port"),
        ("https://host:25443/server/panda", "a path"),
        ("https://host:25443//", "a path"),
        ("https://host:25443?x=1", "a query"),
        ("https://host:25443?", "a query"),
        ("https://host:25443#top", "a query"),
        ("https://ho st:25443", "a space"),
        ("https://host:25443\n", "a space"),
        ("https://ho\x1bst:25443", "a control character"),
        ("https://[::1:25443", "not a URL"),
        ("https://[host]:25443", "not a URL"),
        ("https://[]:25443", ""),
    ],
)
def test_a_target_that_is_no_server_url_is_refused_in_one_sentence(text: str, reason: str) -> None:
    with pytest.raises(health.InputError) as caught:
        health.parse_target(text)
    assert reason in str(caught.value)
    assert str(caught.value).endswith(".") and str(caught.value).isprintable()


def test_a_password_in_a_target_is_refused_without_repeating_it() -> None:
    with pytest.raises(health.InputError, match="password") as caught:
        health.parse_target("https://user:s3cret@host:25443")
    assert "s3cret" not in str(caught.value)


@given(st.one_of(st.text(), st.text().map("https://".__add__), st.text().map("http://[".__add__)))
def test_any_text_is_either_a_target_or_bad_input(text: str) -> None:
    target, reason = None, ""
    try:
        target = health.parse_target(text)
    except health.InputError as error:
        reason = str(error)
    assert reason.isprintable()
    assert bool(reason) is (target is None)
    assert target is None or (target.host and 1 <= target.port <= 65535)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"timeout": 0}, "timeout is 0"),
        ({"timeout": -1.0}, "timeout is -1"),
        ({"timeout": float("nan")}, "timeout is nan"),
        ({"timeout": float("inf")}, "timeout is inf"),
        ({"try_timeout": 0}, "try_timeout is 0"),
        ({"api": "v2"}, "api must be"),
        ({"state": "undead"}, "state one of"),
        ({"trust": {"ca_path": "/nonexistent/ca.pem"}}, "ca_path /nonexistent/ca.pem cannot be read: No such file"),
        ({"trust": {"client_cert": "/nonexistent/cert.pem"}}, "client_cert /nonexistent/cert.pem cannot be read"),
        ({"trust": {"client_key": "/nonexistent/key.pem"}}, "client_key is given without client_cert"),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(
    serve: Callable[..., Server], options: dict[str, Any], reason: str
) -> None:
    server = serve(NEW_PANDA)
    with pytest.raises(health.InputError) as caught:
        ask(server.url, **options)
    assert reason in str(caught.value)
    assert not server.requests


def test_no_target_at_all_is_refused() -> None:
    with pytest.raises(health.InputError, match="targets is empty"):
        health.check([])


# --- alive, and how it is asked ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("api", "behaviour", "answered", "paths"),
    [
        ("v1", NEW_PANDA, "v1", [V1]),
        ("auto", NEW_PANDA, "v1", [V1]),
        ("legacy", OLD_PANDA, "legacy", [LEGACY]),
        ("auto", OLD_PANDA, "legacy", [V1, LEGACY]),
        ("auto", answering({LEGACY: (200, b"alive=yes")}), "legacy", [V1, LEGACY]),
        ("auto", answering({V1: (200, b"<html>"), LEGACY: (200, b"alive=yes")}), "legacy", [V1, LEGACY]),
    ],
    ids=["v1", "auto-new", "legacy", "auto-403", "auto-404", "auto-foreign-page"],
)
def test_a_living_server_of_either_generation_is_found_alive_at_the_first_try(
    serve: Callable[..., Server], api: str, behaviour: Behaviour, answered: str, paths: list[str]
) -> None:
    server = serve(behaviour)
    (result,) = ask(server.url, api=api)
    assert result.alive, result
    assert (result.category, result.api, result.status, result.attempts) == ("alive", answered, 200, 1)
    assert 0 < result.latency < MARGIN
    assert server.paths() == paths


def test_v1_is_asked_for_json_on_a_connection_of_its_own(serve: Callable[..., Server]) -> None:
    server = serve(NEW_PANDA)
    ask(server.url)
    request = server.requests[0]
    assert request.startswith(f"GET {V1} HTTP/1.1\r\n")
    for header in ("Accept: application/json", "Connection: close", "Accept-Encoding: identity"):
        assert f"{header}\r\n" in request


def test_success_false_with_status_200_is_not_alive_and_keeps_its_reason(serve: Callable[..., Server]) -> None:
    server = serve(answering({V1: (200, b'{"success": false, "message": "expecting GET, received POST"}')}))
    result = try_once(server.url)
    assert (result.alive, result.category, result.status, result.api) == (False, "not_alive", 200, "v1")
    assert "expecting GET, received POST" in result.message
    assert LEGACY not in server.paths()


def test_alive_no_of_an_old_server_is_not_alive(serve: Callable[..., Server]) -> None:
    result = try_once(serve(answering({LEGACY: (200, b"alive=no")})).url)
    assert (result.category, result.api) == ("not_alive", "legacy")


@pytest.mark.parametrize(
    ("api", "answers", "category", "status", "answered"),
    [
        ("v1", {V1: (403, b"ERROR : Token authentication failed.")}, "http", 403, "v1"),
        ("legacy", {LEGACY: (403, b"ERROR : method isAlive is forbidden")}, "http", 403, "legacy"),
        ("auto", {V1: (403, b""), LEGACY: (403, b"")}, "http", 403, "v1"),
        ("auto", {}, "http", 404, "v1"),
        ("auto", {V1: (500, b"<html>Internal Server Error</html>")}, "http", 500, "v1"),
        ("auto", {V1: (403, b""), LEGACY: (500, b"")}, "http", 500, "legacy"),
        ("v1", {V1: (200, b"<html>It works!</html>")}, "not_panda", 200, "v1"),
        ("auto", {V1: (200, b"welcome"), LEGACY: (200, b"welcome")}, "not_panda", 200, "v1"),
    ],
)
def test_an_http_answer_that_is_not_alive_is_classified(
    serve: Callable[..., Server], api: str, answers: dict[str, Any], category: str, status: int, answered: str
) -> None:
    result = try_once(serve(answering(answers)).url, api=api)
    assert (result.alive, result.category, result.status, result.api) == (False, category, status, answered)


def test_a_redirect_is_reported_and_not_followed(serve: Callable[..., Server]) -> None:
    elsewhere = serve(NEW_PANDA)
    server = serve(sending(http_answer(301, b"", f"Location: {elsewhere.url}{V1}")))
    result = try_once(server.url)
    assert (result.alive, result.category, result.status) == (False, "http", 301)
    assert elsewhere.url in result.message
    assert not elsewhere.requests


# --- servers that misbehave -------------------------------------------------------------------------------------------


def test_a_closed_port_is_refused(closed_port: int) -> None:
    result = try_once(f"http://127.0.0.1:{closed_port}")
    assert (result.alive, result.category, result.status) == (False, "refused", None)
    assert f"127.0.0.1:{closed_port}" in result.message


def test_a_host_that_drops_connections_times_out_while_connecting(deaf_port: int) -> None:
    (result,) = ask(f"http://127.0.0.1:{deaf_port}")
    assert (result.category, result.status) == ("timeout", None)
    assert "(connect)" in result.message


@pytest.mark.parametrize(
    "behaviour",
    [
        lambda connection, path: time.sleep(5),
        dripping(b"HTTP/1.1 200 OK\r\n", b"X-Drip: 1\r\n"),
        dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", b" "),
        dripping(b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
        dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
    ids=["silent", "headers", "continue", "body", "body-without-length", "chunks"],
)
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_a_slow_or_drip_feeding_server_does_not_outlive_the_try(
    serve: Callable[..., Server], certificates: Certificates, behaviour: Behaviour, tls: bool
) -> None:
    server = serve(behaviour, certificates.server() if tls else None)
    start = time.monotonic()
    verdict = try_once(server.url, api="v1", seconds=0.25, ca_path=certificates.ca_file)
    assert time.monotonic() - start < 0.25 + MARGIN
    assert verdict.category == "timeout", verdict
    assert "(read)" in verdict.message
    assert not verdict.dead


def test_a_tls_handshake_that_never_ends_does_not_outlive_the_try(serve: Callable[..., Server]) -> None:
    server = serve(lambda connection, path: time.sleep(5))
    start = time.monotonic()
    verdict = try_once(server.url.replace("http:", "https:"), seconds=0.25)
    assert time.monotonic() - start < 0.25 + MARGIN
    assert verdict.category == "timeout"
    assert "TLS handshake did not finish" in verdict.message


@pytest.mark.parametrize("length", ["Content-Length: 10000000000\r\n", ""], ids=["announced", "endless"])
def test_a_huge_body_is_left_unread_beyond_the_limit(serve: Callable[..., Server], length: str) -> None:
    sent: list[int] = []

    def flood(connection: socket.socket, path: str) -> None:
        connection.sendall(f"HTTP/1.1 200 OK\r\n{length}\r\n".encode())
        for _chunk in range(10000):
            connection.sendall(b"x" * 65536)
            sent.append(65536)

    result = try_once(serve(flood).url, api="v1")
    assert result.category == "not_panda"
    assert "more than 64 KiB" in result.message
    assert sum(sent) < 200e6


@pytest.mark.parametrize(
    ("behaviour", "category"),
    [
        (resetting, "error"),
        (lambda connection, path: None, "error"),
        (sending(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + ALIVE), "error"),
        (sending(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2e\r\n" + ALIVE), "error"),
        (sending(b"SSH-2.0-OpenSSH_9.2\r\n"), "not_panda"),
        (sending(b"HTTP/1.1 abc\r\n\r\n"), "not_panda"),
        (sending(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000 + b"\r\n"), "not_panda"),
    ],
    ids=["reset", "closed", "cut-short", "cut-chunk", "ssh", "bad-status", "too-many-headers"],
)
def test_a_broken_answer_is_classified(serve: Callable[..., Server], behaviour: Behaviour, category: str) -> None:
    result = try_once(serve(behaviour).url, api="v1")
    assert (result.alive, result.category) == (False, category), result
    assert result.message.isprintable() and "object at 0x" not in result.message


def test_a_name_that_does_not_exist_is_dns() -> None:
    result = try_once("http://panda.invalid:25080")
    assert (result.category, result.status) == ("dns", None)
    assert "panda.invalid" in result.message


@pytest.mark.parametrize("host", ["a" * 64 + ".example.org", "a..b", "*.example.org", "."])
def test_a_name_that_cannot_exist_fails_with_a_message(host: str) -> None:
    result = try_once(f"http://{host}:25080")
    assert result.category in ("dns", "error")
    assert result.message.isprintable()


def test_a_resolver_that_hangs_does_not_outlive_the_deadline(
    resolver: Callable[[Callable[[], list[Any]]], None],
) -> None:
    gate = threading.Event()
    resolver(lambda: [] if gate.wait(20) else [])
    start = time.monotonic()
    verdict = try_once("http://panda.example.org:25080", seconds=0.25)
    gate.set()
    assert time.monotonic() - start < 0.25 + MARGIN
    assert verdict.category == "dns"
    assert "did not resolve within" in verdict.message


def test_a_dead_address_of_a_name_does_not_hide_the_living_one(
    serve: Callable[..., Server], deaf_port: int, resolver: Callable[[Callable[[], list[Any]]], None]
) -> None:
    ports = (deaf_port, serve(NEW_PANDA).port)
    resolver(lambda: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in ports])
    verdict = try_once("http://panda.example.org:25080", seconds=1.0)
    assert verdict.alive, verdict


def test_an_ipv6_literal_is_asked() -> None:
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 loopback")
    port = listener.getsockname()[1]

    def once() -> None:
        connection, _address = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(http_answer(200, ALIVE))

    threading.Thread(target=once, daemon=True).start()
    with listener:
        result = try_once(f"http://[::1]:{port}")
    assert result.alive, result


# --- TLS --------------------------------------------------------------------------------------------------------------


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


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    ca = make_certificate(folder / "ca.pem", "Test CA", None, (-10, 10))
    stranger = make_certificate(folder / "stranger-ca.pem", "Unknown CA", None, (-10, 10))
    make_certificate(folder / "good.pem", "127.0.0.1", ca, (-1, 1))
    make_certificate(folder / "expired.pem", "127.0.0.1", ca, (-3, -1))
    make_certificate(folder / "early.pem", "127.0.0.1", ca, (1, 3))
    make_certificate(folder / "other-name.pem", "panda.example.org", ca, (-1, 1))
    make_certificate(folder / "other-address.pem", "192.0.2.1", ca, (-1, 1))
    make_certificate(folder / "unknown.pem", "127.0.0.1", stranger, (-1, 1))
    make_certificate(folder / "client.pem", "client", ca, (-1, 1))
    make_certificate(folder / "unknown-client.pem", "client", stranger, (-1, 1))
    return Certificates(folder)


@pytest.mark.parametrize("tls12", [False, True], ids=["tls13", "tls12"])
def test_a_living_server_over_tls_is_alive_with_the_ca_of_a_grid(
    serve: Callable[..., Server], certificates: Certificates, tls12: bool
) -> None:
    server = serve(NEW_PANDA, certificates.server(tls12=tls12))
    result = try_once(server.url, ca_path=certificates.ca_file)
    assert result.alive, result


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("expired", "has expired"),
        ("early", "not valid yet"),
        ("other-name", "another name"),
        ("other-address", "another name"),
        ("unknown", "CA that is not trusted"),
    ],
)
def test_a_certificate_that_must_not_be_trusted_is_named_and_nothing_is_asked(
    serve: Callable[..., Server], certificates: Certificates, name: str, said: str
) -> None:
    server = serve(NEW_PANDA, certificates.server(name))
    result = try_once(server.url, ca_path=certificates.ca_file)
    assert (result.alive, result.category, result.status) == (False, "tls", None)
    assert said in result.message
    assert not server.requests


def test_without_ca_path_an_own_ca_is_not_trusted(serve: Callable[..., Server], certificates: Certificates) -> None:
    result = try_once(serve(NEW_PANDA, certificates.server()).url)
    assert result.category == "tls"
    assert "ca_path" in result.message


@pytest.mark.parametrize("name", ["expired", "other-name", "unknown"])
def test_validation_can_be_switched_off(serve: Callable[..., Server], certificates: Certificates, name: str) -> None:
    (result,) = ask(serve(NEW_PANDA, certificates.server(name)).url, trust={"validate_certs": False})
    assert result.alive, result


def test_ca_path_may_be_a_directory_of_hashed_certificates(
    serve: Callable[..., Server], certificates: Certificates, tmp_path: Path
) -> None:
    command = ["openssl", "x509", "-noout", "-hash", "-in", certificates.ca_file]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (tmp_path / f"{done.stdout.strip()}.0").write_bytes(Path(certificates.ca_file).read_bytes())
    server = serve(NEW_PANDA, certificates.server())
    result = try_once(server.url, ca_path=str(tmp_path))
    assert result.alive, result


def test_files_that_are_no_certificates_are_refused_with_their_names(
    certificates: Certificates, tmp_path: Path
) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"ca_path": str(junk)}, "ca_path .* no PEM certificate"),
        ({"ca_path": str(tmp_path)}, "openssl rehash"),
        ({"client_cert": str(junk)}, "junk.pem .* cannot be loaded"),
        ({"client_cert": certificates.file("client"), "client_key": str(junk)}, "junk.pem cannot be loaded"),
        ({"client_cert": str(certificates.folder / "client.crt")}, "private key in .*client.crt cannot be loaded"),
        (
            {"client_cert": certificates.file("client"), "client_key": str(certificates.folder / "good.key")},
            "does not belong",
        ),
        (
            {"client_cert": certificates.file("client"), "client_key": str(certificates.folder / "client.locked")},
            "is encrypted",
        ),
    ]
    for trust, reason in cases:
        with pytest.raises(health.InputError, match=reason):
            health.tls_context(health.Trust(**trust))


@pytest.mark.parametrize("tls12", [False, True], ids=["tls13", "tls12"])
def test_a_server_that_demands_a_client_certificate_gets_it_or_is_explained(
    serve: Callable[..., Server], certificates: Certificates, tls12: bool
) -> None:
    server = serve(NEW_PANDA, certificates.server(client_ca=True, tls12=tls12))
    ca: dict[str, Any] = {"ca_path": certificates.ca_file}
    without = try_once(server.url, **ca)
    assert (without.alive, without.category) == (False, "tls"), without
    assert "client certificate" in without.message
    wrong = try_once(server.url, **ca, client_cert=certificates.file("unknown-client"))
    assert (wrong.alive, wrong.category) == (False, "tls"), wrong
    # With TLS 1.3 the refusal may arrive when the request is already being written to a closed connection.
    assert re.search("accepts? the client certificate", wrong.message), wrong
    combined = try_once(server.url, **ca, client_cert=certificates.file("client"))
    assert combined.alive, combined
    folder = certificates.folder
    separate = try_once(server.url, **ca, client_cert=str(folder / "client.crt"), client_key=str(folder / "client.key"))
    assert separate.alive, separate


def test_plain_http_on_the_https_port_is_explained(serve: Callable[..., Server], certificates: Certificates) -> None:
    """This server closes without a word, as some do; others say it in an alert or a page, see below."""
    result = try_once(serve(NEW_PANDA, certificates.server()).url.replace("https:", "http:"))
    assert result.category in ("tls", "error")
    assert "https://" in result.message


def test_a_tls_alert_in_answer_to_plain_http_is_explained(serve: Callable[..., Server]) -> None:
    result = try_once(serve(sending(b"\x15\x03\x01\x00\x02\x02\x46")).url)
    assert result.category == "tls", result
    assert "https://" in result.message


def test_the_answer_of_httpd_to_plain_http_on_its_https_port_is_explained(serve: Callable[..., Server]) -> None:
    page = b"<p>Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />Use HTTPS instead.</p>"
    result = try_once(serve(sending(http_answer(400, page))).url)
    assert (result.category, result.status) == ("tls", 400)
    assert "https://" in result.message


@pytest.mark.parametrize("words", [http_answer(400, b"Bad Request"), b"SSH-2.0-OpenSSH_9.2\r\n"], ids=["http", "ssh"])
def test_https_on_a_port_without_tls_is_explained(serve: Callable[..., Server], words: bytes) -> None:
    server = serve(sending(words), patient=False)
    result = try_once(server.url.replace("http:", "https:"))
    assert result.category == "tls", result
    assert "does not speak TLS" in result.message


# --- proxies ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def proxy_environment(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def use(url: str) -> None:
        for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
            for form in (name, name.upper()):
                monkeypatch.delenv(form, raising=False)
        monkeypatch.setenv("http_proxy", url)
        monkeypatch.setenv("https_proxy", url)

    return use


def test_the_environments_proxy_is_ignored_unless_asked_for(
    serve: Callable[..., Server], proxy_environment: Callable[[str], None]
) -> None:
    server, proxy = serve(NEW_PANDA), serve(sending(http_answer(200, ALIVE)))
    proxy_environment(proxy.url)
    direct = try_once(server.url)
    assert direct.alive and not proxy.requests
    through = try_once("http://panda.invalid:25080", use_proxy=True)
    assert through.alive, through
    assert proxy.paths() == [f"http://panda.invalid:25080{V1}"]


def test_https_goes_through_the_tunnel_of_a_proxy(
    serve: Callable[..., Server], certificates: Certificates, proxy_environment: Callable[[str], None]
) -> None:
    server = serve(NEW_PANDA, certificates.server())

    def tunnel(connection: socket.socket, path: str) -> None:
        host, _colon, port = path.rpartition(":")
        with socket.create_connection((host, int(port))) as beyond:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")

            def back() -> None:
                with contextlib.suppress(OSError):
                    while data := beyond.recv(65536):
                        connection.sendall(data)
                    connection.shutdown(socket.SHUT_WR)

            threading.Thread(target=back, daemon=True).start()
            while data := connection.recv(65536):
                beyond.sendall(data)

    proxy = serve(tunnel)
    proxy_environment(proxy.url)
    result = try_once(server.url, use_proxy=True, ca_path=certificates.ca_file)
    assert result.alive, result
    assert proxy.paths() == [f"127.0.0.1:{server.port}"]


def test_a_proxy_that_is_down_is_blamed_itself_without_its_password(
    closed_port: int, proxy_environment: Callable[[str], None]
) -> None:
    proxy_environment(f"http://user:s3cret@127.0.0.1:{closed_port}")
    (result,) = ask("http://panda.invalid:25080", trust={"use_proxy": True}, state="dead")
    assert result.category == "refused"
    assert f"the proxy 127.0.0.1:{closed_port}" in result.message
    assert "s3cret" not in result.message
    assert result.attempts > 1, "a proxy that is down does not prove a server dead"


# --- many targets, waiting, the deadline ------------------------------------------------------------------------------


def test_results_keep_the_order_of_the_targets_and_no_dead_one_hides_another(
    serve: Callable[..., Server], closed_port: int, deaf_port: int
) -> None:
    alive, failing, slow = serve(NEW_PANDA), serve(answering({V1: (500, b"")})), serve(dripping(b"", b"H"))
    kinds = {
        alive.url: "alive",
        failing.url: "http",
        f"http://127.0.0.1:{closed_port}": "refused",
        f"http://127.0.0.1:{deaf_port}": "timeout",
        slow.url: "timeout",
    }
    targets = [url for _round in range(12) for url in kinds]
    start = time.monotonic()
    results = ask(*targets, timeout=1.5, try_timeout=1.0)
    assert time.monotonic() - start < 1.5 + MARGIN
    assert [result.target for result in results] == targets
    assert [result.category for result in results] == [kinds[url] for url in targets]


def test_all_targets_are_asked_at_the_same_time(serve: Callable[..., Server]) -> None:
    together = threading.Barrier(20)

    def behave(connection: socket.socket, path: str) -> None:
        together.wait(timeout=10)
        connection.sendall(http_answer(200, ALIVE))

    results = ask(*[serve(behave).url] * 20, timeout=10, try_timeout=10)
    assert all(result.alive for result in results)


def test_a_server_that_becomes_alive_is_waited_for(serve: Callable[..., Server], closed_port: int) -> None:
    timer = threading.Timer(1.0, lambda: serve(NEW_PANDA, port=closed_port))
    timer.start()
    (result,) = ask(f"http://127.0.0.1:{closed_port}", timeout=15, try_timeout=5)
    timer.join()
    assert result.alive, result
    assert result.attempts > 1


def test_a_server_whose_application_still_fails_is_waited_for(serve: Callable[..., Server]) -> None:
    answers = iter([(503, b""), (500, b""), (200, b'{"success": false}')])

    def behave(connection: socket.socket, path: str) -> None:
        connection.sendall(http_answer(*next(answers, (200, ALIVE))))

    (result,) = ask(serve(behave).url, timeout=15, try_timeout=5)
    assert (result.alive, result.attempts) == (True, 4)


def test_pauses_between_tries_grow_so_that_a_starting_server_is_not_flooded(serve: Callable[..., Server]) -> None:
    server = serve(answering({V1: (500, b"")}))
    (result,) = ask(server.url, timeout=2.4, try_timeout=1.0)
    assert 3 <= result.attempts <= 6, "tries at about 0, 0.25, 0.75, 1.75 s"
    assert len(server.requests) == result.attempts


def test_a_last_try_that_is_cut_short_does_not_hide_the_reason(serve: Callable[..., Server]) -> None:
    answers = iter([http_answer(500, b"ImportError")])

    def behave(connection: socket.socket, path: str) -> None:
        for answer in answers:
            connection.sendall(answer)
            return
        time.sleep(5)

    (result,) = ask(serve(behave).url, timeout=0.8, try_timeout=10)
    assert (result.category, result.status, result.attempts) == ("http", 500, 2)
    assert "ImportError" in result.message
    assert result.latency < 0.5


@pytest.mark.parametrize("behaviour", [answering({V1: (500, b"")}), answering({V1: (200, b"{'success': False}")})])
def test_dead_is_reached_by_a_server_that_fails_or_says_so(serve: Callable[..., Server], behaviour: Behaviour) -> None:
    report = health.check([health.parse_target(serve(behaviour).url)], state="dead", timeout=5)
    assert not report.unmet
    assert report.results[0].attempts == 1


def test_dead_is_reached_by_a_closed_port_and_by_a_host_that_drops_connections(
    closed_port: int, deaf_port: int
) -> None:
    targets = [health.parse_target(f"http://127.0.0.1:{port}") for port in (closed_port, deaf_port)]
    report = health.check(targets, state="dead", timeout=5, try_timeout=0.3)
    assert not report.unmet
    assert [result.attempts for result in report.results] == [1, 1]


def test_dead_waits_for_a_living_server_to_go(serve: Callable[..., Server]) -> None:
    server = serve(NEW_PANDA)
    timer = threading.Timer(0.8, server.close)
    timer.start()
    report = health.check([health.parse_target(server.url)], state="dead", timeout=15, try_timeout=5)
    timer.join()
    assert not report.unmet, report
    assert report.results[0].category == "refused"
    assert report.results[0].attempts > 1


@pytest.mark.parametrize(
    "behaviour",
    [
        NEW_PANDA,
        answering({}),
        answering({V1: (200, b"<html>"), LEGACY: (200, b"<html>")}),
        lambda connection, path: time.sleep(3),
        lambda connection, path: None,
    ],
    ids=["alive", "404", "other-service", "hanging", "closing"],
)
def test_dead_is_not_taken_for_granted_from_what_proves_nothing(
    serve: Callable[..., Server], behaviour: Behaviour
) -> None:
    report = health.check([health.parse_target(serve(behaviour).url)], state="dead", timeout=0.5, try_timeout=0.3)
    assert len(report.unmet) == 1


def test_a_name_or_a_certificate_problem_is_no_proof_that_a_server_is_dead(
    serve: Callable[..., Server], certificates: Certificates
) -> None:
    targets = [serve(NEW_PANDA, certificates.server()).url, "https://panda.invalid:25443"]
    report = health.check([health.parse_target(url) for url in targets], state="dead", timeout=0.5)
    assert [result.category for result in report.unmet] == ["tls", "dns"]


def test_no_thread_or_socket_is_left_behind(serve: Callable[..., Server], closed_port: int) -> None:
    server = serve(NEW_PANDA)
    ask(*[server.url, f"http://127.0.0.1:{closed_port}"] * 5)
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith(("is_alive", "resolve"))]
