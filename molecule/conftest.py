"""What the tests of all scenarios stand on: the hosts of the scenario, and what its inventory promises of each server."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import testinfra
from testinfra.host import Host

CHECKOUT = Path(__file__).resolve().parents[1]
SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
INVENTORIES = [f"--inventory={SCENARIO / 'inventory'}", f"--inventory={CHECKOUT / 'tests/hosts/inventory'}"]
# Taken out of the environment, so that what the tests run themselves does not write into it.
LOG = Path(os.environ.pop("ANSIBLE_LOG_PATH"))
PREFIX = f"panda-{hashlib.sha1(str(CHECKOUT).encode()).hexdigest()[:6]}-{SCENARIO.name}"

# What the setup guide says, and what holds where the inventory says nothing else.
GUIDE: dict[str, Any] = {
    "panda_user": "atlpan",
    "panda_group": "zp",
    "panda_home_dir": "/home/atlpan",
    "panda_install_dir": "/opt/panda",
    "panda_releases_dir": "/opt/panda-releases",
    "panda_log_dir": "/var/log/panda",
    "panda_certificate_dir": "/etc/grid-security",
    "panda_http_port": 25080,
    "panda_https_port": 25443,
    "panda_wsgi_processes": 12,
    "panda_database_host": "localhost",
}

# Runs on a host, which has no curl. A request goes out exactly as it is written here: no ".." is tidied away.
FETCH = """
import http.client, json, ssl, sys, time
scheme, host, port, path, ca = sys.argv[1:]
context = ssl.create_default_context(cafile=ca) if ca else ssl._create_unverified_context()
options = {"timeout": 30, **({"context": context} if scheme == "https" else {})}
began = time.monotonic()
try:
    connection = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}[scheme](host, int(port), **options)
    connection.request("GET", path, headers={"Accept": "application/json"})
    response = connection.getresponse()
    print(json.dumps([response.status, response.read().decode(errors="replace"), time.monotonic() - began]))
except OSError as error:
    print(json.dumps([0, repr(error), time.monotonic() - began]))
"""


@dataclass(frozen=True)
class Answer:
    """What came back for a request. ``status`` is 0 where nothing did; ``seconds`` is the time until the body was read."""

    status: int
    body: str
    seconds: float

    @property
    def alive(self) -> bool:
        """Whether the body says so, which alone decides: PanDA answers 200 to requests that failed."""
        try:
            return self.status == 200 and json.loads(self.body)["success"] is True
        except (ValueError, KeyError):
            return False


@dataclass
class Machine:
    """One host of the scenario: ``name`` in the inventory, ``container`` of podman, ``site`` its variables over the guide's values."""

    name: str
    site: dict[str, Any] = field(default_factory=dict)

    @property
    def container(self) -> str:
        return f"{PREFIX}-{self.name}"

    @property
    def host(self) -> Host:
        return testinfra.get_host(f"podman://{self.container}")

    def run(self, command: str, *words: str) -> str:
        """Run a command on the host, which has to succeed, and return what it printed."""
        result = self.host.run(command, *words)
        assert result.rc == 0, f"{self.name}: {command}: {result.stdout} {result.stderr}"
        return result.stdout.strip()

    def fetch(self, url: str, ca: str = "") -> Answer:
        """Ask from this host for a URL. ``ca`` is a file on this host; without it any certificate will do."""
        match = re.fullmatch(r"(https?)://([^:/]+):(\d+)(/.*)", url)
        assert match is not None
        return Answer(*json.loads(self.run("python3 -c %s %s %s %s %s %s", FETCH, *match.groups(), ca)))

    def url(self, path: str, scheme: str = "http", host: str = "") -> str:
        """A URL of the server on this host, by its name in the inventory."""
        return f"{scheme}://{host or self.name}:{self.site[f'panda_{scheme}_port']}{path}"

    def ready_wsgi_processes(self) -> int:
        """How many WSGI daemons have the application imported, by its database driver being loaded. The children that PanDA starts do not count."""
        processes = [line.split(maxsplit=2) for line in self.run("ps -eo pid=,ppid=,args=").splitlines()]
        wsgi = {pid: parent for pid, parent, args in processes if args.startswith("(wsgi:")}
        loaded = "grep -l psycopg /proc/[0-9]*/maps 2>/dev/null || true"
        maps = self.run("runuser -u %s -- sh -c %s", self.site["panda_user"], loaded).split()
        return sum(parent not in wsgi and f"/proc/{pid}/maps" in maps for pid, parent in wsgi.items())

    @property
    def alive_url(self) -> str:
        return self.url("/api/v1/system/is_alive")


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait until the condition holds, and fail by saying ``what`` if it does not within so many seconds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.5)


@dataclass(frozen=True)
class Run:
    """One run of ansible-playbook: return code, whole output, tasks that reported a change by host."""

    rc: int
    output: str
    changed: dict[str, int]


def run_site(*words: str) -> Run:
    """Run playbooks/site.yml on the hosts of the scenario, with further arguments."""
    result = subprocess.run(
        ["ansible-playbook", *INVENTORIES, str(CHECKOUT / "playbooks/site.yml"), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    changed = {
        host: int(count)
        for host, count in re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", result.stdout, re.MULTILINE)
    }
    return Run(result.returncode, result.stdout, changed)


@cache
def inventory() -> dict[str, Any]:
    """The inventory as ansible-inventory sees it. Values are as written there: the tests compare plain ones only."""
    command = ["ansible-inventory", *INVENTORIES, "--list"]
    return json.loads(subprocess.check_output(command, text=True, stderr=subprocess.DEVNULL))


@cache
def machines() -> dict[str, Machine]:
    """Every host of the scenario by its name."""
    return {name: Machine(name, GUIDE | variables) for name, variables in inventory()["_meta"]["hostvars"].items()}


def group(name: str) -> list[Machine]:
    """The hosts of a group."""
    return [machines()[host] for host in inventory().get(name, {}).get("hosts", [])]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes ``server`` runs for every server of the scenario."""
    if "server" in metafunc.fixturenames:
        metafunc.parametrize("server", group("panda_server"), ids=lambda machine: machine.name)


@pytest.fixture
def elsewhere(server: Machine) -> Machine:
    """A host that is not the server."""
    return next(machine for machine in machines().values() if machine.name != server.name)


@pytest.fixture
def database() -> Machine:
    return group("panda_database")[0]


@pytest.fixture
def every_machine() -> dict[str, Machine]:
    """The hosts of the scenario by their names in the inventory."""
    return machines()


@pytest.fixture
def site_yml() -> Callable[..., Run]:
    """Runs playbooks/site.yml with further arguments."""
    return run_site


@pytest.fixture
def ansible_log() -> str:
    """Everything that the scenario's steps printed up to here."""
    return LOG.read_text(encoding="utf-8")


@pytest.fixture(name="wait_for")
def wait_for_fixture() -> Callable[[Callable[[], bool], float, str], None]:
    return wait_for
