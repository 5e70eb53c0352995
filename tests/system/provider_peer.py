#!/usr/bin/env python3
"""Plays a provider's REST API: recordings to download and delete, messages to send.

provider_peer.py PORT_FILE LOG USER TOKEN NAME=FILE.wav…
Twilio's and Plivo's paths. A recording is not there at the first request, as at the real ones; the
second is sent elsewhere on this host. Every request is a line of JSON in LOG. 401 without the account.
"""
import base64
import http.server
import json
import os
import sys

PORT_FILE, LOG, USER, TOKEN = sys.argv[1:5]
FILES = dict(a.split("=", 1) for a in sys.argv[5:])
WANTED = "Basic " + base64.b64encode(f"{USER}:{TOKEN}".encode()).decode()
asked = {}


class Peer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", kind="application/json", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def take(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        with open(LOG, "a") as log:
            log.write(json.dumps({"method": self.command, "path": self.path, "body": body,
                                  "known": self.headers.get("Authorization") == WANTED}) + "\n")
        if self.headers.get("Authorization") == WANTED:
            return True
        self.answer(401, b'{"code":20003,"message":"Authenticate","status":401}')
        return False

    def do_GET(self):
        name = self.path.rsplit("/", 1)[-1].removesuffix(".wav")
        if not self.take():
            return
        asked[name] = asked.get(name, 0) + 1
        if name not in FILES or asked[name] == 1:
            self.answer(404, b'{"code":20404,"status":404}')
        elif asked[name] == 2 and not self.path.startswith("/store"):
            self.answer(302, Location=f"http://127.0.0.1:{self.server.server_port}/store/{name}.wav")
        else:
            with open(FILES[name], "rb") as f:
                self.answer(200, f.read(), "audio/x-wav")

    def do_DELETE(self):
        if self.take():
            self.answer(204)

    def do_POST(self):
        if not self.take():
            return
        if "/Message/" in self.path:
            self.answer(202, b'{"message":"message(s) queued","message_uuid":["m1"],"api_id":"a"}')
        else:
            self.answer(201, b'{"sid":"SM0123","status":"queued","num_segments":"1"}')

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Peer)
with open(PORT_FILE + ".part", "w") as f:
    f.write(str(server.server_port))
os.rename(PORT_FILE + ".part", PORT_FILE)
server.serve_forever()
