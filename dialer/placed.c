/*
 * One struct call an attempt, found by id. Everything that happens to it is a move in
 * the ledger, queued at the database's door under the attempt's own key, so moves and
 * the steps of its flow commit in the order they happened. The last move is queued when
 * both are over: the channel (placed_ended) and the flow (placed_live_ended). Only when
 * it is committed are the pacing slots given back and the struct freed.
 *
 * What may have been sent and was not confirmed is asked of the switch until it is
 * known; nothing here ever sends an attempt a second time.
 */
#include "dialer/placed_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/disposition.h"
#include "dialer/db.h"
#include "dialer/dialer.h"
#include "dialer/id_table.h"
#include "dialer/ledger_move.h"
#include "dialer/listening.h"
#include "dialer/sweep.h"
#include "dialer/trunk.h"

enum {
    ASK_FIRST_MS = 2000,  /* an unconfirmed request may still be on its way */
    ASK_SECOND_MS = 5000, /* and absent is believed when it is absent twice */
    ASK_AGAIN_MS = 1000,  /* the switch did not answer, or is hanging up */
    LIVE_MISSING_MS = 10000,
};

struct placed *placed_new(void)
{
    return xcalloc(1, sizeof(struct placed));
}

void placed_free(struct placed *p)
{
    struct call *c = NULL;

    if (!p)
        return;
    for (size_t at = 0; (c = id_table_next(&p->calls, &at));) {
        listening_free(c->ear);
        free(c);
    }
    id_table_free(&p->calls);
    free(p);
}

static struct call *find(const struct dialer *d, const struct uuid *id)
{
    return id_table_find(&d->placed->calls, id);
}

/* Of a dead process, and what the call was about died with it: it is to be hung up. */
static bool flow_is_gone(const struct call *c)
{
    return c->adopted && c->trunk->ops->phone;
}

/* ---- moves ---- */

static void log_failed_move(const struct ledger_move *m, int err)
{
    char id[UUID_TEXT_MAX];

    log_error("placed", "attempt=%s to=%s err=%d not recorded",
              uuid_text(&m->move.id, id), attempt_state_name(m->move.to), err);
}

static void on_moved(int err, void *arg)
{
    struct ledger_move *m = arg;
    struct dialer *d = m->dialer;
    struct call *c = find(d, &m->move.id);

    if (err)
        log_failed_move(m, err);
    if (!attempt_is_open(m->move.to)) {
        if (m->gives)
            pacing_give(d->pacing, &m->move.id);
        if (c && c->settling) {
            id_table_remove(&d->placed->calls, &m->move.id);
            free(c);
        }
        sweep_kick(d);
    }
    free(m);
}

static void submit(struct dialer *d, struct ledger_move *m)
{
    int err = ledger_move_submit(d->db, m, on_moved);

    if (err) {
        log_failed_move(m, err);
        free(m);
    }
}

static struct ledger_move *new_move(struct dialer *d, const struct call *c,
                                    enum attempt_state to)
{
    struct ledger_move *m = xcalloc(1, sizeof(*m));

    m->dialer = d;
    m->tenant_id = c->row.tenant_id;
    m->move = (struct attempt_move){.id = c->row.id, .to = to, .at_ms = clock_now_ms()};
    return m;
}

static void move_to(struct dialer *d, struct call *c, enum attempt_state to)
{
    c->state = to;
    submit(d, new_move(d, c, to));
}

/* The last move. */
static void settle(struct dialer *d, struct call *c, enum attempt_state to,
                   enum disposition disposition, const char *note)
{
    if (c->settling)
        return;
    c->settling = true;
    c->state = to;
    struct ledger_move *m = new_move(d, c, to);
    m->move.disposition = disposition;
    m->move.cause = c->end.cause;
    m->move.tech_cause = c->end.tech_cause;
    m->move.note = note ? note : c->note[0] ? c->note : NULL;
    if (c->answered_by != MACHINE_OPEN)
        m->move.answered_by = machine_verdict_name(c->answered_by);
    m->move.opted_out = c->opted_out;
    m->move.callback_at_ms = c->callback_at_ms;
    m->gives = true;
    char id[UUID_TEXT_MAX];
    log_debug("placed", "attempt=%s state=%s disposition=%s cause=%d",
              uuid_text(&c->row.id, id), attempt_state_name(to),
              disposition_name(disposition), c->end.cause);
    submit(d, m);
}

/* What the end says of the trunk, not of the person. */
static void tell_trunk(struct dialer *d, const struct call *c, enum disposition ended)
{
    if (ended == DISPOSITION_CANCELED || ended == DISPOSITION_UNKNOWN)
        return;
    pacing_told(d->pacing, c->row.trunk_id,
                ended == DISPOSITION_CONGESTION ? PACING_CONGESTED
                : ended == DISPOSITION_CONFIG || ended == DISPOSITION_FAILED
                    ? PACING_REFUSED
                    : PACING_TOOK_CALL);
}

/* Both the channel and the flow are over. */
static void settle_ended(struct dialer *d, struct call *c)
{
    if (!c->ended || c->live)
        return;
    const struct disposition_facts facts = {
        .was_up = c->end.was_up || c->was_up || c->state == ATTEMPT_ANSWERED,
        .we_hung_up = c->end.we_hung_up || c->hung_up,
        .ring_timeout = c->end.ring_timeout,
        .cause = c->end.cause,
        .tech_cause = c->end.tech_cause,
        .dial_status = c->dial_status[0] ? c->dial_status : NULL};
    enum disposition ended = disposition_from(&facts);
    if (c->answered_by == MACHINE_MACHINE && c->machine.action != MACHINE_AS_HUMAN)
        ended = c->leaves_message ? DISPOSITION_MESSAGE : DISPOSITION_MACHINE;
    if (!c->adopted)
        tell_trunk(d, c, ended);
    settle(d, c, ATTEMPT_ENDED, ended,
           flow_is_gone(c) ? "its dialer died; the call was ended" : NULL);
}

static void withdraw(struct dialer *d, const struct attempt_row *row, bool has_slots,
                     bool only_intent, const char *note)
{
    struct ledger_move *m = xcalloc(1, sizeof(*m));

    m->dialer = d;
    m->tenant_id = row->tenant_id;
    m->move = (struct attempt_move){.id = row->id,
                                    .to = ATTEMPT_WITHDRAWN,
                                    .at_ms = clock_now_ms(),
                                    .only_intent = only_intent,
                                    .note = note};
    m->gives = has_slots;
    submit(d, m);
}

void placed_withdraw(struct dialer *d, const struct attempt_row *row, bool has_slots,
                     const char *note)
{
    withdraw(d, row, has_slots, false, note);
}

void placed_withdraw_intent(struct dialer *d, const struct attempt_row *row,
                            const char *note)
{
    withdraw(d, row, false, true, note);
}

/* ---- sending ---- */

/* The switch has it. */
static void record_ringing(struct dialer *d, struct call *c)
{
    c->unconfirmed = false;
    if (c->state != ATTEMPT_RELEASED)
        return;
    fault_point("sent-ringing");
    move_to(d, c, ATTEMPT_RINGING);
}

static void on_originated(struct dialer *d, const struct uuid *attempt,
                          enum trunk_result result, int cause)
{
    struct call *c = find(d, attempt);
    char id[UUID_TEXT_MAX];

    if (!c || c->settling)
        return;
    c->told = true;
    switch (result) {
    case TRUNK_ACCEPTED:
        record_ringing(d, c);
        break;
    case TRUNK_REJECTED:
        if (!c->ended) {
            c->ended = true;
            c->end.cause = cause;
        }
        settle_ended(d, c);
        break;
    case TRUNK_NOT_SENT:
        if (cause)
            tell_trunk(d, c,
                       disposition_from(&(struct disposition_facts){.cause = cause}));
        settle(d, c, ATTEMPT_WITHDRAWN, DISPOSITION_CANCELED, "not sent in time");
        break;
    case TRUNK_UNKNOWN:
        if (c->state != ATTEMPT_RELEASED)
            break; /* its events have told us already */
        log_warn("placed", "attempt=%s the switch did not confirm it; asking",
                 uuid_text(attempt, id));
        c->unconfirmed = true;
        c->ask_at_ms = mono_ms() + ASK_FIRST_MS;
        break;
    }
}

void placed_send(struct dialer *d, const struct placed_order *order)
{
    struct call *c = xcalloc(1, sizeof(*c));

    c->row = order->row;
    c->trunk = order->trunk;
    c->flow_revision_id = order->flow_revision_id;
    c->machine = order->machine;
    c->has_agents = order->has_agents;
    c->machine_flow_revision_id = order->machine_flow_revision_id;
    c->state = ATTEMPT_RELEASED;
    if (!id_table_add(&d->placed->calls, &c->row.id, c)) {
        free(c); /* it is out already: never twice */
        permit_free(order->permit);
        return;
    }
    const struct trunk_origination o = {.attempt = c->row.id,
                                        .phone = c->row.phone,
                                        .caller_id =
                                            permit_facts(order->permit)->caller_id,
                                        .ring_timeout_s = order->ring_timeout_s,
                                        .number = c->row.number,
                                        .machine = &c->machine};
    c->trunk->ops->originate(c->trunk, order->permit, &o, on_originated);
}

/* ---- what the switch says ---- */

static struct call *find_told(const struct dialer *d, const struct uuid *attempt,
                              const char *what)
{
    struct call *c = find(d, attempt);
    char id[UUID_TEXT_MAX];

    if (!c)
        log_debug("placed", "attempt=%s %s: not ours or over", uuid_text(attempt, id),
                  what);
    return c && !c->settling ? c : NULL;
}

void placed_ringing(struct dialer *d, const struct uuid *attempt)
{
    struct call *c = find_told(d, attempt, "ringing");

    if (c && !flow_is_gone(c))
        record_ringing(d, c);
}

static void run_flow(struct dialer *d, struct call *c)
{
    char id[UUID_TEXT_MAX];
    const struct live_start start = {.id = c->row.id,
                                     .tenant_id = c->row.tenant_id,
                                     .campaign_id = c->row.campaign_id,
                                     .contact_id = c->row.contact_id,
                                     .phone = c->row.phone,
                                     .flow_revision_id = c->flow_revision_id,
                                     .ops = c->trunk->ops->phone,
                                     .phone_arg = c->trunk,
                                     .ended = placed_live_ended};

    c->live = true;
    int err = live_start(d->lives, &start);
    if (err == 0 || err == EEXIST)
        return;
    log_error("placed", "attempt=%s err=%d the flow cannot run",
              uuid_text(&c->row.id, id), err);
    c->live = false;
    c->trunk->ops->hang_up(c->trunk, &c->row.id);
}

static void stop_listening(struct call *c)
{
    listening_free(c->ear);
    c->ear = NULL;
}

/* Who answered, or (records) the machine is ready for the message. */
static void on_heard(struct dialer *d, const struct uuid *attempt,
                     enum machine_verdict verdict, bool records)
{
    struct call *c = find(d, attempt);
    char id[UUID_TEXT_MAX];

    if (!c || c->ended || c->settling)
        return;
    if (!records)
        log_debug("placed", "attempt=%s answered_by=%s", uuid_text(attempt, id),
                  machine_verdict_name(verdict));
    c->answered_by = verdict;
    if (verdict == MACHINE_MACHINE && !records && c->has_agents)
        ledger_note_machine(d->db, c->row.tenant_id, attempt,
                            c->machine.action == MACHINE_AS_HUMAN);
    if (verdict != MACHINE_MACHINE || c->machine.action == MACHINE_AS_HUMAN) {
        stop_listening(c);
        run_flow(d, c);
    } else if (c->machine.action == MACHINE_HANG_UP) {
        stop_listening(c);
        c->trunk->ops->hang_up(c->trunk, attempt);
    } else if (records) {
        stop_listening(c);
        c->leaves_message = true;
        c->flow_revision_id = c->machine_flow_revision_id;
        run_flow(d, c);
    }
}

void placed_talk(struct dialer *d, const struct uuid *attempt, bool talking,
                 int64_t at_ms)
{
    struct call *c = find(d, attempt);

    if (c && c->ear)
        listening_talk(c->ear, talking, at_ms);
}

void placed_beep(struct dialer *d, const struct uuid *attempt, int64_t at_ms)
{
    struct call *c = find(d, attempt);

    if (c && c->ear)
        listening_beep(c->ear, at_ms);
}

void placed_answered_by(struct dialer *d, const struct uuid *attempt,
                        enum machine_verdict who)
{
    struct call *c = find_told(d, attempt, "answered by");

    if (!c || c->ended || c->machine.action == MACHINE_NOT_ASKED)
        return;
    c->answered_by = who;
    if (who != MACHINE_MACHINE)
        return;
    c->leaves_message = c->machine.action == MACHINE_MESSAGE;
    if (c->machine.action == MACHINE_HANG_UP)
        c->trunk->ops->hang_up(c->trunk, attempt);
}

void placed_flow_said(struct dialer *d, const struct uuid *attempt, bool opted_out,
                      int64_t callback_at_ms)
{
    struct call *c = find(d, attempt);

    if (!c || c->settling)
        return;
    c->opted_out |= opted_out;
    c->callback_at_ms = callback_at_ms;
}

/* False: nobody wants to know, or the trunk cannot listen. */
static bool listen_first(struct dialer *d, struct call *c)
{
    struct uuid id = c->row.id;

    if (c->machine.action == MACHINE_NOT_ASKED || !c->trunk->ops->listen)
        return false;
    c->ear = listening_new(d, &id, &c->machine, on_heard);
    c->trunk->ops->listen(c->trunk, &id);
    return true;
}

void placed_answered(struct dialer *d, const struct uuid *attempt)
{
    struct call *c = find_told(d, attempt, "answered");

    if (!c || c->ended || c->state == ATTEMPT_ANSWERED)
        return;
    if (flow_is_gone(c)) {
        c->was_up = true;
        c->trunk->ops->hang_up(c->trunk, attempt);
        return;
    }
    record_ringing(d, c);
    move_to(d, c, ATTEMPT_ANSWERED);
    pacing_told(d->pacing, c->row.trunk_id, PACING_TOOK_CALL);
    if (c->trunk->ops->phone && !listen_first(d, c))
        run_flow(d, c);
}

void placed_ended(struct dialer *d, const struct uuid *attempt,
                  const struct placed_end *end)
{
    struct call *c = find_told(d, attempt, "ended");

    if (!c || c->ended)
        return;
    c->ended = true;
    c->ended_at_ms = mono_ms();
    c->end = *end;
    stop_listening(c);
    str_cut(c->dial_status, sizeof(c->dial_status),
            end->dial_status ? end->dial_status : "");
    c->end.dial_status = NULL;
    str_cut(c->note, sizeof(c->note), end->note ? end->note : "");
    c->end.note = NULL;
    if (c->live) {
        const struct live_event ev = {.kind = LIVE_HUNG_UP,
                                      .hung_up = {.cause = end->cause}};
        struct uuid id = c->row.id;
        live_event(d->lives, &id, &ev);
        c = find(d, &id); /* its result may have come from inside */
    }
    if (c)
        settle_ended(d, c);
}

void placed_live_ended(struct dialer *d, const struct live_result *result)
{
    struct call *c = find(d, &result->call);

    if (!c || c->settling)
        return;
    c->live = false;
    c->opted_out |= result->opted_out;
    c->callback_at_ms = result->callback_at_ms;
    if (!c->ended)
        c->trunk->ops->hang_up(c->trunk, &result->call);
    settle_ended(d, c);
}

/* ---- asking the switch ---- */

static void found_absent(struct dialer *d, struct call *c)
{
    const struct placed_end gone = {.was_up = true};
    struct uuid id = c->row.id;

    if (c->adopted && c->hung_up) {
        c->ended = true;
        settle_ended(d, c);
    } else if (c->state == ATTEMPT_ANSWERED) {
        if (c->adopted)
            settle(d, c, ATTEMPT_ENDED, DISPOSITION_COMPLETED,
                   "its dialer died; the cause of the end is unknown");
        else
            placed_ended(d, &id, &gone);
    } else if (c->unconfirmed && c->absences++ == 0) {
        c->ask_at_ms = mono_ms() + (c->adopted ? ASK_FIRST_MS : ASK_SECOND_MS);
    } else {
        settle(d, c, ATTEMPT_UNKNOWN, DISPOSITION_UNKNOWN,
               "it may have been called; the switch does not know it");
    }
}

static void found_present(struct dialer *d, struct call *c, bool up)
{
    struct uuid id = c->row.id;

    c->absences = 0;
    if (flow_is_gone(c)) {
        c->was_up |= up;
        c->hung_up = true;
        c->ask_at_ms = mono_ms() + ASK_AGAIN_MS;
        c->trunk->ops->hang_up(c->trunk, &id);
        return;
    }
    record_ringing(d, c);
    if (up && c->state != ATTEMPT_ANSWERED)
        placed_answered(d, &id);
}

static void on_presence(struct dialer *d, const struct uuid *attempt,
                        enum trunk_presence presence)
{
    struct call *c = find(d, attempt);

    if (!c)
        return;
    c->asking = false;
    if (c->settling || c->ended)
        return;
    switch (presence) {
    case TRUNK_UNASKED:
        c->ask_at_ms = mono_ms() + ASK_AGAIN_MS;
        break;
    case TRUNK_ABSENT:
        found_absent(d, c);
        break;
    case TRUNK_PRESENT_RINGING:
        found_present(d, c, false);
        break;
    case TRUNK_PRESENT_UP:
        found_present(d, c, true);
        break;
    }
}

bool placed_adopt(struct dialer *d, const struct attempt_row *row, struct trunk *trunk)
{
    struct call *c = xcalloc(1, sizeof(*c));

    c->row = *row;
    c->trunk = trunk;
    c->state = row->state;
    c->was_up = row->state == ATTEMPT_ANSWERED;
    c->adopted = true;
    /* What its dialer asked for last may arrive after its death: absent once is not
     * enough. */
    c->unconfirmed = row->state == ATTEMPT_RELEASED;
    c->ask_at_ms = mono_ms();
    if (!id_table_add(&d->placed->calls, &row->id, c)) {
        free(c);
        return false;
    }
    if (trunk->ops->adopt)
        trunk->ops->adopt(trunk, row);
    return true;
}

void placed_tick(struct dialer *d)
{
    int64_t now = mono_ms();
    struct call *c = NULL;

    for (size_t at = 0; (c = id_table_next(&d->placed->calls, &at));) {
        if (c->settling)
            continue;
        if (c->ended && c->live && now - c->ended_at_ms > LIVE_MISSING_MS &&
            !live_is_running(d->lives, &c->row.id)) {
            c->live = false;
            settle_ended(d, c);
        } else if (c->ask_at_ms && c->ask_at_ms <= now && !c->asking && !c->ended) {
            c->ask_at_ms = 0;
            c->asking = true;
            struct uuid id = c->row.id;
            c->trunk->ops->query(c->trunk, &id, on_presence);
        }
    }
}

void placed_switch_lost(struct dialer *d, const char *trunk_kind)
{
    struct call *c = NULL;
    size_t n = 0;

    for (size_t at = 0; (c = id_table_next(&d->placed->calls, &at));)
        if (!c->settling && !c->ended && strcmp(c->trunk->ops->kind, trunk_kind) == 0) {
            c->absences = 1; /* there is nobody to ask a second time */
            found_absent(d, c);
            n++;
        }
    if (n > 0)
        log_warn("placed", "trunk_kind=%s attempts=%zu given up: the switch is lost",
                 trunk_kind, n);
}
