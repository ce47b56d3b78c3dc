"""Which scripts are run, in which order, on the way from one schema version to another."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.pandawms.panda.plugins.module_utils import _schema as schema


@pytest.fixture
def source(tmp_path: Path) -> Path:
    sqls = tmp_path / "schema/postgres/sqls"
    (sqls / "patches").mkdir(parents=True)
    (tmp_path / "schema/postgres/version").write_text("0.1.10\n")
    for name in (
        "pg_PARTITION",
        "pg_PANDAMETA_TABLE",
        "pg_PANDA_SEQUENCE",
        "pg_PANDA_TABLE",
        "post_step_panda",
        "post_step_cron",
        "init_step",
    ):
        (sqls / f"{name}.sql").write_text("")
    for name in ("0.1.8", "0.1.9", "0.1.10", "0.1.9.cron", "0.1.11"):
        (sqls / "patches" / f"{name}.patch.sql").write_text("")
    return tmp_path


def test_creation_runs_upstreams_scripts_in_upstreams_order_and_writes_the_version_last(source: Path) -> None:
    cron, tables = schema.plan(source, None)
    assert (cron.cron, cron.version, [path.name for path in cron.scripts]) == (True, None, ["post_step_cron.sql"])
    assert [path.name for path in tables.scripts] == [
        "pg_PANDA_TABLE.sql",
        "pg_PANDA_SEQUENCE.sql",
        "pg_PANDAMETA_TABLE.sql",
        "pg_PARTITION.sql",
        "post_step_panda.sql",
    ]
    assert tables.tolerant
    assert tables.version == (0, 1, 10)


def test_an_upgrade_applies_newer_patches_only_by_version_not_by_name(source: Path) -> None:
    steps = schema.plan(source, (0, 1, 8))
    assert [(step.cron, [path.name for path in step.scripts], step.version) for step in steps] == [
        (False, ["0.1.9.patch.sql"], None),
        (True, ["0.1.9.cron.patch.sql"], None),
        (False, [], (0, 1, 9)),
        (False, ["0.1.10.patch.sql"], (0, 1, 10)),
    ]
    assert not any(step.tolerant for step in steps)


@pytest.mark.parametrize("installed", [(0, 1, 10), (0, 2, 0)])
def test_the_same_or_a_later_schema_is_left_alone(source: Path, installed: tuple[int, ...]) -> None:
    assert schema.plan(source, installed) == []


def test_a_missing_last_patch_is_an_error_and_not_a_version_that_promises_too_much(source: Path) -> None:
    (source / "schema/postgres/sqls/patches/0.1.10.patch.sql").unlink()
    with pytest.raises(schema.SchemaError, match=r"no patch up to 0\.1\.10"):
        schema.plan(source, (0, 1, 9))


def test_a_directory_without_the_layout_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(schema.SchemaError, match="give the directory that holds schema/"):
        schema.plan(tmp_path, None)


@pytest.mark.parametrize("text", ["", "0.1", "v0.1.6", "0.1.6; DROP TABLE x"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(schema.SchemaError, match="has to look like"):
        schema.parse_version(text)
