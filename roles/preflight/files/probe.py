# SPDX-FileCopyrightText: The pandawms.panda maintainers
# SPDX-License-Identifier: GPL-3.0-or-later

"""Say, as JSON, what can be known of a host before anything is changed on it.

Called with one JSON object: ``python`` (path), ``ports`` (numbers), ``files``, ``links`` (paths),
``wanted`` (patterns of paths). It reads and changes nothing. It runs on any Python 3, because
telling that the host's Python is too old is part of its work.
"""

import glob
import json
import os
import subprocess
import sys
import time


def python_version(path):
    """[major, minor] of the interpreter at path, or None if there is none that works."""
    try:
        out = subprocess.check_output(
            [path, "-c", "import sys; print(sys.version_info[0], sys.version_info[1])"], stderr=subprocess.DEVNULL
        )
        return [int(part) for part in out.split()]
    except (OSError, ValueError, subprocess.CalledProcessError):
        return None


def listening_sockets():
    """{port: [(socket inode, uid)]} of everything that listens on TCP, from /proc/net (proc_net_tcp(5))."""
    found = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table) as lines:
                rows = [line.split() for line in lines][1:]
        except OSError:
            continue
        for row in rows:
            if row[3] == "0A":
                found.setdefault(int(row[1].rsplit(":", 1)[1], 16), []).append((row[9], int(row[7])))
    return found


def holder(sockets):
    """Name, process and systemd unit of what listens on the sockets.

    Without CAP_SYS_PTRACE, as in a container, the open files of other users' processes cannot be seen. Then it is a service of the same user, if any.
    """
    wanted = {"socket:[" + inode + "]" for inode, uid in sockets}
    users = {uid for inode, uid in sockets}
    same_user = {"name": "a process of the user " + str(min(users)), "pid": 0, "unit": ""}
    for process in (name for name in os.listdir("/proc") if name.isdigit()):
        place = "/proc/" + process + "/"
        try:
            with open(place + "comm") as comm, open(place + "cgroup") as cgroup:
                units = [part for part in cgroup.read().replace("\n", "/").split("/") if part.endswith(".service")]
                found = {"name": comm.read().strip(), "pid": int(process), "unit": units[-1] if units else ""}
            if os.stat(place).st_uid in users and found["unit"]:
                same_user = found
            if any(os.readlink(link) in wanted for link in glob.glob(place + "fd/*")):
                return found
        except OSError:
            continue
    return same_user


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
                "package_lists_fresh": any(
                    os.path.getmtime(path) > time.time() - 86400 for path in glob.glob("/var/lib/apt/lists/*_Packages*")
                ),
                "absent": [path for path in asked["wanted"] if not glob.glob(path)],
                "distribution_httpd": bool(glob.glob("/etc/systemd/system/multi-user.target.wants/apache2.service")),
                "taken": [path for path in asked["links"] if os.path.lexists(path) and not os.path.islink(path)],
            }
        )
    )


main()
