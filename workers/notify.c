#include "workers/notify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "batches/command_store.h"
#include "batches/token.h"
#include "campaigns/message_settings_store.h"
#include "campaigns/message_store.h"
#include "workers/sms_text.h"

/* Who writes: the tenant's name for it, else the worker's. */
struct writer {
    char language[3], service[64];
};

static int style_of(struct pg *pg, const struct worker_config *c, int tenant_id,
                    const char *language, struct writer *w, struct sms_style *out)
{
    struct message_settings s = {0};

    int err = message_settings_load(pg, tenant_id, &s);
    if (err && err != ENOENT)
        return err;
    /* A text of another language than the three is English. */
    str_cut(w->language, sizeof(w->language), language[0] ? language : "en");
    str_cut(w->service, sizeof(w->service), s.service[0] ? s.service : c->sms_service);
    *out = (struct sms_style){
        .service = w->service, .language = w->language, .sign = c->sms_sign};
    return 0;
}

static int send(struct pg *pg, int tenant_id, const struct notify_to *to,
                const char *language, const char *kind, const char *body, int64_t now_ms)
{
    char key[300];

    snprintf(key, sizeof(key), "%s-%s", to->key, kind);
    const struct message_new m = {.phone = to->phone,
                                  .language = language,
                                  .kind = kind,
                                  .body = body,
                                  .dedupe_key = key,
                                  .call_id = to->call_id,
                                  .recording_id = to->recording_id};
    return message_queue(pg, tenant_id, &m, now_ms);
}

static char *command_text(const struct sms_style *style, const struct command_result *r)
{
    char why[REFUSAL_TEXT_MAX];

    refusal_text(&r->why, style->language, why);
    switch (r->state) {
    case COMMAND_DONE:
        return sms_receipt(style, &r->batch);
    case COMMAND_ASKS:
        return sms_question(style, why,
                            refusal_question(r->why.lacks[0], style->language));
    case COMMAND_REGISTERED:
        return sms_notice(style, r->approved ? SMS_APPROVED : SMS_REGISTERED);
    case COMMAND_REFUSED:
        break;
    }
    return sms_error(style, why);
}

int notify_command(struct pg *pg, const struct worker_config *c, int tenant_id,
                   const struct notify_to *to, const struct command_result *r,
                   int64_t now_ms)
{
    static const char *const kinds[] = {"receipt", "question", "error", "registration"};
    struct writer w = {0};
    struct sms_style style = {0};

    int err = style_of(pg, c, tenant_id, to->language, &w, &style);
    if (err)
        return err;
    CLEANUP(free_cleanup) char *body = command_text(&style, r);
    return send(pg, tenant_id, to, w.language, kinds[r->state], body, now_ms);
}

/* Below the program's public address; "" where nobody outside reaches it. */
static void link_of(const struct worker_config *c, const char *token, char *out,
                    size_t size)
{
    out[0] = '\0';
    if ((*c->common.public_url || *c->common.voice_ledger_public_url) && *token)
        verification_url(c->common.public_url, c->common.voice_ledger_public_url, token,
                         out, size);
}

static char *news_text(const struct worker_config *c, const struct sms_style *style,
                       enum news_kind kind, const struct news *news)
{
    char link[2 * sizeof(c->common.public_url)];

    switch (kind) {
    case NEWS_APPROVED:
        break;
    case NEWS_VERIFIED:
        return sms_verified(style, &news->batch);
    case NEWS_RECORDED:
        link_of(c, news->token, link, sizeof(link));
        return sms_record(style, &news->batch, news->member, link);
    }
    return sms_notice(style, SMS_APPROVED);
}

int notify_news(struct pg *pg, const struct worker_config *c, int tenant_id,
                const struct notify_to *to, enum news_kind kind, const struct news *news,
                int64_t now_ms)
{
    struct writer w = {0};
    struct sms_style style = {0};

    int err = style_of(pg, c, tenant_id, to->language, &w, &style);
    if (err)
        return err;
    CLEANUP(free_cleanup) char *body = news_text(c, &style, kind, news);
    return send(pg, tenant_id, to, w.language, news_kind_name(kind), body, now_ms);
}

/* The key is kept in text. */
static struct notify_to of_recording(const struct recording *r, char text[UUID_TEXT_MAX])
{
    return (struct notify_to){.phone = r->phone,
                              .language = r->language,
                              .key = uuid_text(&r->id, text),
                              .call_id = &r->call_id,
                              .recording_id = &r->id};
}

int notify_misunderstood(struct pg *pg, const struct worker_config *c, int tenant_id,
                         const struct recording *r, int64_t now_ms)
{
    const struct refusal why = {.reason = REFUSED_NOT_UNDERSTOOD};
    char text[UUID_TEXT_MAX], details[REFUSAL_TEXT_MAX];
    const struct notify_to to = of_recording(r, text);
    struct writer w = {0};
    struct sms_style style = {0};

    int err = style_of(pg, c, tenant_id, r->language, &w, &style);
    if (err)
        return err;
    refusal_text(&why, w.language, details);
    CLEANUP(free_cleanup) char *body = sms_error(&style, details);
    return send(pg, tenant_id, &to, w.language, "error", body, now_ms);
}

int notify_ended(struct pg *pg, const struct worker_config *c, int tenant_id,
                 const struct recording *r, enum sms_notice notice, int64_t now_ms)
{
    static const char *const kinds[] = {
        [SMS_COMPLETE] = "complete", [SMS_FAILED] = "failed", [SMS_WAITS] = "waits"};
    char text[UUID_TEXT_MAX];
    const struct notify_to to = of_recording(r, text);
    struct writer w = {0};
    struct sms_style style = {0};

    int err = style_of(pg, c, tenant_id, r->language, &w, &style);
    if (err)
        return err;
    CLEANUP(free_cleanup) char *body = sms_notice(&style, notice);
    return send(pg, tenant_id, &to, w.language, kinds[notice], body, now_ms);
}
