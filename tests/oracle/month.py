#!/usr/bin/python3
"""month.py DIR [--jobs N]

The log of a simulated month, judged once more: every decision is made again by the oracle from the
tables as they were at its instant (who had asked not to be called, what had been consented to, which
calls had been placed), and must come to the same verdict, reasons and next allowed instant. And the
placed calls are counted against the limits without either program.
"""
import argparse
import bisect
import collections
import json
import multiprocessing
import os
import sys
import zoneinfo

os.environ.setdefault("PYTHONTZPATH", "/usr/share/zoneinfo")
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import compare  # noqa: E402
import generate  # noqa: E402
import oracle  # noqa: E402

NAMES = {number: name for name, (number, _) in oracle.CODES.items()}
WINDOWS = {str(d): [["09:00", "20:00"]] if d < 7 else [] for d in range(1, 8)}
OUTCOMES = {"completed": "conversation", "busy": "busy", "no_answer": "no_answer",
            "bad_number": "sit_not_connected", "congestion": "sit_not_connected"}


def lines(folder, name):
    with open(os.path.join(folder, name)) as f:
        return [json.loads(line) for line in f]


class World:
    def __init__(self, folder):
        with open(os.path.join(folder, "world.json")) as f:
            self.world = json.load(f)
        self.policies = {}
        for c in lines(folder, "campaigns.jsonl"):
            self.policies[c["id"]] = {
                "purpose": c["purpose"], "voice_mode": c["voice_mode"], "packs": "auto",
                "windows": WINDOWS, "close_guard_s": 30, "ring_timeout_s": 25, "min_retry_s": 14400,
                "dial_mode": "progressive", "consent": "none", "dnc": {},
                "frequency": [{"code": "FREQ_24H", "seconds": 86400, "max": 2},
                              {"code": "FREQ_7D", "seconds": 604800, "max": 4}]}
        self.calls = collections.defaultdict(list)
        for a in lines(folder, "attempts.jsonl"):
            if a["released"]:
                self.calls[a["phone"]].append(a)
        self.asked = {}
        for d in lines(folder, "dnc.jsonl"):
            self.asked[d["phone"]] = min(d["at"], self.asked.get(d["phone"], d["at"]))
        self.consents = {c["phone"]: c for c in lines(folder, "consents.jsonl")}
        phones = lines(folder, "phones.jsonl")
        self.lists = {name: [(at, set(phones[::every])) for at, every in editions]
                      for name, editions in self.world["lists"].items()}

    def facts(self, phone, at):
        facts = {"lists": {"tenant.internal": {"hit": self.asked.get(phone, at + 1) <= at}}}
        for name, editions in self.lists.items():
            obtained, numbers = [e for e in editions if e[0] <= at][-1]
            if str(phone).startswith({"us": "1", "gb": "44"}[name[:2]]):
                facts["lists"][name] = {"hit": phone in numbers,
                                        "obtained": oracle.text_of(obtained // 1000)}
        c = self.consents.get(phone)
        if c:
            facts["consent"] = {"level": c["level"], "at": oracle.text_of(c["at"] // 1000),
                                "evidence": "form"}
            if c["revoked"] and c["revoked"] <= at:
                facts["consent"] = {"level": "none", "revoked": oracle.text_of(c["revoked"] // 1000)}
        if self.world["stop"][0] <= at < self.world["stop"][1]:
            facts["kill_switch"] = True
        return facts

    def case(self, d):
        history = [{"t": oracle.text_of(a["released"] // 1000),
                    "outcome": OUTCOMES.get(a["disposition"], "other")}
                   for a in self.calls[d["phone"]]
                   if a["released"] < d["at"] and a["id"] != d["attempt"]]
        return {"id": d["id"], "instant_utc": oracle.text_of(d["at"] // 1000),
                "number_e164": "+%d" % d["phone"], "policy": self.policies[d["campaign"]],
                "facts": self.facts(d["phone"], d["at"]), "history": history}


def use_zones_of(world, d):
    """The rules of its instant: in mid-run the time zone data were replaced."""
    new = d["at"] >= world.world["upgrade"]
    for name, rules_of in world.world["zones"].items():
        oracle.ZONES[name] = zoneinfo.ZoneInfo(rules_of if new else name)
    # The send instant has no facts of its own.
    return d["stage"] == 3 or (d["tzdata"] == "2027a") == new


def judge(job):
    folder, part = job
    world, packs = World(folder), compare.shipped()
    wrong, reasons = [], collections.Counter()
    for d in part:
        named = use_zones_of(world, d)
        ours = oracle.verdict(world.case(d), packs, generate.state_of, True)
        theirs = [NAMES[r] for r in d["reasons"]]
        after = oracle.text_of(d["next"] // 1000) if d["next"] else None
        reasons[ours["reason"]] += 1
        if not named or theirs != ours["all_reasons"] or (
                theirs and (NAMES[d["reason"]] != ours["reason"] or
                            after != ours["next_allowed_utc"])):
            wrong.append({"decision": d, "next": after, "gate": theirs, "oracle": ours,
                          "case": world.case(d)})
    return wrong, reasons


def count_calls(world):
    """No call after the wish not to be called; no more than the limits; none in a gap."""
    wrong = placed = 0
    for phone, calls in world.calls.items():
        times = sorted(a["released"] for a in calls)
        placed += len(times)
        for i, t in enumerate(times):
            day = i - bisect.bisect_right(times, t - 86400000)
            week = i - bisect.bisect_right(times, t - 604800000)
            if t >= world.asked.get(phone, t + 1) or day + 1 > 2 or week + 1 > 4 or \
                    (i and t - times[i - 1] < 14400000):
                print("call %d to %d breaks a limit" % (t, phone))
                wrong += 1
    return wrong, placed


def main():
    p = argparse.ArgumentParser()
    p.add_argument("folder")
    p.add_argument("--jobs", type=int, default=os.cpu_count())
    a = p.parse_args()
    world = World(a.folder)
    wrong, placed = count_calls(world)
    decisions = lines(a.folder, "decisions.jsonl")
    size = 500
    jobs = [(a.folder, decisions[i:i + size]) for i in range(0, len(decisions), size)]
    reasons, shown = collections.Counter(), 0
    with multiprocessing.Pool(a.jobs) as pool:
        for found, part in pool.imap_unordered(judge, jobs):
            reasons += part
            wrong += len(found)
            for w in found:
                if shown < 3:
                    print(json.dumps(w, indent=1))
                shown += 1
    print("%d decisions judged again, %d calls counted, %d primary reasons: %d disagreements"
          % (len(decisions), placed, len(reasons), wrong))
    print(" ".join("%s=%d" % r for r in sorted(reasons.items())))
    # A month in which nothing happens proves nothing.
    if placed < 100 or len(reasons) < 8:
        sys.exit("too little happened")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
