/* furrow doctor: what calls need beside the machine itself. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/http.h"
#include "base/pg.h"
#include "base/proc.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/campaign_store.h"
#include "campaigns/provider_store.h"
#include "cli/cmd_dnc_lists.h"
#include "cli/doctor.h"
#include "cli/trunk_ready.h"
#include "compliance/dnc_list.h"
#include "compliance/pack.h"
#include "workers/worker.h"

enum { LISTS_MAX = 64, WANTED_MAX = 64, SOON_DAYS = 5 };
#define DAY_MS ((int64_t)86400 * 1000)

/* ---- do-not-call lists ---- */

struct wanted {
    char name[48];
    char who[100]; /* a campaign, or a pack */
    int max_age_days;
    bool wash;
};

struct wants {
    struct wanted at[WANTED_MAX];
    size_t n;
};

static void want(struct wants *w, const char *name, const char *who, int max_age_days,
                 bool wash)
{
    if (strcmp(name, "tenant.internal") == 0)
        return;
    for (size_t i = 0; i < w->n; i++) {
        struct wanted *at = &w->at[i];
        if (strcmp(at->name, name) == 0 && at->wash == wash) {
            if (max_age_days > 0 &&
                (at->max_age_days <= 0 || max_age_days < at->max_age_days))
                at->max_age_days = max_age_days;
            return;
        }
    }
    if (w->n == WANTED_MAX)
        return;
    struct wanted *at = &w->at[w->n++];
    str_cut(at->name, sizeof(at->name), name);
    str_cut(at->who, sizeof(at->who), who);
    at->max_age_days = max_age_days;
    at->wash = wash;
}

/* Country packs only: which states' lists hold depends on each number. */
static void want_of_packs(struct wants *w, const struct policy *p, const char *region)
{
    const struct pack *pack =
        p->pack_mode == PACKS_NONE ? NULL : packs_find(packs_of_process(), region);
    int64_t today = clock_now_ms() / DAY_MS;

    for (size_t i = 0; pack && i < pack->row_count; i++) {
        const struct pack_row *row = &pack->rows[i];
        if ((row->kind == PACK_DNC || row->kind == PACK_WASH) &&
            (row->purposes & (1U << p->purpose)) && (row->voices & (1U << p->voice)) &&
            pack_row_in_force(row, today))
            want(w, row->list, pack->name, row->max_age_days, row->kind == PACK_WASH);
    }
}

static void want_of_campaign(struct doctor *d, struct wants *w,
                             const struct campaign_row *row)
{
    CLEANUP(free_cleanup) struct campaign_zone *zones = NULL;
    const struct campaign_doc *doc = NULL;
    size_t n = 0;

    if (campaign_doc_get(d->cli->pg, d->cli->tenant_id, row->id, &doc)) {
        doctor_found(d, "campaign", FAIL,
                     "%s: its document cannot be read; nothing of it is called: create "
                     "it anew",
                     row->name);
        return;
    }
    const struct policy *p = doc->policy;
    for (size_t i = 0; i < p->list_count; i++)
        want(w, p->lists[i], row->name, p->list_max_age_days, false);
    for (size_t i = 0; i < p->wash_count; i++)
        want(w, p->washes[i], row->name, 0, true);
    if (campaign_zones(d->cli->pg, d->cli->tenant_id, row->id, clock_now_ms(), &zones,
                       &n))
        return;
    for (size_t i = 0; i < n; i++)
        if (policy_has_region(p, zones[i].region))
            want_of_packs(w, p, zones[i].region);
}

static bool is_live(enum campaign_state state)
{
    return state == CAMPAIGN_DRAFT || state == CAMPAIGN_RUNNING ||
           state == CAMPAIGN_PAUSED;
}

static const struct dnc_head *head_of(struct dnc_list *const *lists, size_t n,
                                      const char *name, bool *there)
{
    *there = false;
    for (size_t i = 0; i < n; i++)
        if (strcmp(dnc_list_name(lists[i]), name) == 0) {
            *there = true;
            return dnc_list_head(lists[i]);
        }
    return NULL;
}

static void judge_list(struct doctor *d, const struct wanted *w,
                       const struct dnc_head *head, bool there)
{
    int64_t now_ms = clock_now_ms();

    if (!there || !head) {
        doctor_found(d, "list", FAIL,
                     "%s, asked for by %s, %s: those calls are refused; 'furrow dnc "
                     "import --list %s FILE'",
                     w->name, w->who, there ? "is damaged" : "is missing", w->name);
        return;
    }
    int64_t age = now_ms / DAY_MS - head->obtained_at_ms / DAY_MS;
    bool past = head->valid_until_ms > 0 && head->valid_until_ms <= now_ms;
    bool old = w->max_age_days > 0 && age > w->max_age_days;
    if (past || old)
        doctor_found(d, "list", FAIL,
                     "%s, asked for by %s, is %" PRId64 " days old, too old: those calls "
                     "are refused; get it anew and 'furrow dnc import --list %s FILE'",
                     w->name, w->who, age, w->name);
    else if (w->max_age_days > 0 && age > w->max_age_days - SOON_DAYS)
        doctor_found(d, "list", WARN,
                     "%s is %" PRId64
                     " days old; after %d those calls are refused: get it "
                     "anew",
                     w->name, age, w->max_age_days);
    else
        doctor_found(d, "list", OK,
                     "%s: %" PRIu64 " numbers, %" PRId64 " days old, for %s", w->name,
                     head->count, age, w->who);
}

static void judge_wash(struct doctor *d, const struct wanted *w)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, w->name);
    pg_arg_ms(&a, clock_now_ms());
    int err = pg_begin(d->cli->pg, d->cli->tenant_id);
    if (!err)
        err = pg_end(d->cli->pg,
                     pg_run(d->cli->pg, &res,
                            "SELECT EXISTS (SELECT FROM washes WHERE list = $1 AND "
                            "expires_at > furrow_ts($2))",
                            &a));
    if (err)
        doctor_found(d, "wash", FAIL, "%s", pg_error(d->cli->pg));
    else if (!pg_bool(res, 0, 0))
        doctor_found(d, "wash", FAIL,
                     "%s, asked for by %s, has no answer in force: those calls are "
                     "refused; 'furrow facts import --kind wash --list %s FILE'",
                     w->name, w->who, w->name);
    else
        doctor_found(d, "wash", OK, "%s has answers in force, for %s", w->name, w->who);
}

void doctor_look_at_lists(struct doctor *d)
{
    CLEANUP(free_cleanup) char *dir = cli_dnc_dir(d->cli);
    CLEANUP(free_cleanup) struct campaign_row *rows = NULL;
    CLEANUP(free_cleanup) struct wants *w = xcalloc(1, sizeof(*w));
    struct dnc_list *pinned[LISTS_MAX];
    size_t campaigns = 0, n = 0;

    if (campaign_list(d->cli->pg, d->cli->tenant_id, CAMPAIGN_STATES, &rows,
                      &campaigns)) {
        doctor_found(d, "lists", FAIL, "%s", pg_error(d->cli->pg));
        return;
    }
    for (size_t i = 0; i < campaigns; i++)
        if (is_live(rows[i].state))
            want_of_campaign(d, w, &rows[i]);
    struct dnc_lists *lists = dnc_lists_new(dir);
    dnc_lists_pin_all(lists, mono_ms(), pinned, LISTS_MAX, &n);
    for (size_t i = 0; i < w->n; i++) {
        bool there = false;
        const struct dnc_head *head = head_of(pinned, n, w->at[i].name, &there);
        if (w->at[i].wash)
            judge_wash(d, &w->at[i]);
        else
            judge_list(d, &w->at[i], head, there);
    }
    for (size_t i = 0; i < n; i++)
        dnc_lists_unpin(lists, pinned[i]);
    dnc_lists_free(lists);
}

/* ---- trunks ---- */

static void look_at_dialers(struct doctor *d)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;

    if (pg_run(d->cli->pg, &res,
               "SELECT count(*) FROM node_slots WHERE kind = 'dialer' AND lease_until > "
               "clock_timestamp()",
               NULL))
        doctor_found(d, "dialer", FAIL, "%s", pg_error(d->cli->pg));
    else if (pg_i64(res, 0, 0) == 0)
        doctor_found(d, "dialer", WARN,
                     "none is running; start furrow-dialer, or 'furrow up'; 'furrow run' "
                     "starts its own");
    else
        doctor_found(d, "dialer", OK, "%" PRId64 " running", pg_i64(res, 0, 0));
}

/* Can a dialer use its account, and can the provider reach us? */
static void look_at_account(struct doctor *d, const struct trunk_row *t)
{
    CLEANUP(provider_wipe) struct provider p = {0};
    const struct config_common *c = &d->cli->config.common;
    struct errtext e = {0};
    char hook[PROVIDER_URL_MAX + 64];

    if (doctor_open_account(d, t->account, &p, &e))
        doctor_found(d, "trunk", FAIL, "%s: %s", t->name, e.text);
    else if (!provider_hook_url(&p, c->public_url, hook, sizeof(hook)))
        doctor_found(d, "trunk", FAIL,
                     "%s: the provider must reach furrow-server: set FURROW_PUBLIC_URL, "
                     "or public_url with 'furrow provider set %s --settings'",
                     t->name, t->account);
    else
        doctor_found(d, "trunk", OK, "%s: through %s account '%s', whose token opens",
                     t->name, t->kind, t->account);
}

void doctor_look_at_trunks(struct doctor *d)
{
    static const enum grade grades[] = {
        [TRUNK_READY] = OK, [TRUNK_NOT_ASKED] = WARN, [TRUNK_NOT_READY] = FAIL};
    CLEANUP(free_cleanup) struct trunk_row *trunks = NULL;
    size_t n = 0;

    look_at_dialers(d);
    if (trunk_list(d->cli->pg, d->cli->tenant_id, &trunks, &n)) {
        doctor_found(d, "trunk", FAIL, "%s", pg_error(d->cli->pg));
        return;
    }
    if (n == 0)
        doctor_found(d, "trunk", WARN, "there is none; 'furrow trunk add --help'");
    for (size_t i = 0; i < n; i++) {
        char text[300];
        if (trunks[i].account_id) {
            look_at_account(d, &trunks[i]);
            continue;
        }
        enum trunk_readiness ready = cli_trunk_ready(&trunks[i], text, sizeof(text));
        doctor_found(d, "trunk", grades[ready], "%s: %s", trunks[i].name, text);
    }
}

/* ---- services ---- */

/* Any answer is one: what matters is that somebody is there. */
static void look_at_service(struct doctor *d, const char *what, const char *url,
                            const char *without, const char *variable)
{
    CLEANUP(http_resp_free) struct http_resp resp = {0};
    const struct http_req req = {.url = url, .connect_ms = 2000, .timeout_ms = 4000};
    struct http *http = NULL;

    if (!*url) {
        doctor_found(d, what, OK, "none is named here (%s): %s", variable, without);
        return;
    }
    if (http_new(&http, NULL))
        return;
    int err = http_do(http, &req, &resp);
    http_free(http);
    if (err)
        doctor_found(d, what, WARN,
                     "%s does not answer (%s): recordings wait until it does; is it "
                     "running, is %s right?",
                     url, resp.error[0] ? resp.error : "no connection", variable);
    else if (resp.status >= 500)
        doctor_found(d, what, WARN, "%s answers %ld: look at its log", url, resp.status);
    else
        doctor_found(d, what, OK, "%s answers", url);
}

void doctor_look_at_services(struct doctor *d)
{
    struct worker_config c;
    struct errtext e = {0};

    if (config_load(&worker_config_table, NULL, &c, &e)) {
        doctor_found(d, "worker", FAIL, "its configuration: %s", e.text);
        return;
    }
    look_at_service(d, "speech", c.asr_url, "a person writes down what is recorded",
                    "FURROW_ASR_URL");
    look_at_service(d, "language", c.nlu_url, "the built-in grammar understands English",
                    "FURROW_NLU_URL");
    if (proc_exists("ffmpeg"))
        doctor_found(d, "audio", OK, "ffmpeg is installed: any audio can be uploaded");
    else
        doctor_found(d, "audio", WARN,
                     "ffmpeg is not installed: uploads of .m4a, .aac, .wma, .webm are "
                     "refused; apt install ffmpeg");
}
