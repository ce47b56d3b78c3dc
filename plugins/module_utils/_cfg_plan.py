# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a PanDA cfg file should be: a site's settings over the installed version's defaults, and how that differs."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ansible_collections.pandawms.panda.plugins.module_utils._cfg import (
    COMMENTED_KEY,
    TYPED_SECTIONS,
    Borrowed,
    CfgError,
    Document,
    Entry,
    Name,
    Section,
    Value,
    check_names,
    is_comment,
    moved,
    unescaped,
    without_end,
)

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

_LOOKS_BOOLEAN = ("true", "false", "none", "yes", "no", "on", "off")


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
                check_names(section, key)
                is_literal = f"{section}.{key}" in literal
                result[(section, key)] = None if value is None else Value.of(section, key, value, is_literal)
        for name in self.removals():
            if name in result:
                raise CfgError("is in 'settings' and in 'absent'; leave one out", *name)
        return result


@dataclass(frozen=True)
class Plan:
    """The file that should be, and what there is to say about it."""

    document: Document
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
    document = start.edited(_edits(request, values, base))
    return Plan(
        document=document,
        base_changes=_base_changes(previous, base, managed),
        unmanaged=tuple(unmanaged),
        warnings=tuple(_warnings(request, base)),
    )


def _edits(
    request: Request, values: Mapping[Name, Value | None], base: Document | None
) -> dict[Name, Value | Borrowed | None]:
    """What happens to each key that the site manages. One that is taken back becomes the base's again, or goes."""
    edits: dict[Name, Value | Borrowed | None] = dict.fromkeys(request.removals())
    for name, value in values.items():
        default = base.entries.get(name) if base else None
        edits[name] = Borrowed(base, default) if value is None and base and default else value
    return edits


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


def changes(before: Document | None, after: Document) -> tuple[Change, ...]:
    """The keys whose values differ between two documents."""
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
            header, *body = (without_end(line) for line in base.lines[section.start : section.stop])
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
        self.known = {line.strip() for line in known if is_comment(line)}
        self.previous = previous
        edits: dict[Name, Borrowed | None] = dict.fromkeys(removals)
        for name, kind in self.kinds.items():
            if kind == "changed":
                edits[name] = Borrowed(present, present.entries[name])
            elif kind == "removed":
                edits[name] = None
        self.target = base.edited(edits)
        self.additions: dict[int, list[str]] = {}
        self.tail: list[str] = []

    def document(self) -> Document:
        first = self.present.sections[0].start if self.present.sections else len(self.present.lines)
        stop, lead = self._split_lead(0, first) if self.present.sections else (first, [])
        preamble = [without_end(line) for line in self.present.lines[:stop] if self._is_foreign(line)]
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
        return is_comment(line) and line.strip() not in self.known

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
        return index, [without_end(line) for line in self.present.lines[index:stop]]

    def _carry_section(self, section: Section, stop: int, lead: Sequence[str]) -> None:
        """A section which the base does not have goes to the end, without the keys that nobody needs any more."""
        lines = self.present.lines
        was_upstream = self.previous is not None and self.previous.section(section.name) is not None
        # The header loses its indentation, or it would continue the value that comes to stand before it.
        body = [without_end(lines[section.start]).lstrip()]
        index = section.start + 1
        entries = {entry.start: entry for entry in self.present.entries.values()}
        wanted = not was_upstream or bool(lead) or any(self._is_foreign(line) for line in lines[index:stop])
        while index < stop:
            entry = entries.get(index)
            if entry is None:
                if not (was_upstream and lines[index].strip() in self.known):
                    body.append(without_end(lines[index]))
                index += 1
                continue
            if self._is_carried(entry.name):
                wanted = True
                body.extend(without_end(line) for line in lines[entry.start : entry.stop])
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
        while last and isinstance(region[last - 1], str) and is_comment(str(region[last - 1])):
            last -= 1
        for number, item in enumerate(region):
            if isinstance(item, str) and not self._is_foreign(item):
                text = item.strip()
                seen[text] = seen.get(text, 0) + 1
                token = (text, seen[text])
                here = behind.get(token, ahead.get(token, here))
            elif isinstance(item, str):
                touches = apart and number >= last and here not in behind.values()
                self._put(following if touches and following is not None else here, [without_end(item)])
            else:
                self._put(here, moved(self.present, item, self.target.indent_at(here)))

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
            match = COMMENTED_KEY.match(line)
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
