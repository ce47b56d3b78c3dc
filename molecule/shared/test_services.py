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
    answers = []

    def alive() -> bool:
        answers.append(elsewhere.fetch(server.alive_url))
        return answers[-1].alive

    wait_for(alive, 90, "alive after systemctl restart panda.service")
    answered = [answer for answer in answers if answer.status != 0]
    assert len(answered) == 1, f"a server that was not ready answered: {answered}"
    assert answered[0].seconds < 2, answered


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
    before = server.run("cat /proc/sys/kernel/random/boot_id; systemctl show --property UserspaceTimestampMonotonic")
    subprocess.run(["podman", "restart", "--time", "30", server.container], check=True, stdout=subprocess.DEVNULL)
    assert (
        server.run("cat /proc/sys/kernel/random/boot_id; systemctl show --property UserspaceTimestampMonotonic")
        != before
    )
    wait_for(lambda: elsewhere.fetch(server.alive_url).alive, 120, "alive again after a reboot")
    assert server.run("systemctl list-units --failed --plain --no-legend") == ""
