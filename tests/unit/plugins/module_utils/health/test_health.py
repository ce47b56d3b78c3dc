# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many servers at once, waiting, and the deadline."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.pandawms.panda.plugins.module_utils._health import Result, check
from ansible_collections.pandawms.panda.plugins.module_utils._health_probe import Trust
from ansible_collections.pandawms.panda.plugins.module_utils._health_target import InputError, parse_target
from ansible_collections.pandawms.panda.tests.unit.plugins.module_utils.health.servers import (
    ALIVE,
    LEGACY,
    MARGIN,
    NEW_PANDA,
    V1,
    Behaviour,
    Certificates,
    Server,
    answering,
    dripping,
    http_answer,
)


def ask(*urls: str, **options: Any) -> list[Result]:
    """Check with a short deadline; one entry a target."""
    options.setdefault("timeout", 0.5)
    options.setdefault("try_timeout", 0.4)
    trust = Trust(**options.pop("trust", {}))
    return check([parse_target(url) for url in urls], trust=trust, **options).results


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
    with pytest.raises(InputError) as caught:
        ask(server.url, **options)
    assert reason in str(caught.value)
    assert not server.requests


def test_no_target_at_all_is_refused() -> None:
    with pytest.raises(InputError, match="targets is empty"):
        check([])


def test_a_living_server_is_found_alive_at_the_first_try_with_the_time_that_it_took(
    serve: Callable[..., Server],
) -> None:
    server = serve(NEW_PANDA)
    (result,) = ask(server.url)
    assert (result.target, result.alive, result.attempts) == (server.url, True, 1), result
    assert 0 < result.latency < MARGIN
    assert len(server.requests) == 1


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
    report = check([parse_target(serve(behaviour).url)], state="dead", timeout=5)
    assert not report.unmet
    assert report.results[0].attempts == 1


def test_dead_is_reached_by_a_closed_port_and_by_a_host_that_drops_connections(
    closed_port: int, deaf_port: int
) -> None:
    targets = [parse_target(f"http://127.0.0.1:{port}") for port in (closed_port, deaf_port)]
    report = check(targets, state="dead", timeout=5, try_timeout=0.3)
    assert not report.unmet
    assert [result.attempts for result in report.results] == [1, 1]


def test_a_connection_that_had_less_than_its_time_is_no_proof_of_death() -> None:
    """The server answers twice, and then drops connections, as one lost packet would, until the end cuts the try short."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)

        def answer_twice_and_be_deaf() -> None:
            for _request in range(2):
                with listener.accept()[0] as connection:
                    connection.recv(4096)
                    connection.sendall(http_answer(200, ALIVE))
            for _connection in range(4):
                filler = stack.enter_context(socket.socket())
                filler.setblocking(False)
                filler.connect_ex(listener.getsockname())

        threading.Thread(target=answer_twice_and_be_deaf, daemon=True).start()
        target = parse_target(f"http://127.0.0.1:{listener.getsockname()[1]}")
        report = check([target], state="dead", timeout=1.5, try_timeout=1.0)
    assert [(result.category, result.alive) for result in report.unmet] == [("alive", True)]


def test_dead_waits_for_a_living_server_to_go(serve: Callable[..., Server]) -> None:
    server = serve(NEW_PANDA)
    timer = threading.Timer(0.8, server.close)
    timer.start()
    report = check([parse_target(server.url)], state="dead", timeout=15, try_timeout=5)
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
    report = check([parse_target(serve(behaviour).url)], state="dead", timeout=0.5, try_timeout=0.3)
    assert len(report.unmet) == 1


def test_a_name_or_a_certificate_problem_is_no_proof_that_a_server_is_dead(
    serve: Callable[..., Server], certificates: Certificates
) -> None:
    targets = [serve(NEW_PANDA, certificates.server()).url, "https://panda.invalid:25443"]
    report = check([parse_target(url) for url in targets], state="dead", timeout=0.5)
    assert [result.category for result in report.unmet] == ["tls", "dns"]


def test_no_thread_or_socket_is_left_behind(serve: Callable[..., Server], closed_port: int) -> None:
    server = serve(NEW_PANDA)
    ask(*[server.url, f"http://127.0.0.1:{closed_port}"] * 5)
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith(("is_alive", "resolve"))]
