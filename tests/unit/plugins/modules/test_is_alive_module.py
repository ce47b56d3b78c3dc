# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module, against real HTTP servers on 127.0.0.1; what servers can do wrong is tested with its core."""

from __future__ import annotations

import http.server
import importlib.util
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from ansible_collections.pandawms.panda.plugins.module_utils import _health_probe
from ansible_collections.pandawms.panda.plugins.module_utils._health import STATES
from ansible_collections.pandawms.panda.plugins.module_utils._health_verdict import APIS, PATHS
from ansible_collections.pandawms.panda.plugins.modules import is_alive

RunModule = Callable[..., dict[str, Any]]


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as PanDA 1.0 does, with what the server's ``success`` says."""

    def do_GET(self) -> None:
        server: Any = self.server
        server.asked.append(self.path)
        known = self.path == PATHS["v1"]
        body = json.dumps({"success": server.success, "message": server.reason, "data": None}) if known else "ERROR"
        self.send_response(200 if known else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: Any) -> None:
        """Tests are quiet."""


class Panda(http.server.ThreadingHTTPServer):
    def __init__(self, success: bool = True, reason: str = "") -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.success = success
        self.reason = reason
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


@pytest.fixture
def panda() -> Iterator[Callable[..., Panda]]:
    servers: list[Panda] = []

    def start(**state: Any) -> Panda:
        servers.append(Panda(**state))
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def closed_url() -> Iterator[str]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{holder.getsockname()[1]}"


@pytest.fixture
def run(run_module: RunModule) -> RunModule:
    def call(**arguments: Any) -> dict[str, Any]:
        return run_module(is_alive.main, **arguments)

    return call


@pytest.mark.parametrize("check_mode", [False, True])
def test_living_servers_succeed_in_check_mode_too_and_nothing_is_changed(
    run: RunModule, panda: Callable[..., Panda], check_mode: bool
) -> None:
    servers = [panda(), panda()]
    result = run(targets=[server.url for server in servers], _ansible_check_mode=check_mode)
    assert result["rc_exit"] == 0, result
    assert result["changed"] is False
    assert result["msg"] == "2 of 2 targets are alive."
    assert [one["target"] for one in result["targets"]] == [server.url for server in servers]
    assert [server.asked for server in servers] == [[PATHS["v1"]]] * 2


def test_the_failure_names_each_target_that_is_not_alive_and_why_and_returns_all(
    run: RunModule, panda: Callable[..., Panda], closed_url: str
) -> None:
    alive, dead = panda(), panda(success=False, reason="no database")
    result = run(targets=[closed_url, alive.url, dead.url], timeout=0.4)
    assert result["rc_exit"] == 1
    assert result["failed"] is True and result["changed"] is False
    assert result["msg"].startswith("2 of 3 targets are not alive after ")
    assert f"{closed_url}: Nothing listens on" in result["msg"]
    assert f"{dead.url}: The PanDA server says that it is not alive (no database)" in result["msg"]
    assert alive.url not in result["msg"]
    assert [(one["target"], one["category"]) for one in result["targets"]] == [
        (closed_url, "refused"),
        (alive.url, "alive"),
        (dead.url, "not_alive"),
    ]


def test_state_dead_succeeds_for_dead_servers_and_fails_for_a_living_one(
    run: RunModule, panda: Callable[..., Panda], closed_url: str
) -> None:
    result = run(targets=[closed_url], state="dead")
    assert (result["rc_exit"], result["msg"]) == (0, "1 of 1 target is dead.")
    server = panda()
    result = run(targets=[closed_url, server.url], state="dead", timeout=0.4)
    assert result["rc_exit"] == 1
    assert result["msg"].startswith("1 of 2 targets are not dead after ")
    assert f"{server.url}: The PanDA server says that it is alive." in result["msg"]


def test_the_api_that_is_asked_for_reaches_the_server(run: RunModule, panda: Callable[..., Panda]) -> None:
    server = panda()
    result = run(targets=[server.url], api="legacy", timeout=0.2)
    assert result["targets"][0]["status"] == 403
    assert set(server.asked) == {PATHS["legacy"]}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"targets": []}, "targets is empty"),
        ({"targets": ["host:25443"]}, "has no scheme"),
        ({"targets": ["ftp://host:21"]}, "only http and https are known"),
        ({"targets": ["https://host:99999"]}, "no valid port"),
        ({"targets": ["https://host:25443/api"]}, "has a path or a query"),
        ({"ca_path": "/nonexistent/ca.pem"}, "ca_path /nonexistent/ca.pem cannot be read: No such file or directory."),
        ({"client_cert": "/nonexistent/cert.pem"}, "client_cert /nonexistent/cert.pem cannot be read"),
        ({"client_key": "/nonexistent/key.pem"}, "client_cert"),
        ({"timeout": 0}, "greater than 0"),
        ({"try_timeout": -1}, "greater than 0"),
        ({"timeout": "soon"}, "timeout"),
        ({"api": "v2"}, "one of: auto, v1, legacy"),
        ({"state": "present"}, "one of: alive, dead"),
        ({}, None),
    ],
)
def test_bad_input_fails_with_one_sentence_before_anything_is_asked(
    run: RunModule, panda: Callable[..., Panda], arguments: dict[str, Any], reason: str | None
) -> None:
    server = panda()
    given = {"targets": [server.url], **arguments}
    given["targets"] = [*given["targets"], server.url] if given["targets"] else []
    result = run(**given)
    if reason is None:
        assert result["rc_exit"] == 0, "the case without a mistake proves that the others fail for theirs"
        return
    assert result["rc_exit"] == 1
    assert reason in result["msg"]
    assert "targets" not in result
    assert "Traceback" not in json.dumps(result)
    assert not server.asked


def test_without_requests_the_message_names_the_library_and_the_interpreter(
    run: RunModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(is_alive, "REQUESTS_IMPORT_ERROR", "Traceback: No module named 'requests'")
    result = run(targets=["http://127.0.0.1:1"])
    assert result["rc_exit"] == 1
    assert "(requests)" in result["msg"] and sys.executable in result["msg"]


def test_what_the_module_imports_can_be_imported_without_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or else there would be a traceback in place of the message."""
    monkeypatch.setitem(sys.modules, "requests", None)
    spec = importlib.util.spec_from_file_location("probe_without_requests", _health_probe.__file__)
    assert spec is not None and spec.loader is not None
    probe = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "probe_without_requests", probe)
    spec.loader.exec_module(probe)
    assert "requests" in probe.REQUESTS_IMPORT_ERROR
    assert _health_probe.REQUESTS_IMPORT_ERROR is None, "and with requests there is no error"


def test_every_returned_key_is_documented_and_every_documented_one_returned(
    run: RunModule, panda: Callable[..., Panda]
) -> None:
    documented = yaml.safe_load(is_alive.RETURN)
    result = run(targets=[panda().url])
    assert set(result) - {"rc_exit", "changed", "invocation", "warnings"} == set(documented)
    assert set(result["targets"][0]) == set(documented["targets"]["contains"])


def test_documented_options_defaults_and_choices_are_those_of_the_module(
    run: RunModule, panda: Callable[..., Panda], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = yaml.safe_load(is_alive.DOCUMENTATION)["options"]
    taken: dict[str, Any] = {}
    ask = is_alive.ask
    monkeypatch.setattr(is_alive, "ask", lambda params: taken.update(params) or ask(params))
    assert run(targets=[panda().url])["rc_exit"] == 0
    assert {name: value for name, value in taken.items() if name != "targets"} == {
        name: option.get("default") for name, option in options.items() if name != "targets"
    }
    assert tuple(options["api"]["choices"]) == APIS
    assert tuple(options["state"]["choices"]) == STATES


def test_examples_are_tasks_that_use_only_options_of_the_module() -> None:
    options = yaml.safe_load(is_alive.DOCUMENTATION)["options"]
    for task in yaml.safe_load(is_alive.EXAMPLES):
        assert set(task["pandawms.panda.is_alive"]) <= set(options)
        assert task["vars"] == {"ansible_python_interpreter": "/opt/panda/bin/python"}
