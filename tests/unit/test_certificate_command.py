# SPDX-FileCopyrightText: The pandawms.panda maintainers
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role certificates renews what a command brings: played by the real ansible-playbook, with certificates that openssl has made."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from ansible_collections.pandawms.panda.tests.unit.reading import ROOT, load


def make_certificate(place: Path, days: int) -> None:
    place.mkdir(parents=True, exist_ok=True)
    command = f"openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=panda.example.org -days {days}"
    files = ["-keyout", str(place / "key.pem"), "-out", str(place / "cert.pem")]
    subprocess.run([*shlex.split(command), *files], check=True, capture_output=True)


def play(directory: Path, *flags: str) -> dict[str, bool]:
    """Play the tasks on all hosts, and say which of them were changed."""
    command = shutil.which(
        "ansible-playbook", path=os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    )
    assert command, "the command ansible-playbook, which comes with ansible-core"
    done = subprocess.run(
        [command, "-i", "hosts.json", "play.yml", *flags],
        cwd=directory,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_PIPELINING": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {name: count != "0" for name, count in re.findall(r"^(\w+) +: ok=.* changed=(\d+)", done.stdout, re.M)}


def test_a_certificate_is_fetched_when_there_is_none_and_again_before_it_ends(tmp_path: Path) -> None:
    new = tmp_path / "new"
    make_certificate(new, days=365)
    make_certificate(tmp_path / "ending", days=20)
    make_certificate(tmp_path / "lasting", days=60)
    hosts = {}
    for name in ("absent", "ending", "lasting"):
        place = tmp_path / name
        place.mkdir(exist_ok=True)
        hosts[name] = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "panda_certificate_source": "command",
            "panda_certificate_command": f"cp {new}/cert.pem {new}/key.pem {place}",
            "panda_certificate_renew_days": 30,
            "panda_hostcert": f"{place}/cert.pem",
        }
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts}}))
    fetch = load(ROOT / "roles/certificates/tasks/given.yml")[0]
    (tmp_path / "play.yml").write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [fetch]}]))
    fetched = (new / "cert.pem").read_text()
    lasting = (tmp_path / "lasting/cert.pem").read_text()

    assert play(tmp_path, "--check") == {"absent": True, "ending": True, "lasting": False}
    assert not (tmp_path / "absent/cert.pem").exists()
    assert (tmp_path / "ending/cert.pem").read_text() != fetched

    assert play(tmp_path) == {"absent": True, "ending": True, "lasting": False}
    there = {name: (tmp_path / name / "cert.pem").read_text() for name in hosts}
    assert there == {"absent": fetched, "ending": fetched, "lasting": lasting}
