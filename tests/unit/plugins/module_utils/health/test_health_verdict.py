# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an answer means, without any network."""

from __future__ import annotations

import pytest
from ansible_collections.pandawms.panda.plugins.module_utils._health_verdict import BODY_LIMIT, judge
from ansible_collections.pandawms.panda.tests.unit.plugins.module_utils.health.servers import ALIVE
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("api", "status", "body", "category"),
    [
        ("v1", 200, ALIVE, "alive"),
        ("v1", 200, b"{'success': True, 'message': '', 'data': None}", "alive"),
        ("v1", 200, b' {"success":true} \n', "alive"),
        ("v1", 200, b'{"success": false, "message": "expecting GET"}', "not_alive"),
        ("v1", 200, b"{'success': False, 'message': \"it's wrong\", 'data': None}", "not_alive"),
        ("v1", 503, b'{"success": false, "message": "no database"}', "not_alive"),
        ("v1", 500, ALIVE, "http"),
        ("v1", 302, ALIVE, "http"),
        ("v1", 204, b"", "http"),
        ("v1", 200, b'{"success": "true"}', "not_panda"),
        ("v1", 200, b'{"success": 1}', "not_panda"),
        ("v1", 200, b'{"status": "ok"}', "not_panda"),
        ("v1", 200, b"[true]", "not_panda"),
        ("v1", 200, b"", "not_panda"),
        ("v1", 200, b"alive=yes", "not_panda"),
        ("v1", 200, b"<html>It works!</html>", "not_panda"),
        ("v1", 200, b"\xff\xfe\x00", "not_panda"),
        ("v1", 200, b"{" * 60000, "not_panda"),
        ("v1", 200, b'{"a":' * 12000, "not_panda"),
        ("v1", 200, b"{'success': __import__('os').abort()}", "not_panda"),
        ("v1", 200, ALIVE + b" " * BODY_LIMIT, "not_panda"),
        ("legacy", 200, b"alive=yes", "alive"),
        ("legacy", 200, b"alive=yes\n", "alive"),
        ("legacy", 200, b"alive=no", "not_alive"),
        ("legacy", 200, b"alive=yesterday", "not_alive"),
        ("legacy", 200, ALIVE, "not_panda"),
        ("legacy", 403, b"ERROR : method isAlive is forbidden", "http"),
    ],
)
def test_the_body_decides_whether_a_server_is_alive(api: str, status: int, body: bytes, category: str) -> None:
    verdict = judge(api, status, body)
    assert (verdict.category, verdict.status, verdict.api) == (category, status, api)
    assert verdict.alive == (category == "alive")


@given(
    st.sampled_from(["v1", "legacy"]),
    st.integers(100, 599),
    st.one_of(
        st.binary(max_size=300),
        st.text(max_size=300).map(str.encode),
        st.dictionaries(st.sampled_from(["success", "message", "data"]), st.one_of(st.booleans(), st.text()))
        .map(str)
        .map(str.encode),
    ),
)
def test_no_body_of_a_stranger_breaks_the_check_or_its_one_line_message(api: str, status: int, body: bytes) -> None:
    verdict = judge(api, status, body)
    assert verdict.message.isprintable()
    assert len(verdict.message) < 500
    assert not (verdict.alive and status != 200)
    assert not (verdict.alive and verdict.dead)


def test_a_reason_given_by_the_server_is_shown_but_bounded_to_one_printable_line() -> None:
    body = b'{"success": false, "message": "first\\nsecond\\u001b[31m' + b"x" * 5000 + b'"}'
    message = judge("v1", 200, body).message
    assert "first second [31mxxx" in message
    assert message.isprintable() and len(message) < 300


@pytest.mark.parametrize(
    ("api", "status", "advice"),
    [
        ("v1", 403, "api legacy or auto"),
        ("legacy", 403, "api v1 or auto"),
        ("v1", 404, "WSGIScriptAliasMatch"),
        ("v1", 500, "panda_server_error_log"),
        ("v1", 502, "WSGI processes"),
        ("v1", 503, "WSGI processes"),
        ("v1", 504, "database"),
        ("v1", 507, "panda_server_error_log"),
        ("v1", 418, "access log"),
    ],
)
def test_each_http_error_says_what_to_look_at_next(api: str, status: int, advice: str) -> None:
    verdict = judge(api, status, b"ERROR : because")
    assert advice in verdict.message
    assert f"HTTP {status} ('ERROR : because')" in verdict.message
    assert verdict.dead == (status >= 500)
