#include "dialer/ari_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "dialer/placed.h"

static size_t bucket(const struct uuid *id)
{
    return id->bytes[15] % ARI_BUCKETS;
}

void ari_channel_name(const struct ari *a, const struct uuid *id,
                      char out[ARI_CHANNEL_MAX])
{
    char text[UUID_TEXT_MAX];

    snprintf(out, ARI_CHANNEL_MAX, "fw%s-%s", a->dialer->installation,
             uuid_text(id, text));
}

bool ari_channel_parse(const struct ari *a, const char *channel, struct uuid *id,
                       int *leg)
{
    size_t installation = strlen(a->dialer->installation);
    char text[UUID_TEXT_MAX];
    int64_t n = 0;

    if (strncmp(channel, "fw", 2) != 0 ||
        strncmp(channel + 2, a->dialer->installation, installation) != 0 ||
        channel[2 + installation] != '-')
        return false;
    channel += 2 + installation + 1;
    if (strlen(channel) < UUID_TEXT_MAX - 1)
        return false;
    memcpy(text, channel, UUID_TEXT_MAX - 1);
    text[UUID_TEXT_MAX - 1] = '\0';
    channel += UUID_TEXT_MAX - 1;
    if (channel[0] && (strncmp(channel, "-b", 2) != 0 || !str_to_i64(channel + 2, &n) ||
                       n < 1 || n > 1000))
        return false;
    *leg = (int)n;
    return uuid_parse(text, id) == 0;
}

struct ari_call *ari_call_find(const struct ari *a, const struct uuid *id)
{
    struct ari_call *c = a->calls[bucket(id)];

    while (c && memcmp(&c->id, id, sizeof(*id)) != 0)
        c = c->next;
    return c;
}

struct ari_call *ari_call_find_channel(const struct ari *a, const char *channel)
{
    struct uuid id;
    int leg = 0;

    if (ari_channel_parse(a, channel, &id, &leg))
        return leg == 0 ? ari_call_find(a, &id) : NULL;
    for (size_t i = 0; i < ARI_BUCKETS; i++)
        for (struct ari_call *c = a->calls[i]; c; c = c->next)
            if (strcmp(c->channel, channel) == 0)
                return c;
    return NULL;
}

struct ari_call *ari_call_get(struct ari *a, const struct uuid *id, const char *channel)
{
    struct ari_call *c = ari_call_find(a, id);

    if (c)
        return c;
    c = xcalloc(1, sizeof(*c));
    c->id = *id;
    if (channel)
        str_cut(c->channel, sizeof(c->channel), channel);
    else
        ari_channel_name(a, id, c->channel);
    c->next = a->calls[bucket(id)];
    a->calls[bucket(id)] = c;
    a->call_count++;
    return c;
}

void ari_call_forget(struct ari *a, struct ari_call *call)
{
    struct ari_call **at = &a->calls[bucket(&call->id)];

    while (*at != call)
        at = &(*at)->next;
    *at = call->next;
    a->call_count--;
    free(call);
}

/* fn may end any call, so the list is walked by ids that are looked up again. */
void ari_each_call(struct ari *a, ari_each_fn *fn)
{
    struct uuid *ids = xcalloc(a->call_count + 1, sizeof(*ids));
    size_t n = 0;

    for (size_t i = 0; i < ARI_BUCKETS; i++)
        for (struct ari_call *c = a->calls[i]; c; c = c->next)
            ids[n++] = c->id;
    for (size_t i = 0; i < n; i++) {
        struct ari_call *c = ari_call_find(a, &ids[i]);
        if (c)
            fn(a, c);
    }
    free(ids);
}

static void tell_end(struct ari *a, const struct ari_call *c)
{
    struct dialer *d = a->dialer;
    const struct live_event hung_up = {.kind = LIVE_HUNG_UP,
                                       .hung_up = {.cause = c->end_cause}};
    struct placed_end end = {
        .was_up = c->was_up,
        .we_hung_up = c->we_hung_up,
        /* A refusal has a last Dial event, Asterisk's own time-out has none; the SIP
         * code says nothing (480 comes with both). */
        .ring_timeout =
            !c->was_up && !c->we_hung_up && c->end_cause == 19 && !c->dial_status[0],
        .cause = c->end_cause,
        .tech_cause = c->end_tech_cause,
        .dial_status = c->dial_status[0] ? c->dial_status : NULL,
    };

    if (c->inbound)
        live_event(d->lives, &c->id, &hung_up);
    else if (!c->told_absent)
        placed_ended(d, &c->id, &end); /* which tells its live call */
}

void ari_call_end(struct ari *a, struct ari_call *call, int cause, int tech_cause)
{
    if (!call->ended) {
        char id[UUID_TEXT_MAX];

        call->ended = true;
        call->end_cause = cause ? cause : call->hangup_cause;
        call->end_tech_cause = tech_cause;
        ari_leg_drop(a, call);
        log_debug("ari", "call=%s state=gone cause=%d sip=%d", uuid_text(&call->id, id),
                  call->end_cause, tech_cause);
    }
    /* Its recording's end comes first; when that event was missed it is asked for. */
    if (call->recording[0]) {
        ari_phone_ask_recording(a, call);
        return;
    }
    struct ari_call told = *call;
    ari_call_forget(a, call);
    tell_end(a, &told);
}

static void on_hung_up(struct dialer *d, const struct web_resp *resp,
                       const struct ari_ask *ask)
{
    struct ari_call *c = d->ari ? ari_call_find(d->ari, &ask->call) : NULL;

    /* Gone before, and its end was missed or is on its way: give that two seconds. */
    if (c && ari_is_absent(resp) && !c->left_ms)
        c->left_ms = mono_ms();
}

void ari_call_hang_up(struct ari *a, const struct uuid *id, const char *reason)
{
    struct ari_call *c = ari_call_find(a, id);
    char channel[ARI_CHANNEL_MAX];

    ari_channel_name(a, id, channel);
    if (c) {
        str_cut(channel, sizeof(channel), c->channel);
        c->we_hung_up = true;
        c->hang_up_reason = reason;
        c->asked_hang_up_ms = mono_ms();
    }
    ari_sendf_brief(a->dialer, "DELETE", on_hung_up, &(struct ari_ask){.call = *id},
                    "/channels/%s?reason=%s", channel, reason);
}
