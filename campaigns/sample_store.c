#include "campaigns/sample_store.h"

#include <errno.h>
#include <string.h>

#include "base/pg.h"
#include "base/str.h"
#include "campaigns/flow_store.h"
#include "campaigns/table_store.h"

extern const char sample_airline_flow[], sample_airline_flights[],
    sample_airline_bookings[], sample_airline_flyers[], sample_pay_bill_flow[],
    sample_pay_bill_accounts[], sample_pay_bill_payments[], sample_voice_ledger_flow[];

static const struct sample samples[] = {
    {.name = "airline",
     .about = "flight status, bookings, check-in and a frequent flyer programme",
     .flow = "airline",
     .flow_text = sample_airline_flow,
     .table_count = 3,
     .tables = {{"flights", sample_airline_flights},
                {"bookings", sample_airline_bookings},
                {"frequent_flyers", sample_airline_flyers}}},
    {.name = "pay-bill",
     .about = "an account's balance is told and paid, with a receipt by SMS",
     .flow = "pay-bill",
     .flow_text = sample_pay_bill_flow,
     .table_count = 2,
     .tables = {{"accounts", sample_pay_bill_accounts},
                {"payments", sample_pay_bill_payments}}},
    {.name = "voice-ledger",
     .about = "farmers who are registered say what they deliver, in English, Amharic or "
              "Afaan Oromo",
     .flow = "voice-ledger",
     .flow_text = sample_voice_ledger_flow},
};

const struct sample *sample_at(size_t i)
{
    return i < ARRAY_LEN(samples) ? &samples[i] : NULL;
}

const struct sample *sample_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(samples); i++)
        if (str_is(samples[i].name, name))
            return &samples[i];
    return NULL;
}

struct text {
    const char *at;
};

static ssize_t give(void *arg, void *buf, size_t size)
{
    struct text *t = arg;
    size_t n = strnlen(t->at, size);

    memcpy(buf, t->at, n);
    t->at += n;
    return (ssize_t)n;
}

static int load_table(struct pg *pg, int tenant_id, const char *name, const char *csv,
                      int64_t now_ms, struct errtext *e)
{
    struct table_def def = {.key = -1};
    struct table_counts counts;
    struct text text = {csv};
    json_t *rows = NULL;

    int err = table_file_read(give, &text, &def, &rows, e);
    if (!err)
        err = table_import(pg, tenant_id, name, &def, rows, true, now_ms, &counts, e);
    json_decref(rows);
    return err;
}

static int load_tables(struct pg *pg, int tenant_id, const struct sample *s, bool replace,
                       int64_t now_ms, struct sample_loaded *out, struct errtext *e)
{
    int err = 0;

    for (size_t i = 0; !err && i < s->table_count; i++) {
        bool there = false;
        if (!replace)
            err = table_is_there(pg, tenant_id, s->tables[i].name, &there);
        if (err || there)
            continue;
        err = load_table(pg, tenant_id, s->tables[i].name, s->tables[i].text, now_ms, e);
        out->tables_new += !err;
    }
    return err;
}

/* Two programs that load it at once do it one after the other. */
static int lock(struct pg *pg)
{
    return pg_run(pg, NULL,
                  "SELECT pg_advisory_xact_lock(hashtextextended('furrow-sample', 0))",
                  NULL);
}

static int load(struct pg *pg, int tenant_id, const struct sample *s, bool replace,
                int64_t now_ms, struct sample_loaded *out, struct errtext *e)
{
    struct flow_row row;
    struct errtext ignored = {0};

    int err = lock(pg);
    if (!err)
        err = load_tables(pg, tenant_id, s, replace, now_ms, out, e);
    if (!err && !replace) {
        err = flow_find(pg, tenant_id, s->flow, &row, &ignored);
        if (err != ENOENT)
            return err;
        err = 0;
    }
    return err ? err
               : flow_publish(pg, tenant_id, s->flow, s->flow_text, now_ms, &row,
                              &out->published);
}

int sample_load(struct pg *pg, int tenant_id, const struct sample *s, bool replace,
                int64_t now_ms, struct sample_loaded *out, struct errtext *e)
{
    bool own = false;

    *out = (struct sample_loaded){0};
    int err = pg_begin_own(pg, tenant_id, &own);
    if (!err)
        err = pg_end_own(pg, own, load(pg, tenant_id, s, replace, now_ms, out, e));
    if (err)
        errtext_set(e, err, 0, 0, "sample '%s': %s", s->name, pg_error(pg));
    return err;
}
