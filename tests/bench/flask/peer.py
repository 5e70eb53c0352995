"""The job of tests/bench/webhooks.sh as it is usually written: Flask under gunicorn, the menu in PostgreSQL,
the session in Redis, a log of calls. Each thread keeps its connections; nothing waits for a disk."""
import base64
import hashlib
import hmac
import json
import os
import threading

import psycopg2
import redis
from flask import Flask, Response, request

TOKEN = os.environ["PEER_TOKEN"].encode()
HOST = "https://voice.example.test"
SESSION_S = 1800

app = Flask(__name__)
sessions = redis.Redis(connection_pool=redis.ConnectionPool.from_url(os.environ["REDIS_URL"]))
local = threading.local()


def database():
    if not hasattr(local, "connection"):
        local.connection = psycopg2.connect(os.environ["DATABASE_URL"], options="-c synchronous_commit=off")
        local.connection.autocommit = True
    return local.connection.cursor()


def set_up():
    with database() as c:
        c.execute("CREATE TABLE peer_menus (number text PRIMARY KEY, prompt text NOT NULL, choices json NOT NULL)")
        c.execute("CREATE TABLE peer_calls (sid text PRIMARY KEY, caller text, number text, digits text, status text NOT NULL,"
                  " at timestamptz NOT NULL DEFAULT now())")
        c.execute("INSERT INTO peer_menus VALUES ('+15550100', 'Press one.', '{\"1\": \"Well pressed.\"}')")


def is_signed():
    text = HOST + request.full_path.rstrip("?") + "".join(k + v for k, v in sorted(request.form.items()))
    mac = base64.b64encode(hmac.new(TOKEN, text.encode(), hashlib.sha1).digest()).decode()
    return hmac.compare_digest(mac, request.headers.get("X-Twilio-Signature", ""))


def menu_of(number):
    with database() as c:
        c.execute("SELECT prompt, choices FROM peer_menus WHERE number = %s", (number,))
        return c.fetchone()


def document(inside):
    return Response('<?xml version="1.0" encoding="UTF-8"?>\n<Response>' + inside + "</Response>\n", mimetype="text/xml")


@app.post("/voice")
def voice():
    if not is_signed():
        return "forbidden", 403
    sid, number = request.form["CallSid"], request.form["To"]
    prompt, _ = menu_of(number)
    sessions.setex("session:" + sid, SESSION_S, json.dumps({"number": number, "from": request.form["From"], "path": ["menu"]}))
    with database() as c:
        c.execute("INSERT INTO peer_calls (sid, caller, number, status) VALUES (%s, %s, %s, 'ringing')"
                  " ON CONFLICT (sid) DO NOTHING", (sid, request.form["From"], number))
    return document('<Gather input="dtmf" action="%s/key" method="POST" numDigits="1" timeout="5"><Say>%s</Say></Gather>' % (HOST, prompt))


@app.post("/key")
def key():
    if not is_signed():
        return "forbidden", 403
    sid, digits = request.form["CallSid"], request.form.get("Digits", "")
    text = sessions.get("session:" + sid)
    if text is None:
        return document("<Say>Your session has expired.</Say><Hangup/>")
    session = json.loads(text)
    prompt, choices = menu_of(session["number"])
    session["path"].append(digits)
    sessions.setex("session:" + sid, SESSION_S, json.dumps(session))
    with database() as c:
        c.execute("UPDATE peer_calls SET digits = %s, status = 'done' WHERE sid = %s", (digits, sid))
    return document("<Say>%s</Say><Hangup/>" % choices.get(digits, prompt))


if __name__ == "__main__":
    set_up()
