# SPDX-FileCopyrightText: The pandawms.panda maintainers
# SPDX-License-Identifier: GPL-3.0-or-later

"""Releases: one Python virtual environment for each installation of panda-server.

A release is a directory below the releases directory. Its name is derived from what is in it, so that the same request is always the same
release. It counts as built only once its record (``panda-release.json``) is there, which is written last. The running release is the one
that the installation link (``/opt/panda``) points to.

Pure Python without Ansible: the module ``release`` is its face.
"""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess

# run_command, which a module has for this, sets no group, and is not to be had without Ansible.
# pylint: disable=ansible-bad-function

RECORD = "panda-release.json"
# panda-server 1.0.4 declares >= 3.10 (its pyproject.toml), but it needs snakemake >= 9.14.5, which needs 3.11.
MINIMUM_PYTHON = (3, 11)
# Room for one release (660 MB) and the builds of mod_wsgi and panda-server, in bytes.
NEEDED_BYTES = 1_500_000_000

_PROBE = """
import json, sys, sysconfig
print(json.dumps({
    "version": list(sys.version_info[:3]),
    "executable": sys.executable,
    "ext_suffix": sysconfig.get_config_var("EXT_SUFFIX") or ".so",
}))
"""


class ReleaseError(Exception):
    """What is wrong, where, and how to mend it, in one sentence."""


@dataclasses.dataclass(frozen=True)
class Python:
    """An interpreter of the host: its path, version and the suffix of its extension modules."""

    path: str
    version: tuple[int, int, int]
    ext_suffix: str

    @property
    def short(self) -> str:
        """``3.13`` for 3.13.5."""
        return f"{self.version[0]}.{self.version[1]}"

    @property
    def tag(self) -> str:
        """``py313`` for 3.13.5."""
        return f"py{self.version[0]}{self.version[1]}"


@dataclasses.dataclass(frozen=True)
class Request:
    """What a release shall hold."""

    version: str
    extras: tuple[str, ...]
    packages: tuple[str, ...]
    lock: bytes | None
    python: Python

    def __post_init__(self) -> None:
        """Raises ReleaseError if the packages would not be installed."""
        if self.packages and self.lock_has_hashes:
            raise ReleaseError(
                f"packages ({', '.join(self.packages)}) go with a lock file without hashes only, and this one has hashes: put them "
                "into it with theirs and leave packages empty, or give a lock file without hashes, or none."
            )

    @property
    def lock_has_hashes(self) -> bool:
        """Whether the lock file is all that is installed. One without hashes only limits what is installed."""
        return b"--hash=" in (self.lock or b"")

    @property
    def requirement(self) -> str:
        """The requirement for pip, ``panda-server[postgres]==1.0.4``."""
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        return f"panda-server{extras}=={self.version}"

    @property
    def name(self) -> str:
        """The name of the release's directory: version, Python, flavour and a digest of the whole request."""
        digest = hashlib.sha256()
        for part in (self.requirement, *sorted(self.packages), self.python.short):
            digest.update(part.encode() + b"\0")
        digest.update(self.lock or b"")
        return "-".join([self.version, self.python.tag, *self.extras, digest.hexdigest()[:8]])


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where the parts of a release are. Every path is known before the release is built."""

    path: str
    purelib: str
    python: str
    mod_wsgi: str


def find_python(path: str) -> Python:
    """Ask the interpreter at ``path`` for its version.

    Raises ReleaseError if there is none, or if panda-server does not run on it.
    """
    try:
        done = subprocess.run([path, "-c", _PROBE], check=True, capture_output=True, timeout=60, text=True)
        found = json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as exc:
        raise ReleaseError(
            f"{path} is no Python interpreter that works ({exc}): give the path of one, 3.11 or newer."
        ) from exc
    major, minor, micro = found["version"]
    if (major, minor) < MINIMUM_PYTHON:
        raise ReleaseError(
            f"{path} is Python {major}.{minor}, panda-server needs 3.11 or newer: give the path of a newer one."
        )
    return Python(path, (major, minor, micro), found["ext_suffix"])


def layout(releases_dir: str, request: Request) -> Layout:
    """The paths of the release of ``request``, built or not."""
    path = os.path.join(releases_dir, request.name)
    purelib = os.path.join(path, "lib", f"python{request.python.short}", "site-packages")
    library = f"mod_wsgi-{request.python.tag}{request.python.ext_suffix}"
    return Layout(
        path, purelib, os.path.join(path, "bin", "python"), os.path.join(purelib, "mod_wsgi", "server", library)
    )


def check_version(request: Request, found: str) -> None:
    """Raises ReleaseError if another version of panda-server was installed than the one that the release is named after."""
    if found == request.version:
        return
    if request.lock_has_hashes:
        raise ReleaseError(
            f"the lock file installs panda-server {found}, panda_version asks for {request.version}: give the lock file of that version."
        )
    # pip takes versions that differ by zeros at their end, or by a leading v, for the same one.
    raise ReleaseError(
        f"panda_version is {request.version}, and the version that was found for it is {found}: write it like that."
    )


def is_built(path: str) -> bool:
    """Whether the release at ``path`` was built and verified to its end."""
    return os.path.exists(os.path.join(path, RECORD))


def running(link: str) -> str | None:
    """The release that the installation link points to, None where there is no link yet.

    Raises ReleaseError if something else is in the link's place.
    """
    if os.path.islink(link):
        return os.path.realpath(link)
    if os.path.lexists(link):
        raise ReleaseError(
            f"{link} is there and is not a link to a release: move it away, or choose another panda_install_dir."
        )
    return None


def activate(link: str, path: str) -> None:
    """Let the installation link point to the release at ``path``, by one rename."""
    if not is_built(path):
        raise ReleaseError(f"{path} is not a complete release: run the role install, which builds it.")
    os.makedirs(os.path.dirname(link), exist_ok=True)
    beside = f"{link}.{os.getpid()}"
    os.symlink(path, beside)
    try:
        os.replace(beside, link)
    except OSError:
        os.unlink(beside)
        raise


class Builder:
    """Builds one release.

    ``gid`` is the service's group: the build hook of panda-server looks up the user ``atlpan`` and the group ``zp`` when the real group is
    root's, and takes the caller's own otherwise (its package/hatch_build.py).
    """

    def __init__(self, request: Request, releases_dir: str, *, gid: int, index_url: str | None, uv: str) -> None:
        self.request = request
        self.releases_dir = releases_dir
        self.gid = gid
        self.index_url = index_url
        self.uv_version = uv
        self.layout = layout(releases_dir, request)

    def build(self) -> None:
        """Build and verify. A release left incomplete by an earlier run is built anew."""
        os.makedirs(self.releases_dir, mode=0o755, exist_ok=True)
        with open(os.path.join(self.releases_dir, ".lock"), "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if is_built(self.layout.path):
                return
            self._check_room()
            shutil.rmtree(self.layout.path, ignore_errors=True)
            try:
                self._install()
                self._verify()
                self._record()
            except BaseException:
                shutil.rmtree(self.layout.path, ignore_errors=True)
                raise

    def _check_room(self) -> None:
        free = shutil.disk_usage(self.releases_dir).free
        if free < NEEDED_BYTES:
            raise ReleaseError(
                f"{self.releases_dir} has {free // 10**6} MB free, a release needs {NEEDED_BYTES // 10**6} MB: make room, "
                "or choose another panda_releases_dir."
            )

    def _install(self) -> None:
        uv = self._uv()
        self._run([uv, "venv", "--quiet", "--python", self.request.python.path, self.layout.path])
        command = [uv, "pip", "install", "--python", self.layout.python, "--compile-bytecode", "--link-mode", "copy"]
        if self.request.lock is not None:
            lock = os.path.join(self.layout.path, "panda-release.lock")
            pathlib.Path(lock).write_bytes(self.request.lock)
            command += (
                ["--require-hashes", "--requirements", lock]
                if self.request.lock_has_hashes
                else ["--constraints", lock]
            )
        if not self.request.lock_has_hashes:
            command += [self.request.requirement, *self.request.packages]
        self._run(command + self._index())

    def _verify(self) -> None:
        self._run([self._uv(), "pip", "check", "--python", self.layout.python])
        found = self._run(
            [self.layout.python, "-c", "from importlib.metadata import version; print(version('panda-server'))"]
        ).strip()
        check_version(self.request, found)
        if not os.path.exists(self.layout.mod_wsgi):
            raise ReleaseError(
                f"mod_wsgi did not build {self.layout.mod_wsgi}: see that the headers of httpd and Python are installed."
            )

    def _record(self) -> None:
        frozen = self._run([self._uv(), "pip", "freeze", "--python", self.layout.python]).split()
        record = {
            "name": self.request.name,
            "requirement": self.request.requirement,
            "python": ".".join(str(part) for part in self.request.python.version),
            "packages": frozen,
        }
        beside = os.path.join(self.layout.path, f".{RECORD}")
        pathlib.Path(beside).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        os.replace(beside, os.path.join(self.layout.path, RECORD))

    def _uv(self) -> str:
        """The installer, in an environment of its own beside the releases."""
        tools = os.path.join(self.releases_dir, ".tools", f"uv-{self.uv_version}-{self.request.python.tag}")
        uv = os.path.join(tools, "bin", "uv")
        if not os.path.exists(uv):
            self._run([self.request.python.path, "-m", "venv", "--clear", tools])
            index = ["--index-url", self.index_url] if self.index_url else []
            self._run(
                [
                    os.path.join(tools, "bin", "python"),
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    *index,
                    f"uv=={self.uv_version}",
                ]
            )
        return uv

    def _index(self) -> list[str]:
        return ["--default-index", self.index_url] if self.index_url else []

    def _run(self, command: list[str]) -> str:
        environment = {
            **os.environ,
            "DISABLE_MM": "1",
            "VIRTUAL_ENV": self.layout.path,
            "UV_NO_CONFIG": "1",
            "UV_PYTHON_DOWNLOADS": "never",
        }
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
            env=environment,
            group=self.gid,
            extra_groups=[],
            umask=0o022,
        )
        if done.returncode:
            said = "\n".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-30:])
            raise ReleaseError(
                f"{_hide_credentials(' '.join(command))} ended with {done.returncode}: {_hide_credentials(said)}"
            )
        return done.stdout


def _hide_credentials(text: str) -> str:
    """Mask user and password in URLs, as an index of the site's own may have them."""
    return re.sub(r"(\w+://)[^/@\s]+@", r"\1********@", text)
