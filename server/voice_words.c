/* What is heard in calls at providers besides the flow's own texts: audio that lies here,
 * and the apology. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/content.h"
#include "base/str.h"
#include "server/call_languages.h"
#include "server/spoken.h"
#include "server/voice.h"

enum { KNOWN = 32 }; /* prompts that a thread remembers */

const char *voice_provider_call(const struct hook *h)
{
    return hook_param(h, h->provider.kind == PROVIDER_TWILIO ? "CallSid" : "CallUUID");
}

/* Asked of a bucket once, and not for long: the caller waits. */
static bool is_in_store(const struct server *s, const char *asset)
{
    static _Thread_local char known[KNOWN][SHA256_TEXT_MAX];
    static _Thread_local size_t next;
    struct config_common config = s->config.common;
    struct content content;

    for (size_t i = 0; i < KNOWN; i++)
        if (strcmp(known[i], asset) == 0)
            return true;
    config.content_timeout_s = 1;
    if (content_init(&content, &config, NULL) ||
        content_has(&content, NULL, CONTENT_PROMPTS, asset, NULL))
        return false;
    str_cut(known[next++ % KNOWN], SHA256_TEXT_MAX, asset);
    return true;
}

/* The server as the provider reaches it, without the account's part. NULL: whoever serves
 * the call has no such addresses. */
static const char *base_of(const struct hook *h, char out[2 * PROVIDER_URL_MAX])
{
    static const char mark[] = "/hooks/";
    size_t len = strlen(h->base), account = sizeof(mark) - 1 + UUID_TEXT_MAX - 1;

    if (len < account || memcmp(h->base + len - account, mark, sizeof(mark) - 1) != 0)
        return NULL;
    snprintf(out, 2 * PROVIDER_URL_MAX, "%.*s", (int)(len - account), h->base);
    return out;
}

/* ENOENT: it is not here. */
static int url_of(const struct hook *h, const char *asset, char *url, size_t size)
{
    const char *data = h->server->config.common.data_dir;
    char path[700];

    snprintf(path, sizeof(path), "%s/prompts/%.64s.wav", data, asset);
    if (access(path, R_OK) && (h->at_once || !is_in_store(h->server, asset)))
        return ENOENT;
    char root[2 * PROVIDER_URL_MAX];
    const char *base = base_of(h, root);
    int n = base ? snprintf(url, size, "%s/prompts/%.64s.wav", base, asset) : -1;
    return n > 0 && (size_t)n < size ? 0 : ENOENT;
}

/* What is recorded, and of the rest what the provider itself cannot say. */
int voice_media(const struct ivr_prompt *p, char *uri, size_t size, void *arg)
{
    const struct hook *h = arg;
    char root[2 * PROVIDER_URL_MAX];
    const char *base = base_of(h, root);

    if (!base)
        return ENOENT;
    if (p->asset && p->asset[0])
        return url_of(h, p->asset, uri, size);
    int err = spoken_url(h->server->spoken, voice_backend(h->provider.kind), p, base, uri,
                         size);
    return err == EMSGSIZE ? ENOENT : err;
}

const char *voice_hold_url(const struct hook *h, char *url, size_t size)
{
    const char *own = h->provider.settings.hold_music;
    const char *asset = own[0] ? own : spoken_music(h->server->spoken);

    return asset && url_of(h, asset, url, size) == 0 ? url : NULL;
}

/* ---- the apology ---- */

/* "am" is said to who speaks "am-ET". */
static const char *recorded(const struct provider_settings *s, const char *language)
{
    size_t plain = strcspn(language, "-_");

    for (size_t i = 0; i < s->apology_count; i++) {
        const char *lang = s->apologies[i].lang;
        if (strcmp(lang, language) == 0 ||
            (strlen(lang) == plain && strncmp(lang, language, plain) == 0))
            return s->apologies[i].asset;
    }
    return NULL;
}

static int play(const struct hook *h, const struct ivr_backend *b, const char *asset,
                struct buf *out)
{
    struct ivr_arena *arena = NULL;
    char url[3 * PROVIDER_URL_MAX];
    const char *document;

    int err = asset ? url_of(h, asset, url, sizeof(url)) : ENOENT;
    if (!err)
        err = ivr_arena_new(&arena, NULL);
    if (!err)
        err = b->document->farewell(url, arena, &document);
    if (!err)
        buf_puts(out, document);
    ivr_arena_free(arena);
    return err;
}

/* Each back end apologises in English where it has no voice. */
static bool is_english(const struct ivr_backend *b, const char *language)
{
    return strncmp(language, "en", 2) != 0 &&
           b->document->apology(language) == b->document->apology("en");
}

void voice_sorry(const struct hook *h, const char *language, struct buf *out)
{
    const struct ivr_backend *b = voice_backend(h->provider.kind);

    if (!b)
        buf_puts(out, "<Response></Response>");
    else if (!language[0] || play(h, b, recorded(&h->provider.settings, language), out)) {
        if (!is_english(b, language) ||
            play(h, b, spoken_apology(h->server->spoken, language), out))
            buf_puts(out, b->document->apology(language));
    }
}

void voice_apologise(const struct hook *h, struct response *resp)
{
    char language[CALL_LANGUAGE_MAX];

    call_languages_find(h->server->languages, h->provider.id, voice_provider_call(h),
                        language);
    resp->status = 200;
    resp->content_type = "text/xml";
    voice_sorry(h, language, &resp->body);
}
