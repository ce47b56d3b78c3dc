# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cfg core against the real ``configparser``."""

from __future__ import annotations

import configparser
import io
import json
import re
from typing import Any

import pytest
from ansible_collections.pandawms.panda.plugins.module_utils._cfg import CfgError, Document, Value, decode, typed
from ansible_collections.pandawms.panda.plugins.module_utils._cfg_mask import MASKED, Mask, scrub
from ansible_collections.pandawms.panda.plugins.module_utils._cfg_plan import (
    Plan,
    Request,
    changes,
    known_keys,
    plan,
    settings_of,
)
from ansible_collections.pandawms.panda.plugins.module_utils._panda_config import check, check_daemons, read
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

SERVER = """\
[server]

# log directory
logdir=/var/log/panda

# host
#dbhost = OTHER
dbhost = panda-database

# port if non-standard
dbport : 5432

# password
dbpasswd = FIXME

# database backend
# backend = postgres

#backend = mysql
usedbtimeout   =   True



[daemon]

# whether to run daemons
enable = False

config = {
    "dummy_test": {
        "enable": false, "period": 120},
    # not now
    "add_main": {

        "enable": true, "period": 240, "loop": true}
  }

# MCP parameters
[mcp]
transport = http
"""


def real(text: str) -> dict[str, dict[str, str]]:
    """What PanDA's parser makes of *text*, before interpolation."""
    parser = configparser.ConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_file(io.StringIO(text, newline=None))
    return {section: dict(parser.items(section, raw=True)) for section in parser.sections()}


def held(document: Document) -> dict[str, dict[str, str]]:
    """What the model makes of a document, in the same form."""
    result: dict[str, dict[str, str]] = {section.name: {} for section in document.sections}
    for (section, key), entry in document.entries.items():
        result[section][key] = entry.raw
    return result


def apply(text: str, wanted: dict[str, dict[str, Any]], **options: Any) -> str:
    return plan(Request(wanted, **options), Document.parse(text)).document.text


def lay(
    wanted: dict[str, dict[str, Any]],
    present: str | None,
    base: str,
    previous: str | None = None,
    **options: Any,
) -> Plan:
    def document(text: str | None) -> Document | None:
        return None if text is None else Document.parse(text)

    return plan(Request(wanted, **options), document(present), document(base), document(previous))


# --- reading: one row for each rule of PanDA's parser -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[s]\na = 5\n", "5"),
        ("[s]\na=5\n", "5"),
        ("[s]\na : 5\n", "5"),
        ("[s]\na=b:c\n", "b:c"),
        ("[s]\na:b=c\n", "b=c"),
        ("[s]\na = \n", ""),
        ("[s]\na =\n", ""),
        ("[s]\na = 5 # c\n", "5 # c"),
        ("[s]\na = 5 ; c\n", "5 ; c"),
        ("[s]\na = 5\n    b = 6\n", "5\nb = 6"),
        ("[s]\n  a = 5\n  # c\n   b\n", "5\nb"),
        ("[s]\na = 5\n\n   6\n\n\n", "5\n\n6"),
        ("[s]\na = {\n# c\n\n  ; d\n  }\n", "{\n\n}"),
        ("[s]\r\na = 5\r\n  6\r\n", "5\n6"),
        ("[s]\ra = 5\r  6", "5\n6"),
        ("[s]\na = 5", "5"),
        ("[s] # not a comment\na = 5\n", "5"),
        ("# c\n\n[s]\na = 5\n", "5"),
        ("[s]\n   a = 5\n", "5"),
        ("[s]\na = x%%y\n", "x%%y"),
    ],
)
def test_a_value_is_read_as_the_real_parser_reads_it(text: str, value: str) -> None:
    document = Document.parse(text)
    entry = document.get("s", "a")
    assert entry is not None
    assert entry.raw == value == real(text)["s"]["a"]
    assert document.text == text


def test_keys_are_case_sensitive() -> None:
    assert held(Document.parse("[s]\nkeyDir = 1\nkeydir = 2\n")) == {"s": {"keyDir": "1", "keydir": "2"}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[server]\na = 1\n\na = 2\n", r"^\[server\] a, line 4: is set again, after line 2; .*remove one"),
        ("[server]\na = 1\n[x]\n[server]\n", r"^\[server\], line 4: section is opened again, after line 1"),
        ('[daemon]\nconfig = {\n  "a": 1\n}\n', r"^\[daemon\], line 4: has no '=' or ':' .*indent it"),
        ("[ server ]\na = 1\n", r"^line 1: section \[ server \] has blanks .*write \[server\]"),
        ("\ufeff[server]\na = 1\n", r"^line 1: the file starts with a byte order mark"),
        ("[server]\nnothing\n", r"^\[server\], line 2: has no '=' or ':'"),
        ("[server]\n= 5\n", r"^\[server\], line 2: has no key"),
        ("a = 1\n[server]\n", r"^line 1: stands before the first \[section\]"),
        ("[server] # see [1]\na = 1\n", r"^line 1: PanDA would read the section name 'server\] # see \[1'"),
    ],
)
def test_a_file_that_panda_refuses_or_misreads_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(CfgError, match=message):
        Document.parse(text)


def test_bytes_that_are_not_utf8_are_refused_with_their_line() -> None:
    with pytest.raises(CfgError, match="^line 2: byte 0xe9 is not UTF-8"):
        decode("[s]\na = é\n".encode("latin-1"))


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("007", 7),
        ("25443", 25443),
        ("-1", "-1"),
        ("1.5", "1.5"),
        ("True", True),
        ("False", False),
        ("true", "true"),
        ("None", None),
        ('"quoted"', '"quoted"'),
        ("", ""),
        ("$HOME", "/root"),
        ("${HOME}", "/root"),
        ("${{HOME}}", "/root"),
        ("$NUMBER", 12),
        ("$UNSET", "$UNSET"),
        ("$HOME/x", "$HOME/x"),
    ],
)
def test_typed_reading_converts_what_panda_converts_and_nothing_else(raw: str, value: object) -> None:
    result = typed(raw, {"HOME": "/root", "NUMBER": "12"})
    assert result == value
    assert type(result) is type(value)


# --- editing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "wanted", "after"),
    [
        ("[s]\na = 1\nb = 2\n", {"a": "9"}, "[s]\na = 9\nb = 2\n"),
        ("[s]\na=1\n", {"a": "9"}, "[s]\na=9\n"),
        ("[s]\na  :   1\n", {"a": "9"}, "[s]\na  :   9\n"),
        ("[s]\na =\nb=\n", {"a": "9", "b": "9"}, "[s]\na = 9\nb=9\n"),
        ("[s]\na = 1\n   2\n\n   3\n\nb = 1\n", {"a": "9"}, "[s]\na = 9\n\nb = 1\n"),
        ("[s]\na = 1\n# c\nb = 2\n", {"a": "9"}, "[s]\na = 9\n# c\nb = 2\n"),
        ("[s]\na = {\n  }\n", {"a": "x\ny"}, "[s]\na = x\n    y\n"),
        ("[s]\n  a = 1\n", {"a": "x\ny"}, "[s]\n  a = x\n      y\n"),
        ("[s]\na = 1", {"a": "9"}, "[s]\na = 9"),
        ("[s]\na = 1", {"b": "9"}, "[s]\na = 1\nb = 9\n"),
        ("[s]\r\na = 1\r\n", {"a": "9", "b": "8"}, "[s]\r\na = 9\r\nb = 8\r\n"),
        ("[s]\n#a = 1\n\n\n[t]\nb = 2\n", {"a": "9"}, "[s]\n#a = 1\na = 9\n\n\n[t]\nb = 2\n"),
        ("[s]\nx = 1\n\n# about t\n[t]\n", {"a": "9"}, "[s]\nx = 1\na = 9\n\n# about t\n[t]\n"),
        ("[s]\n[t]\n", {"a": "9"}, "[s]\na = 9\n[t]\n"),
        ("[s]\n    [t]\nb = 2\n", {"a": "9"}, "[s]\n    a = 9\n    [t]\nb = 2\n"),
        ("", {"a": "9"}, "[s]\na = 9\n"),
        ("[t]\nb = 2", {"a": "9"}, "[t]\nb = 2\n\n[s]\na = 9\n"),
        ("[s]\na = 1\n", {"a": ""}, "[s]\na =\n"),
        ("[s]\nb = 1\n", {"a": ""}, "[s]\nb = 1\na =\n"),
        ("[s]\na = 1\n  2\n# c\nb = 2\n", {"a": None}, "[s]\n# c\nb = 2\n"),
        ("[s]\na = 5 # c\n", {"a": "5"}, "[s]\na = 5\n"),
        ("[s]\na = x%%y\n", {"a": "x%y"}, "[s]\na = x%%y\n"),
        ("[s]\na = 1\n", {"a": "50%"}, "[s]\na = 50%%\n"),
        ("[s]\na=1\n   2\n", {"a": "1\n2"}, "[s]\na=1\n   2\n"),
        ("[s]\na = 1\n", {"a": ["x", "y z", 3]}, "[s]\na = x,y z,3\n"),
        ("[s]\na = 1\n", {"a": []}, "[s]\na =\n"),
        ("[s]\na = 1\n", {"a": True, "b": 1.5, "c": -1}, "[s]\na = True\nb = 1.5\nc = -1\n"),
        ("[s]\na = 1\n", {"a": {}}, "[s]\na = {}\n"),
        ("[s]\na = 1\n", {"a": {"b": 1}}, '[s]\na = {\n    "b": 1\n  }\n'),
        ("[s]\na = 1\n", {"a": {"b": "5%"}}, '[s]\na = {\n    "b": "5%%"\n  }\n'),
        ('[s]\na = {"b": {"d": 2, "c": "5%%"}}\n', {"a": {"b": {"c": "5%", "d": 2}}}, None),
    ],
)
def test_only_the_lines_of_the_key_change(before: str, wanted: dict[str, Any], after: str | None) -> None:
    result = apply(before, {"s": wanted})
    assert result == (before if after is None else after)
    assert apply(result, {"s": wanted}) == result


def test_true_and_1_in_json_are_not_the_same() -> None:
    text = '[daemon]\nconfig = {"a": {"enable": 1, "period": 5}}\n'
    assert '"enable": true' in apply(text, {"daemon": {"config": {"a": {"enable": True, "period": 5}}}})


def test_json_keeps_the_order_given_and_never_closes_at_column_0() -> None:
    text = apply("[daemon]\n", {"daemon": {"config": {"z": {"period": 1}, "a": {"period": 2}}}})
    assert list(json.loads(real(text)["daemon"]["config"])) == ["z", "a"]
    assert not any(line.startswith("}") for line in text.splitlines())


def test_a_json_text_may_be_indented_because_blanks_mean_nothing_there() -> None:
    text = apply("[x]\n", {"x": {"config": '{\n  "a": {\n    "b": 1\n  }\n}'}})
    assert json.loads(real(text)["x"]["config"]) == {"a": {"b": 1}}


def test_commented_defaults_stay_and_one_active_line_is_added() -> None:
    text = apply(SERVER, {"server": {"backend": "postgres"}})
    assert "# backend = postgres\n" in text
    assert "#backend = mysql\n" in text
    assert text.count("\nbackend = postgres\n") == 1


def test_a_key_in_a_continuation_is_not_taken_for_the_key() -> None:
    before = "[server]\na = 5\n    b = 6\n"
    assert apply(before, {"server": {"b": 7}}) == before + "b = 7\n"


@pytest.mark.parametrize("section", ["server", "daemon", "mcp", "jedi", "db"])
@pytest.mark.parametrize("value", ["007", "12", "True", "False", "None", "$HOME", "${X}", "${{X}}", "\u0661"])
def test_a_string_that_panda_would_retype_is_refused(section: str, value: str) -> None:
    with pytest.raises(
        CfgError, match=rf"^\[{section}\] key: PanDA would turn this string into .*'{section}\.key' in 'raw'"
    ):
        Value.of(section, "key", value)
    assert Value.of(section, "key", value, literal=True).raw == value
    assert Value.of("logger", "key", value).raw == value


def test_the_refusal_of_a_retyped_password_does_not_show_it() -> None:
    with pytest.raises(CfgError) as caught:
        Value.of("server", "dbpasswd", "0074711")
    assert "4711" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (" a", "starts or ends with blanks"),
        ("a\n", "starts or ends with blanks or a line break"),
        ("a\n# b\nc", "starts with '#' or ';'"),
        ("a\n  ;b", "starts with '#' or ';'"),
        ("a\n  b", "line inside the value starts or ends with blanks"),
        ("a\rb", "carriage return"),
        ("a\ud800", "UTF-8"),
        (["a,b"], "comma"),
        ([["a"]], "item of a list is a list"),
        ([None], "item of a list is a NoneType"),
        ([""], "empty"),
        (["12"], "would turn this string"),
        ({"a": float("nan")}, "JSON"),
        ({"a": object()}, "JSON"),
        (object(), "type object"),
    ],
)
def test_a_value_that_would_be_read_as_something_else_is_refused(value: object, message: str) -> None:
    with pytest.raises(CfgError, match=r"^\[server\] key: .*" + message):
        Value.of("server", "key", value)


@pytest.mark.parametrize(
    ("section", "key"),
    [("s", ""), ("s", "#a"), ("s", ";a"), ("s", "a=b"), ("s", "a:b"), ("s", " a"), ("s", "[a]"), ("s", "a\nb")]
    + [("", "a"), ("s]", "a"), (" s", "a"), ("s\n", "a"), ("DEFAULT", "a")],
)
def test_names_that_a_file_cannot_hold_are_refused(section: str, key: str) -> None:
    with pytest.raises(CfgError):
        Value.of(section, key, "x")


def test_raw_writes_a_reference_to_another_key() -> None:
    text = apply("[server]\nlogdir = /x\n", {"server": {"a": "%(logdir)s/y"}}, raw=("server.a",))
    assert read(text).get("server", "a") == "/x/y"


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


# --- checking ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[server]\na = 1\nb = x%y\n", r"^\[server\] b, line 3: holds a single '%'"),
        ("[server]\na = %(nothing)s\n", r"^\[server\] a, line 2: refers to %\(nothing\)s, which is not set"),
        ("[server]\na = %(a)s\n", r"^\[server\] a, line 2: refers to itself"),
        ("[DEFAULT]\na = 5%\n[server]\nb = 1\n", r"^\[server\] a, line 2: holds a single"),
        (f"[server]\na = {'9' * 5000}\n", r"^\[server\] a, line 2: is a number with too many digits"),
        ("[daemon]\nenable = True\nconfig = {\n  oops\n  }\n", r"^\[daemon\] config, line 3: is not JSON in line 2"),
    ],
)
def test_what_panda_would_fail_on_is_named_with_section_key_and_line(text: str, message: str) -> None:
    if "9999" in text and not hasattr(__import__("sys"), "get_int_max_str_digits"):
        pytest.skip("this Python has no limit")
    with pytest.raises(CfgError, match=message):
        check(Document.parse(text))


@pytest.mark.parametrize(
    ("daemon", "message"),
    [
        ({"period": 60}, ""),
        ({"enable": False}, ""),
        ({"enable": True, "period": 60, "timeout": 60, "arguments": ["--a"], "sync": True, "loop": False}, ""),
        ({"enable": True}, "period is missing"),
        ({"enable": "False", "period": 60}, "enable must be true or false"),
        ({"enable": 1, "period": 60}, "enable must be true or false"),
        ({"sync": "yes", "period": 60}, "sync must be true or false"),
        ({"period": 0}, "period must be a whole number"),
        ({"period": "60"}, "period must be a whole number"),
        ({"period": 1.5}, "period must be a whole number"),
        ({"period": True}, "period must be a whole number"),
        ({"enable": False, "period": None}, "period is missing"),
        ({"period": 60, "timeout": 59}, "timeout must be a number of seconds, at least the period"),
        ({"period": 60, "timeout": "90"}, "timeout must be"),
        ({"period": 60, "timeout": None}, "timeout must be"),
        ({"period": 60, "arguments": "--a"}, "arguments must be a list of strings"),
        ({"period": 60, "arguments": [1]}, "arguments must be a list of strings"),
        ({"period": 60, "module": 1}, "module must be a string"),
        ([], "must be a mapping"),
    ],
)
def test_a_daemon_that_would_crash_or_never_run_is_refused(daemon: object, message: str) -> None:
    text = json.dumps({"copyArchive": daemon})
    if not message:
        check_daemons(text)
        return
    with pytest.raises(CfgError, match="^daemon copyArchive:? " + message):
        check_daemons(text)


@pytest.mark.parametrize("text", ["", "[]", "{", "5", "[" * 100000])
def test_a_daemon_config_that_is_no_mapping_is_refused(text: str) -> None:
    with pytest.raises(CfgError):
        check_daemons(text)


def test_the_shipped_kind_of_file_passes() -> None:
    check(Document.parse(SERVER))


# --- secrets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key", ["dbpasswd", "ei_dbpasswd", "DB_PASSWORD", "CO2_BEARER_TOKEN", "pilot_secrets", "emailPass"]
)
def test_secret_names_are_masked(key: str) -> None:
    assert Mask().text("server", key, "x") == MASKED
    assert Mask().text("server", key, None) is None


@pytest.mark.parametrize(
    "key",
    ["dbhost", "token_authType", "token_audience", "token_issuers", "token_cache_config", "legacy_token_issuers"],
)
def test_names_that_hold_no_secret_are_shown_unless_listed(key: str) -> None:
    assert Mask().text("server", key, "x") == "x"
    assert Mask(frozenset([key])).text("server", key, "x") == MASKED
    assert Mask(frozenset([f"server.{key}"])).text("server", key, "x") == MASKED
    assert Mask(frozenset([f"other.{key}"])).text("server", key, "x") == "x"


@pytest.mark.parametrize(
    "value",
    [
        '{"a": {"client_secret": "hush"}, "b": 1}',
        '{"a": [{"password": "hush"}]}',
        '{\n"client_secret" : "hu\\"sh"\n}',
        '{"client_secret": {"deep": "hush"}}',
        '{"client_secret": ["hush"]}',
        '{"client_s\\u0065cret": "hush"}',
        '{"client_secret": "hush"',
    ],
)
def test_secrets_inside_json_are_masked_in_every_output(value: str) -> None:
    document = Document.parse("[daemon]\nconfig = " + value.replace("\n", "\n  ") + "\n")
    shown = [Mask().document(document), str(Mask().text("daemon", "config", value))]
    shown.append(str(Mask().data({"daemon": {"config": value}})))
    for text in shown:
        assert "hush" not in text
        assert "sh\\" not in text.replace("********", "")
        assert MASKED in text


def test_members_beside_a_secret_stay_readable() -> None:
    text = Mask().text("daemon", "config", '{"a": {"client_secret": "hush", "period": 60}}')
    assert text == f'{{"a": {{"client_secret": "{MASKED}", "period": 60}}}}'


def test_a_secret_in_a_commented_line_or_over_several_lines_is_masked() -> None:
    text = "[server]\n#dbpasswd = old1\n ; dbpasswd: old2\ndbpasswd = one\n  # dbpasswd = three\n  two\na = 1\n"
    shown = Mask().document(Document.parse(text))
    assert shown == f"[server]\n#dbpasswd = {MASKED}\n ; dbpasswd: {MASKED}\ndbpasswd = {MASKED}\na = 1\n"


def test_a_diff_says_that_a_secret_changed_without_showing_it() -> None:
    before = Document.parse('[server]\ndbpasswd = old\nx = {"token": "old", "b": 1}\ndbhost = a\n')
    after = Document.parse('[server]\ndbpasswd = new\nx = {"token": "new", "b": 1}\ndbhost = b\n')
    assert Mask().document(after, before) == (
        f'[server]\ndbpasswd = {MASKED} (changed)\nx = {{"token": "{MASKED} (changed)", "b": 1}}\ndbhost = b\n'
    )
    assert Mask().document(after, after) == Mask().document(after)


@pytest.mark.parametrize("data", ["dbpasswd=x", ["x"], {"server": "x"}, {"server": ["x"]}])
def test_settings_of_a_wrong_shape_are_masked_whole(data: object) -> None:
    assert "x" not in str(Mask().data(data))


def test_output_of_a_command_is_scrubbed_of_short_secrets_too() -> None:
    document = Document.parse("[server]\ndbpasswd = p%%w\nemailPass = x\na = keep\n")
    assert (
        scrub("line 2: p%%w or p%w, keep", Mask().document_secrets(document)) == f"line 2: {MASKED} or {MASKED}, keep"
    )


# --- properties -------------------------------------------------------------------------------------------------------

QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
THOROUGH = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])

ROUGH = st.text(alphabet='[]=:#;%{}"$ab \t\n\r\ufeff\x0b\x0c\x1f\x85\u2028é', max_size=60)
"""Texts made of what matters to the parser."""

SECTIONS = st.sampled_from(["server", "daemon", "other"])
KEYS = st.sampled_from(["a", "b", "A", "long key", "x.y"])
WORDS = st.text(alphabet="ab=:#;%$[]{}\"'\\/ é", max_size=8).map(str.strip)
VALUES = st.one_of(
    WORDS,
    st.lists(WORDS, min_size=1, max_size=3).map("\n".join),
    st.integers(),
    st.booleans(),
    st.lists(st.sampled_from(["x", "y z", 3, "%"]), max_size=3),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
        lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=4), inner, max_size=2)),
        max_leaves=5,
    ).map(lambda data: {"k": data}),
)


@st.composite
def files(draw: st.DrawFn, end: str | None = None) -> str:
    """Files as people write them: odd spacing, comments, blank lines, continuations, indented keys, any line end."""
    newline = end or draw(st.sampled_from(["\n", "\r\n", "\r"]))
    filler = st.lists(st.sampled_from(["", "", "# c", "; d", "#a = old", "   # c", "  "]), max_size=2)
    lines = draw(filler)
    for section in draw(st.lists(SECTIONS, unique=True, max_size=3)):
        lines.append(draw(st.sampled_from(["", "", "", " "])) + f"[{section}]")
        level = draw(st.integers(0, 2))
        lines += draw(filler)
        for key in draw(st.lists(KEYS, unique=True, max_size=4)):
            level = draw(st.integers(0, level))
            value = draw(st.sampled_from(["1", "x y", "", "%%", "{"]))
            lines.append(" " * level + key + draw(st.sampled_from(["=", " = ", ":", " :\t"])) + value)
            for more in draw(st.lists(st.sampled_from(["m", "[no]", "n = 1", "}", "", "# c"]), max_size=2)):
                lines.append(" " * (level + draw(st.integers(1, 3))) + more if more else "")
            lines += draw(filler)
    text = newline.join(lines)
    text += draw(st.sampled_from(["", newline])) if text else ""
    try:
        Document.parse(text)
    except CfgError:  # an indented header after a key of another level
        return "[server]" + newline
    return text


def accepts(section: str, key: str, value: object, literal: bool) -> bool:
    try:
        Value.of(section, key, value, literal)
    except CfgError:
        return False
    return True


@THOROUGH
@given(ROUGH)
@example("[a]\nb=1\n\x1f[c]")
def test_any_text_is_either_refused_or_read_as_the_real_parser_reads_it(text: str) -> None:
    try:
        document = Document.parse(text)
    except CfgError:
        return
    assert document.text == text
    assert "DEFAULT" in text or held(document) == real(text)


@THOROUGH
@given(ROUGH)
def test_what_the_real_parser_accepts_is_refused_only_for_the_reasons_documented(text: str) -> None:
    try:
        names = real(text)
    except configparser.Error:
        with pytest.raises(CfgError):
            Document.parse(text)
        return
    if any(name != name.strip() or "[" in name or "]" in name for name in names):
        return
    assert held(Document.parse(text)) == names


@QUICK
@given(st.one_of(st.binary(max_size=60), ROUGH.map(str.encode)))
def test_no_bytes_bring_any_error_but_the_cores_own(data: bytes) -> None:
    try:
        text = decode(data)
        document = Document.parse(text)
        check(document)
        Mask().document(document)
    except CfgError:
        pass


@QUICK
@given(
    st.dictionaries(
        st.text(max_size=4),
        st.dictionaries(
            st.text(max_size=4),
            st.one_of(st.text(max_size=6), st.floats(), st.none(), st.lists(st.text(max_size=2)), VALUES),
            max_size=3,
        ),
        max_size=2,
    ),
    st.lists(st.text(max_size=4), max_size=1),
    files(),
)
def test_no_settings_bring_any_error_but_the_cores_own(
    wanted: dict[str, dict[str, Any]], names: list[str], text: str
) -> None:
    try:
        result = plan(Request(wanted, absent=tuple(names)), Document.parse(text))
    except CfgError:
        return
    assert held(result.document) == real(result.document.text)
    Mask().document(result.document, Document.parse(text))


@THOROUGH
@given(files(), st.lists(st.tuples(SECTIONS, KEYS, st.none() | VALUES, st.booleans()), min_size=1, max_size=5))
def test_any_edits_are_read_back_exactly_and_leave_every_other_line(
    text: str, edits: list[tuple[str, str, Any, bool]]
) -> None:
    document = Document.parse(text)
    for section, key, value, literal in edits:
        if value is not None and not accepts(section, key, value, literal):
            continue
        before = document
        wanted = {section: {key: value}}
        request = Request(wanted, raw=(f"{section}.{key}",) if literal else ())
        document = plan(request, before).document
        again = plan(request, document)
        assert again.document == document
        values, old = real(document.text), real(before.text)
        if value is None:
            assert key not in values.get(section, {})
        else:
            assert_reads_back(document.text, section, key, value, literal)
        values.get(section, {}).pop(key, None)
        old.get(section, {}).pop(key, None)
        assert {k: v for k, v in values.items() if v} == {k: v for k, v in old.items() if v}
        assert_other_lines_unchanged(before, document, section, key)


def assert_reads_back(text: str, section: str, key: str, value: Any, literal: bool) -> None:
    parser = configparser.ConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_file(io.StringIO(text, newline=None))
    got = parser.get(section, key, raw=literal)
    if isinstance(value, dict):
        assert json.loads(parser.get(section, key)) == value
    elif isinstance(value, list):
        assert got == ",".join(str(item) for item in value)
    else:
        expected = "\n".join(line.strip() for line in str(value).split("\n"))
        assert got == expected


def assert_other_lines_unchanged(before: Document, after: Document, section: str, key: str) -> None:
    def others(document: Document) -> list[str]:
        entry = document.get(section, key)
        lines = list(document.lines)
        if entry:
            del lines[entry.start : entry.stop]
        return [line.rstrip("\r\n") for line in lines]

    old, new = others(before), others(after)
    if before.section(section) is None and after.section(section) is not None:
        assert new[: len(old)] == old
        assert new[len(old) :] in ([f"[{section}]"], ["", f"[{section}]"])
    else:
        assert new == old


@THOROUGH
@given(
    files(),
    files(end="\n"),
    st.none() | files(end="\n"),
    st.dictionaries(
        SECTIONS, st.dictionaries(KEYS, st.sampled_from([None, "new", "x\ny", {"k": 1}]), max_size=2), max_size=2
    ),
    st.lists(st.sampled_from(["server.a", "daemon.b", "other.A"]), max_size=1),
    st.booleans(),
)
def test_any_upgrade_keeps_what_people_set_and_done_again_changes_nothing(
    present: str,
    base: str,
    previous: str | None,
    wanted: dict[str, dict[str, Any]],
    absent: list[str],
    keep: bool,
) -> None:
    options: dict[str, Any] = {"absent": tuple(absent), "keep_unmanaged": keep}
    names = {(section, key) for section, keys in wanted.items() for key in keys}
    if any(tuple(name.split(".", 1)) in names for name in absent):
        return
    result = lay(wanted, present, base, previous, **options)
    text = result.document.text
    values = real(text)
    for section, key in names:
        if wanted[section][key] is not None:
            assert_reads_back(text, section, key, wanted[section][key], False)
        else:
            assert values.get(section, {}).get(key) == held(Document.parse(base)).get(section, {}).get(key)
    for name in absent:
        section, key = name.split(".", 1)
        assert key not in values.get(section, {})
    for item in result.unmanaged:
        here = values.get(item.section, {}).get(item.key)
        default = held(Document.parse(base)).get(item.section, {}).get(item.key)
        before = real(present).get(item.section, {}).get(item.key)
        assert here == (before if keep else default)
    for knowledge in (base, None) if previous is None else (base,):
        again = lay(wanted, text, base, knowledge, **options)
        assert again.document.text == text


@QUICK
@given(files(end="\n"), st.lists(st.sampled_from(["# note one", "; note two"]), min_size=1, max_size=2), st.data())
def test_no_upgrade_loses_a_comment_written_by_hand(base: str, notes: list[str], data: st.DataObject) -> None:
    lines = base.splitlines(keepends=True)
    inside = {n for e in Document.parse(base).entries.values() for n in range(e.start + 1, e.stop)}
    for note in notes:
        places = [n for n in range(len(lines) + 1) if n not in inside]
        at = data.draw(st.sampled_from(places))
        if at and not lines[at - 1].endswith("\n"):
            continue
        lines.insert(at, note + "\n")
        inside = {n + (n >= at) for n in inside}
    present = "".join(lines)
    newer = data.draw(files(end="\n"))
    for target, previous in ((base, None), (newer, base), (newer, None)):
        text = lay({}, present, target, previous).document.text
        for note in set(notes):
            assert text.count(note) == present.count(note)
    assert held(lay({}, present, base).document) == held(Document.parse(base))
