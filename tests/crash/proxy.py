"""proxy.py - the wires between two processes, cut, held, slowed and made deaf on demand.

A proxy listens on a unix socket or on a port of its own and passes bytes on to its target.
Nothing is changed or reordered within a connection; what TCP may do, it may do.
"""
import asyncio
import random


class End(asyncio.Protocol):
    """One end of a line: what it reads goes out at the other."""

    def __init__(self, proxy, line, is_answer):
        self.proxy, self.line, self.is_answer = proxy, line, is_answer
        self.transport = None
        self.waiting = bytearray()  # what is on its way for longer
        self.way = None

    def connection_made(self, transport):
        self.transport = transport
        self.line.made(self)

    def data_received(self, data):
        if self.line.is_through and not self.way and not self.proxy.is_troubled(self.line):
            self.pass_on(data)
            return
        self.waiting += data
        if self.line.is_through:
            self.go_on()

    def go_on(self):
        if self.waiting and not self.way:
            self.way = asyncio.ensure_future(self.take_time())

    async def take_time(self):
        while self.waiting:
            data, self.waiting = self.waiting, bytearray()
            if self.proxy.delay_s:
                await asyncio.sleep(self.proxy.chance.uniform(0, self.proxy.delay_s))
            while self.proxy.is_held(self.line):
                await asyncio.sleep(0.01)
            self.pass_on(data)
        self.way = None

    def pass_on(self, data):
        if self.proxy.deaf and self.is_answer:
            return  # done, but nobody hears of it; the connection is cut next
        self.line.other(self).transport.write(data)

    def pause_writing(self):
        self.line.other(self).transport.pause_reading()

    def resume_writing(self):
        self.line.other(self).transport.resume_reading()

    def connection_lost(self, _):
        if self.way:
            self.way.cancel()
        self.line.cut()


class Line:
    """A connection through a proxy; near is who connected."""

    def __init__(self, proxy):
        self.proxy = proxy
        self.near = End(proxy, self, False)
        self.far = End(proxy, self, True)
        self.connecting = None
        self.is_through = False

    def other(self, end):
        return self.far if end is self.near else self.near

    def made(self, end):
        if end is self.far:
            return
        if self.proxy.closed:
            end.transport.abort()
            return
        self.connecting = asyncio.ensure_future(self.connect())

    async def connect(self):
        loop, target = asyncio.get_running_loop(), self.proxy.target
        try:
            if isinstance(target, tuple):
                await loop.create_connection(lambda: self.far, *target)
            else:
                await loop.create_unix_connection(lambda: self.far, target)
        except OSError:
            self.near.transport.abort()  # the target is away
            return
        if self.near.transport.is_closing():
            self.far.transport.abort()
            return
        self.proxy.lines.add(self)
        self.is_through = True
        self.near.go_on()

    def cut(self):
        self.proxy.lines.discard(self)
        for end in (self.near, self.far):
            if end.transport:
                end.transport.abort()


class Proxy:
    def __init__(self, name, seed):
        self.name = name
        self.target = None  # a path, or (host, port); may change while it runs
        self.port = None
        self.delay_s = 0.0  # each piece, at most
        self.held = self.closed = self.deaf = False
        self.chance = random.Random(seed)
        self.server = None
        self.lines = set()
        self.kept = set()  # lines whose bytes wait; those that come later pass

    async def listen(self, path=None):
        loop = asyncio.get_running_loop()
        if path:
            self.server = await loop.create_unix_server(self.accept, path)
        else:
            self.server = await loop.create_server(self.accept, "127.0.0.1", 0)
            self.port = self.server.sockets[0].getsockname()[1]

    def accept(self):
        return Line(self).near

    def is_held(self, line):
        return self.held or line in self.kept

    def is_troubled(self, line):
        return self.delay_s or self.is_held(line)

    def cut(self):
        for line in list(self.lines):
            line.cut()

    def keep(self):
        self.kept = set(self.lines)

    def heal(self):
        self.delay_s = 0.0
        self.kept = set()
        self.held = self.closed = self.deaf = False

    async def stop(self):
        self.cut()
        self.server.close()
        await self.server.wait_closed()
