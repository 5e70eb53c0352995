"""proxy.py - the wires between two processes, cut, held, slowed and made deaf on demand.

A proxy listens on a unix socket or on a port of its own and passes bytes on to its target.
Nothing is changed or reordered within a connection; what TCP may do, it may do.
"""
import asyncio
import random

CHUNK = 65536


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
        if path:
            self.server = await asyncio.start_unix_server(self.accept, path)
        else:
            self.server = await asyncio.start_server(self.accept, "127.0.0.1", 0)
            self.port = self.server.sockets[0].getsockname()[1]

    async def accept(self, reader, writer):
        other = None
        try:
            if self.closed:
                return
            if isinstance(self.target, tuple):
                from_target, other = await asyncio.open_connection(*self.target)
            else:
                from_target, other = await asyncio.open_unix_connection(self.target)
            line = (writer, other)
            self.lines.add(line)
            ways = [asyncio.ensure_future(self.pump(reader, other, False, line)),
                    asyncio.ensure_future(self.pump(from_target, writer, True, line))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self.lines.discard(line)
        except OSError:
            pass  # the target is away
        finally:
            for w in (writer, other):
                if w:
                    w.transport.abort()

    async def pump(self, reader, writer, is_answer, line):
        while True:
            data = await reader.read(CHUNK)
            if not data:
                return
            if self.delay_s:
                await asyncio.sleep(self.chance.uniform(0, self.delay_s))
            while self.held or line in self.kept:
                await asyncio.sleep(0.01)
            if self.deaf and is_answer:
                continue  # done, but nobody hears of it; the connection is cut next
            writer.write(data)
            await writer.drain()

    def cut(self):
        for line in list(self.lines):
            for w in line:
                w.transport.abort()

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
