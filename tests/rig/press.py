#!/usr/bin/env python3
"""press.py CONSOLE_PORT KEYS: presses keys in the call of a baresip.

A key typed at its console during a call is pressed in the call; it stays down for 320 ms, until byte 4 lets it go:
both within one look of a busy baresip are no press.
"""
import select
import socket
import sys

s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for key in sys.argv[2]:
    for byte in (key.encode(), b"\4"):
        s.sendto(byte, ("127.0.0.1", int(sys.argv[1])))
        select.select([], [], [], 0.32)
