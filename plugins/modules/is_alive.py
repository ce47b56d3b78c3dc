#!/usr/bin/python
# Copyright: (c) 2026, PanDA WMS team
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: is_alive
short_description: Wait until PanDA servers are alive, or dead
version_added: 0.1.0
author: PanDA WMS team (@PanDAWMS)
description:
  - Asks one or many PanDA servers at once whether they are alive, again and again until all of them are in the wanted
    state or the time is up. One server that does not answer neither delays nor hides another.
  - The body of the answer decides. A PanDA server answers HTTP 200 to requests that it turns down, so the HTTP status
    alone proves nothing.
  - Each answer, or its absence, is explained in one sentence that says what to look at next.
  - Only reads, and changes nothing.
attributes:
  check_mode:
    description: Can run in check mode, and then does the same, since it changes nothing.
    support: full
  diff_mode:
    description: There is nothing to show a difference of.
    support: none
  idempotent:
    description: When run twice in a row with the same arguments, the second run changes nothing either.
    support: full
requirements:
  - python >= 3.9
  - requests (Python library)
options:
  targets:
    description:
      - The servers, each as a URL of scheme, host and port, such as V(https://panda.example.org:25443) or
        V(http://[::1]:25080). There must be at least one.
      - A URL must have neither a path nor a query nor a user name. Without a port, V(443) and V(80) are used, as always
        with V(https) and V(http).
      - All are asked at the same time, each by a thread of its own.
    type: list
    elements: str
    required: true
  api:
    description:
      - Which of PanDA's two ways to ask is used. PanDA 0.6.0 to 0.8.1 answer to both.
    type: str
    choices:
      auto: V(v1) first, then V(legacy) where V(v1) is forbidden, not found or answered by something else than PanDA.
      v1: C(GET /api/v1/system/is_alive), which PanDA 0.6.0 and later answer with C(success) true.
      legacy: C(GET /server/panda/isAlive), which PanDA before 1.0.0 answers with C(alive=yes).
    default: auto
  state:
    description:
      - What to wait for.
      - What can be judged neither alive nor dead fails the task with either choice.
    type: str
    choices:
      alive: The server says that it is alive.
      dead: >-
        It is proven that no living PanDA server answers there - nothing listens, the host cannot be reached, the
        application fails (HTTP status 500 and above) or says that it is not alive. A name that does not resolve, a
        certificate that is not trusted, a page of another service or an answer that is too slow prove nothing.
    default: alive
  timeout:
    description:
      - Seconds after which the module gives up, more than 0. It holds for all targets together, each of which is asked
        at least once.
      - The last try begins up to one second before the end. A try that the end cuts short does not replace what an
        earlier one has found, and is no proof that a server is dead.
    type: float
    default: 60
  try_timeout:
    description:
      - Seconds that one try may take, more than 0, from the name lookup to the last byte of the answer, however slowly
        the server sends it. With O(api=auto) it holds for both requests together.
      - After a failed try there is a pause of 0.25 seconds, which is doubled each time up to 5 seconds.
    type: float
    default: 10
  ca_path:
    description:
      - A PEM file with the certificate authorities to trust, or a directory of hashed ones, such as
        V(/etc/grid-security/certificates). Only these are trusted then.
      - By default, those of the operating system and those that come with the requests library are trusted.
    type: path
  client_cert:
    description:
      - A PEM file with the certificate, and its chain if any, to show to servers that ask for one. A proxy certificate
        will do.
    type: path
  client_key:
    description:
      - A PEM file with the private key of O(client_cert), without a passphrase.
      - By default, the key is expected in the same file as the certificate.
    type: path
  validate_certs:
    description:
      - Whether the server's certificate must be valid, for the name in the target, and signed by a trusted authority.
    type: bool
    default: true
  use_proxy:
    description:
      - Whether to use the proxies that the environment names (E(https_proxy), E(http_proxy), E(no_proxy)). By default,
        the servers are asked directly, whatever the environment says.
    type: bool
    default: false
notes:
  - A mistake in the options fails the task with one sentence before any server is asked. A target that is not in the
    wanted state when the time is up fails it too, with all results in RV(targets).
  - The module needs the requests library on the host on which it runs. Every release of PanDA has it, so run it there
    with the release's own interpreter, as with C(vars) and C(ansible_python_interpreter=/opt/panda/bin/python).
  - Redirects are not followed, at most 64 KiB of an answer are read, and C(.netrc) is not used.
seealso:
  - name: PanDA documentation
    description: How a PanDA server is set up.
    link: https://panda-wms.readthedocs.io/
"""

EXAMPLES = r"""
- name: Wait until this server is alive
  pandawms.panda.is_alive:
    targets:
      - https://panda1.example.org:25443
    ca_path: /etc/grid-security/certificates
    timeout: 120
  vars:
    ansible_python_interpreter: /opt/panda/bin/python

- name: Look at both ports of all servers in one call
  pandawms.panda.is_alive:
    targets: >-
      {{ groups['panda_server'] | map('regex_replace', '^(.*)$', 'https://\1:25443')
         + groups['panda_server'] | map('regex_replace', '^(.*)$', 'http://\1:25080') }}
    ca_path: /etc/grid-security/certificates
    timeout: 10
  vars:
    ansible_python_interpreter: /opt/panda/bin/python
  run_once: true

- name: Wait until the old instance is gone
  pandawms.panda.is_alive:
    targets:
      - http://127.0.0.1:25080
    state: dead
  vars:
    ansible_python_interpreter: /opt/panda/bin/python

- name: Introduce ourselves with a certificate to a server before 0.6.0
  pandawms.panda.is_alive:
    targets:
      - https://old.example.org:25443
    api: legacy
    client_cert: /etc/grid-security/hostcert.pem
    client_key: /etc/grid-security/hostkey.pem
    ca_path: /etc/grid-security/certificates
  vars:
    ansible_python_interpreter: /opt/panda/bin/python
"""

RETURN = r"""
msg:
  description: How many targets are in the wanted state; on failure, each target that is not, and why.
  returned: always
  type: str
  sample: 2 of 2 targets are alive.
elapsed:
  description: Seconds that the whole check took.
  returned: when the targets were asked
  type: float
  sample: 0.021
targets:
  description: What was found, one entry for each of O(targets) and in the same order, on failure too.
  returned: when the targets were asked
  type: list
  elements: dict
  contains:
    target:
      description: The target as it was given.
      type: str
      sample: https://panda1.example.org:25443
    alive:
      description: Whether the server says that it is alive.
      type: bool
      sample: true
    api:
      description: Which way of asking the entry speaks of, V(v1) or V(legacy).
      type: str
      sample: v1
    status:
      description: The HTTP status of the last answer, null if there was none.
      type: int
      sample: 200
    attempts:
      description: How many times the server was asked.
      type: int
      sample: 1
    latency:
      description: Seconds that the try took which this entry comes from, usually the last.
      type: float
      sample: 0.0063
    category:
      description:
        - What was found, as a word to decide by.
        - V(alive), V(refused) (nothing listens), V(timeout), V(dns) (the name does not resolve), V(tls), V(http) (an
          HTTP status other than 200), V(not_alive) (PanDA says so), V(not_panda) (something else answers) or V(error)
          (anything else, such as a connection that was closed or a host that cannot be reached).
      type: str
      sample: alive
    message:
      description: What was found and what to look at next, as one sentence.
      type: str
      sample: The PanDA server says that it is alive.
"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.pandawms.panda.plugins.module_utils._health import STATES, Report, check
from ansible_collections.pandawms.panda.plugins.module_utils._health_probe import REQUESTS_IMPORT_ERROR, Trust
from ansible_collections.pandawms.panda.plugins.module_utils._health_target import InputError, parse_target
from ansible_collections.pandawms.panda.plugins.module_utils._health_verdict import APIS

if TYPE_CHECKING:
    from collections.abc import Mapping


def ask(params: Mapping[str, Any]) -> Report:
    """Run the check that the module's parameters describe."""
    return check(
        [parse_target(target) for target in params["targets"]],
        api=params["api"],
        state=params["state"],
        timeout=params["timeout"],
        try_timeout=params["try_timeout"],
        trust=Trust(
            ca_path=params["ca_path"],
            client_cert=params["client_cert"],
            client_key=params["client_key"],
            validate_certs=params["validate_certs"],
            use_proxy=params["use_proxy"],
        ),
    )


def summarise(report: Report, state: str) -> str:
    """One line for a person: a count, and every target that is not in the state, with the reason."""
    total, unmet = len(report.results), len(report.unmet)
    noun = "target is" if total == 1 else "targets are"
    if not unmet:
        return f"{total} of {total} {noun} {state}."
    reasons = " ".join(f"{result.target}: {result.message}" for result in report.unmet)
    return f"{unmet} of {total} {noun} not {state} after {report.elapsed:.1f} s. {reasons}"


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "targets": {"type": "list", "elements": "str", "required": True},
            "api": {"type": "str", "choices": list(APIS), "default": "auto"},
            "state": {"type": "str", "choices": list(STATES), "default": "alive"},
            "timeout": {"type": "float", "default": 60},
            "try_timeout": {"type": "float", "default": 10},
            "ca_path": {"type": "path"},
            "client_cert": {"type": "path"},
            "client_key": {"type": "path", "no_log": False},
            "validate_certs": {"type": "bool", "default": True},
            "use_proxy": {"type": "bool", "default": False},
        },
        required_by={"client_key": ("client_cert",)},
        supports_check_mode=True,
    )
    if REQUESTS_IMPORT_ERROR is not None:
        module.fail_json(
            msg=missing_required_lib("requests", reason="to ask the servers"), exception=REQUESTS_IMPORT_ERROR
        )
    try:
        report = ask(module.params)
    except InputError as error:
        module.fail_json(msg=str(error))
    result: dict[str, Any] = {
        "changed": False,
        "msg": summarise(report, module.params["state"]),
        "elapsed": report.elapsed,
        "targets": [asdict(one) for one in report.results],
    }
    if report.unmet:
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
