# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What PanDA would fail on. Where it looks for its files is in the tests of cfg_info."""

from __future__ import annotations

import json
import sys

import pytest
from ansible_collections.pandawms.panda.plugins.module_utils._cfg import CfgError, Document
from ansible_collections.pandawms.panda.plugins.module_utils._panda_config import check, check_daemons
from ansible_collections.pandawms.panda.tests.unit.plugins.module_utils.cfg.cases import SERVER


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[server]\na = 1\nb = x%y\n", r"^\[server\] b, line 3: holds a single '%'"),
        ("[server]\na = %(nothing)s\n", r"^\[server\] a, line 2: refers to %\(nothing\)s, which is not set"),
        ("[server]\na = %(a)s\n", r"^\[server\] a, line 2: refers to itself"),
        ("[DEFAULT]\na = 5%\n[server]\nb = 1\n", r"^\[server\] a, line 2: holds a single"),
        ("[daemon]\nenable = True\nconfig = {\n  oops\n  }\n", r"^\[daemon\] config, line 3: is not JSON in line 2"),
    ],
)
def test_what_panda_would_fail_on_is_named_with_section_key_and_line(text: str, message: str) -> None:
    with pytest.raises(CfgError, match=message):
        check(Document.parse(text))


def test_a_number_that_python_cannot_hold_is_refused_by_those_that_have_a_limit() -> None:
    document = Document.parse(f"[server]\na = {'9' * 5000}\n")
    if hasattr(sys, "get_int_max_str_digits"):
        with pytest.raises(CfgError, match=r"^\[server\] a, line 2: is a number with too many digits"):
            check(document)
    else:
        check(document)


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
