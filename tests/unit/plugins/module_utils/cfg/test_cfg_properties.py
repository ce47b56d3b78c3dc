# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a file holds and whatever is set: the real ``configparser`` is the judge, in more than 10,000 cases altogether."""

from __future__ import annotations

import configparser
import contextlib
import io
import itertools
import json
from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.pandawms.panda.plugins.module_utils._cfg import CfgError, Document, Value, decode
from ansible_collections.pandawms.panda.plugins.module_utils._cfg_mask import Mask
from ansible_collections.pandawms.panda.plugins.module_utils._cfg_plan import Request, plan
from ansible_collections.pandawms.panda.plugins.module_utils._panda_config import SERVER, Reading, check, masked
from ansible_collections.pandawms.panda.tests.unit.plugins.module_utils.cfg.cases import held, lay, real
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

# See tests/ansible-test, which runs the same on one Python after the other.
SHARE = 4 if "/.cache/ansible-test/" in __file__ else 1


def cases(number: int) -> settings:
    """So many cases, or a share of them. They are small, but there are many, on machines that have other things to do."""
    return settings(max_examples=number // SHARE, deadline=None, suppress_health_check=[HealthCheck.too_slow])


# --- what is tried ------------------------------------------------------------------------------------------------------

SECTION_NAMES = ["server", "daemon", "other"]
KEY_NAMES = ["a", "b", "A", "long key", "x.y"]
SECTIONS = st.sampled_from(SECTION_NAMES)
KEYS = st.sampled_from(KEY_NAMES)

TOKENS = [*'[]=:#;%{}"$ab \t\n\n\n\r\ufeff\x00\x0b\x0c\x1f\x85\u2028é']
TOKENS += ["\n[s]\n", "\r\n", "\na=", "\n b", "%%", "%(a)s", "DEFAULT"]
ROUGH = st.binary(min_size=6, max_size=30).map(lambda data: "".join(TOKENS[byte % len(TOKENS)] for byte in data))
"""Texts made of what matters to the parser."""

BYTES = st.one_of(st.binary(max_size=40), ROUGH.map(str.encode))

ODD = ["", "1", "007", "True", "none", "$HOME", "${X}", "50%", "%(a)s", "a # b", "a = b", "[x]", "\n", "x\ny", "x\n\ny"]
ODD += ["#a", "x\n#y", "x\n  y", " x", "x\ry", "{", '{\n  "a": 1\n}', "é", "\ud800", "x\u2028y", "x\x0cy", "x\x1cy"]
WORDS = st.text(alphabet="ab=:#;%$[]{}\"'\\/ é", max_size=8).map(str.strip)
LEAVES: list[Any] = [None, True, 1, -1.5, "", "50%", "é", "a\nb", "#", "}"]
JSON: st.SearchStrategy[Any] = st.sampled_from(
    [*LEAVES, [], {}, *([leaf] for leaf in LEAVES), *({"a": leaf, "%": [leaf, {}]} for leaf in LEAVES)]
)
OTHERS = [0, 25443, -1, 1.5, True, False, [], ["x"], ["x", "y z", 3], ["50%", ""], ["a,b"]]
VALUES = st.one_of(
    st.sampled_from([*ODD, *OTHERS]),
    WORDS,
    st.lists(WORDS, min_size=1, max_size=3).map("\n".join),
    JSON.map(lambda data: {"k": data}),
)

FILLER = ["", "", "# c", "; d", "#a = old", "   # c", "  "]
SPACING = ["=", " = ", ":", " :\t"]
HELD = ["1", "x y", "", "%%", "{"]
MORE = ["", "", "", " m", " [no]", "   n = 1", "  }", "\n m", " # c", "# c\n  m", " m\n\n\n   m"]


class Choices:
    """Picks by the bytes given, the first of what there is to pick from when they are used up."""

    def __init__(self, data: bytes) -> None:
        self.data = iter(data)

    def pick(self, options: Sequence[Any]) -> Any:
        return options[next(self.data, 0) % len(options)]


def file_of(data: bytes, newline: str | None = None) -> str:
    """A file as people write it: odd spacing, comments, blank lines, continuations, indented keys, any line end."""
    choices = Choices(data)
    newline = newline or choices.pick(["\n", "\r\n", "\r"])
    lines: list[str] = []
    for section in choices.pick([*itertools.permutations(SECTION_NAMES), SECTION_NAMES[:2], SECTION_NAMES[1:], []]):
        lines += [choices.pick(FILLER), choices.pick(["", "", "", "", "", "", "", " "]) + f"[{section}]"]
        level = choices.pick([0, 0, 1, 2])
        for key in choices.pick([KEY_NAMES[start:stop] for start in range(4) for stop in range(start, 6)]):
            level = min(level, choices.pick([2, 2, 1, 0]))
            lines.append(choices.pick(FILLER))
            lines.append(" " * level + key + choices.pick(SPACING) + choices.pick(HELD))
            lines += [" " * level + line if line else "" for line in choices.pick(MORE).split("\n")]
    lines += choices.pick([[], [""], ["# end"], ["", ""]])
    text = newline.join(lines)
    try:
        Document.parse(text)
    except CfgError:  # an indented header after a key of another level
        return f"[server]{newline}"
    return text


FILES = st.binary(min_size=20, max_size=60).map(file_of)
UNIX_FILES = st.binary(min_size=20, max_size=60).map(lambda data: file_of(data, "\n"))


def accepts(section: str, key: str, value: object, literal: bool) -> bool:
    try:
        Value.of(section, key, value, literal)
    except CfgError:
        return False
    return True


# --- reading ----------------------------------------------------------------------------------------------------------


@cases(2500)
@given(ROUGH)
@example("[a]\nb=1\n\x1f[c]")
def test_any_text_is_read_as_the_real_parser_reads_it_or_refused_for_a_documented_reason(text: str) -> None:
    try:
        values = real(text)
    except configparser.Error:
        with pytest.raises(CfgError):
            Document.parse(text)
        return
    try:
        document = Document.parse(text)
    except CfgError:
        assert any(name != name.strip() or "[" in name or "]" in name for name in values)
        return
    assert document.text == text
    assert "DEFAULT" in text or held(document) == values


@cases(1500)
@given(FILES)
def test_any_file_that_people_write_comes_back_byte_by_byte(text: str) -> None:
    document = Document.parse(text)
    assert document.text == text
    assert held(document) == real(text)


@cases(2000)
@given(BYTES)
def test_no_bytes_bring_any_error_but_a_clear_one(data: bytes) -> None:
    with contextlib.suppress(CfgError):
        document = Document.parse(decode(data))
        Mask().document(document)
        check(document)


@cases(1000)
@given(
    ROUGH.map(lambda text: "[server]\n" + text),
    st.one_of(
        st.dictionaries(SECTIONS, st.dictionaries(KEYS, JSON, max_size=2) | JSON, max_size=2).map(json.dumps), ROUGH
    ),
    st.dictionaries(st.sampled_from(["HOME", "a", "b"]), st.sampled_from(["007", "None", "x", "9" * 5000]), max_size=2),
)
def test_nothing_that_lies_around_brings_reading_any_error_but_a_clear_one(
    text: str, overlay: str, environment: dict[str, str]
) -> None:
    try:
        documents = {"/etc/panda/panda_server.cfg": Document.parse(text)}
        reading = Reading.of(SERVER, documents, ("/overlay", overlay), environment)
    except CfgError:
        return
    masked(reading.parameters, Mask(frozenset(["a"])))
    laid_over = json.loads(overlay).get("server", {})
    values = {each.key: each.value for each in reading.parameters if each.section == "server"}
    assert laid_over.keys() <= values.keys()
    assert all(values[key] == value for key, value in laid_over.items() if not isinstance(value, str))


# --- editing ----------------------------------------------------------------------------------------------------------


@cases(500)
@given(
    st.dictionaries(
        st.sampled_from([*SECTION_NAMES, "", "DEFAULT", "x]", " "]),
        st.dictionaries(
            st.text(max_size=3), st.none() | st.floats() | st.lists(st.text(max_size=2)) | VALUES, max_size=3
        ),
        max_size=2,
    ),
    st.lists(st.text(max_size=4) | st.just("server.a"), max_size=1),
    FILES,
)
def test_no_settings_bring_any_error_but_a_clear_one(
    wanted: dict[str, dict[str, Any]], names: list[str], text: str
) -> None:
    try:
        result = plan(Request(wanted, absent=tuple(names)), Document.parse(text))
    except CfgError:
        return
    assert held(result.document) == real(result.document.text)
    Mask().document(result.document, Document.parse(text))


NAMES = st.sampled_from(list(itertools.product(SECTION_NAMES, KEY_NAMES)))
EDITS = st.dictionaries(NAMES, st.tuples(st.none() | VALUES, st.booleans()), min_size=1, max_size=4)


@cases(1600)
@given(FILES, st.lists(EDITS, min_size=1, max_size=3))
def test_any_edits_are_read_back_exactly_and_leave_every_other_line(
    text: str, sequence: list[dict[tuple[str, str], tuple[Any, bool]]]
) -> None:
    document = Document.parse(text)
    for edits in sequence:
        wanted: dict[str, dict[str, Any]] = {}
        literal: set[tuple[str, str]] = set()
        for (section, key), (value, is_literal) in edits.items():
            if not (value is None or accepts(section, key, value, is_literal)):
                continue
            wanted.setdefault(section, {})[key] = value
            if is_literal:
                literal.add((section, key))
        request = Request(wanted, raw=tuple(".".join(name) for name in literal))
        before, document = document, plan(request, document).document
        assert plan(request, document).document == document
        names = {(section, key) for section, keys in wanted.items() for key in keys}
        values, old = real(document.text), real(before.text)
        for section, key in names:
            value = wanted[section][key]
            if value is None:
                assert key not in values.get(section, {})
            else:
                assert_reads_back(document.text, section, key, value, (section, key) in literal)
            values.get(section, {}).pop(key, None)
            old.get(section, {}).pop(key, None)
        assert {k: v for k, v in values.items() if v} == {k: v for k, v in old.items() if v}
        assert_other_lines_unchanged(before, document, names)


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


def assert_other_lines_unchanged(before: Document, after: Document, names: set[tuple[str, str]]) -> None:
    def others(document: Document) -> list[str]:
        gone = {n for name in names if name in document.entries for n in lines_of(document, name)}
        return [line.rstrip("\r\n") for n, line in enumerate(document.lines) if n not in gone]

    def lines_of(document: Document, name: tuple[str, str]) -> range:
        entry = document.entries[name]
        return range(entry.start, entry.stop)

    old, new = others(before), others(after)
    assert new[: len(old)] == old
    added = [f"[{section.name}]" for section in after.sections if before.section(section.name) is None]
    assert [line for line in new[len(old) :] if line] == added


# --- upgrades ---------------------------------------------------------------------------------------------------------


@cases(1000)
@given(
    FILES,
    UNIX_FILES,
    st.none() | UNIX_FILES,
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


@cases(600)
@given(UNIX_FILES, st.lists(st.sampled_from(["# note one", "; note two"]), min_size=1, max_size=2), st.data())
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
    newer = data.draw(UNIX_FILES)
    for target, previous in ((base, None), (newer, base), (newer, None)):
        text = lay({}, present, target, previous).document.text
        for note in set(notes):
            assert text.count(note) == present.count(note)
    assert held(lay({}, present, base).document) == held(Document.parse(base))
