# SPDX-FileCopyrightText: The pandawms.panda maintainers
# SPDX-License-Identifier: GPL-3.0-or-later

"""The authentication files are named so that PanDA's own code takes the VO and the role out of their names."""

from __future__ import annotations

import ast
import glob
import json
import os
import re
from functools import cache
from pathlib import Path
from types import CodeType, SimpleNamespace

import pytest
from ansible_collections.pandawms.panda.tests.unit.pypi import source
from ansible_collections.pandawms.panda.tests.unit.reading import ROOT, load
from jinja2 import Environment


@cache
def reader() -> CodeType:
    """The statement of PanDA's ``panda_config.py`` that reads the files, which is all of it that runs without an installation."""
    text = source("panda-server", "1.0.4")["pandaserver/config/panda_config.py"].decode()
    (statement,) = [
        node
        for node in ast.parse(text).body
        if isinstance(node, ast.Try) and "_auth_config.json" in (ast.get_source_segment(text, node) or "")
    ]
    return compile(ast.Module([statement], []), "panda_config.py", "exec")


@pytest.mark.parametrize(
    ("given", "group"),
    [
        ({"vo": "beta"}, "user"),
        ({"vo": "beta", "role": ""}, "user"),
        ({"vo": "beta", "role": "production"}, "production"),
        ({"vo": "vo.example.org"}, "user"),
        ({"vo": "vo.example.org", "role": "production"}, "production"),
        ({"vo": "example.org", "role": "production"}, "production"),
        ({"vo": "beta", "role": "production.eu"}, "production.eu"),
    ],
    ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else "",
)
def test_panda_finds_vo_and_role_in_the_name_of_the_file(given: dict[str, str], group: str, tmp_path: Path) -> None:
    (task,) = [
        task for task in load(ROOT / "roles/config/tasks/main.yml") if task["name"] == "Place the authentication files"
    ]
    dest = Environment().from_string(task["ansible.builtin.copy"]["dest"])
    place = Path(dest.render(panda_auth_config_dir=tmp_path, item=given))
    place.write_text(json.dumps({"vo": given["vo"], "client_id": "x"}), encoding="utf-8")

    config = SimpleNamespace(auth_config=str(tmp_path))
    exec(reader(), {"glob": glob, "json": json, "os": os, "re": re, "tmpSelf": config})

    assert config.auth_policies == {given["vo"]: [[given["vo"], {"group": group, "role": group}]]}
    assert list(config.auth_config) == ["x"]
