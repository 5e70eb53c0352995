#!/usr/bin/env python3
"""An S3-compatible service in memory that computes each request's signature by itself.

s3_peer.py PORT_FILE LOG BUCKET REGION KEY_ID SECRET MISBEHAVE_FILE
AWS Signature Version 4 over the request as it came in, with hmac; a body must have the hash it
states. One word in MISBEHAVE_FILE: busy (503), cut (half an object, then closed), rot (a byte is
another one), slow (nothing comes). Every request is a line of JSON in LOG.
"""
import hashlib
import hmac
import http.server
import json
import os
import sys
import threading
import urllib.parse

PORT_FILE, LOG, BUCKET, REGION, KEY_ID, SECRET, MISBEHAVE = sys.argv[1:8]
objects = {}
lock = threading.Lock()


def keyed(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signature(command, target, headers, names, date, scope, payload):
    path, _, query = target.partition("?")
    pairs = sorted(urllib.parse.parse_qsl(query, keep_blank_values=True))
    quoted = "&".join("%s=%s" % (urllib.parse.quote(k, safe="-_.~"), urllib.parse.quote(v, safe="-_.~"))
                      for k, v in pairs)
    lines = "".join("%s:%s\n" % (n, " ".join((headers.get(n) or "").split())) for n in names)
    canonical = "\n".join([command, urllib.parse.quote(urllib.parse.unquote(path), safe="/-_.~"),
                           quoted, lines, ";".join(names), payload])
    text = "\n".join(["AWS4-HMAC-SHA256", date, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = ("AWS4" + SECRET).encode()
    for part in scope.split("/"):
        key = keyed(key, part)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


class Peer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, code="", body=b""):
        if code:
            body = ("<?xml version=\"1.0\"?><Error><Code>%s</Code></Error>" % code).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def why_not(self, body):
        kind, _, rest = (self.headers.get("Authorization") or "").partition(" ")
        parts = dict(p.strip().partition("=")[::2] for p in rest.split(","))
        key, _, scope = parts.get("Credential", "").partition("/")
        names = parts.get("SignedHeaders", "").split(";")
        date, stated = self.headers.get("x-amz-date", ""), self.headers.get("x-amz-content-sha256", "")
        if kind != "AWS4-HMAC-SHA256" or key != KEY_ID:
            return "InvalidAccessKeyId"
        if scope != "/".join([date[:8], REGION, "s3", "aws4_request"]):
            return "AuthorizationHeaderMalformed"
        if not {"host", "x-amz-date", "x-amz-content-sha256"} <= set(names):
            return "AccessDenied"
        is_ = signature(self.command, self.path, self.headers, names, date, scope, stated)
        if not hmac.compare_digest(is_, parts.get("Signature", "")):
            return "SignatureDoesNotMatch"
        if hashlib.sha256(body).hexdigest() != stated:
            return "XAmzContentSHA256Mismatch"
        return ""

    def do(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with open(MISBEHAVE) as f:
            mood = f.read().strip()
        why = self.why_not(body)
        with lock, open(LOG, "a") as log:
            log.write(json.dumps({"method": self.command, "path": self.path, "bytes": len(body), "why": why,
                                  "mood": mood}) + "\n")
        bucket, _, name = self.path.lstrip("/").partition("/")
        if why:
            self.answer(403, why)
        elif mood == "busy":
            self.answer(503, "SlowDown")
        elif mood == "slow":
            threading.Event().wait(30)
        elif bucket != BUCKET:
            self.answer(404, "NoSuchBucket")
        elif self.command == "PUT":
            objects[name] = body
            self.answer(200)
        elif self.command == "DELETE":
            objects.pop(name, None)
            self.answer(204)
        elif name not in objects:
            self.answer(404, "NoSuchKey")
        elif mood == "cut" and self.command == "GET":
            self.send_response(200)
            self.send_header("Content-Length", str(len(objects[name])))
            self.end_headers()
            self.wfile.write(objects[name][:len(objects[name]) // 2])
            self.close_connection = True
        else:
            data = objects[name]
            self.answer(200, body=data[:-1] + bytes([data[-1] ^ 1]) if mood == "rot" else data)

    do_GET = do_HEAD = do_PUT = do_DELETE = do

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Peer)
server.daemon_threads = True
with open(PORT_FILE + ".part", "w") as f:
    f.write(str(server.server_port))
os.rename(PORT_FILE + ".part", PORT_FILE)
server.serve_forever()
