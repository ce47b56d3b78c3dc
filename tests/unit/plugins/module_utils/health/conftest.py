# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers, ports and certificates for the tests of is_alive."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.pandawms.panda.tests.unit.plugins.module_utils.health.servers import (
    Certificates,
    Server,
    make_certificate,
)


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


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    ca = make_certificate(folder / "ca.pem", "Test CA", None, (-10, 10))
    stranger = make_certificate(folder / "stranger-ca.pem", "Unknown CA", None, (-10, 10))
    make_certificate(folder / "good.pem", "127.0.0.1", ca, (-1, 1))
    make_certificate(folder / "ipv6.pem", "::1", ca, (-1, 1))
    make_certificate(folder / "expired.pem", "127.0.0.1", ca, (-3, -1))
    make_certificate(folder / "early.pem", "127.0.0.1", ca, (1, 3))
    make_certificate(folder / "other-name.pem", "panda.example.org", ca, (-1, 1))
    make_certificate(folder / "other-address.pem", "192.0.2.1", ca, (-1, 1))
    make_certificate(folder / "unknown.pem", "127.0.0.1", stranger, (-1, 1))
    make_certificate(folder / "client.pem", "client", ca, (-1, 1))
    make_certificate(folder / "unknown-client.pem", "client", stranger, (-1, 1))
    return Certificates(folder)
