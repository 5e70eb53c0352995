/* Consent, line types, reassigned numbers, and what a call must carry. */
#include <string.h>

#include "compliance/look.h"

static enum reason consent_reason(const struct look *l, enum consent_level required)
{
    const struct compliance_facts *f = l->f;
    const struct policy *p = l->p;

    if (f->consent_revoked)
        return REASON_CONSENT_REVOKED;
    if (f->consent < required)
        return REASON_CONSENT_MISSING;
    if (required == CONSENT_NONE)
        return REASON_ALLOW;
    if (p->seller[0] && f->consent_seller[0] && strcmp(p->seller, f->consent_seller) != 0)
        return REASON_CONSENT_SCOPE;
    if (p->consent_max_age_days > 0 && f->consent_given_ms > 0 &&
        l->now_ms - f->consent_given_ms > p->consent_max_age_days * DAY_MS)
        return REASON_CONSENT_EXPIRED;
    if (p->consent_evidence && !f->consent_evidence)
        return REASON_CONSENT_EVIDENCE;
    return REASON_ALLOW;
}

static bool lines_match(const struct look *l, enum line_class lines)
{
    return lines == LINE_ANY || (lines == LINE_MOBILE) == look_is_mobile(l);
}

static enum reason mobile_reason(const struct look *l, const struct pack_row *row)
{
    const struct compliance_facts *f = l->f;

    if (look_is_mobile(l))
        return row->level == CONSENT_NONE || f->consent < row->level || f->consent_revoked
                   ? REASON_MOBILE_FORBIDDEN
                   : REASON_ALLOW;
    if (f->type != PHONE_FIXED && l->p->line_type_max_age_days > 0 &&
        l->now_ms - f->line_checked_ms > l->p->line_type_max_age_days * DAY_MS)
        return REASON_LINE_TYPE_STALE; /* that it is no mobile was asked too long ago */
    return REASON_ALLOW;
}

static bool is_registered(const struct look *l, const struct pack *pack)
{
    for (size_t i = 0; i < l->f->registration_count; i++) {
        const struct compliance_registration *r = &l->f->registrations[i];
        if (strcmp(r->region, pack->name) == 0 &&
            (r->until_ms == 0 || l->now_ms < r->until_ms))
            return true;
    }
    return false;
}

static void look_at_row(struct look *l, const struct pack *pack,
                        const struct pack_row *row)
{
    switch (row->kind) {
    case PACK_CONSENT:
        if (lines_match(l, row->lines))
            look_answer(l, "consent", pack, row, consent_reason(l, row->level));
        break;
    case PACK_MOBILE:
        look_answer(l, "mobile", pack, row, mobile_reason(l, row));
        break;
    case PACK_REGISTRATION:
        look_answer(l, "registration", pack, row,
                    is_registered(l, pack) ? REASON_ALLOW : REASON_REGISTRATION_MISSING);
        break;
    case PACK_RING:
        look_answer(l, "ring", pack, row,
                    l->p->ring_timeout_s < row->min_s ? REASON_RING_TIMEOUT_TOO_SHORT
                                                      : REASON_ALLOW);
        break;
    case PACK_VOICE:
        look_answer(l, "voice", pack, row, REASON_VOICE_MODE_FORBIDDEN);
        break;
    case PACK_WINDOWS:
    case PACK_FREQUENCY:
    case PACK_COOLDOWN:
    case PACK_DNC:
    case PACK_WASH:
    case PACK_ABANDON:
    case PACK_KINDS:
        break;
    }
}

static enum reason rnd_reason(const struct look *l)
{
    const struct compliance_facts *f = l->f;

    if (f->rnd == RND_YES)
        return REASON_REASSIGNED;
    if (!l->p->rnd_required)
        return REASON_ALLOW;
    /* "No data" is no safe harbour (47 CFR 64.1200(m)). */
    if (f->rnd != RND_NO ||
        (l->p->rnd_max_age_days > 0 &&
         l->now_ms - f->rnd_checked_ms > l->p->rnd_max_age_days * DAY_MS))
        return REASON_RND_STALE;
    return REASON_ALLOW;
}

void look_at_consent(struct look *l)
{
    const struct policy *p = l->p;

    look_answer(l, "consent", NULL, NULL, consent_reason(l, p->consent_required));
    look_answer(l, "reassigned", NULL, NULL, rnd_reason(l));
    look_answer(l, "ring", NULL, NULL,
                p->ring_timeout_s < p->ring_min_s ? REASON_RING_TIMEOUT_TOO_SHORT
                                                  : REASON_ALLOW);
    if (p->script_incomplete)
        look_answer(l, "script", NULL, NULL, REASON_SCRIPT_INCOMPLETE);
    if (p->abandon_message_missing)
        look_answer(l, "abandon.message", NULL, NULL, REASON_ABANDON_MESSAGE_MISSING);
    if (p->caller_id_invalid)
        look_answer(l, "caller_id", NULL, NULL, REASON_CALLER_ID_INVALID);
    for (size_t i = 0; i < l->pack_count; i++)
        for (size_t k = 0; k < l->packs[i]->row_count; k++)
            if (look_row_holds(l, &l->packs[i]->rows[k]))
                look_at_row(l, l->packs[i], &l->packs[i]->rows[k]);
}
