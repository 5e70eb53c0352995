/*
 * campaign_store_change - a campaign's rules while it runs.
 *
 * The row is locked as a release locks it, only more: a change comes before or after each
 * release, and every release after it obeys the new document. The document before stays
 * in campaign_revisions.
 */
#include "campaigns/campaign_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/pg.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/attempt_store_person.h"
#include "campaigns/budget_store.h"
#include "campaigns/call_store.h"
#include "campaigns/campaign_change.h"
#include "campaigns/canary_store.h"
#include "campaigns/doc_reader.h"
#include "campaigns/quarantine_store.h"

static int lock(struct pg *pg, int64_t id, int *revision, char **text, bool *archived)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    struct pg_args a = {0};

    pg_arg_i64(&a, id);
    int err =
        pg_run(pg, &res,
               "SELECT revision, document_text, state FROM campaigns WHERE id = $1 FOR "
               "NO KEY UPDATE",
               &a);
    if (!err && PQntuples(res) == 0)
        err = ENOENT;
    if (err)
        return err;
    *revision = (int)pg_i64(res, 0, 0);
    *text = xstrdup(pg_text(res, 0, 1));
    *archived = str_is(pg_text(res, 0, 2), campaign_state_name(CAMPAIGN_ARCHIVED));
    return 0;
}

static int write_document(struct pg *pg, int64_t id, const char *text, int64_t now_ms)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, id);
    pg_arg_text(&a, text);
    pg_arg_ms(&a, now_ms);
    return pg_run(pg, NULL,
                  "WITH before AS (INSERT INTO campaign_revisions (tenant_id, "
                  "campaign_id, revision, document_text, changed_at) SELECT tenant_id, "
                  "id, revision, document_text, furrow_ts($3) FROM campaigns WHERE id = "
                  "$1) UPDATE campaigns SET document = $2::text::jsonb, document_text = "
                  "$2::text, revision = revision + 1 WHERE id = $1",
                  &a);
}

/* Who waits because a rule refused is asked for again: the rules are others now. Who was
 * promised a call at a time waits for it. */
static int ask_again(struct pg *pg, int64_t id, int64_t now_ms)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, id);
    pg_arg_ms(&a, now_ms);
    pg_arg_i64(&a, CALLBACK_PRIORITY);
    pg_arg_ms(&a, ATTEMPT_HELD_MS);
    return pg_run(pg, NULL,
                  "UPDATE campaign_contacts SET next_attempt_at = furrow_ts($2) WHERE "
                  "campaign_id = $1 AND state = 'pending' AND last_refusal IS NOT NULL "
                  "AND next_attempt_at > furrow_ts($2) AND next_attempt_at < "
                  "furrow_ts($4) AND priority < $3",
                  &a);
}

/* What the document does not ask for any more is held no longer. */
static int end_quarantine(struct pg *pg, int64_t id, const struct campaign_doc *doc,
                          int64_t now_ms)
{
    static const char by[] = "by a change of the document";
    size_t n = 0;
    int err = 0;

    if (!doc->quarantine.variants)
        err = quarantine_release(pg, id, doc, QUARANTINE_VARIANT, NULL, by, now_ms, &n);
    if (!err && !doc->quarantine.lists)
        err = quarantine_release(pg, id, doc, QUARANTINE_LIST, NULL, by, now_ms, &n);
    return err;
}

static int change(struct pg *pg, const struct campaign_row *row, const char *text,
                  const struct campaign_doc *doc, int64_t now_ms,
                  struct campaign_issues *issues)
{
    CLEANUP(free_cleanup) char *before_text = NULL;
    CLEANUP(free_cleanup) struct campaign_issues *old = xcalloc(1, sizeof(*old));
    struct campaign_doc *before = NULL;
    int revision = 0;
    bool archived = false;

    int err = lock(pg, row->id, &revision, &before_text, &archived);
    if (!err)
        err = budget_hold_rules(pg, row->id, true);
    if (err)
        return err;
    if (archived) {
        struct doc_reader r = {.text = text, .len = strlen(text), .issues = issues};
        doc_issue(&r, "", JSON_PLACE_VALUE,
                  "'furrow campaign restore' takes it out of the archive",
                  "an archived campaign is not changed");
        return EINVAL;
    }
    if (campaign_doc_parse(&before, before_text, strlen(before_text), old) == 0)
        campaign_check_change(before, doc, text, strlen(text), issues);
    bool numbers = !before || before->numbers != doc->numbers;
    bool budget = !before || !budget_is_equal(&before->budget, &doc->budget);
    bool canary = !before || !canary_rule_is_equal(&before->canary, &doc->canary);
    campaign_doc_free(before);
    if (issues->found)
        return EINVAL;
    if (strcmp(before_text, text) == 0)
        return 0;
    err = write_document(pg, row->id, text, now_ms);
    if (!err && budget && doc->budget.stated)
        err = budget_recount(pg, row->id, &doc->budget);
    if (!err && canary)
        err = canary_forget(pg, row->id);
    if (!err)
        err = end_quarantine(pg, row->id, doc, now_ms);
    if (!err && numbers)
        err = doc->numbers == CAMPAIGN_NUMBERS_ONE_BY_ONE
                  ? attempt_hold_numbers(pg, row->id)
                  : attempt_let_numbers(pg, row->id, now_ms);
    if (!err)
        err = ask_again(pg, row->id, now_ms);
    if (!err)
        log_info("campaign", "id=%lld document=%d the rules were changed",
                 (long long)row->id, revision + 1);
    return err;
}

int campaign_change(struct pg *pg, const struct campaign_row *row, const char *text,
                    size_t len, int64_t now_ms, struct campaign_issues *issues)
{
    CLEANUP(free_cleanup) char *copy = NULL;
    struct campaign_doc *doc = NULL;
    bool own = false;

    int err = campaign_doc_parse(&doc, text, len, issues);
    if (err)
        return err;
    copy = xstrndup(text, len);
    err = pg_begin_own(pg, row->tenant_id, &own);
    if (!err)
        err = pg_end_own(pg, own, change(pg, row, copy, doc, now_ms, issues));
    campaign_doc_free(doc);
    return err;
}

/* ---- the documents before ---- */

static int load_revisions(struct pg *pg, int64_t campaign_id, PGresult **res)
{
    struct pg_args a = {0};

    pg_arg_i64(&a, campaign_id);
    return pg_run(pg, res,
                  "SELECT revision, furrow_ms(changed_at), document_text FROM "
                  "campaign_revisions WHERE campaign_id = $1 UNION ALL SELECT revision, "
                  "0, document_text FROM campaigns WHERE id = $1 ORDER BY 1",
                  &a);
}

int campaign_revisions(struct pg *pg, const struct campaign_row *row,
                       struct campaign_revision **out, size_t *n)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    int64_t from_ms = row->created_at_ms;
    bool own = false;

    int err = pg_begin_own(pg, row->tenant_id, &own);
    if (!err)
        err = pg_end_own(pg, own, load_revisions(pg, row->id, &res));
    if (err)
        return err;
    *n = (size_t)PQntuples(res);
    *out = xcalloc(*n + 1, sizeof(**out));
    for (size_t i = 0; i < *n; i++) {
        struct campaign_revision *r = &(*out)[i];

        *r = (struct campaign_revision){.revision = (int)pg_i64(res, (int)i, 0),
                                        .from_ms = from_ms,
                                        .until_ms = pg_i64(res, (int)i, 1),
                                        .text = xstrdup(pg_text(res, (int)i, 2))};
        from_ms = r->until_ms;
    }
    return 0;
}

void campaign_revisions_free(struct campaign_revision *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(list[i].text);
    free(list);
}
