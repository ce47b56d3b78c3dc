# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One try at a server over TLS: whose certificate is trusted, and what is said of the others."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pandawms.panda.plugins.module_utils._health_probe import Trust, tls_context
from ansible_collections.pandawms.panda.plugins.module_utils._health_target import InputError
from ansible_collections.pandawms.panda.tests.unit.plugins.module_utils.health.servers import (
    NEW_PANDA,
    Certificates,
    Server,
    http_answer,
    resetting,
    sending,
    try_once,
)


@pytest.mark.parametrize("tls12", [False, True], ids=["tls13", "tls12"])
def test_a_living_server_over_tls_is_alive_with_the_ca_of_a_grid(
    serve: Callable[..., Server], certificates: Certificates, tls12: bool
) -> None:
    server = serve(NEW_PANDA, certificates.server(tls12=tls12))
    result = try_once(server.url, ca_path=certificates.ca_file)
    assert result.alive, result


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("expired", "has expired"),
        ("early", "not valid yet"),
        ("other-name", "another name"),
        ("other-address", "another name"),
        ("unknown", "CA that is not trusted"),
    ],
)
def test_a_certificate_that_must_not_be_trusted_is_named_and_nothing_is_asked(
    serve: Callable[..., Server], certificates: Certificates, name: str, said: str
) -> None:
    server = serve(NEW_PANDA, certificates.server(name))
    result = try_once(server.url, ca_path=certificates.ca_file)
    assert (result.alive, result.category, result.status) == (False, "tls", None)
    assert said in result.message
    assert not server.requests


def test_without_ca_path_an_own_ca_is_not_trusted(serve: Callable[..., Server], certificates: Certificates) -> None:
    result = try_once(serve(NEW_PANDA, certificates.server()).url)
    assert result.category == "tls"
    assert "ca_path" in result.message


@pytest.mark.parametrize("name", ["expired", "other-name", "unknown"])
def test_validation_can_be_switched_off(serve: Callable[..., Server], certificates: Certificates, name: str) -> None:
    result = try_once(serve(NEW_PANDA, certificates.server(name)).url, validate_certs=False)
    assert result.alive, result


def test_ca_path_may_be_a_directory_of_hashed_certificates(
    serve: Callable[..., Server], certificates: Certificates, tmp_path: Path
) -> None:
    command = ["openssl", "x509", "-noout", "-hash", "-in", certificates.ca_file]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (tmp_path / f"{done.stdout.strip()}.0").write_bytes(Path(certificates.ca_file).read_bytes())
    server = serve(NEW_PANDA, certificates.server())
    result = try_once(server.url, ca_path=str(tmp_path))
    assert result.alive, result


def test_files_that_are_no_certificates_are_refused_with_their_names(
    certificates: Certificates, tmp_path: Path
) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"ca_path": str(junk)}, "ca_path .* no PEM certificate"),
        ({"ca_path": str(tmp_path)}, "openssl rehash"),
        ({"client_cert": str(junk)}, "junk.pem .* cannot be loaded"),
        ({"client_cert": certificates.file("client"), "client_key": str(junk)}, "junk.pem cannot be loaded"),
        ({"client_cert": str(certificates.folder / "client.crt")}, "private key in .*client.crt cannot be loaded"),
        (
            {"client_cert": certificates.file("client"), "client_key": str(certificates.folder / "good.key")},
            "does not belong",
        ),
        (
            {"client_cert": certificates.file("client"), "client_key": str(certificates.folder / "client.locked")},
            "is encrypted",
        ),
    ]
    for trust, reason in cases:
        with pytest.raises(InputError, match=reason):
            tls_context(Trust(**trust))


@pytest.mark.parametrize("tls12", [False, True], ids=["tls13", "tls12"])
def test_a_server_that_demands_a_client_certificate_gets_it_or_is_explained(
    serve: Callable[..., Server], certificates: Certificates, tls12: bool
) -> None:
    server = serve(NEW_PANDA, certificates.server(client_ca=True, tls12=tls12))
    ca: dict[str, Any] = {"ca_path": certificates.ca_file}
    # With TLS 1.3 the refusal may arrive when the request is already being written to a closed connection.
    refused = ("tls", "error") if not tls12 else ("tls",)
    without = try_once(server.url, **ca)
    assert not without.alive and without.category in refused, without
    assert re.search("demands a client certificate", without.message), without
    wrong = try_once(server.url, **ca, client_cert=certificates.file("unknown-client"))
    assert not wrong.alive and wrong.category in refused, wrong
    assert re.search("accepts? the client certificate", wrong.message), wrong
    combined = try_once(server.url, **ca, client_cert=certificates.file("client"))
    assert combined.alive, combined
    folder = certificates.folder
    separate = try_once(server.url, **ca, client_cert=str(folder / "client.crt"), client_key=str(folder / "client.key"))
    assert separate.alive, separate


def test_plain_http_on_the_https_port_is_explained(serve: Callable[..., Server], certificates: Certificates) -> None:
    """This server closes without a word, as some do; others say it in an alert or a page, see below."""
    result = try_once(serve(NEW_PANDA, certificates.server()).url.replace("https:", "http:"))
    assert result.category in ("tls", "error")
    assert "https://" in result.message


def test_a_tls_alert_in_answer_to_plain_http_is_explained(serve: Callable[..., Server]) -> None:
    result = try_once(serve(sending(b"\x15\x03\x01\x00\x02\x02\x46")).url)
    assert result.category == "tls", result
    assert "https://" in result.message


def test_the_answer_of_httpd_to_plain_http_on_its_https_port_is_explained(serve: Callable[..., Server]) -> None:
    page = b"<p>Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />Use HTTPS instead.</p>"
    result = try_once(serve(sending(http_answer(400, page))).url)
    assert (result.category, result.status) == ("tls", 400)
    assert "https://" in result.message


@pytest.mark.parametrize("words", [http_answer(400, b"Bad Request"), b"SSH-2.0-OpenSSH_9.2\r\n"], ids=["http", "ssh"])
def test_https_on_a_port_without_tls_is_explained(serve: Callable[..., Server], words: bytes) -> None:
    server = serve(sending(words), patient=False)
    result = try_once(server.url.replace("http:", "https:"))
    assert result.category == "tls", result
    assert "does not speak TLS" in result.message


def test_a_reset_in_the_middle_of_the_tls_handshake_is_explained(serve: Callable[..., Server]) -> None:
    server = serve(resetting, patient=False)
    result = try_once(server.url.replace("http:", "https:"))
    assert (result.category, result.status, result.dead) == ("tls", None, False), result
    assert "see whether the port speaks TLS at all" in result.message
