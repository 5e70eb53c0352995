"""The calling rules once more, in another language, on another time zone library.

Written from the rules, not from the program: verdict(case, packs) answers a case in the form of
tests/data/compliance-cases.json with the keys of its "expect". Every instant is a whole second.
The next allowed instant is found by trying candidates: window edges of every zone and clock, local
midnights, changes of offset, and the ends of history rules.
"""
import bisect
import calendar
import datetime as dt
import json
import os
import zoneinfo

import phonenumbers
from phonenumbers.timezone import time_zones_for_number
from phonenumbers.tzdata import TIMEZONE_DATA

UTC = dt.timezone.utc
HERE = os.path.dirname(os.path.abspath(__file__))
DAY = 86400
HORIZON_DAYS = 75
NO_SUCH = dt.date(1, 1, 1)

CODES = {
    "NUMBER_INVALID": (101, "PERM"), "NUMBER_TYPE_FORBIDDEN": (102, "PERM"),
    "NUMBER_EMERGENCY": (103, "PERM"), "NUMBER_PROTECTED": (104, "PERM"),
    "COUNTRY_NOT_ENABLED": (105, "PERM"), "REGION_UNCOVERED": (106, "DATA"),
    "REGISTRATION_MISSING": (107, "DATA"), "PHONE_DATA_STALE": (108, "DATA"),
    "DNC_INTERNAL": (201, "PERM"), "DNC_NATIONAL": (202, "PERM"), "DNC_STATE": (203, "PERM"),
    "DNC_SELLER": (204, "PERM"), "LITIGATOR": (205, "PERM"), "DNC_LIST_MISSING": (206, "DATA"),
    "DNC_LIST_STALE": (207, "DATA"), "DNC_LIST_CORRUPT": (208, "DATA"),
    "WASH_EXPIRED": (209, "DATA"), "DNC_CAMPAIGN": (211, "PERM"),
    "CONSENT_REVOKED": (301, "PERM"), "CONSENT_MISSING": (302, "PERM"),
    "CONSENT_SCOPE": (304, "PERM"), "CONSENT_EXPIRED": (305, "DATA"),
    "CONSENT_EVIDENCE": (306, "DATA"), "MOBILE_FORBIDDEN": (307, "PERM"),
    "REASSIGNED": (308, "PERM"), "RND_STALE": (309, "DATA"), "LINE_TYPE_STALE": (310, "DATA"),
    "VOICE_MODE_FORBIDDEN": (311, "PERM"), "SCRIPT_INCOMPLETE": (312, "DATA"),
    "TZ_UNKNOWN": (401, "DATA"), "TZ_NO_COMMON_WINDOW": (402, "TIME"),
    "OUTSIDE_WINDOW": (403, "TIME"), "DAY_FORBIDDEN": (404, "TIME"), "HOLIDAY": (405, "TIME"),
    "WINDOW_CLOSING": (406, "TIME"), "EMERGENCY_BLOCK": (407, "DATA"), "NOT_BEFORE": (408, "TIME"),
    "TENANT_BLACKOUT": (409, "TIME"), "HOLIDAY_CALENDAR_MISSING": (410, "DATA"),
    "FREQ_DAY": (501, "TIME"), "FREQ_24H": (502, "TIME"), "FREQ_7D": (503, "TIME"),
    "FREQ_30D": (504, "TIME"), "FREQ_LIFETIME": (505, "PERM"),
    "COOLDOWN_CONVERSATION": (506, "TIME"), "COOLDOWN_ABANDONED": (507, "TIME"),
    "COOLDOWN_REFUSAL": (508, "TIME"), "COOLDOWN_RETRY": (509, "TIME"),
    "IN_FLIGHT": (510, "CAP"), "PARTY_IN_FLIGHT": (511, "CAP"), "ABANDON_BUDGET": (601, "CAP"),
    "NO_AGENT_RESERVED": (602, "CAP"), "RING_TIMEOUT_TOO_SHORT": (603, "DATA"),
    "ABANDON_MESSAGE_MISSING": (604, "DATA"), "CALLER_ID_INVALID": (605, "DATA"),
    "CARRIER_LIMIT": (606, "CAP"), "KILL_SWITCH": (701, "CAP"), "POLICY_MISSING": (702, "DATA"),
    "POLICY_INVALID": (703, "DATA"), "PACK_EXPIRED": (704, "DATA"), "CLOCK_UNTRUSTED": (705, "DATA"),
    "TZDATA_STALE": (706, "DATA"), "HISTORY_UNAVAILABLE": (707, "DATA"),
    "DECISION_EXPIRED": (708, "CAP"), "LOG_UNAVAILABLE": (709, "CAP"),
    "CAMPAIGN_STOPPED": (710, "CAP"), "LEAD_CLOSED": (711, "PERM"), "INTERNAL_ERROR": (799, "CAP"),
}
GROUPS = [[108, *range(701, 709), 710, 799], [*range(101, 108), 711], [*range(201, 210), 211],
          [*range(301, 313), 603, 604, 605], [401, 402], range(403, 411), range(506, 510),
          range(501, 506), [510, 511], [601, 602, 606], [709]]


def severity():
    """The order that the worked cases list; what they leave out follows the last listed of its
    group, by number; a group without one stands between its neighbours."""
    with open(os.path.join(HERE, "..", "data", "compliance-cases.json")) as f:
        listed = json.load(f)["severity_order"]
    group_of = {n: g for g, codes in enumerate(GROUPS) for n in codes}
    order = []
    for g in range(len(GROUPS)):
        mine = [c for c in listed if group_of[CODES[c][0]] == g]
        rest = sorted((c for c in CODES if group_of[CODES[c][0]] == g and c not in listed),
                      key=lambda c: CODES[c][0])
        order += mine + rest
    return {c: i for i, c in enumerate(order)}


RANK = severity()
ZONES = {}


def zone(name):
    if name not in ZONES:
        ZONES[name] = zoneinfo.ZoneInfo(name)
    return ZONES[name]


def instant(text):
    if text is None:
        return None
    if len(text) == 10:
        return calendar.timegm(dt.date.fromisoformat(text).timetuple())
    return int(dt.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())


def text_of(t):
    return dt.datetime.fromtimestamp(t, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def wall(tz, t):
    return dt.datetime.fromtimestamp(t, tz)


def seconds(hhmm):
    return int(hhmm[:2]) * 3600 + int(hhmm[3:]) * 60


# ---- where it rings ----

CORRECTED = {"437": ["America/Toronto"], "474": ["America/Edmonton", "America/Regina"],
             "709": ["America/Goose_Bay", "America/St_Johns"]}
ADDED = {"423": ["America/Chicago", "America/New_York"],
         "867": ["America/Iqaluit", "America/Rankin_Inlet"]}
OVERLAYS = {"448": "850", "930": "812", "364": "270", "986": "208", "458": "541"}
TOLL_FREE = "500 800 833 844 855 866 877 888 900".split()


def npa_union(npa):
    zones = set(ADDED.get(npa, []))
    for prefix, names in TIMEZONE_DATA.items():
        if prefix[0] == "1" and prefix[1:4] == npa and len(names) < 30:
            zones |= set(names)
    return zones


UNIONS = {}


def number_zones(number):
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    npa = e164[2:5]
    if number.country_code != 1 or npa in TOLL_FREE:
        return set(time_zones_for_number(number))
    if npa not in UNIONS:
        UNIONS[npa] = set(CORRECTED[npa]) if npa in CORRECTED else (
            npa_union(npa) | (npa_union(OVERLAYS[npa]) if npa in OVERLAYS else set()))
    return UNIONS[npa]


# ---- packs ----

def rows_of(pack):
    """Every pack as rows, the short form of the worked cases too."""
    if "rows" in pack:
        return pack["rows"]
    rows = []
    common = {"purposes": pack["purposes"]} if "purposes" in pack else {}
    if pack.get("week"):
        rows.append({"kind": "windows", "week": pack["week"], **common})
    for v in pack.get("versions", []):
        rows.append({"kind": "windows", **v, **common})
    for f in pack.get("freq", []):
        rows.append({**f, **common, "kind": "frequency", "days": f.get("days")})
    for c in pack.get("cooldowns", []):
        rows.append({**c, **common, "kind": "cooldown"})
    if pack.get("consent_from"):
        rows.append({"kind": "consent", "level": "express", "from": pack["consent_from"], **common})
    if pack.get("mobile"):
        rows.append({"kind": "mobile", "mobile": pack["mobile"], **common})
    return rows


def holidays_of(pack):
    h = pack.get("holidays", [])
    dates = h["dates"] if isinstance(h, dict) else h
    until = h.get("until") if isinstance(h, dict) else None
    return {dt.date.fromisoformat(d) for d in dates}, until and dt.date.fromisoformat(until)


class Case:
    def __init__(self, case, packs, state_of):
        self.policy, self.facts = case["policy"], case.get("facts", {})
        self.history = case.get("history", [])
        self.now = instant(case["instant_utc"])
        self.text = case["number_e164"]
        self.purpose = self.policy.get("purpose", "telemarketing")
        if self.purpose == "debt":
            self.purpose = "debt_collection"
        self.voice = self.policy.get("voice_mode", "live")
        try:
            self.number = phonenumbers.parse(self.text)
            self.valid = phonenumbers.is_valid_number(self.number)
        except phonenumbers.NumberParseException:
            self.number, self.valid = None, False
        self.region = phonenumbers.region_code_for_number(self.number) if self.valid else ""
        self.state = state_of(self.text) if self.valid else ""
        self.address = self.facts.get("address_region", "")
        self.find_packs(packs)
        self.find_zones()

    def find_packs(self, packs):
        self.packs, self.uncovered = [], False
        mode = self.policy.get("packs", "auto")

        def speaks(p):
            return any(self.purpose in r.get("purposes", [self.purpose]) for r in rows_of(p))

        def add(name):
            if name not in packs or not speaks(packs[name]):
                return False
            if name not in self.packs:
                self.packs.append(name)
            return True
        if mode != "auto":
            self.uncovered = not all([add(n) for n in mode])
        else:
            for region in (self.region, self.state, self.address):
                if region:
                    self.uncovered |= not add(region[:2])
                    if len(region) > 2:
                        add(region)
            if self.region == "US" and not self.state.startswith("US-") \
                    and not self.address.startswith("US-"):
                add("US-UNKNOWN")
        self.rows = [(packs[n], r) for n in self.packs for r in rows_of(packs[n])
                     if self.purpose in r.get("purposes", [self.purpose])
                     and self.voice in r.get("voices", [self.voice])]
        self.pack_data = [packs[n] for n in self.packs]

    def find_zones(self):
        given = list(self.facts.get("address_zones", []))
        if self.facts.get("tz_confirmed") and given:
            self.names = set(given)
        else:
            self.names = set(given) | (number_zones(self.number) if self.valid else set())
            if not self.valid:
                self.names = set() if not given else self.names
        limit = self.policy.get("tz_max_spread_h", 6) * 3600 or 6 * 3600
        self.tz = []
        try:
            self.tz = [zone(n) for n in sorted(self.names)]
        except Exception:  # a zone that nobody knows
            self.tz = []
        # Dates are those of every zone it may lie in, also when they are too far apart for hours.
        self.dates_in = self.tz or [UTC]
        offsets = [int(wall(z, self.now).utcoffset().total_seconds()) for z in self.tz]
        number_known = self.valid or (self.facts.get("tz_confirmed") and given)
        if not offsets or max(offsets) - min(offsets) > limit or not number_known:
            self.tz = []

    # ---- hours ----

    def in_force(self, row, day):
        return (row.get("from") or "0000") <= day.isoformat() and \
            (not row.get("until") or day.isoformat() < row["until"])

    def row_holds(self, row):
        days = [wall(z, self.now).date() for z in self.dates_in]
        return any(self.in_force(row, d) for d in days)

    @staticmethod
    def inside(intervals, second):
        return any(seconds(a) <= second < seconds(b) for a, b in intervals)

    def day_reason(self, intervals, second):
        if not intervals:
            return {"DAY_FORBIDDEN"}
        return set() if self.inside(intervals, second) else {"OUTSIDE_WINDOW"}

    def intervals(self, pack, row, day, weekday):
        if pack.get("eve_week") and weekday <= 5 and \
                day + dt.timedelta(days=1) in holidays_of(pack)[0]:
            return pack["eve_week"]
        return row["week"][str(weekday)]

    def hours(self, t):
        """The hour reasons at an instant."""
        found = set()
        own = self.policy.get("windows")
        for z in self.tz:
            w = wall(z, t)
            day, second, weekday = w.date(), w.hour * 3600 + w.minute * 60 + w.second, w.isoweekday()
            if day.isoformat() in self.policy.get("blackout_dates", []):
                found |= {"TENANT_BLACKOUT"}
            elif own:
                found |= self.day_reason(own[str(weekday)], second)
            for pack, row in self.rows:
                if row["kind"] != "windows" or not self.in_force(row, day):
                    continue
                if day in holidays_of(pack)[0]:
                    found |= {"HOLIDAY"}
                else:
                    found |= self.day_reason(self.intervals(pack, row, day, weekday), second)
        for pack, row in self.rows:
            if row["kind"] != "windows":
                continue
            for clock in pack.get("extra_clocks", []):
                w = wall(dt.timezone((1 if clock[0] == "+" else -1) *
                                     dt.timedelta(seconds=seconds(clock[1:]))), t)
                if self.in_force(row, w.date()):
                    found |= self.day_reason(row["week"][str(w.isoweekday())],
                                             w.hour * 3600 + w.minute * 60 + w.second)
        return found

    def edges(self, start, days):
        """Every instant of the next days at which hours may change."""
        times = {"00:00"}
        sources = [self.policy["windows"]] if self.policy.get("windows") else []
        clocks = set()
        for pack, row in self.rows:
            if row["kind"] == "windows":
                sources.append(row["week"])
                if pack.get("eve_week"):
                    sources.append({"1": pack["eve_week"]})
                clocks |= set(pack.get("extra_clocks", []))
        for week in sources:
            for day in week.values():
                for a, b in day:
                    times |= {a, b}
        zones = list(self.tz) + [dt.timezone((1 if c[0] == "+" else -1) *
                                             dt.timedelta(seconds=seconds(c[1:]))) for c in clocks]
        found = set()
        for z in zones:
            first = wall(z, start).date() - dt.timedelta(days=1)
            for n in range(days + 2):
                midnight = dt.datetime.combine(first + dt.timedelta(days=n), dt.time())
                for hhmm in times:
                    local = midnight + dt.timedelta(seconds=seconds(hhmm))
                    for fold in (0, 1):
                        # In a gap the two folds lie around it: its end is found below.
                        found.add(int(local.replace(tzinfo=z, fold=fold).timestamp()))
                a, b = (int(midnight.replace(tzinfo=z).timestamp()),
                        int((midnight + dt.timedelta(days=1)).replace(tzinfo=z).timestamp()))
                if wall(z, a).utcoffset() != wall(z, b).utcoffset():
                    while b - a > 1:  # the change itself
                        m = (a + b) // 2
                        if wall(z, m).utcoffset() == wall(z, a).utcoffset():
                            a = m
                        else:
                            b = m
                    found.add(b)
        return sorted(t for t in found if start < t <= start + days * DAY)

    def closes_within(self, t, guard, edges):
        first, last = bisect.bisect_right(edges, t), bisect.bisect_right(edges, t + guard)
        return any(self.hours(e) for e in edges[first:last])

    # ---- history ----

    def counted(self, scope):
        calls = []
        for h in self.history:
            other = h.get("number", self.text) != self.text
            person = h.get("person") and h.get("person") == self.facts.get("person")

            def differs(key):
                return h.get(key) and self.facts.get(key) and h[key] != self.facts[key]
            if other and not person:
                continue
            if scope == "number" and other:
                continue
            if scope == "person_debt" and (differs("person") or differs("debt")):
                continue
            if scope == "subject" and (differs("person") or differs("subject")):
                continue
            calls.append((instant(h["t"]), h.get("outcome", "")))
        return calls

    def frequency_holds(self, r, t):
        calls = [c for c, outcome in self.counted(r.get("scope", "number"))
                 if outcome not in r.get("exclude_outcomes", [])]
        if r.get("days"):
            worst = 0
            for z in self.dates_in:
                first = wall(z, t).date() - dt.timedelta(days=r["days"] - 1)
                worst = max(worst, sum(wall(z, c).date() >= first for c in calls))
            return worst + 1 <= r["max"]
        return sum(c > t - r["seconds"] for c in calls) + 1 <= r["max"]

    def cooldown_holds(self, r, t):
        if r.get("unless") == "guaranteed_agent" and self.facts.get("reserved_agent"):
            return True
        after = r.get("after")
        after = [after] if isinstance(after, str) else after
        for c, outcome in self.counted(r.get("scope", "number")):
            if after and outcome not in after:
                continue
            if r.get("calendar_days"):
                for z in self.dates_in:
                    first = wall(z, c).date() + dt.timedelta(
                        days=r["calendar_days"] + (0 if r.get("first_day_counts") else 1))
                    if wall(z, t).date() < first:
                        return False
            elif t < c + r["seconds"]:
                return False
        return True

    def history_rules(self):
        yield from (("f", r) for r in self.policy.get("frequency", []))
        yield from (("c", r) for r in self.policy.get("cooldowns", []))
        if self.policy.get("min_retry_s"):
            yield "c", {"code": "COOLDOWN_RETRY", "seconds": self.policy["min_retry_s"]}
        for _, row in self.rows:
            if row["kind"] in ("frequency", "cooldown") and self.row_holds(row):
                yield row["kind"][0], row

    def history_reasons(self, t):
        found = {r["code"] for kind, r in self.history_rules()
                 if not (self.frequency_holds(r, t) if kind == "f" else self.cooldown_holds(r, t))}
        if self.policy.get("not_before") and t < instant(self.policy["not_before"]):
            found.add("NOT_BEFORE")
        return found

    def history_ends(self):
        """Instants at which a rule of history may begin to hold."""
        for kind, r in self.history_rules():
            for c, _ in self.counted(r.get("scope", "number")):
                days = r.get("days") if kind == "f" else r.get("calendar_days")
                if not days:
                    yield c + r["seconds"]
                    continue
                for z in self.tz:
                    for extra in (0, 1):
                        day = wall(z, c).date() + dt.timedelta(days=days + extra)
                        for fold in (0, 1):
                            yield int(dt.datetime.combine(day, dt.time()).replace(
                                tzinfo=z, fold=fold).timestamp())
        if self.policy.get("not_before"):
            yield instant(self.policy["not_before"])

    # ---- the rest ----

    def is_mobile(self):
        line = self.facts.get("line_type")
        if line:
            return line == "MOBILE"
        kind = phonenumbers.number_type(self.number) if self.valid else None
        t = phonenumbers.PhoneNumberType
        return kind in (t.MOBILE, t.FIXED_LINE_OR_MOBILE, t.UNKNOWN, None)

    def consent_reason(self, level):
        levels = ["none", "express", "express_written"]
        c, p = self.facts.get("consent", {}), self.policy
        if c.get("revoked") and instant(c["revoked"]) <= self.now:
            return "CONSENT_REVOKED"
        if levels.index(c.get("level", "none")) < levels.index(level):
            return "CONSENT_MISSING"
        if level == "none":
            return None
        if p.get("seller") and c.get("seller") and p["seller"] != c["seller"]:
            return "CONSENT_SCOPE"
        if p.get("consent_max_age_days") and c.get("at") and \
                self.now - instant(c["at"]) > p["consent_max_age_days"] * DAY:
            return "CONSENT_EXPIRED"
        if p.get("consent_evidence") and "evidence" not in c:
            return "CONSENT_EVIDENCE"
        return None

    def list_reasons(self, name, max_age):
        if name == "tenant.internal":
            return set()
        entry = self.facts.get("lists", {}).get(name)
        if entry is None or entry.get("state") == "missing":
            return {"DNC_LIST_MISSING"}
        if entry.get("state") == "corrupt":
            return {"DNC_LIST_CORRUPT"}
        found = set()
        if max_age and entry.get("obtained"):
            age = (dt.datetime.fromtimestamp(self.now, UTC).date() -
                   dt.datetime.fromtimestamp(instant(entry["obtained"]), UTC).date()).days
            if age > max_age:
                found.add("DNC_LIST_STALE")
        if entry.get("hit"):
            found.add(self.hit(name))
        return found

    @staticmethod
    def hit(name):
        if name.startswith("protected."):
            return "NUMBER_PROTECTED"
        if name.startswith("seller."):
            return "DNC_SELLER"
        if name.startswith("litigator"):
            return "LITIGATOR"
        return "DNC_STATE" if name[2:3] == "-" else "DNC_NATIONAL"

    def wash_reasons(self, name):
        entry = self.facts.get("wash", {}).get(name)
        found = set()
        if entry is None or (entry.get("expires") and instant(entry["expires"]) <= self.now):
            found.add("WASH_EXPIRED")
        if entry and entry.get("hit"):
            found.add(self.hit(name))
        return found

    def machine(self):
        p, f = self.policy, self.facts
        if f.get("kill_switch"):
            yield "KILL_SWITCH"
        if f.get("clock_trusted") is False:
            yield "CLOCK_UNTRUSTED"
        if p.get("min_tzdata") and f.get("tzdata_version") and f["tzdata_version"] < p["min_tzdata"]:
            yield "TZDATA_STALE"
        if f.get("decided_at") and p.get("decision_ttl_s") and \
                self.now - instant(f["decided_at"]) > p["decision_ttl_s"]:
            yield "DECISION_EXPIRED"
        if f.get("history_known") is False:
            yield "HISTORY_UNAVAILABLE"
        if f.get("campaign_running") is False or \
                (p.get("not_after") and self.now >= instant(p["not_after"])):
            yield "CAMPAIGN_STOPPED"
        days = [wall(z, self.now).date() for z in self.dates_in]
        for pack in self.pack_data:
            if pack.get("review_by") and max(days).isoformat() > pack["review_by"]:
                yield "PACK_EXPIRED"
            until = holidays_of(pack)[1]
            if self.tz and until and max(days) > until and \
                    any(q is pack and r["kind"] == "windows" for q, r in self.rows):
                yield "HOLIDAY_CALENDAR_MISSING"

    def number_reasons(self):
        t = phonenumbers.PhoneNumberType
        if not self.valid:
            yield "NUMBER_INVALID"
        elif phonenumbers.number_type(self.number) in (
                t.PREMIUM_RATE, t.SHARED_COST, t.PERSONAL_NUMBER, t.PAGER, t.UAN, t.VOICEMAIL):
            yield "NUMBER_TYPE_FORBIDDEN"
        if self.facts.get("emergency"):
            yield "NUMBER_EMERGENCY"
        if self.facts.get("protected"):
            yield "NUMBER_PROTECTED"
        if self.facts.get("lead_closed"):
            yield "LEAD_CLOSED"
        if self.policy.get("countries") and self.region not in self.policy["countries"]:
            yield "COUNTRY_NOT_ENABLED"
        if self.uncovered and not self.policy.get("windows"):
            yield "REGION_UNCOVERED"

    def suppression(self):
        dnc = self.policy.get("dnc", {})
        own = self.facts.get("lists", {}).get("tenant.internal", {})
        if own.get("hit"):
            years = dnc.get("internal_years")
            days = [wall(z, self.now).date() for z in self.dates_in]
            holds = True
            if years and own.get("added"):
                added = dt.date.fromisoformat(own["added"][:10])
                try:
                    end = added.replace(year=added.year + years)
                except ValueError:
                    end = dt.date(added.year + years, 3, 1)
                holds = min(days) < end
            if holds:
                yield "DNC_INTERNAL"
        for name in dnc.get("lists", []):
            yield from self.list_reasons(name, dnc.get("max_age_days", 0))
        for name in dnc.get("wash", []):
            yield from self.wash_reasons(name)
        for _, row in self.rows:
            if row["kind"] == "dnc" and self.row_holds(row):
                ages = [a for a in (row.get("max_age_days", 0), dnc.get("max_age_days", 0)) if a]
                yield from self.list_reasons(row["list"], min(ages) if ages else 0)
            if row["kind"] == "wash" and self.row_holds(row):
                yield from self.wash_reasons(row["list"])

    def consent_and_content(self):
        p, f = self.policy, self.facts
        yield self.consent_reason(p.get("consent", "none"))
        rnd = f.get("rnd", {})
        if rnd.get("answer") == "yes":
            yield "REASSIGNED"
        elif p.get("rnd", {}).get("required") and (
                rnd.get("answer") != "no" or
                (p["rnd"].get("max_age_days") and
                 self.now - (instant(rnd.get("checked")) or 0) > p["rnd"]["max_age_days"] * DAY)):
            yield "RND_STALE"
        ring = p.get("ring_timeout_s", 25)
        if ring < p.get("ring_min_s", 0):
            yield "RING_TIMEOUT_TOO_SHORT"
        c = f.get("consent", {})
        for pack, row in self.rows:
            if not self.row_holds(row):
                continue
            if row["kind"] == "consent" and row.get("lines", "any") in (
                    "any", "mobile" if self.is_mobile() else "fixed"):
                yield self.consent_reason(row["level"])
            if row["kind"] == "mobile" and self.is_mobile() and (
                    row["mobile"] == "forbid" or c.get("level", "none") == "none" or
                    (c.get("revoked") and instant(c["revoked"]) <= self.now)):
                yield "MOBILE_FORBIDDEN"
            if row["kind"] == "registration":
                name = next(n for n, q in zip(self.packs, self.pack_data) if q is pack)
                if not any(r["region"] == name and
                           (not r.get("until") or self.now < instant(r["until"]))
                           for r in f.get("registrations", [])):
                    yield "REGISTRATION_MISSING"
            if row["kind"] == "ring" and ring < row["min_s"]:
                yield "RING_TIMEOUT_TOO_SHORT"
            if row["kind"] == "voice":
                yield "VOICE_MODE_FORBIDDEN"

    def blocks(self):
        for b in self.facts.get("emergency_blocks", []):
            here = any(r and (r == b["region"] or (len(b["region"]) == 2 and r[:2] == b["region"]))
                       for r in (self.region, self.state, self.address))
            if here and instant(b["from"]) <= self.now and \
                    (not b.get("until") or self.now < instant(b["until"])):
                yield "EMERGENCY_BLOCK"

    def abandonment(self):
        if self.policy.get("dial_mode") != "predictive" or self.facts.get("reserved_agent"):
            return
        counters = self.facts.get("abandon", [])
        if not counters:
            yield "ABANDON_BUDGET"
        for a in counters:
            ppm = round(a["limit"] * 1000000)
            over = ppm * a["answered"] - 1000000 * a["abandoned"]
            k = over // (1000000 - ppm) if over > 0 else 0
            if k - a.get("unbacked_in_flight", 0) < 1:
                yield "ABANDON_BUDGET"

    def in_flight(self):
        for h in self.history:
            if not h.get("open"):
                continue
            other = h.get("number", self.text) != self.text
            if not other:
                yield "IN_FLIGHT"
            elif h.get("person") and h["person"] == self.facts.get("person"):
                yield "PARTY_IN_FLIGHT"

    def lifetime(self):
        if self.policy.get("lifetime_max") and \
                len(self.counted("number")) >= self.policy["lifetime_max"]:
            yield "FREQ_LIFETIME"


def verdict(case, packs, state_of, with_next=True):
    c = Case(case, packs, state_of)
    found = set(c.machine()) | set(c.number_reasons()) | set(c.suppression()) | \
        set(c.consent_and_content()) | set(c.blocks()) | set(c.abandonment()) | \
        set(c.in_flight()) | set(c.lifetime())
    guard = c.policy.get("close_guard_s", 0)
    if c.tz:
        hours = c.hours(c.now)
        found |= hours
        week = c.edges(c.now, 8)
        if not hours and c.closes_within(c.now, guard, week):
            found.add("WINDOW_CLOSING")
        if hours and not any(not c.hours(t) and not c.closes_within(t, guard, week)
                             for t in week if t <= c.now + 7 * DAY):
            found.add("TZ_NO_COMMON_WINDOW")
    elif c.valid:
        found.add("TZ_UNKNOWN")
    found |= c.history_reasons(c.now)
    found.discard(None)
    p = c.policy
    if p.get("not_before") and p.get("not_after") and \
            instant(p["not_before"]) >= instant(p["not_after"]):
        found = {"POLICY_INVALID"}
    reasons = sorted(found, key=RANK.get)
    result = {"allow": not reasons, "reason": reasons[0] if reasons else "ALLOW",
              "all_reasons": reasons, "next_allowed_utc": None,
              "packs": c.packs,
              "zones": ["<%d zones>" % len(c.names)] if len(c.names) > 30 else sorted(c.names)}
    if with_next and reasons and c.tz and "TZ_NO_COMMON_WINDOW" not in found and \
            all(CODES[r][1] == "TIME" for r in reasons):
        result["next_allowed_utc"] = next_allowed(c, guard)
    return result


def next_allowed(c, guard):
    """Week by week: most are found in the first."""
    ends = sorted(t for t in c.history_ends() if t > c.now)
    end = instant(c.policy["not_after"]) if c.policy.get("not_after") else None
    # Nothing can hold before the rules of history do: the weeks until then need no look.
    start = c.now
    while ends and c.history_reasons(start):
        later = [t for t in ends if t > start]
        if not later:
            return None
        start = later[0]
    for begin in range(start - 1, start + HORIZON_DAYS * DAY, 7 * DAY):
        edges = c.edges(begin, 9)
        for t in sorted(set(t for t in edges if t <= begin + 7 * DAY) | {start}):
            if t < start or t == c.now or c.hours(t) or c.history_reasons(t):
                continue
            if c.closes_within(t, guard, edges):
                continue
            return None if end and t >= end else text_of(t)
    return None


def first_minute(case, packs, state_of, until):
    """The first whole minute before until at which all time rules hold, found by looking at every
    one; None when there is none, as there must be before the next allowed instant."""
    c = Case(case, packs, state_of)
    guard, edges = c.policy.get("close_guard_s", 0), c.edges(c.now, (until - c.now) // DAY + 3)
    for t in range(c.now - c.now % 60 + 60, until, 60):
        if not c.hours(t) and not c.history_reasons(t) and not c.closes_within(t, guard, edges):
            return text_of(t)
    return None
