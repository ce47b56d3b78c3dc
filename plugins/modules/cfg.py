#!/usr/bin/python
# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cfg
short_description: Set parameters in a PanDA cfg file
version_added: 0.1.0
description:
  - Sets, removes and gives back any number of parameters of C(panda_server.cfg), C(panda_common.cfg) or C(panda_jedi.cfg)
    in one call.
  - The file is edited line by line. Comments, blank lines, spelling and line ends of everything else stay as they are,
    commented defaults (C(#backend = mysql)) too.
  - With O(base) the defaults of the installed version are the starting point. An upgrade brings its new defaults for every
    parameter that the site does not manage, and says which of the managed ones changed upstream.
  - What would be written is read with the parser that PanDA uses before it replaces the file. A file that PanDA could not
    read, or would read as something else, is never written.
author: PanDA WMS team (@PanDAWMS)
options:
  path:
    description:
      - The cfg file. A symbolic link is followed. Its directory has to exist.
    type: path
    required: true
  settings:
    description:
      - The parameters as a mapping of sections, each a mapping of PanDA's own parameter names to their values.
      - A string is written as it is, with V(%) doubled where the file needs that. It may have several lines.
      - A number or a boolean is written as PanDA spells it (V(25443), V(True)).
      - A list is written with commas between its items.
      - A mapping is written as a JSON block. It is compared as data, so that its layout in the file does not matter.
      - V(null) takes an override back. The parameter gets the value it has in O(base), or is removed where the base has none.
        Leaving a parameter out is not the same, its value in the file then counts as set by hand, see O(unmanaged).
      - In C(panda_server.cfg) and C(panda_jedi.cfg) PanDA turns strings of digits, V(True), V(False), V(None) and V($NAME)
        into something else. Such a string is refused unless O(raw) lists the parameter.
      - Secrets in it are never shown, see O(secrets).
    type: dict
    default: {}
  base:
    description:
      - The file of defaults that belongs to the installed version, C(panda_server.cfg.rpmnew) for example.
      - Where it does not exist yet the module fails, except in check mode, which then shows the settings alone.
    type: path
  base_keep:
    description:
      - Where a copy of O(base) is kept for the next upgrade. It tells a value set by hand from an old default.
      - By default C(.NAME.base) beside the file, and beside O(replaces) for the base of that file.
    type: path
  replaces:
    description:
      - The file that O(path) gets into the place of, such as that of the release in use when O(path) belongs to the next one. A
        symbolic link is followed.
      - Where it is another file than O(path), it is this file's lines that O(base) and O(settings) are laid over. What people
        have changed in it is carried over, as O(unmanaged) says, and the base that is kept beside it is compared with O(base).
      - Where it does not exist, or is the same file, it makes no difference.
    type: path
  absent:
    description:
      - Parameters that must not be in the file, as C(section.parameter). PanDA then uses what its code has as default.
    type: list
    elements: str
    default: []
  secrets:
    description:
      - Further parameters whose values are never shown, as C(parameter) or C(section.parameter).
      - Parameters with C(password), C(passwd), C(secret) or C(token) in their name, and C(emailPass), need no mention.
        C(token_authType), C(token_audience), C(token_issuers), C(token_cache_config) and C(legacy_token_issuers) hold no
        secret and are shown unless they are listed.
      - The same names are hidden inside JSON values and in commented lines.
    type: list
    elements: str
    default: []
  raw:
    description:
      - Parameters whose string is meant exactly as given, as C(section.parameter).
      - V(%) is not doubled, so that V(%(name\)s) can refer to another parameter, and PanDA's conversion of V(007), V(True),
        V(None) or V($NAME) is accepted.
    type: list
    elements: str
    default: []
  unmanaged:
    description:
      - What to do with parameters of the file which neither O(base) nor O(settings) explain, because they were added, changed
        or removed by hand or have been dropped from O(settings). They are listed in RV(unmanaged) either way.
      - V(keep) leaves them as they are, V(drop) makes the file O(base) and O(settings) and nothing else, comments included.
        V(drop) needs O(base).
    type: str
    choices: [keep, drop]
    default: keep
  backup:
    description:
      - Keep the file that is replaced under a name with the time. It holds the same secrets.
    type: bool
    default: false
  validate:
    description:
      - A command that has to accept the new file before it replaces the old one, with C(%s) for the file.
      - It runs in addition to the module's own check, and like there not in check mode. It is not run in a shell.
    type: str
  mode:
    description:
      - The permissions of the file, and of the kept base. A new file has V(0640) where nothing is given.
    type: raw
notes:
  - PanDA skips a file that it cannot read without a word. Give O(group) and O(mode) so that the service can read it.
  - Nothing reads the new values before the service is restarted or reloaded.
extends_documentation_fragment:
  - ansible.builtin.files
attributes:
  check_mode:
    description: Predicts what would be done without doing it, on a host without O(base) too.
    support: full
  diff_mode:
    description: Shows the lines that differ, from O(replaces) or else O(base) where the file is new. Secrets are hidden.
    support: full
  idempotent:
    description: When run twice in a row with the same arguments, the second run changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: Configure the server
  pandawms.panda.cfg:
    path: /etc/panda/panda_server.cfg
    base: /opt/panda/etc/panda/panda_server.cfg.rpmnew
    owner: root
    group: zp
    mode: "0640"
    settings:
      server:
        backend: postgres
        dbhost: db.example.org
        dbpasswd: "{{ vault_panda_database_password }}"
        nDBConnection: 1
        production_dns:
          - /DC=org/DC=example/CN=prod one
          - /DC=org/DC=example/CN=prod two
      daemon:
        enable: true
        config:
          add_main: {enable: true, period: 240, loop: true}
          copyArchive: {enable: true, period: 2400, sync: true}

- name: Give back the default port, and leave the audience to the code
  pandawms.panda.cfg:
    path: /etc/panda/panda_server.cfg
    base: /opt/panda/etc/panda/panda_server.cfg.rpmnew
    settings:
      server:
        pserverport: null
    absent:
      - server.token_audience

- name: Configure the next release, with what was changed by hand in the one in use
  pandawms.panda.cfg:
    path: /opt/panda-releases/1.0.4/etc/panda/panda_server.cfg
    base: /opt/panda-releases/1.0.4/etc/panda/panda_server.cfg.rpmnew
    replaces: /opt/panda/etc/panda/panda_server.cfg
    settings:
      server:
        dbhost: db.example.org
  register: panda_server_cfg

- name: Tell which of the site's parameters have another default now
  ansible.builtin.debug:
    msg: "{{ panda_server_cfg.base_changes | selectattr('managed') }}"

- name: Refer to another parameter, and take a password from the environment
  pandawms.panda.cfg:
    path: /etc/panda/panda_server.cfg
    settings:
      server:
        cache_dir: "%(logdir)s/pandacache"
        dbpasswd: ${PANDA_DB_PASSWORD}
    raw:
      - server.cache_dir
      - server.dbpasswd
"""

RETURN = r"""
path:
  description: The file, symbolic links resolved.
  returned: success
  type: str
  sample: /etc/panda/panda_server.cfg
changed_keys:
  description:
    - The parameters whose values differ from those of the file before. Where the file is new, from those of O(replaces), or else
      of O(base).
  returned: success
  type: list
  elements: dict
  sample:
    - {section: server, key: dbhost, before: panda-database, after: db.example.org}
  contains:
    section:
      description: The section.
      type: str
    key:
      description: The parameter.
      type: str
    before:
      description: The value before, V(null) where the parameter was not there. Secrets are V(********).
      type: str
    after:
      description: The value after, V(null) where the parameter is not there any more. Secrets are V(********).
      type: str
base_changes:
  description:
    - The defaults that differ between O(base) and the base of the last run, or the one that is kept beside O(replaces).
      Empty unless the base has changed.
  returned: success
  type: list
  elements: dict
  sample:
    - {section: server, key: dbtimeout, kind: changed, before: "300", after: "60", managed: false}
  contains:
    section:
      description: The section.
      type: str
    key:
      description: The parameter.
      type: str
    kind:
      description: V(added), V(removed) or V(changed) upstream.
      type: str
    before:
      description: The default of the last run's base.
      type: str
    after:
      description: The default of this base.
      type: str
    managed:
      description: Whether O(settings) or O(absent) name the parameter, so that the new default does not take effect.
      type: bool
unmanaged:
  description: The parameters of the file which neither O(base) nor O(settings) explain. Empty without O(base).
  returned: success
  type: list
  elements: dict
  sample:
    - {section: server, key: dbtimeout, kind: changed, base: "300", value: "900", kept: true}
  contains:
    section:
      description: The section.
      type: str
    key:
      description: The parameter.
      type: str
    kind:
      description: V(added), V(changed) or V(removed) by hand.
      type: str
    base:
      description: The value in the base, V(null) where it has none.
      type: str
    value:
      description: The value in the file, V(null) where it was removed.
      type: str
    kept:
      description: Whether it stays.
      type: bool
note:
  description: What the result does not cover, because the base does not exist yet.
  returned: in check mode when O(base) does not exist
  type: str
backup_file:
  description: The copy of the file that was replaced.
  returned: changed and O(backup) is true
  type: str
  sample: /etc/panda/panda_server.cfg.4711.2026-08-01@12:00:00~
"""

import os
import shlex
import tempfile
from collections.abc import Iterable
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.text.converters import to_bytes, to_native
from ansible_collections.pandawms.panda.plugins.module_utils._cfg import CfgError, Document, decode
from ansible_collections.pandawms.panda.plugins.module_utils._cfg_mask import MASKED, SHORTEST_SCRUBBED, Mask, scrub
from ansible_collections.pandawms.panda.plugins.module_utils._cfg_plan import (
    Change,
    Plan,
    Request,
    changes,
    plan,
    settings_of,
)
from ansible_collections.pandawms.panda.plugins.module_utils._panda_config import check

ARGUMENTS: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "required": True},
    "settings": {"type": "dict", "default": {}},
    "base": {"type": "path"},
    "base_keep": {"type": "path"},
    "replaces": {"type": "path"},
    "absent": {"type": "list", "elements": "str", "default": []},
    "secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "raw": {"type": "list", "elements": "str", "default": []},
    "unmanaged": {"type": "str", "choices": ["keep", "drop"], "default": "keep"},
    "backup": {"type": "bool", "default": False},
    "validate": {"type": "str"},
}

NEW_FILE_MODE = "0640"


class CfgModule(AnsibleModule):
    """An `AnsibleModule` that shows and logs the settings with their secrets hidden, however it ends.

    ``no_log`` on the option would replace every value in it, ``1`` and ``True`` included, in the whole output. Instead the
    invocation is replaced which Ansible adds to each result and writes to the host's system log.
    """

    def shown(self) -> dict[str, Any]:
        """The arguments as they may be seen, whatever was given and however far their validation has come."""
        given = getattr(self, "params", None) or {}
        listed = given.get("secrets")
        names = listed.split(",") if isinstance(listed, str) else listed if isinstance(listed, list) else []
        mask = Mask(frozenset(str(name).strip() for name in names))
        known = {name: value if name in self.argument_spec else MASKED for name, value in given.items()}
        return {**known, "settings": mask.data(given.get("settings"))}

    def log(self, msg: str, log_args: dict[str, Any] | None = None) -> None:
        if log_args is not None:
            shown = self.shown()
            log_args = {name: str(shown.get(name, MASKED)) for name in log_args}
            msg = "Invoked with " + " ".join(f"{name}={value}" for name, value in log_args.items())
        super().log(msg, log_args)  # type: ignore[no-untyped-call]

    def exit_json(self, **kwargs: Any) -> NoReturn:
        super().exit_json(**{"invocation": {"module_args": self.shown()}, **kwargs})

    def fail_json(self, msg: str, **kwargs: Any) -> NoReturn:
        super().fail_json(msg, **{"invocation": {"module_args": self.shown()}, **kwargs})


def main() -> None:
    module: AnsibleModule = CfgModule(  # type: ignore[no-untyped-call]
        argument_spec=ARGUMENTS,
        supports_check_mode=True,
        add_file_common_args=True,
        required_if=[("unmanaged", "drop", ["base"])],
    )
    try:
        result = _run(module)
    except CfgError as error:
        module.fail_json(f"{module.params['path']}: {error}")
    except OSError as error:
        module.fail_json(f"{to_native(error.filename or module.params['path'])}: {error.strerror or error}")
    module.exit_json(**result)


def _run(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    path = os.path.realpath(params["path"])
    keep = _kept_base(params["base_keep"], path)
    mask = Mask(frozenset(params["secrets"]))
    settings = settings_of(params["settings"])
    _scrub(module, mask, settings)
    there = _read(module, path)
    origin, present = _origin(module, path, there)
    base = _read(module, params["base"])
    kept = _read(module, keep) if base else None
    previous = _read(module, _kept_base(params["base_keep"], origin)) if base and origin != path else kept
    if params["base"] and base is None and not module.check_mode:
        raise CfgError(f"the base {params['base']} does not exist; install PanDA first, or correct 'base'")
    request = Request(
        settings=settings,
        absent=tuple(params["absent"]),
        raw=tuple(params["raw"]),
        keep_unmanaged=params["unmanaged"] == "keep",
    )
    planned = plan(request, present, base, previous)
    check(planned.document)
    for warning in planned.warnings:
        module.warn(f"{params['path']}: {warning}")

    result = _report(planned, changes(there or present or base, planned.document), mask, path)
    if params["base"] and base is None:
        result["changed"] = True
        result["note"] = f"the base {params['base']} does not exist yet: its defaults are not part of what is shown"
    if planned.document != there:
        result["changed"] = True
        before = (path, there) if there else (origin, present) if present else (params["base"] or path, base)
        result["diff"].append(_diff((path, planned.document), before, mask))
        if not module.check_mode:
            result.update(_replace(module, path, planned.document, mask, there is not None))
    if base is not None and base != kept:
        result["changed"] = True
        result["diff"].append({"prepared": f"{params['base']} is kept as {keep} for the next upgrade\n"})
        if not module.check_mode:
            _write(module, keep, base.text)
    result["changed"] |= _set_attributes(module, path, there is not None, result["diff"])
    if base is not None:
        result["changed"] |= _set_attributes(module, keep, kept is not None, result["diff"])
    return result


def _kept_base(given: str | None, path: str) -> str:
    """Where the base of a file's last run is."""
    return given or os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.base")


def _origin(module: AnsibleModule, path: str, there: Document | None) -> tuple[str, Document | None]:
    """The file whose lines are the starting point: the one that is replaced where there is one, or else the file itself."""
    replaced = os.path.realpath(module.params["replaces"]) if module.params["replaces"] else path
    document = there if replaced == path else _read(module, replaced)
    return (path, there) if document is None else (replaced, document)


def _read(module: AnsibleModule, path: str | None) -> Document | None:
    """A file's document, None where it does not exist."""
    if not path:
        return None
    try:
        with open(to_bytes(path, errors="surrogate_or_strict"), "rb") as stream:
            return Document.parse(decode(stream.read()))
    except FileNotFoundError:
        return None
    except CfgError as error:
        module.fail_json(f"{path}: {error}")


def _scrub(module: AnsibleModule, mask: Mask, settings: dict[str, dict[str, object]]) -> None:
    """Hide secrets wherever else they might turn up, as part of another value for example."""
    spoken = " ".join(str(value) for name, value in module.params.items() if name != "settings")
    secrets = (text for text in mask.secrets(settings) if len(text) >= SHORTEST_SCRUBBED)
    module.no_log_values.update(text for text in secrets if text not in spoken)


def _report(planned: Plan, changed: Iterable[Change], mask: Mask, path: str) -> dict[str, Any]:
    """The result as it is shown, no secret in it."""

    def shown(item: Any, before: str, after: str) -> dict[str, Any]:
        return {
            "section": item.section,
            "key": item.key,
            before: mask.text(item.section, item.key, item.before),
            after: mask.text(item.section, item.key, item.after),
        }

    return {
        "changed": False,
        "path": path,
        "diff": [],
        "changed_keys": [shown(item, "before", "after") for item in changed],
        "base_changes": [
            {**shown(item, "before", "after"), "kind": item.kind, "managed": item.managed}
            for item in planned.base_changes
        ],
        "unmanaged": [
            {**shown(item, "base", "value"), "kind": item.kind, "kept": item.kept} for item in planned.unmanaged
        ],
    }


def _diff(new: tuple[str, Document], old: tuple[str, Document | None], mask: Mask) -> dict[str, str]:
    """Both given as path and document. A file that is new is compared with its base: what differs is what the site wants."""
    return {
        "before_header": old[0],
        "after_header": new[0],
        "before": mask.document(old[1]) if old[1] else "",
        "after": mask.document(new[1], old[1]),
    }


def _replace(module: AnsibleModule, path: str, document: Document, mask: Mask, existed: bool) -> dict[str, str]:
    """Put the new file into its place, once the site's own command accepts it."""
    if module.params["validate"]:
        _validate(module, document, mask)
    backup = module.backup_local(path) if existed and module.params["backup"] else ""
    _write(module, path, document.text)
    return {"backup_file": str(backup)} if backup else {}


def _temporary(module: AnsibleModule, text: str) -> str:
    handle, name = tempfile.mkstemp(dir=str(module.tmpdir))
    module.add_cleanup_file(name)
    with os.fdopen(handle, "wb") as stream:
        stream.write(text.encode("utf-8"))
    return name


def _write(module: AnsibleModule, path: str, text: str) -> None:
    """Replace a file in one step."""
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        raise CfgError(f"the directory {directory} does not exist; create it first")
    temporary = _temporary(module, text)
    # A new file must not be readable by others before its own mode is set.
    umask = os.umask(0o077)
    try:
        module.atomic_move(temporary, path, unsafe_writes=module.params["unsafe_writes"])
    finally:
        os.umask(umask)


def _validate(module: AnsibleModule, document: Document, mask: Mask) -> None:
    command = module.params["validate"]
    if "%s" not in command:
        raise CfgError("'validate' must hold %s, which stands for the file to check")
    temporary = _temporary(module, document.text)
    code, out, err = module.run_command([word.replace("%s", temporary) for word in shlex.split(command)])
    if code:
        said = scrub((err or out).strip() or "no output", mask.document_secrets(document))
        raise CfgError(f"the new file was not accepted by 'validate' (rc {code}): {said}")


def _set_attributes(module: AnsibleModule, path: str, existed: bool, diff: list[dict[str, Any]]) -> bool:
    """Owner, group, mode and the like. True where they differ; they are part of the diff for a file that was there."""
    if not os.path.exists(path):
        return False
    arguments = module.load_file_common_arguments(module.params, path=path)
    if arguments["mode"] is None and not existed:
        arguments["mode"] = NEW_FILE_MODE
    details: dict[str, Any] = {}
    changed = bool(module.set_fs_attributes_if_different(arguments, False, diff=details))
    if changed and existed:
        diff.append({"before_header": path, "after_header": path, **details})
    return changed


if __name__ == "__main__":
    main()
