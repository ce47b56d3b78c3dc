# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file as PanDA ships them, and the real ``configparser`` to compare with."""

from __future__ import annotations

import configparser
import io
from typing import Any

from ansible_collections.pandawms.panda.plugins.module_utils._cfg import Document
from ansible_collections.pandawms.panda.plugins.module_utils._cfg_plan import Plan, Request, plan

SERVER = """\
[server]

# log directory
logdir=/var/log/panda

# host
#dbhost = OTHER
dbhost = panda-database

# port if non-standard
dbport : 5432

# password
dbpasswd = FIXME

# database backend
# backend = postgres

#backend = mysql
usedbtimeout   =   True



[daemon]

# whether to run daemons
enable = False

config = {
    "dummy_test": {
        "enable": false, "period": 120},
    # not now
    "add_main": {

        "enable": true, "period": 240, "loop": true}
  }

# MCP parameters
[mcp]
transport = http
"""


def real(text: str) -> dict[str, dict[str, str]]:
    """What PanDA's parser makes of *text*, before interpolation."""
    parser = configparser.ConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_file(io.StringIO(text, newline=None))
    return {section: dict(parser.items(section, raw=True)) for section in parser.sections()}


def held(document: Document) -> dict[str, dict[str, str]]:
    """What the model makes of a document, in the same form."""
    result: dict[str, dict[str, str]] = {section.name: {} for section in document.sections}
    for (section, key), entry in document.entries.items():
        result[section][key] = entry.raw
    return result


def apply(text: str, wanted: dict[str, dict[str, Any]], **options: Any) -> str:
    return plan(Request(wanted, **options), Document.parse(text)).document.text


def lay(
    wanted: dict[str, dict[str, Any]],
    present: str | None,
    base: str,
    previous: str | None = None,
    **options: Any,
) -> Plan:
    def document(text: str | None) -> Document | None:
        return None if text is None else Document.parse(text)

    return plan(Request(wanted, **options), document(present), document(base), document(previous))
