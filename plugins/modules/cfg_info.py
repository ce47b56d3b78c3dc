#!/usr/bin/python
# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cfg_info
short_description: Read PanDA's cfg files as PanDA itself does
version_added: 0.1.0
description:
  - Tells which parameters a PanDA server has in memory after its start, of the types that PanDA gives to them, and for each
    one the file and the line that it comes from and the places that set it in vain.
  - PanDA reads a cfg file wherever it finds one, and the later place wins, parameter by parameter. The places are
    C(/etc/panda), C(/usr/etc/panda), C(~/etc/panda), C($PANDA_HOME/etc/panda) and C($PANDA_HOME/usr/etc/panda). C(~) is
    E(HOME), or the home directory of the user where that is not set.
  - Over C(panda_server.cfg) it lays C($PANDA_HOME/etc/config_json/panda_server_config.json), over C(panda_jedi.cfg)
    C($PANDA_HOME/etc/config_json/panda_jedi_config.json).
  - A value of C(panda_server.cfg) or C(panda_jedi.cfg) that is C($NAME), C(${NAME}) or C(${{NAME}}) as a whole becomes that
    environment variable's value where it is set. Then V(True), V(False) and V(None) become what they say, and digits a number.
    The values of C(panda_common.cfg) stay strings.
  - A file that the user cannot read is passed over without a word by PanDA. Here it is listed in RV(files), with a warning.
  - What PanDA's code has as default for a parameter that no file sets, and what it makes of a value later on, is not part of it.
  - Where these rules come from are C(LiveConfigParser.py) of panda-common, and C(panda_config.py), C(daemon_config.py),
    C(mcp_config.py), C(config_utils.py) and C(jedi_config.py) of panda-server 1.0.4.
author: PanDA WMS team (@PanDAWMS)
requirements:
  - python >= 3.9
options:
  file:
    description:
      - The name of the cfg file.
    type: str
    choices: [panda_server.cfg, panda_common.cfg, panda_jedi.cfg]
    default: panda_server.cfg
  user:
    description:
      - The user that the server runs as, whose permissions and home directory count. The module has to run as root, or as
        this user.
      - By default the user that the module runs as, whose permissions may tell another story than those of the server.
    type: str
  environment_files:
    description:
      - The files that the server has its environment from, in the syntax of systemd's C(EnvironmentFile=). The later one wins.
      - A file that does not exist is passed over. Nothing of the environment that the module itself runs in is used.
    type: list
    elements: path
    default: [/etc/sysconfig/panda_server, /etc/sysconfig/panda_server_env]
  secrets:
    description:
      - Further parameters, and environment variables, whose values are not shown, as C(parameter) or C(section.parameter).
      - Parameters and variables with C(password), C(passwd), C(secret) or C(token) in their name, and C(emailPass), need no
        mention. C(token_authType), C(token_audience), C(token_issuers), C(token_cache_config) and C(legacy_token_issuers)
        hold no secret and are shown unless they are listed.
      - The same names are hidden inside JSON values. A secret that is part of another value through V(%(name\)s) is hidden there.
    type: list
    elements: str
    default: []
  reveal:
    description:
      - Show the secrets, too. Set C(no_log) on such a task.
    type: bool
    default: false
notes:
  - It fails where the server would not start with what it reads, because of a syntax error for example. The message names
    the file, the section, the parameter and the line, but no value.
seealso:
  - module: pandawms.panda.cfg
attributes:
  check_mode:
    description: It changes nothing, so that check mode makes no difference.
    support: full
  diff_mode:
    description: It changes nothing, so that there is no difference to show.
    support: N/A
  idempotent:
    description: It changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Read what the server works with
  pandawms.panda.cfg_info:
    user: atlpan
  register: panda_cfg

- name: See that the port is a number, and that the database is ours
  ansible.builtin.assert:
    that:
      - panda_cfg.settings.server.pserverport == 25443
      - panda_cfg.settings.server.dbhost == 'db.example.org'

- name: Tell where the database host is set, and where in vain
  ansible.builtin.debug:
    msg: "{{ panda_cfg.parameters | selectattr('section', 'equalto', 'server') | selectattr('key', 'equalto', 'dbhost') }}"

- name: Read the log level
  pandawms.panda.cfg_info:
    file: panda_common.cfg
    user: atlpan
  register: panda_common_cfg
"""

RETURN = r"""
settings:
  description:
    - The parameters as a mapping of sections, each a mapping of names to values. Strings, numbers, booleans and V(null) as
      PanDA has them; from the JSON file lists and mappings, too.
    - Secrets are V(********) unless O(reveal) is set.
  returned: success
  type: dict
  sample:
    server: {dbhost: db.example.org, dbpasswd: "********", dbport: 5432}
    daemon: {enable: true}
parameters:
  description: The same parameters, one by one, with where they come from.
  returned: success
  type: list
  elements: dict
  sample:
    - section: server
      key: dbhost
      value: db.example.org
      path: /home/atlpan/etc/panda/panda_server.cfg
      line: 2
      variable: null
      shadowed:
        - {path: /etc/panda/panda_server.cfg, line: 57, value: panda-database}
  contains:
    section:
      description: The section.
      type: str
    key:
      description: The parameter.
      type: str
    value:
      description: The value that PanDA has in memory. Secrets are V(********) unless O(reveal) is set.
      type: raw
    path:
      description: The file that it comes from.
      type: str
    line:
      description: The number of the line in that file, from 1.
      type: int
    variable:
      description: The environment variable that the value was taken from, V(null) where there is none.
      type: str
    shadowed:
      description: The places that set the parameter in vain, the one that would be next in force first.
      type: list
      elements: dict
      contains:
        path:
          description: The file.
          type: str
        line:
          description: The number of the line in that file, from 1.
          type: int
        value:
          description: What stands there, V(%%) read as V(%). Secrets are V(********) unless O(reveal) is set.
          type: str
files:
  description: The places where PanDA looks for the file, in its order, then the JSON file. The later one wins.
  returned: success
  type: list
  elements: dict
  sample:
    - {path: /etc/panda/panda_server.cfg, state: read}
    - {path: /usr/etc/panda/panda_server.cfg, state: missing}
  contains:
    path:
      description: The file.
      type: str
    state:
      description: V(read), V(missing), or V(unreadable) by the user, so that PanDA passes over it.
      type: str
environment_files:
  description: The files of O(environment_files) which exist.
  returned: success
  type: list
  elements: str
  sample: [/etc/sysconfig/panda_server, /etc/sysconfig/panda_server_env]
"""

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.text.converters import to_bytes, to_native
from ansible_collections.pandawms.panda.plugins.module_utils._cfg import CfgError, Document, decode
from ansible_collections.pandawms.panda.plugins.module_utils._cfg_mask import Mask
from ansible_collections.pandawms.panda.plugins.module_utils._environment_file import environment_of
from ansible_collections.pandawms.panda.plugins.module_utils._panda_config import (
    FILES,
    SERVER,
    Parameter,
    Reading,
    masked,
    overlay_place,
    places,
)

ARGUMENTS: dict[str, dict[str, Any]] = {
    "file": {"type": "str", "choices": list(FILES), "default": SERVER},
    "user": {"type": "str"},
    "environment_files": {
        "type": "list",
        "elements": "path",
        "default": ["/etc/sysconfig/panda_server", "/etc/sysconfig/panda_server_env"],
    },
    "secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "reveal": {"type": "bool", "default": False},
}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        result = _run(module)
    except CfgError as error:
        module.fail_json(str(error))
    except OSError as error:
        module.fail_json(f"{to_native(error.filename or '')}: {error.strerror or error}")
    module.exit_json(changed=False, **result)


def _run(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    account = _account(params["user"])
    environment = {"HOME": account.pw_dir}
    texts = {path: _text(path) for path in params["environment_files"]}
    for text in texts.values():
        environment.update(environment_of(text or ""))
    with _permissions_of(account):
        documents, files, overlay = _read(params["file"], environment)
    reading = Reading.of(params["file"], documents, overlay, environment)
    for file in files:
        if file["state"] == "unreadable":
            module.warn(f"{file['path']} cannot be read by {account.pw_name}: PanDA passes over it")
    for warning in reading.warnings:
        module.warn(warning)
    parameters = (
        reading.parameters if params["reveal"] else masked(reading.parameters, Mask(frozenset(params["secrets"])))
    )
    settings: dict[str, dict[str, Any]] = {}
    for parameter in parameters:
        settings.setdefault(parameter.section, {})[parameter.key] = parameter.value
    return {
        "settings": settings,
        "parameters": [_shown(parameter) for parameter in parameters],
        "files": files,
        "environment_files": [path for path, text in texts.items() if text is not None],
    }


def _account(user: str | None) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(user) if user else pwd.getpwuid(os.geteuid())
    except KeyError:
        raise CfgError(f"there is no user {user or os.geteuid()} on this host; correct 'user'") from None


@contextmanager
def _permissions_of(account: pwd.struct_passwd) -> Iterator[None]:
    """Read files as a user does, with the groups of that user."""
    user, group, groups = os.geteuid(), os.getegid(), os.getgroups()
    if user == account.pw_uid:
        yield
        return
    if user != 0:
        raise CfgError(
            f"only root can read files with the permissions of {account.pw_name}; run the module with 'become'"
        )
    try:
        os.setgroups(os.getgrouplist(account.pw_name, account.pw_gid))
        os.setegid(account.pw_gid)
        os.seteuid(account.pw_uid)
        yield
    finally:
        os.seteuid(user)
        os.setegid(group)
        os.setgroups(groups)


def _read(
    file: str, environment: dict[str, str]
) -> tuple[dict[str, Document], list[dict[str, str]], tuple[str, str] | None]:
    """The documents by path, the state of each place, and path and text of the JSON file where there is one."""
    documents: dict[str, Document] = {}
    files: list[dict[str, str]] = []
    for path in places(file, environment):
        try:
            text = _text(path)
        except OSError:
            # As ConfigParser.read() does.
            files.append({"path": path, "state": "unreadable"})
            continue
        files.append({"path": path, "state": "missing" if text is None else "read"})
        if text is not None:
            try:
                documents[path] = Document.parse(text)
            except CfgError as error:
                raise CfgError(f"{path}: {error}") from None
    overlay = overlay_place(file, environment)
    if overlay is None:
        return documents, files, None
    # PanDA asks os.path.exists() first, and ends with an error where it cannot read what exists.
    text = _text(overlay) if os.path.exists(overlay) else None
    files.append({"path": overlay, "state": "missing" if text is None else "read"})
    return documents, files, None if text is None else (overlay, text)


def _text(path: str) -> str | None:
    """A file's text, None where it does not exist."""
    try:
        with open(to_bytes(path, errors="surrogate_or_strict"), "rb") as stream:
            return decode(stream.read())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except CfgError as error:
        raise CfgError(f"{path}: {error}") from None


def _shown(parameter: Parameter) -> dict[str, Any]:
    return {
        "section": parameter.section,
        "key": parameter.key,
        "value": parameter.value,
        "path": parameter.origin.path,
        "line": parameter.origin.line,
        "variable": parameter.variable,
        "shadowed": [asdict(origin) for origin in parameter.shadowed],
    }


if __name__ == "__main__":
    main()
