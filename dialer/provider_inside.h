/* provider_inside - what trunk_provider.c and provider_*.c share. For these alone. */
#ifndef DIALER_PROVIDER_INSIDE_H
#define DIALER_PROVIDER_INSIDE_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "campaigns/provider_call.h"
#include "campaigns/provider_rest.h"
#include "dialer/id_table.h"
#include "dialer/trunk.h"
#include "dialer/web.h"

struct carrier { /* a trunk over an account at a provider */
    struct trunk base;
    const struct provider_rest_ops *rest;
    struct provider_trunk_settings settings;
    struct provider account; /* with its token, once it is loaded */
    char hook[PROVIDER_URL_MAX + 64];
    bool loaded, loading, polling, complained;
    int64_t load_at_ms, held_until_ms; /* monotonic */
    uv_timer_t timer;
    struct id_table calls;
    int in_flight; /* originations */
};

struct carried { /* one call */
    struct uuid id;
    struct carrier *carrier;
    struct provider_order order;
    struct provider_call_news known;
    int64_t heard; /* version of its row that was read */
    bool read;     /* its row was looked for */
    bool posting;  /* its origination is not answered */
    bool up_told, answer_told;
    bool recalled;           /* to be taken back while it is queued */
    bool unwanted, we_ended; /* to be ended; we asked for it */
    int end_tries;
    int64_t made_from_ms, made_to_ms; /* real: when it must have been made */
    int64_t open_until_ms;            /* business: its window closes; 0 never */
    int64_t taken_at_ms;              /* monotonic: when the provider had it; 0 */
    int64_t look_at_ms, end_at_ms;    /* monotonic: next routine look; next ending */
    /* one look or search at a time: */
    trunk_query_fn *asked; /* who waits for it; NULL nobody */
    bool looking, searching, saw_nobody;
    int step; /* of look() or search() */
    char
        *others; /* of a search: what other attempts at the number are called, by lines */
    struct provider_seen *leads; /* of a search, still to be seen whole */
    size_t lead, lead_count;
    int64_t missing_since_ms, look_again_ms; /* monotonic; 0 */
    int waits;
};

/* Who an answer is for: by id, the call may be gone. */
struct call_ref {
    struct dialer *dialer;
    int64_t trunk_id;
    struct uuid id;
};

/* ---- trunk_provider.c ---- */

/* Sends for the account; the request is freed. Errors are web_send's. */
NODISCARD int carrier_send(struct carrier *k, struct provider_request *r, bool once,
                           web_done_fn *done, void *arg);

/* ---- provider_news.c ---- */

struct carried *carrier_find(struct dialer *d, int64_t trunk_id, const struct uuid *id);
/* What was learnt is merged, written down and told to placed: the call may be gone
 * afterwards. */
void carrier_learnt(struct carried *c, const struct provider_call_news *news);
/* The same of what stands in its row. */
void carrier_heard(struct carried *c, const struct provider_call_news *news);
void carrier_forget(struct carried *c);

/* ---- provider_end.c ---- */

/* As trunk_ops says. */
void carrier_hang_up(struct trunk *t, const struct uuid *attempt);
void carrier_recall(struct trunk *t, const struct uuid *attempt);
/* The provider has just said that it is still queued. */
void carrier_take_back(struct carried *c);
/* Ends, takes back or doubts it when that is due; it may be gone afterwards. */
void carrier_look_after(struct carried *c, int64_t now);

/* ---- provider_rows.c ---- */

void carrier_load_account(struct carrier *k);
void carrier_poll_rows(struct carrier *k);
void carrier_write_down(const struct carried *c, const struct provider_call_news *news);

/* ---- provider_look.c ---- */

/* Where is the call? The answer is for placed. */
void carrier_look(struct carried *c, trunk_query_fn *done);
void carrier_look_free(struct carried *c);

#endif
