#!/usr/bin/python

# SPDX-FileCopyrightText: The pandawms.panda maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: schema_info
short_description: Tell which version the PostgreSQL schema of PanDA has
version_added: 0.1.0
author:
  - The pandawms.panda maintainers (@PanDAWMS)
description:
  - Reads the version that the schema in a database has.
  - Runs C(psql) on the local socket as the database's superuser C(postgres). The server has to let the user that the module runs as be it.
requirements:
  - python >= 3.9
options:
  database:
    description: The database of PanDA. It need not exist.
    type: str
    default: panda_db
  port:
    description: The port of the database server, reached through its local socket.
    type: int
    default: 5432
seealso:
  - module: pandawms.panda.schema
attributes:
  check_mode:
    support: full
    description: It changes nothing, so that check mode makes no difference.
  diff_mode:
    support: N/A
    description: It changes nothing, so that there is no difference to show.
  idempotent:
    support: full
    description: It changes nothing.
"""

EXAMPLES = r"""
- name: Ask for the version
  pandawms.panda.schema_info:
  register: panda_installed_schema
"""

RETURN = r"""
version:
  description: The version of the schema. Empty if there is no schema or no such database.
  returned: success
  type: str
  sample: 0.1.6
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pandawms.panda.plugins.module_utils import _schema, _schema_database


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "database": {"type": "str", "default": "panda_db"},
            "port": {"type": "int", "default": 5432},
        },
        supports_check_mode=True,
    )
    psql = _schema_database.Psql(module.run_command, module.get_bin_path("psql", required=True), module.params["port"])
    try:
        version = _schema_database.installed(psql, module.params["database"])
    except _schema.SchemaError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(changed=False, version=_schema.format_version(version) if version else "")


if __name__ == "__main__":
    main()
