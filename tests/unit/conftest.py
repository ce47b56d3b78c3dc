# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make ``ansible_collections.pandawms.panda`` importable from a checkout of any name.

``ansible-test units`` brings its own importer and is left alone; plain ``pytest`` gets the checkout registered as the package.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = "ansible_collections.pandawms"
COLLECTION = NAMESPACE + ".panda"


def _package(name: str, path: list[str]) -> types.ModuleType:
    """Register a package that has no ``__init__.py`` and whose submodules are looked up in *path*."""
    module = types.ModuleType(name)
    module.__path__ = path
    sys.modules[name] = module
    parent, _dot, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)
    return module


def _is_importable_from_checkout() -> bool:
    """True where something else (ansible-test) already finds this very checkout."""
    try:
        spec = importlib.util.find_spec(COLLECTION)
    except (ImportError, ValueError):
        return False
    places = list(spec.submodule_search_locations or []) if spec else []
    return any(os.path.realpath(place) == str(ROOT) for place in places)


def _register_checkout() -> None:
    if _is_importable_from_checkout():
        return
    try:
        importlib.import_module("ansible_collections")
    except ImportError:
        _package("ansible_collections", [])
    try:
        importlib.import_module(NAMESPACE)
    except ImportError:
        _package(NAMESPACE, [])
    _package(COLLECTION, [str(ROOT)])


_register_checkout()


@pytest.fixture(scope="session")
def collections_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree for ``ANSIBLE_COLLECTIONS_PATH`` that holds this checkout, for tests which run the real ``ansible`` command."""
    tree = tmp_path_factory.mktemp("collections")
    namespace = tree / "ansible_collections" / "pandawms"
    namespace.mkdir(parents=True)
    (namespace / "panda").symlink_to(ROOT, target_is_directory=True)
    return tree


@pytest.fixture
def run_module(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, Any]]:
    """Run a module's ``main()`` in this process and return what it printed as data.

    ``run_module(main, path=..., _ansible_check_mode=True)``; the exit code is added as ``rc_exit``.
    """
    import json

    testing = pytest.importorskip("ansible.module_utils.testing", reason="needs ansible-core >= 2.19")

    def run(main: Callable[[], None], **arguments: Any) -> dict[str, Any]:
        capsys.readouterr()
        with testing.patch_module_args(arguments), pytest.raises(SystemExit) as leave:
            main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
        result["rc_exit"] = leave.value.code
        return result

    return run
