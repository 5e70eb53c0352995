#!/usr/bin/env python3
"""Calls at a provider that wait: for an API's answer, or in a queue for an agent.

voice_waits.py rest PORT plays the provider's REST API and prints what it is asked.
voice_waits.py PORT KIND TOKEN HOOK WHAT CALL_ID FROM [ATTEMPT]
What the caller's and the agent's phone would ask for is asked here, and what the documents say is looked at. Each
WHAT is one story; SystemExit says where it went otherwise. An agent's phone is rung by the provider, so it is this
program that answers it.
"""
import http.server
import json
import os
import sys
import threading
import time
import xml.etree.ElementTree as ET

from hook_call import Call

go = threading.Event()
asked = []


class Api(http.server.BaseHTTPRequestHandler):
    """Answers when it is told to."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        asked.append((self.path, self.headers.get("Authorization"), json.loads(body)))
        if not go.wait(30):
            return
        answer = b'{"price": 7}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def must(what, found):
    if not found:
        sys.exit("%s" % (what,))
    return found


class Phone(Call):
    def get(self, url, **extra):
        began = time.monotonic()
        status, text = self.ask(url, **extra)
        must("answered %d: %s" % (status, text), status == 200)
        must("an answer took %.2f s" % (time.monotonic() - began), time.monotonic() - began < 1)
        self.text, self.doc = text, ET.fromstring(text)
        return self.doc

    def goes_to(self):
        e = self.doc.find("Redirect")
        return must("no way on: %s" % self.text, e is not None) is not None and e.text.strip()

    def says(self):
        return " ".join(e.text for e in self.doc.iter(self.words["say"]) if e.text)

    def until(self, what, look, seconds=20):
        """Asks on until the document is so; each request differs from the one before."""
        end = time.monotonic() + seconds
        seen = set() if look(self) else {self.goes_to()}
        while not look(self):
            must("%s does not come: %s" % (what, self.text), time.monotonic() < end)
            self.get(self.goes_to())
            if self.doc.find("Redirect") is not None and not look(self):
                must("the same request again: %s" % self.text, self.goes_to() not in seen)
                seen.add(self.goes_to())
        return self

    def dials(self):
        e = self.doc.find("Dial")
        return None if e is None else e

    def agent_up(self, key):
        """The agent's phone is taken, and the key is pressed there; the document that joins them or does not."""
        d = self.dials()
        leg = d.find("Sip") if self.kind == "twilio" else d.find("User")
        must("who is rung: %s" % self.text, leg.text == "sip:2001@pbx.example")
        if self.kind == "plivo":
            must("the key is asked for: %s" % self.text, d.get("confirmKey") == "1")
            self.aside(d.get("callbackUrl"), DialAction="answer")
            return self.aside(d.get("callbackUrl"), DialAction="connected" if key == "1" else "hangup")
        whisper = self.aside(leg.get("url"))
        return self.aside(whisper.find("Gather").get("action"), Digits=key)

    def aside(self, url, **extra):
        agents = Call(self.port, self.kind, self.token, self.base[0][1] + "-agent", "", "2001", False)
        agents.n = self.n + 500
        self.n += 1
        status, text = agents.ask(url, **extra)
        must("the agent's phone got %d: %s" % (status, text), status == 200)
        return ET.fromstring(text)

    def rung(self, talked):
        words = {"twilio": {"DialCallStatus": "completed" if talked else "no-answer",
                            "DialBridged": "true" if talked else "false", "DialCallDuration": str(talked)},
                 "plivo": {"DialStatus": "completed" if talked else "no-answer", "DialBLegDuration": str(talked)}}
        self.get(self.dials().get("action"), **words[self.kind])


def api(phone, *_):
    phone.get(HOOK + "/voice")
    for _ in range(3):
        must("it does not wait: %s" % phone.text, "/http-" in phone.goes_to())
        phone.get(phone.goes_to())
    go.set()
    phone.until("the API's price", lambda p: "/http-" not in p.text)
    must("what it came to: %s" % phone.text, "Seven it is" in phone.says())
    must("what was asked: %r" % (asked,), asked == [("/price", "Bearer s3cret", {"from": "+251911000001"})])


def refused(phone, *_):
    phone.get(HOOK + "/voice")
    phone.until("the way on", lambda p: "/http-" not in p.text)
    must("what it came to: %s" % phone.text, "No price" in phone.says())


def full(phone, *_):
    phone.get(HOOK + "/voice")
    must("nobody is there: %s" % phone.text, "Nobody is here" in phone.says())


def first(phone, *_):
    phone.get(HOOK + "/voice")
    if phone.doc.find("Redirect") is not None:
        print("next", phone.goes_to(), flush=True)


def served(phone, *_):
    phone.get(HOOK + "/voice")
    must("it waits with music: %s" % phone.text, "hold-" in phone.goes_to())
    phone.until("its place", lambda p: "You are number 1" in p.says())
    print("waits", flush=True)
    sys.stdin.readline()  # an agent is ready
    phone.until("an agent", lambda p: p.dials() is not None)
    joined = phone.agent_up("1")
    must("they are not joined", joined.find("Hangup") is None)
    print("talks", flush=True)
    sys.stdin.readline()
    phone.rung(40)
    must("after the talk: %s" % phone.text, "Goodbye from us" in phone.says())


def unanswered(phone, *_):
    """The agent does not press the key; the caller goes on waiting, and then has enough."""
    phone.get(HOOK + "/voice")
    must("an agent is rung at once: %s" % phone.text, phone.dials() is not None)
    phone.agent_up("2")
    phone.rung(0)
    must("nobody else is there: %s" % phone.text, "Nobody is here" in phone.says())


def leaves(phone, *_):
    phone.get(HOOK + "/voice")
    gather = phone.doc.find(phone.words["gather"])
    phone.get(gather.get("action"), Digits="1")
    must("is called back: %s" % phone.text, "call you back" in phone.says())


def placed(phone, attempt):
    phone.get(HOOK + "/voice/" + attempt)
    must("nobody is there: %s" % phone.text, "Nobody is here" in phone.says())


class Rest(http.server.BaseHTTPRequestHandler):
    """The provider's REST API: every request is a line, and is done unless its call is named gone."""

    def take(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        print(self.command, self.path, body, self.headers.get("Authorization", "-"), flush=True)
        self.send_response(404 if "gone" in self.path else 204 if self.command == "DELETE" else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_DELETE = take

    def log_message(self, *_):
        pass


def main():
    global HOOK
    if sys.argv[1] == "rest":
        http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Rest).serve_forever()
    port, kind, token, HOOK, what, call, caller = sys.argv[1:8]
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("API_PORT", "0"))), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    phone = Phone(port, kind, token, call, caller, "+15550100", False)
    globals()[what](phone, *sys.argv[8:])
    print("ok")


if __name__ == "__main__":
    main()
