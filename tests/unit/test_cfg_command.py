# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cfg module called by the real ``ansible`` command, which ``ansible-test`` keeps away from the tests in ``plugins/``."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pandawms.panda.plugins.module_utils._cfg_mask import MASKED

BASE = "[server]\ndbhost = panda-database\ndbpasswd = FIXME\n"


@pytest.fixture
def ansible(collections_path: Path, tmp_path: Path) -> Callable[..., str]:
    command = shutil.which("ansible", path=os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]]))
    assert command, "the ansible command, which comes with ansible-core"
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(collections_path),
        "ANSIBLE_LOCAL_TEMP": str(tmp_path / "local"),
        "ANSIBLE_REMOTE_TEMP": str(tmp_path / "remote"),
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_INJECT_INVOCATION": "1",
    }

    def run(arguments: dict[str, Any], *flags: str) -> str:
        given = json.dumps(arguments)
        words = [command, "localhost", "-m", "pandawms.panda.cfg", "-a", given, "-vvv", "--diff", *flags]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)
        return done.stdout + done.stderr

    return run


def test_the_real_command_shows_no_secret_at_vvv(ansible: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "base").write_text(BASE)
    wanted: dict[str, Any] = {
        "path": str(tmp_path / "panda_server.cfg"),
        "base": str(tmp_path / "base"),
        "settings": {
            "server": {"dbpasswd": 4711, "CO2_BEARER_TOKEN": "q7k", "note": "Zx9", "emailPass": "longer-secret-text"},
            "daemon": {"config": {"add_main": {"period": 61, "client_secret": "k8w"}}},
        },
        "secrets": ["note"],
    }
    secrets = ("4711", "q7k", "Zx9", "longer-secret-text", "k8w")
    refused = {**wanted, "settings": {**wanted["settings"], "mcp": {"a": "007"}}}
    outputs = [ansible(wanted, "--check"), ansible(wanted), ansible(wanted), ansible(refused)]
    for output, state in zip(outputs, ("CHANGED", "CHANGED", "SUCCESS", "FAILED")):
        assert state in output
        assert MASKED in output
        assert not [secret for secret in secrets if secret in output]
    text = (tmp_path / "panda_server.cfg").read_text()
    assert all(secret in text for secret in secrets)
