# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be shown of a PanDA cfg file: everything but its secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.pandawms.panda.plugins.module_utils._cfg import (
    COMMENTED_KEY,
    Document,
    is_comment,
    line_end,
    unescaped,
)

MASKED = "********"

SHORTEST_SCRUBBED = 8
"""Secrets of at least this many characters are replaced wherever else they turn up in what is shown. A shorter one could be
part of any word; it is hidden by the name of its key alone."""

NOT_SECRET = ("token_authType", "token_audience", "token_issuers", "token_cache_config", "legacy_token_issuers")
"""PanDA's names which contain ``token`` but hold nothing secret."""

ALSO_SECRET = ("emailPass",)
"""PanDA's names which hold a secret although nothing in `_SECRET_NAME` matches them."""

_SECRET_NAME = re.compile(r"password|passwd|secret|token", re.IGNORECASE)
_JSON_SCALAR = r'("(?:[^"\\]|\\.)*"|[^\s,\]}"\[{][^\s,\]}]*)'
_JSON_MEMBER = re.compile(r'("(?P<name>(?:[^"\\]|\\.)*)"\s*:\s*)' + _JSON_SCALAR)


def scrub(text: str, secrets: Iterable[str]) -> str:
    """*text*, a command's output for example, with every secret in it replaced."""
    for secret in sorted(set(secrets) - {""}, key=len, reverse=True):
        text = text.replace(secret, MASKED)
    return text


@dataclass(frozen=True)
class Mask:
    """Hides the values of secret keys in whatever is shown.

    Secret are the keys listed by the site (``key`` or ``section.key``) and those whose name says so (`_SECRET_NAME`),
    except `NOT_SECRET`. Inside JSON the same names are hidden.
    """

    listed: frozenset[str] = frozenset()

    def is_secret(self, key: str, section: str = "") -> bool:
        if key in self.listed or (section and f"{section}.{key}" in self.listed) or key in ALSO_SECRET:
            return True
        return key not in NOT_SECRET and bool(_SECRET_NAME.search(key))

    def text(self, section: str, key: str, value: str | None) -> str | None:
        """A value to show; None (no such key) stays None."""
        if value is None:
            return None
        if self.is_secret(key, section):
            return MASKED
        return self._json_text(value)

    def data(self, settings: object) -> Any:
        """Settings to show: ``{section: {key: value}}``, whatever a caller may have given in its place."""
        if not isinstance(settings, Mapping):
            return MASKED if settings is not None else None
        return {
            section: {key: self._member(key, value, str(section)) for key, value in keys.items()}
            if isinstance(keys, Mapping)
            else (None if keys is None else MASKED)
            for section, keys in settings.items()
        }

    def secrets(self, settings: object) -> Iterator[str]:
        """Every secret text in the settings."""
        for section, keys in settings.items() if isinstance(settings, Mapping) else ():
            for key, value in keys.items() if isinstance(keys, Mapping) else ():
                yield from self._secret_texts(value, self.is_secret(str(key), str(section)))

    def document(self, document: Document, other: Document | None = None) -> str:
        """A file's text to show. A secret that is not the same in *other* says so, or a diff would show nothing."""
        shown = list(document.lines)
        for entry in document.entries.values():
            before = other.get(entry.section, entry.key) if other else None
            note = " (changed)" if before and before.raw != entry.raw else ""
            lines = document.lines[entry.start : entry.stop]
            masked = MASKED if self.is_secret(entry.key, entry.section) else self._json_text(entry.raw)
            if masked == entry.raw:
                continue
            if masked == MASKED:
                shown[entry.start] = f"{entry.lead}{MASKED}{note}{line_end(lines[-1])}"
                shown[entry.start + 1 : entry.stop] = [""] * (len(lines) - 1)
                continue
            if before and note and self._json_text(before.raw) != masked:
                note = ""
            for index, line in enumerate(lines, entry.start):
                shown[index] = self._members(line)
                if note and shown[index] != line:
                    shown[index] = shown[index].replace(MASKED, MASKED + note, 1)
                    note = ""
        return "".join(self._comment(line) if is_comment(line) else line for line in shown)

    def value(self, section: str, key: str, value: object) -> Any:
        """A value of any type to show, as PanDA has it in memory. None stays None."""
        return self._member(key, value, section)

    def document_secrets(self, document: Document) -> set[str]:
        """Every secret text of a file, as it stands there and as PanDA reads it."""
        settings: dict[str, dict[str, str]] = {}
        for (section, key), entry in document.entries.items():
            settings.setdefault(section, {})[key] = entry.raw
        return {form for secret in self.secrets(settings) for form in (secret, unescaped(secret), secret.strip())}

    def _comment(self, line: str) -> str:
        match = COMMENTED_KEY.match(line)
        if match and self.is_secret(match.group("key")):
            return f"{match.group('lead')}{MASKED}{line_end(line)}"
        return self._members(line)

    def _json_text(self, value: str) -> str:
        """A value with the secret members of its JSON hidden, or hidden as a whole where that cannot be told apart."""
        if not value.startswith(("{", "[")):
            return value
        try:
            plain = json.loads(value)
        except (ValueError, RecursionError):
            return MASKED if _SECRET_NAME.search(value) or any(name in value for name in self.listed) else value
        masked = self._member("", plain)
        if masked == plain:
            return value
        text = self._members(value)
        try:
            return text if json.loads(text) == masked else MASKED
        except (ValueError, RecursionError):
            return MASKED

    def _members(self, text: str) -> str:
        def hide(match: re.Match[str]) -> str:
            return f'{match.group(1)}"{MASKED}"' if self.is_secret(match.group("name")) else match.group(0)

        return _JSON_MEMBER.sub(hide, text)

    def _member(self, key: str, value: Any, section: str = "") -> Any:
        if value is None:
            return None
        if key and self.is_secret(str(key), section):
            return MASKED
        if isinstance(value, Mapping):
            return {name: self._member(str(name), member) for name, member in value.items()}
        if isinstance(value, list):
            return [self._member("", item) for item in value]
        return self._json_text(value) if isinstance(value, str) else value

    def _secret_texts(self, value: Any, secret: bool) -> Iterator[str]:
        if isinstance(value, Mapping):
            for name, member in value.items():
                yield from self._secret_texts(member, secret or self.is_secret(str(name)))
        elif isinstance(value, list):
            for item in value:
                yield from self._secret_texts(item, secret)
        elif secret and value is not None and not isinstance(value, bool):
            yield str(value)
        elif isinstance(value, str) and value.startswith(("{", "[")):
            try:
                inner = json.loads(value)
            except (ValueError, RecursionError):
                return
            if not isinstance(inner, str):
                yield from self._secret_texts(inner, False)
