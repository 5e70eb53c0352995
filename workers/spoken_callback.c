#include "workers/spoken_callback.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "batches/nlu_grammar.h"
#include "campaigns/call_hours_store.h"
#include "campaigns/call_store.h"
#include "contacts/tz.h"
#include "workers/call_time.h"
#include "workers/opt_outs.h"

/* What a person reads of it. */
static const char not_read[] = "no time to call back was named; 'furrow recordings "
                               "transcribe ID --text \"tomorrow at 5 pm\"' says one";
static const char vague[] = "the time to call back was not clear; 'furrow recordings "
                            "transcribe ID --text \"tomorrow at 5 pm\"' says one";

static const char *why_not_found(enum call_time_when when)
{
    switch (when) {
    case CALL_TIME_FOUND:
        break;
    case CALL_TIME_EITHER:
        return "the time to call back may be in the morning or in the afternoon, or on "
               "an "
               "unknown clock; transcribe it with am or pm";
    case CALL_TIME_PAST:
        return "the time to call back is over";
    case CALL_TIME_FAR:
        return "the time to call back is more than 30 days ahead";
    case CALL_TIME_CLOSED:
        return "the campaign may not call within a month of the time said";
    }
    return "";
}

/* NULL: it is promised, or needs to be no more. */
static const char *why_not_promised(enum call_promise promise)
{
    switch (promise) {
    case CALL_PROMISED:
    case CALL_PROMISE_DUPLICATE:
    case CALL_PROMISE_OPTED_OUT:
        break;
    case CALL_PROMISE_NOT_RUNNING:
        return "the campaign does not run: start it, then 'furrow recordings retry ID'";
    case CALL_PROMISE_NOBODY:
        return "nobody can call back: the number is withheld, or no campaign calls for "
               "the number that was dialled";
    }
    return NULL;
}

struct spoken_wish {
    struct pg *pg;
    int tenant_id;
    const struct recording *r;
    int64_t now_ms;
};

static int store(const struct spoken_wish *w, const char *intent, json_t *entities)
{
    struct pg_args a = {0};
    CLEANUP(free_cleanup) char *text = json_dumps(entities, JSON_COMPACT);

    json_decref(entities);
    pg_arg_uuid(&a, &w->r->id);
    pg_arg_text(&a, intent);
    pg_arg_text(&a, text);
    pg_arg_ms(&a, w->now_ms);
    int err = pg_run(w->pg, NULL,
                     "UPDATE transcripts SET intent = $2, confidence = 1, entities = $3, "
                     "understood_by = 'grammar', understood_at = furrow_ts($4) WHERE "
                     "recording_id = $1",
                     &a);
    return err ? err : recording_set_state(w->pg, &w->r->id, "done", "", w->now_ms);
}

static int leave_to_person(const struct spoken_wish *w, const char *why)
{
    return recording_set_state(w->pg, &w->r->id, "needs_person", why, w->now_ms);
}

static int leave_alone(const struct spoken_wish *w)
{
    int err = opt_out_spoken(w->pg, w->tenant_id, w->r->phone, &w->r->call_id, w->now_ms);

    return err ? err : store(w, "none", json_pack("{s:b}", "opt_out", 1));
}

/* Where the clock of the party stands is asked of the campaign's contact, as the flow was
 * told it. */
static int find_instant(const struct spoken_wish *w, const struct call_party *party,
                        const struct call_time *said, int64_t *asked_ms, int64_t *at_ms,
                        enum call_time_when *when)
{
    CLEANUP(call_hours_free) struct call_hours hours = {0};
    const struct tz_zone *zone = NULL;

    *when = CALL_TIME_CLOSED;
    int err = call_hours_find(w->pg, w->tenant_id, party->campaign_id, party->contact_id,
                              party->phone, w->r->created_at_ms, &hours);
    if (err == EINVAL || err == ENOENT)
        return 0; /* a document of another build, logged: it calls nobody */
    if (err)
        return err;
    /* Without a clock on the wall only "in two hours" means anything. */
    if (tz_find(hours.zone, &zone) && (said->in_ms == 0 || tz_find("UTC", &zone))) {
        *when = CALL_TIME_EITHER;
        return 0;
    }
    const struct call_time_place place = {.said_ms = w->r->created_at_ms,
                                          .now_ms = w->now_ms,
                                          .zone = zone,
                                          .open = hours.open,
                                          .open_count = hours.n,
                                          .min_gap_ms = hours.min_gap_ms};
    *when = call_time_find(said, &place, asked_ms, at_ms);
    return 0;
}

static int promise(const struct spoken_wish *w, const struct call_party *party,
                   int64_t asked_ms, int64_t at_ms)
{
    enum call_promise how = CALL_PROMISE_NOBODY;
    char asked[CLOCK_TEXT_MAX], at[CLOCK_TEXT_MAX], id[UUID_TEXT_MAX];

    int err = call_promise(w->pg, w->tenant_id, party, at_ms, w->now_ms, &how);
    if (err)
        return err;
    if (why_not_promised(how))
        return leave_to_person(w, why_not_promised(how));
    log_info("nlu", "recording=%s call back at %s%s", uuid_text(&w->r->id, id),
             clock_text(at_ms, at), how == CALL_PROMISED ? "" : " is no new promise");
    return store(w, "callback",
                 json_pack("{s:s, s:s, s:b}", "asked_at", clock_text(asked_ms, asked),
                           "callback_at", clock_text(at_ms, at), "promised",
                           how == CALL_PROMISED));
}

static int understand(const struct spoken_wish *w)
{
    enum call_time_when when = CALL_TIME_CLOSED;
    int64_t asked_ms = 0, at_ms = 0;
    struct call_party party = {0};
    struct understanding u;
    struct call_time said;

    understanding_init(&u);
    nlu_grammar_understand(&u, w->r->text);
    if (u.opt_out)
        return leave_alone(w);
    enum call_time_said read = call_time_read(&said, w->r->text);
    if (read != CALL_TIME_READ)
        return leave_to_person(w, read == CALL_TIME_NONE ? not_read : vague);
    int err = call_find_party(w->pg, &w->r->call_id, &party);
    if (err)
        return err == ENOENT ? leave_to_person(w, why_not_promised(CALL_PROMISE_NOBODY))
                             : err;
    if (party.campaign_id == 0 || party.phone == 0)
        return leave_to_person(w, why_not_promised(CALL_PROMISE_NOBODY));
    err = find_instant(w, &party, &said, &asked_ms, &at_ms, &when);
    if (err)
        return err;
    return when == CALL_TIME_FOUND ? promise(w, &party, asked_ms, at_ms)
                                   : leave_to_person(w, why_not_found(when));
}

enum job_result spoken_callback(struct job_ctx *ctx, const struct job *job,
                                const struct recording *r)
{
    enum job_result result = JOB_DONE;

    if (r->text_language[0] && strncmp(r->text_language, "en", 2) != 0)
        return recording_finish(ctx, job, r, "needs_person",
                                "a time to call back is understood in English only; "
                                "transcribe it in English");
    struct spoken_wish w = {.pg = pg_pool_take(ctx->pool),
                            .tenant_id = job->tenant_id,
                            .r = r,
                            .now_ms = clock_now_ms()};
    int err = pg_begin(w.pg, job->tenant_id);
    if (!err)
        err = pg_end(w.pg, understand(&w));
    if (err)
        result = job_db_error(ctx, w.pg, err);
    pg_pool_give(ctx->pool, w.pg);
    return result;
}
