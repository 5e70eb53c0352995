#include "workers/notify.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "workers/sms_text.h"

/* A text of another language than the three is English. */
static struct sms_style style_of(const struct worker_config *c, const struct recording *r,
                                 char language[3])
{
    str_cut(language, 3, r->language[0] ? r->language : "en");
    return (struct sms_style){
        .service = c->sms_service, .language = language, .sign = c->sms_sign};
}

static int send(struct pg *pg, int tenant_id, const struct recording *r,
                const char *language, const char *kind, const char *body, int64_t now_ms)
{
    char id[UUID_TEXT_MAX], key[64];

    snprintf(key, sizeof(key), "%s-%s", uuid_text(&r->id, id), kind);
    const struct message m = {.phone = r->phone,
                              .language = language,
                              .kind = kind,
                              .body = body,
                              .dedupe_key = key,
                              .call_id = &r->call_id,
                              .recording_id = &r->id};
    return message_enqueue(pg, tenant_id, &m, now_ms);
}

int notify_receipt(struct pg *pg, const struct worker_config *c, int tenant_id,
                   const struct recording *r, const struct batch *batch, int64_t now_ms)
{
    char language[3];
    struct sms_style style = style_of(c, r, language);
    CLEANUP(free_cleanup) char *body = sms_receipt(&style, batch);

    return send(pg, tenant_id, r, language, "receipt", body, now_ms);
}

int notify_error(struct pg *pg, const struct worker_config *c, int tenant_id,
                 const struct recording *r, const char *details, int64_t now_ms)
{
    char language[3];
    struct sms_style style = style_of(c, r, language);
    CLEANUP(free_cleanup) char *body = sms_error(&style, details);

    return send(pg, tenant_id, r, language, "error", body, now_ms);
}
