#include "store/month.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/attempt_store.h"
#include "compliance/calling_store.h"
#include "compliance/consent_store.h"
#include "compliance/dnc_build.h"
#include "compliance/dnc_store.h"
#include "contacts/phone.h"
#include "contacts/zone_group_store.h"
#include "store/ledger_fixture.h"

#define BEGIN_MS  INT64_C(1792044000000) /* 2026-10-15T06:00:00Z */
#define MINUTE_MS INT64_C(60000)
#define DAY_MS    (24 * 60 * MINUTE_MS)
/* The last one is not replaced, and becomes too old. */
static const char *const lists[] = {"us.ftc", "gb.tps", "gb.ctps"};
enum { LISTS = 3, REPLACED = 2 };
enum { DAYS = 31, STEP_MIN = 30, CAMPAIGNS = 2, CLAIM_MAX = 2000 };

struct sim {
    struct pg *pg;
    const char *dir;
    char lists[300];
    uint64_t random;
    int64_t campaigns[CAMPAIGNS], contacts;
    int64_t *phones;
    bool *opted_out;
    int looks; /* at the lists */
    struct month *out;
};

static void must(struct sim *s, int err, const char *what)
{
    if (!err)
        return;
    fprintf(stderr, "month: %s: %d %s\n", what, err, pg_error(s->pg));
    exit(1);
}

static uint64_t draw(struct sim *s, uint64_t below) /* splitmix64 */
{
    uint64_t z = (s->random += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (z ^ (z >> 31)) % below;
}

static FILE *open_file(struct sim *s, const char *name)
{
    CLEANUP(free_cleanup) char *path = xasprintf("%s/%s", s->dir, name);
    FILE *f = fopen(path, "w");

    must(s, f == NULL, path);
    return f;
}

/* ---- people ---- */

/* Every so manyth contact is of the same place; 423 has two zones, 602 no summer time. */
static const int64_t first_of[] = {
    251911000000, 254712000000, 4915112000000, 447400000000, 13124000000,
    16024000000,  14234000000,  18084000000,   251920000000, 12124000000};
enum { PLACES = sizeof(first_of) / sizeof(first_of[0]) };

static int64_t index_of(const struct sim *s, int64_t phone)
{
    for (int64_t p = 0; p < PLACES; p++) {
        int64_t i = (phone - first_of[p]) * PLACES + p;
        if (phone >= first_of[p] && i < s->contacts)
            return i;
    }
    return 0;
}

static void add_contact(struct sim *s, int64_t i, int64_t *id)
{
    struct phone phone;
    int64_t group = 0;

    s->phones[i] = first_of[i % PLACES] + i / PLACES;
    must(s, phone_from_e164(s->phones[i], &phone) != PHONE_VALID, "a number");
    must(s,
         zone_group_id(s->pg, TENANT, phone.region, zones_of(phone.e164, phone.type),
                       BEGIN_MS, &group),
         "zones");
    *id = ledger_i64(s->pg,
                     "INSERT INTO contacts (tenant_id, list_id, phone, number_type, "
                     "zone_group, region) SELECT 1, min(id), %" PRId64 ", %d, %" PRId64
                     ", '%s' FROM lists RETURNING id",
                     phone.e164, (int)phone.type, group, phone.region);
    ledger_run(s->pg,
               "INSERT INTO campaign_contacts (tenant_id, campaign_id, contact_id, "
               "phone, zone_group, number_type, next_attempt_at) SELECT 1, %" PRId64
               ", id, phone, zone_group, number_type, furrow_ts(%" PRId64
               ") FROM contacts WHERE id = %" PRId64,
               s->campaigns[i % 3 == 0], BEGIN_MS, *id);
    if (i % 5 != 0) {
        struct consent c = {.phone = phone.e164,
                            .given_at_ms = BEGIN_MS - (1 + i % 90) * DAY_MS,
                            .level = i % 2 ? CONSENT_EXPRESS_WRITTEN : CONSENT_EXPRESS,
                            .evidence = "form"};
        must(s, consent_add(s->pg, TENANT, &c), "consent");
    }
}

/* A national list with every so manyth number. */
static void publish_list(struct sim *s, const char *name, int every, int64_t at_ms)
{
    const struct dnc_build_options o = {.dir = s->lists,
                                        .name = name,
                                        .source = "month",
                                        .obtained_at_ms = at_ms,
                                        .force = true};
    struct dnc_build_report report;
    struct dnc_build *b = NULL;
    struct errtext e = {0};
    char line[40];

    must(s, dnc_build_new(&b, &o, &e), e.text);
    for (int64_t i = 0; i < s->contacts; i += every) {
        int n = snprintf(line, sizeof(line), "+%" PRId64 "\n", s->phones[i]);
        must(s, dnc_build_feed(b, line, (size_t)n, &e), e.text);
    }
    must(s, dnc_build_end_file(b, &e), e.text);
    must(s, dnc_build_publish(b, &report, &e), e.text);
    dnc_build_free(b);
    /* This process looks once a second: have it look now. */
    struct dnc_list *list =
        dnc_lists_pin(dnc_lists_of_process(), name, mono_ms() + 2000 * ++s->looks);
    must(s, !list || dnc_list_head(list)->generation != report.generation, "the swap");
    dnc_lists_unpin(dnc_lists_of_process(), list);
}

/* ---- what happens between and in calls ---- */

static void opt_out(struct sim *s, int64_t i, int64_t at_ms)
{
    static const char *const doors[] = {"cli", "api", "sms", "keypress", "speech"};
    const struct dnc_entry entry = {.phone = s->phones[i], .source = doors[draw(s, 5)]};
    bool added = false;

    must(s, dnc_add(s->pg, TENANT, &entry, at_ms, &added), "dnc_add");
    s->opted_out[i] = true;
    s->out->opt_outs += added;
}

static void between(struct sim *s, int64_t at_ms)
{
    int64_t i = (int64_t)draw(s, (uint64_t)s->contacts), n = 0;

    if (draw(s, 4) == 0)
        opt_out(s, i, at_ms);
    i = (int64_t)draw(s, (uint64_t)s->contacts);
    if (draw(s, 6) == 0) {
        must(s, consent_revoke(s->pg, TENANT, s->phones[i], "by the month", at_ms, &n),
             "revoke");
        s->out->revocations += n;
    }
}

static void call(struct sim *s, const struct attempt_row *row, int64_t at_ms)
{
    uint64_t d = draw(s, 100);
    struct attempt_move moves[3] = {
        {.id = row->id, .to = ATTEMPT_RINGING, .at_ms = at_ms + 1000},
        {.id = row->id, .to = ATTEMPT_ANSWERED, .at_ms = at_ms + 9000},
        {.id = row->id, .to = ATTEMPT_ENDED, .at_ms = at_ms + 40000}};
    size_t illegal = 0;
    bool answered = d < 30;

    moves[2].disposition = answered ? DISPOSITION_COMPLETED
                           : d < 75 ? DISPOSITION_NO_ANSWER
                           : d < 90 ? DISPOSITION_BUSY
                           : d < 93 ? DISPOSITION_REJECTED
                           : d < 97 ? DISPOSITION_CONGESTION
                                    : DISPOSITION_BAD_NUMBER;
    if (answered && draw(s, 15) == 0) { /* says stop in the call */
        moves[2].opted_out = true;
        opt_out(s, index_of(s, row->phone), at_ms + 30000);
    } else if (answered && draw(s, 12) == 0) {
        moves[2].callback_at_ms = at_ms + (int64_t)(1 + draw(s, 60)) * 60 * MINUTE_MS;
    }
    if (!answered)
        moves[1] = moves[2];
    must(s, attempt_move(s->pg, TENANT, moves, answered ? 3 : 2, &illegal), "move");
    must(s, (int)illegal, "an illegal move");
}

static void dial(struct sim *s, int64_t campaign, int max, int64_t now_ms)
{
    static struct attempt_row rows[CLAIM_MAX];
    static struct permit *permits[CLAIM_MAX];
    struct attempt_claim_result r;

    must(s, attempt_claim(s->pg, TENANT, campaign, 0, now_ms, (size_t)max, rows, &r),
         "claim");
    s->out->claims += (int64_t)r.looked_at;
    s->out->refused += (int64_t)r.refused;
    if (r.intents == 0)
        return;
    /* Somebody of those who are about to be called may ask not to be. */
    if (draw(s, 3) == 0)
        opt_out(s, index_of(s, rows[draw(s, r.intents)].phone), now_ms + 500);
    must(s, attempt_release(s->pg, TENANT, rows, r.intents, now_ms + 1000, permits),
         "release");
    for (size_t i = 0; i < r.intents; i++) {
        s->out->permits += permits[i] != NULL;
        s->out->withdrawn += permits[i] == NULL;
        if (!permits[i])
            continue;
        s->out->broken += s->opted_out[index_of(s, rows[i].phone)];
        permit_free(permits[i]);
        call(s, &rows[i], now_ms + 1000);
    }
}

/* ---- time zone data ---- */

/* From a day in October on: Kenya an hour later, New York without summer time. */
static const struct {
    const char *zone, *folder, *rules_of;
} changed[] = {{"Africa/Nairobi", "Africa", "Asia/Dubai"},
               {"America/New_York", "America", "America/Panama"}};

static void link_to(struct sim *s, const char *name, const char *target)
{
    CLEANUP(free_cleanup) char *path = xasprintf("%s/zoneinfo/%s", s->dir, name);
    CLEANUP(free_cleanup) char *beside = xasprintf("%s.new", path);

    must(s, symlink(target, beside) || rename(beside, path), path);
}

/* Its entries, each a link to the system's; in below, a folder of it, likewise. */
static void link_all(struct sim *s, const char *below)
{
    CLEANUP(free_cleanup) char *from = xasprintf("/usr/share/zoneinfo/%s", below);
    CLEANUP(free_cleanup) char *to = xasprintf("%s/zoneinfo/%s", s->dir, below);
    const char *slash = *below ? "/" : "";
    const struct dirent *e = NULL;
    DIR *d = opendir(from);

    must(s, !d || mkdir(to, 0755), to);
    while ((e = readdir(d))) {
        CLEANUP(free_cleanup) char *name = xasprintf("%s%s%s", below, slash, e->d_name);
        CLEANUP(free_cleanup) char *target = xasprintf("/usr/share/zoneinfo/%s", name);
        bool own = e->d_name[0] == '.';
        for (size_t i = 0; i < ARRAY_LEN(changed); i++)
            own |= strcmp(name, changed[i].folder) == 0;
        if (!own)
            link_to(s, name, target);
    }
    closedir(d);
}

static void install_zones(struct sim *s)
{
    CLEANUP(free_cleanup) char *dir = xasprintf("%s/zoneinfo", s->dir);

    link_all(s, "");
    for (size_t i = 0; i < ARRAY_LEN(changed); i++)
        link_all(s, changed[i].folder);
    setenv("TZDIR", dir, 1);
}

static void upgrade_zones(struct sim *s)
{
    CLEANUP(free_cleanup) char *path = xasprintf("%s/zoneinfo/tzdata.zi", s->dir);
    static const char marker[] = "# version 2027a\n";

    for (size_t i = 0; i < ARRAY_LEN(changed); i++) {
        CLEANUP(free_cleanup)
        char *target = xasprintf("/usr/share/zoneinfo/%s", changed[i].rules_of);
        link_to(s, changed[i].zone, target);
    }
    must(s, files_write_atomic(path, marker, strlen(marker)), path);
}

/* ---- what the oracle reads ---- */

static void dump(struct sim *s, const char *name, const char *sql)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    FILE *f = open_file(s, name);

    must(s, pg_begin(s->pg, TENANT), "begin");
    must(s, pg_end(s->pg, pg_run(s->pg, &res, sql, NULL)), name);
    for (int i = 0; i < PQntuples(res); i++)
        fprintf(f, "%s\n", pg_text(res, i, 0));
    must(s, fclose(f), name);
}

static void dump_all(struct sim *s)
{
    dump(s, "decisions.jsonl",
         "SELECT json_build_object('id', id, 'stage', stage, 'campaign', campaign_id, "
         "'phone', phone, 'at', furrow_ms(decided_at), 'attempt', attempt_id, 'reason', "
         "reason, 'reasons', reasons, 'next', furrow_ms(next_allowed_at), 'tzdata', "
         "inputs->>'tzdata') FROM decisions "
         "ORDER BY decided_at, id");
    dump(s, "attempts.jsonl",
         "SELECT json_build_object('id', id, 'campaign', campaign_id, 'phone', phone, "
         "'released', furrow_ms(released_at), 'disposition', disposition, 'state', "
         "state) FROM attempts ORDER BY id");
    dump(s, "dnc.jsonl",
         "SELECT json_build_object('phone', phone, 'at', furrow_ms(added_at)) FROM "
         "dnc_entries");
    dump(s, "consents.jsonl",
         "SELECT json_build_object('phone', phone, 'level', level, 'at', "
         "furrow_ms(given_at), 'revoked', furrow_ms(revoked_at)) FROM consents");
}

/* ---- the month ---- */

static void set_up(struct sim *s)
{
    static const char *const rules[CAMPAIGNS] = {
        ",\"purpose\":\"informational\",\"voice_mode\":\"prerecorded\"",
        ",\"purpose\":\"telemarketing\",\"voice_mode\":\"live\""};
    static const char *const names[CAMPAIGNS] = {"harvest", "seeds"};
    FILE *f = open_file(s, "campaigns.jsonl");

    for (int i = 0; i < CAMPAIGNS; i++) {
        CLEANUP(free_cleanup)
        char *all = xasprintf(
            "%s,\"windows\":{\"mon-sat\":[\"09:00-20:00\"]},\"limits\":{\"per_24h\":2,"
            "\"per_7d\":4,\"total\":0,\"min_gap_s\":14400},\"ring_timeout_s\":25,"
            "\"close_guard_s\":30,\"keep_open\":true",
            rules[i]);
        s->campaigns[i] = ledger_campaign(s->pg, names[i], all);
        fprintf(f, "{\"id\":%" PRId64 "%s}\n", s->campaigns[i], rules[i]);
    }
    must(s, fclose(f), "campaigns.jsonl");
    int64_t last = 0;
    for (int64_t i = 0; i < s->contacts; i++)
        add_contact(s, i, &last);
    ledger_run(s->pg, "UPDATE campaigns SET last_contact_id = %" PRId64, last);
    f = open_file(s, "phones.jsonl"); /* in the order that lists go by */
    for (int64_t i = 0; i < s->contacts; i++)
        fprintf(f, "%" PRId64 "\n", s->phones[i]);
    must(s, fclose(f), "phones.jsonl");
}

void month_run(struct pg *pg, const char *dir, int64_t contacts, int per_claim,
               uint64_t seed, struct month *out)
{
    struct sim s = {.pg = pg,
                    .dir = dir,
                    .random = seed,
                    .contacts = contacts,
                    .phones = xcalloc((size_t)contacts, sizeof(int64_t)),
                    .opted_out = xcalloc((size_t)contacts, sizeof(bool)),
                    .out = out};
    int64_t swap_ms = BEGIN_MS + 14 * DAY_MS,
            upgrade_ms = BEGIN_MS + 9 * DAY_MS + 330 * MINUTE_MS,
            stop_ms = BEGIN_MS + DAY_MS + 180 * MINUTE_MS;

    *out = (struct month){0};
    snprintf(s.lists, sizeof(s.lists), "%s/dnc", dir);
    dnc_lists_use(s.lists);
    install_zones(&s);
    set_up(&s);
    for (int i = 0; i < LISTS; i++)
        publish_list(&s, lists[i], 7, BEGIN_MS - DAY_MS);
    for (int64_t t = BEGIN_MS; t < BEGIN_MS + DAYS * DAY_MS; t += STEP_MIN * MINUTE_MS) {
        if (t == swap_ms)
            for (int i = 0; i < REPLACED; i++)
                publish_list(&s, lists[i], 9, swap_ms);
        if (t == upgrade_ms)
            upgrade_zones(&s);
        if (t == stop_ms)
            must(&s, calling_stop(pg, TENANT, "month", t), "stop");
        if (t == stop_ms + 2 * STEP_MIN * MINUTE_MS)
            must(&s, calling_resume(pg, TENANT), "resume");
        between(&s, t - MINUTE_MS);
        for (int i = 0; i < CAMPAIGNS; i++)
            dial(&s, s.campaigns[i], per_claim, t + i * 5 * MINUTE_MS);
    }
    FILE *f = open_file(&s, "world.json");
    fprintf(f, "{\"stop\":[%" PRId64 ",%" PRId64 "],\"lists\":{", stop_ms,
            stop_ms + 2 * STEP_MIN * MINUTE_MS);
    for (int i = 0; i < LISTS; i++) {
        fprintf(f, "%s\"%s\":[[%" PRId64 ",7]", i ? "," : "", lists[i],
                BEGIN_MS - DAY_MS);
        if (i < REPLACED)
            fprintf(f, ",[%" PRId64 ",9]", swap_ms);
        fputc(']', f);
    }
    fprintf(f, "},\"upgrade\":%" PRId64 ",\"zones\":{", upgrade_ms);
    for (size_t i = 0; i < ARRAY_LEN(changed); i++)
        fprintf(f, "%s\"%s\":\"%s\"", i ? "," : "", changed[i].zone, changed[i].rules_of);
    fputs("}}\n", f);
    must(&s, fclose(f), "world.json");
    dump_all(&s);
    unsetenv("TZDIR");
    free(s.phones);
    free(s.opted_out);
}
