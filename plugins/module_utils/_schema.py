# SPDX-FileCopyrightText: The pandawms.panda maintainers
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be run to bring the PostgreSQL schema of PanDA to the version of a source directory.

The source has the layout of PanDAWMS/panda-database: ``schema/postgres/version``, ``sqls/`` and ``sqls/patches/``. The order of the scripts is
that of its ``panda_db_init.sh``. Upgrades apply the patches strictly newer than the installed version, in version order.

Pure Python without Ansible: the module ``schema`` is its face.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re

COMPONENTS = ("PANDA", "PANDAMETA", "PANDAARCH", "PANDABIGMON", "DEFT", "PARTITION")
KINDS = ("TABLE", "VIEW", "TYPE", "SEQUENCE", "FUNCTION", "TRIGGER", "SCHEDULER_JOBS", "PROCEDURE")

Version = tuple[int, ...]


class SchemaError(Exception):
    """What is wrong, where, and how to mend it, in one sentence."""


@dataclasses.dataclass(frozen=True)
class Step:
    """Scripts that are run in one transaction against one database.

    ``tolerant`` lets single statements fail, as upstream's creation does (a view on a table that does not exist).
    """

    cron: bool
    scripts: tuple[pathlib.Path, ...]
    version: Version | None
    tolerant: bool = False


def parse_version(text: str) -> Version:
    """``(0, 1, 6)`` for ``0.1.6``. Raises SchemaError for anything else."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", text.strip()):
        raise SchemaError(f"{text.strip()!r} is no schema version: it has to look like 0.1.6.")
    return tuple(int(part) for part in text.strip().split("."))


def format_version(version: Version) -> str:
    """``0.1.6`` for ``(0, 1, 6)``."""
    return ".".join(str(part) for part in version)


def source_version(source: pathlib.Path) -> Version:
    """The version that the source directory holds."""
    path = source / "schema" / "postgres" / "version"
    try:
        return parse_version(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise SchemaError(
            f"{path} cannot be read ({exc.strerror}): give the directory that holds schema/, as panda-database has it."
        ) from exc


def plan(source: pathlib.Path, installed: Version | None) -> list[Step]:
    """The steps from the installed version (None: nothing yet) to the version of the source. Empty if there is nothing to do."""
    wanted = source_version(source)
    if installed is None:
        return _creation(source, wanted)
    return _upgrade(source, installed, wanted)


def _creation(source: pathlib.Path, wanted: Version) -> list[Step]:
    sqls = source / "schema" / "postgres" / "sqls"
    names = [name for part in COMPONENTS for name in (f"pg_{part}.sql", *(f"pg_{part}_{kind}.sql" for kind in KINDS))]
    scripts = [sqls / name for name in names if (sqls / name).is_file()]
    if not scripts:
        raise SchemaError(f"{sqls} holds no pg_*.sql: give the directory that holds schema/, as panda-database has it.")
    post = sqls / "post_step_panda.sql"
    steps = []
    cron = sqls / "post_step_cron.sql"
    if cron.is_file():
        # First, because the version is the last thing to be written. What they call exists a moment later.
        steps.append(Step(True, (cron,), None))
    steps.append(Step(False, tuple(scripts + [post] if post.is_file() else scripts), wanted, tolerant=True))
    return steps


def _upgrade(source: pathlib.Path, installed: Version, wanted: Version) -> list[Step]:
    patches = source / "schema" / "postgres" / "sqls" / "patches"
    found: dict[Version, pathlib.Path] = {}
    for path in patches.glob("*.patch.sql"):
        match = re.fullmatch(r"(\d+\.\d+\.\d+)\.patch\.sql", path.name)
        if match:
            found[parse_version(match[1])] = path
    steps = []
    for version in sorted(found):
        if not installed < version <= wanted:
            continue
        cron = patches / f"{format_version(version)}.cron.patch.sql"
        steps.append(Step(False, (found[version],), None if cron.is_file() else version))
        if cron.is_file():
            steps.append(Step(True, (cron,), None))
            steps.append(Step(False, (), version))
    if installed < wanted and (not steps or max(v for v in found if v <= wanted) != wanted):
        raise SchemaError(
            f"{patches} has no patch up to {format_version(wanted)}, the installed schema is {format_version(installed)}: complete the source."
        )
    return steps
