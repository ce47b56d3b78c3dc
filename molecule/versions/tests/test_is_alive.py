"""is_alive against servers of two generations: PanDA 1.0.4 and 0.8.1, well and not so well."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest

SCENARIO = os.environ["MOLECULE_SCENARIO_DIRECTORY"]
INVENTORIES = [f"--inventory={SCENARIO}/inventory", f"--inventory={SCENARIO}/../../tests/hosts/inventory"]
PLAIN = ["http://panda104:25080", "http://panda081:25080"]
TLS = ["https://panda104:25443", "https://panda081:25443"]
CERTIFICATE = "/etc/grid-security/hostcert.pem"
KEY = "/etc/grid-security/hostkey.pem"


def ask(targets: list[str], *words: str, client: str = "panda104", **options: Any) -> list[dict[str, Any]]:
    """Run is_alive on a server, with the Python of its release, and return what it found, one entry a target.

    A short timeout, for servers that are as they are; the task fails just when a target is not in the state that it waits for.
    """
    arguments = {"targets": targets, "timeout": 1, **options}
    result = subprocess.run(
        ["ansible", *INVENTORIES, "--extra-vars=ansible_python_interpreter=/opt/panda/bin/python"]
        + [client, "--module-name=pandawms.panda.is_alive", f"--args={json.dumps(arguments)}", *words],
        env={**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"},
        capture_output=True,
        text=True,
        check=False,
    )
    _host, arrow, said = result.stdout.partition(" => ")
    assert arrow, result.stdout + result.stderr
    found = json.loads(said)
    assert found["changed"] is False
    assert [one["target"] for one in found["targets"]] == targets
    if "state" not in options:
        assert (result.returncode == 0) is all(one["alive"] for one in found["targets"]), found["msg"]
    return found["targets"]


def of(found: list[dict[str, Any]], *names: str) -> list[Any]:
    """Of each entry the values of these names, alone if it is one."""
    return [one[names[0]] if len(names) == 1 else tuple(one[name] for name in names) for one in found]


@pytest.mark.parametrize("mode", [[], ["--check"]], ids=["run", "check"])
def test_both_ports_of_both_versions_are_alive_in_one_call(mode):
    found = ask(PLAIN + TLS, *mode, validate_certs=False)
    assert of(found, "category", "status", "attempts", "api") == [("alive", 200, 1, "v1")] * 4, found


def test_the_old_way_of_asking_is_answered_by_the_old_version_alone():
    new, old = ask(PLAIN, api="legacy")
    assert (new["category"], new["status"], new["api"]) == ("http", 403, "legacy")
    assert "method isAlive is forbidden" in new["message"] and "use api v1 or auto" in new["message"]
    assert (old["category"], old["status"], old["api"]) == ("alive", 200, "legacy")


def test_a_certificate_is_checked_and_an_unknown_one_hides_no_other_server():
    found = ask(TLS, ca_path=CERTIFICATE)
    assert of(found, "category") == ["alive", "tls"]
    assert "CA that is not trusted" in found[1]["message"]


def test_a_client_certificate_is_shown_and_its_refusal_explained():
    found = ask(TLS, validate_certs=False, client_cert=CERTIFICATE, client_key=KEY)
    assert of(found, "category") == ["alive", "tls"]
    assert "client certificate" in found[1]["message"]


def test_the_wrong_scheme_for_a_port_is_explained():
    found = ask(["http://panda104:25443", "https://panda104:25080"], validate_certs=False)
    assert of(found, "category") == ["tls", "tls"]
    assert "write https://" in found[0]["message"]
    assert "write http://" in found[1]["message"]


def test_a_stopped_server_is_dead_and_one_that_starts_is_waited_for(every_machine):
    stopped = every_machine["panda081"]
    stopped.run("systemctl stop panda.service")
    try:
        found = ask([PLAIN[1], TLS[1]], state="dead", timeout=30)
        assert of(found, "category") == ["refused", "refused"]
        assert of(ask(PLAIN), "category") == ["alive", "refused"]
        stopped.run("systemd-run --quiet --on-active=10 --timer-property=AccuracySec=1 systemctl start panda.service")
        found = ask(PLAIN + TLS, validate_certs=False, timeout=90)
        assert of(found, "alive") == [True] * 4
        assert found[0]["attempts"] == 1 < found[1]["attempts"]
    finally:
        stopped.run("systemctl start panda.service")


def test_a_server_that_hangs_is_neither_alive_nor_dead(every_machine):
    hanging = every_machine["panda081"]
    hanging.run("systemctl kill --signal=SIGSTOP panda_httpd.service")
    try:
        found = ask([*PLAIN, TLS[1]], validate_certs=False, try_timeout=0.5)
        assert of(found, "category") == ["alive", "timeout", "timeout"]
        assert "No complete answer" in found[1]["message"] and "TLS handshake did not finish" in found[2]["message"]
        assert of(ask([PLAIN[1]], state="dead", try_timeout=0.5), "attempts") != [1]
    finally:
        hanging.run("systemctl kill --signal=SIGCONT panda_httpd.service")
    assert of(ask(PLAIN, timeout=30), "alive") == [True, True]
