# SPDX-FileCopyrightText: The pandawms.panda maintainers
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Ansible community's checklist for collections of the `ansible` package, as far as a tree of files can tell.

The checklist: https://github.com/ansible-collections/ansible-inclusion/blob/main/collection_checklist.md
What it refers to: https://docs.ansible.com/ansible/devel/community/collection_contributors/collection_requirements.html
Sanity tests and the documentation build are its other half, and run by themselves.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.pandawms.panda.tests.unit.reading import ROOT, every_file, files, load, tasks

NAME = "pandawms.panda"
GALAXY: dict[str, Any] = load(ROOT / "galaxy.yml")
RUNTIME: dict[str, Any] = load(ROOT / "meta/runtime.yml")
CHANGES: dict[str, Any] = load(ROOT / "changelogs/changelog.yaml")
README = (ROOT / "README.md").read_text(encoding="utf-8")
MODULES = files("plugins/modules/*.py")
TASK_FILES = files(
    "roles/*/tasks/**/*.yml",
    "roles/*/handlers/**/*.yml",
    "playbooks/**/*.yml",
    "molecule/**/*.yml",
    "tests/hosts/*.yml",
    "tests/integration/targets/*/tasks/**/*.yml",
)
SEMANTIC_VERSION = r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?"
PLUGIN_TYPES = {"action", "become", "cache", "callback", "cliconf", "connection", "doc_fragments", "filter", "httpapi"}
PLUGIN_TYPES |= {"inventory", "lookup", "module_utils", "modules", "netconf", "plugin_utils", "shell", "strategy"}
PLUGIN_TYPES |= {"terminal", "test", "vars"}
MUST_NOT_BE_IGNORED = {
    "validate-modules!skip",
    "validate-modules:doc-choices-do-not-match-spec",
    "validate-modules:doc-default-does-not-match-spec",
    "validate-modules:doc-missing-type",
    "validate-modules:doc-required-mismatch",
    "validate-modules:mutually_exclusive-unknown",
    "validate-modules:no-log-needed",
    "validate-modules:nonexistent-parameter-documented",
    "validate-modules:parameter-list-no-elements",
    "validate-modules:parameter-type-not-in-doc",
    "validate-modules:undocumented-parameter",
}

each_module = pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)


def version(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])


@cache
def documentation(module: Path) -> dict[str, Any]:
    """DOCUMENTATION, EXAMPLES and RETURN of a module, as data."""
    found: dict[str, Any] = {}
    for statement in ast.parse(module.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            name = statement.targets[0].id
            if name in ("DOCUMENTATION", "EXAMPLES", "RETURN"):
                found[name] = yaml.safe_load(ast.literal_eval(statement.value))
    return found


def oldest_core() -> str:
    """The oldest ansible-core that the collection says it works with, as ``2.17``."""
    match = re.fullmatch(r">=\s*(2\.\d+)(\.\d+)?", RUNTIME["requires_ansible"])
    assert match is not None, "a lower bound, and no upper one"
    return match.group(1)


def test_there_is_something_to_look_at() -> None:
    assert len(MODULES) >= 4 and len(TASK_FILES) >= 20 and len(list(every_file())) >= 100
    assert len(modules_used()) >= 15


# --- Public availability and communication --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "heading",
    [
        r"requirements?|tested with|supported|what it needs",
        r"using|use it|usage|getting started|quick start",
        r"included content|content|what is in it",
        r"contribut",
        r"communication|support|getting help|help",
        r"code of conduct",
        r"release notes|releas|changelog",
        r"licen[cs]",
    ],
)
def test_the_readme_has_the_chapters_that_people_look_for(heading: str) -> None:
    headings = re.findall(r"^#+ +(.+?) *$", README, re.MULTILINE)
    assert any(re.search(heading, text, re.IGNORECASE) for text in headings), headings


@pytest.mark.parametrize(
    "target",
    [
        r"https://docs\.ansible\.com/[^)\s]*code_of_conduct",
        r"CONTRIBUTING\.md",
        r"CHANGELOG\.(md|rst)",
        r"LICENSE",
    ],
)
def test_the_readme_links_to_the_rules_and_the_changes(target: str) -> None:
    assert re.search(rf"\]\([^)]*{target}[^)]*\)|<{target}[^>]*>|^\[[^]]+\]: *\S*{target}", README, re.MULTILINE)


def test_the_readme_says_how_to_install_the_collection() -> None:
    assert re.search(rf"ansible-galaxy collection install .*{re.escape(NAME)}", README)


def test_the_readme_says_who_supports_the_collection_and_on_what_it_is_tested() -> None:
    assert re.search(r"\bsupport", README, re.IGNORECASE)
    assert re.search(r"Python 3\.\d+", README)
    oldest, newest = cores_in_ci()[0], cores_in_ci()[-1]
    assert re.search(rf"ansible-core[^.\n]*\b{re.escape(oldest)}\b", README), f"oldest tested ansible-core: {oldest}"
    assert newest in README, f"newest tested ansible-core: {newest}"


def test_the_readme_names_every_role_playbook_and_module() -> None:
    names = [path.name for path in (ROOT / "roles").iterdir() if path.is_dir()]
    names += [path.stem for path in MODULES] + [path.name for path in files("playbooks/*.yml")]
    missing = [name for name in names if not re.search(rf"`[^`\n]*\b{re.escape(name)}\b[^`\n]*`", README)]
    assert not missing


def test_contributing_tells_where_problems_are_reported() -> None:
    assert GALAXY["issues"] in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


# --- Standards and documentation --------------------------------------------------------------------------------------


def test_the_version_is_semantic_and_not_older_than_the_last_release() -> None:
    assert re.fullmatch(SEMANTIC_VERSION, GALAXY["version"])
    assert version(GALAXY["version"]) >= max(map(version, CHANGES["releases"]))


def test_the_licence_is_gpl_3_everywhere() -> None:
    assert GALAXY["license"] == ["GPL-3.0-or-later"]
    assert re.search(r"GNU GENERAL PUBLIC LICENSE\s+Version 3", head_of(ROOT / "LICENSE"))
    python = files("plugins/**/*.py")
    unmarked = [path.name for path in python if not re.search(r"Identifier: GPL-3\.0-or-later\n", head_of(path))]
    assert not unmarked
    without_notice = [path.name for path in MODULES if "GNU General Public License v3" not in head_of(path)]
    assert not without_notice


def head_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")[:600]


@each_module
def test_a_module_is_documented_as_the_standards_want_it(module: Path) -> None:
    doc = documentation(module)["DOCUMENTATION"]
    authors = [doc["author"]] if isinstance(doc["author"], str) else doc["author"]
    assert doc["module"] == module.stem
    assert doc["short_description"] and not doc["short_description"].endswith(".")
    assert doc["description"]
    assert authors and all(re.search(r"\(@[\w-]+\)", author) for author in authors), "GitHub id in parentheses"
    assert re.fullmatch(SEMANTIC_VERSION, str(doc["version_added"]))
    assert version(str(doc["version_added"])) <= version(GALAXY["version"])


@each_module
def test_a_module_says_what_it_does_in_check_and_diff_mode(module: Path) -> None:
    doc = documentation(module)["DOCUMENTATION"]
    fragments = doc.get("extends_documentation_fragment", [])
    fragments = [fragments] if isinstance(fragments, str) else fragments
    stated = set(doc.get("attributes", {}))
    assert {"check_mode", "diff_mode", "idempotent"} <= stated or any("attributes" in name for name in fragments)
    assert all(name.count(".") >= 2 for name in fragments), "documentation fragments by their full names"
    if module.stem.endswith(("_info", "_facts")):
        assert doc["attributes"]["check_mode"]["support"] == "full"


@each_module
def test_a_module_documents_every_value_it_returns(module: Path) -> None:
    values = documentation(module)["RETURN"]
    assert values
    incomplete = [name for name, value in values.items() if not {"description", "returned", "type"} <= set(value)]
    assert not incomplete
    assert "ansible_facts" not in values or module.stem.endswith("_facts")


@each_module
def test_the_examples_of_a_module_use_full_names(module: Path) -> None:
    examples = documentation(module)["EXAMPLES"]
    used = {name for task in flat(examples) for name in modules_of(task)}
    assert f"{NAME}.{module.stem}" in used
    short = {name for name in used if name.count(".") < 2}
    assert not short
    whole = module.read_text(encoding="utf-8")
    references = re.findall(r"\bM\(([^)]*)\)", whole) + re.findall(r"^ *- module: *(\S+)", whole, re.MULTILINE)
    short = {name for name in references if name.count(".") < 2}
    assert not short


@each_module
def test_a_module_that_changes_things_is_not_asked_for_information(module: Path) -> None:
    state = documentation(module)["DOCUMENTATION"]["options"].get("state", {})
    asking = set(state.get("choices", [])) & {"get", "info", "list", "query", "read", "show", "gathered"}
    assert not asking or module.stem.endswith(("_info", "_facts")), "belongs into a module <something>_info"


def test_plugins_are_of_known_types_and_module_utils_are_private() -> None:
    types = {path.name for path in (ROOT / "plugins").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert types <= PLUGIN_TYPES
    public = [
        path.name for path in files("plugins/module_utils/*.py", "plugins/plugin_utils/*.py") if path.name[0] != "_"
    ]
    assert not public


# --- Full names ---------------------------------------------------------------------------------------------------------

# What a task may have besides its module. Plays, and tasks that bring other tasks, have been taken apart before.
KEYWORDS = set(
    re.findall(
        r"\w+",
        """
    action any_errors_fatal args async become become_exe become_flags become_method become_user changed_when check_mode collections connection
    debugger delay delegate_facts delegate_to diff environment failed_when ignore_errors ignore_unreachable listen local_action loop loop_control
    module_defaults name no_log notify poll port register remote_user retries run_once tags throttle timeout until vars when
    """,
    )
)


def flat(data: Any) -> Iterator[dict[str, Any]]:
    for chain in tasks(data):
        yield chain[-1]


def modules_of(task: dict[str, Any]) -> Iterator[str]:
    """The module of a task, and the role that it brings."""
    for key, value in task.items():
        if key not in KEYWORDS and not key.startswith("with_"):
            yield key
        if key.endswith(("import_role", "include_role")):
            yield value["name"]


def modules_used() -> dict[str, set[str]]:
    """Every module and role that tasks of the checkout name, with the files that name it."""
    used: dict[str, set[str]] = {}
    for path in TASK_FILES:
        # A play's own keywords, and files of settings that Molecule keeps beside its playbooks.
        data = load(path)
        for task in flat(data) if isinstance(data, list) else []:
            for name in modules_of(task):
                used.setdefault(name, set()).add(path.relative_to(ROOT).as_posix())
        for play in data if isinstance(data, list) else []:
            for entry in play.get("roles", []):
                name = entry if isinstance(entry, str) else entry.get("role", entry.get("name"))
                used.setdefault(name, set()).add(path.relative_to(ROOT).as_posix())
    return used


def test_every_task_uses_full_names() -> None:
    short = {name: places for name, places in modules_used().items() if name.count(".") < 2}
    assert not short


def test_every_collection_that_roles_and_playbooks_use_is_a_dependency() -> None:
    used = {
        name.rpartition(".")[0]
        for name, places in modules_used().items()
        if any(place.startswith(("roles/", "playbooks/")) for place in places)
    }
    missing = used - set(GALAXY["dependencies"]) - {NAME, "ansible.builtin", "ansible.legacy"}
    assert not missing


def test_roles_depend_on_roles_by_full_names() -> None:
    metas = [load(path) for path in files("roles/*/meta/main.yml")]
    short = {entry["role"] for meta in metas for entry in meta["dependencies"] if entry["role"].count(".") < 2}
    assert not short


def test_what_users_get_needs_no_file_that_they_do_not_get() -> None:
    inside = ("plugins/", "roles/", "playbooks/", "meta/")
    outside = []
    for path in files("roles/**/*", "playbooks/**/*", "plugins/**/*.py"):
        for reference in re.findall(r"[\w./{} -]*\.\./[\w./-]+", path.read_text(encoding="utf-8", errors="replace")):
            start = (
                path.parent
                if path.is_relative_to(ROOT / "playbooks")
                else ROOT / Path(*path.relative_to(ROOT).parts[:2])
            )
            target = (start / reference[reference.index("../") :]).resolve()
            if not f"{target}/".startswith(tuple(f"{ROOT / part}/" for part in inside)):
                outside.append(f"{path.relative_to(ROOT)}: {reference}")
    assert not outside


# --- Collection management ----------------------------------------------------------------------------------------------


def test_galaxy_yml_has_what_galaxy_and_people_ask_for() -> None:
    assert f"{GALAXY['namespace']}.{GALAXY['name']}" == NAME
    assert (ROOT / GALAXY["readme"]).is_file()
    assert GALAXY["authors"] and GALAXY["description"]
    assert 1 <= len(GALAXY["tags"]) <= 20 and all(re.fullmatch(r"[a-z][a-z0-9]*", tag) for tag in GALAXY["tags"])
    addresses = [GALAXY[key] for key in ("repository", "documentation", "homepage", "issues")]
    assert all(address.startswith("https://") for address in addresses)


def test_every_dependency_is_a_stable_version_or_newer() -> None:
    wrong = {
        name: want for name, want in GALAXY["dependencies"].items() if not re.match(r">=\s*[1-9]\d*\.\d+\.\d+", want)
    }
    assert not wrong


def test_the_action_group_has_every_module() -> None:
    assert oldest_core()
    # A module that cannot have the defaults of the group, such as an action for the whole run, does not exist here.
    assert RUNTIME["action_groups"]["panda"] == sorted(path.stem for path in MODULES)


def test_the_changelog_is_kept_by_antsibull_changelog() -> None:
    config = load(ROOT / "changelogs/config.yaml")
    assert config["title"] == NAME and config["use_fqcn"] is True
    assert [section for section, _title in config["sections"]] == [
        "major_changes",
        "minor_changes",
        "breaking_changes",
        "deprecated_features",
        "removed_features",
        "security_fixes",
        "bugfixes",
        "known_issues",
    ]
    assert CHANGES["releases"] and all(re.fullmatch(SEMANTIC_VERSION, release) for release in CHANGES["releases"])
    written = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").replace("\\", "")
    missing = [release for release in CHANGES["releases"] if f"v{release}" not in written]
    assert not missing


def test_the_tree_has_no_binary_no_large_and_no_temporary_file() -> None:
    odd = [
        path for path in every_file() if re.search(r"~$|\.(orig|rej|bak|swp|tmp|log|retry)$|^\.DS_Store$", path.name)
    ]
    large = [path for path in every_file() if path.stat().st_size > 1_000_000]
    binary = [path for path in every_file() if b"\0" in path.read_bytes()[:8000]]
    assert not odd and not large and not binary


def test_the_tree_has_no_package_markers() -> None:
    markers = [path for path in every_file() if path.name == "__init__.py"]
    assert not markers


# --- Tests --------------------------------------------------------------------------------------------------------------


@cache
def workflows() -> dict[str, dict[str, Any]]:
    """The workflows of GitHub by their file names. YAML 1.1 takes the key ``on`` for a boolean."""
    return {
        path.name: {str(key): value for key, value in load(path).items()} for path in files(".github/workflows/*.yml")
    }


def triggers(workflow: dict[str, Any]) -> set[str]:
    value = workflow.get("True") or workflow["on"]
    return {value} if isinstance(value, str) else set(value)


def matrix(key: str) -> set[str]:
    """What the jobs of the workflow of every pull request have for a key of their matrices."""
    jobs = workflows()["test.yml"]["jobs"].values()
    rows = [row for job in jobs for row in job.get("strategy", {}).get("matrix", {}).get("include", [])]
    return {row[key] for row in rows if key in row}


def cores_in_ci() -> list[str]:
    """The versions of ansible-core that are tested, oldest first."""
    return sorted(matrix("core"), key=version)


def test_every_supported_core_is_tested_without_a_gap() -> None:
    minors = [version(core)[1] for core in cores_in_ci()]
    assert cores_in_ci()[0] == oldest_core()
    assert minors == list(range(minors[0], minors[-1] + 1)) and len(minors) > 1


def test_all_tests_run_for_every_pull_request_and_every_week() -> None:
    assert {"push", "pull_request", "schedule"} <= triggers(workflows()["test.yml"])
    steps = [step for job in workflows()["test.yml"]["jobs"].values() for step in job["steps"]]
    commands = "\n".join(step.get("run", "") for step in steps)
    assert {"lint", "test-unit", "docs", "build"} <= matrix("target") and "make test-molecule" in commands
    assert "ansible-test sanity" in commands and "ansible-test units" in commands
    scenarios = {path.parent.name for path in files("molecule/*/molecule.yml")}
    assert scenarios == matrix("scenario"), "the scenarios of Molecule, and those that are run"


@pytest.mark.parametrize("name", sorted(workflows()))
def test_a_workflow_can_only_read_and_ends(name: str) -> None:
    workflow = workflows()[name]
    assert workflow["permissions"] == {"contents": "read"}
    assert all("permissions" not in job and "timeout-minutes" in job for job in workflow["jobs"].values())
    actions = [step["uses"] for job in workflow["jobs"].values() for step in job["steps"] if "uses" in step]
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+", action) for action in actions)


def test_what_sanity_tests_ignore_is_allowed_and_has_a_reason() -> None:
    entries = [
        line for path in files("tests/sanity/ignore-*.txt") for line in path.read_text(encoding="utf-8").splitlines()
    ]
    unexplained = [line for line in entries if line.strip() and not re.search(r"#\s*\S", line)]
    forbidden = [line for line in entries if set(line.split("#")[0].split()[1:2]) & MUST_NOT_BE_IGNORED]
    assert not unexplained and not forbidden
