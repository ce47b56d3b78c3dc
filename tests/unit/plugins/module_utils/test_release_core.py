"""The same request is the same release, and nothing incomplete is ever activated."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest
from ansible_collections.pandawms.panda.plugins.module_utils import _release as release

PYTHON = release.Python("/usr/bin/python3", (3, 13, 5), ".cpython-313-x86_64-linux-gnu.so")
REQUEST = release.Request("1.0.4", ("postgres",), (), b"numpy==2.0\n", PYTHON)


def complete(place: Path) -> Path:
    place.mkdir(parents=True)
    (place / release.RECORD).write_text("{}")
    return place


def test_the_name_tells_version_python_and_flavour() -> None:
    assert REQUEST.name.startswith("1.0.4-py313-postgres-")


@pytest.mark.parametrize(
    "change",
    [
        {"version": "1.0.3"},
        {"extras": ("oracle",)},
        {"packages": ("site-plugin",)},
        {"lock": b"numpy==2.1\n"},
        {"lock": None},
        {"python": release.Python("/usr/bin/python3", (3, 11, 2), ".so")},
    ],
)
def test_another_request_is_another_release(change: dict[str, object]) -> None:
    assert dataclasses.replace(REQUEST, **change).name != REQUEST.name  # type: ignore[arg-type]


def test_a_new_micro_version_of_python_does_not_build_everything_anew() -> None:
    other = dataclasses.replace(REQUEST, python=dataclasses.replace(PYTHON, version=(3, 13, 6)))
    assert other.name == REQUEST.name


HASHED = b"panda-server==1.0.4 \\\n    --hash=sha256:00\n"


def test_packages_that_a_lock_with_hashes_would_leave_out_are_refused() -> None:
    with pytest.raises(release.ReleaseError, match=r"packages \(site-plugin, other\).* has hashes: "):
        dataclasses.replace(REQUEST, packages=("site-plugin", "other"), lock=HASHED)


@pytest.mark.parametrize("lock", [HASHED, b"numpy==2.0\n", None])
def test_the_version_that_was_asked_for_is_accepted(lock: bytes | None) -> None:
    release.check_version(dataclasses.replace(REQUEST, lock=lock), "1.0.4")


def test_a_lock_with_hashes_is_named_when_it_installs_another_version() -> None:
    with pytest.raises(release.ReleaseError, match=r"the lock file installs panda-server 1\.0\.3, .* asks for 1\.0\.4"):
        release.check_version(dataclasses.replace(REQUEST, lock=HASHED), "1.0.3")


@pytest.mark.parametrize("lock", [b"numpy==2.0\n", None])
def test_a_lock_is_not_blamed_for_a_version_that_is_written_otherwise(lock: bytes | None) -> None:
    request = dataclasses.replace(REQUEST, version="v1.0.4", lock=lock)
    with pytest.raises(release.ReleaseError, match=r"panda_version is v1\.0\.4, .* is 1\.0\.4: write it") as raised:
        release.check_version(request, "1.0.4")
    assert "lock" not in str(raised.value)


def test_activation_replaces_the_link_by_another(tmp_path: Path) -> None:
    link = tmp_path / "panda"
    first, second = complete(tmp_path / "releases/1"), complete(tmp_path / "releases/2")
    assert release.running(str(link)) is None
    for place in (first, second):
        release.activate(str(link), str(place))
        assert release.running(str(link)) == str(place)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["panda", "releases"]


def test_an_incomplete_release_is_not_activated(tmp_path: Path) -> None:
    (tmp_path / "releases/1").mkdir(parents=True)
    with pytest.raises(release.ReleaseError, match="not a complete release"):
        release.activate(str(tmp_path / "panda"), str(tmp_path / "releases/1"))
    assert not (tmp_path / "panda").exists()


def test_a_directory_in_the_place_of_the_link_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "panda").mkdir()
    with pytest.raises(release.ReleaseError, match="choose another panda_install_dir"):
        release.running(str(tmp_path / "panda"))


def test_this_interpreter_is_found_or_too_old() -> None:
    # The module itself runs on older Pythons than a release.
    if sys.version_info[:2] >= release.MINIMUM_PYTHON:
        assert release.find_python(sys.executable).version == sys.version_info[:3]
    else:
        with pytest.raises(release.ReleaseError, match=r"panda-server needs 3\.11"):
            release.find_python(sys.executable)


@pytest.mark.parametrize(
    ("text", "words"), [("#!/bin/sh\nexit 1\n", "no Python interpreter"), (None, "no Python interpreter")]
)
def test_what_is_no_python_is_refused(tmp_path: Path, text: str | None, words: str) -> None:
    place = tmp_path / "python"
    if text:
        place.write_text(text)
        place.chmod(0o755)
    with pytest.raises(release.ReleaseError, match=words):
        release.find_python(str(place))


def test_an_old_python_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "python"
    place.write_text('#!/bin/sh\necho \'{"version": [3, 9, 2], "executable": "", "ext_suffix": ".so"}\'\n')
    place.chmod(0o755)
    with pytest.raises(release.ReleaseError, match=r"3\.9, panda-server needs 3\.11"):
        release.find_python(str(place))


def test_credentials_of_an_index_are_hidden() -> None:
    assert "s3cret" not in release._hide_credentials("failed: https://me:s3cret@index.example.org/simple")
