/*
 * Where a call is, asked of the provider: by its id where that is known, else in the
 * provider's lists. Lists and records are behind by seconds, so "not there" is believed
 * only after search_s of asking; until then placed is told to ask again. Whatever comes
 * of it, nothing is sent a second time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/xalloc.h"
#include "campaigns/provider_call_store.h"
#include "dialer/db.h"
#include "dialer/dialer.h"
#include "dialer/placed.h"
#include "dialer/provider_inside.h"

enum { WAIT_MIN_MS = 500, WAIT_MAX_MS = 8000 };

enum ask_kind { ASK_BY_ID, ASK_LIST, ASK_LEAD };

struct ask {
    struct dialer *dialer;
    int64_t trunk_id;
    struct uuid id;
    enum ask_kind kind;
};

static void next_step(struct carried *c);

void carrier_look_free(struct carried *c)
{
    free(c->leads);
    free(c->others);
    c->leads = NULL;
    c->others = NULL;
    c->lead = c->lead_count = 0;
}

static void conclude(struct carried *c, enum trunk_presence presence)
{
    trunk_query_fn *asked = c->asked;
    struct dialer *d = c->carrier->base.dialer;
    struct uuid id = c->id;

    carrier_look_free(c);
    c->looking = false;
    c->asked = NULL;
    if (asked)
        asked(d, &id, presence);
}

static void found(struct carried *c, const struct provider_call_news *news)
{
    trunk_query_fn *asked = c->asked;
    struct dialer *d = c->carrier->base.dialer;
    struct uuid id = c->id;
    bool up = news->status == PROVIDER_CALL_UP;
    char text[UUID_TEXT_MAX];

    if (!c->known.call_id[0] && !c->known.request_id[0])
        log_info("provider", "attempt=%s found at the provider: call=%s%s",
                 uuid_text(&id, text), LOG_ESC(news->call_id),
                 news->call_id[0] ? "" : news->request_id);
    carrier_look_free(c);
    c->looking = false;
    c->asked = NULL;
    c->missing_since_ms = 0;
    c->waits = 0;
    if (!c->taken_at_ms)
        c->taken_at_ms = mono_ms();
    if (news->status == PROVIDER_CALL_QUEUED)
        carrier_take_back(c);
    carrier_learnt(c, news);
    if (asked)
        asked(d, &id, up ? TRUNK_PRESENT_UP : TRUNK_PRESENT_RINGING);
}

/* Every place was looked at, or one did not answer. */
static void not_found(struct carried *c, bool everywhere)
{
    int64_t now = mono_ms(), wait = WAIT_MIN_MS << (c->waits < 4 ? c->waits : 4);

    c->waits++;
    c->look_again_ms = now + (wait < WAIT_MAX_MS ? wait : WAIT_MAX_MS);
    if (everywhere && !c->missing_since_ms)
        c->missing_since_ms = now;
    bool long_missing =
        c->missing_since_ms &&
        now - c->missing_since_ms >= (int64_t)c->carrier->settings.search_s * 1000;
    conclude(c, everywhere && long_missing ? TRUNK_ABSENT : TRUNK_UNASKED);
}

/* ---- answers ---- */

static void on_seen(const struct web_resp *resp, struct carried *c)
{
    struct provider_seen seen = {.news = PROVIDER_CALL_NEWS};
    enum provider_sight sight =
        resp->err
            ? PROVIDER_NO_ANSWER
            : c->carrier->rest->see(c->step, resp->status, resp->body, resp->len, &seen);

    if (sight == PROVIDER_SEEN) {
        found(c, &seen.news);
        return;
    }
    c->saw_nobody |= sight == PROVIDER_NO_ANSWER;
    c->step++;
    next_step(c);
}

static bool is_among(const char *lines, const char *name)
{
    char line[sizeof(((struct provider_call_news *)0)->call_id) + 2];

    snprintf(line, sizeof(line), "\n%s\n", name);
    return lines && name[0] && strstr(lines, line);
}

/* A call that is known to be another attempt's is not this one's: of those under way this
 * process knows more, of those that are over the database. */
static bool is_another(const struct carried *c, const struct provider_call_news *news)
{
    const struct carried *o = NULL;

    if (is_among(c->others, news->call_id) || is_among(c->others, news->request_id))
        return true;
    for (size_t at = 0; (o = id_table_next(&c->carrier->calls, &at));)
        if (o != c &&
            ((news->call_id[0] && (strcmp(o->known.call_id, news->call_id) == 0 ||
                                   strcmp(o->known.request_id, news->call_id) == 0)) ||
             (news->request_id[0] && strcmp(o->known.request_id, news->request_id) == 0)))
            return true;
    return false;
}

static bool is_it(const struct carried *c, const struct provider_seen *seen)
{
    return !is_another(c, &seen->news) &&
           provider_seen_is(seen, &c->order, c->made_from_ms, c->made_to_ms);
}

static void on_listed(const struct web_resp *resp, struct carried *c)
{
    CLEANUP(free_cleanup)
    struct provider_seen *all = xcalloc(PROVIDER_SEEN_MAX, sizeof(*all));
    size_t n = 0;
    enum provider_sight sight =
        resp->err ? PROVIDER_NO_ANSWER
                  : c->carrier->rest->list(c->step, resp->status, resp->body, resp->len,
                                           all, &n);

    c->saw_nobody |= sight == PROVIDER_NO_ANSWER;
    c->step++;
    for (size_t i = 0; i < n; i++) {
        if (all[i].look < 0 && is_it(c, &all[i])) {
            struct provider_call_news news = all[i].news;
            found(c, &news);
            return;
        }
        if (all[i].look < 0 || is_another(c, &all[i].news))
            continue;
        c->leads = xrealloc(c->leads, (c->lead_count + 1) * sizeof(*c->leads));
        c->leads[c->lead_count++] = all[i];
    }
    next_step(c);
}

static void on_lead(const struct web_resp *resp, struct carried *c)
{
    struct provider_seen seen = {.news = PROVIDER_CALL_NEWS};
    const struct provider_seen *lead = &c->leads[c->lead];
    enum provider_sight sight = resp->err
                                    ? PROVIDER_NO_ANSWER
                                    : c->carrier->rest->see(lead->look, resp->status,
                                                            resp->body, resp->len, &seen);

    if (sight == PROVIDER_SEEN && is_it(c, &seen)) {
        found(c, &seen.news);
        return;
    }
    c->saw_nobody |= sight == PROVIDER_NO_ANSWER;
    c->lead++;
    next_step(c);
}

static void on_answer(const struct web_resp *resp, void *arg)
{
    struct ask *a = arg;
    struct carried *c = carrier_find(a->dialer, a->trunk_id, &a->id);
    enum ask_kind kind = a->kind;

    free(a);
    if (!c || !c->looking)
        return;
    if (kind == ASK_LEAD)
        on_lead(resp, c);
    else if (kind == ASK_LIST)
        on_listed(resp, c);
    else
        on_seen(resp, c);
}

/* ---- asking ---- */

static bool next_request(struct carried *c, struct provider_request *r,
                         enum ask_kind *kind)
{
    const struct carrier *k = c->carrier;

    if (c->lead < c->lead_count) {
        *kind = ASK_LEAD;
        return k->rest->look(&k->account, &c->leads[c->lead].news, c->leads[c->lead].look,
                             r);
    }
    *kind = c->searching ? ASK_LIST : ASK_BY_ID;
    return c->searching ? k->rest->search(&k->account, &c->order, c->step, r)
                        : k->rest->look(&k->account, &c->known, c->step, r);
}

static void next_step(struct carried *c)
{
    struct provider_request r = {0};
    struct carrier *k = c->carrier;
    enum ask_kind kind = ASK_BY_ID;

    if (!next_request(c, &r, &kind)) {
        not_found(c, !c->saw_nobody);
        return;
    }
    struct ask *a = xcalloc(1, sizeof(*a));
    *a = (struct ask){
        .dialer = k->base.dialer, .trunk_id = k->base.row.id, .id = c->id, .kind = kind};
    if (carrier_send(k, &r, false, on_answer, a)) {
        free(a);
        not_found(c, false);
    }
}

/* ---- what is not looked for ---- */

struct others {
    struct dialer *dialer;
    int64_t trunk_id, account_id, phone;
    int tenant_id;
    struct uuid id;
    char *lines;
};

static int run_others(struct pg *pg, void *arg)
{
    struct others *o = arg;

    return provider_call_others(pg, o->tenant_id, o->account_id, &o->id, o->phone,
                                &o->lines);
}

static void on_others(int err, void *arg)
{
    struct others *o = arg;
    struct carried *c =
        o->dialer->trunks ? carrier_find(o->dialer, o->trunk_id, &o->id) : NULL;

    if (c && c->looking && err) {
        not_found(c, false);
    } else if (c && c->looking) {
        c->others = STEAL(o->lines);
        next_step(c);
    }
    free(o->lines);
    free(o);
}

static void search(struct carried *c)
{
    const struct carrier *k = c->carrier;
    struct others *o = xcalloc(1, sizeof(*o));

    *o = (struct others){.dialer = k->base.dialer,
                         .trunk_id = k->base.row.id,
                         .account_id = k->base.row.account_id,
                         .tenant_id = k->base.row.tenant_id,
                         .phone = c->order.phone,
                         .id = c->id};
    if (db_submit(o->dialer->db, DB_TRY, db_key(&c->id), run_others, on_others, o)) {
        free(o);
        not_found(c, false);
    }
}

void carrier_look(struct carried *c, trunk_query_fn *done)
{
    if (c->looking || c->posting || !c->read || !c->carrier->loaded ||
        mono_ms() < c->look_again_ms) {
        done(c->carrier->base.dialer, &c->id, TRUNK_UNASKED);
        return;
    }
    carrier_look_free(c);
    c->asked = done;
    c->looking = true;
    c->saw_nobody = false;
    c->searching = !c->known.call_id[0] && !c->known.request_id[0];
    c->step = 0;
    if (c->searching)
        search(c);
    else
        next_step(c);
}
