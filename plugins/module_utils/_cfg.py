# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""PanDA's cfg files as lines that can be edited without breaking what PanDA reads from them.

PanDA reads ``panda_server.cfg``, ``panda_common.cfg`` and ``panda_jedi.cfg`` with the standard ``ConfigParser()`` and
case-sensitive keys (``pandacommon/liveconfigparser/LiveConfigParser.py``): strict, ``%`` interpolation on, delimiters ``=``
and ``:``, comments only as whole lines. ``ConfigParser.write`` would lose the comments, so nothing here uses it.

* `Document` is one file: it keeps every line, and an edit gives a new document in which only the lines of one key differ.
* `Value` is one value on its way into a file: escaped, indented, refused where PanDA would read something else.
* `plan` lays a site's settings over the installed version's defaults and says what that changes.
* `check` reads the result with the real ``ConfigParser`` before anything is replaced.
* `typed` gives the value which PanDA itself works with, `Mask` hides secrets in everything that is shown.

Nothing here does I/O. Every refusal is a `CfgError`.
"""

from __future__ import annotations

import configparser
import difflib
import io
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

MASKED = "********"

TYPED_SECTIONS = (
    *("server", "daemon", "mcp", "jedi"),
    *("master", "db", "ddm", "confeeder", "taskrefine", "jobbroker", "jobthrottle", "jobgen", "postprocessor"),
    *("watchdog", "taskbroker", "tcommando", "taskgen", "tasksetup", "msgprocessor", "mq"),
)
"""Sections whose values PanDA converts with ``expand_values``: those of ``panda_server.cfg``, and every one of
``panda_jedi.cfg`` (``jedi_config.py`` loops over them). ``panda_common.cfg`` is read as plain strings."""

NOT_SECRET = ("token_authType", "token_audience", "token_issuers", "token_cache_config", "legacy_token_issuers")
"""PanDA's names which contain ``token`` but hold nothing secret."""

ALSO_SECRET = ("emailPass",)
"""PanDA's names which hold a secret although nothing in `_SECRET_NAME` matches them."""

KNOWN_WITHOUT_TEMPLATE = {
    "server": (
        *("add_serialized", "certdir", "compress_file_names", "configurator_use_cert", "def_ddm", "def_nickname"),
        *("def_queue", "def_sitename", "def_status", "def_type", "disableHTTP", "disable_file_aggregation"),
        *("disable_file_dispatch", "dumpBadRequest", "endpoint_mapfile", "nJobsInGetJob", "pandaEmailNotification"),
        *("pilot_cache_dir", "pilot_owners", "pilot_secrets", "production_dns", "proxy_cache_roles", "pserverhost"),
        *("pserverhosthttp", "record_sandbox_info", "sandboxHostname", "schedconfig_cache_dir", "schemaEI"),
        *("schemaGRISLI", "token_cache_config", "wn_script_base_url", "CO2_BEARER_TOKEN", "CRIC_URL_CM"),
        *("CRIC_URL_DDMBLACKLIST", "CRIC_URL_DDMBLACKLIST_FULL", "CRIC_URL_DDMBLACKLIST_READ"),
        *("CRIC_URL_DDMENDPOINTS", "CRIC_URL_SCHEDCONFIG", "CRIC_URL_SITES", "CRIC_URL_TAGS", "NWS_URL"),
        *("RUCIO_RSE_USAGE", "auth_policies"),
    ),
}
"""Keys which panda-server 1.0.4 reads (``pandaserver/config/panda_config.py`` and its users) though its template lacks them.

They are never taken for a typing error of a name in the template, ``pserverhost`` for ``pserverport`` for example.
"""

_SECRET_NAME = re.compile(r"password|passwd|secret|token", re.IGNORECASE)
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")
_HEADER = re.compile(r"\[(?P<name>.+)\](?P<rest>.*)")
_OPTION = re.compile(r"(?P<key>.*?)\s*(?P<delimiter>=|:)\s*(?P<value>.*)$")
_COMMENTED = re.compile(r"^(?P<lead>\s*[#;][#;\s]*(?P<key>[^\s=:#;][^=:]*?)\s*[=:]\s*)(?P<value>.*\S)")
_ENVIRONMENT = re.compile(r"^\$\{*(\w+)\}*$")
_NUMBER = re.compile(r"^\d+$")
_JSON_SCALAR = r'("(?:[^"\\]|\\.)*"|[^\s,\]}"\[{][^\s,\]}]*)'
_JSON_MEMBER = re.compile(r'("(?P<name>(?:[^"\\]|\\.)*)"\s*:\s*)' + _JSON_SCALAR)
_COMMENT = ("#", ";")
_INDENT = "    "
_LOOKS_BOOLEAN = ("true", "false", "none", "yes", "no", "on", "off")

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
            end = _line_end(line)
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
        return Document.parse("".join(_body(line) + (newline if _line_end(line) else "") for line in self.lines))

    def with_value(self, section: str, key: str, value: Value) -> Document:
        """Set a key. Its line and those that continue it are replaced; an absent key is added at its section's end.

        The spelling of the key's line (indentation, delimiter, blanks) is kept. An equal value changes nothing.
        """
        entry = self.get(section, key)
        if entry is None:
            return self._added(section, [f"{key} = {value.lines[0]}".rstrip(), *value.lines[1:]])
        if value.equals(entry.raw):
            return self
        lead = entry.lead
        if lead[-1] in "=:" and lead[:-1] != lead[:-1].rstrip():
            lead += " "
        body = [(lead + value.lines[0]).rstrip(), *(entry.indent + line if line else "" for line in value.lines[1:])]
        return self._replaced(entry, body)

    def with_entry(self, other: Document, entry: Entry) -> Document:
        """Take over a key's lines as they stand in another document."""
        present = self.get(entry.section, entry.key)
        if present is None:
            return self._added(entry.section, _moved(other, entry, ""))
        body = _moved(other, entry, present.indent)
        return self if present.raw == entry.raw else self._replaced(present, body)

    def without(self, section: str, key: str) -> Document:
        """Remove a key's line and those that continue it. Comments around it stay."""
        entry = self.get(section, key)
        if entry is None:
            return self
        return Document.parse("".join(self.lines[: entry.start] + self.lines[entry.stop :]))

    def with_lines(self, additions: Mapping[int, Sequence[str]]) -> Document:
        """Insert bodies of lines before the given line indexes; ``len(lines)`` is the end of the file."""
        result: list[str] = []
        for index in range(len(self.lines) + 1):
            new = additions.get(index, ())
            if new and result and not _line_end(result[-1]):
                result[-1] += self.newline
            result.extend(body + self.newline for body in new)
            if index < len(self.lines):
                result.append(self.lines[index])
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

    def _added(self, section: str, body: Sequence[str]) -> Document:
        if self.section(section) is None:
            gap = [""] if self.lines and self.lines[-1].strip() else []
            return self.with_lines({len(self.lines): [*gap, f"[{section}]", *body]})
        index = self.section_end(section)
        indent = self.indent_at(index)
        return self.with_lines({index: [indent + line if line else "" for line in body]})

    def _replaced(self, entry: Entry, body: Sequence[str]) -> Document:
        newline = _line_end(self.lines[entry.start]) or self.newline
        new = [line + newline for line in body]
        new[-1] = body[-1] + _line_end(self.lines[entry.stop - 1])
        return Document.parse("".join([*self.lines[: entry.start], *new, *self.lines[entry.stop :]]))


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


def _line_end(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]


def _body(line: str) -> str:
    return line.rstrip("\r\n")


def _moved(document: Document, entry: Entry, indent: str) -> list[str]:
    """The bodies of an entry's lines, moved to another indentation of the key."""
    old = len(entry.indent)
    bodies = [_body(line) for line in document.lines[entry.start : entry.stop]]
    return [indent + body[old:] if not body[:old].strip() and body.strip() else body for body in bodies]


def _is_comment(line: str) -> bool:
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
        _check_names(section, key)
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


def unescaped(raw: str) -> str:
    """A raw value with ``%%`` read as ``%``. References ``%(key)s`` stay as they are."""
    return raw.replace("%%", "%")


def typed(raw: str, environment: Mapping[str, str]) -> str | int | bool | None:
    """A value as PanDA works with it, in a typed section (``LiveConfigParser.expand_values``).

    *raw* is the value after interpolation. The whole value ``$VAR``, ``${VAR}`` or ``${{VAR}}`` becomes the environment's
    value where that is set; ``True``, ``False``, ``None`` and digits are converted; all else stays a string.
    """
    match = _ENVIRONMENT.search(raw)
    text = environment.get(match.group(1), raw) if match else raw
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


def _check_names(section: str, key: str) -> None:
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
    if any(_is_comment(line) for line in inner):
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


# --- checking a whole file --------------------------------------------------------------------------------------------


def check(text: str) -> None:
    """Read *text* as PanDA will, every value of every section, and check what PanDA does not check itself.

    Raises `CfgError` with section, key, line and reason.
    """
    document = Document.parse(text)
    parser = read(text)
    for section in parser.sections():
        for key in parser.options(section):
            entry = document.get(section, key) or document.get(configparser.DEFAULTSECT, key)
            line = entry.line if entry else 0
            try:
                value = parser.get(section, key)
            except configparser.Error as error:
                raise CfgError(_interpolation_reason(error), section, key, line) from None
            try:
                if section in TYPED_SECTIONS:
                    typed(value, {})
                if (section, key) == ("daemon", "config"):
                    check_daemons(value)
            except CfgError as error:
                raise CfgError(error.reason, section, key, line) from None


def read(text: str) -> configparser.ConfigParser:
    """*text* in the parser that PanDA uses. Raises `CfgError`."""
    parser = configparser.ConfigParser()
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_file(io.StringIO(text, newline=None))
    except configparser.Error as error:
        line = getattr(error, "lineno", None)
        raise CfgError(f"the parser refuses the file ({type(error).__name__})", line=line or 0) from None
    return parser


def _interpolation_reason(error: configparser.Error) -> str:
    if isinstance(error, configparser.InterpolationMissingOptionError):
        return f"refers to %({error.reference})s, which is not set; a '%' that is meant as such is written '%%'"
    if isinstance(error, configparser.InterpolationDepthError):
        return "refers to itself through %(...)s"
    return "holds a single '%', PanDA fails on the whole section; write '%%'"


def check_daemons(text: str) -> None:
    """Check the JSON value of ``config`` in ``[daemon]`` by the rules of ``pandaserver/daemons/utils.py``.

    ``{name: {enable, module, period, arguments, sync, loop, timeout}}``, period and timeout in seconds. A daemon that
    is disabled may lack its period. Raises `CfgError`.
    """
    try:
        daemons = json.loads(text)
    except ValueError as error:
        at = f" in line {error.lineno} of the value: {error.msg}" if isinstance(error, json.JSONDecodeError) else ""
        raise CfgError(f"is not JSON{at}; no daemon would run") from None
    except RecursionError:
        raise CfgError("is nested too deeply") from None
    if not isinstance(daemons, dict):
        raise CfgError("must be a JSON mapping of daemons")
    for name, daemon in daemons.items():
        if not isinstance(daemon, dict):
            raise CfgError(f"daemon {name} must be a mapping")
        reason = _daemon_fault(daemon)
        if reason:
            raise CfgError(f"daemon {name}: {reason}")


def _daemon_fault(daemon: Mapping[str, Any]) -> str:
    for flag in ("enable", "sync", "loop"):
        if flag in daemon and not isinstance(daemon[flag], bool):
            return f"{flag} must be true or false without quotes, anything else counts as true"
    if "module" in daemon and not isinstance(daemon["module"], str):
        return "module must be a string"
    arguments = daemon.get("arguments", [])
    if not isinstance(arguments, list) or not all(isinstance(argument, str) for argument in arguments):
        return "arguments must be a list of strings"
    period = daemon.get("period")
    if period is None:
        if daemon.get("enable") is False and "period" not in daemon:
            return ""
        return "period is missing: the number of seconds between two runs"
    if not isinstance(period, int) or isinstance(period, bool) or period <= 0:
        return "period must be a whole number of seconds above 0"
    timeout = daemon.get("timeout", period)
    if not isinstance(timeout, (int, float)) or isinstance(timeout, bool) or math.isnan(timeout) or timeout < period:
        return f"timeout must be a number of seconds, at least the period ({period})"
    return ""


# --- secrets ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mask:
    """Hides the values of secret keys in whatever is shown.

    Secret are the keys listed by the site (``key`` or ``section.key``) and those whose name says so (`_SECRET_NAME`),
    except `NOT_SECRET`. Inside JSON the same names are hidden.
    """

    listed: frozenset[str] = frozenset()

    def is_secret(self, key: str, section: str = "") -> bool:
        if key in self.listed or (section and f"{section}.{key}" in self.listed) or key in ALSO_SECRET:
            return True
        return key not in NOT_SECRET and bool(_SECRET_NAME.search(key))

    def text(self, section: str, key: str, value: str | None) -> str | None:
        """A value to show; None (no such key) stays None."""
        if value is None:
            return None
        if self.is_secret(key, section):
            return MASKED
        return self._json_text(value)

    def data(self, settings: object) -> Any:
        """Settings to show: ``{section: {key: value}}``, whatever a caller may have given in its place."""
        if not isinstance(settings, Mapping):
            return MASKED if settings is not None else None
        return {
            section: {key: self._member(key, value, str(section)) for key, value in keys.items()}
            if isinstance(keys, Mapping)
            else (None if keys is None else MASKED)
            for section, keys in settings.items()
        }

    def secrets(self, settings: object) -> Iterator[str]:
        """Every secret text in the settings."""
        for section, keys in settings.items() if isinstance(settings, Mapping) else ():
            for key, value in keys.items() if isinstance(keys, Mapping) else ():
                yield from self._secret_texts(value, self.is_secret(str(key), str(section)))

    def document(self, document: Document, other: Document | None = None) -> str:
        """A file's text to show. A secret that is not the same in *other* says so, or a diff would show nothing."""
        shown = list(document.lines)
        for entry in document.entries.values():
            before = other.get(entry.section, entry.key) if other else None
            note = " (changed)" if before and before.raw != entry.raw else ""
            lines = document.lines[entry.start : entry.stop]
            masked = MASKED if self.is_secret(entry.key, entry.section) else self._json_text(entry.raw)
            if masked == entry.raw:
                continue
            if masked == MASKED:
                shown[entry.start] = f"{entry.lead}{MASKED}{note}{_line_end(lines[-1])}"
                shown[entry.start + 1 : entry.stop] = [""] * (len(lines) - 1)
                continue
            if before and note and self._json_text(before.raw) != masked:
                note = ""
            for index, line in enumerate(lines, entry.start):
                shown[index] = self._members(line)
                if note and shown[index] != line:
                    shown[index] = shown[index].replace(MASKED, MASKED + note, 1)
                    note = ""
        return "".join(self._comment(line) if _is_comment(line) else line for line in shown)

    def scrub(self, text: str, document: Document) -> str:
        """*text*, a command's output for example, without any secret of the file."""
        settings: dict[str, dict[str, str]] = {}
        for (section, key), entry in document.entries.items():
            settings.setdefault(section, {})[key] = entry.raw
        secrets = {form for secret in self.secrets(settings) for form in (secret, unescaped(secret), secret.strip())}
        for secret in sorted(secrets - {""}, key=len, reverse=True):
            text = text.replace(secret, MASKED)
        return text

    def _comment(self, line: str) -> str:
        match = _COMMENTED.match(line)
        if match and self.is_secret(match.group("key")):
            return f"{match.group('lead')}{MASKED}{_line_end(line)}"
        return self._members(line)

    def _json_text(self, value: str) -> str:
        """A value with the secret members of its JSON hidden, or hidden as a whole where that cannot be told apart."""
        if not value.startswith(("{", "[")):
            return value
        try:
            plain = json.loads(value)
        except (ValueError, RecursionError):
            return MASKED if _SECRET_NAME.search(value) or any(name in value for name in self.listed) else value
        masked = self._member("", plain)
        if masked == plain:
            return value
        text = self._members(value)
        try:
            return text if json.loads(text) == masked else MASKED
        except (ValueError, RecursionError):
            return MASKED

    def _members(self, text: str) -> str:
        def hide(match: re.Match[str]) -> str:
            return f'{match.group(1)}"{MASKED}"' if self.is_secret(match.group("name")) else match.group(0)

        return _JSON_MEMBER.sub(hide, text)

    def _member(self, key: str, value: Any, section: str = "") -> Any:
        if value is None:
            return None
        if key and self.is_secret(str(key), section):
            return MASKED
        if isinstance(value, Mapping):
            return {name: self._member(str(name), member) for name, member in value.items()}
        if isinstance(value, list):
            return [self._member("", item) for item in value]
        return self._json_text(value) if isinstance(value, str) else value

    def _secret_texts(self, value: Any, secret: bool) -> Iterator[str]:
        if isinstance(value, Mapping):
            for name, member in value.items():
                yield from self._secret_texts(member, secret or self.is_secret(str(name)))
        elif isinstance(value, list):
            for item in value:
                yield from self._secret_texts(item, secret)
        elif secret and value is not None and not isinstance(value, bool):
            yield str(value)
        elif isinstance(value, str) and value.startswith(("{", "[")):
            try:
                inner = json.loads(value)
            except (ValueError, RecursionError):
                return
            if not isinstance(inner, str):
                yield from self._secret_texts(inner, False)


# --- the plan ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """A key whose value differs. None where the key is not there. Values as PanDA reads them, ``%%`` as ``%``."""

    section: str
    key: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class BaseChange(Change):
    """A default that differs between the previous base and this one."""

    kind: str
    """``added``, ``removed`` or ``changed``"""
    managed: bool
    """Whether the site's settings (or ``absent``) name the key, so that the new default does not take effect."""


@dataclass(frozen=True)
class Unmanaged(Change):
    """A key of the file which neither the base nor the settings explain. `before` is the base's value, `after` the file's."""

    kind: str
    """``added``, ``changed`` or ``removed`` by hand"""
    kept: bool


@dataclass(frozen=True)
class Request:
    """What a site wants of one file."""

    settings: Mapping[str, Mapping[str, object]]
    """``{section: {key: value}}``; None as value gives back the base's line, or removes the key where the base has none."""
    absent: tuple[str, ...] = ()
    """Keys that must not be there, as ``section.key``."""
    raw: tuple[str, ...] = ()
    """Keys whose string is written as it is, as ``section.key``."""
    keep_unmanaged: bool = True

    def names(self) -> list[Name]:
        """Every key that the site manages."""
        return [(section, key) for section, keys in self.settings.items() for key in keys] + self.removals()

    def removals(self) -> list[Name]:
        return [_full_name(name, "absent") for name in self.absent]

    def values(self) -> dict[Name, Value | None]:
        """Every setting as it will be written; None where an override is taken back. Raises `CfgError`."""
        for text in self.raw:
            _full_name(text, "raw")
        literal = frozenset(self.raw)
        result: dict[Name, Value | None] = {}
        for section, keys in self.settings.items():
            for key, value in keys.items():
                _check_names(section, key)
                is_literal = f"{section}.{key}" in literal
                result[(section, key)] = None if value is None else Value.of(section, key, value, is_literal)
        for name in self.removals():
            if name in result:
                raise CfgError("is in 'settings' and in 'absent'; leave one out", *name)
        return result


@dataclass(frozen=True)
class Plan:
    """The file that should be, and how it differs from the one that is."""

    document: Document
    changes: tuple[Change, ...]
    """Compared with the present file, or with the base where there is none yet."""
    base_changes: tuple[BaseChange, ...]
    unmanaged: tuple[Unmanaged, ...]
    warnings: tuple[str, ...]


def settings_of(data: object) -> dict[str, dict[str, object]]:
    """Check the shape of settings given by a person: ``{section: {key: value}}``. Raises `CfgError`."""
    if not isinstance(data, Mapping):
        raise CfgError("'settings' must be a mapping of sections")
    result: dict[str, dict[str, object]] = {}
    for section, keys in data.items():
        if keys is not None and not isinstance(keys, Mapping):
            raise CfgError("'settings' must hold a mapping of keys for each section", str(section))
        result[str(section)] = {str(key): value for key, value in (keys or {}).items()}
    return result


def plan(
    request: Request,
    present: Document | None,
    base: Document | None = None,
    previous: Document | None = None,
) -> Plan:
    """Lay *request* over *base* and over what people changed in the *present* file. Raises `CfgError`.

    Without a base the present file is edited in place. With one, a key the site does not manage has the base's value,
    unless it was set, changed or removed by hand and unmanaged keys are kept. *previous* is the base of the last run: it
    tells a hand edit from an old default. Where it equals the base the present file is edited in place as well.
    """
    values = request.values()
    managed = set(request.names())
    written = {name for name, value in values.items() if value is not None}
    start = present or base or Document.parse("")
    unmanaged: list[Unmanaged] = []
    if base is not None and present is not None:
        newline = present.newline
        base = base.with_newline(newline)
        unmanaged = _unmanaged(request, managed, present, base, previous)
        if not request.keep_unmanaged:
            start = base
        elif previous is not None and previous.with_newline(newline) == base:
            start = _with_missing_sections(present, base)
        else:
            start = _Rebase(present, base, previous, unmanaged, written, request.removals()).document()
    document = start
    for (section, key), value in values.items():
        default = base.get(section, key) if base else None
        if value is not None:
            document = document.with_value(section, key, value)
        elif default is not None and base is not None:
            document = document.with_entry(base, default)
        else:
            document = document.without(section, key)
    for section, key in request.removals():
        document = document.without(section, key)
    return Plan(
        document=document,
        changes=_changes(present or base, document),
        base_changes=_base_changes(previous, base, managed),
        unmanaged=tuple(unmanaged),
        warnings=tuple(_warnings(request, base)),
    )


def _full_name(text: str, option: str) -> Name:
    section, dot, key = text.partition(".")
    if not (section and dot and key):
        raise CfgError(f"{text!r} in '{option}' must be written section.key")
    return (section, key)


def _raw(document: Document | None, name: Name) -> str | None:
    entry = document.entries.get(name) if document else None
    return entry.raw if entry else None


def _shown(raw: str | None) -> str | None:
    return None if raw is None else unescaped(raw)


def _names(*documents: Document | None) -> list[Name]:
    """The keys of several documents in the order of the files, each once."""
    return list(dict.fromkeys(name for document in documents if document for name in document.entries))


def _changes(before: Document | None, after: Document) -> tuple[Change, ...]:
    pairs = ((name, _raw(before, name), _raw(after, name)) for name in _names(after, before))
    return tuple(Change(*name, _shown(old), _shown(new)) for name, old, new in pairs if old != new)


def _base_changes(previous: Document | None, base: Document | None, managed: set[Name]) -> tuple[BaseChange, ...]:
    if previous is None or base is None:
        return ()
    result = []
    for name in _names(base, previous):
        old, new = _raw(previous, name), _raw(base, name)
        if old != new:
            kind = "added" if old is None else "removed" if new is None else "changed"
            result.append(BaseChange(*name, _shown(old), _shown(new), kind, name in managed))
    return tuple(result)


def _unmanaged(
    request: Request, managed: set[Name], present: Document, base: Document, previous: Document | None
) -> list[Unmanaged]:
    """The keys which a person set, changed or removed: neither the bases nor the settings explain them."""
    result = []
    for name in _names(present, base):
        here, default, old = _raw(present, name), _raw(base, name), _raw(previous, name)
        if name in managed or here == default:
            continue
        if here is None:
            # Only a key that was there last time was removed; a whole missing section is taken for a broken file.
            if old is None or present.section(name[0]) is None:
                continue
            kind = "removed"
        elif here == old:
            continue
        else:
            kind = "added" if default is None else "changed"
        result.append(Unmanaged(*name, _shown(default), _shown(here), kind, request.keep_unmanaged))
    return result


def _with_missing_sections(document: Document, base: Document) -> Document:
    for section in base.sections:
        if document.section(section.name) is None:
            gap = [""] if document.lines and document.lines[-1].strip() else []
            header, *body = (_body(line) for line in base.lines[section.start : section.stop])
            document = document.with_lines({len(document.lines): [*gap, header.lstrip(), *body]})
    return document


class _Rebase:
    """Carries what people added to a file over to another base.

    The base gives order, comments and defaults. A line added by hand is put after the line it followed: a comment, blank
    line or key that both files have. Doing it again with the result changes nothing.
    """

    def __init__(
        self,
        present: Document,
        base: Document,
        previous: Document | None,
        unmanaged: Iterable[Unmanaged],
        written: set[Name],
        removals: Iterable[Name],
    ) -> None:
        self.present = present
        self.kinds = {(item.section, item.key): item.kind for item in unmanaged}
        self.written = written
        known = [*base.lines, *(previous.lines if previous else ())]
        self.known = {line.strip() for line in known if _is_comment(line)}
        self.previous = previous
        self.target = base
        for name in removals:
            self.target = self.target.without(*name)
        for name, kind in self.kinds.items():
            if kind == "changed":
                self.target = self.target.with_entry(present, present.entries[name])
            elif kind == "removed":
                self.target = self.target.without(*name)
        self.additions: dict[int, list[str]] = {}
        self.tail: list[str] = []

    def document(self) -> Document:
        first = self.present.sections[0].start if self.present.sections else len(self.present.lines)
        stop, lead = self._split_lead(0, first) if self.present.sections else (first, [])
        preamble = [_body(line) for line in self.present.lines[:stop] if self._is_foreign(line)]
        self._put(self.target.sections[0].start if self.target.sections else len(self.target.lines), preamble)
        for number, section in enumerate(self.present.sections):
            after = self.present.sections[number + 1 : number + 2]
            next_is_foreign = bool(after) and self.target.section(after[0].name) is None
            stop, next_lead = section.stop, list[str]()
            if next_is_foreign:
                stop, next_lead = self._split_lead(section.start + 1, section.stop)
            target = self.target.section(section.name)
            if target is None:
                self._carry_section(section, stop, lead)
            else:
                self._put(target.start, lead)
                self._carry_lines(section, stop, target)
            lead = next_lead
        result = self.target.with_lines(self.additions)
        if self.tail:
            gap = self.tail[1:] if not result.lines or not result.lines[-1].strip() else self.tail
            result = result.with_lines({len(result.lines): gap})
        return result

    def _is_foreign(self, line: str) -> bool:
        return _is_comment(line) and line.strip() not in self.known

    def _put(self, index: int, bodies: Iterable[str]) -> None:
        self.additions.setdefault(index, []).extend(bodies)

    def _is_carried(self, name: Name) -> bool:
        """A key of the present file which the target lacks and which has to be in the result."""
        return self.kinds.get(name) == "added" or name in self.written

    def _split_lead(self, start: int, stop: int) -> tuple[int, list[str]]:
        """Where lines end before the foreign comments that touch the header at *stop*, and those comments."""
        index = stop
        while index > start and self._is_foreign(self.present.lines[index - 1]):
            index -= 1
        return index, [_body(line) for line in self.present.lines[index:stop]]

    def _carry_section(self, section: Section, stop: int, lead: Sequence[str]) -> None:
        """A section which the base does not have goes to the end, without the keys that nobody needs any more."""
        lines = self.present.lines
        was_upstream = self.previous is not None and self.previous.section(section.name) is not None
        # The header loses its indentation, or it would continue the value that comes to stand before it.
        body = [_body(lines[section.start]).lstrip()]
        index = section.start + 1
        entries = {entry.start: entry for entry in self.present.entries.values()}
        wanted = not was_upstream or bool(lead) or any(self._is_foreign(line) for line in lines[index:stop])
        while index < stop:
            entry = entries.get(index)
            if entry is None:
                if not (was_upstream and lines[index].strip() in self.known):
                    body.append(_body(lines[index]))
                index += 1
                continue
            if self._is_carried(entry.name):
                wanted = True
                body.extend(_body(line) for line in lines[entry.start : entry.stop])
            index = entry.stop
        while not body[-1].strip():
            body.pop()
        if wanted:
            self.tail.extend(["", *lead, *body])

    def _carry_lines(self, section: Section, stop: int, target: Section) -> None:
        """Foreign comments and keys of one section, region by region: from one key which the target has to the next."""
        entries = sorted(
            (entry for entry in self.present.entries.values() if section.start < entry.start < section.stop),
            key=lambda entry: entry.start,
        )
        index = section.start + 1
        anchor = target.start + 1
        region: list[str | Entry] = []
        for entry in entries:
            region.extend(self.present.lines[index : entry.start])
            index = entry.stop
            twin = self.target.get(*entry.name)
            if twin is None:
                if self._is_carried(entry.name):
                    region.append(entry)
                continue
            self._carry_region(region, anchor, twin.start)
            region = []
            anchor = twin.stop
        region.extend(self.present.lines[index:stop])
        self._carry_region(region, anchor, None)

    def _carry_region(self, region: Sequence[str | Entry], anchor: int, following: int | None) -> None:
        places = self._run(anchor, 1)
        behind: dict[tuple[str, int], int] = {}
        apart = following is not None and anchor + len(places) != following
        if apart and following is not None:
            behind = {token: index + 1 for index, token in self._numbered(self._run(following, -1))}
        ahead = {token: index + 1 for index, token in self._numbered(places)}
        seen: dict[str, int] = {}
        here = anchor
        last = len(region)
        while last and isinstance(region[last - 1], str) and _is_comment(str(region[last - 1])):
            last -= 1
        for number, item in enumerate(region):
            if isinstance(item, str) and not self._is_foreign(item):
                text = item.strip()
                seen[text] = seen.get(text, 0) + 1
                token = (text, seen[text])
                here = behind.get(token, ahead.get(token, here))
            elif isinstance(item, str):
                touches = apart and number >= last and here not in behind.values()
                self._put(following if touches and following is not None else here, [_body(item)])
            else:
                self._put(here, _moved(self.present, item, self.target.indent_at(here)))

    def _run(self, index: int, step: int) -> list[int]:
        """The indexes of the target's comment and blank lines from *index* on, or before it (step -1)."""
        structure = {entry.start for entry in self.target.entries.values()} | {s.start for s in self.target.sections}
        inside = {n for entry in self.target.entries.values() for n in range(entry.start, entry.stop)}
        result: list[int] = []
        at = index if step > 0 else index - 1
        while 0 <= at < len(self.target.lines) and at not in structure and at not in inside:
            result.append(at)
            at += step
        return sorted(result)

    def _numbered(self, run: Sequence[int]) -> Iterator[tuple[int, tuple[str, int]]]:
        seen: dict[str, int] = {}
        for index in run:
            text = self.target.lines[index].strip()
            seen[text] = seen.get(text, 0) + 1
            yield index, (text, seen[text])


def _warnings(request: Request, base: Document | None) -> Iterator[str]:
    literal = frozenset(request.raw)
    known = known_keys(base) if base else {}
    for section, keys in request.settings.items():
        for key, value in keys.items():
            if value is None:
                continue
            near = _near(section, key, known)
            if near:
                yield f"[{section}] {key} is not a key of the base; is {near} meant?"
            plain = isinstance(value, str) and section in TYPED_SECTIONS and f"{section}.{key}" not in literal
            if plain and str(value).lower() in _LOOKS_BOOLEAN:
                yield f"[{section}] {key} is a string that PanDA takes for true whatever it says; give a boolean if one is meant"


def known_keys(base: Document) -> dict[str, set[str]]:
    """The keys of each section which a base names, active or commented (``#key = value``), and those PanDA has besides."""
    result: dict[str, set[str]] = {}
    for section in base.sections:
        names = result.setdefault(section.name, set(KNOWN_WITHOUT_TEMPLATE.get(section.name, ())))
        for line in base.lines[section.start : section.stop]:
            match = _COMMENTED.match(line)
            if match and " " not in match.group("key"):
                names.add(match.group("key"))
    for section_name, key in base.entries:
        result[section_name].add(key)
    return result


def _near(section: str, key: str, known: Mapping[str, set[str]]) -> str:
    """The known key which a person may have meant, or nothing."""
    names = known.get(section, set())
    if key in names:
        return ""
    folded = {name.lower(): name for name in sorted(names)}
    close = difflib.get_close_matches(key.lower(), list(folded), n=1, cutoff=0.8)
    if close:
        return folded[close[0]]
    elsewhere = [name for name, keys in known.items() if key in keys]
    if elsewhere:
        return f"{key} of [{elsewhere[0]}]"
    sections = difflib.get_close_matches(section.lower(), list(known), n=1, cutoff=0.8)
    return f"[{sections[0]}]" if not names and sections else ""
