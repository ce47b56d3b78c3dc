# SPDX-FileCopyrightText: The pandawms.panda maintainers
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the roles promise of their variables, in argument_specs.yml, is what defaults, tasks and templates do.

A name that is misspelt, an option that nothing reads or a default that is documented otherwise fails here, not on a host.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.pandawms.panda.tests.unit.reading import (
    ROOT,
    files,
    handed_over,
    load,
    read_by_data,
    read_by_file,
    set_for_a_while,
    tasks,
)

COLLECTION = "pandawms.panda."
PLAYBOOKS = files("playbooks/**/*.yml")
INVENTORIES = sorted(
    path
    for pattern in ("inventories/*", "molecule/*/inventory", "tests/hosts/inventory")
    for path in ROOT.glob(pattern)
)

# What Ansible and Jinja set everywhere: special variables, those of a connection, those of a template, functions. Written down here, because
# the import of Ansible's own lists makes modules that are tested in the same process take it for the controller.
GIVEN = set(
    re.findall(
        r"\w+",
        """
    ansible_check_mode ansible_collection_name ansible_config_file ansible_diff_mode ansible_facts ansible_failed_result ansible_failed_task
    ansible_forks ansible_index_var ansible_inventory_sources ansible_limit ansible_loop ansible_loop_var ansible_managed ansible_parent_role_names
    ansible_play_batch ansible_play_hosts ansible_play_hosts_all ansible_play_name ansible_play_role_names ansible_playbook_python
    ansible_role_name ansible_role_names ansible_run_tags ansible_search_path ansible_skip_tags ansible_verbosity ansible_version
    group_names groups hostvars inventory_dir inventory_file inventory_hostname inventory_hostname_short item omit playbook_dir role_name role_path
    vars
    ansible_become ansible_become_method ansible_become_user ansible_connection ansible_host ansible_port ansible_python_interpreter ansible_user
    template_destpath template_fullpath template_host template_path template_run_date
    cycler dict joiner lookup namespace now q query range undef
    """,
    )
) | {"_"}  # the usual name of a result that is not wanted


@dataclass(frozen=True)
class Role:
    """A role by its files: what it specifies, what it reads (by file) and what it sets."""

    name: str
    defaults: dict[str, Any]
    options: dict[str, dict[str, Any]]
    entry_points: dict[str, dict[str, Any]]
    dependencies: list[str]
    reads: dict[Path, set[str]]
    handed_over: set[str]
    internal: set[str]

    @classmethod
    def read(cls, path: Path) -> Role:
        name = path.name
        yamls = files(f"roles/{name}/tasks/**/*.yml", f"roles/{name}/handlers/**/*.yml")
        values = files(f"roles/{name}/vars/**/*.yml", f"roles/{name}/defaults/**/*.yml")
        points = (load(path / "meta/argument_specs.yml") or {}).get("argument_specs", {})
        meta = load(path / "meta/main.yml") or {}
        return cls(
            name=name,
            defaults=load(path / "defaults/main.yml") or {},
            options={key: value for point in points.values() for key, value in (point.get("options") or {}).items()},
            entry_points=points,
            dependencies=[entry["role"].removeprefix(COLLECTION) for entry in meta.get("dependencies") or []],
            reads={file: read_by_file(file) for file in [*yamls, *values, *files(f"roles/{name}/templates/**/*")]},
            handed_over=set().union(*(handed_over(load(file)) for file in yamls)),
            internal=set().union(
                *(set(load(file) or {}) for file in values), *(set_for_a_while(load(file)) for file in yamls)
            ),
        )

    @property
    def read_names(self) -> set[str]:
        return set().union(*self.reads.values())


ROLES = {path.name: Role.read(path) for path in sorted((ROOT / "roles").iterdir()) if path.is_dir()}
each_role = pytest.mark.parametrize("role", ROLES.values(), ids=lambda role: role.name)
each_playbook = pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda path: path.name)
SPECIFIED = {name: spec for role in ROLES.values() for name, spec in role.options.items()}


@cache
def with_dependencies(name: str) -> frozenset[str]:
    """The role and every role it depends on. ``common`` is one of them: a site's parameters are there for all."""
    needed = {name, "common"}
    for dependency in ROLES[name].dependencies:
        needed |= with_dependencies(dependency)
    return frozenset(needed)


def roles_played(playbook: Path) -> Iterator[tuple[str, set[str]]]:
    """The collection's roles in the order in which a playbook runs them, each with all tags that it has there."""
    for play in load(playbook) or []:
        chains = [(play, {"import_role": {"name": entry}}) for entry in play.get("roles", []) if isinstance(entry, str)]
        chains += [(play, entry | {"import_role": entry}) for entry in play.get("roles", []) if isinstance(entry, dict)]
        for chain in [*chains, *tasks([play])]:
            for module in (
                "import_role",
                "include_role",
                "ansible.builtin.import_role",
                "ansible.builtin.include_role",
            ):
                called = chain[-1].get(module, {})
                name = called.get("role", called.get("name", ""))
                if name.startswith(COLLECTION):
                    yield name.removeprefix(COLLECTION), {tag for part in chain for tag in tags_of(part)}


def tags_of(part: dict[str, Any]) -> list[str]:
    tags = part.get("tags", [])
    return tags.split(",") if isinstance(tags, str) else tags


def places(name: str, reads: dict[Path, set[str]]) -> str:
    return f"{name} in {', '.join(str(path.relative_to(ROOT)) for path in reads if name in reads[path])}"


def is_template(value: Any) -> bool:
    return isinstance(value, str) and "{{" in value


def complaint(name: str, spec: dict[str, Any], value: Any) -> str:
    """What is wrong with a value by the rules of Ansible's own validation, nothing if it is right as it stands.

    A template that is a whole expression may become anything, one that is a part of a string only a string.
    """
    if is_template(value):
        whole = re.fullmatch(r"\s*\{\{.*\}\}\s*", value, re.DOTALL) or value.lstrip().startswith("{%")
        return (
            "" if whole or spec.get("type", "str") in ("str", "path", "raw") else f"{name}: {value!r} becomes a string"
        )
    result = ArgumentSpecValidator({name: spec}).validate({name: value})
    if result.error_messages:
        return f"{name}: {'; '.join(result.error_messages)}"
    converted = result.validated_parameters[name]
    return "" if is_unconverted(value, converted) else f"{name}: {value!r} is only by conversion {converted!r}"


def is_unconverted(given: Any, taken: Any) -> bool:
    """Whether validation took the value for what it is. Options of a mapping may have got their defaults."""
    if isinstance(given, dict) and isinstance(taken, dict):
        return all(key in taken and is_unconverted(value, taken[key]) for key, value in given.items())
    if isinstance(given, list) and isinstance(taken, list):
        return len(given) == len(taken) and all(map(is_unconverted, given, taken))
    return type(given) is type(taken) and (given == taken or isinstance(given, str))


# --- Nothing of what follows can pass by finding nothing --------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "names"),
    [
        ({"when": "a and not b | bool"}, {"a", "b"}),
        ({"when": ["a", "b is defined"]}, {"a", "b"}),
        ({"until": "a.rc == 0", "failed_when": "b", "changed_when": "c"}, {"a", "b", "c"}),
        ({"ansible.builtin.assert": {"that": ["a == 'b'"], "fail_msg": "c {{ d }}"}}, {"a", "d"}),
        ({"loop": "{{ a }}"}, {"a"}),
        ({"loop": "a"}, {"a"}),
        ({"loop": ["a", "{{ b }}"]}, {"b"}),
        ({"loop": [{"name": "{{ a }}"}]}, {"a"}),
        ({"{{ a }}": 1}, {"a"}),
        ({"x": "{% for a in b %}{{ a }}{% set c = d %}{{ c }}{% endfor %}"}, {"b", "d"}),
        ({"x": "{# a #}{% raw %}{{ b }}{% endraw %}{{ 'c' }}"}, set()),
        ({"x": "{{ a | ansible.builtin.basename | unknown(b) is ansible.builtin.exists }}"}, {"a", "b"}),
        ({"x": "{{ hostvars[a].b ~ hostvars[a]['c'] ~ hostvars[a].get('d') }}"}, {"hostvars", "a", "b", "c", "d"}),
        ({"x": "{{ a | map('extract', hostvars, 'b') }}"}, {"a", "b", "hostvars"}),
        ({"x": "{{ lookup('ansible.builtin.vars', 'a') ~ vars['b'] }}"}, {"lookup", "vars", "a", "b"}),
    ],
)
def test_a_variable_that_is_read_is_seen(data: Any, names: set[str]) -> None:
    assert read_by_data(data) == names


def test_roles_playbooks_and_inventories_are_found() -> None:
    played = [name for name, _tags in roles_played(ROOT / "playbooks/site.yml")]
    assert len(played) >= 8 and set(played) < set(ROLES)
    assert len(SPECIFIED) >= 60
    assert sum(bool(list(variables_of(inventory))) for inventory in INVENTORIES) >= 5
    assert all(role.reads for role in ROLES.values())
    # One of each kind: read by a template, by an expression, by another variable, by a playbook; set by register, by vars.
    assert "panda_logrotate_count" in ROLES["logging"].reads[ROOT / "roles/logging/templates/logrotate.j2"]
    assert "panda_service_state" in ROLES["service"].reads[ROOT / "roles/service/tasks/main.yml"]
    assert "panda_http_port" in ROLES["config"].reads[ROOT / "roles/config/vars/main.yml"]
    assert "panda_server_hosts" in read_by_file(ROOT / "playbooks/site.yml")
    assert "__panda_release" in ROLES["install"].handed_over
    assert "__panda_config_dir" in ROLES["config"].internal


# --- Specification and defaults -----------------------------------------------------------------------------------------


@each_role
def test_every_option_with_a_default_has_it_in_both_files(role: Role) -> None:
    assert role.entry_points, "meta/argument_specs.yml is missing or empty"
    documented = {name for name, spec in role.options.items() if "default" in spec}
    assert not documented ^ set(role.defaults), "these are in one of the files only"
    required = {name for name in documented if role.options[name].get("required")}
    assert not required, "these are required, and have a default"


@each_role
def test_the_default_that_is_documented_is_the_one_that_is_used(role: Role) -> None:
    pairs = {name: (spec.get("default"), role.defaults.get(name)) for name, spec in role.options.items()}
    different = {name: pair for name, pair in pairs.items() if repr(pair[0]) != repr(pair[1])}
    assert not different, "the first is documented, the second is used"


@each_role
def test_a_default_passes_the_validation_of_its_own_role(role: Role) -> None:
    wrong = [complaint(name, role.options.get(name, {}), value) for name, value in role.defaults.items()]
    wrong = list(filter(None, wrong))
    assert not wrong


def undescribed(options: dict[str, Any], where: str = "") -> Iterator[str]:
    for name, spec in options.items():
        texts = spec.get("description") or [""]
        texts = [texts] if isinstance(texts, str) else texts
        if not all(isinstance(text, str) and text.strip() for text in texts) or "type" not in spec:
            yield where + name
        yield from undescribed(spec.get("options") or {}, f"{where}{name}.")


@each_role
def test_every_option_says_what_it_is(role: Role) -> None:
    assert all(point.get("short_description") for point in role.entry_points.values())
    bare = list(undescribed(role.options))
    assert not bare, "these have no description, or no type"


def test_every_option_is_specified_by_one_role_only() -> None:
    names = [name for role in ROLES.values() for name in role.options]
    repeated = {name for name in names if names.count(name) > 1}
    assert not repeated


def test_preflight_knows_the_options_of_every_role_that_the_site_runs() -> None:
    text = load(ROOT / "roles/preflight/vars/main.yml")["__panda_preflight_specs"]
    played = {name for name, _tags in roles_played(ROOT / "playbooks/site.yml")}
    unknown = {name for name in played | {"common"} if f"'{name}'" not in text}
    assert played and not unknown


# --- Variables that are read, and that are set ------------------------------------------------------------------------


@each_role
def test_every_variable_that_a_role_reads_is_an_option_of_it_or_of_what_it_depends_on(role: Role) -> None:
    known = {name for needed in with_dependencies(role.name) for name in ROLES[needed].options}
    unknown = sorted({name for name in role.read_names if name.startswith("panda_")} - known)
    assert not unknown, [places(name, role.reads) for name in unknown]


@each_playbook
def test_every_variable_that_a_playbook_reads_is_an_option_or_explained_where_it_begins(playbook: Path) -> None:
    known = set(SPECIFIED) | parameters_of(playbook)
    unknown = {name for name in read_by_file(playbook) if name.startswith("panda_")} - known
    assert not unknown


def parameters_of(playbook: Path) -> set[str]:
    """The variables that a playbook's opening comment explains, which are the playbook's own."""
    opening = re.match(r"(---\n|#.*\n|\n)*", playbook.read_text(encoding="utf-8"))
    assert opening is not None
    return set(re.findall(r"\bpanda_\w+", opening.group()))


@each_role
def test_every_internal_variable_that_a_role_reads_is_set_by_it_or_by_a_role_before_it(role: Role) -> None:
    order = [name for name, _tags in roles_played(ROOT / "playbooks/site.yml")]
    before = order[: order.index(role.name)] if role.name in order else order if role.name == "common" else []
    known = {name for needed in with_dependencies(role.name) for name in ROLES[needed].internal}
    known |= role.handed_over | {name for earlier in before for name in ROLES[earlier].handed_over}
    unknown = sorted({name for name in role.read_names if name.startswith("__panda_")} - known)
    assert not unknown, [places(name, role.reads) for name in unknown]


@each_playbook
def test_every_internal_variable_that_a_playbook_reads_is_set(playbook: Path) -> None:
    known = handed_over(load(playbook)) | set_for_a_while(load(playbook))
    known |= {name for role in ROLES.values() for name in role.internal | role.handed_over}
    unknown = {name for name in read_by_file(playbook) if name.startswith("__panda_")} - known
    assert not unknown


@each_role
def test_every_option_and_internal_variable_of_a_role_is_read_somewhere(role: Role) -> None:
    read = {name for other in ROLES.values() for name in other.read_names}
    read |= {name for playbook in PLAYBOOKS for name in read_by_file(playbook)}
    internal = {name for name in role.internal | role.handed_over if name.startswith("__panda_")}
    dead = (set(role.options) | internal) - read
    assert not dead


@each_role
def test_no_role_overwrites_what_a_site_has_set(role: Role) -> None:
    own = role.handed_over | {name for path in files(f"roles/{role.name}/vars/**/*.yml") for name in load(path) or {}}
    overwriting = {name for name in own if not name.startswith("__panda_")}
    assert not overwriting, "what a role computes begins with __panda_"


@pytest.mark.parametrize(
    "path",
    [*PLAYBOOKS, *(path for role in ROLES.values() for path in role.reads)],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_no_fact_is_read_as_a_variable_and_no_other_name_is_misspelt(path: Path) -> None:
    foreign = {name for name in read_by_file(path) if not re.match("(__)?panda_", name)} - GIVEN
    if path.suffix == ".yml":
        foreign -= set_for_a_while(load(path))
    assert not foreign, "facts are ansible_facts['name'], variables begin with panda_ or __panda_"


# --- Playbooks and inventories ------------------------------------------------------------------------------------------


@each_playbook
def test_every_role_of_a_playbook_can_be_chosen_by_its_tag(playbook: Path) -> None:
    untagged = {name for name, tags in roles_played(playbook) if not {"panda", f"panda_{name}"} <= tags}
    assert not untagged, "these lack the tag panda or panda_<role>"


@pytest.mark.parametrize(
    "path",
    [*PLAYBOOKS, *files("roles/*/tasks/**/*.yml", "roles/*/handlers/**/*.yml")],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_every_tag_is_of_a_role(path: Path) -> None:
    known = {"panda", "always", "never", *(f"panda_{name}" for name in ROLES)}
    unknown = {tag for chain in tasks(load(path)) for part in chain for tag in tags_of(part)} - known
    assert not unknown


def variables_of(inventory: Path) -> Iterator[tuple[Path, str, Any]]:
    """Every variable that an inventory sets, with its file and its value."""

    def of_groups(groups: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        for group in groups.values():
            yield from ((group or {}).get("vars") or {}).items()
            for host in ((group or {}).get("hosts") or {}).values():
                yield from (host or {}).items()
            yield from of_groups((group or {}).get("children") or {})

    for path in files(f"{inventory.relative_to(ROOT)}/**/*.yml"):
        data = load(path) or {}
        is_flat = {"group_vars", "host_vars"} & set(path.parts)
        yield from ((path, name, value) for name, value in (data.items() if is_flat else of_groups(data)))


@pytest.mark.parametrize("inventory", INVENTORIES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_variable_of_an_inventory_is_an_option_and_has_a_valid_value(inventory: Path) -> None:
    wrong = []
    for path, name, value in variables_of(inventory):
        if re.match("ansible_|vault_|panda_test_", name) or any(
            name in parameters_of(playbook) for playbook in PLAYBOOKS
        ):
            continue
        problem = complaint(name, SPECIFIED[name], value) if name in SPECIFIED else f"{name} is no option of any role"
        if problem:
            wrong.append(f"{path.relative_to(ROOT)}: {problem}")
    assert not wrong


@each_role
def test_a_role_has_the_page_that_galaxy_asks_for(role: Role) -> None:
    summary = role.entry_points["main"]["short_description"]
    page = (ROOT / "roles" / role.name / "README.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {COLLECTION}{role.name}\n\n{summary}. ")
    assert f"ansible-doc -t role {COLLECTION}{role.name}" in page
