# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One try at a server, which most of the time misbehaves."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.pandawms.panda.tests.unit.plugins.module_utils.health.servers import (
    ALIVE,
    LEGACY,
    MARGIN,
    NEW_PANDA,
    OLD_PANDA,
    V1,
    Behaviour,
    Certificates,
    Server,
    answering,
    dripping,
    http_answer,
    resetting,
    sending,
    try_once,
)


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
def test_a_living_server_of_either_generation_is_found_alive(
    serve: Callable[..., Server], api: str, behaviour: Behaviour, answered: str, paths: list[str]
) -> None:
    server = serve(behaviour)
    result = try_once(server.url, api=api)
    assert (result.category, result.api, result.status) == ("alive", answered, 200), result
    assert server.paths() == paths


def test_v1_is_asked_for_json_on_a_connection_of_its_own(serve: Callable[..., Server]) -> None:
    server = serve(NEW_PANDA)
    try_once(server.url)
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
    result = try_once(f"http://127.0.0.1:{deaf_port}", seconds=0.4)
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


@pytest.mark.parametrize(
    "behaviour",
    # A handshake record of 16 KiB that comes byte by byte.
    [lambda connection, path: time.sleep(5), dripping(b"\x16\x03\x03\x40\x00", b"\x02")],
    ids=["silent", "dripping"],
)
def test_a_tls_handshake_that_never_ends_does_not_outlive_the_try(
    serve: Callable[..., Server], behaviour: Behaviour
) -> None:
    server = serve(behaviour, patient=False)
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


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_an_ipv6_address_is_asked(serve: Callable[..., Server], certificates: Certificates, tls: bool) -> None:
    try:
        server = serve(NEW_PANDA, certificates.server("ipv6") if tls else None, host="::1")
    except OSError:
        pytest.skip("no IPv6 loopback")
    assert "//[::1]:" in server.url
    result = try_once(server.url, ca_path=certificates.ca_file)
    assert result.alive, result


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
    result = try_once("http://panda.invalid:25080", use_proxy=True)
    assert result.category == "refused"
    assert f"the proxy 127.0.0.1:{closed_port}" in result.message
    assert "s3cret" not in result.message
    assert not result.dead, "a proxy that is down does not prove a server dead"
