"""verdict.py - what must hold after a round. The carrier's log is one witness, the database
another, Redis a third; here their stories are laid side by side.
"""
import bisect
import collections

LIMIT_PER_NUMBER = 3  # campaign.json
RETRY_S = 1.0  # from the end of a call to the next one, at least
CHANNELS = 9
# How long a request may be on its way: a permit lives two seconds, and a wire of ours holds
# what it carries for at most one, unless the round says that it was longer.
PERMIT_S = 2.0
HELD_S = 1.0
SHORT_MS = 510  # nobody has said anything in less than half a second

OPEN = "('intent', 'released', 'ringing', 'answered')"


class Witness:
    """The carrier's log, read."""

    def __init__(self, lines):
        self.posts = []  # (seconds, attempt, phone, app, fate)
        self.up = {}
        self.ends = {}
        self.stored = []
        boots = []
        for line in lines:
            at = int(line[1]) / 1e6
            if line[0] == "post":
                self.posts.append((at, line[2], line[3], line[4], line[5]))
            elif line[0] == "up":
                self.up[line[2]] = at
            elif line[0] == "end":
                self.ends[line[2]] = at
            elif line[0] == "stored":
                self.stored.append((line[2], int(line[3])))
            else:
                boots.append(at)
        self.calls = [p for p in self.posts if p[4] == "dialled"]
        # A call without an end lasted until the carrier's next death.
        self.until = {}
        for at, attempt, *_ in self.calls:
            i = bisect.bisect_right(boots, at)
            self.until[attempt] = self.ends.get(attempt,
                                                boots[i] if i < len(boots) else float("inf"))


def business(offsets, at):
    """The instant on the stepped clock, in seconds."""
    i = bisect.bisect_right([o[0] for o in offsets], at) - 1
    return at + (offsets[i][1] if i >= 0 else 0) / 1000


def clocks(offsets, since, until):
    """The offsets that were in effect between two moments, in seconds."""
    first = bisect.bisect_right([o[0] for o in offsets], since) - 1
    return [ms / 1000 for at, ms in offsets[max(first, 0):] if at <= until] or [0.0]


def of_calls(w, opted_out, silenced, held_s=0.0):
    """Breaches that the carrier alone can see."""
    seen = collections.Counter(p[1] for p in w.posts)
    for attempt, n in seen.items():
        if n > 1:
            yield f"attempt {attempt} reached the carrier {n} times"
    by_phone = collections.defaultdict(list)
    for call in w.calls:
        by_phone[call[2]].append(call)
    for phone, calls in by_phone.items():
        if len(calls) > LIMIT_PER_NUMBER:
            yield f"{phone} was called {len(calls)} times, allowed are {LIMIT_PER_NUMBER}"
        for before, after in zip(calls, calls[1:]):
            if after[0] < w.until[before[1]] - 0.05:
                yield (f"{phone} was called by {after[1]} "
                       f"{w.until[before[1]] - after[0]:.3f} s before the call {before[1]} was over")
        if phone in opted_out:
            for at, attempt, *_ in calls:
                if at > opted_out[phone] + PERMIT_S + max(HELD_S, held_s):
                    yield f"{phone} was called {at - opted_out[phone]:.3f} s after it had opted out: {attempt}"
    edges = sorted([(c[0], 1) for c in w.calls] + [(w.until[c[1]], -1) for c in w.calls])
    living = most = 0
    for _, step in edges:
        living += step
        most = max(most, living)
    if most > CHANNELS:
        yield f"{most} calls at once, allowed are {CHANNELS}"
    for app, since, until in silenced:
        for at, attempt, _, of, _ in w.posts:
            if of == app and since < at < until:
                yield f"{app} sent {attempt} {at - since:.3f} s after another had taken its place"
    for attempt, until in w.until.items():
        if until == float("inf"):
            yield f"the call {attempt} is still up at the carrier"


# Each must answer nothing; the words before it say what a row of it means.
ROWS = {
    "a contact is not final":
        "SELECT phone, state, next_attempt_at FROM campaign_contacts WHERE state <> 'final'",
    "an attempt is open":
        f"SELECT id, state, slot, note FROM attempts WHERE state IN {OPEN}",
    "a call has no end": "SELECT id FROM calls WHERE ended_at IS NULL",
    "a job is not done": "SELECT id, kind, state FROM jobs WHERE state IN ('queued', 'running')",
    "a buried job without a visible failure":
        """SELECT j.id, j.kind, j.last_error, r.state FROM jobs j LEFT JOIN recordings r
           ON r.id::text = j.unique_key WHERE j.state = 'buried' AND coalesce(r.state, '') NOT IN
           ('failed', 'needs_person', 'done')""",
    "a job is leased": "SELECT id, lease_holder FROM jobs WHERE lease_holder IS NOT NULL",
    "an id waits in the outbox": "SELECT job_id, kind FROM outbox",
    "a recording has neither a result nor a visible failure":
        """SELECT name, state, error FROM recordings WHERE state NOT IN
           ('done', 'empty', 'needs_person', 'failed', 'lost_media')""",
    "a lost recording without a reason":
        "SELECT name, state FROM recordings WHERE state IN ('failed', 'lost_media') AND error = ''",
    "a recording is done without a transcript":
        """SELECT name FROM recordings r WHERE state = 'done' AND NOT EXISTS
           (SELECT FROM transcripts t WHERE t.recording_id = r.id)""",
    "the counter of a contact differs from its attempts":
        """SELECT c.phone, c.attempts, count(a.id) FROM campaign_contacts c LEFT JOIN attempts a
           ON a.campaign_id = c.campaign_id AND a.contact_id = c.contact_id
           AND a.state IN ('ended', 'unknown') GROUP BY c.phone, c.attempts
           HAVING c.attempts <> count(a.id)""",
    "a final contact was called more often than it may":
        f"""SELECT phone, count(*) FROM attempts WHERE state IN ('ended', 'unknown')
            GROUP BY phone HAVING count(*) > {LIMIT_PER_NUMBER}""",
    "an attempt without an allowing decision":
        """SELECT id FROM attempts a WHERE (released_at IS NOT NULL OR state IN
           ('ended', 'unknown')) AND NOT EXISTS (SELECT FROM decisions d WHERE
           d.attempt_id = a.id AND d.stage = 2 AND d.reason = 0)""",
    # What the stepped clock says does not count here, only what was committed first.
    "a call was allowed after its opt-out":
        """SELECT d.attempt_id, d.phone FROM decisions d JOIN dnc_entries e ON e.phone = d.phone
           AND e.removed_at IS NULL AND e.campaign_id IN (0, d.campaign_id) WHERE d.stage = 2 AND
           d.reason = 0 AND pg_xact_commit_timestamp(d.xmin) > pg_xact_commit_timestamp(e.xmin)""",
    "a number stands twice on the do-not-call list":
        """SELECT phone, count(*) FROM dnc_entries WHERE removed_at IS NULL
           GROUP BY phone, coalesce(campaign_id, 0) HAVING count(*) > 1""",
}


async def of_rows(sql):
    query = " UNION ALL ".join(
        f"SELECT '{what}: ' || string_agg(t::text, ' ') FROM (SELECT * FROM ({q}) q LIMIT 3) t"
        for what, q in ROWS.items())
    for breach in (await sql(query)).split("\n"):
        if breach:
            yield breach


def too_soon(w, offsets, ledger, held_s=0.0):
    """What the ledger gave up as unknown may have been over before it arrived; of all others
    it knows the end, and that is never before the end at the carrier. The clock that allowed a
    call may have been stepped while the request was on its way."""
    on_way = PERMIT_S + max(HELD_S, held_s)
    last = {}
    for at, attempt, phone, *_ in w.calls:
        before = last.get(phone)
        last[phone] = attempt
        if not before or ledger.get(before, ("",))[0] != "ended":
            continue
        over = w.until[before]
        gap = max(at + o for o in clocks(offsets, max(at - on_way, over), at)) - \
            business(offsets, over)
        if gap < RETRY_S - 0.1:
            yield f"{phone} was called {gap:.3f} s after the call {before} was over: {attempt}"


def too_late(w, given_up):
    """What was given up must not reach the carrier any more: absent was believed too soon.
    given_up: attempt and the real second of its last move."""
    for at, attempt, phone, _, fate in w.posts:
        if fate == "dialled" and at > given_up.get(attempt, at) + 0.05:
            yield (f"{phone} was called by {attempt} {at - given_up[attempt]:.3f} s after the "
                   "ledger had given it up")


GIVEN_UP = """SELECT id, extract(epoch FROM pg_xact_commit_timestamp(xmin)) FROM attempts
              WHERE state IN ('unknown', 'withdrawn')"""


async def of_given_up(w, sql):
    rows = [row.split("|") for row in (await sql(GIVEN_UP)).split("\n") if row]
    for breach in too_late(w, {attempt: float(at) for attempt, at in rows}):
        yield breach


async def of_stories(w, sql, left, offsets, held_s=0.0):
    """The carrier's and the ledger's. left: recordings that the carrier still has."""
    ledger = {}
    states = {}
    for row in (await sql("SELECT id, state, coalesce(disposition, ''), answered_at IS NOT NULL "
                          "FROM attempts UNION ALL SELECT id, state, name, NULL "
                          "FROM recordings")).split("\n"):
        key, state, text, answered = row.split("|") if row else ("", "", "", "")
        if answered:
            ledger[key] = (state, text, answered == "t")
        else:
            states[text] = state
    for breach in too_soon(w, offsets, ledger, held_s):
        yield breach
    posted = {p[1] for p in w.posts}
    for at, attempt, phone, _, fate in w.posts:
        state = ledger.get(attempt, ("nothing", "", False))[0]
        if fate == "dialled" and state not in ("ended", "unknown"):
            yield f"the carrier had the call {attempt} to {phone}, the ledger says {state}"
    for attempt, (state, disposition, answered) in ledger.items():
        if state == "ended" and attempt not in posted:
            yield f"the ledger says that {attempt} ended as {disposition}, the carrier never had it"
        if answered and attempt not in w.up:
            yield f"the ledger says that {attempt} was answered, at the carrier it was not"
    for name in left:
        if states.get(name) not in ("failed", "lost_media"):
            yield f"{name} is {states.get(name, 'unknown')} and was left at the carrier"
    for name, ms in w.stored:
        if states.get(name) in (None, "lost_media") or states[name] == "empty" and ms > SHORT_MS:
            yield (f"the carrier has stored {ms} ms of {name}, "
                   f"the ledger says {states.get(name, 'nothing')}")


async def of_redis(redis):
    """Nothing is held any more."""
    for key in await redis("KEYS", "furrow:*:pace:*:slots"):
        n = await redis("ZCARD", key)
        if n:
            yield f"{n} slots are held in {key}: {await redis('ZRANGE', key, '0', '2')}"
    for key in await redis("KEYS", "furrow:*:jobs:*"):
        if await redis("TYPE", key) != "stream":
            continue
        n, pending = await redis("XLEN", key), (await redis("XPENDING", key, "workers"))[0]
        if n or pending:
            yield f"{key} has {n} entries, {pending} of them pending"
