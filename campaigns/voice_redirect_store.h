/*
 * voice_redirect_store - a call at a provider that is to go on in another flow. That
 * stands in its session's row before the provider is asked to fetch it, so that whatever
 * becomes of that request, the call's next one takes it up, once; and both are events of
 * the call. Errors are pg.h's, and as stated.
 */
#ifndef CAMPAIGNS_VOICE_REDIRECT_STORE_H
#define CAMPAIGNS_VOICE_REDIRECT_STORE_H

#include <stdint.h>

#include "base/attrs.h"
#include "base/uuid.h"

struct pg;
struct voice_session;

enum voice_redirect {
    VOICE_REDIRECT_ASKED, /* now */
    VOICE_REDIRECT_WAITS, /* it was asked for before, and has not been taken up yet */
    VOICE_REDIRECT_THERE, /* the call is in that flow already: nothing was written */
};

/* by: who asks. ENOENT: the call is over, or there is none. In a transaction of its own.
 */
NODISCARD int voice_redirect_ask(struct pg *pg, int tenant_id, const struct uuid *call,
                                 int64_t flow_revision_id, const char *by, int64_t now_ms,
                                 enum voice_redirect *out);
/* It is not to go on there after all: the provider says why. Likewise; ENOENT: it has
 * gone over meanwhile. */
NODISCARD int voice_redirect_drop(struct pg *pg, int tenant_id, const struct uuid *call,
                                  const char *why, int64_t now_ms);

/* In the transaction of the request that takes it up, with the session locked: the flow
 * of the call's rows and of *s is that one from now on. */
NODISCARD int voice_redirect_take(struct pg *pg, struct voice_session *s, int64_t now_ms);

#endif
