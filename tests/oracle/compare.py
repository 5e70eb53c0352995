#!/usr/bin/python3
"""compare.py FURROW [--cases N] [--next N] [--minutes N] [--seed S] [--jobs J]

The gate and the oracle side by side: worked cases, then N random ones (number, instant, policy,
facts, history), N of them with the next allowed instant, and N of these with every minute before it
looked at. A disagreement is printed with both
answers, every rule that the gate asked, and the case itself; exit 1.
"""
import argparse
import json
import multiprocessing
import os
import random
import subprocess
import sys

os.environ.setdefault("PYTHONTZPATH", "/usr/share/zoneinfo")
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import generate  # noqa: E402
import oracle  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
SCAN = 8 * 86400  # seconds ahead that are looked at minute by minute
PACKS = os.path.join(ROOT, "compliance", "packs")


def shipped():
    packs = {}
    for name in sorted(os.listdir(PACKS)):
        if name.endswith(".json"):
            with open(os.path.join(PACKS, name)) as f:
                packs[name[:-5]] = json.load(f)
    return packs


def gate(furrow, cases):
    lines = "".join(json.dumps(c) + "\n" for c in cases)
    out = subprocess.run([furrow, "compliance", "cases", "--lines", "--packs", PACKS, "-"],
                         input=lines, capture_output=True, text=True)
    if out.returncode != 0:
        raise RuntimeError("the gate failed: " + out.stderr)
    return [json.loads(line) for line in out.stdout.splitlines()]


def differs(case, theirs, ours, with_next):
    keys = ["allow", "reason", "all_reasons"] + (["next_allowed_utc"] if with_next else [])
    return [k for k in keys if theirs[k] != ours[k]]


def chunk(job):
    furrow, seed, first, n, every, minutes = job
    packs = shipped()
    rng = random.Random("%s %s" % (seed, first))
    cases = [generate.case(rng, "%s-%d" % (seed, first + i), packs) for i in range(n)]
    wrong, reasons, nexts, scanned = [], {}, 0, 0
    for i, (case, theirs) in enumerate(zip(cases, gate(furrow, cases))):
        with_next = every and (first + i) % every == 0
        ours = oracle.verdict(case, packs, generate.state_of, with_next)
        nexts += bool(with_next and ours["next_allowed_utc"])
        reasons[ours["reason"]] = reasons.get(ours["reason"], 0) + 1
        keys = differs(case, theirs, ours, with_next)
        until = oracle.instant(theirs["next_allowed_utc"])
        if scanned < minutes and until and until < oracle.instant(case["instant_utc"]) + SCAN:
            scanned += 1
            sooner = oracle.first_minute(case, packs, generate.state_of, until)
            if sooner:
                keys, ours = keys + ["first_minute"], dict(ours, first_minute=sooner)
        if keys:
            trace = gate(furrow, [dict(case, explain=True)])[0]
            wrong.append({"differs": keys, "gate": theirs, "oracle": ours, "case": case,
                          "asked": [r for r in trace if r["answer"] == "refuse"]})
    return wrong, reasons, nexts, scanned


def narrowed(rng, case):
    """The same case with one thing more that can only refuse."""
    more = json.loads(json.dumps(case))
    now = oracle.instant(case["instant_utc"])
    kind = rng.randrange(7)
    if kind == 0:
        more["policy"].setdefault("frequency", []).append(generate.frequency(rng))
    elif kind == 1:
        more["policy"].setdefault("cooldowns", []).append(generate.cooldown(rng))
    elif kind == 2:
        more["policy"]["dnc"]["lists"].append(rng.choice(["us.ftc", "seller.acme", "gb.tps"]))
    elif kind == 3:
        more["policy"].setdefault("blackout_dates", []).append(
            generate.iso(now + rng.randrange(-1, 2) * 86400)[:10])
    elif kind == 4:
        more["history"].append({"t": generate.iso(now - rng.randrange(1, 700000)),
                                "outcome": rng.choice(generate.OUTCOMES)})
    elif kind == 5 and not more["facts"].get("tz_confirmed"):
        more["facts"].setdefault("address_zones", [])
        more["facts"]["address_zones"] = more["facts"]["address_zones"] + [
            rng.choice(["America/Los_Angeles", "Asia/Tokyo", "Europe/London"])]
    else:
        more["facts"].setdefault("emergency_blocks", []).append(
            {"region": rng.choice(["US", "ET", "GB"]), "from": generate.iso(now)})
    return more


def monotone(furrow, seed, n):
    """Adding a rule, a list, a zone, a call of the past or a block never allows what was refused."""
    packs, rng = shipped(), random.Random("monotone %s" % seed)
    cases = [generate.case(rng, "m-%d" % i, packs) for i in range(n)]
    more = [narrowed(rng, c) for c in cases]
    wrong = changed = 0
    for before, after, case in zip(gate(furrow, cases), gate(furrow, more), more):
        changed += before["all_reasons"] != after["all_reasons"]
        if after["allow"] and not before["allow"]:
            print("one thing more allows it:", json.dumps(case))
            wrong += 1
    if changed < n // 20:
        sys.exit("what was added hardly ever mattered")
    return wrong


def worked(path):
    """The oracle itself on the worked cases: all but those that state their own zones."""
    with open(path) as f:
        data = json.load(f)
    overlays = data["npa_zone_overrides"]["overlay_of"]
    wrong = 0
    for case in data["cases"]:
        npa = case["number_e164"][2:5]
        oracle.UNIONS.clear()
        if case["number_e164"].startswith("+1") and npa not in oracle.TOLL_FREE:
            oracle.UNIONS[npa] = oracle.npa_union(npa) - (
                set(oracle.ADDED.get(npa, [])) - raw(npa)) | (
                raw(overlays[npa]) if npa in overlays else set())
        mine = oracle.verdict(case, data["packs"], lambda t: generate.state_of(t))
        for key, value in case["expect"].items():
            if mine[key] != value:
                print("worked case %s: %s is %s, not %s" % (case["id"], key, mine[key], value))
                wrong += 1
    oracle.UNIONS.clear()
    return wrong, len(data["cases"])


def raw(npa):
    zones = set()
    for prefix, names in oracle.TIMEZONE_DATA.items():
        if prefix[0] == "1" and prefix[1:4] == npa and len(names) < 30:
            zones |= set(names)
    return zones


def main():
    p = argparse.ArgumentParser()
    p.add_argument("furrow")
    p.add_argument("--cases", type=int, default=20000)
    p.add_argument("--next", type=int, default=1000)
    p.add_argument("--minutes", type=int, default=0)
    p.add_argument("--seed", default="1")
    p.add_argument("--jobs", type=int, default=os.cpu_count())
    a = p.parse_args()
    wrong, n = worked(os.path.join(ROOT, "tests", "data", "compliance-cases.json"))
    every = max(1, a.cases // a.next) if a.next else 0
    size = 500
    each = -(-a.minutes * size // a.cases)
    jobs = [(a.furrow, a.seed, first, min(size, a.cases - first), every, each)
            for first in range(0, a.cases, size)]
    reasons, nexts, minutes, shown, done = {}, 0, 0, 0, 0
    wrong += monotone(a.furrow, a.seed, min(a.cases, 5000))
    with multiprocessing.Pool(a.jobs) as pool:
        for found, part, with_next, scanned in pool.imap_unordered(chunk, jobs):
            nexts += with_next
            minutes += scanned
            done += size
            if sys.stderr.isatty():
                print("%d of %d cases, %d disagreements" % (done, a.cases, wrong), end="\r",
                      file=sys.stderr)
            for r, k in part.items():
                reasons[r] = reasons.get(r, 0) + k
            wrong += len(found)
            for w in found:
                if shown < 5:
                    print(json.dumps(w, indent=1))
                shown += 1
    print("%d worked and %d random cases, %d next instants, %d by every minute, %d primary reasons, "
          "%d allowed: %d disagreements" % (n, a.cases, nexts, minutes, len(reasons),
                                            reasons.get("ALLOW", 0), wrong))
    print(" ".join("%s=%d" % r for r in sorted(reasons.items())))
    # A generator that never allows, or always for one reason, proves nothing.
    if a.cases >= 2000 and (reasons.get("ALLOW", 0) < a.cases // 50 or len(reasons) < 25):
        sys.exit("the random cases are too uniform")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
