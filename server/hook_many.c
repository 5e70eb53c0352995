#include "server/hook_many.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pg.h"
#include "base/xalloc.h"
#include "campaigns/provider_event_store.h"
#include "server/hook_time.h"
#include "server/voice.h"

struct item {
    struct response *resp;
    bool *done;
    bool taken; /* into a group, or it is not served here */
    bool known; /* resp is what it was answered before */
    struct hook h;
    struct provider_event ev;
    struct uuid call; /* zero: it begins */
    struct call_ask ask;
    struct voice_gather gather;
    struct voice_call voice;
};

static const struct hook_route any_route = {.group = HOOK_VOICE,
                                            .failed = voice_apologise};

static void item_free(struct item *it)
{
    voice_close(&it->voice);
    call_effects_free(&it->gather.effects);
    call_context_free(&it->ask.context);
    hook_free(&it->h);
}

static bool begins(const struct item *it)
{
    return uuid_is_zero(&it->call);
}

/* False: another handler serves it, or it is answered already. */
static bool prepare(struct item *it, const struct request *req)
{
    struct hook *h = &it->h;

    *h = (struct hook){.req = req,
                       .server = req->app,
                       .now_ms = clock_now_ms(),
                       .can_wait = true,
                       .gather = &it->gather};
    if (req->params[1] && uuid_parse(req->params[1], &it->call))
        return false;
    if (!hook_prepare(h, req->params[0], &any_route, &it->ev, it->resp)) {
        *it->done = true;
        return false;
    }
    const char *name = voice_provider_call(h);
    if (!voice_backend(h->provider.kind) ||
        (begins(it) && (!name[0] || strlen(name) >= VOICE_PROVIDER_ID_MAX)))
        return false;
    it->ask = (struct call_ask){.account_id = h->provider.id,
                                .phone = voice_caller(h),
                                .at_ms = h->now_ms,
                                .provider_call_id = name,
                                .dialled = hook_param(h, "To")};
    it->gather.ask = begins(it) ? &it->ask : NULL;
    return true;
}

/* One of them waits for the other. */
static bool are_of_one_call(const struct item *a, const struct item *b)
{
    if (a->ev.account_id != b->ev.account_id)
        return false;
    return memcmp(a->ev.key, b->ev.key, sizeof(a->ev.key)) == 0 ||
           (begins(a) ? begins(b) &&
                            strcmp(a->ask.provider_call_id, b->ask.provider_call_id) == 0
                      : memcmp(&a->call, &b->call, sizeof(a->call)) == 0);
}

/* Those of the first one's tenant, which is not served yet. */
static size_t take_group(struct item **all, size_t n, struct item **group)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        struct item *it = all[i];
        bool apart = it->taken;
        if (apart ||
            (count && it->h.provider.tenant_id != group[0]->h.provider.tenant_id))
            continue;
        it->taken = true;
        for (size_t k = 0; k < count && !apart; k++)
            apart = are_of_one_call(it, group[k]);
        if (!apart)
            group[count++] = it;
    }
    return count;
}

/* ---- what they ask ---- */

/* Drops those that keep[i] is false for. */
static size_t sift(struct item **group, const bool *keep, size_t n)
{
    size_t left = 0;

    for (size_t i = 0; i < n; i++)
        if (keep[i])
            group[left++] = group[i];
    return left;
}

/* Which of the group are meant by each of the questions. */
struct question {
    size_t of[HTTP_MANY_MAX], n;
};

static void gather_questions(struct item **group, size_t n, struct question *known,
                             struct question *begun)
{
    for (size_t i = 0; i < n; i++) {
        struct question *q = begins(group[i]) ? begun : known;
        q->of[q->n++] = i;
    }
}

static int ask_for_events(struct pg *pg, struct item **group, size_t n)
{
    const struct provider_event *evs[HTTP_MANY_MAX];

    for (size_t i = 0; i < n; i++)
        evs[i] = &group[i]->ev;
    return provider_events_ask(pg, evs, n);
}

static int ask_for_sessions(struct pg *pg, struct item **group, const struct question *q)
{
    struct voice_named named[HTTP_MANY_MAX];

    for (size_t k = 0; k < q->n; k++) {
        const struct item *it = group[q->of[k]];
        named[k] = (struct voice_named){it->h.provider.id, it->call};
    }
    return q->n > 0 ? voice_sessions_ask(pg, named, q->n) : 0;
}

static int ask_for_beginnings(struct pg *pg, struct item **group,
                              const struct question *q)
{
    struct call_ask asks[HTTP_MANY_MAX];

    for (size_t k = 0; k < q->n; k++)
        asks[k] = group[q->of[k]]->ask;
    return q->n > 0 ? calls_ask(pg, asks, q->n) : 0;
}

/* keep[i]: it is served here. */
static int answer_events(struct pg *pg, struct item **group, size_t n, bool *keep)
{
    const struct provider_event *evs[HTTP_MANY_MAX];
    struct provider_answer before[HTTP_MANY_MAX] = {0};
    bool known[HTTP_MANY_MAX];
    int errs[HTTP_MANY_MAX];

    for (size_t i = 0; i < n; i++)
        evs[i] = &group[i]->ev;
    int err = provider_events_answer(pg, evs, n, known, before, errs);
    for (size_t i = 0; !err && i < n; i++) {
        group[i]->known = known[i];
        if (known[i])
            hook_answer_again(&before[i], group[i]->resp);
        keep[i] = !errs[i];
    }
    for (size_t i = 0; i < n; i++)
        buf_free(&before[i].body);
    return err;
}

static int answer_sessions(struct pg *pg, struct item **group, const struct question *q,
                           bool *keep)
{
    struct voice_session *found = xcalloc(q->n + 1, sizeof(*found));
    bool is_found[HTTP_MANY_MAX];

    int err = q->n > 0 ? voice_sessions_answer(pg, q->n, found, is_found) : 0;
    for (size_t k = 0; k < q->n; k++) {
        struct item *it = group[q->of[k]];
        it->voice.session = found[k];
        keep[q->of[k]] &= it->known || (!err && is_found[k]);
    }
    free(found);
    return err;
}

static int answer_beginnings(struct pg *pg, struct item **group, const struct question *q,
                             bool *keep)
{
    struct call_ask asks[HTTP_MANY_MAX];

    for (size_t k = 0; k < q->n; k++)
        asks[k] = group[q->of[k]]->ask;
    int err = q->n > 0 ? calls_answer(pg, asks, q->n) : 0;
    for (size_t k = 0; k < q->n; k++) {
        struct item *it = group[q->of[k]];
        it->ask = asks[k];
        keep[q->of[k]] &= it->known || (!err && !asks[k].alone);
    }
    return err;
}

/* In one round trip: what was answered before, where known calls are, what new ones begin
 * with. */
static int look(struct pg *pg, struct item **group, size_t *n)
{
    struct question known = {.n = 0}, begun = {.n = 0};
    bool keep[HTTP_MANY_MAX] = {false};

    gather_questions(group, *n, &known, &begun);
    int err = ask_for_events(pg, group, *n);
    if (!err)
        err = ask_for_sessions(pg, group, &known);
    if (!err)
        err = ask_for_beginnings(pg, group, &begun);
    if (!err)
        err = answer_events(pg, group, *n, keep);
    if (!err)
        err = answer_sessions(pg, group, &known, keep);
    if (!err)
        err = answer_beginnings(pg, group, &begun, keep);
    if (!err)
        *n = sift(group, keep, *n);
    return err;
}

/* ---- what they come to ---- */

static size_t step_all(struct item **group, size_t n)
{
    bool keep[HTTP_MANY_MAX];

    for (size_t i = 0; i < n; i++) {
        struct item *it = group[i];
        int err = it->known    ? 0
                  : begins(it) ? voice_gather_in(&it->voice, &it->h, it->resp)
                               : voice_gather_act(&it->voice, &it->h, it->resp);
        keep[i] = !err;
    }
    return sift(group, keep, n);
}

struct rows {
    const struct provider_event *evs[HTTP_MANY_MAX];
    struct provider_answer answers[HTTP_MANY_MAX]; /* bodies are borrowed */
    const struct voice_session *added[HTTP_MANY_MAX], *written[HTTP_MANY_MAX];
    const struct call_start *starts[HTTP_MANY_MAX];
    const struct call_step *steps[HTTP_MANY_MAX];
    const struct call_end *ends[HTTP_MANY_MAX];
    size_t n, added_n, written_n, step_n, end_n;
};

static void add_rows(struct rows *r, struct item *it)
{
    struct provider_answer *said = &r->answers[r->n];

    r->evs[r->n++] = &it->ev;
    *said = (struct provider_answer){.status = it->resp->status, .body = it->resp->body};
    str_cut(said->content_type, sizeof(said->content_type), it->resp->content_type);
    if (begins(it)) {
        r->starts[r->added_n] = &it->gather.start;
        r->added[r->added_n++] = &it->voice.session;
    } else {
        r->written[r->written_n++] = &it->voice.session;
    }
    if (it->gather.stepped)
        r->steps[r->step_n++] = &it->gather.step;
    if (it->gather.ends)
        r->ends[r->end_n++] = &it->gather.end;
}

/* They leave with the commit, in one round trip. */
static int write_rows(struct pg *pg, int tenant_id, const struct rows *r, int64_t now_ms)
{
    if (r->n == 0)
        return 0;
    int err = calls_add(pg, r->starts, r->added_n);
    if (!err)
        err = voice_sessions_add(pg, tenant_id, r->added, r->added_n, now_ms);
    if (!err)
        err = voice_sessions_write(pg, r->written, r->written_n, now_ms);
    if (!err)
        err = calls_finish(pg, r->ends, r->end_n);
    if (!err)
        err = provider_events_keep(pg, tenant_id, r->evs, r->answers, r->n,
                                   clock_real_ms());
    return err ? err : call_steps_write(pg, r->steps, r->step_n);
}

/* *flushed: its commit, and so all before it, is on the disk. */
static int serve_in(struct pg *pg, const struct request *oldest, struct item **group,
                    size_t *n, bool *flushed)
{
    CLEANUP(free_cleanup) struct rows *rows = xcalloc(1, sizeof(*rows));
    const int tenant_id = group[0]->h.provider.tenant_id;

    int err = pg_begin_later(pg, tenant_id);
    if (!err)
        err = hook_limit(pg, oldest, true);
    if (err) {
        pg_rollback(pg);
        return err;
    }
    err = look(pg, group, n);
    if (!err)
        *n = step_all(group, *n);
    for (size_t i = 0; !err && i < *n; i++)
        if (!group[i]->known)
            add_rows(rows, group[i]);
    if (!err && *n > 0)
        err = write_rows(pg, tenant_id, rows, group[0]->h.now_ms);
    *flushed = rows->n > 0;
    return pg_end(pg, err);
}

/* Who has no time left to be served alone. */
static void give_up(struct item **group, size_t n, int err)
{
    for (size_t i = 0; i < n; i++) {
        if (!hook_is_late(group[i]->h.req))
            continue;
        *group[i]->done = true;
        hook_fail(&group[i]->h, &any_route, group[i]->resp, "many", err);
    }
}

static const struct request *oldest_of(struct item **group, size_t n)
{
    const struct request *oldest = group[0]->h.req;

    for (size_t i = 1; i < n; i++)
        if (group[i]->h.req->since_ms < oldest->since_ms)
            oldest = group[i]->h.req;
    return oldest;
}

static void serve_group(struct item **group, size_t n)
{
    struct server *s = group[0]->h.server;
    const struct request *oldest = oldest_of(group, n);
    struct pg *pg = hook_take(s->many_pool, oldest, true);
    bool flushed = false;

    int err = serve_in(pg, oldest, group, &n, &flushed);
    if (err)
        log_debug("hook", "many=%zu err=%d each is served by itself: %s", n, err,
                  pg_error(pg));
    pg_pool_give(s->many_pool, pg);
    if (err)
        give_up(group, n, err);
    for (size_t i = 0; !err && i < n; i++) {
        *group[i]->done = true;
        /* What was said before may have been committed without waiting for the disk. */
        group[i]->resp->unflushed = group[i]->known && !flushed;
        if (!group[i]->known)
            hook_count_one(HOOK_DONE);
    }
}

void hook_voice_many(const struct request *reqs, struct response *const *resps,
                     bool *done, size_t n)
{
    CLEANUP(free_cleanup) struct item *items = xcalloc(n, sizeof(*items));
    struct item *all[HTTP_MANY_MAX], *group[HTTP_MANY_MAX];
    size_t count;

    for (size_t i = 0; i < n; i++) {
        all[i] = &items[i];
        all[i]->resp = resps[i];
        all[i]->done = &done[i];
        all[i]->taken = !prepare(all[i], &reqs[i]);
    }
    while ((count = take_group(all, n, group)) > 0)
        serve_group(group, count);
    for (size_t i = 0; i < n; i++)
        item_free(all[i]);
}
