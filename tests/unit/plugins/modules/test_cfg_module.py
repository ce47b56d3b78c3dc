# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cfg module on real files. What the real ``ansible`` command shows of its secrets is in ``test_cfg_command.py``."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.parameters import PASS_VARS
from ansible_collections.pandawms.panda.plugins.module_utils._cfg_mask import MASKED
from ansible_collections.pandawms.panda.plugins.modules import cfg

BASE = """\
[server]

# host
dbhost = panda-database
dbport = 5432

# password
dbpasswd = FIXME
#backend = mysql

[daemon]
enable = False
"""

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "base").write_text(BASE)
    return tmp_path


@pytest.fixture
def run(run_module: Run, place: Path) -> Run:
    """Run the module on ``place/panda_server.cfg``."""

    def call(**arguments: Any) -> dict[str, Any]:
        given = {"path": str(place / "panda_server.cfg"), "_ansible_diff": True, **arguments}
        return run_module(cfg.main, **given)

    return call


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_is_base_and_settings_readable_by_its_group_only(run: Run, place: Path) -> None:
    result = run(base=str(place / "base"), settings={"server": {"dbhost": "db", "dbpasswd": "hush%"}})
    assert result["changed"]
    assert (place / "panda_server.cfg").read_text() == BASE.replace("panda-database", "db").replace("FIXME", "hush%%")
    assert mode(place / "panda_server.cfg") == 0o640
    assert (place / ".panda_server.cfg.base").read_text() == BASE
    assert result["changed_keys"] == [
        {"section": "server", "key": "dbhost", "before": "panda-database", "after": "db"},
        {"section": "server", "key": "dbpasswd", "before": MASKED, "after": MASKED},
    ]
    diff = result["diff"][0]
    assert diff["before_header"] == str(place / "base")
    assert f"dbpasswd = {MASKED} (changed)" in diff["after"]
    assert "dbhost = db" in diff["after"]


def test_a_new_file_is_never_readable_by_others_not_even_for_a_moment(
    run: Run, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    set_attributes: Any = cfg.AnsibleModule.set_fs_attributes_if_different

    def watch(module: Any, arguments: dict[str, Any], *rest: Any, **named: Any) -> Any:
        seen.append(mode(Path(arguments["path"])))
        return set_attributes(module, arguments, *rest, **named)

    monkeypatch.setattr(cfg.AnsibleModule, "set_fs_attributes_if_different", watch)
    run(settings={"server": {"dbpasswd": "hush"}}, mode="0644")
    assert seen == [0o600]
    assert mode(place / "panda_server.cfg") == 0o644


def test_done_again_it_changes_nothing_and_check_mode_agrees(run: Run, place: Path) -> None:
    wanted: dict[str, Any] = {
        "base": str(place / "base"),
        "mode": "0600",
        "settings": {
            "server": {"dbhost": "db", "plugins": ["a", "b"], "note": "x\ny"},
            "daemon": {"enable": True, "config": {"add_main": {"period": 60}}},
        },
    }
    assert run(**wanted)["changed"]
    before = (place / "panda_server.cfg").read_bytes(), (place / "panda_server.cfg").stat().st_mtime_ns
    for check_mode in (False, True):
        again = run(**wanted, _ansible_check_mode=check_mode)
        assert not again["changed"]
        assert not again["diff"]
        assert not again["changed_keys"]
    assert before == ((place / "panda_server.cfg").read_bytes(), (place / "panda_server.cfg").stat().st_mtime_ns)


def test_check_mode_predicts_and_touches_nothing(run: Run, place: Path) -> None:
    wanted = {"base": str(place / "base"), "settings": {"server": {"dbhost": "db"}}, "mode": "0644"}
    predicted = run(**wanted, _ansible_check_mode=True)
    assert sorted(os.listdir(place)) == ["base"]
    done = run(**wanted)
    for key in ("changed", "changed_keys", "diff", "base_changes", "unmanaged"):
        assert predicted[key] == done[key]


def test_check_mode_on_a_host_without_the_package_shows_the_settings(run: Run, place: Path) -> None:
    wanted = {"base": str(place / "nowhere" / "base"), "settings": {"server": {"dbhost": "db"}}, "owner": "nobody-yet"}
    result = run(**wanted, _ansible_check_mode=True, path=str(place / "nowhere" / "panda_server.cfg"))
    assert result["changed"]
    assert "does not exist yet" in result["note"]
    assert result["diff"][0]["after"] == "[server]\ndbhost = db\n"
    failed = run(**wanted)
    assert failed["failed"]
    assert "the base" in failed["msg"]
    assert "does not exist" in failed["msg"]


def test_an_upgrade_reports_what_changed_upstream(run: Run, place: Path) -> None:
    wanted: dict[str, Any] = {"base": str(place / "base"), "settings": {"server": {"dbhost": "db"}}}
    run(**wanted)
    present = place / "panda_server.cfg"
    present.write_text(present.read_text() + "mine = 1\n")
    (place / "base").write_text(BASE.replace("5432", "5433").replace("panda-database", "other"))
    for check_mode in (True, False):
        result = run(**wanted, _ansible_check_mode=check_mode)
        assert [(c["key"], c["kind"], c["managed"]) for c in result["base_changes"]] == [
            ("dbhost", "changed", True),
            ("dbport", "changed", False),
        ]
        assert result["changed_keys"] == [{"section": "server", "key": "dbport", "before": "5432", "after": "5433"}]
        assert result["unmanaged"] == [
            {"section": "daemon", "key": "mine", "kind": "added", "base": None, "value": "1", "kept": True}
        ]
    assert "mine = 1" in present.read_text()
    assert not run(**wanted)["changed"]
    dropped = run(**wanted, unmanaged="drop")
    assert dropped["changed"]
    assert "mine" not in present.read_text()
    assert not run(**wanted, unmanaged="drop")["changed"]


class Releases:
    """Release directories as the collection lays them out, with a link to the one in use."""

    def __init__(self, place: Path, run: Run) -> None:
        self.place = place
        self.run = run

    def install(self, name: str, base: str) -> None:
        (self.place / name).mkdir()
        (self.place / name / "base").write_text(base)

    def use(self, name: str) -> None:
        (self.place / "next").symlink_to(name)
        (self.place / "next").replace(self.place / "used")

    def configure(self, name: str, **arguments: Any) -> dict[str, Any]:
        release = self.place / name
        given = {"path": str(release / "panda_server.cfg"), "base": str(release / "base")}
        settings = {"server": {"dbhost": "db"}}
        return self.run(
            **{**given, "replaces": str(self.place / "used/panda_server.cfg"), "settings": settings, **arguments}
        )

    def text(self, name: str) -> str:
        return (self.place / name / "panda_server.cfg").read_text()


@pytest.fixture
def releases(run: Run, tmp_path: Path) -> Releases:
    """The first release configured and in use, a parameter of it changed by hand, and the second one installed."""
    result = Releases(tmp_path / "releases", run)
    result.place.mkdir()
    result.install("1", BASE)
    assert result.configure("1")["changed"]
    result.use("1")
    assert not result.configure("1")["changed"]
    path = result.place / "1/panda_server.cfg"
    path.write_text(path.read_text().replace("enable = False", "enable = True") + "mine = 1\n")
    result.install("2", BASE.replace("5432", "5433").replace("panda-database", "other-database"))
    return result


def test_the_next_release_tells_what_upstream_changed_until_it_is_in_use(releases: Releases) -> None:
    upstream = [("dbhost", "changed", True), ("dbport", "changed", False)]
    for check_mode, changed in ((True, True), (False, True), (False, False), (True, False)):
        result = releases.configure("2", _ansible_check_mode=check_mode)
        assert result["changed"] is changed
        assert [(each["key"], each["kind"], each["managed"]) for each in result["base_changes"]] == upstream
        assert [each["key"] for each in result["changed_keys"]] == (["dbport"] if changed else [])
        assert [(each["key"], each["kind"], each["kept"]) for each in result["unmanaged"]] == [
            ("enable", "changed", True),
            ("mine", "added", True),
        ]
    releases.use("2")
    result = releases.configure("2")
    assert not result["changed"]
    assert not result["base_changes"]


def test_the_next_release_takes_over_what_people_changed_in_the_one_in_use(releases: Releases) -> None:
    first = releases.text("1")
    result = releases.configure("2")
    assert releases.text("2") == first.replace("5432", "5433")
    assert releases.text("1") == first
    assert result["diff"][0]["before_header"] == str(releases.place / "1/panda_server.cfg")
    result = releases.configure("2", unmanaged="drop")
    assert releases.text("2") == BASE.replace("5432", "5433").replace("panda-database", "db")
    assert {each["kept"] for each in result["unmanaged"]} == {False}


def test_going_back_to_the_release_before_gives_its_defaults_back(releases: Releases) -> None:
    first = releases.text("1")
    releases.configure("2")
    releases.use("2")
    result = releases.configure("1")
    assert releases.text("1") == first
    assert not result["changed"]
    assert [(each["key"], each["after"]) for each in result["base_changes"]] == [
        ("dbhost", "panda-database"),
        ("dbport", "5432"),
    ]


def test_a_kept_base_of_ones_own_place_serves_both_releases(releases: Releases, place: Path) -> None:
    kept = str(place / "kept")
    releases.configure("1", base_keep=kept)
    assert [each["key"] for each in releases.configure("2", base_keep=kept)["base_changes"]] == ["dbhost", "dbport"]
    assert Path(kept).read_text() == (releases.place / "2/base").read_text()


def test_without_a_base_only_the_lines_of_the_settings_change(run: Run, place: Path) -> None:
    path = place / "panda_server.cfg"
    path.write_bytes(b"[server]\r\n# c\r\na=1\r\nb = 2")
    path.chmod(0o604)
    result = run(settings={"server": {"a": 2}}, backup=True)
    assert path.read_bytes() == b"[server]\r\n# c\r\na=2\r\nb = 2"
    assert mode(path) == 0o604
    assert Path(result["backup_file"]).read_bytes() == b"[server]\r\n# c\r\na=1\r\nb = 2"
    assert result["unmanaged"] == []
    assert not (place / ".panda_server.cfg.base").exists()


def test_a_symbolic_link_is_followed_and_stays_one(run: Run, place: Path) -> None:
    (place / "release").mkdir()
    (place / "panda_server.cfg").symlink_to("release/panda_server.cfg")
    result = run(base=str(place / "base"), settings={"server": {"dbhost": "db"}})
    assert (place / "panda_server.cfg").is_symlink()
    assert "dbhost = db" in (place / "release" / "panda_server.cfg").read_text()
    assert (place / "release" / ".panda_server.cfg.base").exists()
    assert result["path"] == str(place / "release" / "panda_server.cfg")


def test_the_file_is_replaced_in_one_step(run: Run, place: Path) -> None:
    path = place / "panda_server.cfg"
    path.write_text(BASE)
    reader = path.open()
    run(settings={"server": {"dbhost": "db"}})
    assert reader.read() == BASE
    reader.close()
    assert "dbhost = db" in path.read_text()


def test_a_wrong_mode_alone_is_a_change(run: Run, place: Path) -> None:
    path = place / "panda_server.cfg"
    path.write_text(BASE)
    path.chmod(0o666)
    result = run(mode="0640", _ansible_check_mode=True)
    assert result["changed"]
    assert mode(path) == 0o666
    result = run(mode="0640")
    assert result["changed"]
    assert not result["changed_keys"]
    assert mode(path) == 0o640
    assert not run(mode="0640")["changed"]


def test_a_command_can_refuse_the_new_file_and_its_output_shows_no_secret(run: Run, place: Path) -> None:
    path = place / "panda_server.cfg"
    path.write_text(BASE.replace("FIXME", "old"))
    result = run(
        settings={"server": {"dbpasswd": "p%w", "dbhost": "db"}}, validate="grep -v dbhost.=.nothing %s -c --x"
    )
    assert result["failed"]
    assert path.read_text() == BASE.replace("FIXME", "old")
    script = place / "refuse"
    script.write_text('#!/bin/sh\ngrep -e dbpasswd "$1" >&2\nexit 3\n')
    script.chmod(0o700)
    result = run(settings={"server": {"dbpasswd": "p%w", "dbhost": "db"}}, validate=f"{script} %s")
    assert "not accepted by 'validate' (rc 3)" in result["msg"]
    assert "p%" not in json.dumps(result)
    assert path.read_text() == BASE.replace("FIXME", "old")
    assert run(settings={"server": {"dbhost": "db"}}, validate="test -s %s")["changed"]
    assert "'validate' must hold %s" in run(settings={"server": {"dbhost": "x"}}, validate="true")["msg"]


@pytest.mark.parametrize(
    ("present", "arguments", "message"),
    [
        ("[server]\na = 1\na = 2\n", {}, "{path}: [server] a, line 3: is set again, after line 2"),
        ("[ server ]\n", {}, "{path}: line 1: section [ server ] has blanks"),
        ("[server]\na = 5%\n", {}, "{path}: [server] a, line 2: holds a single '%'"),
        ("[daemon]\nconfig = {{}\n", {}, "{path}: [daemon] config, line 2: is not JSON"),
        ("", {"settings": {"server": {"a": "007"}}}, "{path}: [server] a: PanDA would turn this string into a number"),
        ("", {"settings": {"server": "x"}}, "{path}: [server]: 'settings' must hold a mapping"),
        ("", {"absent": ["a"]}, "{path}: 'a' in 'absent' must be written section.key"),
        ("", {"unmanaged": "drop"}, "unmanaged is drop but all of the following are missing: base"),
    ],
)
def test_a_refusal_names_file_section_key_and_line(
    run: Run, place: Path, present: str, arguments: dict[str, Any], message: str
) -> None:
    path = place / "panda_server.cfg"
    path.write_text(present)
    result = run(**arguments)
    assert result["failed"]
    assert result["rc_exit"] == 1
    assert message.replace("{path}", str(path)) in result["msg"]
    assert path.read_text() == present


def test_a_broken_base_is_named_instead_of_the_file(run: Run, place: Path) -> None:
    (place / "base").write_text("oops\n")
    assert run(base=str(place / "base"))["msg"].startswith(f"{place / 'base'}: line 1: ")


def test_a_missing_directory_is_named(run: Run, place: Path) -> None:
    result = run(path=str(place / "no" / "x.cfg"), settings={"server": {"a": "b"}})
    assert f"the directory {place / 'no'} does not exist" in result["msg"]


def test_a_directory_in_place_of_the_file_is_refused(run: Run, place: Path) -> None:
    (place / "panda_server.cfg").mkdir()
    assert run()["msg"] == f"{place / 'panda_server.cfg'}: Is a directory"


def test_a_likely_typing_error_is_a_warning(run: Run, place: Path) -> None:
    result = run(base=str(place / "base"), settings={"server": {"dbhsot": "x"}})
    assert any("is dbhost meant?" in str(warning) for warning in result["warnings"])


SECRETS: dict[str, dict[str, Any]] = {
    "server": {"dbpasswd": 4711, "CO2_BEARER_TOKEN": "q7", "note": "Zx9", "emailPass": "longer-secret-text", "n": 1},
    "daemon": {"config": {"add_main": {"period": 61, "client_secret": "k8"}}},
}


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"_ansible_check_mode": True},
        {"settings": {**SECRETS, "mcp": {"x": " refused "}}},
        {"unmanaged": "neither"},
        {"mistyped": SECRETS},
        {"settings": json.dumps(SECRETS)},
        {"settings": json.dumps(SECRETS), "unmanaged": "neither"},
        {"settings": "dbpasswd=4711 x=q7"},
        {"absent": ["server.dbpasswd"]},
        {"secrets": "note", "mode": "rubbish"},
        {"owner": "no-such-user"},
        {"path": None},
    ],
)
def test_no_end_of_the_module_shows_a_secret_however_short(
    run: Run, place: Path, arguments: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[str] = []
    monkeypatch.setattr(cfg.AnsibleModule, "_log_to_syslog", lambda self, message: logged.append(str(message)))
    monkeypatch.setattr("ansible.module_utils.basic.has_journal", False)
    # From ansible-core 2.21 on the invocation is part of the result on demand only.
    inject = {"_ansible_inject_invocation": True} if "inject_invocation" in PASS_VARS else {}
    result = run(**{"base": str(place / "base"), "settings": SECRETS, "secrets": ["note"], **arguments, **inject})
    shown = json.dumps({key: value for key, value in result.items() if key not in ("size", "path")}) + "".join(logged)
    shown = shown.replace(str(place), "")
    for secret in ("4711", "q7", "Zx9", "longer-secret-text", "k8"):
        assert secret not in shown
    if not result.get("failed"):
        assert result["invocation"]["module_args"]["settings"]["server"]["n"] == 1
        assert result["invocation"]["module_args"]["settings"]["daemon"]["config"]["add_main"]["period"] == 61
        assert "Invoked with" in logged[0]
        assert MASKED in logged[0]


def test_what_was_secret_in_the_file_before_is_not_shown_either(run: Run, place: Path) -> None:
    (place / "panda_server.cfg").write_text("[server]\n# dbpasswd = older\ndbpasswd = old1\n  old2\nx_token = gone\n")
    result = run(settings={"server": {"dbpasswd": "new"}}, absent=["server.x_token"])
    for secret in ("old", "gone", "new"):
        assert secret not in json.dumps(result["diff"]) + json.dumps(result["changed_keys"])


def test_a_long_secret_is_hidden_inside_other_values_too(run: Run, place: Path) -> None:
    url = "postgresql://panda:longer-secret-text@db/panda"
    result = run(settings={"server": {"dbpasswd": "longer-secret-text", "url": url}})
    assert "longer-secret-text" not in json.dumps(result)
    assert url in (place / "panda_server.cfg").read_text()
