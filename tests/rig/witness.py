#!/usr/bin/python3
"""witness.py CALLS_LOG GAP_S [--finals FILE]: holds what the called parties saw against the
promise that no call is placed twice.

- Each X-Furrow-Attempt stands under one SIP Call-ID only, and none is without one.
- Two Call-IDs to one number are never closer than GAP_S seconds (less 50 ms of the way).
- FILE has lines 'number epoch_seconds disposition': the instant from which the contact was
  final. No call to it may come later.

Prints one line of counts; each breach is a line of its own and makes it exit 1.
"""
import argparse
import collections
import sys

SLACK_S = 0.05


def read_invites(path):
    """(seconds, number, Call-ID, attempt) of each INVITE; a repeat of the same is one."""
    seen = {}
    with open(path, encoding="utf-8", errors="replace") as log:
        for line in log:
            parts = line.rstrip("\n").split("|")
            if parts[0] != "invite" or len(parts) != 5:
                continue
            # SIPp writes its two numbers as '1795537134.000000.482911.000000'.
            sec, _, usec, _ = (int(x) for x in parts[1].split("."))
            seen.setdefault(parts[3], (sec + usec / 1e6, parts[2], parts[3], parts[4].strip()))
    return sorted(seen.values())


def breaches(invites, gap_s, finals):
    by_attempt = collections.defaultdict(set)
    by_number = collections.defaultdict(list)
    for at, number, call_id, attempt in invites:
        if not attempt:
            yield f"call {call_id} to {number} carries no attempt id"
        by_attempt[attempt].add(call_id)
        by_number[number].append((at, call_id))
    for attempt, ids in by_attempt.items():
        if attempt and len(ids) > 1:
            yield f"attempt {attempt} was sent {len(ids)} times: {' '.join(sorted(ids))}"
    for number, calls in by_number.items():
        for (before, a), (after, b) in zip(calls, calls[1:]):
            if after - before < gap_s - SLACK_S:
                yield f"{number} was called twice within {after - before:.3f} s: {a} {b}"
        if number in finals:
            at, disposition = finals[number]
            for when, call_id in calls:
                if when > at + SLACK_S:
                    yield f"{number} was called {when - at:.3f} s after it was final ({disposition}): {call_id}"


def main():
    p = argparse.ArgumentParser()
    p.add_argument("log")
    p.add_argument("gap_s", type=float)
    p.add_argument("--finals")
    a = p.parse_args()
    finals = {}
    if a.finals:
        with open(a.finals, encoding="utf-8") as f:
            for line in f:
                number, at, disposition = line.split()
                finals[number.lstrip("+")] = (float(at), disposition)
    invites = read_invites(a.log)
    bad = list(breaches(invites, a.gap_s, finals))
    for text in bad:
        print(text)
    print(f"{len(invites)} calls, {len({i[3] for i in invites})} attempts, "
          f"{len({i[1] for i in invites})} numbers, {len(bad)} breaches")
    sys.exit(1 if bad else 0)


main()
