# SPDX-FileCopyrightText: The pandawms.panda maintainers
# SPDX-License-Identifier: GPL-3.0-or-later

"""README and guide speak of what there is: variables, roles, tags, modules, paths, commands, pages and messages.

What they tell people to write and to run is collected by tests/documentation.py. A Molecule scenario does it on real hosts.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.pandawms.panda.tests import documentation
from ansible_collections.pandawms.panda.tests.unit.reading import ROOT, files, load, read_by_text

PAGES = documentation.sources()
TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}
WHOLE = "\n".join(TEXTS.values())
BLOCKS = list(documentation.blocks())
COMMANDS = documentation.commands()
DATA = [block for block in BLOCKS if block.language == "yaml"]

ROLES = {path.name for path in (ROOT / "roles").iterdir() if path.is_dir()}
MODULES = {path.stem for path in files("plugins/modules/*.py")}
PLAYBOOKS = {path.stem for path in files("playbooks/*.yml")}
OPTIONS: dict[str, dict[str, Any]] = {
    name: spec
    for path in files("roles/*/meta/argument_specs.yml")
    for point in load(path)["argument_specs"].values()
    for name, spec in point["options"].items()
}
TAGS = {"panda", *(f"panda_{role}" for role in ROLES)}
GROUPS = {"panda_server", "panda_database"}
# What a playbook's opening comment explains are its own variables.
PLAYBOOK_VARIABLES = {
    name
    for path in files("playbooks/*.yml")
    for line in re.findall(r"^#.*$", path.read_text(encoding="utf-8"), re.MULTILINE)
    for name in re.findall(r"\bpanda_\w+_hosts\b", line)
}
PROGRAMS = {path.name for path in files("roles/install/files/*")}
LOGS = {"panda_server_access_log", "panda_server_error_log"}
CODE = re.sub(
    r"\s+",
    " ",
    "\n".join(
        path.read_text(encoding="utf-8") for path in files("roles/**/*", "plugins/**/*.py") if path.suffix != ".txt"
    ),
)
LABEL = "ansible_collections.pandawms.panda.docsite."

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
each_trouble = pytest.mark.parametrize(
    "page", [page for page in PAGES if page.stem.startswith("troubleshooting_")], ids=lambda page: page.stem
)
each_data = pytest.mark.parametrize("block", DATA, ids=lambda block: block.place)


def literals(page: Path) -> list[str]:
    """What is marked as code in the running text."""
    mark = "``" if page.suffix == ".rst" else "`"
    return re.findall(
        rf"(?<![`:]){mark}([^`]+){mark}(?!`)", re.sub(r"^```.*?^```$", "", TEXTS[page], flags=re.M | re.S)
    )


def names(text: str, prefix: str) -> set[str]:
    """Words with the prefix which are no part of a path or of a longer name such as ``panda_server.cfg``."""
    return set(re.findall(rf"(?<![\w./-]){prefix}\w*\b(?!-?\*|[-.]\w)", text))


# --- code blocks ------------------------------------------------------------------------------------------------------


def test_every_code_block_is_seen_and_of_a_known_language() -> None:
    unknown = [block.place for block in BLOCKS if block.language not in (*documentation.DATA, "console", "text")]
    marked = sum(
        len(re.findall(r"^```\w|\.\. (?:code-block|code|sourcecode)::|^(?! *\.\.).*\S::$", text, re.M))
        for text in TEXTS.values()
    )
    assert not unknown
    assert len(BLOCKS) == marked >= 20


def test_every_page_has_its_place_in_the_order_of_reading() -> None:
    assert set(PAGES[1:]) == set(files("docs/docsite/rst/**/*.rst"))
    named = re.findall(rf":ref:`{re.escape(LABEL)}(\w+)`$", TEXTS[ROOT / "docs/docsite/rst/index.rst"], re.M)
    guide = [page.stem for page in PAGES[2:] if not page.stem.startswith("troubleshooting_")]
    assert named == guide, "the contents in index.rst, and extra-docs.yml"


@each_data
def test_a_block_of_yaml_can_be_read(block: documentation.Block) -> None:
    assert isinstance(yaml.safe_load(block.text), dict)


def variables(data: Any, inside_vars: bool) -> Iterator[tuple[str, Any]]:
    """The variables that YAML sets: all of its keys, or where it is an inventory, those below ``vars``."""
    for name, value in data.items() if isinstance(data, dict) else []:
        if inside_vars:
            yield name, value
        elif isinstance(value, dict):
            yield from variables(value, name == "vars")


@each_data
def test_every_variable_of_a_block_is_an_option_with_a_valid_value(block: documentation.Block) -> None:
    found = dict(variables(yaml.safe_load(block.text), inside_vars=block.path != "inventory.yml"))
    assert found
    for name, value in found.items():
        if name.startswith("vault_"):
            continue
        assert name in OPTIONS
        if not (isinstance(value, str) and "{{" in value):
            result = ArgumentSpecValidator({name: OPTIONS[name]}).validate({name: value})
            assert not result.error_messages
            assert result.validated_parameters[name] == value


def test_every_variable_that_a_block_reads_is_set() -> None:
    given = {"inventory_dir", "inventory_hostname", *OPTIONS}
    given |= {name for path, text in documentation.files().items() if "vault" in path for name in yaml.safe_load(text)}
    unknown = {block.place: read_by_text(block.text) - given for block in DATA}
    assert not {place: names for place, names in unknown.items() if names}


def run_inventory(directory: Path, *words: str) -> Any:
    command = shutil.which(
        "ansible-inventory", path=os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    )
    assert command, "the command ansible-inventory, which comes with ansible-core"
    done = subprocess.run(
        [command, "-i", "inventory.yml", *words],
        cwd=directory,
        env={**os.environ, "ANSIBLE_LOCALHOST_WARNING": "0", "ANSIBLE_INVENTORY_UNPARSED_FAILED": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_inventory_that_is_written_has_one_database_and_one_server(tmp_path: Path) -> None:
    assert documentation.main(["write", str(tmp_path)]) == 0
    hosts = run_inventory(tmp_path, "--list")
    assert hosts["panda_database"]["hosts"] == ["db.example.org"]
    assert hosts["panda_server"]["hosts"] == ["panda.example.org"]
    known = hosts["_meta"]["hostvars"]["panda.example.org"]
    assert known["panda_database_host"] == "db.example.org"
    assert known["vault_panda_database_password"], "group_vars/all/vault.yml"
    assert known["panda_server_cfg_host"], "host_vars/panda.example.org.yml"


def test_a_path_with_two_contents_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    twice = [documentation.Block("yaml", f"# a.yml\na: {value}\n", PAGES[0], value) for value in (1, 2)]
    monkeypatch.setattr(documentation, "blocks", lambda: iter(twice))
    with pytest.raises(documentation.DocumentationError, match="a.yml differs"):
        documentation.write(tmp_path)


# --- commands ---------------------------------------------------------------------------------------------------------


def test_commands_end_by_themselves_and_ask_nothing() -> None:
    endless = [
        command.text
        for command in COMMANDS
        if re.search(r"\s(-f\w*|--follow)(\s|$)|\b(watch|less|top|vi|ansible-vault)\b|--ask|-K\b", command.text)
        and " -t -f " not in command.text
    ]
    assert not endless
    assert all(
        "--no-pager" in command.text for command in COMMANDS if re.match("systemctl .*status|journalctl", command.text)
    )
    assert {command.where for command in COMMANDS} == {"controller", "host"}


def test_what_is_run_on_the_controller_comes_with_ansible() -> None:
    programs = {command.text.split()[0] for command in COMMANDS if command.where == "controller"}
    assert {"ansible-playbook"} <= programs <= {"ansible", "ansible-doc", "ansible-inventory", "ansible-playbook"}


def test_a_command_goes_on_after_a_backslash(monkeypatch: pytest.MonkeyPatch) -> None:
    block = documentation.Block("console", "$ one \\\n  two\noutput\n$ make demo\n# three\n", PAGES[0], 7)
    monkeypatch.setattr(documentation, "blocks", lambda: iter([block]))
    found = [(command.where, command.text, command.line) for command in documentation.commands()]
    assert found == [("controller", "one \\\n  two", 7), ("host", "three", 11)]


@each_page
def test_every_target_of_make_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    assert set(re.findall(r"[`$]\s*make ([a-z-]+)", TEXTS[page])) <= targets


# --- names ------------------------------------------------------------------------------------------------------------


@each_page
def test_every_variable_that_the_text_names_is_an_option(page: Path) -> None:
    known = {*OPTIONS, *PLAYBOOK_VARIABLES, *TAGS, *GROUPS, *PROGRAMS, *LOGS, "panda_"}
    used = {name for text in literals(page) for name in names(text, "panda_")}
    used |= {name for block in BLOCKS if block.source == page for name in names(block.text, "panda_")}
    assert not used - known


@each_page
def test_no_internal_variable_is_shown(page: Path) -> None:
    assert "__panda_" not in TEXTS[page]


@each_page
def test_every_environment_variable_of_panda_is_one_that_the_roles_set(page: Path) -> None:
    known = set(re.findall(r"\bPANDA\w+", (ROOT / "roles/config/vars/main.yml").read_text(encoding="utf-8")))
    assert not names(TEXTS[page], "PANDA") - known


@each_page
def test_every_unit_that_the_text_names_is_placed(page: Path) -> None:
    known = set(load(ROOT / "roles/service/vars/main.yml")["__panda_service_units"])
    assert not set(re.findall(r"\bpanda\w*\.service\b", TEXTS[page])) - known


@each_page
def test_every_full_name_is_a_role_a_module_or_a_playbook(page: Path) -> None:
    found = set(re.findall(r"(?<!ansible_collections\.)\bpandawms\.panda\.(\w+)", TEXTS[page]))
    assert not found - ROLES - MODULES - PLAYBOOKS
    assert set(re.findall(r"\bpandawms\.panda\.(\w+)#role", TEXTS[page])) <= ROLES
    assert set(re.findall(r"\bpandawms\.panda\.(\w+)#module", TEXTS[page])) <= MODULES


def test_every_option_of_a_module_that_is_referred_to_exists() -> None:
    referred = re.findall(r"\bpandawms\.panda\.(\w+)#module:(\w+)", WHOLE)
    assert referred
    for module, option in referred:
        text = (ROOT / f"plugins/modules/{module}.py").read_text(encoding="utf-8")
        assert re.search(rf"^  {option}:$", text.partition("options:\n")[2], re.M), f"{module}: {option}"


@pytest.mark.parametrize(("kind", "there"), [("Role", ROLES), ("Module", MODULES), ("Playbook", PLAYBOOKS)])
def test_the_tables_of_the_readme_have_what_there_is_and_nothing_else(kind: str, there: set[str]) -> None:
    table = re.search(rf"^\| {kind} \|.*\n\|[- |]+\n((?:\|.*\n)+)", TEXTS[PAGES[0]], re.M)
    assert table is not None
    named = re.findall(r"^\| `(?:pandawms\.panda\.)?(\w+)`", table[1], re.M)
    assert set(named) == there and len(named) == len(there)


def test_every_tag_is_named_where_tags_are_explained_and_no_other_anywhere() -> None:
    page = ROOT / "docs/docsite/rst/getting_started.rst"
    played = {name for text in literals(page) for name in names(text, "panda_")} & TAGS
    site = (ROOT / "playbooks/site.yml").read_text(encoding="utf-8")
    assert {tag for tag in TAGS - {"panda"} if re.search(rf"\b{tag}\b\W*[\],]", site)} <= played
    used = {tag for words in re.findall(r"--(?:skip-)?tags[ =]([\w,]+)", WHOLE) for tag in words.split(",")}
    assert used and used <= TAGS


@each_page
def test_every_path_of_the_checkout_exists(page: Path) -> None:
    tops = {path.name for path in ROOT.iterdir() if path.is_dir()} - {"docs"}
    links = re.findall(r"ansible-collection-panda/(?:blob|tree|edit)/main/([\w./-]+)", TEXTS[page])
    named = [
        text for text in literals(page) if re.fullmatch(r"[\w.-]+(/[\w.-]+)+/?", text) and text.split("/")[0] in tops
    ]
    assert not [path for path in links + named if not (ROOT / path).exists()]


# --- links ------------------------------------------------------------------------------------------------------------


def test_every_relative_link_of_the_readme_leads_somewhere() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", TEXTS[PAGES[0]])
    assert len(targets) >= 10
    assert not [target for target in targets if not (ROOT / target).exists()]


def test_every_page_of_the_guide_can_be_reached_from_the_readme() -> None:
    linked = set(re.findall(r"\]\(docs/docsite/rst/(\w+)\.rst\)", TEXTS[PAGES[0]]))
    assert {page.stem for page in PAGES[1:]} - linked == {
        page.stem for page in PAGES if page.stem.startswith("troubleshooting_")
    }
    overview = TEXTS[ROOT / "docs/docsite/rst/troubleshooting.rst"]
    assert all(f"<{LABEL}{page.stem}>" in overview for page in PAGES if page.stem.startswith("troubleshooting_"))


@each_page
def test_every_anchor_of_the_readme_that_is_linked_to_is_a_heading(page: Path) -> None:
    headings = re.findall(r"^#+ (.+)$", TEXTS[PAGES[0]], re.M)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"ansible-collection-panda#([\w-]+)", TEXTS[page])) <= anchors


@each_page
def test_every_reference_to_a_page_has_its_label(page: Path) -> None:
    labels = re.findall(rf"^\.\. _{re.escape(LABEL)}([\w.]+):$", WHOLE, re.M)
    assert len(labels) == len(set(labels))
    referred = re.findall(r":ref:`(?:[^`<]*<)?([^`>]+)>?`", TEXTS[page])
    assert not [label for label in referred if label.removeprefix(LABEL) not in labels]
    assert page.suffix == ".md" or TEXTS[page].startswith(f".. _{LABEL}{page.stem}:\n")


# --- symptoms ---------------------------------------------------------------------------------------------------------


def symptoms(page: Path) -> dict[str, dict[str, str]]:
    """The entries of a page, by their headings, each as field and text."""
    found = {}
    parts = re.split(r"^(.+)\n-{3,}\n", TEXTS[page], flags=re.M)[1:]
    for heading, body in zip(parts[::2], parts[1::2]):
        fields = re.findall(r"^:([\w ]+): ((?:.|\n(?!:|\n))+)", body, re.M)
        found[heading] = {name: re.sub(r"\s+", " ", text) for name, text in fields}
    return found


@each_trouble
def test_every_symptom_has_its_place_its_cause_its_remedy_and_what_the_collection_does(page: Path) -> None:
    entries = symptoms(page)
    assert len(entries) >= 5
    wanted = ["Symptom", "Where", "Cause", "Remedy", "The collection"]
    assert not {heading: list(fields) for heading, fields in entries.items() if list(fields) != wanted}


def test_every_message_of_the_collection_that_is_quoted_is_in_its_code() -> None:
    page = ROOT / "docs/docsite/rst/troubleshooting_run.rst"
    quoted = [
        text
        for fields in symptoms(page).values()
        for text in re.findall(r"``([^`]+)``", fields["Symptom"] + fields["Where"])
        if " " in text
    ]
    assert len(quoted) >= 15
    assert not [text for text in quoted if text not in CODE]
