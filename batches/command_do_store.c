#include "batches/command_do_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "batches/event_store.h"

/* What a command is done with. */
struct deed {
    struct pg *pg;
    const struct command_deed *in;
    struct command_result *out;
    struct batch *batch; /* out's */
    struct uuid *row;
};

static int refuse(struct deed *d, enum refusal_reason reason, const char *what)
{
    d->out->state = COMMAND_REFUSED;
    d->out->why = (struct refusal){.reason = reason};
    str_cut(d->out->why.what, sizeof(d->out->why.what), what);
    return 0;
}

static bool is_refused(const struct deed *d)
{
    return d->out->state != COMMAND_DONE;
}

static const struct entities *said(const struct deed *d)
{
    return &d->in->u->entities;
}

/* --- the batch spoken about -------------------------------------------------------- */

/* What is left of it and whether it lies alone. */
static int check_there(struct deed *d, const struct lot *lot, bool alone)
{
    if (lot->spent)
        return refuse(d, REFUSED_SPENT, lot->batch_id);
    if (alone && lot->container_id) {
        (void)refuse(d, REFUSED_PACKED, lot->batch_id);
        str_cut(d->out->why.other, sizeof(d->out->why.other), lot->container);
    }
    return 0;
}

/* The batch that was named, else the caller's newest where it may be meant; *there says
 * whether there is one. */
static int find_source(struct deed *d, bool newest, struct lot *lot, bool *there)
{
    const char *named = said(d)->batch_id;

    *there = false;
    if (!*named && !newest)
        return 0;
    int err = *named
                  ? lot_find(d->pg, d->in->ledger, named, lot)
                  : lot_newest(d->pg, d->in->ledger, d->in->phone, d->in->said_ms, lot);
    if (err == ENOENT)
        return *named ? refuse(d, REFUSED_NO_BATCH, named) : 0;
    *there = !err;
    return err;
}

/* What the rules make of it; a refusal or a question ends the command. */
static void make(struct deed *d, const struct lot *source)
{
    const struct batch_context ctx = {.at_ms = d->in->said_ms,
                                      .source_batch_id = source ? source->batch_id : NULL,
                                      .source_kg = source ? source->kg : -1};
    enum batch_verdict v = batch_make(d->batch, d->in->u, &ctx, &d->out->why);

    if (v == BATCH_INCOMPLETE)
        d->out->state = COMMAND_ASKS;
    else if (v != BATCH_OK)
        d->out->state = COMMAND_REFUSED;
}

static void inherit_text(char *to, size_t size, const char *from)
{
    if (!*to)
        str_cut(to, size, from);
}

/* What was not said of it is as it was known before. */
static void inherit(struct batch *b, const struct lot *from)
{
    inherit_text(b->variety, sizeof(b->variety), from->variety);
    inherit_text(b->grade, sizeof(b->grade), from->grade);
    inherit_text(b->origin, sizeof(b->origin), from->origin);
    inherit_text(b->farmer, sizeof(b->farmer), from->farmer);
}

static int add(struct deed *d, struct batch *b, const struct place *farm,
               const char *method, bool of_recording, struct lot *lot)
{
    const struct lot_new n = {.batch = b,
                              .recording_id = of_recording ? d->in->recording_id : NULL,
                              .call_id = d->in->call_id,
                              .farm = farm && farm->id ? farm : NULL,
                              .method = method,
                              .phone = d->in->phone,
                              .caller_id = d->in->caller_id,
                              .said_ms = d->in->said_ms};
    int err = lot_add(d->pg, d->in->ledger, &n, lot);

    if (err)
        return err;
    *d->row = lot->id;
    d->out->new_batch = true;
    str_cut(d->out->token, sizeof(d->out->token), lot->token);
    d->out->token_until_ms = lot->token_until_ms;
    return 0;
}

static int tell(struct deed *d, struct event_new *e, struct uuid *id)
{
    e->at_ms = d->in->said_ms;
    e->command_id = &d->in->command_id;
    e->caller_id = d->in->caller_id;
    return event_add(d->pg, d->in->ledger, e, id);
}

/* --- a new batch ------------------------------------------------------------------- */

/* The farm it is from. Where its place must be known, an unknown one is refused. */
static int take_farm(struct deed *d, struct place *farm)
{
    const char *name = *d->batch->farmer ? d->batch->farmer : d->batch->origin;

    if (d->in->ledger->location_needed) {
        int err = place_find(d->pg, true, name, farm);
        if (err == ENOENT || (!err && !farm->located))
            return refuse(d, REFUSED_LOCATION, name);
        return err;
    }
    return place_take(d->pg, d->in->ledger, true, name, d->in->said_ms, farm);
}

static const char *text_or_null(const char *s)
{
    return *s ? s : NULL;
}

static int commission(struct deed *d)
{
    static const char method[] = "Washed";
    const struct batch *b = d->batch;
    struct place farm = {0};
    struct lot lot = {0};
    struct uuid event;

    make(d, NULL);
    int err = is_refused(d) ? 0 : take_farm(d, &farm);
    if (err || is_refused(d))
        return err;
    err = add(d, d->batch, &farm, method, true, &lot);
    if (err)
        return err;
    json_auto_t *more = json_pack(
        "{s:s, s:s?, s:s?, s:s, s:s?, s:s}", "variety", b->variety, "farmer",
        text_or_null(b->farmer), "origin", text_or_null(b->origin), "processingMethod",
        method, "qualityGrade", text_or_null(b->grade), "batchId", b->batch_id);
    struct event_new e = {.kind = EPCIS_COMMISSION,
                          .lots = (const struct lot *const[]){&lot},
                          .lot_count = 1,
                          .place = farm.urn,
                          .extension = more};
    return tell(d, &e, &event);
}

/* --- on its way -------------------------------------------------------------------- */

/* The batch as it is known, in the words of a receipt. */
static void describe(struct batch *b, const struct lot *lot)
{
    str_cut(b->batch_id, sizeof(b->batch_id), lot->batch_id);
    inherit(b, lot);
    if (b->quantity >= 0 || lot->kg < 0)
        return;
    b->quantity = b->quantity_kg = lot->kg;
    str_cut(b->unit, sizeof(b->unit), "kg");
}

static int place_of(struct deed *d, const char *name, struct place *out)
{
    return *name ? place_take(d->pg, d->in->ledger, false, name, d->in->said_ms, out) : 0;
}

/* A batch that nobody recorded before is one from now on: its weight was said. */
static int take_moved(struct deed *d, bool there, struct lot *lot)
{
    if (!there)
        return add(d, d->batch, NULL, NULL, true, lot);
    describe(d->batch, lot);
    *d->row = lot->id;
    return 0;
}

static int ship_or_receive(struct deed *d)
{
    bool ships = d->in->u->intent == INTENT_SHIPMENT, there = false;
    struct place from = {0}, to = {0};
    struct lot lot = {0};
    struct uuid event;

    int err = find_source(d, ships, &lot, &there);
    if (!err && !is_refused(d))
        make(d, there ? &lot : NULL);
    if (!err && !is_refused(d) && there)
        err = check_there(d, &lot, false);
    if (err || is_refused(d))
        return err;
    err = place_of(d, ships ? "" : said(d)->origin, &from);
    if (!err)
        err = place_of(d, said(d)->destination, &to);
    if (!err)
        err = take_moved(d, there, &lot);
    if (err)
        return err;
    const char *source = *from.urn ? from.urn : lot.farm.urn;
    json_auto_t *more =
        json_pack("{s:s?, s:s}", "condition", text_or_null(d->batch->condition),
                  "batchId", lot.batch_id);
    struct event_new e = {.kind = ships ? EPCIS_SHIPMENT : EPCIS_RECEIPT,
                          .lots = (const struct lot *const[]){&lot},
                          .lot_count = 1,
                          .place = ships ? source : to.urn,
                          .source = source,
                          .destination = to.urn,
                          .extension = more};
    return tell(d, &e, &event);
}

/* --- changes ----------------------------------------------------------------------- */

static int transform(struct deed *d)
{
    struct lot source = {0}, made = {0};
    struct uuid event;
    bool there = false;

    int err = find_source(d, said(d)->quantity < 0, &source, &there);
    if (!err && !is_refused(d))
        make(d, there ? &source : NULL);
    if (!err && !is_refused(d) && there)
        err = check_there(d, &source, true);
    if (err || is_refused(d))
        return err;
    if (there)
        inherit(d->batch, &source);
    err = add(d, d->batch, &source.farm, text_or_null(d->batch->process), true, &made);
    if (!err && there)
        err = lot_add_parent(d->pg, d->in->ledger, &made, &source);
    if (!err && there)
        err = lot_spend(d->pg, &source, d->in->said_ms);
    if (err)
        return err;
    json_auto_t *more = json_pack(
        "{s:s?, s:s?, s:s}", "transformationType", text_or_null(d->batch->process),
        "farmer", text_or_null(d->batch->farmer), "batchId", made.batch_id);
    struct event_new e = {.kind = EPCIS_TRANSFORMATION,
                          .lots = (const struct lot *const[]){&source},
                          .lot_count = there ? 1 : 0,
                          .made = &made,
                          .made_count = 1,
                          .place = source.farm.urn,
                          .extension = more};
    return tell(d, &e, &event);
}

/* One part as a batch of its own, of the same farmer. */
static int add_part(struct deed *d, const struct lot *source, const struct part *part,
                    struct lot *made)
{
    struct batch *b = xcalloc(1, sizeof(*b));

    b->event = INTENT_SPLIT;
    b->quantity = b->quantity_kg = part->kg;
    b->loss_percent = -1;
    str_cut(b->unit, sizeof(b->unit), "kg");
    str_cut(b->destination, sizeof(b->destination), part->destination);
    str_cut(b->source_batch_id, sizeof(b->source_batch_id), source->batch_id);
    inherit(b, source);
    int err = add(d, b, &source->farm, text_or_null(source->method), false, made);
    if (!err)
        err = lot_add_parent(d->pg, d->in->ledger, made, source);
    free(b);
    if (err)
        return err;
    struct batch_lot *lot = &d->batch->lots[d->batch->lot_count++];
    str_cut(lot->batch_id, sizeof(lot->batch_id), made->batch_id);
    lot->kg = part->kg;
    return 0;
}

static json_t *destinations(const struct entities *e)
{
    json_t *list = json_array();

    for (size_t i = 0; i < e->part_count; i++)
        json_array_append_new(list, json_string(e->parts[i].destination));
    return list;
}

static int write_split(struct deed *d, const struct lot *source, struct lot *made)
{
    const struct entities *e = said(d);
    struct uuid event;
    int err = 0;

    for (size_t i = 0; i < e->part_count && !err; i++)
        err = add_part(d, source, &e->parts[i], &made[i]);
    if (!err)
        err = lot_spend(d->pg, source, d->in->said_ms);
    if (err)
        return err;
    *d->row = source->id;
    d->out->new_batch = false; /* each part has a token of its own */
    json_auto_t *more = json_pack("{s:s?, s:o}", "farmer", text_or_null(source->farmer),
                                  "destinations", destinations(e));
    struct event_new event_of = {.kind = EPCIS_SPLIT,
                                 .lots = (const struct lot *const[]){source},
                                 .lot_count = 1,
                                 .made = made,
                                 .made_count = e->part_count,
                                 .place = source->farm.urn,
                                 .extension = more};
    return tell(d, &event_of, &event);
}

static int split(struct deed *d)
{
    struct lot source = {0};
    bool there = false;

    int err = find_source(d, true, &source, &there);
    if (!err && !is_refused(d))
        make(d, there ? &source : NULL);
    if (!err && !is_refused(d))
        err = check_there(d, &source, true);
    if (err || is_refused(d))
        return err;
    if (source.kg < 0)
        return refuse(d, REFUSED_WEIGHT_UNKNOWN, source.batch_id);
    if (!batch_parts_balance(said(d), source.kg, &d->out->why)) {
        d->out->state = COMMAND_REFUSED;
        return 0;
    }
    describe(d->batch, &source);
    struct lot *made = xcalloc(PARTS_MAX, sizeof(*made));
    err = write_split(d, &source, made);
    free(made);
    return err;
}

/* --- packing ----------------------------------------------------------------------- */

static bool is_among(const struct lot *lots, size_t n, const struct lot *one)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&lots[i].id, &one->id, sizeof(one->id)) == 0)
            return true;
    return false;
}

/* The batches that are named, each once. */
static int find_all(struct deed *d, struct lot *lots, size_t *n)
{
    const struct entities *e = said(d);
    int err = 0;

    *n = 0;
    for (size_t i = 0; i < e->packed_count && !err && !is_refused(d); i++) {
        err = lot_find(d->pg, d->in->ledger, e->packed[i], &lots[*n]);
        if (err == ENOENT)
            return refuse(d, REFUSED_NO_BATCH, e->packed[i]);
        if (!err)
            err = check_there(d, &lots[*n], true);
        if (!err && !is_among(lots, *n, &lots[*n]))
            (*n)++;
    }
    if (err || is_refused(d) || *n >= 2)
        return err;
    d->out->state = COMMAND_ASKS;
    d->out->why =
        (struct refusal){.reason = REFUSED_INCOMPLETE, .lacks = {MISSING_BATCHES}};
    return 0;
}

static void name_lots(struct deed *d, const struct container *c, const struct lot *lots,
                      size_t n)
{
    struct batch *b = d->batch;

    b->quantity_kg = 0;
    b->lot_count = n;
    for (size_t i = 0; i < n; i++) {
        str_cut(b->lots[i].batch_id, sizeof(b->lots[i].batch_id), lots[i].batch_id);
        b->lots[i].kg = lots[i].kg;
        b->quantity_kg =
            lots[i].kg < 0 || b->quantity_kg < 0 ? -1 : b->quantity_kg + lots[i].kg;
    }
    str_cut(b->container, sizeof(b->container), c->label);
    str_cut(b->sscc, sizeof(b->sscc), c->sscc);
    str_cut(b->batch_id, sizeof(b->batch_id), c->label);
}

static int tell_packing(struct deed *d, enum epcis_kind kind, const struct container *c,
                        const struct lot *lots, size_t n, struct uuid *event)
{
    const struct lot *at[PACKED_MAX];

    for (size_t i = 0; i < n; i++)
        at[i] = &lots[i];
    json_auto_t *more = json_pack("{s:s}", "container", c->label);
    struct event_new e = {.kind = kind,
                          .lots = at,
                          .lot_count = n,
                          .parent = c->urn,
                          .place = lots[0].farm.urn,
                          .extension = more};
    return tell(d, &e, event);
}

/* *full: they do not go into it. */
static int check_room(struct deed *d, const struct container *c, size_t n, bool *full)
{
    struct lot *inside = xcalloc(PACKED_MAX, sizeof(*inside));
    size_t there = 0;
    int err = container_lots(d->pg, d->in->ledger, c, inside, &there);

    free(inside);
    *full = err == EMSGSIZE || there + n > PACKED_MAX;
    return err == EMSGSIZE ? 0 : err;
}

static int write_pack(struct deed *d, const struct lot *lots, size_t n)
{
    struct container c = {0};
    struct uuid event;
    bool full = false;

    int err =
        container_take(d->pg, d->in->ledger, said(d)->container, d->in->said_ms, &c);
    if (err == EINVAL)
        return refuse(d, REFUSED_CONTAINER, said(d)->container);
    if (!err)
        err = check_room(d, &c, n, &full);
    if (!err && full) {
        (void)refuse(d, REFUSED_FULL, c.label);
        d->out->why.a = PACKED_MAX;
        return 0;
    }
    if (!err)
        err = tell_packing(d, EPCIS_PACK, &c, lots, n, &event);
    for (size_t i = 0; i < n && !err; i++)
        err = container_pack(d->pg, d->in->ledger, &c, &lots[i], &event);
    if (!err)
        name_lots(d, &c, lots, n);
    return err;
}

static int pack(struct deed *d)
{
    size_t n = 0;

    make(d, NULL);
    if (is_refused(d))
        return 0;
    struct lot *lots = xcalloc(PACKED_MAX + 1, sizeof(*lots));
    int err = find_all(d, lots, &n);
    if (!err && !is_refused(d))
        err = write_pack(d, lots, n);
    free(lots);
    return err;
}

static int write_unpack(struct deed *d, const struct container *c, const struct lot *lots,
                        size_t n)
{
    struct uuid event;
    int err = tell_packing(d, EPCIS_UNPACK, c, lots, n, &event);

    if (!err)
        err = container_empty(d->pg, c, &event);
    if (!err)
        name_lots(d, c, lots, n);
    return err;
}

static int unpack(struct deed *d)
{
    struct container c = {0};
    size_t n = 0;

    make(d, NULL);
    if (is_refused(d))
        return 0;
    int err = container_find(d->pg, said(d)->container, &c);
    if (err)
        return err == ENOENT ? refuse(d, REFUSED_NO_CONTAINER, said(d)->container) : err;
    struct lot *lots = xcalloc(PACKED_MAX, sizeof(*lots));
    err = container_lots(d->pg, d->in->ledger, &c, lots, &n);
    if (!err)
        err = n ? write_unpack(d, &c, lots, n)
                : refuse(d, REFUSED_NO_CONTAINER, said(d)->container);
    free(lots);
    return err;
}

/* --- which ------------------------------------------------------------------------- */

int command_do(struct pg *pg, const struct command_deed *in, struct command_result *out,
               struct uuid *batch_row)
{
    struct deed d = {
        .pg = pg, .in = in, .out = out, .batch = &out->batch, .row = batch_row};

    out->state = COMMAND_DONE;
    switch (in->u->intent) {
    case INTENT_NONE:
        return refuse(&d, REFUSED_NOT_UNDERSTOOD, "");
    case INTENT_COMMISSION:
        return commission(&d);
    case INTENT_RECEIPT:
    case INTENT_SHIPMENT:
        return ship_or_receive(&d);
    case INTENT_TRANSFORMATION:
        return transform(&d);
    case INTENT_PACK:
        return pack(&d);
    case INTENT_UNPACK:
        return unpack(&d);
    case INTENT_SPLIT:
        return split(&d);
    }
    return EINVAL;
}
