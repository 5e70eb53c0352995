"""stack.py - everything that takes part in a round: private PostgreSQL and Redis, two dialers,
two workers, a server, the carrier or a provider, a speech service, with a proxy on each wire.
"""
import asyncio
import glob
import json
import os
import pwd
import random
import shutil
import signal
import subprocess
import time

import psycopg

from provider import BASE as PUBLIC_URL, TOKEN, Provider
from proxy import Proxy

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("FURROW_BUILD") or os.path.join(SOURCE, "build", "dev")
BIN = os.path.join(BUILD, "bin")
SPOKEN = "record commission for five bags of yirgacheffe grade A from farmer john"


class Broken(Exception):
    """A promise that was not held, or something that did not come in time."""


def other_user():
    """PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return None
    for name in ("furrow", "postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            pass
    return None


async def until(seconds, what, condition):
    end = time.monotonic() + seconds
    while True:
        try:
            if await condition():
                return
        except Broken:
            pass
        if time.monotonic() > end:
            raise Broken(f"waited {seconds} s in vain: {what}")
        await asyncio.sleep(0.2)


class Base:
    """What the rounds of a lane share: the two servers and a database to copy from."""

    def __init__(self, folder):
        self.folder = folder
        self.processes = {}
        self.idle = {}  # connections to PostgreSQL by database
        self.user = other_user()
        self.pg_bin = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
        self.pg_socket = os.path.join(folder, "pg-socket")
        self.redis_path = os.path.join(folder, "redis", "redis.sock")
        self.logs = os.path.join(folder, "log")
        self.data = os.path.join(folder, "data")
        for path in (self.logs, self.data, self.pg_socket, os.path.dirname(self.redis_path)):
            os.makedirs(path, exist_ok=True)
        os.chmod(folder, 0o755)

    def start(self, name, argv, env=None, user=None):
        log = open(os.path.join(self.logs, name + ".log"), "ab")
        drop = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
        self.processes[name] = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, **(env or {})}, **drop)
        log.close()

    def is_alive(self, name):
        p = self.processes.get(name)
        return p is not None and p.poll() is None

    def signal(self, name, number):
        if self.is_alive(name):
            self.processes[name].send_signal(number)

    async def kill(self, name):
        p = self.processes.pop(name, None)
        if p and p.poll() is None:
            p.kill()
            p.send_signal(signal.SIGCONT)
            while p.poll() is None:
                await asyncio.sleep(0.005)

    def owned(self, path):
        if self.user:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)

    # ---- PostgreSQL and Redis ----

    async def pg_start(self):
        data = os.path.join(self.folder, "pg")
        if not os.path.exists(os.path.join(data, "PG_VERSION")):
            os.makedirs(data, mode=0o700)
            self.owned(data)
            self.owned(self.pg_socket)
            drop = {"user": self.user.pw_uid, "group": self.user.pw_gid,
                    "extra_groups": []} if self.user else {}
            subprocess.run([self.pg_bin + "/initdb", "-D", data, "-U", "furrow", "-A", "trust",
                            "-E", "UTF8", "--no-locale", "--no-sync"], check=True,
                           stdout=subprocess.DEVNULL, cwd="/", **drop)
        # No fsync: a killed process loses nothing by it, only a killed machine would.
        settings = ("listen_addresses=", "fsync=off", "full_page_writes=off", "jit=off",
                    "wal_level=minimal", "max_wal_senders=0", "max_wal_size=96MB",
                    "dynamic_shared_memory_type=mmap",  # nothing is left in /dev/shm
                    "max_connections=200", "log_min_messages=fatal", "track_commit_timestamp=on")
        self.start("postgres", [self.pg_bin + "/postgres", "-D", data, "-k", self.pg_socket] +
                   [word for s in settings for word in ("-c", s)], user=self.user)
        await until(30, "PostgreSQL answers", self.pg_answers)

    async def pg_answers(self):
        return await self.sql("SELECT 1", "postgres") == "1"

    async def pg_kill(self):
        p = self.processes["postgres"]
        children = subprocess.run(["pgrep", "-P", str(p.pid)], capture_output=True,
                                  text=True).stdout.split()
        await self.kill("postgres")

        async def gone():
            return not any(os.path.exists(f"/proc/{c}") for c in children)
        await until(20, "PostgreSQL's children end", gone)
        await self.sql_close()

    async def redis_start(self):
        self.owned(os.path.dirname(self.redis_path))
        self.start("redis", ["redis-server", "--port", "0", "--unixsocket", self.redis_path,
                             "--unixsocketperm", "777", "--save", "", "--appendonly", "no",
                             "--dir", os.path.dirname(self.redis_path)], user=self.user)

        async def answers():
            return await self.redis("PING") == "PONG"
        await until(20, "Redis answers", answers)

    async def redis(self, *words):
        """One command on a connection of its own: an answer of Redis as Python has it."""
        async def read(reader):
            kind, rest = (line := (await reader.readline()).decode().strip())[:1], line[1:]
            if kind in ("*", "$") and int(rest) < 0:
                return None
            if kind == "*":
                return [await read(reader) for _ in range(int(rest))]
            if kind == "$":
                return (await reader.readexactly(int(rest) + 2))[:-2].decode()
            if kind == "-":
                raise Broken(f"Redis: {rest}")
            return int(rest) if kind == ":" else rest

        try:
            reader, writer = await asyncio.open_unix_connection(self.redis_path)
            writer.write(b"".join([f"*{len(words)}\r\n".encode()] + [
                f"${len(w)}\r\n{w}\r\n".encode() for w in words]))
            answer = await read(reader)
            writer.close()
            return answer
        except (OSError, ValueError, asyncio.IncompleteReadError) as e:
            raise Broken(f"Redis: {e}") from e

    async def sql(self, text, database):
        """Rows as psql -At prints them. A connection that broke is not used again."""
        idle = self.idle.setdefault(database, [])
        conn = idle.pop() if idle else None
        try:
            if not conn:
                conn = await psycopg.AsyncConnection.connect(
                    host=self.pg_socket, user="furrow", dbname=database, autocommit=True)
            result = (await conn.execute(text)).pgresult
        except BaseException as e:
            if conn:
                await conn.close()
            if isinstance(e, psycopg.Error):
                raise Broken(f"PostgreSQL: {e}") from e
            raise
        idle.append(conn)
        return "\n".join("|".join((result.get_value(row, column) or b"").decode()
                                  for column in range(result.nfields))
                         for row in range(result.ntuples)).strip()

    async def sql_close(self):
        for conn in sum(self.idle.values(), []):
            await conn.close()
        self.idle = {}

    async def furrow(self, database, *words, clock=""):
        p = await asyncio.create_subprocess_exec(
            os.path.join(BIN, "furrow"), *words, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, **self.env(), "FURROW_CLOCK_OFFSET_FILE": clock,
                 "DATABASE_URL": f"host={self.pg_socket} user=furrow dbname={database}"})
        out, _ = await p.communicate()
        if p.returncode:
            raise Broken(f"furrow {' '.join(words)}: {out.decode().strip()}")
        return out.decode()

    def env(self):
        return {"FURROW_DATA_DIR": self.data, "FURROW_PUBLIC_URL": PUBLIC_URL,
                "FURROW_SECRET_KEY": "ZiJX9pDYNsplWoT7F+IXsgP8t551bRXT8CG8waEDJPg=",  # nobody's
                "FURROW_PACKS_DIR": os.path.join(SOURCE, "tests", "data", "packs")}

    async def prepare_provider(self, db):
        token, doc = os.path.join(self.folder, "token"), os.path.join(self.folder, "campaign.json")
        with open(token, "w", encoding="ascii") as f:
            f.write(TOKEN)
        with open(os.path.join(HERE, "campaign.json"), encoding="utf-8") as f:
            campaign = {**json.load(f), "trunk": "provider", "caller_id": "+15550100"}
        with open(doc, "w", encoding="utf-8") as f:
            json.dump(campaign, f)
        await self.furrow(db, "provider", "add", "tw", "--kind", "twilio", "--account", "AC01",
                          "--token-file", token, "--settings", '{"cps": 25}')
        await self.furrow(db, "trunk", "add", "provider", "--kind", "twilio", "--account", "tw",
                          "--cps", "25", "--max-channels", "12",
                          "--settings", '{"look_s": 1, "search_s": 3}')
        await self.furrow(db, "campaign", "create", doc)

    async def prepare(self, people, provider=False):
        """A database with a campaign that has not begun; Postgres is ended as it should be, for
        others to copy its files."""
        await self.pg_start()
        await self.sql("CREATE DATABASE template_round", "postgres")
        await self.furrow("template_round", "migrate")
        csv = os.path.join(self.folder, "people.csv")
        with open(csv, "w", encoding="ascii") as f:
            f.write("phone,name\n")
            for i in range(people):
                f.write(f"+251911000{i:03d},person {i}\n")
        db = "template_round"
        await self.furrow(db, "contacts", "import", csv, "--list", "people")
        await self.furrow(db, "flow", "publish", os.path.join(HERE, "flow.json"))
        if provider:
            await self.prepare_provider(db)
        else:
            await self.furrow(db, "trunk", "add", "carrier", "--kind", "ari", "--endpoint",
                              "PJSIP/{number}@carrier", "--cps", "25", "--max-channels", "12")
            await self.furrow(db, "campaign", "create", os.path.join(HERE, "campaign.json"))
        out = await self.furrow(db, "key", "create", "site", "--scope", "opt_outs", "--json")
        await self.sql_close()
        self.processes["postgres"].send_signal(signal.SIGINT)

        async def ended():
            return not self.is_alive("postgres")
        await until(30, "PostgreSQL ends", ended)
        return json.loads(out)["key"]

    async def copy(self, mould, key):
        """What another has prepared, and servers of its own."""
        for what in ("pg", "data"):
            subprocess.run(["cp", "-a", "-T", "--reflink=auto", os.path.join(mould, what),
                            os.path.join(self.folder, what)], check=True)
        self.owned(self.pg_socket)
        self.key = key
        await self.pg_start()
        await self.redis_start()

    async def stop(self):
        await self.sql_close()
        for name in list(self.processes):
            await self.kill(name)


class Round:
    """The programs of one round, on a database of its own."""

    def __init__(self, base, seed, over_provider=False):
        self.base = base
        self.seed = seed
        self.over_provider, self.provider = over_provider, None
        self.folder = os.path.join(base.folder, "round")
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(os.path.join(self.folder, "carrier"))
        self.database = f"round_{seed}"
        self.proxies = {}
        self.carrier_port = 0
        self.server_port = 0
        self.offset_file = os.path.join(self.folder, "clock")
        self.offsets = []  # (real seconds, offset ms)
        self.asr = None
        self.times, self.marked = [], time.monotonic()  # how long each part took
        # How many connections a program has is chance too; each costs its plans.
        self.connections = random.Random(f"{seed} connections").choice("1224")
        self.log_from, self.fault = {}, {}
        self.wanted = set()  # programs that must be alive

    async def sql(self, text):
        return await self.base.sql(text, self.database)

    def mark(self, what):
        now = time.monotonic()
        self.times.append(f"{what} {now - self.marked:.1f}")
        self.marked = now

    async def proxy(self, owner, what, target):
        p = Proxy(f"{owner}-{what}", f"{self.seed} {owner} {what}")
        p.target = target
        self.proxies[p.name] = p
        if what in ("ari", "api", "hooks"):
            await p.listen()
        else:
            folder = os.path.join(self.folder, owner)
            os.makedirs(folder, exist_ok=True)
            await p.listen(os.path.join(folder, os.path.basename(target)))
        return p

    async def wires(self, owner):
        await self.proxy(owner, "pg", os.path.join(self.base.pg_socket, ".s.PGSQL.5432"))
        await self.proxy(owner, "redis", self.base.redis_path)

    def set_clock(self, offset_ms):
        """In place: the file is mapped by every program, and read as one piece of 32 bytes."""
        mode = "r+b" if os.path.exists(self.offset_file) else "w+b"
        with open(self.offset_file, mode) as f:
            f.write(f"{offset_ms}\n".encode().ljust(32, b"\0"))
        self.offsets.append((time.time(), offset_ms))

    def env_of(self, owner):
        folder = os.path.join(self.folder, owner)
        return {**self.base.env(),
                "DATABASE_URL": f"host={folder} user=furrow dbname={self.database}",
                "REDIS_URL": f"unix://{folder}/redis.sock",
                "FURROW_CLOCK_OFFSET_FILE": self.offset_file,
                "FURROW_DB_THREADS": self.connections, "FURROW_CONNECTIONS": self.connections,
                "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1",
                "FURROW_LOG_LEVEL": os.environ.get("ROUNDS_LOG_LEVEL", "info")}

    def begin(self, name, fault=""):
        """fault: where it is to die by itself, see base/fault.h; once."""
        self.fault[name] = fault
        env = {**self.env_of(name), "FURROW_FAULT": fault}
        if name.startswith("dialer"):
            env.update(FURROW_RECORDING_LOOK_MS="400", FURROW_DRAIN_S="3")
            if not self.over_provider:
                port = self.proxies[name + "-ari"].port
                env.update(FURROW_ARI_URL=f"http://127.0.0.1:{port}/ari",
                           FURROW_ARI_USER="furrow", FURROW_ARI_SECRET="secret")
            argv = ["furrow-dialer"]
        elif name.startswith("worker"):
            env.update(FURROW_LEASE_S="1", FURROW_RETRY_BASE_MS="50", FURROW_RETRY_MAX_S="1",
                       FURROW_GRACE_S="5", FURROW_ARI_USER="furrow", FURROW_ARI_SECRET="secret",
                       FURROW_ASR_URL=f"http://127.0.0.1:{self.asr_port}")
            argv = ["furrow-worker"]
        elif name == "server":
            env.update(FURROW_PORT=str(self.server_port), FURROW_RECORDING_WAIT_S="1",
                       FURROW_PORT_FILE=os.path.join(self.folder, "server.port"))
            argv = ["furrow-server"]
        log = os.path.join(self.base.logs, name + ".log")
        self.log_from[name] = os.path.getsize(log) if os.path.exists(log) else 0
        self.base.start(name, [os.path.join(BIN, argv[0])], env)
        self.wanted.add(name)

    def was_ready(self, name):
        """Whether it came as far as its work. One that cannot reach its database at the start
        says so and ends: whoever supervises it starts it again, here and elsewhere."""
        with open(os.path.join(self.base.logs, name + ".log"), "rb") as f:
            f.seek(self.log_from[name])
            text = f.read()
        return any(w in text for w in (b"state=started", b"state=working", b"state=listening",
                                       b"Sanitizer"))

    async def kill(self, name):
        self.wanted.discard(name)
        await self.base.kill(name)

    async def carrier_start(self):
        folder = os.path.join(self.folder, "carrier")
        port_file = os.path.join(folder, "port")
        if os.path.exists(port_file):
            os.unlink(port_file)
        self.base.start("carrier", [os.path.join(BUILD, "tests", "furrow-test-carrier"), folder,
                                    str(self.seed), str(self.carrier_port)])

        async def listens():
            return os.path.exists(port_file)
        await until(20, "the carrier listens", listens)
        with open(port_file, encoding="ascii") as f:
            self.carrier_port = int(f.read())
        for name, p in self.proxies.items():
            if name.endswith("-ari"):
                p.target = ("127.0.0.1", self.carrier_port)

    async def provider_start(self):
        self.provider = Provider(os.path.join(self.folder, "carrier", "log"), self.seed)
        api = await self.proxy("provider", "api", ("127.0.0.1", await self.provider.start()))
        hooks = await self.proxy("provider", "hooks", None)
        self.provider.hooks_port = hooks.port
        await self.sql("UPDATE provider_accounts SET settings = settings || "
                       f"""'{{"api_url": "http://127.0.0.1:{api.port}"}}'""")

    async def start(self):
        if not self.base.is_alive("postgres"):
            await self.base.pg_start()
        if not self.base.is_alive("redis"):
            await self.base.redis_start()
        await self.base.sql(f"DROP DATABASE IF EXISTS {self.database}", "postgres")
        await self.base.sql(f"CREATE DATABASE {self.database} TEMPLATE template_round "
                            "STRATEGY file_copy", "postgres")
        await self.base.redis("FLUSHALL")
        self.set_clock(0)
        self.asr = await asyncio.start_server(self.hear, "127.0.0.1", 0)
        self.asr_port = self.asr.sockets[0].getsockname()[1]
        for owner in ("dialer0", "dialer1", "worker0", "worker1", "server"):
            await self.wires(owner)
        if self.over_provider:
            await self.provider_start()
        else:
            for owner in ("dialer0", "dialer1"):
                await self.proxy(owner, "ari", None)
            await self.carrier_start()
        for name in ("server", "dialer0", "dialer1", "worker0", "worker1"):
            self.begin(name)

        async def both():
            return await self.sql("SELECT count(*) FROM node_slots WHERE kind = 'dialer'") == "2"
        await until(30, "both dialers have their slots", both)
        port_file = os.path.join(self.folder, "server.port")

        async def listens():
            return os.path.exists(port_file) and os.path.getsize(port_file) > 0
        await until(20, "the server listens", listens)
        with open(port_file, encoding="ascii") as f:
            self.server_port = int(f.read())
        if self.over_provider:
            self.proxies["provider-hooks"].target = ("127.0.0.1", self.server_port)

    async def hear(self, reader, writer):
        """The speech service: understands everybody alike, but not every time."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            for line in head.split("\r\n"):
                if line.lower().startswith("expect:"):
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                if line.lower().startswith("content-length:"):
                    await reader.readexactly(int(line.split(":")[1]))
            chance = time.monotonic_ns() // 1000 % 10
            if chance == 0:
                return
            body = json.dumps({"text": SPOKEN})
            status = "500 Broken" if chance == 1 else "200 OK"
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n"
                         f"Content-Type: application/json\r\nConnection: close\r\n\r\n{body}"
                         .encode())
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def left_at_carrier(self):
        folder = os.path.join(self.folder, "carrier", "recordings")
        return [n.removesuffix(".wav") for n in os.listdir(folder)] if os.path.exists(folder) else []

    def log_of_carrier(self):
        if not os.path.exists(os.path.join(self.folder, "carrier", "log")):
            return []
        with open(os.path.join(self.folder, "carrier", "log"), encoding="ascii") as f:
            return [line.split() for line in f]

    async def stop(self):
        for name in list(self.base.processes):
            if name not in ("postgres", "redis"):
                await self.base.kill(name)
        if self.provider:
            await self.provider.stop()
        for p in self.proxies.values():
            await p.stop()
        if self.asr:
            self.asr.close()
        await self.base.sql_close()
        try:
            await self.base.sql(f"DROP DATABASE IF EXISTS {self.database} WITH (FORCE)", "postgres")
        except Broken:
            pass
