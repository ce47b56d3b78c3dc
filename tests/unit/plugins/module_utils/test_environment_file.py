# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The syntax of ``EnvironmentFile=``, row by row what systemd.exec(5) and ``src/basic/env-file.c`` say."""

from __future__ import annotations

import pytest
from ansible_collections.pandawms.panda.plugins.module_utils._environment_file import environment_of
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A=1\nB=2\n", {"A": "1", "B": "2"}),
        ("A=1\r\nB=2", {"A": "1", "B": "2"}),
        ("A=1\nA=2\n", {"A": "2"}),
        ("A=\n", {"A": ""}),
        ("A=  x y \t\n", {"A": "x y"}),
        (" A =x\n", {"A": "x"}),
        ("# A=1\n; B=2\nC=3", {"C": "3"}),
        ("A=x # y\n", {"A": "x # y"}),
        ("A='x  $B \\ y' \n", {"A": "x  $B \\ y"}),
        ('A="x \\" \\\\ \\$B \\` \\n"\n', {"A": 'x " \\ $B ` \\n'}),
        ("A=\"x\"'y' z\n", {"A": "xyz"}),
        ("A=x'y\"\nB=1\n", {"A": "x'y\"", "B": "1"}),
        ('A="x\ny"\nB=1\n', {"A": "x\ny", "B": "1"}),
        ('A="x\\\ny"\n', {"A": "xy"}),
        ("A=x\\\ny\nB=1\n", {"A": "xy", "B": "1"}),
        ("A=x\\ y\\\\z\n", {"A": "x y\\z"}),
        ("export A=1\n1A=1\nno equals\nB=2\n", {"B": "2"}),
        ("=1\nB=2\n", {"B": "2"}),
        ("A='never closed\nB=2\n", {"A": "never closed\nB=2\n"}),
        ("A=x\\", {"A": "x"}),
        ("", {}),
    ],
)
def test_a_file_is_read_as_systemd_reads_it(text: str, expected: dict[str, str]) -> None:
    assert environment_of(text) == expected


def quoted(value: str) -> str:
    """As roles/config/templates/environment.j2 writes a value."""
    for character in '\\"`$':
        value = value.replace(character, "\\" + character)
    return f'"{value}"'


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,3}", fullmatch=True)
VALUES = st.text(alphabet="ab '\"\\`$#;=\n\té", max_size=8)


@given(st.dictionaries(NAMES, VALUES, max_size=3))
def test_what_the_role_writes_is_read_back(variables: dict[str, str]) -> None:
    text = "".join(f"{name}={quoted(value)}\n" for name, value in variables.items())
    assert environment_of(text) == variables


@given(st.text(alphabet="A=x'\"\\#; \n\r\t$", max_size=40))
def test_no_text_is_an_error_and_every_name_is_one(text: str) -> None:
    assert all(name.isidentifier() for name in environment_of(text))
