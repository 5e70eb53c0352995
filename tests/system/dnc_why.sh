#!/bin/sh
# furrow dnc and furrow why, as an operator and a compliance officer use them.
. "$(dirname "$0")/../lib.sh"
says() { # PATTERN COMMAND…: the command's words hold the pattern
    pattern_=$1
    shift
    "$@" >"$T/out" 2>&1 || true
    grep -q -- "$pattern_" "$T/out" || fail "$* does not say '$pattern_': $(cat "$T/out")"
}
ends() { # CODE COMMAND…
    wanted_=$1
    shift
    code_=0
    "$@" >"$T/out" 2>&1 || code_=$?
    check "exit code of $*" "$wanted_" "$code_"
}
in_force() { sql 'SELECT count(*) FROM dnc_entries WHERE removed_at IS NULL'; }
pg_start

says 'is now on the do-not-call list of every campaign' furrow dnc add 0911223344 --region ET --note 'asked by phone'
says 'was already on' furrow dnc add +251911223344
says '+251911223344 is on the do-not-call list' furrow dnc check 0911-22-33-44 --region ET
says 'asked by phone' furrow dnc check +251911223344
ends 2 furrow dnc add 0911223344
says 'default region\|--region\|country' furrow dnc add 0911223344
ends 2 furrow dnc add +251911223355 nonsense
check "one bad number, nothing added" 1 "$(in_force)"
ends 1 furrow dnc add +251911223355 --campaign harvset
says 'no campaign' furrow dnc add +251911223355 --campaign harvset
says "no campaign has the topic 'harvset' so far" furrow dnc add +251911223366 --topic harvset
says 'is off the do-not-call list of the topic harvset' furrow dnc remove +251911223366 --topic harvset
says 'DNC_INTERNAL (PERM): the number is on the do-not-call list' furrow why +251911223344
says 'Africa/Addis_Ababa' furrow why +251911223344
says 'every one, cli, since .*: asked by phone' furrow why +251911223344
says '^+251911223344 *every campaign, cli, since .*: asked by phone' furrow dnc list
says '^1 entries' furrow dnc list
ends 1 furrow dnc list --campaign harvset
ends 2 furrow dnc list +251911223344
says 'is off the do-not-call list' furrow dnc remove +251911223344 --note 'in writing'
ends 1 furrow dnc remove +251911223344
says 'is not on the do-not-call list' furrow dnc check +251911223344
says 'until 20' furrow dnc check +251911223344

# The same number at two instants: open on a Tuesday morning, closed at night and on Sunday.
says 'may be called' furrow why +251911223344 --at 2026-11-24T08:00:00Z
says 'OUTSIDE_WINDOW' furrow why +251911223344 --at 2026-11-24T20:00:00Z
says 'next allowed: 2026-11-25T06:00:00Z' furrow why +251911223344 --at 2026-11-24T20:00:00Z
says 'DAY_FORBIDDEN' furrow why +251911223344 --at 2026-11-29T08:00:00Z
says 'next allowed: 2026-11-30T06:00:00Z' furrow why +251911223344 --at 2026-11-29T08:00:00Z
says 'TZ_UNKNOWN' furrow why +18005550199
ends 2 furrow why +251911223344 --at yesterday
furrow why +251911223344 --at 2026-11-24T20:00:00Z --json >"$T/why.json" || fail "why --json"
python3 - "$T/why.json" <<'PY' || fail "why --json: $(cat "$T/why.json")"
import json, sys
w = json.load(open(sys.argv[1]))
v = w["verdicts"][0]
assert not v["allow"] and [r["code"] for r in v["reasons"]] == [403], v
assert v["next_allowed"] == "2026-11-25T06:00:00Z", v
assert w["number"]["zones"] == [{"zone": "Africa/Addis_Ababa", "local_time": "2026-11-24 23:00"}], w["number"]
PY

# By the rules of a campaign, which is not running; and one contact of it in a few lines.
printf 'phone,name\n+251911223366,Hana\n' >"$T/people.csv"
printf '{"name": "harvest", "list": "people", "flow": "coffee", "trunk": "sim"}' >"$T/harvest.json"
{
    furrow flow publish "$FURROW_SOURCE/deploy/demo/coffee.json" &&
        furrow trunk add sim --kind simulated --cps 1 --max-channels 2 &&
        furrow contacts import "$T/people.csv" --list people &&
        furrow campaign create "$T/harvest.json"
} >"$T/out" 2>&1 || fail "a campaign: $(cat "$T/out")"
says 'CAMPAIGN_STOPPED (CAP)' furrow why +251911223366 --campaign harvest --at 2026-11-24T08:00:00Z
sql "UPDATE campaigns SET state = 'running'" >"$T/out"
says 'by the rules of harvest: may be called' furrow why +251911223366 --campaign harvest --at 2026-11-24T08:00:00Z
sql "INSERT INTO campaign_contacts (tenant_id, campaign_id, contact_id, phone, zone_group, attempts, next_attempt_at, last_refusal)
     SELECT 1, c.id, k.id, k.phone, k.zone_group, 2, '2026-11-24 12:00Z', 509 FROM campaigns c, contacts k WHERE k.phone = 251911223366;
     INSERT INTO attempts (id, tenant_id, campaign_id, contact_id, phone, trunk_id, slot, number, state, intent_at, released_at, ended_at, cause, disposition)
     SELECT gen_random_uuid(), 1, campaign_id, contact_id, phone, 1, 0, 1, 'ended', '2026-11-24 07:00Z', '2026-11-24 07:00:01Z', '2026-11-24 07:00:30Z', 17, 'busy' FROM campaign_contacts" >"$T/out"
says '^+251911223366,ET,mobile,,pending,2,,,2026-11-24T12:00:00.*,Hana$' furrow contacts export --campaign harvest
says 'COOLDOWN_RETRY (TIME)' furrow why +251911223366 --at 2026-11-24T08:00:00Z
says 'next allowed: 2026-11-24T11:00:01Z' furrow why +251911223366 --at 2026-11-24T08:00:00Z
furrow why 0911223366 --region ET --campaign harvest --brief >"$T/out" 2>&1 || fail "why --brief: $(cat "$T/out")"
check "lines of --brief" 3 "$(wc -l <"$T/out")"
grep -q 'in harvest: due since 2026-11-24T12:00:00Z, 2 calls so far, last refused by COOLDOWN_RETRY' "$T/out" || fail "why --brief: $(cat "$T/out")"
grep -q '1. 2026-11-24T07:00:01Z busy (cause 17)' "$T/out" || fail "why --brief: $(cat "$T/out")"

# Import: good, repeated, with bad rows, and files that are none.
furrow dnc import "$FURROW_SOURCE/deploy/demo/sample-dnc.csv" --rejects "$T/bad.csv" >"$T/out" 2>&1 || fail "import: $(cat "$T/out")"
listed=$(in_force)
rows=$(($(wc -l <"$FURROW_SOURCE/deploy/demo/sample-dnc.csv") - 1))
check "numbers listed" "$rows" "$listed"
says '0 numbers added' furrow dnc import "$FURROW_SOURCE/deploy/demo/sample-dnc.csv"
printf 'phone\n+251911000001\nnobody\n+251911000002\n' >"$T/some.csv"
says '2 numbers added .* 1 rows rejected' furrow dnc import "$T/some.csv" --rejects "$T/bad.csv"
grep -q '^3,"nobody",' "$T/bad.csv" || fail "the reject file: $(cat "$T/bad.csv")"
printf 'phone\n"=""cmd"", x"\n' >"$T/quoted.csv"
says '0 numbers added .* 1 rows rejected' furrow dnc import "$T/quoted.csv" --rejects "$T/bad.csv"
furrow dnc list --json >"$T/list.json" || fail "dnc list --json"
python3 - "$T/bad.csv" "$T/list.json" $((listed + 2)) <<'PY' || fail "rejects or list: $(cat "$T/bad.csv")"
import csv, json, sys
assert list(csv.reader(open(sys.argv[1])))[1][:2] == ["2", "'=\"cmd\", x"]
entries = json.load(open(sys.argv[2]))
assert len(entries) == int(sys.argv[3]) and entries[-1]["phone"] == "+251911000002", entries[-1]
PY
printf 'phone\n+251911000003\n"unclosed\n' >"$T/broken.csv"
ends 1 furrow dnc import "$T/broken.csv"
says 'nothing was imported' furrow dnc import "$T/broken.csv"
: >"$T/empty.csv"
says 'empty' furrow dnc import "$T/empty.csv"
printf 'name,town\nAbebe,Dilla\n' >"$T/nophone.csv"
says 'column' furrow dnc import "$T/nophone.csv"
check "broken files change nothing" $((listed + 2)) "$(in_force)"
printf '+251911000004\n' | furrow dnc import - >"$T/out" 2>&1 || fail "from standard input: $(cat "$T/out")"
check "from standard input" $((listed + 3)) "$(in_force)"
echo ok
