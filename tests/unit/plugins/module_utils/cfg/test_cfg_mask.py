# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No secret is shown, and everything else is."""

from __future__ import annotations

import pytest
from ansible_collections.pandawms.panda.plugins.module_utils._cfg import Document
from ansible_collections.pandawms.panda.plugins.module_utils._cfg_mask import MASKED, Mask, scrub


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
