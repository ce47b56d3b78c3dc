# SPDX-FileCopyrightText: The pandawms.panda maintainers
# SPDX-License-Identifier: GPL-3.0-or-later

"""The YAML and the Jinja of this checkout as data, and which variables they read and set.

Parsed by the real parsers, PyYAML and Jinja2, so that a comment, a string or a loop variable is not taken for a variable.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, meta, nodes

ROOT = Path(__file__).resolve().parents[2]

# Keywords of tasks, and options of modules, whose value is an expression without braces.
EXPRESSIONS = {"when", "until", "changed_when", "failed_when", "break_when", "that", "var", "loop"}
BLOCKS = ("block", "rescue", "always")
TASK_LISTS = (*BLOCKS, "tasks", "pre_tasks", "post_tasks", "handlers")


class _Loader(yaml.SafeLoader):
    """Takes a value with a tag of Ansible's own, such as ``!unsafe``, for what stands behind the tag."""


def _untagged(loader: _Loader, _suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.ScalarNode)
    return loader.construct_scalar(node)


_Loader.add_multi_constructor("!", _untagged)


class _AnyName(dict[str, Any]):
    """Filters and tests that Jinja2 does not know are Ansible's: which ones there are is not the question here."""

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(key, str)


_JINJA = Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"])
_JINJA.filters = _AnyName(_JINJA.filters)
_JINJA.tests = _AnyName(_JINJA.tests)


@cache
def load(path: Path) -> Any:
    """What a YAML file holds, ``None`` for one that is not there."""
    return yaml.load(path.read_text(encoding="utf-8"), _Loader) if path.exists() else None


def files(*patterns: str) -> list[Path]:
    """The files of the checkout that match any of the patterns, such as ``roles/*/tasks/*.yml``, but no one's secrets."""
    found = {path for pattern in patterns for path in ROOT.glob(pattern) if path.is_file()}
    return sorted(path for path in found if ".secrets" not in path.parts and "__pycache__" not in path.parts)


def every_file() -> Iterator[Path]:
    """Every file of the checkout that git would not ignore."""
    lines = [line.strip() for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()]
    # What ansible-test writes while it runs these tests.
    ignored = [".git", "tests/output", *(line.strip("/") for line in lines if line and not line.startswith("#"))]

    def is_kept(place: str, name: str) -> bool:
        path = (Path(place) / name).relative_to(ROOT).as_posix()
        return not any(fnmatch(path if "/" in pattern else name, pattern) for pattern in ignored)

    for place, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if is_kept(place, name)]
        yield from (Path(place) / name for name in names if is_kept(place, name))


# --- variables that are read ------------------------------------------------------------------------------------------


def _is_a_host(node: nodes.Node) -> bool:
    """``vars``, ``hostvars[host]`` or ``hostvars.host``."""
    if isinstance(node, nodes.Name):
        return node.name == "vars"
    return (
        isinstance(node, (nodes.Getitem, nodes.Getattr))
        and isinstance(node.node, nodes.Name)
        and node.node.name == "hostvars"
    )


def _strings(parts: list[nodes.Expr]) -> set[str]:
    return {part.value for part in parts if isinstance(part, nodes.Const) and isinstance(part.value, str)}


def _by_name(tree: nodes.Template) -> set[str]:
    """The variables that are looked up by their name as a string: by ``lookup('vars')``, in ``hostvars``, by ``extract``."""
    names: set[str] = set()
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name in ("lookup", "query", "q"):
            if _strings(call.args[:1]) & {"vars", "ansible.builtin.vars"}:
                names |= _strings(call.args[1:])
        elif isinstance(call.node, nodes.Getattr) and call.node.attr == "get" and _is_a_host(call.node.node):
            names |= _strings(call.args[:1])
    for item in tree.find_all(nodes.Getitem):
        if _is_a_host(item.node) and isinstance(item.arg, nodes.Expr):
            names |= _strings([item.arg])
    names |= {attribute.attr for attribute in tree.find_all(nodes.Getattr) if _is_a_host(attribute.node)} - {"get"}
    for applied in tree.find_all(nodes.Filter):
        if any(isinstance(part, nodes.Name) and part.name == "hostvars" for part in applied.args):
            names |= _strings(applied.args) - {"extract"}
    return names


@cache
def read_by_text(text: str) -> frozenset[str]:
    """The names that a template takes from outside: variables, and functions such as ``lookup``."""
    tree = _JINJA.parse(text)
    return frozenset(meta.find_undeclared_variables(tree) | _by_name(tree))


def _templates(data: Any, bare: bool = False) -> Iterator[str]:
    """Every template in YAML data, with the braces that expressions do without. ``bare``: a string is an expression."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _templates(key)
            # The items of a loop are strings like any other.
            yield from _templates(value, key in EXPRESSIONS and not (key == "loop" and isinstance(value, list)))
    elif isinstance(data, list):
        for value in data:
            yield from _templates(value, bare)
    elif isinstance(data, str):
        yield "{{ " + data + " }}" if bare and "{{" not in data else data


def read_by_data(data: Any) -> set[str]:
    """The names that YAML data takes from outside, by the templates and expressions in it."""
    return {name for text in _templates(data) for name in read_by_text(text)}


def read_by_file(path: Path) -> set[str]:
    """The names that a YAML file, or a template, takes from outside."""
    return read_by_data(load(path)) if path.suffix == ".yml" else set(read_by_text(path.read_text(encoding="utf-8")))


# --- tasks, and variables that are set ----------------------------------------------------------------------------------


def tasks(data: Any, around: tuple[dict[str, Any], ...] = ()) -> Iterator[tuple[dict[str, Any], ...]]:
    """Every task of a task file or playbook, behind the play and the blocks around it."""
    for entry in data if isinstance(data, list) else []:
        if not isinstance(entry, dict):
            continue
        inner = [key for key in TASK_LISTS if key in entry]
        for key in inner:
            yield from tasks(entry[key], (*around, entry))
        if not inner and "hosts" not in entry:
            yield (*around, entry)


def _mappings(data: Any) -> Iterator[dict[str, Any]]:
    if isinstance(data, dict):
        yield data
    for value in data.values() if isinstance(data, dict) else data if isinstance(data, list) else []:
        yield from _mappings(value)


def handed_over(data: Any) -> set[str]:
    """The variables that are still set after the task that set them: by ``register`` and ``set_fact``."""
    names: set[str] = set()
    for mapping in _mappings(data):
        if isinstance(mapping.get("register"), str):
            names.add(mapping["register"])
        for module in ("set_fact", "ansible.builtin.set_fact"):
            if isinstance(mapping.get(module), dict):
                names |= set(mapping[module]) - {"cacheable"}
    return names


def set_for_a_while(data: Any) -> set[str]:
    """The variables that are set for a task, a block, a play or an included role: by ``vars`` and by loops."""
    names: set[str] = set()
    for mapping in _mappings(data):
        if isinstance(mapping.get("vars"), dict):
            names |= set(mapping["vars"])
        control = mapping.get("loop_control")
        if isinstance(control, dict):
            names |= {control[key] for key in ("loop_var", "index_var") if key in control}
    return names
