/*
 * campaign_store - rows, documents and the life cycle. Filling campaign_contacts,
 * planned starts and completion are in campaign_store_sweep.c.
 */
#include "campaigns/campaign_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/caller_id_store.h"
#include "campaigns/campaign_trunk_store.h"
#include "campaigns/canary_store.h"
#include "campaigns/doc_reader.h"
#include "campaigns/flow_store.h"
#include "campaigns/mode_flow_store.h"
#include "campaigns/names_store.h"
#include "campaigns/trunk_store.h"
#include "campaigns/variant_store.h"

#define COLUMNS                                                                          \
    "id, tenant_id, name, state, list_id, trunk_id, flow_revision_id, stop_reason, "     \
    "furrow_ms(created_at), furrow_ms(started_at), furrow_ms(ended_at), "                \
    "furrow_ms(changed_at), revision, machine_flow_revision_id"

static int read_row(const PGresult *res, int row, struct campaign_row *out)
{
    struct campaign_row c = {.id = pg_i64(res, row, 0),
                             .tenant_id = (int)pg_i64(res, row, 1),
                             .list_id = pg_i64(res, row, 4),
                             .trunk_id = pg_i64(res, row, 5),
                             .flow_revision_id = pg_i64(res, row, 6),
                             .created_at_ms = pg_i64(res, row, 8),
                             .started_at_ms = pg_i64(res, row, 9),
                             .ended_at_ms = pg_i64(res, row, 10),
                             .changed_at_ms = pg_i64(res, row, 11),
                             .revision = (int)pg_i64(res, row, 12),
                             .machine_flow_revision_id = pg_i64(res, row, 13)};

    if (!campaign_state_parse(pg_text(res, row, 3), &c.state)) {
        log_error("campaign", "id=%lld state=%s is none of this build", (long long)c.id,
                  pg_text(res, row, 3));
        return EPROTO;
    }
    str_cut(c.name, sizeof(c.name), pg_text(res, row, 2));
    str_cut(c.stop_reason, sizeof(c.stop_reason), pg_text(res, row, 7));
    *out = c;
    return 0;
}

/* ---- create ---- */

/* ENOENT of a name the document holds becomes an issue at its place. */
static int note_missing(struct doc_reader *r, const char *pointer, int err,
                        const struct errtext *e, const char *hint)
{
    if (err == ENOENT)
        doc_issue(r, pointer, JSON_PLACE_VALUE, hint, "%s", e->text);
    return err == ENOENT ? 0 : err;
}

static int find_list(struct pg *pg, const char *name, int64_t *id, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, name);
    int err = pg_run(pg, &res, "SELECT id FROM lists WHERE name = $1", &a);
    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    if (PQntuples(res) == 0)
        return names_missing(pg, "list", "lists", name, e);
    *id = pg_i64(res, 0, 0);
    return 0;
}

/* Somebody who answers would be talked to by nobody, or not even be told that. */
static int check_flow(struct pg *pg, int tenant_id, const struct campaign_doc *doc,
                      int64_t revision_id, struct doc_reader *r)
{
    struct mode_flow_fault fault;

    if (doc->mode.kind == MODE_FIXED || !revision_id)
        return 0;
    int err = mode_flow_check(pg, tenant_id, revision_id, doc->mode.queue, &fault);
    if (!err && fault.no_queue)
        doc_issue(r, "/mode/queue", JSON_PLACE_VALUE,
                  "{\"kind\": \"queue\", \"queue\": …} puts the call through to an agent",
                  "%s", fault.text);
    else if (!err && fault.silent)
        doc_issue(r, "/flow", JSON_PLACE_VALUE,
                  "lead it to a prompt that says who called, why, the number and how to "
                  "get no more calls: the law asks for it when no agent takes a call",
                  "%s", fault.text);
    return err;
}

/* The rows of several lists; the first is the campaign's own. */
static int write_lists(struct pg *pg, int64_t campaign_id, const struct campaign_doc *doc)
{
    int err = 0;

    for (size_t i = 0; !err && i < doc->lists.n; i++) {
        struct errtext e = {0};
        struct pg_args a = {0};
        int64_t id = 0;

        err = find_list(pg, doc->lists.at[i].name, &id, &e);
        pg_arg_i64(&a, campaign_id);
        pg_arg_i64(&a, id);
        pg_arg_i64(&a, (int64_t)i);
        if (!err)
            err = pg_run(pg, NULL,
                         "INSERT INTO campaign_lists (tenant_id, campaign_id, list_id, "
                         "place) VALUES (furrow_tenant(), $1, $2, $3)",
                         &a);
    }
    return err;
}

static int find_lists(struct pg *pg, const struct campaign_doc *doc, int64_t *first_id,
                      struct doc_reader *r)
{
    static const char hint[] = "'furrow contacts import FILE --list NAME' makes one";
    struct errtext missing = {0};
    char at[DOC_POINTER_MAX];
    int64_t id = 0;

    if (doc->lists.n == 0)
        return note_missing(r, "/list", find_list(pg, doc->list, first_id, &missing),
                            &missing, hint);
    for (size_t i = 0; i < doc->lists.n; i++) {
        snprintf(at, sizeof(at), "/lists/%zu/name", i);
        int err = note_missing(r, at, find_list(pg, doc->lists.at[i].name, &id, &missing),
                               &missing, hint);
        if (err)
            return err;
        *first_id = i == 0 ? id : *first_id;
    }
    return 0;
}

static int find_trunk(struct pg *pg, int tenant_id, const struct campaign_doc *doc,
                      size_t i, int64_t *id, struct doc_reader *r)
{
    struct trunk_row trunk = {0};
    struct errtext e = {0};
    char at[DOC_POINTER_MAX];

    snprintf(at, sizeof(at), "/trunks/%zu/trunk", i);
    int err = trunk_find(pg, tenant_id, doc->trunks[i].name, &trunk, &e);
    *id = trunk.id;
    return note_missing(r, doc->trunk_count > 1 ? at : "/trunk", err, &e,
                        "'furrow trunk add NAME --kind …' makes one");
}

/* The revisions of the variants' flows, in their order; usual: of the campaign's. */
static int resolve_variants(struct pg *pg, int tenant_id, const struct campaign_doc *doc,
                            int64_t usual, int64_t revisions[VARIANTS_MAX],
                            struct doc_reader *r)
{
    int err = 0;

    for (size_t i = 0; !err && i < doc->variants.n; i++) {
        struct flow_row flow = {.revision_id = usual};
        struct errtext no_flow = {0};
        char at[DOC_POINTER_MAX] = "/variants";

        json_pointer_add_index(at, sizeof(at), i);
        json_pointer_add(at, sizeof(at), "flow");
        if (doc->variants.at[i].flow[0])
            err = note_missing(
                r, at,
                flow_find(pg, tenant_id, doc->variants.at[i].flow, &flow, &no_flow),
                &no_flow, "'furrow flow list' shows the published flows");
        revisions[i] = flow.revision_id;
    }
    return err;
}

/* Everything that is missing is said at once. */
static int resolve(struct pg *pg, int tenant_id, const struct campaign_doc *doc,
                   struct campaign_row *row, int64_t trunk_ids[CAMPAIGN_TRUNKS_MAX],
                   int64_t revisions[VARIANTS_MAX], struct doc_reader *r)
{
    struct flow_row flow = {0}, message = {0};
    struct errtext no_flow = {0}, no_pool = {0}, no_message = {0};

    int err = find_lists(pg, doc, &row->list_id, r);
    if (!err)
        err =
            note_missing(r, "/flow", flow_find(pg, tenant_id, doc->flow, &flow, &no_flow),
                         &no_flow, "'furrow flow publish FILE' makes one");
    for (size_t i = 0; !err && i < doc->trunk_count; i++)
        err = find_trunk(pg, tenant_id, doc, i, &trunk_ids[i], r);
    if (!err)
        err = check_flow(pg, tenant_id, doc, flow.revision_id, r);
    row->trunk_id = trunk_ids[0];
    if (!err && doc->caller_ids.pool[0])
        err =
            note_missing(r, "/caller_ids/pool",
                         caller_id_pool_find(pg, doc->caller_ids.pool, &no_pool),
                         &no_pool, "'furrow caller-id add NUMBER --pool NAME' makes one");
    row->flow_revision_id = flow.revision_id;
    if (!err && doc->machine.flow[0])
        err = note_missing(
            r, "/machine/flow",
            flow_find(pg, tenant_id, doc->machine.flow, &message, &no_message),
            &no_message, "'furrow flow publish FILE' makes one");
    row->machine_flow_revision_id = message.revision_id;
    if (!err)
        err = resolve_variants(pg, tenant_id, doc, flow.revision_id, revisions, r);
    for (size_t i = 0; !err && i < doc->variants.n; i++)
        err = revisions[i] == flow.revision_id
                  ? 0
                  : check_flow(pg, tenant_id, doc, revisions[i], r);
    return !err && r->issues->found ? EINVAL : err;
}

static int insert(struct pg *pg, const struct campaign_doc *doc, const char *text,
                  int64_t now_ms, struct campaign_row *row)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, row->tenant_id);
    pg_arg_text(&a, doc->name);
    pg_arg_text(&a, campaign_state_name(CAMPAIGN_DRAFT));
    pg_arg_text(&a, text);
    pg_arg_i64(&a, row->list_id);
    pg_arg_i64(&a, row->trunk_id);
    pg_arg_i64(&a, row->flow_revision_id);
    pg_arg_ms(&a, now_ms);
    pg_arg_i64(&a, row->machine_flow_revision_id);
    int err =
        pg_run(pg, &res,
               "INSERT INTO campaigns (tenant_id, name, state, document, "
               "document_text, list_id, trunk_id, flow_revision_id, created_at, "
               "changed_at, machine_flow_revision_id) VALUES ($1, $2, $3, "
               "$4::text::jsonb, $4::text, $5, $6, "
               "$7, furrow_ts($8), furrow_ts($8), nullif($9, 0)) RETURNING " COLUMNS,
               &a);
    return err ? err : read_row(res, 0, row);
}

static int create(struct pg *pg, const struct campaign_doc *doc, const char *text,
                  int64_t now_ms, struct campaign_row *row, struct doc_reader *r)
{
    int64_t trunk_ids[CAMPAIGN_TRUNKS_MAX] = {0}, revisions[VARIANTS_MAX] = {0};

    int err = resolve(pg, row->tenant_id, doc, row, trunk_ids, revisions, r);
    if (!err)
        err = insert(pg, doc, text, now_ms, row);
    if (!err)
        err = campaign_trunks_write(pg, row->tenant_id, row->id, doc, trunk_ids);
    if (!err)
        err = write_lists(pg, row->id, doc);
    if (!err)
        err = variant_pin(pg, row->tenant_id, row->id, doc, revisions);
    if (err == EEXIST)
        doc_issue(r, "/name", JSON_PLACE_VALUE,
                  "'furrow campaign list' shows them; choose another name",
                  "there is a campaign '%s' already", doc->name);
    return err;
}

int campaign_create(struct pg *pg, int tenant_id, const char *text, size_t len,
                    int64_t now_ms, struct campaign_row *out,
                    struct campaign_issues *issues)
{
    struct campaign_doc *doc = NULL;
    struct campaign_row row = {.tenant_id = tenant_id};
    struct doc_reader r = {.text = text, .len = len, .issues = issues};

    int err = campaign_doc_parse(&doc, text, len, issues);
    if (err)
        return err;
    CLEANUP(free_cleanup) char *copy = xstrndup(text, len); /* ends with a NUL */
    err = pg_begin(pg, tenant_id);
    if (!err)
        err = pg_end(pg, create(pg, doc, copy, now_ms, &row, &r));
    campaign_doc_free(doc);
    if (!err)
        *out = row;
    return err;
}

/* ---- find, list, text ---- */

static int find(struct pg *pg, const char *name, struct campaign_row *out,
                struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, name);
    int err = pg_run(pg, &res, "SELECT " COLUMNS " FROM campaigns WHERE name = $1", &a);
    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    if (PQntuples(res) == 0)
        return names_missing(pg, "campaign", "campaigns", name, e);
    return read_row(res, 0, out);
}

int campaign_find(struct pg *pg, int tenant_id, const char *name,
                  struct campaign_row *out, struct errtext *e)
{
    bool own = false;
    int err = pg_begin_own(pg, tenant_id, &own);

    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    return pg_end_own(pg, own, find(pg, name, out, e));
}

static int list(struct pg *pg, enum campaign_state state, struct campaign_row **out,
                size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    CLEANUP(free_cleanup) struct campaign_row *all = NULL;
    struct pg_args a = {0};

    pg_arg_text(&a, state == CAMPAIGN_STATES ? NULL : campaign_state_name(state));
    int err = pg_run(pg, &res,
                     "SELECT " COLUMNS
                     " FROM campaigns WHERE $1::text IS NULL OR state = $1 ORDER BY "
                     "coalesce((document->>'priority')::int, 0) DESC, id",
                     &a);
    if (err)
        return err;
    int rows = PQntuples(res);
    all = xcalloc((size_t)rows + 1, sizeof(*all));
    for (int i = 0; !err && i < rows; i++)
        err = read_row(res, i, &all[i]);
    if (err)
        return err;
    *n = (size_t)rows;
    *out = STEAL(all);
    return 0;
}

int campaign_list(struct pg *pg, int tenant_id, enum campaign_state state,
                  struct campaign_row **out, size_t *n)
{
    bool own = false;
    int err = pg_begin_own(pg, tenant_id, &own);

    return err ? err : pg_end_own(pg, own, list(pg, state, out, n));
}

static int load_text(struct pg *pg, int64_t id, char **out, int *revision)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, id);
    int err = pg_run(pg, &res,
                     "SELECT document_text, revision FROM campaigns WHERE id = $1", &a);
    if (!err && PQntuples(res) == 0)
        err = ENOENT;
    if (!err)
        *out = xstrdup(pg_text(res, 0, 0));
    if (!err)
        *revision = (int)pg_i64(res, 0, 1);
    return err;
}

int campaign_text(struct pg *pg, int tenant_id, int64_t campaign_id, char **out)
{
    bool own = false;
    int revision = 0;
    int err = pg_begin_own(pg, tenant_id, &own);

    return err ? err : pg_end_own(pg, own, load_text(pg, campaign_id, out, &revision));
}

/* ---- parsed documents, kept with the connection ---- */

#define KEEP_KEY "campaign_docs"

struct kept_doc {
    int tenant_id; /* an id alone must not open another tenant's document */
    int64_t campaign_id;
    int revision; /* older ones are kept too: somebody may hold them */
    struct campaign_doc *doc;
};

struct kept_docs {
    struct kept_doc *at;
    size_t n;
};

static void free_docs(void *data)
{
    struct kept_docs *k = data;

    for (size_t i = 0; i < k->n; i++)
        campaign_doc_free(k->at[i].doc);
    free(k->at);
    free(k);
}

static const struct campaign_doc *kept_find(struct kept_docs *k, int tenant_id,
                                            int64_t campaign_id, int revision)
{
    for (size_t i = k->n; i > 0; i--)
        if (k->at[i - 1].campaign_id == campaign_id &&
            k->at[i - 1].tenant_id == tenant_id && k->at[i - 1].revision == revision)
            return k->at[i - 1].doc;
    return NULL;
}

static int read_revision(struct pg *pg, int64_t id, int *out)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, id);
    int err = pg_run(pg, &res, "SELECT revision FROM campaigns WHERE id = $1", &a);
    if (!err && PQntuples(res) == 0)
        err = ENOENT;
    if (!err)
        *out = (int)pg_i64(res, 0, 0);
    return err;
}

static int get(struct pg *pg, struct kept_docs *k, int tenant_id, int64_t campaign_id,
               const struct campaign_doc **out)
{
    CLEANUP(free_cleanup) char *text = NULL;
    struct campaign_issues issues;
    struct campaign_doc *doc = NULL;
    int revision = 0;

    int err = read_revision(pg, campaign_id, &revision);
    if (err)
        return err;
    *out = kept_find(k, tenant_id, campaign_id, revision);
    if (*out)
        return 0;
    err = load_text(pg, campaign_id, &text, &revision);
    if (err)
        return err;
    err = campaign_doc_parse(&doc, text, strlen(text), &issues);
    if (err) {
        log_error("campaign", "id=%lld document cannot be read: line %d: %s",
                  (long long)campaign_id, issues.at[0].line, issues.at[0].text);
        return EINVAL;
    }
    k->at = xrealloc(k->at, (k->n + 1) * sizeof(*k->at));
    k->at[k->n++] = (struct kept_doc){tenant_id, campaign_id, revision, doc};
    *out = doc;
    return 0;
}

int campaign_doc_get(struct pg *pg, int tenant_id, int64_t campaign_id,
                     const struct campaign_doc **out)
{
    struct kept_docs *k = pg_kept(pg, KEEP_KEY);
    bool own = false;

    if (!k) {
        k = xcalloc(1, sizeof(*k));
        pg_keep(pg, KEEP_KEY, k, free_docs);
    }
    int err = pg_begin_own(pg, tenant_id, &own);
    return err ? err : pg_end_own(pg, own, get(pg, k, tenant_id, campaign_id, out));
}

/* ---- the life cycle ---- */

static int lock(struct pg *pg, int64_t id, struct campaign_row *row, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, id);
    int err =
        pg_run(pg, &res,
               "SELECT " COLUMNS " FROM campaigns WHERE id = $1 FOR NO KEY UPDATE", &a);
    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    if (PQntuples(res) == 0)
        return errtext_set(e, ENOENT, 0, 0, "no campaign has the id %lld", (long long)id);
    return read_row(res, 0, row);
}

static int write_state(struct pg *pg, struct campaign_row *row, enum campaign_state to,
                       const char *reason, int64_t now_ms, struct errtext *e)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};
    bool begins = row->state != CAMPAIGN_PAUSED && row->state != CAMPAIGN_FAULTED;

    pg_arg_i64(&a, row->id);
    pg_arg_text(&a, campaign_state_name(to));
    pg_arg_text(&a, reason ? reason : "");
    pg_arg_ms(&a, now_ms);
    pg_arg_bool(&a, to == CAMPAIGN_RUNNING && begins);
    bool shelved = to == CAMPAIGN_ARCHIVED || row->state == CAMPAIGN_ARCHIVED;
    pg_arg_bool(&a, !shelved && (to == CAMPAIGN_STOPPED || to == CAMPAIGN_DONE));
    pg_arg_bool(&a, shelved);
    int err = pg_run(
        pg, &res,
        "UPDATE campaigns SET state = $2, stop_reason = left($3, 199), "
        "changed_at = furrow_ts($4), started_at = CASE WHEN $5::bool THEN "
        "furrow_ts($4) ELSE started_at END, ended_at = CASE WHEN $6::bool THEN "
        "furrow_ts($4) WHEN $7::bool THEN ended_at END WHERE id = $1 RETURNING " COLUMNS,
        &a);
    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    return read_row(res, 0, row);
}

/* Who resumes a campaign knows that its canary failed; a start may be a schedule's. */
static int tell_canary(struct pg *pg, int64_t id, enum campaign_command c, int64_t now_ms)
{
    if (c == CAMPAIGN_RESUME)
        return canary_overrule(pg, id, now_ms);
    return c == CAMPAIGN_START ? canary_again(pg, id) : 0;
}

/* Its sub-flows may be others than when it was created. */
static int check_flows(struct pg *pg, const struct campaign_row *row, struct errtext *e)
{
    const struct campaign_doc *doc = NULL;
    struct mode_flow_fault fault;

    int err = campaign_doc_get(pg, row->tenant_id, row->id, &doc);
    if (err == EINVAL) /* of another build; nothing is claimed by it */
        return 0;
    if (!err)
        err = mode_flow_check_campaign(pg, row->tenant_id, row->id, doc, &fault);
    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    if (!fault.no_queue && !fault.silent)
        return 0;
    return errtext_set(e, EPERM, 0, 0,
                       "%s; publish a sub-flow that says something, or make a campaign "
                       "with another flow",
                       fault.text);
}

static int command(struct pg *pg, int64_t id, enum campaign_command c, const char *reason,
                   int64_t now_ms, struct campaign_row *row, struct errtext *e)
{
    char why[LIFECYCLE_TEXT_MAX];
    enum campaign_state to = CAMPAIGN_DRAFT;

    int err = lock(pg, id, row, e);
    if (err)
        return err;
    if (!lifecycle_move(row->state, c, &to))
        return errtext_set(e, EPERM, 0, 0, "%s", lifecycle_explain(row->state, c, why));
    /* Without anybody to be told it starts, and the dialer's look pauses it. */
    if (to == CAMPAIGN_RUNNING && e)
        err = check_flows(pg, row, e);
    if (err)
        return err;
    err = tell_canary(pg, id, c, now_ms);
    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    return write_state(pg, row, to, reason, now_ms, e);
}

int campaign_lock_running(struct pg *pg, int64_t campaign_id, bool *running)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    pg_arg_text(&a, campaign_state_name(CAMPAIGN_RUNNING));
    int err = pg_run(pg, &res,
                     "SELECT 1 FROM campaigns WHERE id = $1 AND state = $2 FOR NO KEY "
                     "UPDATE SKIP LOCKED",
                     &a);
    *running = !err && PQntuples(res) == 1;
    return err;
}

int campaign_command(struct pg *pg, int tenant_id, int64_t campaign_id,
                     enum campaign_command c, const char *reason, int64_t now_ms,
                     struct campaign_row *row, struct errtext *e)
{
    struct campaign_row moved = {0};
    bool own = false;

    int err = pg_begin_own(pg, tenant_id, &own);
    if (err)
        return errtext_set(e, err, 0, 0, "%s", pg_error(pg));
    err = pg_end_own(pg, own, command(pg, campaign_id, c, reason, now_ms, &moved, e));
    if (!err && row)
        *row = moved;
    if (!err)
        log_info("campaign", "id=%lld command=%s state=%s", (long long)campaign_id,
                 campaign_command_name(c), campaign_state_name(moved.state));
    return err;
}
