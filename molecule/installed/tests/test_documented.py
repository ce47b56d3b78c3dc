"""A reader writes the files of the documentation and runs its commands, from the first to the last, with the collection out of its tarball.

With .venv-newest, if it is there, and otherwise with .venv. What the reader's machine has besides is said in one file, beside the inventory.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(CHECKOUT / "tests"))

import documentation  # noqa: E402

WALK = CHECKOUT / ".cache/walk"
COLLECTIONS = WALK / "collections"
CONTENT = {
    "module": [f"pandawms.panda.{path.stem}" for path in sorted(CHECKOUT.glob("plugins/modules/*.py"))],
    "role": [f"pandawms.panda.{path.name}" for path in sorted(CHECKOUT.glob("roles/*"))],
}
SITE = "pandawms.panda.site"


@dataclass(frozen=True)
class Reader:
    """Somebody with a shell in the directory that the documentation speaks of."""

    environment: dict[str, str] = field(repr=False)

    def run(self, command: str) -> tuple[int, str]:
        """Return code and whole output of a command."""
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=WALK,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=1200,
            check=False,
        )
        print(done.stdout)
        return done.returncode, done.stdout

    def does(self, command: str) -> str:
        """Run a command, which has to succeed."""
        code, said = self.run(command)
        assert code == 0, f"{command}: {said[-4000:]}"
        return said


@pytest.fixture(scope="session")
def reader() -> Reader:
    newest = CHECKOUT / ".venv-newest/bin"
    programs = newest if newest.exists() else CHECKOUT / ".venv/bin"
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "MOLECULE_"))}
    return Reader(
        {
            **kept,
            "PATH": f"{programs}:{os.environ['PATH']}",
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_NOCOLOR": "1",
        }
    )


@pytest.fixture(scope="session")
def password() -> str:
    vault = yaml.safe_load(documentation.files()["group_vars/all/vault.yml"])
    return str(vault["vault_panda_database_password"])


def test_the_tarball_is_installed(reader):
    subprocess.run(["rm", "-rf", str(WALK)], check=True)
    documentation.write(WALK)
    reader.does(f"{CHECKOUT}/.venv/bin/ansible-galaxy collection build --output-path {WALK} {CHECKOUT}")
    # What it depends on comes with the environment, so that this needs no Galaxy.
    reader.does(f"ansible-galaxy collection install --offline --collections-path {COLLECTIONS} pandawms-panda-*.tar.gz")
    assert f"# {COLLECTIONS}" in reader.does("ansible-galaxy collection list pandawms.panda")
    print(reader.does("ansible --version"))


@pytest.mark.parametrize("kind", CONTENT)
def test_ansible_doc_describes_every_module_and_role(reader, kind):
    # Without the warnings, which some versions have of collections that are their own.
    described = json.loads(reader.does(f"ansible-doc --json --type {kind} {' '.join(CONTENT[kind])} 2>/dev/null"))
    assert sorted(described) == CONTENT[kind]
    assert f"{COLLECTIONS}/" in reader.does(f"ansible-doc --type {kind} {CONTENT[kind][0]}")


def test_the_reader_has_hosts_and_certificates(reader, every_machine):
    reader.does(
        "mkdir -p files && openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=panda.example.org"
        " -addext subjectAltName=DNS:panda.example.org"
        " -keyout files/panda.example.org.key -out files/panda.example.org.crt"
    )
    # How the hosts are reached, and the small schema: the variables of all scenarios. A reader would have ~/.ssh/config for it.
    given = yaml.safe_load((CHECKOUT / "tests/hosts/inventory/hosts.yml").read_text())["panda_test_hosts"]["vars"]
    network = every_machine["panda.example.org"].container.removesuffix("-panda.example.org")
    given.update(panda_test_checkout=str(CHECKOUT), panda_test_network=network)
    # Where the reader has said how large the server is, that counts.
    sizes = [name for name in given if name.startswith("panda_httpd_")]
    given = {name: value for name, value in given.items() if name not in sizes}
    (WALK / "group_vars/all/machine.yml").write_text(yaml.safe_dump(given))


@pytest.mark.parametrize(
    "number",
    range(len(documentation.commands())),
    ids=[f"{command.source.name}:{command.line}" for command in documentation.commands()],
)
def test_a_documented_command_succeeds(reader, every_machine, password, number):
    commands = documentation.commands()
    command = commands[number]
    before = [each.text for each in commands[:number]]
    if command.where == "host":
        every_machine["panda.example.org"].run("bash -c %s", command.text)
        return
    said = reader.does(command.text)
    assert password not in said
    if SITE not in command.text:
        return
    recap = dict(re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", said, re.MULTILINE))
    assert "panda.example.org" in recap
    deeds = [text for text in before if SITE in text and "--check" not in text]
    if deeds:
        # It has been done by an earlier command.
        assert set(recap.values()) == {"0"}, said[-4000:]
    elif "--check" in command.text:
        assert every_machine["panda.example.org"].run("ls /opt") == ""


def test_the_documentation_says_how_to_do_it(every_machine):
    """Or the tests above would have looked at a bare host."""
    assert [command.text for command in documentation.commands() if SITE in command.text][:2] == [
        "ansible-playbook -i inventory.yml pandawms.panda.site --check --diff",
        "ansible-playbook -i inventory.yml pandawms.panda.site",
    ]
    server = every_machine["panda.example.org"]
    assert server.fetch("https://panda.example.org:25443/api/v1/system/is_alive").alive


@pytest.mark.parametrize("snippet", documentation.snippets(), ids=lambda snippet: snippet.place)
def test_a_snippet_is_accepted(reader, snippet):
    """Every variable is known and of the right type, and the host can do with it."""
    reader.does(f"ln -sfn {CHECKOUT}/tests/fixtures/panda-database panda-database")
    (WALK / "snippet.yml").write_text(snippet.text)
    reader.does(f"ansible-playbook -i inventory.yml {SITE} --tags panda_preflight -e @snippet.yml")
