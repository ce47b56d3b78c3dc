# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which URLs name a server, and what is said of the others."""

from __future__ import annotations

import pytest
from ansible_collections.pandawms.panda.plugins.module_utils._health_target import InputError, parse_target
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "base", "host", "port"),
    [
        ("https://host.example.org:25443", "https://host.example.org:25443", "host.example.org", 25443),
        ("http://host:25080/", "http://host:25080", "host", 25080),
        ("HTTPS://Host.Example.ORG", "https://host.example.org:443", "host.example.org", 443),
        ("http://host", "http://host:80", "host", 80),
        ("http://[::1]:25080", "http://[::1]:25080", "::1", 25080),
        ("https://[2001:db8::1]", "https://[2001:db8::1]:443", "2001:db8::1", 443),
        ("https://192.0.2.7:65535", "https://192.0.2.7:65535", "192.0.2.7", 65535),
    ],
)
def test_a_url_of_scheme_host_and_port_is_taken_apart(text: str, base: str, host: str, port: int) -> None:
    target = parse_target(text)
    assert (target.name, target.base, target.host, target.port) == (text, base, host, port)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("host.example.org", "no scheme"),
        ("host.example.org:25443", "no scheme"),
        ("//host:25443", "no scheme"),
        ("ftp://host:21", "scheme 'ftp'"),
        ("https+unix://host", "scheme 'https+unix'"),
        ("https://", "no host"),
        ("https://:25443", "no host"),
        ("https://host:0", "no valid port"),
        ("https://host:65536", "no valid port"),
        ("https://host:-1", "no valid port"),
        ("https://host:25443x", "no valid port"),
        ("https://host:", "no valid port"),
        ("https://host:25443/server/panda", "a path"),
        ("https://host:25443//", "a path"),
        ("https://host:25443?x=1", "a query"),
        ("https://host:25443?", "a query"),
        ("https://host:25443#top", "a query"),
        ("https://ho st:25443", "a space"),
        ("https://host:25443\n", "a space"),
        ("https://ho\x1bst:25443", "a control character"),
        ("https://[::1:25443", "not a URL"),
        ("https://[host]:25443", "not a URL"),
        ("https://[]:25443", ""),
    ],
)
def test_a_target_that_is_no_server_url_is_refused_in_one_sentence(text: str, reason: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_target(text)
    assert reason in str(caught.value)
    assert str(caught.value).endswith(".") and str(caught.value).isprintable()


def test_a_password_in_a_target_is_refused_without_repeating_it() -> None:
    with pytest.raises(InputError, match="password") as caught:
        parse_target("https://user:s3cret@host:25443")
    assert "s3cret" not in str(caught.value)


@given(st.one_of(st.text(), st.text().map("https://".__add__), st.text().map("http://[".__add__)))
def test_any_text_is_either_a_target_or_bad_input(text: str) -> None:
    target, reason = None, ""
    try:
        target = parse_target(text)
    except InputError as error:
        reason = str(error)
    assert reason.isprintable()
    assert bool(reason) is (target is None)
    assert target is None or (target.host and 1 <= target.port <= 65535)
