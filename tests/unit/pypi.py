# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Released source packages of PanDA for tests, downloaded with pip once and kept in ``.cache/pypi``. Nothing of them is run by that."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

CACHE = Path(__file__).resolve().parents[2] / ".cache/pypi"

# pip asks a source package's build backend for metadata before it hands it over, and the one of panda-server makes
# directories on the machine. This one is asked instead, and gives out what the package has already.
BACKEND = """
import os, re, shutil
def prepare_metadata_for_build_wheel(directory, config_settings=None):
    with open("PKG-INFO", encoding="utf-8") as stream:
        text = stream.read()
    name, version = (re.search("(?m)^%s: (.+)$" % field, text).group(1) for field in ("Name", "Version"))
    place = "%s-%s.dist-info" % (name.replace("-", "_"), version)
    os.mkdir(os.path.join(directory, place))
    shutil.copy("PKG-INFO", os.path.join(directory, place, "METADATA"))
    return place
"""


def source(project: str, version: str) -> dict[str, bytes]:
    """The files of a release that is built with hatchling, by their path in the package."""
    pattern = f"{project.replace('-', '_')}-{version}.tar.gz"
    archive = CACHE / pattern
    if not archive.exists():
        _download(f"{project}=={version}", archive)
    with tarfile.open(archive) as package:
        members = [member for member in package.getmembers() if member.isfile()]
        streams = {member.name.partition("/")[2]: package.extractfile(member) for member in members}
        return {path: stream.read() for path, stream in streams.items() if stream}


def _download(requirement: str, archive: Path) -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-build-isolation"]
    command += ["--no-binary", ":all:", "--ignore-requires-python", requirement]
    with tempfile.TemporaryDirectory(dir=CACHE) as place:
        backend = Path(place, "backend/hatchling")
        backend.mkdir(parents=True)
        (backend / "__init__.py").touch()
        (backend / "build.py").write_text(BACKEND, encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": str(backend.parent)}
        for attempt in (1, 2):
            done = subprocess.run(
                [*command, "--dest", place],
                env=environment,
                stderr=subprocess.PIPE,
                text=True,
                timeout=120,
                check=False,
            )
            if done.returncode == 0:
                break
            if attempt == 2:
                raise ConnectionError(f"pip cannot download {requirement}: {done.stderr.strip()[-500:]}")
        Path(place, archive.name).replace(archive)
