#!/usr/bin/env python3
"""Plays Twilio or Plivo for one call: asks for the call's documents and does what they say.

hook_call.py PORT KIND TOKEN PATH CALL_ID FROM TO [--keys 1,2] [--recording URL,SECONDS] [--hang-up N]
             [--twice]
Prints a line for each thing that the caller hears or does. --keys: what is entered at each gather,
"" for nothing, "say:WORDS" for words. --hang-up N: the caller is gone at the Nth document. --twice: each request is sent a
second time and must get the same answer. The signature is hook_client's.
"""
import http.client
import sys
import urllib.parse
import xml.etree.ElementTree as ET

from hook_client import BASE, sign

TWILIO = {"id": "CallSid", "gather": "Gather", "say": "Say", "words": "SpeechResult", "recording": "RecordingUrl",
          "seconds": "RecordingDuration"}
PLIVO = {"id": "CallUUID", "gather": "GetInput", "say": "Speak", "words": "Speech", "recording": "RecordUrl",
         "seconds": "RecordingDuration"}


class Call:
    def __init__(self, port, kind, token, call, caller, called, twice):
        self.port, self.kind, self.token, self.twice = int(port), kind, token, twice
        self.words = TWILIO if kind == "twilio" else PLIVO
        self.base = [(self.words["id"], call), ("From", caller), ("To", called)]
        self.n = 0

    def ask(self, url, status="in-progress", **extra):
        path, _, again = (url[len(BASE):] if url.startswith(BASE) else url).partition("#")  # neither sent nor signed
        pairs = self.base + [("CallStatus", status)] + list(extra.items())
        self.n += 1
        answers = []
        for _ in range(2 if self.twice else 1):
            headers = sign(self.kind, self.token, BASE + path, pairs, str(1000 + self.n) + self.base[0][1], False)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
            c.request("POST", path, urllib.parse.urlencode(pairs), headers)
            r = c.getresponse()
            answers.append((r.status, r.read().decode()))
            c.close()
        if len(set(answers)) != 1:
            sys.exit("the same request got two answers: %r" % (answers,))
        return answers[0]


def listen(call, elements):
    for e in elements:
        if e.tag == call.words["say"]:
            print("hears", e.text)
        elif e.tag == "Play":
            print("hears", e.text)


def play(call, path, keys, recording, hang_up_at=0, status="ringing"):
    """The call's documents from the first to its end; SystemExit says what went wrong."""
    status, text = call.ask(path, status)
    for turn in range(1, 40):
        if status != 200:
            sys.exit("answered %d: %s" % (status, text))
        if turn == hang_up_at:
            print("hangs up")
            return
        following = None
        for e in ET.fromstring(text):
            if e.tag in (call.words["say"], "Play"):
                listen(call, [e])
            elif e.tag == call.words["gather"]:
                listen(call, e)
                entry = keys.pop(0) if keys else ""
                if entry or e.get("actionOnEmptyResult") == "true":
                    words = entry[4:] if entry.startswith("say:") else ""
                    if words and "speech" not in (e.get("input") or e.get("inputType")):
                        sys.exit("no words are heard there: %r" % e.attrib)
                    print("says" if words else "enters", words or entry)
                    following = (e.get("action"), {call.words["words"]: words} if words else {"Digits": entry})
            elif e.tag == "Record":
                if recording:
                    url, seconds = recording.split(",")
                    print("speaks", seconds)
                    following = (e.get("action"), {call.words["recording"]: url, call.words["seconds"]: seconds,
                                                   "RecordingSid": "RE" + "0" * 32, "RecordingID": "r1",
                                                   "RecordingDurationMs": seconds + "000", "Digits": "1"})
                else:
                    print("is silent")
            elif e.tag == "Redirect":
                following = (e.text.strip(), {})
            elif e.tag in ("Hangup", "Reject"):
                print("is hung up on" if e.tag == "Hangup" else "is rejected")
                return
            if following:
                break
        if not following:
            print("the document ends")
            return
        status, text = call.ask(following[0], **following[1])
    sys.exit("it never ends")


def main():
    args, options = sys.argv[1:], {"--keys": "", "--recording": "", "--hang-up": "0"}
    twice = "--twice" in args
    args = [a for a in args if a != "--twice"]
    for name in options:
        if name in args:
            at = args.index(name)
            options[name] = args[at + 1]
            del args[at:at + 2]
    port, kind, token, path, call_id, caller, called = args
    keys = options["--keys"].split(",") if options["--keys"] else []
    play(Call(port, kind, token, call_id, caller, called, twice), path, keys, options["--recording"],
         int(options["--hang-up"]))


if __name__ == "__main__":
    main()
