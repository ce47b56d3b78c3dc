#!/usr/bin/python

# SPDX-FileCopyrightText: The pandawms.panda maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: schema
short_description: Create and upgrade the PostgreSQL schema of PanDA
version_added: 0.1.0
author:
  - The pandawms.panda maintainers (@PanDAWMS)
description:
  - Brings the schema to the version that a source directory holds, by the scripts of that directory and in the order of upstream.
  - Creation is one transaction, each patch of an upgrade is one, and the version is the last thing that is written.
  - Scripts for pg_cron are run against its own database.
  - Runs C(psql) on the local socket as the database's superuser C(postgres). The server has to let the user that the module runs as be it.
requirements:
  - python >= 3.9
options:
  source:
    description:
      - A directory on the host in the layout of PanDAWMS/panda-database.
      - Without it the module only says which version is installed.
    type: path
  database:
    description: The database of PanDA.
    type: str
    default: panda_db
  cron_database:
    description: The database of pg_cron, C(cron.database_name).
    type: str
    default: postgres
  port:
    description: The port of the database server, reached through its local socket.
    type: int
    default: 5432
seealso:
  - module: pandawms.panda.schema_info
attributes:
  check_mode:
    support: full
    description: Can run in check_mode and return changed status prediction without modifying target.
  diff_mode:
    support: full
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
  idempotent:
    support: full
    description: A schema of the source's version or a later one is left alone.
"""

EXAMPLES = r"""
- name: Create or upgrade the schema
  pandawms.panda.schema:
    source: /var/lib/panda-database

- name: Ask for the version
  pandawms.panda.schema:
  register: panda_installed_schema
"""

RETURN = r"""
version:
  description: The version of the schema, after the change. Empty if there is none.
  returned: success
  type: str
  sample: 0.1.6
previous:
  description: The version before. Empty if there was none.
  returned: success
  type: str
  sample: ""
tolerated:
  description: Error messages of statements that fail in upstream's creation scripts.
  returned: success
  type: list
  elements: str
  sample: []
"""

import pathlib
import re
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pandawms.panda.plugins.module_utils import _schema, _schema_database

# In place of the rows that schemas up to 0.0.29 have, too.
WRITE_VERSION = """
DELETE FROM doma_panda.pandadb_version WHERE component IN ('PanDA', 'SERVER', 'JEDI');
INSERT INTO doma_panda.pandadb_version (component, major, minor, patch) VALUES ('PanDA', {}, {}, {});
"""


def apply(psql: _schema_database.Psql, step: _schema.Step, params: dict[str, t.Any]) -> list[str]:
    """Run one step. Returns the messages of the statements that failed and may."""
    database = params["cron_database"] if step.cron else params["database"]
    text = "".join(script.read_text(encoding="utf-8") + "\n" for script in step.scripts)
    arguments = ["--single-transaction", "-f", "-"]
    if step.tolerant:
        # Each of upstream's creation scripts sets ON_ERROR_STOP, and would leave out what comes after its failing statement.
        text = re.sub(r"(?m)^\\set ON_ERROR_STOP .*$", "", text)
        arguments += ["-v", "ON_ERROR_STOP=0", "-v", "ON_ERROR_ROLLBACK=on"]
    if step.version:
        text += "\\set ON_ERROR_STOP on\n" + WRITE_VERSION.format(*step.version)
    err = psql.run(database, arguments, data=text)[1]
    if step.cron:
        # Upstream's scripts name the database panda_db.
        psql.run(database, ["-c", f"UPDATE cron.job SET database = '{params['database']}' WHERE database = 'panda_db'"])
    return [line for line in err.splitlines() if "ERROR:" in line]


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "source": {"type": "path"},
            "database": {"type": "str", "default": "panda_db"},
            "cron_database": {"type": "str", "default": "postgres"},
            "port": {"type": "int", "default": 5432},
        },
        supports_check_mode=True,
    )
    params = module.params
    psql = _schema_database.Psql(module.run_command, module.get_bin_path("psql", required=True), params["port"])
    tolerated: list[str] = []
    try:
        before = _schema_database.installed(psql, params["database"])
        steps = _schema.plan(pathlib.Path(params["source"]), before) if params["source"] else []
        after = before
        if steps:
            after = _schema.source_version(pathlib.Path(params["source"]))
        if not module.check_mode:
            for step in steps:
                tolerated += apply(psql, step, params)
            if steps and _schema_database.installed(psql, params["database"]) != after:
                raise _schema.SchemaError(
                    f"the scripts ran, but the database {params['database']} does not have the version {after}: {tolerated[-5:]}"
                )
    except _schema.SchemaError as exc:
        module.fail_json(msg=str(exc))
    texts = ["" if version is None else _schema.format_version(version) for version in (before, after)]
    module.exit_json(
        changed=bool(steps),
        previous=texts[0],
        version=texts[1],
        tolerated=tolerated,
        diff={"before_header": "schema", "after_header": "schema", "before": f"{texts[0]}\n", "after": f"{texts[1]}\n"},
    )


if __name__ == "__main__":
    main()
