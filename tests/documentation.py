#!/usr/bin/env python
# SPDX-FileCopyrightText: The pandawms.panda maintainers
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the documentation tells people to write and to run, so that tests can do as it says.

The sources are README.md and the pages in docs/docsite/rst, in the order in which people read them. Of their code blocks

* one in ``yaml``, ``ini`` or ``json`` is a file, if its first line is a comment that names it, such as ``# inventory.yml``. The files of all pages
  make up one directory, the one that a reader has at the end. Without a name it is a snippet.
* one in ``console`` holds commands. After ``$`` they are run on the controller in that directory, after ``#`` as root on the host
  panda.example.org when its server lives. Lines without a prompt are output. ``make ...`` belongs into the checkout and is left out here.
* one in ``text`` is nothing of this.

``documentation.py write DIRECTORY`` writes the files.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml

ROOT = Path(__file__).resolve().parents[1]
DOCSITE = ROOT / "docs/docsite"
DATA = ("yaml", "ini", "json")
PROMPTS: dict[str, Literal["controller", "host"]] = {"$ ": "controller", "# ": "host"}
_FILE = re.compile(r"# (\w[\w.-]*(?:/\w[\w.-]*)*\.(?:cfg|ini|json|ya?ml))")


class DocumentationError(Exception):
    """What is wrong with the documentation, with file and line."""


@dataclass(frozen=True)
class Block:
    """A code block: its language, its text without indentation, and where its first line is."""

    language: str
    text: str
    source: Path
    line: int

    @property
    def place(self) -> str:
        return f"{self.source.relative_to(ROOT)}:{self.line}"

    @property
    def path(self) -> str | None:
        """The path of the file that the block is, None for a snippet."""
        match = _FILE.fullmatch(self.text.partition("\n")[0]) if self.language in DATA else None
        return match[1] if match else None


@dataclass(frozen=True)
class Command:
    """A command for a shell: where it is run, its text, and where it stands."""

    where: Literal["controller", "host"]
    text: str
    source: Path
    line: int


def sources() -> list[Path]:
    """README.md, and the pages in the order of extra-docs.yml."""
    sections = yaml.safe_load((DOCSITE / "extra-docs.yml").read_text(encoding="utf-8"))["sections"]
    return [ROOT / "README.md", *(DOCSITE / f"rst/{page}.rst" for section in sections for page in section["toctree"])]


def blocks() -> Iterator[Block]:
    """Every code block of the documentation, in reading order."""
    for source in sources():
        yield from (_markdown if source.suffix == ".md" else _restructured)(source)


def _markdown(source: Path) -> Iterator[Block]:
    text = source.read_text(encoding="utf-8")
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield Block(match[1], match[2], source, text.count("\n", 0, match.start(2)) + 1)


def _restructured(source: Path) -> Iterator[Block]:
    text = source.read_text(encoding="utf-8")
    directive = r"^( *)\.\. code-block:: (\w+)\n(?:\1 +:.*\n)*\n((?:(?:\1 +.*)?\n)+)"
    for match in re.finditer(directive, text, re.MULTILINE):
        yield Block(
            match[2], textwrap.dedent(match[3]).rstrip() + "\n", source, text.count("\n", 0, match.start(3)) + 1
        )


def files() -> dict[str, str]:
    """The files that the reader writes, by their paths. Raises DocumentationError if a path has two contents."""
    found: dict[str, Block] = {}
    for block in blocks():
        if block.path and found.setdefault(block.path, block).text != block.text:
            raise DocumentationError(f"{block.path} differs between {found[block.path].place} and {block.place}")
    return {path: block.text for path, block in found.items()}


def commands() -> list[Command]:
    """The commands that the reader runs, in reading order. Raises DocumentationError for a block without a prompt."""
    found: list[Command] = []
    for block in blocks():
        if block.language != "console":
            continue
        if block.text[:2] not in PROMPTS:
            raise DocumentationError(f"{block.place}: a console block begins with '$ ' or '# '")
        lines = enumerate(block.text.splitlines(), block.line)
        for number, line in lines:
            if line[:2] not in PROMPTS or line.startswith("$ make "):
                continue
            text = line
            while text.endswith("\\"):
                text += "\n" + next(lines)[1]
            found.append(Command(PROMPTS[text[:2]], text[2:], block.source, number))
    return found


def snippets() -> list[Block]:
    """Blocks of YAML that are no files: variables to set."""
    return [block for block in blocks() if block.language == "yaml" and block.path is None]


def write(directory: Path) -> None:
    """Write the files into a directory, which is created if it is not there."""
    for path, text in files().items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")


def main(words: list[str]) -> int:
    if len(words) != 2 or words[0] != "write":
        print("usage: documentation.py write DIRECTORY", file=sys.stderr)
        return 2
    try:
        write(Path(words[1]))
    except DocumentationError as error:
        print(f"documentation.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
