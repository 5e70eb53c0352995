#!/usr/bin/python3
"""ari_listen.py URL USER SECRET APP: prints each ARI event of APP as one line of JSON.

The rig's own ear, so that Asterisk, SIPp and the dialplan are proven without our programs.
Standard library only; ends when Asterisk closes the connection.
"""
import base64
import os
import socket
import struct
import sys
import urllib.parse


def connect(url, user, secret, app):
    parts = urllib.parse.urlsplit(url)
    s = socket.create_connection((parts.hostname, parts.port))
    auth = base64.b64encode(f"{user}:{secret}".encode()).decode()
    key = base64.b64encode(os.urandom(16)).decode()
    s.sendall(
        f"GET {parts.path}/events?app={app} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Authorization: Basic {auth}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Protocol: ari\r\n\r\n".encode()
    )
    f = s.makefile("rb")
    status = f.readline().decode()
    if " 101 " not in status:
        sys.exit(f"no WebSocket: {status.strip()}")
    while f.readline().strip():
        pass
    return s, f


def frames(s, f):
    while True:
        head = f.read(2)
        if len(head) < 2:
            return
        length = head[1] & 127
        if length == 126:
            (length,) = struct.unpack(">H", f.read(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", f.read(8))
        body = f.read(length)
        opcode = head[0] & 15
        if opcode == 9:  # ping: an answer with an all-zero mask
            s.sendall(bytes([0x8A, 0x80 | len(body)]) + bytes(4) + body)
        elif opcode == 8:
            return
        elif opcode == 1:
            yield body.decode()


def main():
    s, f = connect(*sys.argv[1:5])
    print('{"type":"Connected"}', flush=True)
    for text in frames(s, f):
        print(text, flush=True)


main()
