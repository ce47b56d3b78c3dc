# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Are PanDA servers alive? All of them asked at once, again and again, until they are as wanted or the time is up.

The parts: ``_health_target`` is which server, ``_health_probe`` one try to ask it, ``_health_verdict`` what the answer
means, and this file what is tried when, and the one result of it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from ansible_collections.pandawms.panda.plugins.module_utils._health_probe import Probe, Trust, tls_context
from ansible_collections.pandawms.panda.plugins.module_utils._health_target import InputError, Target
from ansible_collections.pandawms.panda.plugins.module_utils._health_verdict import APIS, Verdict

STATES = ("alive", "dead")

BACKOFF_FIRST = 0.25
"""Seconds of pause after the first try; each pause is twice as long as the one before, up to the longest."""

BACKOFF_LONGEST = 5.0


@dataclass(frozen=True)
class Result:
    """The last verdict on one target. ``latency`` is the duration in seconds of the try that it comes from."""

    target: str
    alive: bool
    api: str
    status: int | None
    attempts: int
    latency: float
    category: str
    message: str


@dataclass(frozen=True)
class Report:
    """All results, in the order of the targets; ``unmet`` are those that did not reach the wanted state."""

    results: list[Result]
    unmet: list[Result]
    elapsed: float


def check(
    targets: Sequence[Target],
    *,
    api: str = "auto",
    state: str = "alive",
    timeout: float = 60.0,
    try_timeout: float = 10.0,
    trust: Trust | None = None,
) -> Report:
    """Ask all targets at once until each is in ``state`` or ``timeout`` seconds have passed.

    ``timeout`` and ``try_timeout`` are in seconds. Each target has a thread of its own, so that none waits for another.
    Needs requests, see ``REQUESTS_IMPORT_ERROR``. Raises InputError for bad arguments, before anything is sent.
    """
    trust = trust or Trust()
    if not targets:
        raise InputError("targets is empty: name at least one URL such as https://host.example.org:25443.")
    for name, value in (("timeout", timeout), ("try_timeout", try_timeout)):
        if not 0 < value < threading.TIMEOUT_MAX:
            raise InputError(f"{name} is {value}: it must be a number of seconds greater than 0.")
    if api not in APIS or state not in STATES:
        raise InputError(f"api must be one of {', '.join(APIS)} and state one of {', '.join(STATES)}.")
    context = tls_context(trust, wanted=any(target.scheme == "https" for target in targets))
    start = time.monotonic()
    stop = threading.Event()

    def one(target: Target) -> tuple[Verdict, Result]:
        probe = Probe(target, api, trust, context)
        try:
            return _wait_for(probe, state, start, timeout, try_timeout, stop)
        finally:
            probe.close()

    with ThreadPoolExecutor(max_workers=len(targets), thread_name_prefix="is_alive") as pool:
        try:
            answers = list(pool.map(one, targets))
        except BaseException:
            stop.set()
            raise
    return Report(
        results=[result for _verdict, result in answers],
        unmet=[result for verdict, result in answers if not verdict.is_in(state)],
        elapsed=round(time.monotonic() - start, 3),
    )


def _wait_for(
    probe: Probe, state: str, start: float, timeout: float, try_timeout: float, stop: threading.Event
) -> tuple[Verdict, Result]:
    """Try until the state is reached or no try with a fair chance fits before the end.

    The last pause is cut so that the last try still has that chance. A try that the end cuts short, and that ends as a
    timeout, proves nothing, and does not replace what an earlier one has found.
    """
    deadline = start + timeout
    fair = min(1.0, try_timeout, timeout / 4)
    whole = 0.9 * min(try_timeout, timeout)
    attempts = 0
    delay = BACKOFF_FIRST
    verdict: Verdict | None = None
    latency = 0.0
    while True:
        attempts += 1
        begin = time.monotonic()
        latest = probe.ask(min(begin + try_timeout, deadline))
        end = time.monotonic()
        cut_short = latest.timed_out and end - begin < whole
        if cut_short:
            latest = replace(latest, dead=False)
        if verdict is None or not cut_short:
            verdict, latency = latest, end - begin
        pause = min(delay, deadline - end - fair)
        if verdict.is_in(state) or pause <= 0.01 or stop.wait(pause):
            return verdict, Result(
                target=probe.target.name,
                alive=verdict.alive,
                api=verdict.api,
                status=verdict.status,
                attempts=attempts,
                latency=round(latency, 4),
                category=verdict.category,
                message=verdict.message,
            )
        delay = min(delay * 2, BACKOFF_LONGEST)
