#!/usr/bin/env python3
"""Asks furrow-server as Twilio or Plivo would: signs a request, or breaks it on purpose.

hook_client.py PORT KIND TOKEN PATH NAME=VALUE… [--break HOW] [--nonce N] [--v2] [--header H:V] [--took FILE]
prints the status and the answer, and how long to wait; into FILE how many milliseconds the answer took. KIND: twilio, plivo, africastalking. The algorithms are written
anew from the providers' documents; unit.signature holds ours to their own vectors.
"""
import base64
import hashlib
import hmac
import http.client
import sys
import time
import urllib.parse

BASE = "https://voice.example.test"


def sign(kind, token, url, pairs, nonce, v2):
    """Values may be any bytes, as surrogateescape has them."""
    if kind == "twilio":
        text = url + "".join(k + v for k, v in sorted(pairs))
        mac = hmac.new(token.encode(), text.encode("utf-8", "surrogateescape"), hashlib.sha1).digest()
        return {"X-Twilio-Signature": base64.b64encode(mac).decode()}
    if kind != "plivo":
        return {}
    text = url + nonce if v2 else url + ("." if "?" in url else "?") + "".join(k + v for k, v in sorted(pairs)) + "." + nonce
    if not pairs and not v2:
        text = url + "." + nonce
    mac = base64.b64encode(hmac.new(token.encode(), text.encode("utf-8", "surrogateescape"), hashlib.sha256).digest()).decode()
    name = "X-Plivo-Signature-V2" if v2 else "X-Plivo-Signature-V3"
    return {name: mac, name + "-Nonce": nonce}


def main():
    args = sys.argv[1:]
    v2 = "--v2" in args
    args = [a for a in args if a != "--v2"]
    options = {"--break": "", "--nonce": "77", "--header": "", "--took": ""}
    extra = []
    for name in options:
        while name in args:
            at = args.index(name)
            options[name] = args[at + 1]
            if name == "--header":
                extra.append(args[at + 1])
            del args[at:at + 2]
    how, nonce = options["--break"], options["--nonce"]
    port, kind, token, path = args[:4]
    pairs = [tuple(a.split("=", 1)) for a in args[4:]]
    if how == "encoding":
        pairs.append(("Body", "\udcff"))
    headers = sign(kind, token, BASE + path, pairs, nonce, v2)
    body = urllib.parse.urlencode(pairs, errors="surrogateescape").encode()
    if how == "signature":
        headers = {k: v for k, v in headers.items() if "Signature" not in k or k.endswith("Nonce")}
    if how == "nonce":
        headers = {k: v for k, v in headers.items() if not k.endswith("Nonce")}
    if how == "byte":
        body = body[:-1] + (b"7" if body[-1:] != b"7" else b"8")
    if how == "path":
        path += "?x=1"
    if how == "big":
        body += b"&pad=" + b"x" * (10 << 20)
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    headers.update(e.split(":", 1) for e in extra)
    c = http.client.HTTPConnection("127.0.0.1", int(port), timeout=20)
    begun = time.monotonic()
    try:
        c.request("POST", path, body, headers)
        r = c.getresponse()
        text = r.read().decode("utf-8", "replace")
        if options["--took"]:
            with open(options["--took"], "w") as f:
                f.write(str(round((time.monotonic() - begun) * 1000)))
        print(r.status, text)
        if r.getheader("Retry-After"):
            print("Retry-After:", r.getheader("Retry-After"))
    except (BrokenPipeError, ConnectionResetError):
        print(413, "closed")  # the server had read enough
    finally:
        c.close()


if __name__ == "__main__":
    main()
