#include "batches/command_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "batches/caller_store.h"
#include "batches/command_do_store.h"
#include "batches/news_store.h"
#include "batches/nlu_grammar.h"
#include "campaigns/job_store.h"

enum { ANSWER_WITHIN_MS = 5 * 60 * 1000 };

/* Of one number's messages so many refusals are told in that time: two machines that
 * answer each other come to an end, and a stranger costs little. */
enum { REFUSALS_TOLD = 5, REFUSALS_WITHIN_MS = 10 * 60 * 1000 };

/* --- rows -------------------------------------------------------------------------- */

static void phone_or_null(struct pg_args *a, int64_t phone)
{
    if (phone)
        pg_arg_i64(a, phone);
    else
        pg_arg_null(a);
}

/* *fresh: it was not there, or it was kept and nothing was done about it yet. */
static int take_row(struct pg *pg, int tenant_id, const struct command_in *in,
                    int64_t now_ms, struct uuid *id, bool *fresh)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct uuid mine = uuid_v7(now_ms);
    struct pg_args a = {0};

    pg_arg_uuid(&a, &mine);
    pg_arg_i64(&a, tenant_id);
    pg_arg_text(&a, in->source);
    pg_arg_text(&a, in->key);
    pg_arg_uuid(&a, in->recording_id);
    pg_arg_uuid(&a, in->call_id);
    phone_or_null(&a, in->phone);
    pg_arg_text(&a, in->language);
    pg_arg_text(&a, in->text);
    pg_arg_ms(&a, in->said_ms);
    pg_arg_ms(&a, now_ms);
    int err =
        pg_run(pg, &res,
               "WITH made AS (INSERT INTO commands (id, tenant_id, source, "
               "source_key, recording_id, call_id, phone, language, text, said_at, "
               "changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, "
               "furrow_ts($10), furrow_ts($11)) ON CONFLICT (tenant_id, source, "
               "source_key) DO NOTHING RETURNING id, state) SELECT id, state FROM "
               "made UNION ALL SELECT id, state FROM commands WHERE source = $3 AND "
               "source_key = $4 LIMIT 1",
               &a);
    if (err)
        return err;
    /* None: another one puts it there at this very moment. */
    *fresh = PQntuples(res) == 1 && str_is(pg_text(res, 0, 1), "new");
    return PQntuples(res) == 1 ? pg_uuid(res, 0, 0, id) : 0;
}

static int finish_row(struct pg *pg, const struct command_in *in,
                      const struct understanding *u, const struct command_result *r,
                      const struct uuid *batch, int64_t now_ms)
{
    static const char *const states[] = {"done", "asking", "refused", "done"};
    json_t *json = entities_to_json(&u->entities);
    CLEANUP(free_cleanup) char *entities = json_dumps(json, JSON_COMPACT);
    char why[REFUSAL_TEXT_MAX] = "";
    struct pg_args a = {0};

    json_decref(json);
    pg_arg_uuid(&a, &r->id);
    pg_arg_text(&a, intent_event(u->intent));
    pg_arg_text(&a, entities);
    pg_arg_text(&a, states[r->state]);
    pg_arg_text(&a, r->state == COMMAND_ASKS ? missing_name(r->why.lacks[0]) : "");
    pg_arg_ms(&a, r->state == COMMAND_ASKS ? now_ms + ANSWER_WITHIN_MS : 0);
    pg_arg_text(&a, refusal_text(&r->why, "en", why));
    pg_arg_uuid(&a, uuid_is_zero(batch) ? NULL : batch);
    if (r->state != COMMAND_DONE || r->batch.quantity_kg < 0)
        pg_arg_null(&a);
    else
        pg_arg_double(&a, r->batch.quantity_kg);
    pg_arg_ms(&a, now_ms);
    pg_arg_text(&a, in->text);
    return pg_run(
        pg, NULL,
        "UPDATE commands SET event = $2, entities = $3, state = $4, asked = $5, "
        "answer_until = furrow_ts($6), why = $7, batch = $8, quantity_kg = $9, "
        "changed_at = furrow_ts($10), text = $11 WHERE id = $1",
        &a);
}

/* --- answers ----------------------------------------------------------------------- */

struct question {
    struct uuid id;
    enum missing asked;
    struct understanding u;
};

/* The newest question that the number may still answer. ENOENT. */
static int find_question(struct pg *pg, int64_t phone, int64_t at_ms,
                         const struct uuid *not_this, struct question *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, phone);
    pg_arg_ms(&a, at_ms);
    pg_arg_uuid(&a, not_this);
    int err =
        pg_run(pg, &res,
               "SELECT id, asked, event, entities FROM commands WHERE phone = $1 "
               "AND state = 'asking' AND answer_until > furrow_ts($2) AND ($3::uuid "
               "IS NULL OR id <> $3) ORDER BY changed_at DESC LIMIT 1",
               &a);
    if (err || PQntuples(res) == 0)
        return err ? err : ENOENT;
    understanding_init(&out->u);
    json_auto_t *entities = json_loads(pg_text(res, 0, 3), 0, NULL);
    entities_from_json(&out->u.entities, entities);
    if (pg_uuid(res, 0, 0, &out->id) || !missing_parse(pg_text(res, 0, 1), &out->asked) ||
        !intent_parse(pg_text(res, 0, 2), &out->u.intent))
        return EPROTO;
    return 0;
}

static void fill_text(char *to, size_t size, const char *from)
{
    if (!*to)
        str_cut(to, size, from);
}

/* What the second try leaves out is as it was said at first. */
static void fill(struct entities *e, const struct entities *first)
{
    if (e->quantity < 0) {
        e->quantity = first->quantity;
        str_cut(e->unit, sizeof(e->unit), first->unit);
    }
    if (e->output_kg < 0)
        e->output_kg = first->output_kg;
    fill_text(e->product, sizeof(e->product), first->product);
    fill_text(e->grade, sizeof(e->grade), first->grade);
    fill_text(e->origin, sizeof(e->origin), first->origin);
    fill_text(e->farmer, sizeof(e->farmer), first->farmer);
    fill_text(e->destination, sizeof(e->destination), first->destination);
    fill_text(e->condition, sizeof(e->condition), first->condition);
    fill_text(e->batch_id, sizeof(e->batch_id), first->batch_id);
    fill_text(e->process, sizeof(e->process), first->process);
    fill_text(e->container, sizeof(e->container), first->container);
    for (size_t i = 0; i < first->packed_count; i++)
        (void)entities_add_packed(e, first->packed[i]);
    if (e->part_count == 0) {
        memcpy(e->parts, first->parts, sizeof(e->parts));
        e->part_count = first->part_count;
    }
}

/* An answer, or the same command once more, completes what was asked after. */
static bool complete(struct understanding *u, const struct question *q, const char *text)
{
    if (u->intent == q->u.intent) {
        fill(&u->entities, &q->u.entities);
        return true;
    }
    if (u->intent != INTENT_NONE)
        return false;
    struct understanding answered = q->u;
    if (!nlu_grammar_answer(&answered.entities, q->asked, text))
        return false;
    *u = answered;
    return true;
}

static int take_answer(struct pg *pg, const struct command_in *in, const struct uuid *id,
                       struct understanding *u, int64_t now_ms)
{
    CLEANUP(free_cleanup) struct question *q = xcalloc(1, sizeof(*q));
    struct pg_args a = {0};

    if (!in->phone)
        return 0;
    int err = find_question(pg, in->phone, in->said_ms, id, q);
    if (err || !complete(u, q, in->text))
        return err == ENOENT ? 0 : err;
    pg_arg_uuid(&a, &q->id);
    pg_arg_ms(&a, now_ms);
    return pg_run(pg, NULL,
                  "UPDATE commands SET state = 'answered', changed_at = furrow_ts($2) "
                  "WHERE id = $1",
                  &a);
}

/* --- the command ------------------------------------------------------------------- */

/* Who types must be known; who speaks, where the tenant says so. */
static bool may(const struct ledger *l, const struct command_in *in,
                const struct caller *c, struct command_result *out)
{
    bool asked =
        l->registered_only ? !str_is(in->source, "cli") : str_is(in->source, "sms");

    if (!asked || c->approved)
        return true;
    out->state = COMMAND_REFUSED;
    out->why = (struct refusal){.reason = c->registered ? REFUSED_NOT_APPROVED
                                                        : REFUSED_NOT_REGISTERED};
    return false;
}

/* What is typed in a wrong way says how it is typed. */
static bool is_readable(const struct command_in *in, struct understanding *u,
                        struct command_result *out)
{
    const char *usage = NULL;
    enum command_verdict v = command_read(u, in->text, &usage);

    if (v != COMMAND_INVALID && v != COMMAND_UNKNOWN)
        return true;
    out->state = COMMAND_REFUSED;
    out->why = (struct refusal){.reason = REFUSED_FORM};
    str_cut(out->why.what, sizeof(out->why.what), usage);
    return false;
}

/* A refused or impossible command leaves nothing but its own row. */
static int do_or_undo(struct pg *pg, const struct command_deed *d,
                      struct command_result *out, struct uuid *batch)
{
    int err = pg_run(pg, NULL, "SAVEPOINT command", NULL);
    if (err)
        return err;
    err = command_do(pg, d, out, batch);
    if (err == ERANGE) {
        out->state = COMMAND_REFUSED;
        out->why = (struct refusal){.reason = REFUSED_NUMBERS_USED_UP};
        err = 0;
    }
    if (!err && out->state != COMMAND_DONE) {
        *batch = (struct uuid){0};
        out->new_batch = false;
        err = pg_run(pg, NULL, "ROLLBACK TO command", NULL);
    }
    return err ? err : pg_run(pg, NULL, "RELEASE command", NULL);
}

/* --- registration ------------------------------------------------------------------ */

/* What stands behind "/register"; NULL: it is something else. */
static const char *registration_of(const char *text)
{
    static const char word[] = "/register";

    text += strspn(text, " \t\r\n");
    if (strncasecmp(text, word, sizeof(word) - 1) != 0)
        return NULL;
    text += sizeof(word) - 1;
    return *text && !strchr(" \t\r\n", *text) ? NULL : text + strspn(text, " \t\r\n");
}

/* "am Abebe Kebede": a language in front is theirs. */
static const char *take_language(const char *text, char language[3])
{
    static const char *const languages[] = {"en", "am", "om"};

    for (size_t i = 0; i < ARRAY_LEN(languages); i++)
        if (strncasecmp(text, languages[i], 2) == 0 && text[2] == ' ') {
            str_cut(language, 3, languages[i]);
            return text + 2 + strspn(text + 2, " ");
        }
    return text;
}

static int register_caller(struct pg *pg, int tenant_id, const struct command_in *in,
                           const char *text, const struct caller *known,
                           struct command_result *out)
{
    char language[3] = "", name[CALLER_NAME_MAX] = "";
    int64_t id = 0;

    out->state = COMMAND_REGISTERED;
    out->approved = known->approved;
    if (known->registered)
        return 0;
    str_cut(name, sizeof(name), take_language(text, language));
    const struct caller_new n = {.phone = in->phone,
                                 .name = str_trim(name),
                                 .role = ROLE_FARMER,
                                 .organization = "",
                                 .location = "",
                                 .language = language,
                                 .reason = "",
                                 .telegram_user_id = ""};
    if (*language)
        str_cut(out->language, sizeof(out->language), language);
    int err = caller_register(pg, tenant_id, &n, in->said_ms, &id);
    if (err != EINVAL) /* of one who was registered at this moment it is true too */
        return err == EEXIST ? 0 : err;
    out->state = COMMAND_REFUSED;
    out->why = (struct refusal){.reason = REFUSED_FORM, .what = "/register <name>"};
    return 0;
}

static int mind_quiet(struct pg *pg, const struct command_in *in, int64_t now_ms,
                      struct command_result *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    if (out->state != COMMAND_REFUSED || !str_is(in->source, "sms"))
        return 0;
    pg_arg_i64(&a, in->phone);
    pg_arg_ms(&a, now_ms - REFUSALS_WITHIN_MS);
    pg_arg_i64(&a, REFUSALS_TOLD);
    int err =
        pg_run(pg, &res,
               "SELECT count(*) >= $3 FROM (SELECT FROM commands WHERE phone = $1 AND "
               "changed_at > furrow_ts($2) AND source = 'sms' AND state = 'refused' "
               "LIMIT $3) q",
               &a);
    out->quiet = !err && pg_bool(res, 0, 0);
    return err;
}

static void choose_language(const struct command_in *in, const struct caller *c,
                            struct command_result *out)
{
    str_cut(out->language, sizeof(out->language),
            *in->language ? in->language : c->language);
}

static int run(struct pg *pg, int tenant_id, const struct command_in *in, int64_t now_ms,
               struct command_result *out)
{
    CLEANUP(free_cleanup) struct understanding *u = xcalloc(1, sizeof(*u));
    struct caller caller = {0};
    struct ledger ledger = {0};
    struct uuid batch = {0};
    char text[UUID_TEXT_MAX];

    int err = ledger_open(pg, tenant_id, &ledger);
    if (!err)
        err = take_row(pg, tenant_id, in, now_ms, &out->id, &out->fresh);
    if (err || !out->fresh)
        return err;
    err = caller_find(pg, tenant_id, in->phone, &caller);
    if (err)
        return err;
    choose_language(in, &caller, out);
    *u = *in->u;
    const char *registration = registration_of(in->text);
    if (registration) {
        err = register_caller(pg, tenant_id, in, registration, &caller, out);
    } else if (may(&ledger, in, &caller, out) && is_readable(in, u, out)) {
        const struct command_deed deed = {.ledger = &ledger,
                                          .u = u,
                                          .command_id = out->id,
                                          .recording_id = in->recording_id,
                                          .call_id = in->call_id,
                                          .phone = in->phone,
                                          .caller_id = caller.id,
                                          .said_ms = in->said_ms};
        err = take_answer(pg, in, &out->id, u, now_ms);
        if (!err)
            err = do_or_undo(pg, &deed, out, &batch);
    }
    if (!err)
        err = mind_quiet(pg, in, now_ms, out);
    if (!err && out->new_batch && ledger.tell_cooperative && *caller.organization)
        err = news_enqueue(pg, tenant_id, NEWS_RECORDED, uuid_text(&batch, text), now_ms);
    return err ? err : finish_row(pg, in, u, out, &batch, now_ms);
}

int command_run(struct pg *pg, int tenant_id, const struct command_in *in, int64_t now_ms,
                struct command_result *out)
{
    bool own = false;

    memset(out, 0, sizeof(*out));
    int err = pg_begin_own(pg, tenant_id, &own);
    return err ? err : pg_end_own(pg, own, run(pg, tenant_id, in, now_ms, out));
}

/* --- messages ---------------------------------------------------------------------- */

int command_is_asked(struct pg *pg, int tenant_id, int64_t phone, int64_t at_ms,
                     bool *out)
{
    CLEANUP(free_cleanup) struct question *q = xcalloc(1, sizeof(*q));
    bool own = false;
    int err = phone ? pg_begin_own(pg, tenant_id, &own) : ENOENT;

    if (!err)
        err = find_question(pg, phone, at_ms, NULL, q);
    *out = !err;
    if (err == ENOENT && phone)
        return pg_end_own(pg, own, 0);
    return phone ? pg_end_own(pg, own, err) : 0;
}

static int keep(struct pg *pg, int tenant_id, const struct command_letter *letter,
                int64_t now_ms)
{
    struct uuid id, own_key = uuid_v7(now_ms);
    char key[UUID_TEXT_MAX], text[UUID_TEXT_MAX];
    bool fresh = false;
    const struct command_in in = {.source = "sms",
                                  .key = letter->key ? letter->key
                                                     : uuid_text(&own_key, text),
                                  .phone = letter->phone,
                                  .language = "",
                                  .text = letter->text,
                                  .said_ms = now_ms};

    int err = take_row(pg, tenant_id, &in, now_ms, &id, &fresh);
    if (err || !fresh)
        return err;
    json_auto_t *payload =
        json_pack("{s:i, s:s}", "v", 1, "command_id", uuid_text(&id, key));
    return job_enqueue(pg, tenant_id, "batch", key, payload, now_ms, 0);
}

int command_receive(struct pg *pg, int tenant_id, const struct command_letter *letter,
                    int64_t now_ms, bool *taken)
{
    const char *text = letter->text + strspn(letter->text, " \t\r\n");
    bool own = false;

    *taken = false;
    if (letter->phone <= 0 || strlen(letter->text) > COMMAND_TEXT_MAX)
        return 0;
    int err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return err;
    *taken = *text == '/';
    if (!*taken)
        err = command_is_asked(pg, tenant_id, letter->phone, now_ms, taken);
    if (!err && *taken)
        err = keep(pg, tenant_id, letter, now_ms);
    return pg_end_own(pg, own, err);
}

int command_load(struct pg *pg, int tenant_id, const struct uuid *id,
                 struct command_row *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    bool own = false;

    pg_arg_uuid(&a, id);
    int err = pg_begin_own(pg, tenant_id, &own);
    if (!err)
        err = pg_end_own(pg, own,
                         pg_run(pg, &res,
                                "SELECT source, source_key, language, text, phone, "
                                "furrow_ms(said_at) FROM commands WHERE id = $1",
                                &a));
    if (err || PQntuples(res) == 0)
        return err ? err : ENOENT;
    *out = (struct command_row){.phone = pg_i64(res, 0, 4), .said_ms = pg_i64(res, 0, 5)};
    if (str_copy(out->source, sizeof(out->source), pg_text(res, 0, 0)) ||
        str_copy(out->key, sizeof(out->key), pg_text(res, 0, 1)) ||
        str_copy(out->text, sizeof(out->text), pg_text(res, 0, 3)))
        return EMSGSIZE;
    str_cut(out->language, sizeof(out->language), pg_text(res, 0, 2));
    return 0;
}
