# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cfg core against what PanDA has released: the files that it ships, and the code that it reads them with."""

from __future__ import annotations

import configparser
import json
import os
import re
import sys
import types
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.pandawms.panda.plugins.module_utils import _panda_config
from ansible_collections.pandawms.panda.plugins.module_utils._cfg import CfgError, Document
from ansible_collections.pandawms.panda.plugins.module_utils._cfg_plan import Request, changes, known_keys, plan
from ansible_collections.pandawms.panda.plugins.module_utils._panda_config import (
    JEDI,
    SERVER,
    Reading,
    check,
    overlay_place,
    places,
    read,
)
from ansible_collections.pandawms.panda.tests.unit.pypi import source
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# Those between them ship the same files.
SERVER_VERSIONS = ("0.4.0", "0.5.0", "0.6.0", "1.0.0", "1.0.4")
COMMON_VERSION = "0.1.11"
SHIPPED = [("panda-server", version, "panda_server.cfg.rpmnew.template") for version in SERVER_VERSIONS]
SHIPPED += [("panda-server", version, "panda_jedi.cfg.rpmnew.template") for version in ("1.0.0", "1.0.4")]
SHIPPED += [("panda-common", COMMON_VERSION, "panda_common.cfg.rpmnew")]


@cache
def package(project: str, version: str) -> dict[str, bytes]:
    """What the tests look at of a release, by path."""
    files = source(project, version)
    return {path: text for path, text in files.items() if ".cfg." in path or "config" in path.lower()}


each_shipped = pytest.mark.parametrize(
    "shipped", SHIPPED, ids=lambda shipped: f"{shipped[2].split('.')[0]}-{shipped[1]}"
)


@cache
def base(shipped: tuple[str, str, str]) -> str:
    """A ``.rpmnew`` file as an installation has it: the build puts paths and names in place of ``@@name@@``."""
    project, version, name = shipped
    return re.sub(r"@@\w+@@", "/opt/panda", package(project, version)[f"templates/{name}"].decode())


@each_shipped
def test_a_shipped_file_comes_back_byte_by_byte_and_panda_can_read_it(shipped: tuple[str, str, str]) -> None:
    text = base(shipped)
    document = Document.parse(text)
    assert document.text == text
    assert Document.parse(text.replace("\n", "\r\n")).text == text.replace("\n", "\r\n")
    parser = read(text)
    held = {section: dict(parser.items(section, raw=True)) for section in parser.sections()}
    assert {name: entry.raw for name, entry in document.entries.items()} == {
        (section, key): value for section, keys in held.items() for key, value in keys.items()
    }
    check(document)


@each_shipped
def test_every_parameter_of_a_shipped_file_can_be_set_and_no_other_line_changes(shipped: tuple[str, str, str]) -> None:
    document = Document.parse(base(shipped))
    wanted: dict[str, dict[str, object]] = {section.name: {"added": "new%"} for section in document.sections}
    for section, key in document.entries:
        wanted[section][key] = {"d": {"period": 60}} if (section, key) == ("daemon", "config") else f"50% of\n{key}"
    request = Request(wanted)
    result = plan(request, document, document).document
    parser = read(result.text)
    for section, keys in wanted.items():
        for key, value in keys.items():
            got = parser.get(section, key)
            assert (json.loads(got) if isinstance(value, dict) else got) == value
    assert others(result) == others(document)
    again = plan(request, result, document, document)
    assert again.document == result
    given_back = plan(Request({section: dict.fromkeys(keys) for section, keys in wanted.items()}), result, document)
    assert given_back.document.text == document.text


def others(document: Document) -> list[str]:
    """The lines which belong to no parameter."""
    taken = {number for entry in document.entries.values() for number in range(entry.start, entry.stop)}
    return [line for number, line in enumerate(document.lines) if number not in taken]


@pytest.mark.parametrize(("old", "new"), list(zip(SERVER_VERSIONS, SERVER_VERSIONS[1:])))
def test_an_upgrade_between_releases_is_the_new_file_with_what_the_site_set(old: str, new: str) -> None:
    before, after = (Document.parse(base(("panda-server", each, SHIPPED[0][2]))) for each in (old, new))
    site = {"server": {"dbhost": "db.example.org", "dbpasswd": "50%", "added": "x"}}
    present = plan(Request(site), None, before).document
    by_hand = Document.parse(present.text.replace("[daemon]", "# why\nmine = 1\n[daemon]", 1))
    result = plan(Request(site), by_hand, after, before)
    values = {name: entry.raw for name, entry in result.document.entries.items()}
    expected = {name: entry.raw for name, entry in after.entries.items()}
    section = by_hand.entries.get(("server", "mine"), by_hand.entries.get(("mcp", "mine")))
    assert section is not None
    expected |= {("server", "dbhost"): "db.example.org", ("server", "dbpasswd"): "50%%", ("server", "added"): "x"}
    assert values == {**expected, section.name: "1"}
    upstream = {(each.section, each.key): each.kind for each in result.base_changes}
    assert upstream.keys() == {(each.section, each.key) for each in changes(before, after)}
    assert "# why\nmine = 1\n" in result.document.text
    assert plan(Request(site), result.document, after, after).document == result.document


def test_no_shipped_parameter_is_taken_for_a_typing_error_of_another() -> None:
    document = Document.parse(base(("panda-server", "1.0.4", SHIPPED[0][2])))
    active = plan(Request({s: dict.fromkeys(keys, "x") for s, keys in known_keys(document).items()}), None, document)
    assert [warning for warning in active.warnings if "is meant" in warning or "meant?" in warning] == []
    typo = plan(Request({"server": {"dbpaswd": "x"}}), None, document)
    assert typo.warnings == ("[server] dbpaswd is not a key of the base; is dbpasswd meant?",)


# --- PanDA's own code ---------------------------------------------------------------------------------------------------


class Panda:
    """The released code that reads the cfg files."""

    def __init__(self) -> None:
        code = package("panda-common", COMMON_VERSION)["pandacommon/liveconfigparser/LiveConfigParser.py"]
        # What it wants of Python 3.10 and later are annotations.
        self.parser = self.run("LiveConfigParser", b"from __future__ import annotations\n" + code)
        files = package("panda-server", SERVER_VERSIONS[-1])
        self.utils = self.run("config_utils", files["pandaserver/config/config_utils.py"])
        self.jedi = files["pandajedi/jediconfig/jedi_config.py"]

    @staticmethod
    def run(name: str, code: bytes) -> types.ModuleType:
        module = types.ModuleType(name)
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(sys.modules, name, module)
            exec(compile(code, name, "exec"), module.__dict__)
        return module

    def in_memory(self, file: str, environment: dict[str, str]) -> dict[str, dict[str, Any]]:
        """What it makes of the files, without the defaults that it has for what no file sets."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "environ", environment)
            if file == JEDI:
                # As its PYTHONPATH has it.
                patch.setitem(sys.modules, "liveconfigparser", types.ModuleType("liveconfigparser"))
                patch.setitem(sys.modules, "liveconfigparser.LiveConfigParser", self.parser)
                found = vars(self.run("jedi_config", self.jedi))
                return {section: vars(found[section]) for section in found["tmp_conf"].sections()}
            result: dict[str, dict[str, Any]] = {}
            for section in ("server", "daemon", "mcp"):
                # As panda_config.py, daemon_config.py and mcp_config.py start.
                reader = self.parser.LiveConfigParser()
                reader.read(file)
                values = reader.server if section == "server" else getattr(reader, section, {})
                self.utils.load_config_map(section, values)
                target = types.SimpleNamespace()
                self.parser.expand_values(target, values)
                result[section] = vars(target)
            return result


@pytest.fixture(scope="module")
def panda() -> Panda:
    return Panda()


TEXT = st.sampled_from(
    ["", "1", "007", "True", "None", "$A", "${B}", "${{A}}", "$C", "%(a)s", "%%", "x\n y", "%(d)s-%(a)s"]
)
SETTINGS = st.dictionaries(st.sampled_from("abcd"), TEXT, max_size=3)
CONTENTS = st.dictionaries(st.sampled_from(["server", "daemon", "mcp", "jedi", "DEFAULT"]), SETTINGS, max_size=3)
OVERLAY = st.dictionaries(
    st.sampled_from(["server", "daemon", "mcp", "db"]),
    st.dictionaries(
        st.sampled_from("abcd"), st.one_of(TEXT, st.sampled_from([1, True, None, 1.5, ["x"], {"y": "1"}])), max_size=3
    ),
    max_size=3,
)


def written(contents: dict[str, dict[str, str]]) -> str:
    lines = []
    for section, keys in contents.items():
        lines += [f"[{section}]", *(f"{key} = {value}" for key, value in keys.items())]
    return "\n".join([*lines, ""])


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from([SERVER, JEDI]),
    st.lists(st.none() | CONTENTS, min_size=3, max_size=3),
    st.none() | OVERLAY,
    st.dictionaries(st.sampled_from("AB"), st.sampled_from(["12", "False", "x y", "$A"])),
)
def test_the_whole_read_order_gives_what_pandas_own_code_has_in_memory(
    panda: Panda,
    tmp_path_factory: pytest.TempPathFactory,
    file: str,
    contents: list[dict[str, dict[str, str]] | None],
    overlay: dict[str, dict[str, Any]] | None,
    variables: dict[str, str],
) -> None:
    place = tmp_path_factory.getbasetemp() / "read-order"
    environment = {"HOME": str(place / "home"), "PANDA_HOME": str(place / "panda"), **variables}
    # Those of the system are out of reach of a test; they come first in either case.
    own = places(file, environment)[-3:]
    assert own[0] == f"{place}/home/etc/panda/{file}"
    documents: dict[str, Document] = {}
    for path, content in zip(own, contents):
        write(path, None if content is None else written(content))
        if content is not None:
            documents[path] = Document.parse(written(content))
    laid_over = overlay_place(file, environment)
    assert laid_over is not None
    write(laid_over, None if overlay is None else json.dumps(overlay))
    try:
        reading = Reading.of(
            file, documents, None if overlay is None else (laid_over, json.dumps(overlay)), environment
        )
    except CfgError:
        with pytest.raises((AttributeError, configparser.InterpolationError)):
            panda.in_memory(file, environment)
        return
    if file == SERVER and reading.warnings and "without which" in str(reading.warnings):
        with pytest.raises(AttributeError):
            panda.in_memory(file, environment)
        return
    expected = panda.in_memory(file, environment)
    got: dict[str, dict[str, Any]] = {section: {} for section in expected}
    for each in reading.parameters:
        got[each.section][each.key] = each.value
    assert json.dumps(got, sort_keys=True) == json.dumps(expected, sort_keys=True)


def write(path: str, text: str | None) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    if text is None:
        Path(path).unlink(missing_ok=True)
    else:
        Path(path).write_text(text, encoding="utf-8")


def test_the_places_are_those_of_pandas_own_code(panda: Panda, monkeypatch: pytest.MonkeyPatch) -> None:
    parser = panda.parser
    asked: list[str] = []
    monkeypatch.setattr(parser.ConfigParser, "read", lambda self, paths: asked.extend(paths))
    environment = {"HOME": "/h", "PANDA_HOME": "/p"}
    monkeypatch.setattr(os, "environ", environment)
    parser.LiveConfigParser().read(SERVER)
    assert places(SERVER, environment) == asked
    del environment["PANDA_HOME"]
    asked.clear()
    parser.LiveConfigParser().read(SERVER)
    assert places(SERVER, environment) == asked
    assert tuple(os.path.dirname(path) for path in asked[:2]) == _panda_config.SYSTEM_DIRECTORIES
