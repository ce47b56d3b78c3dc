"""What a person sees of a run, at verbosity 2 and with diffs: from check mode on the bare host to the last run."""

from __future__ import annotations

import re


def test_no_secret_in_anything_that_was_printed(ansible_log, server):
    assert "TASK [pandawms.panda.config" in ansible_log, "the log of the runs is missing"
    # The part of the password that looks the same however it is quoted.
    password = re.match(r"\w+", server.site["panda_database_password"]).group()
    lines = [line for line in ansible_log.splitlines() if password in line or "PRIVATE KEY" in line]
    assert lines == []


def test_a_run_with_nothing_to_change_executes_at_most_40_tasks_on_a_server(ansible_log, server):
    # The last run is the one of the idempotence step.
    recaps = re.findall(rf"{server.name} +: ok=(\d+) +changed=(\d+)", ansible_log)
    executed, changed = map(int, recaps[-1])
    assert changed == 0
    assert executed <= 40
