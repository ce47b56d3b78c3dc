"""A server answers, to those it should."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_server_is_alive_for_itself_and_for_others(server, elsewhere, scheme):
    for client, host in ((server, "127.0.0.1"), (elsewhere, server.name)):
        answer = client.fetch(server.url("/api/v1/system/is_alive", scheme, host))
        assert answer.alive, f"from {client.name}: {answer}"


def test_https_presents_the_certificate_that_was_placed(server, elsewhere):
    placed = server.run(
        "openssl x509 -noout -fingerprint -in %s", f"{server.site['panda_certificate_dir']}/hostcert.pem"
    )
    shown = server.run(
        f"openssl s_client -connect 127.0.0.1:{server.site['panda_https_port']} </dev/null 2>/dev/null | openssl x509 -noout -fingerprint"
    )
    assert shown == placed


def test_a_server_with_the_certificate_of_a_ca_is_trusted_by_who_trusts_the_ca(server, elsewhere):
    ca = server.run("cat %s/chain.pem", server.site["panda_certificate_dir"])
    elsewhere.run("printf %%s %s > /tmp/ca.pem", f"{ca}\n")
    name = server.site.get("panda_server_name", server.name)
    address = server.run("hostname -I").split()[0]
    elsewhere.run("getent hosts %s || echo %s >> /etc/hosts", name, f"{address} {name}")
    answer = elsewhere.fetch(server.url("/api/v1/system/is_alive", "https", name), ca="/tmp/ca.pem")
    assert answer.alive, answer


@pytest.mark.parametrize(
    "path",
    [
        "/server/panda.py",
        "/server/panda/panda.py",
        "/panda_server-httpd.conf",
        "/etc/panda/panda_server.cfg",
        "/auth/../panda_server.cfg",
        "/../../etc/passwd",
        "/server/../../../etc/passwd",
        "/cache/../../../../etc/passwd",
        "/cache/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/server-status",
        "/server-status?auto",
        "/",
    ],
)
def test_what_is_not_for_others_is_refused(server, elsewhere, path):
    for scheme in ("http", "https"):
        answer = elsewhere.fetch(server.url(path, scheme))
        assert answer.status in (400, 403, 404), f"{scheme}: {answer}"
        assert "root:" not in answer.body


def test_as_many_wsgi_processes_run_as_the_inventory_says(server):
    assert server.ready_wsgi_processes() == server.site["panda_wsgi_processes"]
