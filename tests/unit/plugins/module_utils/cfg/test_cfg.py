# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One file and one value, against the real ``configparser``."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.pandawms.panda.plugins.module_utils._cfg import CfgError, Document, Value, decode, typed
from ansible_collections.pandawms.panda.plugins.module_utils._panda_config import read
from ansible_collections.pandawms.panda.tests.unit.plugins.module_utils.cfg.cases import SERVER, apply, held, real

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
