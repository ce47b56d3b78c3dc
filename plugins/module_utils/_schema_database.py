# SPDX-FileCopyrightText: The pandawms.panda maintainers
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a PostgreSQL server says of the schema of PanDA, asked by psql on the local socket.

Pure Python without Ansible: the modules ``schema`` and ``schema_info`` are its faces.
"""

from __future__ import annotations

import typing as t

from ansible_collections.pandawms.panda.plugins.module_utils import _schema

# Upstream writes the version as columns of one row; schemas up to 0.0.29 have the rows JEDI and SERVER instead.
READ_VERSION = """
SELECT major || '.' || minor || '.' || patch FROM doma_panda.pandadb_version
WHERE component IN ('PanDA', 'SERVER') ORDER BY component = 'PanDA' DESC LIMIT 1
"""


class Psql:
    """psql on the local socket. ``run_command`` is the method of an AnsibleModule, which gives code, output and messages."""

    def __init__(self, run_command: t.Callable[..., tuple[int, str, str]], binary: str, port: int) -> None:
        self.run_command = run_command
        self.command = [binary, "-X", "-U", "postgres", "-q", "-A", "-t", "-p", str(port), "-v", "ON_ERROR_STOP=1"]

    def run(self, database: str, arguments: list[str], data: str | None = None) -> tuple[str, str]:
        """Output and messages. Raises SchemaError with psql's own words."""
        code, out, err = self.run_command([*self.command, "-d", database, *arguments], data=data, cwd="/")
        if code:
            raise _schema.SchemaError(f"psql on database {database} ended with {code}: {err.strip()[-1500:]}")
        return out, err


def installed(psql: Psql, database: str) -> _schema.Version | None:
    """The version that the database has, None if there is no database or no schema yet."""
    if not psql.run("postgres", ["-c", f"SELECT 1 FROM pg_database WHERE datname = '{database}'"])[0].strip():
        return None
    if not psql.run(database, ["-c", "SELECT to_regclass('doma_panda.pandadb_version')"])[0].strip():
        return None
    text = psql.run(database, ["-c", READ_VERSION])[0].strip()
    return _schema.parse_version(text) if text else None
