"""HTTP servers on loopback which answer as PanDA servers do in good and in bad days, and as others do.

``servers.py DIRECTORY`` takes certificate and key from ``cert.pem`` and ``key.pem`` there, writes the URLs by name to ``urls.json``
once all servers listen, and ends when that file is gone.
"""

from __future__ import annotations

import http.server
import json
import os
import socket
import ssl
import sys
import threading
import time

V1 = "/api/v1/system/is_alive"
LEGACY = "/server/panda/isAlive"
ALIVE = json.dumps({"success": True, "message": "", "data": None})
FORBIDDEN = (403, "ERROR : method isAlive is forbidden")

# What each answers, by path, one answer after the other; the last one stays. Any other path is not found.
ANSWERS: dict[str, dict[str, list[tuple[int, str]]]] = {
    "alive": {V1: [(200, ALIVE)], LEGACY: [FORBIDDEN]},
    "tls": {V1: [(200, ALIVE)], LEGACY: [FORBIDDEN]},
    "starting": {V1: [(503, "starting")] * 3 + [(200, ALIVE)]},
    "refusing": {V1: [(200, json.dumps({"success": False, "message": "no database", "data": None}))]},
    "failing": {V1: [(500, "Internal Server Error")], LEGACY: [(500, "Internal Server Error")]},
    "legacy": {LEGACY: [(200, "alive=yes")]},
    "other": {V1: [(200, "<html>It works!</html>")], LEGACY: [(200, "<html>It works!</html>")]},
}


class Server(http.server.ThreadingHTTPServer):
    def __init__(self, answers: dict[str, list[tuple[int, str]]]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = {path: list(given) for path, given in answers.items()}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        left = self.server.answers.get(self.path, [(404, "Not Found")])
        status, body = left.pop(0) if len(left) > 1 else left[0]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


def main(directory: str) -> None:
    urls = {}
    for name, answers in ANSWERS.items():
        server = Server(answers)
        if name == "tls":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(os.path.join(directory, "cert.pem"), os.path.join(directory, "key.pem"))
            server.socket = context.wrap_socket(server.socket, server_side=True)
        urls[name] = f"{'https' if name == 'tls' else 'http'}://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
    # A port on which nothing listens, and which nothing else can take.
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    urls["closed"] = f"http://127.0.0.1:{holder.getsockname()[1]}"

    record = os.path.join(directory, "urls.json")
    with open(f"{record}.new", "w", encoding="utf-8") as stream:
        json.dump(urls, stream)
    os.rename(f"{record}.new", record)
    while os.path.exists(record):
        time.sleep(0.2)


if __name__ == "__main__":
    main(sys.argv[1])
