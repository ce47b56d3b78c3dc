#!/usr/bin/env python3

# SPDX-FileCopyrightText: The pandawms.panda maintainers
# SPDX-License-Identifier: GPL-3.0-or-later

"""Say, as JSON, what can be known of a host before anything is changed on it.

Called with one JSON object: ``python`` (path), ``ports`` (numbers), ``files`` (paths). It reads and changes nothing. It runs on any Python 3, because
telling that the host's Python is too old is part of its work.
"""

import glob
import json
import os
import subprocess
import sys


def python_version(path):
    """[major, minor] of the interpreter at path, or None if there is none that works."""
    try:
        out = subprocess.check_output([path, "-c", "import sys; print(sys.version_info[0], sys.version_info[1])"], stderr=subprocess.DEVNULL)
        return [int(part) for part in out.split()]
    except (OSError, ValueError, subprocess.CalledProcessError):
        return None


def listening_sockets():
    """{port: [socket inode]} of everything that listens on TCP, from /proc/net (proc_net_tcp(5))."""
    found = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table) as lines:
                rows = [line.split() for line in lines][1:]
        except OSError:
            continue
        for row in rows:
            if row[3] == "0A":
                found.setdefault(int(row[1].rsplit(":", 1)[1], 16), []).append(row[9])
    return found


def holder(inodes):
    """Name and systemd unit of the process that has one of the sockets open."""
    wanted = {"socket:[%s]" % inode for inode in inodes}
    for link in glob.iglob("/proc/[0-9]*/fd/*"):
        try:
            if os.readlink(link) not in wanted:
                continue
            process = link.split("/")[2]
            with open("/proc/%s/comm" % process) as comm, open("/proc/%s/cgroup" % process) as cgroup:
                units = [part for part in cgroup.read().replace("\n", "/").split("/") if part.endswith(".service")]
                return {"name": comm.read().strip(), "pid": int(process), "unit": units[-1] if units else ""}
        except (OSError, IOError):
            continue
    return {"name": "a process of another namespace", "pid": 0, "unit": ""}


def main():
    asked = json.loads(sys.argv[1])
    sockets = listening_sockets()
    print(
        json.dumps(
            {
                "python": python_version(asked["python"]),
                "ports": {str(port): holder(sockets[port]) for port in asked["ports"] if port in sockets},
                "missing": [path for path in asked["files"] if not os.path.isfile(path)],
                "systemd": os.path.isdir("/run/systemd/system"),
                "package_lists": bool(glob.glob("/var/lib/apt/lists/*_Packages*")),
                "taken": [path for path in asked["links"] if os.path.lexists(path) and not os.path.islink(path)],
            }
        )
    )


main()
