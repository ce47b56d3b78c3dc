"""What only several hosts can show."""

from __future__ import annotations

import re


def test_the_wrong_password_fails_clearly_and_leaves_the_running_server_alone(site_yml, server, elsewhere, wait_for):
    main_pid = server.run("systemctl show --property MainPID panda_httpd.service")
    run = site_yml("--limit", server.name, "--extra-vars", "panda_database_password=wrong-one")
    assert run.rc != 0
    assert re.search(r"password authentication failed", run.output), run.output

    assert elsewhere.fetch(server.alive_url).alive
    assert server.run("systemctl show --property MainPID panda_httpd.service") == main_pid
    assert "wrong-one" not in server.run("cat /etc/panda/panda_server.cfg")
    assert server.site["panda_database_password"] in server.run("cat /etc/panda/panda_server.cfg")


def test_a_run_after_the_failed_one_has_nothing_to_repair(site_yml):
    run = site_yml()
    assert run.rc == 0, run.output
    assert set(run.changed.values()) == {0}, run.changed


def test_a_user_that_was_there_already_is_taken_as_it_is(every_machine):
    panda12 = every_machine["panda12"]
    user = panda12.host.user(panda12.site["panda_user"])
    assert (user.uid, user.gid) == (41012, 41013)


def test_the_database_takes_passwords_by_scram_alone(database):
    rules = database.run(
        "runuser -u postgres -- psql --tuples-only --no-align --command %s",
        "SELECT auth_method FROM pg_hba_file_rules WHERE type = 'host'",
    )
    assert set(rules.split()) == {"scram-sha-256"}


def test_both_servers_use_the_one_database(database):
    out = database.run(
        "runuser -u postgres -- psql --tuples-only --no-align --command %s",
        "SELECT count(DISTINCT client_addr) FROM pg_stat_activity WHERE usename = 'panda'",
    )
    assert out == "2"
