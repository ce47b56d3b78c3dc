"""Files, links, modes and services are where the setup guide says."""

from __future__ import annotations

import configparser
import json

import pytest


def place(server, name):
    return {
        "install": server.site["panda_install_dir"],
        "log": server.site["panda_log_dir"],
        "certificates": server.site["panda_certificate_dir"],
    }[name]


@pytest.mark.parametrize("service", ["panda.service", "panda_httpd.service"])
def test_the_services_run_and_come_back_after_a_reboot(server, service):
    unit = server.host.service(service)
    assert unit.is_running
    assert unit.is_enabled


def test_the_daemon_is_registered(server):
    assert server.host.service("panda_daemon.service").is_enabled


def test_nothing_failed_on_the_host(server):
    assert server.run("systemctl list-units --failed --plain --no-legend") == ""


def test_the_installation_is_a_link_to_a_release(server):
    link = server.host.file(server.site["panda_install_dir"])
    assert link.is_symlink
    assert server.run("readlink -f %s", link.path).startswith(server.site["panda_releases_dir"] + "/")


@pytest.mark.parametrize(
    ("where", "path", "owner", "mode"),
    [
        ("install", "etc/panda/panda_common.cfg", "root", 0o640),
        ("install", "etc/panda/panda_server.cfg", "root", 0o640),
        ("install", "etc/idds/idds.cfg", "root", 0o640),
        ("install", "etc/panda/panda_server-httpd.conf", "root", 0o644),
        ("certificates", "hostkey.pem", "service", 0o400),
        ("certificates", "hostcert.pem", None, 0o644),
        ("certificates", "chain.pem", None, 0o644),
        ("log", ".", "service", 0o750),
    ],
)
def test_files_have_the_owner_and_mode_that_keep_secrets(server, where, path, owner, mode):
    found = server.host.file(server.run("readlink -f %s", f"{place(server, where)}/{path}"))
    assert found.exists
    assert found.mode == mode, oct(found.mode)
    if owner is not None:
        assert found.user == (server.site["panda_user"] if owner == "service" else owner)
    if mode == 0o640:
        assert found.group == server.site["panda_group"]


@pytest.mark.parametrize("name", ["panda_server", "panda_server_env"])
def test_the_environment_of_the_services_is_for_them_alone(server, name):
    found = server.host.file(f"/etc/sysconfig/{name}")
    assert (found.user, found.group, found.mode) == ("root", server.site["panda_group"], 0o640)


@pytest.mark.parametrize("name", ["panda_common.cfg", "panda_server.cfg"])
def test_etc_panda_links_to_the_configuration_of_the_release(server, name):
    link = server.host.file(f"/etc/panda/{name}")
    assert link.is_symlink
    assert server.run("readlink -f %s", link.path).startswith(server.site["panda_releases_dir"] + "/")


@pytest.mark.parametrize("name", ["wsgisocks", "pandacache"])
def test_the_directories_below_the_log_directory_belong_to_the_service(server, name):
    directory = server.host.file(f"{server.site['panda_log_dir']}/{name}")
    assert directory.is_directory
    assert directory.user == server.site["panda_user"]


def test_the_server_reads_the_values_of_the_inventory(server):
    # By the parser that PanDA itself uses, as the user it runs as.
    text = server.run("runuser -u %s -- cat /etc/panda/panda_server.cfg", server.site["panda_user"])
    parser = configparser.ConfigParser()
    parser.optionxform = str
    parser.read_string(text)
    section = parser["server"]
    assert section["dbpasswd"] == server.site["panda_database_password"]
    assert section["dbhost"] == server.site["panda_database_host"]
    assert section["backend"] == "postgres"
    assert section["pserveralias"] == server.site.get("panda_server_name", server.name)
    assert (section["pserverporthttp"], section["pserverport"]) == (
        str(server.site["panda_http_port"]),
        str(server.site["panda_https_port"]),
    )
    assert section["logdir"] == server.site["panda_log_dir"]
    for key, value in server.site.get("panda_server_cfg_host", {}).get("server", {}).items():
        assert section[key] == str(value)


def test_no_placed_file_names_a_path_of_the_machine_it_was_built_on(server):
    places = [
        "/etc/panda/",
        "/etc/sysconfig/panda_server",
        "/etc/sysconfig/panda_server_env",
        "/etc/systemd/system/panda.service",
        "/etc/systemd/system/panda_httpd.service",
        "/etc/systemd/system/panda_daemon.service",
        "/etc/logrotate.d/panda_server",
        f"{server.site['panda_install_dir']}/etc/panda/panda_common.cfg",
        f"{server.site['panda_install_dir']}/etc/panda/panda_server.cfg",
        f"{server.site['panda_install_dir']}/etc/panda/panda_server-httpd.conf",
        f"{server.site['panda_install_dir']}/etc/idds/idds.cfg",
    ]
    found = server.host.run(
        "grep -rsE -e /builds-v0/ -e /[.]cache/ -e /tmp/pip -e /var/cache/panda-test " + " ".join(places)
    )
    assert found.stdout == ""
    if server.site["panda_install_dir"] != "/opt/panda":
        assert (
            server.host.run(
                "grep -rsE '^[^#]*(/opt/panda|/var/log/panda|atlpan|/etc/grid-security)' " + " ".join(places)
            ).stdout
            == ""
        )


def test_log_rotation_is_valid_and_covers_the_logs(server):
    result = server.host.run("logrotate --debug /etc/logrotate.d/panda_server")
    assert result.rc == 0, result.stderr
    said = result.stdout + result.stderr
    assert "error:" not in said, said
    assert server.site["panda_log_dir"] in said


def test_rotating_the_logs_keeps_the_server_alive(server, elsewhere):
    server.run("logrotate --force /etc/logrotate.d/panda_server")
    answer = elsewhere.fetch(server.alive_url)
    assert answer.alive, answer


def test_the_distributions_own_httpd_does_not_run(server):
    unit = server.host.service("apache2.service")
    assert not unit.is_running
    assert not unit.is_enabled
    assert not server.host.socket("tcp://0.0.0.0:80").is_listening
    assert not server.host.socket("tcp://:::80").is_listening


def test_no_process_of_the_server_runs_as_root(server):
    out = server.run("ps -eo user=,args=")
    httpd = [line.split()[0] for line in out.splitlines() if "panda_server-httpd.conf" in line or "wsgi:" in line]
    assert httpd
    assert set(httpd) == {server.run("ps -o user= -u %s | head -n 1", server.site["panda_user"])}


def test_the_service_can_read_its_logs_and_none_belongs_to_root(server):
    assert server.run("find %s -name 'panda*' -user root", server.site["panda_log_dir"]) == ""


def test_the_version_is_the_one_that_was_asked_for(server):
    python = f"{server.site['panda_install_dir']}/bin/python"
    code = "import json; from importlib.metadata import version; print(json.dumps(version('panda-server')))"
    assert json.loads(server.run("%s -c %s", python, code)) == server.site.get("panda_version", "1.0.4")
