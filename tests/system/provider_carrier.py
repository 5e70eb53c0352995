#!/usr/bin/env python3
"""Plays Twilio's side of calls that are placed: takes POST Calls.json, tells how each call fares, asks
for its documents and does what they say (hook_call).

provider_carrier.py PORT_FILE LOG TOKEN SERVER_PORT_FILE
By the last digit of the number: 0 busy, 1 does not answer, 2 the answer to the POST is lost after the
call was taken, 3 the last word of the call is lost, 9 asks for no more calls; others press 1 and speak. Every call is a line of LOG.
"""
import http.server
import json
import os
import sys
import threading
import time
import urllib.parse

import hook_call

PORT_FILE, LOG, TOKEN, SERVER = sys.argv[1:5]
calls, lock = {}, threading.Lock()


def fare(sid, form):
    to = form["To"]
    with open(SERVER) as f:
        call = hook_call.Call(f.read(), "twilio", TOKEN, sid, form["From"], to, False)
    n = [-1]

    def tell(status, **more):
        calls[sid]["status"] = "queued" if status == "initiated" else status
        n[0] += 1
        call.ask(form["StatusCallback"], status, SequenceNumber=str(n[0]), CallbackSource="call-progress-events", **more)

    tell("initiated")
    tell("ringing")
    if to[-1] in "01":
        tell("busy" if to[-1] == "0" else "no-answer", CallDuration="0", SipResponseCode="486" if to[-1] == "0" else "487")
        return
    tell("in-progress")
    hook_call.play(call, form["Url"], ["9"] if to[-1] == "9" else ["1"], "https://api.twilio.com/R/RE" + sid[2:] + ",4",
                   hang_up_at=2 if to[-1] == "3" else 0, status="in-progress")
    if to[-1] == "3":
        calls[sid]["status"] = "completed"  # and nobody is told
        return
    tell("completed", CallDuration="12", Duration="1")


class Peer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = dict(urllib.parse.parse_qsl(body))
        if not self.path.endswith("/Calls.json"):
            return self.answer(200, {})
        with lock:
            sid = "CA%032x" % (len(calls) + 1)
            calls[sid] = {"sid": sid, "status": "queued", "to": form["To"], "from": form["From"],
                          "date_created": time.strftime("%a, %d %b %Y %H:%M:%S +0000", time.gmtime())}
            with open(LOG, "a") as log:
                log.write(json.dumps({"to": form["To"], "sid": sid, "form": form}) + "\n")
        threading.Thread(target=fare, args=(sid, form), daemon=True).start()
        if form["To"][-1] == "2":
            self.connection.shutdown(2)
            self.close_connection = True
        else:
            self.answer(201, calls[sid])

    def do_GET(self):
        url = urllib.parse.urlparse(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        name = url.path.rsplit("/", 1)[-1].removesuffix(".json")
        if name == "Calls":
            self.answer(200, {"calls": [c for c in calls.values() if c["to"] == query.get("To", c["to"])],
                              "next_page_uri": None})
        elif name in calls:
            self.answer(200, calls[name])
        else:
            self.answer(404, {"code": 20404, "status": 404})

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Peer)
with open(PORT_FILE + ".part", "w") as f:
    f.write(str(server.server_port))
os.rename(PORT_FILE + ".part", PORT_FILE)
server.serve_forever()
