"""provider.py - a provider in place of the carrier: takes calls by its REST API, as Twilio does,
and tells furrow-server of them. Each call that it is asked for is written down, in the form of the
carrier's log, before anything is done about it.

What the parties do is chance from the seed. Its word of a call comes late, out of order, twice,
long after, or never; answers to requests are lost after the call was placed, and before. It never
dies: it has its own witnesses, and its lists are what an unconfirmed call is looked for in.
"""
import asyncio
import json
import os
import random
import re
import sys
import time
import urllib.parse
import xml.etree.ElementTree as ET

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))
from hook_client import BASE, sign  # noqa: E402

TOKEN = "tok"
REFUSED, NOT_TAKEN, ANSWER_LOST = 4, 8, 16  # of a hundred requests for a call, added up
LATE, AGAIN, OLD, NEVER = 30, 20, 10, 5  # of a hundred words about a call, each
OVER = ("completed", "busy", "no-answer", "failed", "canceled")
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Call:
    def __init__(self, sid, form, habit):
        self.sid, self.form, self.habit = sid, form, habit
        self.attempt = UUID.findall(form["Url"])[-1]
        self.status, self.told, self.seconds = "queued", 0, 0
        self.created = time.gmtime()
        self.stopped = asyncio.Event()

    def as_json(self):
        return {"sid": self.sid, "status": self.status, "to": self.form["To"],
                "from": self.form["From"], "duration": str(self.seconds),
                "date_created": time.strftime("%a, %d %b %Y %H:%M:%S +0000", self.created)}


class Provider:
    def __init__(self, log, seed):
        self.chance = random.Random(f"{seed} provider")
        self.log = open(log, "a", encoding="ascii")
        self.calls = {}
        self.tasks = set()
        self.server = None
        self.hooks_port = 0

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        return self.server.sockets[0].getsockname()[1]

    async def stop(self):
        for task in list(self.tasks):
            task.cancel()
        self.server.close()
        self.log.close()

    def note(self, what, *words):
        self.log.write(" ".join((what, str(time.time_ns() // 1000)) + words) + "\n")
        self.log.flush()

    def go(self, work):
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    # ---- what is asked of it ----

    async def serve(self, reader, writer):
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, path, _ = head.split(" ", 2)
            length = re.search(r"(?im)^content-length: *(\d+)", head)
            body = (await reader.readexactly(int(length.group(1)))).decode() if length else ""
            answer = self.answer(method, urllib.parse.urlparse(path),
                                 dict(urllib.parse.parse_qsl(body)))
            if answer:
                text = json.dumps(answer[1])
                writer.write(f"HTTP/1.1 {answer[0]} X\r\nContent-Type: application/json\r\nConnection: "
                             f"close\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode())
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def answer(self, method, url, form):
        """None: the connection ends without one."""
        name = url.path.rsplit("/", 1)[-1].removesuffix(".json")
        if name == "Calls" and method == "POST":
            return self.place(form)
        if name == "Calls":
            asked = dict(urllib.parse.parse_qsl(url.query))
            found = [c.as_json() for c in self.calls.values() if c.form["To"] == asked.get("To")]
            return 200, {"calls": found[::-1], "next_page_uri": None}
        call = self.calls.get(name)
        if not call:
            return 404, {"code": 20404, "status": 404}
        if method == "POST" and form.get("Status") in ("completed", "canceled"):
            call.stopped.set()
        return 200, call.as_json()

    def place(self, form):
        fate = self.chance.randrange(100)
        call = Call("CA%032x" % (len(self.calls) + 1), form,
                    self.chance.choices("bn19w", (12, 12, 40, 8, 28))[0])
        self.note("post", call.attempt, form["To"].lstrip("+"), "provider",
                  "refused" if fate < NOT_TAKEN else "dialled")
        if fate < REFUSED:
            return 429, {"code": 20429, "status": 429, "message": "Too many requests"}
        if fate < NOT_TAKEN:
            return None
        self.calls[call.sid] = call
        self.go(self.fare(call))
        return None if fate < ANSWER_LOST else (201, call.as_json())

    # ---- a call ----

    async def fare(self, call):
        self.tell(call, "initiated")
        await self.wait(call, 0, 0.12)
        self.tell(call, "ringing")
        if call.habit in "bn":
            await self.wait(call, 0.1, 0.8)
            status = "busy" if call.habit == "b" else "no-answer"
        else:
            await self.wait(call, 0.02, 0.3)
            status = "canceled"
        if call.habit not in "bn" and not call.stopped.is_set():
            call.status, status = "in-progress", "completed"
            self.note("up", call.attempt)
            talk = asyncio.ensure_future(self.talk(call))
            gone = asyncio.ensure_future(self.wait(call, 0.1, 1.5) if self.chance.randrange(4) == 0
                                         else call.stopped.wait())
            await asyncio.wait([talk, gone], return_when=asyncio.FIRST_COMPLETED)
            for task in (talk, gone):
                task.cancel()
            call.seconds = 1
        self.note("end", call.attempt, "16")
        self.tell(call, "canceled" if call.stopped.is_set() and status in ("busy", "no-answer")
                  else status)

    async def wait(self, call, least, most):
        try:
            await asyncio.wait_for(call.stopped.wait(), self.chance.uniform(least, most))
        except asyncio.TimeoutError:
            pass

    async def talk(self, call):
        """A document that cannot be had ends the call."""
        text = await self.ask(call, call.form["Url"], [("CallStatus", "in-progress")])
        while text:
            following = None
            for e in ET.fromstring(text):
                await asyncio.sleep(self.chance.uniform(0.02, 0.2))
                if e.tag == "Gather" and call.habit in "19":
                    following = e.get("action"), [("Digits", call.habit)]
                elif e.tag == "Gather":
                    await self.wait(call, 0.2, 0.6)  # its time is over
                    if e.get("actionOnEmptyResult") == "true":
                        following = e.get("action"), [("Digits", "")]
                elif e.tag == "Redirect":
                    following = e.text.strip(), []
                elif e.tag in ("Hangup", "Reject", "Record"):
                    return
                if following:
                    break
            if not following:
                return
            text = await self.ask(call, following[0], [("CallStatus", "in-progress")] + following[1])

    # ---- what it tells ----

    def tell(self, call, status):
        call.status = "queued" if status == "initiated" else status
        pairs = [("CallStatus", status), ("SequenceNumber", str(call.told)),
                 ("CallbackSource", "call-progress-events")]
        if status in OVER:
            pairs += [("CallDuration", str(call.seconds))]
        call.told += 1
        dice = [self.chance.randrange(100) for _ in range(4)]
        late = self.chance.uniform(0, 0.3) if dice[0] < LATE else 0
        if dice[3] >= NEVER:
            self.go(self.later(late, call, pairs))
        if dice[1] < AGAIN:
            self.go(self.later(late + self.chance.uniform(0, 0.4), call, pairs))
        if dice[2] < OLD:
            self.go(self.later(self.chance.uniform(1, 4), call, pairs))

    async def later(self, seconds, call, pairs):
        await asyncio.sleep(seconds)
        await self.ask(call, call.form["StatusCallback"], pairs)

    async def ask(self, call, url, pairs):
        """The answer's text; None when there was none, or no good one."""
        path = url.removeprefix(BASE)
        pairs = [("CallSid", call.sid), ("From", call.form["From"]), ("To", call.form["To"])] + pairs
        body = urllib.parse.urlencode(pairs)
        words = {**sign("twilio", TOKEN, BASE + path, pairs, "", False), "Host": "x",
                 "Content-Type": "application/x-www-form-urlencoded",
                 "Content-Length": str(len(body)), "Connection": "close"}
        writer = None
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.hooks_port)
            writer.write((f"POST {path} HTTP/1.1\r\n" + "".join(
                f"{k}: {v}\r\n" for k, v in words.items()) + "\r\n" + body).encode())
            head, _, text = (await asyncio.wait_for(reader.read(), 15)).decode().partition("\r\n\r\n")
            return text if head.split(" ")[1:2] == ["200"] else None
        except (OSError, asyncio.TimeoutError):
            return None
        finally:
            if writer:
                writer.close()
