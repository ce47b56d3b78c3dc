# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is_alive is asked about: a server, by the URL that the caller gave."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

_QUOTE_LIMIT = 160


class InputError(ValueError):
    """What the caller asked for cannot be done; the text is one sentence for a person."""


@dataclass(frozen=True)
class Target:
    """One server: ``name`` as the caller wrote it, ``base`` the same URL without a trailing slash."""

    name: str
    base: str
    scheme: str
    host: str
    port: int

    @property
    def address(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_target(text: str) -> Target:
    """Take ``http(s)://host[:port]`` apart. Raises InputError with one sentence when it is anything else."""
    shown = quote(text)
    if not text.strip():
        raise InputError("A target is empty: give a URL such as https://host.example.org:25443.")
    if any(char.isspace() or not char.isprintable() for char in text):
        raise InputError(f"Target '{shown}' contains a space or a control character.")
    if "://" not in text:
        raise InputError(f"Target '{shown}' has no scheme: write https://{shown} or http://{shown}.")
    try:
        parts = urlsplit(text)
        host = parts.hostname
        if "[" in parts.netloc:
            ipaddress.IPv6Address((host or "").partition("%")[0])
    except ValueError as error:
        raise InputError(f"Target '{shown}' is not a URL: {error}.") from None
    if "@" in parts.netloc:
        raise InputError(f"The target for '{host}' contains a user name or password: leave them out.")
    if parts.scheme not in ("http", "https"):
        raise InputError(f"Target '{shown}' has the scheme '{parts.scheme}': only http and https are known.")
    if not host:
        raise InputError(f"Target '{shown}' has no host name.")
    if parts.path not in ("", "/") or parts.query or parts.fragment or text[-1] in "?#":
        raise InputError(
            f"Target '{shown}' has a path or a query: give only scheme, host and port, the check knows its own path."
        )
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0 or (port is None and parts.netloc.endswith(":")):
        raise InputError(f"Target '{shown}' has no valid port: it must be a number from 1 to 65535.")
    if port is None:
        port = 443 if parts.scheme == "https" else 80
    shown_host = f"[{host}]" if ":" in host else host
    return Target(name=text, base=f"{parts.scheme}://{shown_host}:{port}", scheme=parts.scheme, host=host, port=port)


def quote(text: str, limit: int = _QUOTE_LIMIT) -> str:
    """Foreign text made fit for one line of a message: bounded, printable, single spaces."""
    clean = " ".join("".join(char if char.isprintable() else " " for char in text[: 4 * limit]).split())
    return clean if len(clean) <= limit else clean[: limit - 3] + "..."
