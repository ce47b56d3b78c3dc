# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment that systemd gives to a service: the files which ``EnvironmentFile=`` in its unit names.

The syntax is systemd.exec(5)'s, close to a shell's but not the same (``src/basic/env-file.c``): no variable is expanded,
quotes count only where a value or another of its parts starts, a value in quotes may have several lines.
"""

from __future__ import annotations

import re

_BLANK_OR_COMMENT = re.compile(r"[ \t\r\n]+|[#;][^\r\n]*")
_NAME = re.compile(r"(?P<name>[^=\r\n]*)(?P<equals>=?)[ \t]*")
_SINGLE_QUOTED = re.compile(r"'([^']*)'?[ \t]*")
_DOUBLE_QUOTED = re.compile(r'"((?:\\.|[^"\\])*)"?[ \t]*', re.DOTALL)
_PLAIN = re.compile(r"((?:\\.|[^\\\r\n])*?)[ \t]*(?=[\r\n]|\\?\Z)", re.DOTALL)
_ESCAPED_IN_QUOTES = re.compile(r'\\(?:(["\\`$])|\n)')
_ESCAPED = re.compile(r"\\(?:\n|(.))")
_VALID_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def environment_of(text: str) -> dict[str, str]:
    """The variables that a file sets, the last one of a name counts. Like systemd, it passes over what it does not understand."""
    result: dict[str, str] = {}
    at = 0
    while at < len(text):
        passed_over = _BLANK_OR_COMMENT.match(text, at)
        found = _NAME.match(text, at)
        if passed_over:
            at = passed_over.end()
        elif found:
            at = found.end()
            if found.group("equals"):
                value, at = _value(text, at)
                name = found.group("name").rstrip()
                if _VALID_NAME.match(name):
                    result[name] = value
    return result


def _value(text: str, at: int) -> tuple[str, int]:
    """The value that starts at an index, and the index after it: any number of parts in quotes, then plain text."""
    parts = []
    while True:
        single, double = _SINGLE_QUOTED.match(text, at), _DOUBLE_QUOTED.match(text, at)
        if single:
            parts.append(single.group(1))
        elif double:
            parts.append(_ESCAPED_IN_QUOTES.sub(lambda match: match.group(1) or "", double.group(1)))
        else:
            break
        at = (single or double).end()  # type: ignore[union-attr]
    plain = _PLAIN.match(text, at)
    if plain:
        parts.append(_ESCAPED.sub(lambda match: match.group(1) or "", plain.group(1)))
        at = plain.end()
    return "".join(parts), at
