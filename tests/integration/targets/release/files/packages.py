"""A package index with small packages of the names that a release consists of: ``packages.py DIRECTORY`` makes or completes it.

They install as the real ones do, without a compiler and without 600 MB. What is in ``DIRECTORY/NAME/`` already stays and is listed.
"""

from __future__ import annotations

import base64
import hashlib
import pathlib
import sys
import sysconfig
import zipfile

TAG = f"py{sys.version_info[0]}{sys.version_info[1]}"
LIBRARY = f"mod_wsgi/server/mod_wsgi-{TAG}{sysconfig.get_config_var('EXT_SUFFIX')}"

# Name, version, requirement, the only file.
PACKAGES = (
    ("panda_server", "9.9.1", "mod_wsgi<3", "pandaserver/__init__.py"),
    ("panda_server", "9.9.2", "mod_wsgi<3", "pandaserver/__init__.py"),
    ("panda_server", "9.9.3", "mod_wsgi==3.0", "pandaserver/__init__.py"),
    ("mod_wsgi", "1.0", "", LIBRARY),
    ("mod_wsgi", "2.0", "", LIBRARY),
    # As where the headers of httpd are missing.
    ("mod_wsgi", "3.0", "", "mod_wsgi/__init__.py"),
)


def make_wheel(place: pathlib.Path, name: str, version: str, requirement: str, path: str) -> None:
    """A wheel as the binary distribution format asks for it, with RECORD."""
    info = f"{name}-{version}.dist-info"
    needs = f"Requires-Dist: {requirement}\n" if requirement else ""
    files = {
        path: "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for each, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{each},sha256={digest},{len(text)}\n"
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
    with zipfile.ZipFile(place / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for each, text in files.items():
            wheel.writestr(each, text)


def main(directory: pathlib.Path) -> None:
    for name, version, requirement, path in PACKAGES:
        place = directory / name.replace("_", "-")
        place.mkdir(parents=True, exist_ok=True)
        make_wheel(place, name, version, requirement, path)
    for place in directory.iterdir():
        links = [f'<a href="{wheel.name}">{wheel.name}</a>' for wheel in sorted(place.glob("*.whl"))]
        (place / "index.html").write_text("<!DOCTYPE html><html><body>" + "<br>".join(links) + "</body></html>\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
