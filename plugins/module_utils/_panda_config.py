# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What PanDA makes of its cfg files: where it looks for them, what it reads there, and what it would fail on.

* `places` and `overlay_place` are where PanDA looks, `Reading` is what it has in memory after that, with the line of each value.
* `check` reads one file as PanDA does before it takes the place of another.

The rules are those of panda-server 1.0.4 and panda-common 0.1.11: ``pandacommon/liveconfigparser/LiveConfigParser.py``,
``pandaserver/config/*_config.py`` with ``config_utils.py``, and ``pandajedi/jediconfig/jedi_config.py``. Nothing here does I/O.
"""

from __future__ import annotations

import configparser
import io
import json
import math
import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.pandawms.panda.plugins.module_utils._cfg import (
    TYPED_SECTIONS,
    CfgError,
    Document,
    Entry,
    typed,
    unescaped,
    variable_of,
)
from ansible_collections.pandawms.panda.plugins.module_utils._cfg_mask import MASKED, SHORTEST_SCRUBBED, Mask, scrub

SERVER, COMMON, JEDI = FILES = ("panda_server.cfg", "panda_common.cfg", "panda_jedi.cfg")

SYSTEM_DIRECTORIES = ("/etc/panda", "/usr/etc/panda")

SERVER_SECTIONS = ("server", "daemon", "mcp")
"""The sections of ``panda_server.cfg`` that anything reads. The first one is required."""

OVERLAYS = {SERVER: "panda_server_config.json", JEDI: "panda_jedi_config.json"}

_BLANKS = re.compile(r"[ \t\r\n]*")


# --- the whole read order ---------------------------------------------------------------------------------------------


def places(file: str, environment: Mapping[str, str]) -> list[str]:
    """Where PanDA looks for a cfg file, each place once; the later one wins, key by key. *environment* has ``HOME``."""
    directories = [*SYSTEM_DIRECTORIES, environment["HOME"].rstrip("/") + "/etc/panda"]
    if "PANDA_HOME" in environment:
        home = environment["PANDA_HOME"]
        directories += [f"{home}/etc/panda", f"{home}/usr/etc/panda"]
    # Where PANDA_HOME is the home directory, PanDA reads a file twice, to no effect.
    last_first = dict.fromkeys(f"{directory}/{file}" for directory in reversed(directories))
    return list(reversed(last_first))


def overlay_place(file: str, environment: Mapping[str, str]) -> str | None:
    """Where PanDA looks for the JSON that it lays over a cfg file, if it does that for the file."""
    if file not in OVERLAYS or "PANDA_HOME" not in environment:
        return None
    return posixpath.join(environment["PANDA_HOME"], "etc/config_json", OVERLAYS[file])


@dataclass(frozen=True)
class Origin:
    """One place that sets a parameter."""

    path: str
    line: int
    value: Any
    """As the file has it, ``%%`` as ``%``, before interpolation and conversion."""


@dataclass(frozen=True)
class Parameter:
    """A parameter as PanDA has it in memory."""

    section: str
    key: str
    value: Any
    origin: Origin
    shadowed: tuple[Origin, ...] = ()
    """The places that set it in vain, the one that would be next in force first."""
    variable: str | None = None
    """The environment variable that the value was taken from."""

    @property
    def interpolated(self) -> bool:
        """Whether other parameters may be part of the value."""
        return "%(" in str(self.origin.value)


@dataclass(frozen=True)
class Reading:
    """What PanDA has in memory after it has read all files of one name."""

    parameters: tuple[Parameter, ...]
    warnings: tuple[str, ...]

    @classmethod
    def of(
        cls,
        file: str,
        documents: Mapping[str, Document],
        overlay: tuple[str, str] | None,
        environment: Mapping[str, str],
    ) -> Reading:
        """Read as PanDA does. *documents* are those that can be read, by path, in the order of `places`.

        *overlay* is the path and the text of the JSON file. Raises `CfgError` where PanDA would end with an error, or where
        it would read something else than what a person sees in the file.
        """
        parser = configparser.ConfigParser()
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        for path, document in documents.items():
            _feed(parser, document.text, path)
        laid_over = _overlay(*overlay) if overlay else {}
        present = parser.sections()
        sections = present
        warnings = []
        if file == SERVER:
            sections = [name for name in SERVER_SECTIONS if name in present or (name in laid_over and name != "server")]
            warnings += [f"PanDA does not read the section [{name}]" for name in present if name not in SERVER_SECTIONS]
            if "server" not in present:
                warnings.append(
                    "no file that can be read has a section [server], without which the server does not start"
                )
        if overlay:
            unread = [name for name in laid_over if name not in sections]
            warnings += [f"PanDA does not read {name!r} of {overlay[0]}" for name in unread]
        parameters: dict[tuple[str, str], Parameter] = {}
        for section in sections:
            for key in parser.options(section) if section in present else ():
                origins = _origins(section, key, documents)
                value = _interpolated(parser, section, key, origins[0])
                parameters[(section, key)] = Parameter(section, key, value, origins[0], tuple(origins[1:]))
            for key, origin in laid_over.get(section, {}).items():
                below = parameters.get((section, key))
                shadowed = (below.origin, *below.shadowed) if below else ()
                parameters[(section, key)] = Parameter(section, key, origin.value, origin, shadowed)
        result = tuple(parameters.values())
        if file != COMMON:
            result = tuple(_expanded(parameter, environment) for parameter in result)
        return cls(result, tuple(warnings))


def masked(parameters: Iterable[Parameter], mask: Mask) -> list[Parameter]:
    """The parameters as they may be shown.

    A value is also secret where the name of the environment variable says so that it was taken from. A secret is hidden
    inside other values where interpolation put it there, or where it is long enough not to be part of any word.
    """
    parameters = list(parameters)
    secrets: set[str] = set()
    for each in parameters:
        secrets.update(mask.secrets({each.section: {each.key: each.value}}))
        if each.variable and mask.is_secret(each.variable):
            secrets.add(str(each.value))
    long = {secret for secret in secrets if len(secret) >= SHORTEST_SCRUBBED}

    def origin_shown(section: str, key: str, origin: Origin) -> Origin:
        return replace(origin, value=_scrubbed(mask.value(section, key, origin.value), long))

    result = []
    for each in parameters:
        value = mask.value(each.section, each.key, each.value)
        if each.variable and mask.is_secret(each.variable):
            value = MASKED
        value = _scrubbed(value, secrets if each.interpolated else long)
        origins = [origin_shown(each.section, each.key, origin) for origin in (each.origin, *each.shadowed)]
        result.append(replace(each, value=value, origin=origins[0], shadowed=tuple(origins[1:])))
    return result


def _scrubbed(value: Any, secrets: Iterable[str]) -> Any:
    if isinstance(value, dict):
        return {name: _scrubbed(member, secrets) for name, member in value.items()}
    if isinstance(value, list):
        return [_scrubbed(item, secrets) for item in value]
    return scrub(value, secrets) if isinstance(value, str) else value


def _feed(parser: configparser.ConfigParser, text: str, path: str = "") -> None:
    try:
        parser.read_file(io.StringIO(text, newline=None))
    except configparser.Error as error:
        line = getattr(error, "lineno", None)
        where = f"{path}: " if path else ""
        raise CfgError(f"{where}the parser refuses the file ({type(error).__name__})", line=line or 0) from None


def _origins(section: str, key: str, documents: Mapping[str, Document]) -> list[Origin]:
    """The places that set a key, the one in force first. Those of ``[DEFAULT]`` come after those of the section itself."""
    found: list[tuple[str, Entry]] = []
    for name in (section, configparser.DEFAULTSECT):
        entries = [(path, document.get(name, key)) for path, document in documents.items()]
        found += [(path, entry) for path, entry in reversed(entries) if entry]
    return [Origin(path, entry.line, unescaped(entry.raw)) for path, entry in found]


def _interpolated(parser: configparser.ConfigParser, section: str, key: str, origin: Origin) -> str:
    try:
        return parser.get(section, key)
    except configparser.Error as error:
        reason = f"{_interpolation_reason(error)} ({origin.path})"
        raise CfgError(reason, section, key, origin.line) from None


def _expanded(parameter: Parameter, environment: Mapping[str, str]) -> Parameter:
    value = parameter.value
    if not isinstance(value, str):
        return parameter
    try:
        value = typed(value, environment)
    except CfgError as error:
        reason = f"{error.reason} ({parameter.origin.path})"
        raise CfgError(reason, parameter.section, parameter.key, parameter.origin.line) from None
    return replace(parameter, value=value, variable=variable_of(parameter.value, environment))


def _overlay(path: str, text: str) -> dict[str, dict[str, Origin]]:
    """The members of the sections of a JSON file, with their lines."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise CfgError(f"{path} is not JSON: {error.msg}; the server does not start", line=error.lineno) from None
    except (ValueError, RecursionError) as error:
        raise CfgError(f"{path} is not JSON that can be read ({type(error).__name__})") from None
    if not isinstance(data, dict):
        raise CfgError(f"{path} must hold a JSON mapping of sections; the server does not start")
    result: dict[str, dict[str, Origin]] = {}
    for section, (_start, at) in _members(text, _after_blanks(text, 0)).items():
        if not isinstance(data[section], dict):
            raise CfgError(f"{path} must hold a JSON mapping of parameters; the server does not start", section)
        members = _members(text, at).items()
        result[section] = {
            key: Origin(path, text.count("\n", 0, start) + 1, data[section][key]) for key, (start, _at) in members
        }
    return result


def _members(text: str, at: int) -> dict[str, tuple[int, int]]:
    """Where the members of the JSON object at an index have their names and their values; the last one of a name counts.

    The text is known to be valid JSON.
    """
    decoder = json.JSONDecoder()
    result = {}
    at = _after_blanks(text, at + 1)
    while text[at] != "}":
        start = at
        name, at = decoder.raw_decode(text, at)
        at = _after_blanks(text, _after_blanks(text, at) + 1)
        result[name] = (start, at)
        _value, at = decoder.raw_decode(text, at)
        at = _after_blanks(text, at)
        if text[at] == ",":
            at = _after_blanks(text, at + 1)
    return result


def _after_blanks(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return found.end() if found else at


# --- checking one file ------------------------------------------------------------------------------------------------


def check(document: Document) -> None:
    """Read a file as PanDA will, every value of every section, and check what PanDA does not check itself.

    Raises `CfgError` with section, key, line and reason.
    """
    parser = read(document.text)
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
    _feed(parser, text)
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
