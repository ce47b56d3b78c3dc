#!/usr/bin/python

# SPDX-FileCopyrightText: The pandawms.panda maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Build and activate releases of panda-server
version_added: 0.1.0
author:
  - The pandawms.panda maintainers (@PanDAWMS)
description:
  - Builds a release, which is a Python virtual environment with panda-server and all that it needs, beside the one that is running, and
    verifies it.
  - Lets the installation link point to a release, by one rename.
  - The name of a release is derived from what is in it. The same request is the same release and is not built again.
requirements:
  - python >= 3.9
options:
  state:
    description:
      - V(present) sees that the release is there, complete and verified. What is running is not touched.
      - V(active) lets O(link) point to it besides.
    type: str
    choices: [present, active]
    default: present
  version:
    description: The version of panda-server. Needed unless O(path) is given.
    type: str
  path:
    description: The directory of a release that is there, to make it the active one.
    type: path
  extras:
    description: Extras of panda-server, such as the one of the database backend.
    type: list
    elements: str
    default: []
  packages:
    description: Requirements of further packages, plugins of the site for example. They need a O(lock) without hashes, or none.
    type: list
    elements: str
    default: []
  python:
    description: The interpreter the release is made from, 3.11 or newer.
    type: path
    default: /usr/bin/python3
  lock:
    description:
      - A requirements file on the host that pins every package. One with hashes is installed as it is, one without serves as constraints.
      - Without it the newest versions that the index has are taken.
    type: path
  index_url:
    description: A package index to use in place of PyPI.
    type: str
  uv_version:
    description: The version of the installer uv, which is taken from the index by pip.
    type: str
    default: 0.9.30
  releases_dir:
    description: The directory that holds the releases.
    type: path
    default: /opt/panda-releases
  link:
    description: The installation link.
    type: path
    default: /opt/panda
  group:
    description: The group of the service. It has to exist.
    type: str
    default: zp
attributes:
  check_mode:
    support: full
    description: Can run in check_mode and return changed status prediction without modifying target.
  diff_mode:
    support: full
    description: Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
  idempotent:
    support: full
    description: A release that is there is not built again.
"""

EXAMPLES = r"""
- name: Build a release beside the running one
  pandawms.panda.release:
    version: 1.0.4
    extras: [postgres]
  register: panda_new_release

- name: Let it be the running one
  pandawms.panda.release:
    path: "{{ panda_new_release.path }}"
    state: active
"""

RETURN = r"""
path:
  description: The directory of the release.
  returned: success
  type: str
  sample: /opt/panda-releases/1.0.4-py313-postgres-5c1f0a3e
purelib:
  description: The directory of its Python packages.
  returned: when O(version) is given
  type: str
  sample: /opt/panda-releases/1.0.4-py313-postgres-5c1f0a3e/lib/python3.13/site-packages
mod_wsgi:
  description: The path of the mod_wsgi module for httpd.
  returned: when O(version) is given
  type: str
  sample: >-
    /opt/panda-releases/1.0.4-py313-postgres-5c1f0a3e/lib/python3.13/site-packages/mod_wsgi/server/mod_wsgi-py313.cpython-313-x86_64-linux-gnu.so
built:
  description: Whether the release is there. In check mode V(false) says that the next steps cannot look into it yet.
  returned: success
  type: bool
  sample: true
previous:
  description: The release that O(link) pointed to before, empty where there was none.
  returned: success
  type: str
  sample: ""
"""

import grp
import pathlib

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.pandawms.panda.plugins.module_utils import _release


def run(module: AnsibleModule) -> dict[str, object]:
    """Bring the release to the state that the parameters ask for, and say where it is."""
    params = module.params
    request = None if params["path"] else _request(module)
    paths: dict[str, object] = {"path": params["path"]}
    if request:
        place = _release.layout(params["releases_dir"], request)
        paths = {"path": place.path, "purelib": place.purelib, "mod_wsgi": place.mod_wsgi}
    path = str(paths["path"])
    previous = _release.running(params["link"])
    built = _release.is_built(path)
    switch = params["state"] == "active" and previous != path
    if not module.check_mode:
        if request and not built:
            _build(module, request)
        if switch:
            _release.activate(params["link"], path)
    return {
        "changed": bool(request and not built) or switch,
        "built": built or not module.check_mode,
        "previous": previous or "",
        "diff": [
            {
                "before_header": "release",
                "after_header": "release",
                "before": f"{path}\n" if built else "",
                "after": f"{path}\n",
            },
            {
                "before_header": params["link"],
                "after_header": params["link"],
                "before": f"{previous}\n" if previous else "",
                "after": f"{path if switch else previous}\n" if switch or previous else "",
            },
        ],
        **paths,
    }


def _request(module: AnsibleModule) -> _release.Request:
    params = module.params
    lock = None
    if params["lock"]:
        try:
            lock = pathlib.Path(params["lock"]).read_bytes()
        except OSError as exc:
            if not module.check_mode:
                raise _release.ReleaseError(f"the lock file {params['lock']} cannot be read: {exc.strerror}.") from exc
    return _release.Request(
        version=params["version"],
        extras=tuple(params["extras"]),
        packages=tuple(params["packages"]),
        lock=lock,
        python=_release.find_python(params["python"]),
    )


def _build(module: AnsibleModule, request: _release.Request) -> None:
    params = module.params
    try:
        gid = grp.getgrnam(params["group"]).gr_gid
    except KeyError as exc:
        raise _release.ReleaseError(
            f"the group {params['group']} does not exist on this host: create it first."
        ) from exc
    _release.Builder(
        request, params["releases_dir"], gid=gid, index_url=params["index_url"], uv=params["uv_version"]
    ).build()


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "active"], "default": "present"},
            "version": {"type": "str"},
            "path": {"type": "path"},
            "extras": {"type": "list", "elements": "str", "default": []},
            "packages": {"type": "list", "elements": "str", "default": []},
            "python": {"type": "path", "default": "/usr/bin/python3"},
            "lock": {"type": "path"},
            "index_url": {"type": "str"},
            "uv_version": {"type": "str", "default": "0.9.30"},
            "releases_dir": {"type": "path", "default": "/opt/panda-releases"},
            "link": {"type": "path", "default": "/opt/panda"},
            "group": {"type": "str", "default": "zp"},
        },
        required_one_of=[("version", "path")],
        mutually_exclusive=[("version", "path")],
        required_if=[("state", "present", ("version",))],
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except _release.ReleaseError as exc:
        module.fail_json(msg=str(exc))
    except OSError as exc:
        module.fail_json(msg=f"{exc.filename or module.params['releases_dir']}: {exc.strerror}.")


if __name__ == "__main__":
    main()
