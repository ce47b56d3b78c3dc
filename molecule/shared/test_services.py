"""systemctl starts and stops the whole server, and a reboot brings it back."""

from __future__ import annotations

import subprocess

UNITS = ("panda_httpd.service", "panda_daemon.service")


def test_panda_service_alone_stops_and_starts_the_whole_server(server, elsewhere, wait_for):
    server.run("systemctl stop panda.service")
    assert not any(server.host.service(unit).is_running for unit in UNITS)
    assert elsewhere.fetch(server.alive_url).status == 0

    server.run("systemctl start panda.service")
    wait_for(lambda: elsewhere.fetch(server.alive_url).alive, 90, "alive again after systemctl start panda.service")


def test_no_request_pays_for_the_import_of_the_application(server, elsewhere, wait_for):
    server.run("systemctl restart panda.service")
    # Nobody has asked for anything yet: without preloading the import would begin with the first request.
    wanted = server.site["panda_wsgi_processes"]
    wait_for(
        lambda: server.ready_wsgi_processes() >= wanted, 90, f"{wanted} WSGI processes with the application loaded"
    )
    wait_for(lambda: elsewhere.fetch(server.alive_url).alive, 30, "alive after systemctl restart panda.service")
    answers = [elsewhere.fetch(server.alive_url) for attempt in range(wanted * 3)]
    assert all(answer.alive and answer.seconds < 2 for answer in answers), answers


def test_a_failed_schema_check_keeps_httpd_from_starting(server, elsewhere, database, wait_for):
    password = server.site["panda_database_password"].replace("'", "''")
    sql = "runuser -u postgres -- psql --quiet --command %s"
    try:
        database.run(sql, "ALTER ROLE panda PASSWORD 'another'")
        result = server.host.run("systemctl restart panda.service")
        assert result.rc != 0
        assert not server.host.service("panda_httpd.service").is_running
        assert elsewhere.fetch(server.alive_url).status == 0
    finally:
        database.run(sql, f"ALTER ROLE panda PASSWORD '{password}'")
        server.host.run("systemctl reset-failed")
        server.run("systemctl start panda.service")
        wait_for(lambda: elsewhere.fetch(server.alive_url).alive, 90, "alive again with the right password")


def test_a_reboot_brings_everything_back(server, elsewhere, wait_for):
    booted = "systemctl show --property UserspaceTimestampMonotonic"
    before = server.run(booted)
    subprocess.run(["podman", "restart", "--time", "30", server.container], check=True, stdout=subprocess.DEVNULL)
    wait_for(lambda: server.host.run(booted).rc == 0, 60, "systemd answers after a reboot")
    assert server.run(booted) != before
    wait_for(lambda: elsewhere.fetch(server.alive_url).alive, 120, "alive again after a reboot")
    assert server.run("systemctl list-units --failed --plain --no-legend") == ""
