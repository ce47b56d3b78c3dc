"""Input that cannot be right stops the run before anything is changed, with one sentence that names the variable and the remedy."""

from __future__ import annotations

import json
import re

import pytest


def must_stop(run, variable, *words):
    """The run ended with a failure, changed nothing, and said in one sentence what to do."""
    assert run.rc == 2, run.output
    assert set(run.changed.values()) == {0}, run.changed
    said = re.sub(r"\s+", " ", run.output)
    assert variable in said, run.output
    for word in words:
        assert word in said, run.output
    assert "Traceback" not in run.output


@pytest.mark.parametrize(
    ("variables", "variable", "words"),
    [
        ({"panda_database_password": ""}, "panda_database_password", ["vault"]),
        ({"panda_database_password": "FIXME"}, "panda_database_password", ["FIXME", "vault"]),
        ({"panda_certificate_source": "files"}, "panda_hostcert", []),
        (
            {
                "panda_certificate_source": "files",
                "panda_hostcert": "/nowhere/hostcert.pem",
                "panda_hostkey": "/nowhere/hostkey.pem",
            },
            "panda_hostcert",
            ["/nowhere/host"],
        ),
        ({"panda_database_backend": "db2"}, "panda_database_backend", ["db2", "postgres"]),
        ({"panda_http_port": 25443}, "panda_http_port", ["panda_https_port", "25443"]),
        ({"panda_http_port": "many"}, "panda_http_port", ["many"]),
        ({"panda_python": "/usr/bin/python2"}, "panda_python", ["/usr/bin/python2"]),
        ({"panda_schema_source": "/nowhere"}, "panda_schema_source", ["/nowhere"]),
        (
            {"panda_version": "9.9.9"},
            "panda_lock_file",
            ["panda-server-9.9.9-postgres.txt", "1.0.4 with postgres", "empty string"],
        ),
        (
            {"panda_extra_packages": ["site-plugin"]},
            "panda_extra_packages",
            ["site-plugin", "panda_lock_file", "hashes"],
        ),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_a_wrong_variable_stops_the_run(site_yml, variables, variable, words):
    must_stop(site_yml("--extra-vars", json.dumps(variables)), variable, *words)


def test_a_port_that_something_else_holds_stops_the_run(site_yml, server):
    server.run("systemd-run --quiet --unit listener python3 -m http.server 25999")
    try:
        must_stop(site_yml("--extra-vars", "panda_http_port=25999"), "panda_http_port", "25999")
    finally:
        server.run("systemctl stop listener")


def test_a_python_that_is_too_old_stops_the_run(site_yml, server):
    # Debian 13 has no old interpreter: this is the one it has, telling another version.
    server.run("printf %s > /usr/local/bin/python3.9; chmod 755 /usr/local/bin/python3.9", "#!/bin/sh\necho 3 9\n")
    try:
        must_stop(site_yml("--extra-vars", "panda_python=/usr/local/bin/python3.9"), "panda_python", "3.9", "3.11")
    finally:
        server.run("rm /usr/local/bin/python3.9")


def test_a_distribution_that_is_not_supported_stops_the_run(site_yml, elsewhere):
    elsewhere.run(
        "cp --dereference /etc/os-release /tmp/; sed -i 's/VERSION_ID=.*/VERSION_ID=\"11\"/; s/trixie/bullseye/' /etc/os-release"
    )
    elsewhere.run("cp /etc/debian_version /tmp/; echo 11.9 > /etc/debian_version")
    try:
        words = [
            "--extra-vars",
            json.dumps({"panda_server_hosts": elsewhere.name, "panda_certificate_source": "selfsigned"}),
        ]
        must_stop(site_yml(*words), "panda_unsupported_distribution", "Debian 11", "not supported")
    finally:
        elsewhere.run("cp /tmp/os-release /etc/os-release; cp /tmp/debian_version /etc/debian_version")
