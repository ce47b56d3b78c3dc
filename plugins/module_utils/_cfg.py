# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PanDA cfg file as lines that can be edited without breaking what PanDA reads from them.

PanDA reads ``panda_server.cfg``, ``panda_common.cfg`` and ``panda_jedi.cfg`` with the standard ``ConfigParser()`` and
case-sensitive keys (``pandacommon/liveconfigparser/LiveConfigParser.py``): strict, ``%`` interpolation on, delimiters ``=``
and ``:``, comments only as whole lines. ``ConfigParser.write`` would lose the comments, so nothing here uses it.

* `Document` is one file: it keeps every line, and an edit gives a new document in which only the lines of one key differ.
* `Value` is one value on its way into a file: escaped, indented, refused where PanDA would read something else.
* `typed` is the way back: the value which PanDA itself works with.

What to write is decided in ``_cfg_plan.py``, what of it may be shown in ``_cfg_mask.py``. ``_panda_config.py`` has what PanDA
makes of whole files. Nothing here does I/O. Every refusal is a `CfgError`.
"""

from __future__ import annotations

import configparser
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

TYPED_SECTIONS = (
    *("server", "daemon", "mcp", "jedi"),
    *("master", "db", "ddm", "confeeder", "taskrefine", "jobbroker", "jobthrottle", "jobgen", "postprocessor"),
    *("watchdog", "taskbroker", "tcommando", "taskgen", "tasksetup", "msgprocessor", "mq"),
)
"""Sections whose values PanDA converts with ``expand_values``: those of ``panda_server.cfg``, and every one of
``panda_jedi.cfg`` (``jedi_config.py`` loops over them). ``panda_common.cfg`` is read as plain strings."""

COMMENTED_KEY = re.compile(r"^(?P<lead>\s*[#;][#;\s]*(?P<key>[^\s=:#;][^=:]*?)\s*[=:]\s*)(?P<value>.*\S)")
"""A key that is commented out, ``#key = value``."""

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")
_HEADER = re.compile(r"\[(?P<name>.+)\](?P<rest>.*)")
_OPTION = re.compile(r"(?P<key>.*?)\s*(?P<delimiter>=|:)\s*(?P<value>.*)$")
_ENVIRONMENT = re.compile(r"^\$\{*(\w+)\}*$")
_NUMBER = re.compile(r"^\d+$")
_COMMENT = ("#", ";")
_INDENT = "    "

Name = tuple[str, str]
"""A key's full name: its section and its own name."""


class CfgError(Exception):
    """Something PanDA would not read, or would read as something else.

    The message holds no value, only names and places, so that it can be shown whatever the key holds.
    """

    def __init__(self, reason: str, section: str = "", key: str = "", line: int = 0) -> None:
        self.reason = reason
        self.section = section
        self.key = key
        self.line = line
        where = " ".join(part for part in (f"[{section}]" if section else "", key) if part)
        where = ", ".join(part for part in (where, f"line {line}" if line else "") if part)
        super().__init__(f"{where}: {reason}" if where else reason)


def decode(data: bytes) -> str:
    """The text of a file's bytes, its line ends as they are. PanDA reads UTF-8 and does not skip a byte order mark."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CfgError(f"byte 0x{data[error.start]:02x} is not UTF-8; save the file as UTF-8", line=line) from None


# --- one file ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """One key of a file, ``lines[start:stop]`` of its document: the key's line and the lines that continue it."""

    section: str
    key: str
    raw: str
    """The value as the parser holds it: stripped lines joined by newlines, ``%%`` still doubled."""
    start: int
    stop: int
    indent: str
    """White space before the key."""
    lead: str
    """The key's line up to where the value starts."""

    @property
    def line(self) -> int:
        """The number of the key's line, from 1."""
        return self.start + 1

    @property
    def name(self) -> Name:
        return (self.section, self.key)


@dataclass(frozen=True)
class Section:
    """One section of a file: its header is ``lines[start]``, its last line ``lines[stop - 1]``."""

    name: str
    start: int
    stop: int
    indent: str


@dataclass(frozen=True)
class Document:
    """A cfg file as its lines, each with its own line end. An edit returns a new document."""

    lines: tuple[str, ...]
    sections: tuple[Section, ...] = field(compare=False)
    entries: Mapping[Name, Entry] = field(compare=False)

    @classmethod
    def parse(cls, text: str) -> Document:
        """Read *text* as PanDA's parser does and remember where each key stands. Raises `CfgError`."""
        return _Reader(tuple(_LINE.findall(text))).read()

    @property
    def text(self) -> str:
        return "".join(self.lines)

    @property
    def newline(self) -> str:
        """The line end the file uses: its first one."""
        for line in self.lines:
            end = line_end(line)
            if end:
                return end
        return "\n"

    def get(self, section: str, key: str) -> Entry | None:
        return self.entries.get((section, key))

    def section(self, name: str) -> Section | None:
        for section in self.sections:
            if section.name == name:
                return section
        return None

    def with_newline(self, newline: str) -> Document:
        """The same file with every line end replaced by *newline*."""
        text = "".join(without_end(line) + (newline if line_end(line) else "") for line in self.lines)
        return self if text == self.text else Document.parse(text)

    def edited(self, edits: Mapping[Name, Value | Borrowed | None]) -> Document:
        """Set keys, each to its value or to another file's lines; None removes a key.

        A key's line and those that continue it are replaced or removed, comments around it stay. An equal value changes
        nothing. An absent key is added at its section's end, an absent section at the end of the file.
        """
        replaced: dict[int, tuple[int, list[str]]] = {}
        added: dict[str, list[str]] = {}
        for (section, key), new in edits.items():
            entry = self.get(section, key)
            if entry is None:
                if new is not None:
                    added.setdefault(section, []).extend(new.added(key))
            elif new is None:
                replaced[entry.start] = (entry.stop, [])
            elif not new.equals(entry.raw):
                replaced[entry.start] = (entry.stop, self._with_ends(entry, new.in_place_of(entry)))
        if not replaced and not added:
            return self
        additions: dict[int, list[str]] = {}
        for name, body in added.items():
            if self.section(name) is None:
                tail = additions.setdefault(len(self.lines), [])
                gap = [""] if tail or (self.lines and self.lines[-1].strip()) else []
                tail += [*gap, f"[{name}]", *body]
            else:
                index = self.section_end(name)
                indent = self.indent_at(index)
                # A key of the last section comes before the sections that are new.
                additions[index] = [indent + line if line else "" for line in body] + additions.get(index, [])
        return self.with_lines(additions, replaced)

    def with_value(self, section: str, key: str, value: Value) -> Document:
        """Set one key. The spelling of its line (indentation, delimiter, blanks) is kept."""
        return self.edited({(section, key): value})

    def without(self, section: str, key: str) -> Document:
        """Remove a key's line and those that continue it. Comments around it stay."""
        return self.edited({(section, key): None})

    def with_lines(
        self,
        additions: Mapping[int, Sequence[str]],
        replaced: Mapping[int, tuple[int, Sequence[str]]] | None = None,
    ) -> Document:
        """Insert lines, given without their ends, before the given line indexes; ``len(lines)`` is the end of the file.

        *replaced* has for the first index of lines that go the index after the last one, and the lines in their place.
        """
        result: list[str] = []
        index = 0
        while index <= len(self.lines):
            new = additions.get(index, ())
            if new and result and not line_end(result[-1]):
                result[-1] += self.newline
            result.extend(line + self.newline for line in new)
            stop, lines = (replaced or {}).get(index, (index + 1, self.lines[index : index + 1]))
            result.extend(lines)
            index = stop
        return Document.parse("".join(result))

    def indent_at(self, index: int) -> str:
        """Indentation which makes a key inserted before line *index* a key of its own.

        The parser takes a line for the continuation of a value when it is indented deeper than the key. So the new key
        must not be deeper than the key before it, nor the next key or header deeper than the new one.
        """
        after = [(section.start, section.indent) for section in self.sections if section.start >= index]
        after += [(entry.start, entry.indent) for entry in self.entries.values() if entry.start >= index]
        return min(after)[1] if after else ""

    def section_end(self, name: str) -> int:
        """Index before which a new key of a section goes: after the last line that belongs to it.

        A block of comments that touches the next header belongs to that header.
        """
        section = self.section(name)
        if section is None:
            raise CfgError("no such section", name)
        last = max(
            (entry.stop for entry in self.entries.values() if section.start < entry.start < section.stop), default=0
        )
        floor = max(section.start + 1, last)
        index = section.stop
        if index < len(self.lines):
            while index > floor and self.lines[index - 1].strip():
                index -= 1
        while index > floor and not self.lines[index - 1].strip():
            index -= 1
        return index

    def _with_ends(self, entry: Entry, body: Sequence[str]) -> list[str]:
        """New lines for an entry with the line ends of its present ones."""
        newline = line_end(self.lines[entry.start]) or self.newline
        return [*(line + newline for line in body[:-1]), body[-1] + line_end(self.lines[entry.stop - 1])]


class _Reader:
    """The parser's rules, line by line (``configparser.RawConfigParser._read``), with clearer errors."""

    def __init__(self, lines: tuple[str, ...]) -> None:
        self.lines = lines
        self.headers: list[tuple[str, int, str]] = []
        self.entries: dict[Name, Entry] = {}
        self.section = ""
        self.level = 0
        self.open: Entry | None = None
        self.parts: list[str] = []

    def read(self) -> Document:
        if self.lines and self.lines[0].startswith("\ufeff"):
            raise CfgError("the file starts with a byte order mark; save it as UTF-8 without one", line=1)
        for index, line in enumerate(self.lines):
            clean = line.strip()
            if not clean:
                if self.open:
                    self.parts.append("")
            elif not clean.startswith(_COMMENT):
                indent = line[: len(line) - len(line.lstrip())]
                if self.open and len(indent) > self.level:
                    self.parts.append(clean)
                    self.open = replace(self.open, stop=index + 1)
                else:
                    self._structure(index, clean, indent)
        self._close()
        stops = [start for _name, start, _indent in self.headers[1:]] + [len(self.lines)]
        sections = (Section(name, start, stop, i) for (name, start, i), stop in zip(self.headers, stops))
        return Document(self.lines, tuple(sections), self.entries)

    def _structure(self, index: int, clean: str, indent: str) -> None:
        """A header or a key."""
        self._close()
        self.level = len(indent)
        header = _HEADER.match(clean)
        if header:
            self._header(index, header.group("name"), indent)
            return
        if not self.headers:
            raise CfgError("stands before the first [section]", line=index + 1)
        option = _OPTION.match(clean)
        if not option:
            hint = "indent it if it continues the value above" if self.section else ""
            raise CfgError(f"has no '=' or ':' after a key; {hint}, or comment it out", self.section, line=index + 1)
        key = option.group("key")
        if not key:
            raise CfgError("has no key before the delimiter", self.section, line=index + 1)
        first = self.entries.get((self.section, key))
        if first:
            reason = f"is set again, after line {first.line}; PanDA refuses the whole file: remove one of the two"
            raise CfgError(reason, self.section, key, index + 1)
        value = option.group("value").strip()
        lead = indent + clean[: option.start("value")]
        self.open = Entry(self.section, key, "", index, index + 1, indent, lead)
        self.entries[self.open.name] = self.open
        self.parts = [value]

    def _header(self, index: int, name: str, indent: str) -> None:
        if name != name.strip():
            reason = f"section [{name}] has blanks inside the brackets, PanDA would not find it: write [{name.strip()}]"
            raise CfgError(reason, line=index + 1)
        if "]" in name or "[" in name:
            raise CfgError(f"PanDA would read the section name {name!r}: one pair of brackets, no more", line=index + 1)
        for other, start, _indent in self.headers:
            if other == name and name != configparser.DEFAULTSECT:
                reason = f"section is opened again, after line {start + 1}; PanDA refuses the whole file: merge the two"
                raise CfgError(reason, name, line=index + 1)
        self.headers.append((name, index, indent))
        self.section = name

    def _close(self) -> None:
        if self.open:
            self.entries[self.open.name] = replace(self.open, raw="\n".join(self.parts).rstrip())
        self.open = None


def line_end(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]


def without_end(line: str) -> str:
    return line.rstrip("\r\n")


def moved(document: Document, entry: Entry, indent: str) -> list[str]:
    """The bodies of an entry's lines, moved to another indentation of the key."""
    old = len(entry.indent)
    bodies = [without_end(line) for line in document.lines[entry.start : entry.stop]]
    return [indent + body[old:] if not body[:old].strip() and body.strip() else body for body in bodies]


def is_comment(line: str) -> bool:
    return line.strip().startswith(_COMMENT)


# --- one value --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Value:
    """A value as it is written: its lines without the key's own indentation, and what the parser will hold of it."""

    lines: tuple[str, ...]
    raw: str
    data: str | None = None
    """A mapping's canonical JSON: mappings are compared as data, not as text."""

    @classmethod
    def of(cls, section: str, key: str, value: object, literal: bool = False) -> Value:
        """Write a str, int, float, bool, list (comma list) or mapping (JSON block) for a key. Raises `CfgError`.

        *literal* says that a string is meant exactly as it is written: ``%`` is not doubled (``%(key)s`` refers to another
        key) and PanDA's conversion of ``12``, ``True``, ``None`` or ``$VAR`` is wanted.
        """
        check_names(section, key)
        if isinstance(value, Mapping):
            return cls._of_mapping(section, key, value)
        if isinstance(value, (list, tuple)):
            text = ",".join(_list_item(section, key, item) for item in value)
        elif isinstance(value, str):
            text = value
        elif isinstance(value, (bool, int, float)):
            return cls((str(value),), str(value))
        else:
            raise CfgError(f"cannot write a value of type {type(value).__name__}", section, key)
        _check_text(section, key, text)
        if not literal:
            _check_retyping(section, key, text)
        written = text if literal else text.replace("%", "%%")
        first, *more = written.split("\n")
        lines = (first, *(_INDENT + line if line.strip() else "" for line in more))
        return cls(lines, "\n".join(line.strip() for line in written.split("\n")))

    @classmethod
    def _of_mapping(cls, section: str, key: str, value: Mapping[Any, Any]) -> Value:
        try:
            text = json.dumps(value, indent=4, allow_nan=False)
            data = _canonical(json.loads(text))
        except (TypeError, ValueError, RecursionError) as error:
            raise CfgError(f"cannot be written as JSON ({type(error).__name__})", section, key) from None
        lines = text.replace("%", "%%").split("\n")
        if len(lines) > 1:
            # A closing brace at column 0 would end the value: PanDA's own template indents it by two.
            lines[-1] = "  " + lines[-1]
        return cls(tuple(lines), "\n".join(line.strip() for line in lines), data)

    def added(self, key: str) -> list[str]:
        """The lines of a key which the file does not have."""
        return [f"{key} = {self.lines[0]}".rstrip(), *self.lines[1:]]

    def in_place_of(self, entry: Entry) -> list[str]:
        """The lines that replace those of *entry*, spelled like them."""
        lead = entry.lead
        if lead[-1] in "=:" and lead[:-1] != lead[:-1].rstrip():
            lead += " "
        return [(lead + self.lines[0]).rstrip(), *(entry.indent + line if line else "" for line in self.lines[1:])]

    def equals(self, raw: str) -> bool:
        """Whether a file's raw value means the same to PanDA."""
        if raw == self.raw:
            return True
        if self.data is None:
            return False
        try:
            return _canonical(json.loads(unescaped(raw))) == self.data
        except (ValueError, RecursionError):
            return False


@dataclass(frozen=True)
class Borrowed:
    """A key's lines as they stand in another file, on their way into this one."""

    document: Document
    entry: Entry

    def added(self, key: str) -> list[str]:
        """The lines of a key which the file does not have."""
        return moved(self.document, self.entry, "")

    def in_place_of(self, entry: Entry) -> list[str]:
        """The lines that replace those of *entry*, at its indentation."""
        return moved(self.document, self.entry, entry.indent)

    def equals(self, raw: str) -> bool:
        """Whether a file's raw value is the same."""
        return raw == self.entry.raw


def unescaped(raw: str) -> str:
    """A raw value with ``%%`` read as ``%``. References ``%(key)s`` stay as they are."""
    return raw.replace("%%", "%")


def variable_of(raw: str, environment: Mapping[str, str]) -> str | None:
    """The environment variable whose value PanDA takes in place of a whole value, if that is one which is set."""
    match = _ENVIRONMENT.search(raw)
    return match.group(1) if match and match.group(1) in environment else None


def typed(raw: str, environment: Mapping[str, str]) -> str | int | bool | None:
    """A value as PanDA works with it, in a typed section (``LiveConfigParser.expand_values``).

    *raw* is the value after interpolation. The whole value ``$VAR``, ``${VAR}`` or ``${{VAR}}`` becomes the environment's
    value where that is set; ``True``, ``False``, ``None`` and digits are converted; all else stays a string.
    """
    variable = variable_of(raw, environment)
    text = environment[variable] if variable else raw
    if text in ("True", "False"):
        return text == "True"
    if text == "None":
        return None
    if not _NUMBER.match(text):
        return text
    try:
        return int(text)
    except ValueError:
        raise CfgError("is a number with too many digits for Python") from None


def _canonical(data: object) -> str:
    # Text rather than ==, which takes 1 and true for the same.
    return json.dumps(data, sort_keys=True)


def check_names(section: str, key: str) -> None:
    if section == configparser.DEFAULTSECT:
        reason = "keys of [DEFAULT] leak into every section; set the key in the section that reads it"
        raise CfgError(reason, section, key)
    if not section or section != section.strip() or re.search(r"[\[\]\r\n]", section) or _is_unencodable(section):
        raise CfgError(f"{section!r} cannot be the name of a section")
    bad = not key or key != key.strip() or re.search(r"[=:\r\n]", key) or key[0] in "#;[\ufeff" or _is_unencodable(key)
    if bad:
        raise CfgError(f"{key!r} cannot be the name of a key", section)


def _is_unencodable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False


def _list_item(section: str, key: str, item: object) -> str:
    if not isinstance(item, (str, int, float, bool)):
        reason = f"an item of a list is a {type(item).__name__}; a comma list holds strings and numbers"
        raise CfgError(reason, section, key)
    text = str(item)
    if "," in text or not text or "\n" in text or text != text.strip():
        reason = (
            "an item of a list is empty, or holds a comma, a line break or blanks at its ends: PanDA splits at commas"
        )
        raise CfgError(reason, section, key)
    return text


def _check_text(section: str, key: str, text: str) -> None:
    """Refuse what a cfg file cannot hold."""
    if text != text.strip():
        reason = "the value starts or ends with blanks or a line break, which PanDA would drop; remove them"
        raise CfgError(reason, section, key)
    if "\r" in text:
        raise CfgError("the value holds a carriage return, which would end the line; remove it", section, key)
    if _is_unencodable(text):
        raise CfgError("the value holds characters that cannot be written as UTF-8", section, key)
    inner = text.split("\n")[1:]
    if any(is_comment(line) for line in inner):
        reason = "a line inside the value starts with '#' or ';', PanDA would skip it as a comment; remove that line"
        raise CfgError(reason, section, key)
    if any(line != line.strip() for line in text.split("\n")) and not _is_json(text):
        reason = "a line inside the value starts or ends with blanks, which PanDA would drop; remove them"
        raise CfgError(reason, section, key)


def _is_json(text: str) -> bool:
    """Whether blanks at line ends carry no meaning: strings cannot span lines in JSON."""
    if not text.startswith(("{", "[")):
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _check_retyping(section: str, key: str, text: str) -> None:
    if section not in TYPED_SECTIONS:
        return
    if _NUMBER.match(text):
        becomes = "a number, without leading zeros: give a number, not a string,"
    elif text in ("True", "False"):
        becomes = "a boolean: give true or false, not a string,"
    elif text == "None":
        becomes = "None, no value: leave the parameter out"
    elif _ENVIRONMENT.search(text):
        becomes = "the value of that environment variable: give another text"
    else:
        return
    reason = f"PanDA would turn this string into {becomes} or list '{section}.{key}' in 'raw' if that is meant"
    raise CfgError(reason, section, key)
