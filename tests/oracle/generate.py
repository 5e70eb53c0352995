"""Random cases in the form of tests/data/compliance-cases.json, all from one generator of
numbers: instants cluster where something changes (window edges, midnights, days on which clocks
change, 29 February), histories around the limits' ends."""
import datetime as dt

UTC = dt.timezone.utc

# Area codes whose zones and states need no family beyond those that the oracle knows.
STATES = {"212": "US-NY", "305": "US-FL", "850": "US-FL", "448": "US-FL", "423": "US-TN",
          "208": "US-ID", "602": "US-AZ", "808": "US-HI", "915": "US-TX", "205": "US-AL",
          "801": "US-UT", "401": "US-RI", "601": "US-MS", "215": "US-PA", "219": "US-IN",
          "504": "US-LA", "907": "US-AK", "201": "US-NJ", "206": "US-WA", "405": "US-OK",
          "902": "", "709": "CA-NL", "702": "US-NV", "502": "US-KY",
          "506": "CA-NB", "207": "US-ME", "312": "US-IL"}
OTHERS = ["+442079460123", "+447400123456", "+33199001234", "+390212345678", "+493012345678",
          "+34612345678", "+61491570006", "+61291234567", "+918123456789", "+5511961234567",
          "+251911234567", "+254712345678", "+522221234567", "+20234567890", "+77012345678",
          "+79123456789", "+18005550123", "+15005550006", "+13245550123", "+2348031234567"]
PURPOSES = ["telemarketing", "informational", "debt_collection", "healthcare", "survey",
            "charity", "political", "emergency"]
OUTCOMES = ["no_answer", "busy", "sit_not_connected", "voicemail", "machine", "conversation",
            "abandoned", "refused", "strange"]
# Days on which clocks change somewhere, holidays, their eves, a day that is not in every year.
DAYS = ["2026-11-01", "2027-03-14", "2026-10-25", "2027-03-28", "2027-04-04", "2026-10-04",
        "2026-10-17", "2026-10-18", "2026-11-25", "2026-11-26", "2026-12-24", "2026-12-25",
        "2027-01-01", "2028-02-29", "2027-05-20", "2027-05-21", "2026-12-07", "2026-12-31",
        "2027-04-29", "2026-07-24", "2026-08-10", "2026-08-11"]


def state_of(number):
    return STATES.get(number[2:5], "") if number.startswith("+1") and len(number) == 12 else ""


def iso(t):
    return dt.datetime.fromtimestamp(t, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def instant(rng):
    if rng.random() < 0.5:
        day = dt.date.fromisoformat(rng.choice(DAYS)) + dt.timedelta(days=rng.choice([-1, 0, 0, 1]))
    else:
        day = dt.date(2026, 6, 1) + dt.timedelta(days=rng.randrange(330))
    t = int(dt.datetime.combine(day, dt.time(), UTC).timestamp())
    if rng.random() < 0.5:  # on the edge of an hour in most zones, or a second beside it
        return t + rng.randrange(96) * 900 + rng.choice([-31, -30, -1, 0, 0, 1, 29])
    return t + rng.randrange(86400)


def week(rng):
    hours = ["00:00", "01:00", "01:30", "02:15", "02:45", "08:00", "09:00", "12:30", "13:00",
             "17:00", "20:00", "21:00", "24:00"]

    def day():
        if rng.random() < 0.15:
            return []
        a, b, c, d = sorted(rng.sample(range(len(hours)), 4))
        if rng.random() < 0.6:
            return [[hours[a], hours[d]]]
        return [[hours[a], hours[b]], [hours[c], hours[d]]]
    return {str(i): day() for i in range(1, 8)}


def frequency(rng):
    r = {"code": rng.choice(["FREQ_DAY", "FREQ_24H", "FREQ_7D", "FREQ_30D"]),
         "max": rng.randrange(0, 4), "scope": rng.choice(
             ["number", "person", "person_debt", "subject"])}
    if rng.random() < 0.5:
        r.update(kind="calendar_days", days=rng.choice([1, 2, 7, 30]))
    else:
        r.update(kind="rolling", seconds=rng.choice([3600, 86400, 604800]))
    if rng.random() < 0.3:
        r["exclude_outcomes"] = ["busy", "sit_not_connected"]
    return r


def cooldown(rng):
    r = {"code": rng.choice(["COOLDOWN_CONVERSATION", "COOLDOWN_ABANDONED", "COOLDOWN_REFUSAL"]),
         "after": rng.choice(["conversation", "abandoned", "refused"]),
         "scope": rng.choice(["number", "person", "person_debt"])}
    if rng.random() < 0.5:
        r["calendar_days"] = rng.choice([1, 7, 60])
        if rng.random() < 0.5:
            r["first_day_counts"] = True
    else:
        r["seconds"] = rng.choice([3600, 86400, 259200])
    if rng.random() < 0.3:
        r["unless"] = "guaranteed_agent"
    return r


def policy(rng, now):
    p = {"purpose": rng.choice(["telemarketing"] + PURPOSES),
         "voice_mode": rng.choice(["live", "live", "prerecorded", "ai"]),
         "dial_mode": rng.choice(["progressive", "progressive", "manual", "predictive"]),
         "packs": "auto" if rng.random() < 0.8 else [], "tz_max_spread_h": 6,
         "close_guard_s": rng.choice([0, 0, 30, 1800]), "ring_timeout_s": rng.choice([10, 22, 25]),
         "consent": rng.choice(["none", "none", "none", "express", "express_written"]),
         "dnc": {"lists": [], "max_age_days": 31, "internal_years": rng.choice([None, None, 5])}}
    if rng.random() < 0.3:
        p["windows"] = week(rng)
    if rng.random() < 0.3:
        p["frequency"] = [frequency(rng) for _ in range(rng.randrange(1, 3))]
    if rng.random() < 0.3:
        p["cooldowns"] = [cooldown(rng)]
    if rng.random() < 0.1:
        p["min_retry_s"] = rng.choice([3600, 14400])
    if rng.random() < 0.1:
        p["blackout_dates"] = [iso(now + rng.randrange(-1, 3) * 86400)[:10]]
    if rng.random() < 0.08:
        p["not_before"] = iso(now + rng.randrange(-86400, 200000))
    if rng.random() < 0.05:
        p["not_after"] = iso(now + rng.randrange(-3600, 400000))
    if rng.random() < 0.05:
        p["lifetime_max"] = rng.randrange(1, 4)
    if rng.random() < 0.1:
        p["dnc"]["lists"] = rng.sample(["us.ftc", "us-fl.dnc", "seller.acme", "litigator.one",
                                        "protected.lines", "tenant.internal"], 2)
    if rng.random() < 0.05:
        p["dnc"]["wash"] = ["au.dncr"]
    if rng.random() < 0.05:
        p["countries"] = ["US", "ET", "GB"]
    if rng.random() < 0.05:
        p["rnd"] = {"required": True, "max_age_days": 30}
    if rng.random() < 0.1:
        p.update(consent_max_age_days=365, consent_evidence=True, seller="coop")
    if rng.random() < 0.03:
        p["ring_min_s"] = 15
    if rng.random() < 0.05:
        p["min_tzdata"] = "2026f"
    if rng.random() < 0.05:
        p["decision_ttl_s"] = 2
    return p


def lists(rng, now, names):
    found = {}
    for name in names:
        if rng.random() < 0.08:
            continue
        found[name] = {"hit": rng.random() < 0.08,
                       "obtained": iso(now - rng.choice([1, 20, 30, 31, 32, 40]) * 86400
                                       if rng.random() < 0.15 else now - 86400)[:10]}
        if rng.random() < 0.03:
            found[name]["state"] = rng.choice(["missing", "corrupt"])
    return found


def facts(rng, now, packs):
    names = ["us.ftc", "ca.dncl", "gb.tps", "gb.ctps", "br.naomeperturbe", "us-in.dnc",
             "us-fl.dnc", "seller.acme", "litigator.one", "protected.lines"]
    f = {"lists": lists(rng, now, names),
         "wash": {n: {"hit": rng.random() < 0.1, "checked": iso(now - 86400),
                      "expires": iso(now + rng.choice([-1, 0, 1, 86400, 86400, 86400]))}
                  for n in ("au.dncr", "in.dnd", "it.rpo") if rng.random() < 0.9},
         "registrations": [{"region": n, **({"until": iso(now + rng.choice([-1, 1, 86400]))}
                                            if rng.random() < 0.2 else {})}
                           for n in packs if rng.random() < 0.9]}
    if rng.random() < 0.1:
        f["lists"]["tenant.internal"] = {
            "hit": rng.random() < 0.5,
            "added": rng.choice(["2024-02-29", "2021-11-20", iso(now - 5 * 365 * 86400)[:10]])}
    if rng.random() < 0.7:
        f["consent"] = {"level": rng.choice(["express", "express_written", "express_written"]),
                        "at": iso(now - rng.choice([10, 364, 365, 366]) * 86400)}
        if rng.random() < 0.1:
            f["consent"]["revoked"] = iso(now + rng.choice([-1, 0, 1]))
        if rng.random() < 0.7:
            f["consent"]["evidence"] = "form"
        if rng.random() < 0.5:
            f["consent"]["seller"] = rng.choice(["coop", "coop", "other"])
    if rng.random() < 0.15:
        f["address_region"], f["address_zones"] = rng.choice(
            [("US-CA", ["America/Los_Angeles"]), ("US-NY", ["America/New_York"]),
             ("FR", ["Europe/Paris"]), ("US-PA", ["America/New_York"]), ("CA-BC", []),
             ("JP", ["Asia/Tokyo"])])
        if rng.random() < 0.4:
            f["tz_confirmed"] = True
    if rng.random() < 0.2:
        f["line_type"] = rng.choice(["FIXED_LINE", "MOBILE", "VOIP"])
    if rng.random() < 0.5:
        f["person"], f["debt"], f["subject"] = "p1", "d1", "s1"
    if rng.random() < 0.1:
        f["rnd"] = {"answer": rng.choice(["yes", "no", "no_data"]),
                    "checked": iso(now - rng.choice([1, 29, 30, 31]) * 86400 - rng.choice([0, 1]))}
    f["abandon"] = [{"limit": 0.03, "answered": rng.choice([0, 33, 200, 1000]),
                     "abandoned": rng.randrange(0, 7), "unbacked_in_flight": rng.randrange(0, 3)}]
    if rng.random() < 0.3:
        f["reserved_agent"] = True
    if rng.random() < 0.08:
        f["emergency_blocks"] = [{"region": rng.choice(["US-LA", "US", "US-NY", "FR"]),
                                  "from": iso(now + rng.choice([-1, 0, 1, -86400])),
                                  "until": iso(now + rng.choice([0, 1, 86400]))}]
    for key in ("kill_switch", "emergency", "protected", "lead_closed"):
        if rng.random() < 0.01:
            f[key] = True
    for key in ("clock_trusted", "history_known", "campaign_running"):
        if rng.random() < 0.01:
            f[key] = False
    if rng.random() < 0.05:
        f["tzdata_version"] = rng.choice(["2025b", "2026e", "2026f", "2027a"])
    if rng.random() < 0.05:
        f["decided_at"] = iso(now - rng.randrange(0, 5))
    return f


def history(rng, now, number):
    calls = []
    for _ in range(rng.choice([0, 0, 1, 2, 3, 5])):
        span = rng.choice([3600, 14400, 86400, 172800, 259200, 604800, 2592000, 60 * 86400])
        h = {"t": iso(now - span + rng.choice([-1, 0, 1, 0, rng.randrange(-40000, 40000)])),
             "outcome": rng.choice(OUTCOMES)}
        if instant_later(h["t"], now):
            continue
        if rng.random() < 0.3:
            h["number"] = rng.choice([number, "+12125550177"])
        if rng.random() < 0.5:
            h.update(person=rng.choice(["p1", "p2"]), debt=rng.choice(["d1", "d2"]),
                     subject=rng.choice(["s1", "s2"]))
        if rng.random() < 0.02:
            h["open"] = True
        calls.append(h)
    return calls


def instant_later(text, now):
    return text > iso(now)


def case(rng, name, packs):
    now = instant(rng)
    if rng.random() < 0.6:
        number = "+1%s555%04d" % (rng.choice(sorted(STATES)), rng.randrange(100, 200))
    else:
        number = rng.choice(OTHERS)
    return {"id": name, "number_e164": number, "instant_utc": iso(now), "policy": policy(rng, now),
            "facts": facts(rng, now, packs), "history": history(rng, now, number)}
