# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings over a base and over what people changed in a file."""

from __future__ import annotations

import re

import pytest
from ansible_collections.pandawms.panda.plugins.module_utils._cfg import CfgError, Document
from ansible_collections.pandawms.panda.plugins.module_utils._cfg_plan import (
    Request,
    changes,
    known_keys,
    plan,
    settings_of,
)
from ansible_collections.pandawms.panda.tests.unit.plugins.module_utils.cfg.cases import SERVER, apply, held, lay


def test_settings_and_absent_may_not_contradict() -> None:
    with pytest.raises(CfgError, match=r"^\[s\] a: is in 'settings' and in 'absent'"):
        apply("", {"s": {"a": "1"}}, absent=("s.a",))


@pytest.mark.parametrize("name", ["a", ".a", "s."])
@pytest.mark.parametrize("option", ["absent", "raw"])
def test_a_name_without_its_section_is_refused(name: str, option: str) -> None:
    with pytest.raises(CfgError, match="section.key"):
        apply("", {}, **{option: (name,)})


def test_absent_removes_a_key_with_its_continuation() -> None:
    text = apply(SERVER, {}, absent=("daemon.config", "server.nothing"))
    assert '"add_main"' not in text
    assert "# MCP parameters\n[mcp]" in text


@pytest.mark.parametrize("data", [None, [], "x", {"server": []}, {"server": "x"}])
def test_settings_of_another_shape_are_refused(data: object) -> None:
    with pytest.raises(CfgError, match="must"):
        settings_of(data)


def test_an_empty_section_in_the_settings_is_fine() -> None:
    assert settings_of({"server": None, "mcp": {}}) == {"server": {}, "mcp": {}}


# --- the base ---------------------------------------------------------------------------------------------------------


def test_a_new_file_is_the_base_with_the_settings() -> None:
    result = lay({"server": {"dbhost": "db", "dbport": 5432}}, None, SERVER)
    assert result.document.text == SERVER.replace("panda-database", "db")
    assert [(c.key, c.before, c.after) for c in changes(Document.parse(SERVER), result.document)] == [
        ("dbhost", "panda-database", "db")
    ]
    assert not result.base_changes
    assert not result.unmanaged


def test_null_gives_back_the_line_of_the_base() -> None:
    present = SERVER.replace("dbport : 5432", "dbport = 1").replace("transport", "extra = 1\ntransport")
    result = lay({"server": {"dbport": None}, "mcp": {"extra": None}}, present, SERVER, SERVER)
    assert result.document.text == SERVER
    assert not result.unmanaged


def test_null_gives_back_a_key_that_was_absent() -> None:
    present = SERVER.replace("dbport : 5432\n", "")
    assert held(lay({"server": {"dbport": None}}, present, SERVER, SERVER).document) == held(Document.parse(SERVER))


@pytest.mark.parametrize("previous", [SERVER, None])
def test_what_was_changed_by_hand_is_kept_and_listed(previous: str | None) -> None:
    present = SERVER.replace("/var/log/panda", "/data/log").replace("transport", "# why\nmine = 1\ntransport")
    result = lay({"server": {"dbhost": "db"}}, present, SERVER, previous)
    assert result.document.text == present.replace("panda-database", "db")
    assert [(u.section, u.key, u.kind, u.before, u.after, u.kept) for u in result.unmanaged] == [
        ("server", "logdir", "changed", "/var/log/panda", "/data/log", True),
        ("mcp", "mine", "added", None, "1", True),
    ]


def test_what_was_removed_by_hand_stays_removed_once_the_base_is_known() -> None:
    present = SERVER.replace("dbport : 5432", "#dbport : 5432")
    result = lay({}, present, SERVER, SERVER)
    assert result.document.text == present
    assert [(u.key, u.kind) for u in result.unmanaged] == [("dbport", "removed")]
    newer = SERVER.replace("transport = http", "transport = sse")
    after = lay({}, present, newer, SERVER).document
    assert after.get("server", "dbport") is None
    assert "#dbport : 5432\n" in after.text
    assert after.get("mcp", "transport") == Document.parse(newer).get("mcp", "transport") or "sse" in after.text


@pytest.mark.parametrize("present", ["", "[server]\nlogdir=/var/log/panda"])
@pytest.mark.parametrize("previous", [SERVER, SERVER.replace("http", "sse"), None])
def test_a_truncated_file_gets_its_missing_sections_back(present: str, previous: str | None) -> None:
    result = lay({}, present, SERVER, previous)
    values = held(result.document)
    assert values["daemon"] == held(Document.parse(SERVER))["daemon"]
    assert values["mcp"] == {"transport": "http"}
    assert {item.section for item in result.unmanaged} <= {"server"}


def test_a_section_that_comes_back_does_not_continue_the_value_above_it() -> None:
    base = "  [a]\n  x = 1\n  [b]\ny = 2\n"
    assert held(lay({}, "[a]\nx = 1\n", base, base).document) == {"a": {"x": "1"}, "b": {"y": "2"}}


def test_drop_makes_the_file_base_and_settings_and_nothing_else() -> None:
    present = SERVER.replace("/var/log/panda", "/data") + "# note\nmine = 1\n[other]\nb = 1\n"
    result = lay({"server": {"dbhost": "db"}}, present, SERVER, SERVER, keep_unmanaged=False)
    assert result.document.text == SERVER.replace("panda-database", "db")
    assert [(u.key, u.kept) for u in result.unmanaged] == [("logdir", False), ("mine", False), ("b", False)]


def test_an_upgrade_takes_new_defaults_and_keeps_what_the_site_and_its_people_set() -> None:
    old = SERVER
    present = lay({"server": {"dbhost": "db", "extra": "x"}}, None, old).document.text
    present = present.replace("/var/log/panda", "/data/log").replace("# host\n", "# host\n# ask Ann\n")
    present += "# ours\nmine = 1\n\n# all ours\n[site]\na = 1\n"
    new = (
        old.replace("dbport : 5432", "dbport : 5433\n\n# new in this version\nfresh = 1")
        .replace("panda-database", "panda-db")
        .replace("usedbtimeout   =   True\n", "")
        .replace("# log directory", "# directory of logs")
    )
    result = lay({"server": {"dbhost": "db", "extra": "x"}}, present, new, old)
    values = held(result.document)
    assert values["server"] == {
        "logdir": "/data/log",
        "dbhost": "db",
        "dbport": "5433",
        "fresh": "1",
        "dbpasswd": "FIXME",
        "extra": "x",
    }
    assert values["mcp"] == {"transport": "http", "mine": "1"}
    assert values["site"] == {"a": "1"}
    text = result.document.text
    assert "# host\n# ask Ann\n#dbhost = OTHER\ndbhost = db\n" in text
    assert "# ours\nmine = 1\n" in text
    assert "# all ours\n[site]\n" in text
    assert "# directory of logs\n" in text
    assert "# log directory\n" not in text
    assert [(c.key, c.kind, c.before, c.after, c.managed) for c in result.base_changes] == [
        ("dbhost", "changed", "panda-database", "panda-db", True),
        ("dbport", "changed", "5432", "5433", False),
        ("fresh", "added", None, "1", False),
        ("usedbtimeout", "removed", "True", None, False),
    ]
    again = lay({"server": {"dbhost": "db", "extra": "x"}}, text, new, new)
    assert again.document.text == text
    assert not again.base_changes


def test_an_upgrade_keeps_the_comment_above_the_key_it_explains() -> None:
    old = "[s]\na = 1\n\nb = 2\n"
    new = "[s]\na = 1\n\nq = 3\nb = 2\n"
    assert (
        lay({}, "[s]\na = 1\n\n# about b\nb = 2\n", new, old).document.text == "[s]\na = 1\n\nq = 3\n# about b\nb = 2\n"
    )


def test_a_section_that_upstream_dropped_goes_unless_someone_changed_it() -> None:
    old = SERVER + "[gone]\na = 1\nb = 2\n"
    assert lay({}, old, SERVER, old).document.text == SERVER
    kept = lay({}, old.replace("b = 2", "b = 3"), SERVER, old).document
    assert held(kept)["gone"] == {"b": "3"}


def test_the_line_ends_of_the_present_file_are_kept_across_an_upgrade() -> None:
    crlf = SERVER.replace("\n", "\r\n")
    text = lay({"server": {"x": "a\nb"}}, crlf, SERVER.replace("5432", "5433"), SERVER).document.text
    assert "5433" in text
    assert re.search(r"(?<!\r)\n", text) is None


# --- warnings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "key", "warning"),
    [
        ("server", "dbhsot", "dbhost"),
        ("server", "DBHOST", "dbhost"),
        ("server", "backnd", "backend"),
        ("server", "transport", r"transport of \[mcp\]"),
        ("servr", "dbhost", r"dbhost of \[server\]"),
        ("server", "backend", ""),
        ("server", "pserverhost", ""),
        ("server", "CRIC_URL_TAGS", ""),
        ("server", "something_else", ""),
        ("mine", "something", ""),
    ],
)
def test_a_name_like_one_of_the_base_is_questioned_and_no_other(section: str, key: str, warning: str) -> None:
    warnings = lay({section: {key: "x"}}, None, SERVER).warnings
    if warning:
        assert len(warnings) == 1
        assert re.search(rf"^\[{section}\] {key} is not a key of the base; is {warning} meant\?$", warnings[0])
    else:
        assert not warnings


def test_a_commented_default_is_a_known_key() -> None:
    assert "backend" in known_keys(Document.parse(SERVER))["server"]


def test_a_string_that_looks_like_a_boolean_is_questioned() -> None:
    assert "takes for true" in plan(Request({"server": {"a": "false"}}), None).warnings[0]
    assert not plan(Request({"server": {"a": False}, "logger": {"a": "false"}}), None).warnings
