# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cfg_info module on real files, in a home directory and a PANDA_HOME of its own."""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pandawms.panda.plugins.module_utils import _panda_config
from ansible_collections.pandawms.panda.plugins.module_utils._cfg_mask import MASKED
from ansible_collections.pandawms.panda.plugins.modules import cfg_info

Run = Callable[..., dict[str, Any]]

SYSTEM = """\
[server]
logdir = /var/log/panda
dbhost = panda-database
dbpasswd = system-secret
cache_dir = %(logdir)s/cache

[daemon]
enable = False
"""


class Host:
    """Everything that PanDA reads, below one directory."""

    def __init__(self, place: Path) -> None:
        self.etc = place / "system"
        self.home = place / "home"
        self.panda_home = place / "panda"
        self.environment = place / "sysconfig"
        for path in (self.etc, self.home / "etc/panda", self.panda_home / "etc/panda"):
            path.mkdir(parents=True)
        (self.panda_home / "etc/config_json").mkdir()
        self.overlay = self.panda_home / "etc/config_json/panda_server_config.json"
        self.set_environment()

    def set_environment(self, *lines: str) -> None:
        given = [f"HOME={self.home}", f'PANDA_HOME="{self.panda_home}"', *lines]
        self.environment.write_text("".join(line + "\n" for line in given))


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    result = Host(tmp_path)
    monkeypatch.setattr(_panda_config, "SYSTEM_DIRECTORIES", (str(result.etc), str(tmp_path / "usr")))
    return result


@pytest.fixture
def run(run_module: Run, host: Host) -> Run:
    def call(**arguments: Any) -> dict[str, Any]:
        return run_module(cfg_info.main, **{"environment_files": [str(host.environment)], **arguments})

    return call


def parameter(result: dict[str, Any], key: str) -> dict[str, Any]:
    (found,) = [each for each in result["parameters"] if each["key"] == key]
    return dict(found)


def test_the_later_place_wins_key_by_key_and_says_what_it_shadows(run: Run, host: Host) -> None:
    system, home = host.etc / "panda_server.cfg", host.home / "etc/panda/panda_server.cfg"
    panda = host.panda_home / "etc/panda/panda_server.cfg"
    system.write_text(SYSTEM)
    home.write_text("[server]\n\ndbhost = home-db\n")
    panda.write_text("[server]\ndbhost = panda-db\nlogdir = /data\n")
    host.overlay.write_text('{\n  "server": {\n    "dbhost":\n      "overlay-db",\n    "dbport": "5433"\n  }\n}\n')
    result = run()
    assert not result["changed"]
    assert result["settings"] == {
        "server": {
            "logdir": "/data",
            "dbhost": "overlay-db",
            "dbpasswd": MASKED,
            "cache_dir": "/data/cache",
            "dbport": 5433,
        },
        "daemon": {"enable": False},
    }
    assert parameter(result, "dbhost") == {
        "section": "server",
        "key": "dbhost",
        "value": "overlay-db",
        "path": str(host.overlay),
        "line": 3,
        "variable": None,
        "shadowed": [
            {"path": str(panda), "line": 2, "value": "panda-db"},
            {"path": str(home), "line": 3, "value": "home-db"},
            {"path": str(system), "line": 3, "value": "panda-database"},
        ],
    }
    assert [Path(file["path"]).parent.parent.name for file in result["files"] if file["state"] == "missing"] == [
        system.parent.parent.name,
        "etc",
    ]
    assert [file["path"] for file in result["files"] if file["state"] == "read"] == [
        str(path) for path in (system, home, panda, host.overlay)
    ]
    assert result["environment_files"] == [str(host.environment)]


def test_a_value_from_the_environment_is_typed_and_names_the_variable(run: Run, host: Host) -> None:
    (host.etc / "panda_server.cfg").write_text("[server]\na = $PORT\nb = ${{UNSET}}\nc = ${FLAG}\n")
    host.set_environment("PORT=25443", "FLAG='True'")
    result = run()
    assert result["settings"]["server"] == {"a": 25443, "b": "${{UNSET}}", "c": True}
    assert [parameter(result, key)["variable"] for key in "abc"] == ["PORT", None, "FLAG"]


def test_nothing_of_the_modules_own_environment_counts(run: Run, host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OWN", "seen")
    monkeypatch.setenv("PANDA_HOME", str(host.panda_home / "other"))
    (host.etc / "panda_server.cfg").write_text("[server]\na = $OWN\n")
    result = run()
    assert result["settings"]["server"] == {"a": "$OWN"}
    assert not [file for file in result["files"] if "other" in file["path"]]


SECRETS = """\
[server]
dbpasswd = 47%%11
url = db://%(dbpasswd)s@db
copy = x-longer-secret-text-x
CO2_BEARER_TOKEN = longer-secret-text
other = $DB_PASSWORD
note = Zx9
token_authType = oidc
"""


@pytest.mark.parametrize("check_mode", [False, True])
def test_no_secret_is_shown_unless_revealed(run: Run, host: Host, check_mode: bool) -> None:
    (host.etc / "panda_server.cfg").write_text(SECRETS)
    (host.home / "etc/panda/panda_server.cfg").write_text("[server]\ndbpasswd = q7k%%\n")
    host.overlay.write_text(
        '{"daemon": {"config": {"client_secret": "k8w", "period": 60}, "text": "{\\"token\\": 5566}"}}'
    )
    host.set_environment("DB_PASSWORD=e5e")
    before = sorted(host.etc.parent.rglob("*"))
    wanted: dict[str, Any] = {"secrets": ["server.note"], "_ansible_check_mode": check_mode}
    result = run(**wanted)
    for secret in ("47%11", "47%%11", "q7k", "longer-secret-text", "k8w", "5566", "e5e", "Zx9"):
        assert secret not in json.dumps({**result, "tmp": ""})
    server = result["settings"]["server"]
    assert server["url"] == f"db://{MASKED}@db"
    assert server["copy"] == f"x-{MASKED}-x"
    assert server["token_authType"] == "oidc"
    assert result["settings"]["daemon"]["config"] == {"client_secret": MASKED, "period": 60}
    revealed = run(**wanted, reveal=True)
    assert revealed["settings"]["server"] == {
        "dbpasswd": "q7k%",
        "url": "db://q7k%@db",
        "copy": "x-longer-secret-text-x",
        "CO2_BEARER_TOKEN": "longer-secret-text",
        "other": "e5e",
        "note": "Zx9",
        "token_authType": "oidc",
    }
    assert parameter(revealed, "dbpasswd")["shadowed"][0]["value"] == "47%11"
    assert sorted(host.etc.parent.rglob("*")) == before


def test_a_bare_host_has_nothing_and_a_warning(run: Run) -> None:
    result = run()
    assert result["settings"] == {}
    assert result["parameters"] == []
    assert {file["state"] for file in result["files"]} == {"missing"}
    assert "without which the server does not start" in str(result["warnings"])


def test_the_common_file_is_strings_and_has_no_overlay(run: Run, host: Host) -> None:
    (host.etc / "panda_common.cfg").write_text("[logger]\nlog_level = None\nrotating = 5\n")
    result = run(file="panda_common.cfg")
    assert result["settings"] == {"logger": {"log_level": "None", "rotating": "5"}}
    assert not [file for file in result["files"] if "json" in file["path"]]


def test_what_panda_does_not_read_is_a_warning_and_no_setting(run: Run, host: Host) -> None:
    (host.etc / "panda_server.cfg").write_text("[server]\na = 1\n[servr]\nb = x%\n")
    host.overlay.write_text('{"mcp": {"transport": "sse"}, "logger": {}}')
    result = run()
    assert result["settings"] == {"server": {"a": 1}, "mcp": {"transport": "sse"}}
    assert "[servr]" in str(result["warnings"])
    assert "'logger'" in str(result["warnings"])


@pytest.mark.parametrize(
    ("text", "overlay", "message"),
    [
        ("[server]\na = 1\na = 2\n", None, "{file}: [server] a, line 3: is set again, after line 2"),
        ("[server]\na = x%y\n", None, "[server] a, line 2: holds a single '%'"),
        ("[server]\n\xe9 = 1\n", None, "{file}: line 2: byte 0xe9 is not UTF-8"),
        ("[server]\n", "{", "line 1: {overlay} is not JSON"),
        ("[server]\n", "[]", "{overlay} must hold a JSON mapping of sections"),
        ("[server]\n", '{"server": 5}', "[server]: {overlay} must hold a JSON mapping of parameters"),
        ("[server]\n", "[" * 100000, "{overlay} is not JSON"),
    ],
)
def test_what_keeps_the_server_from_starting_is_named_with_its_place(
    run: Run, host: Host, text: str, overlay: str | None, message: str
) -> None:
    file = host.etc / "panda_server.cfg"
    file.write_bytes(text.encode("latin-1"))
    if overlay is not None:
        host.overlay.write_text(overlay)
    result = run()
    assert result["failed"]
    assert message.replace("{file}", str(file)).replace("{overlay}", str(host.overlay)) in result["msg"]
    assert "exception" not in result or "Traceback" not in str(result["exception"])


def test_a_file_that_cannot_be_read_is_passed_over_with_a_warning(run: Run, host: Host) -> None:
    # A directory in its place cannot be read even by root.
    (host.etc / "panda_server.cfg").mkdir()
    (host.home / "etc/panda/panda_server.cfg").write_text("[server]\na = 1\n")
    result = run(user=getpass.getuser())
    assert result["settings"] == {"server": {"a": 1}}
    assert result["files"][0] == {"path": str(host.etc / "panda_server.cfg"), "state": "unreadable"}
    assert "PanDA passes over it" in str(result["warnings"])


def test_root_reads_with_the_permissions_of_the_user_and_gets_its_own_back(run: Run, host: Host) -> None:
    (host.etc / "panda_server.cfg").write_text("[server]\na = 1\n")
    (host.etc / "panda_server.cfg").chmod(0o600)
    mine = os.geteuid(), os.getegid(), os.getgroups()
    result = run(user="nobody")
    if mine[0] == 0:
        assert result["files"][0]["state"] in ("unreadable", "missing")
        assert result["settings"] == {}
    else:
        assert "run the module with 'become'" in result["msg"]
    assert (os.geteuid(), os.getegid(), os.getgroups()) == mine


def test_an_unknown_user_is_named(run: Run) -> None:
    assert run(user="no-such-user")["msg"] == "there is no user no-such-user on this host; correct 'user'"
