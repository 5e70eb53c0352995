#include "campaigns/provider.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>
#include <sodium.h>

#include "base/sha256.h"
#include "base/str.h"
#include "campaigns/doc_reader.h"
#include "campaigns/provider_http.h"

static const struct {
    const char *name, *api_url, *account, *example;
    bool carries_calls;
    double cps; /* what it takes of an account that nobody asked more for */
} kinds[PROVIDER_KINDS] = {
    /* twilio.com/docs/voice/api/call-resource: one call a second unless raised. */
    [PROVIDER_TWILIO] = {.name = "twilio",
                         .api_url = "https://api.twilio.com",
                         .account = "account SID",
                         .example = "AC…",
                         .carries_calls = true,
                         .cps = 1},
    /* plivo.com/docs: two a second. */
    [PROVIDER_PLIVO] = {.name = "plivo",
                        .api_url = "https://api.plivo.com",
                        .account = "auth id",
                        .example = "MA…",
                        .carries_calls = true,
                        .cps = 2},
    [PROVIDER_AFRICASTALKING] = {.name = "africastalking",
                                 .api_url = "https://api.africastalking.com",
                                 .account = "user name",
                                 .example = "cooperative"},
    [PROVIDER_HTTP] = {.name = "http"},
};

const char *provider_kind_name(enum provider_kind kind)
{
    return kinds[kind].name;
}

bool provider_kind_find(const char *name, enum provider_kind *out)
{
    for (int i = 0; i < PROVIDER_KINDS; i++)
        if (strcmp(name, kinds[i].name) == 0) {
            *out = i;
            return true;
        }
    return false;
}

bool provider_carries_calls(enum provider_kind kind)
{
    return kinds[kind].carries_calls;
}

double provider_usual_cps(const char *kind)
{
    enum provider_kind k;

    return provider_kind_find(kind, &k) ? kinds[k].cps : 0;
}

bool provider_name_is_sound(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-");

    return n > 0 && n < sizeof(((struct provider *)0)->name) && !name[n] &&
           !strchr("._-", name[0]);
}

/* ---- settings ---- */

static bool is_content_id(const char *text)
{
    return strlen(text) == SHA256_TEXT_MAX - 1 &&
           strspn(text, "0123456789abcdef") == SHA256_TEXT_MAX - 1;
}

static void read_apologies(struct doc_reader *r, json_t *value, const char *pointer,
                           void *owner)
{
    static const char hint[] = "e.g. {\"om\": \"<content id of recorded audio>\"}";
    struct provider_settings *s = owner;
    const char *lang;
    json_t *v;

    if (!json_is_object(value) || json_object_size(value) > PROVIDER_APOLOGIES_MAX) {
        doc_issue(r, pointer, JSON_PLACE_VALUE, hint,
                  "must be an object of at most %d languages", PROVIDER_APOLOGIES_MAX);
        return;
    }
    json_object_foreach(value, lang, v)
    {
        struct provider_apology *a = &s->apologies[s->apology_count];
        const char *asset = json_is_string(v) ? json_string_value(v) : "";
        if (!lang[0] || str_copy(a->lang, sizeof(a->lang), lang) ||
            !is_content_id(asset)) {
            doc_issue(r, pointer, JSON_PLACE_VALUE, hint,
                      "'%.20s' is no language with the content id of its audio", lang);
            return;
        }
        memcpy(a->asset, asset, sizeof(a->asset));
        s->apology_count++;
    }
}

#define IN(member) .offset = offsetof(struct provider_settings, member)

static const struct doc_field fields[] = {
    {.key = "api_url",
     .kind = DOC_TEXT,
     IN(api_url),
     .size = PROVIDER_URL_MAX,
     .hint = "of its REST API, e.g. https://api.twilio.com"},
    {.key = "public_url",
     .kind = DOC_TEXT,
     IN(public_url),
     .size = PROVIDER_URL_MAX,
     .hint =
         "by which the provider reaches furrow-server, e.g. https://voice.example.org"},
    {.key = "user",
     .kind = DOC_TEXT,
     IN(user),
     .size = PROVIDER_TEXT_MAX,
     .hint = "the SID of a Twilio API key, when the token is its secret"},
    {.key = "sip_domain",
     .kind = DOC_TEXT,
     IN(sip_domain),
     .size = PROVIDER_TEXT_MAX,
     .hint = "of extensions that calls are transferred to, e.g. coop.sip.twilio.com"},
    {.key = "media_hosts",
     .kind = DOC_TEXT,
     IN(media_hosts),
     .size = PROVIDER_URL_MAX,
     .hint = "further domains that recordings may be downloaded from, e.g. "
             "\"media.example.org\""},
    {.key = "delete_recordings",
     .kind = DOC_BOOL,
     IN(delete_recordings),
     .hint = "true: a recording is deleted at the provider once it is stored here"},
    {.key = "cps",
     .kind = DOC_NUMBER,
     IN(cps),
     .min = 0.01,
     .max = 1000,
     .hint = "calls a second that the provider takes of this account"},
    {.key = "hold_music",
     .kind = DOC_TEXT,
     IN(hold_music),
     .size = SHA256_TEXT_MAX,
     .hint =
         "content id of recorded audio, a few seconds that are heard again and again"},
    {.key = "apologies",
     .kind = DOC_PART,
     .read = read_apologies,
     .hint = "recorded words for a call that cannot go on, by language"},
};

static bool is_base_url(const char *url)
{
    size_t scheme = strncmp(url, "https://", 8) == 0  ? 8
                    : strncmp(url, "http://", 7) == 0 ? 7
                                                      : 0;
    size_t len = strlen(url);

    return scheme && len > scheme && url[len - 1] != '/' && !strpbrk(url, " ?#@\"<>");
}

static int issue_as_text(const struct campaign_issues *issues, struct errtext *e)
{
    const struct campaign_issue *i = &issues->at[0];

    return errtext_set(e, EINVAL, i->line, i->column, "settings%s: %s%s%s%s", i->pointer,
                       i->text, i->hint[0] ? " (" : "", i->hint, i->hint[0] ? ")" : "");
}

/* A gateway's own keys are read there, and unknown to the table here. */
static int check_http(const char *text, json_t *json, struct errtext *e)
{
    struct provider_http http = {0};

    int err = provider_http_read(text, &http, e);
    provider_http_free(&http);
    json_object_del(json, "send");
    json_object_del(json, "report");
    json_object_del(json, "inbound");
    return err;
}

int provider_read_settings(struct provider *p, struct errtext *e)
{
    struct provider_settings s = {.cps = kinds[p->kind].cps};
    struct campaign_issues issues = {0};
    struct doc_reader r = {
        .text = p->settings_json, .len = strlen(p->settings_json), .issues = &issues};
    json_error_t at;
    json_auto_t *json = json_loads(p->settings_json, JSON_REJECT_DUPLICATES, &at);

    if (!json_is_object(json))
        return errtext_set(e, EINVAL, json ? 0 : at.line, json ? 0 : at.column,
                           "settings must be a JSON object%s%s", json ? "" : ": ",
                           json ? "" : at.text);
    if (p->kind == PROVIDER_HTTP) {
        int err = check_http(p->settings_json, json, e);
        if (err)
            return err;
    }
    if (kinds[p->kind].api_url)
        str_cut(s.api_url, sizeof(s.api_url), kinds[p->kind].api_url);
    doc_read_object(&r, json, "", fields, ARRAY_LEN(fields), &s);
    if (issues.found)
        return issue_as_text(&issues, e);
    if (!is_base_url(s.api_url) && (kinds[p->kind].api_url || s.api_url[0]))
        return errtext_set(e, EINVAL, 0, 0,
                           "settings/api_url: '%s' is no base URL, e.g. "
                           "https://api.example.org",
                           s.api_url);
    if (s.public_url[0] && !is_base_url(s.public_url))
        return errtext_set(e, EINVAL, 0, 0,
                           "settings/public_url: '%s' is no base URL, e.g. "
                           "https://voice.example.org",
                           s.public_url);
    if (s.hold_music[0] && !is_content_id(s.hold_music))
        return errtext_set(e, EINVAL, 0, 0,
                           "settings/hold_music: '%s' is no content id (64 hex digits)",
                           s.hold_music);
    p->settings = s;
    return 0;
}

static bool is_token(const char *text)
{
    const char *c = text;

    while (*c > ' ' && *c <= '~')
        c++;
    return *text && !*c;
}

int provider_check(struct provider *p, struct errtext *e)
{
    if (!provider_name_is_sound(p->name))
        return errtext_set(e, EINVAL, 0, 0,
                           "'%s' is no name for an account; small letters, digits, '.', "
                           "'-', '_', e.g. main",
                           p->name);
    if (kinds[p->kind].account && !p->account[0])
        return errtext_set(e, EINVAL, 0, 0, "a %s account needs its %s, e.g. %s",
                           kinds[p->kind].name, kinds[p->kind].account,
                           kinds[p->kind].example);
    if (strpbrk(p->account, "/?#: \"<>"))
        return errtext_set(e, EINVAL, 0, 0, "'%s' is no %s", p->account,
                           kinds[p->kind].account ? kinds[p->kind].account : "account");
    if (!is_token(p->token) || (p->signing_token[0] && !is_token(p->signing_token)))
        return errtext_set(e, EINVAL, 0, 0,
                           "a token is one line of printable ASCII, without blanks");
    if (!p->signing_token[0])
        memcpy(p->signing_token, p->token, sizeof(p->token));
    return provider_read_settings(p, e);
}

bool provider_hook_url(const struct provider *p, const char *public_url, char *out,
                       size_t size)
{
    const char *base = p->settings.public_url[0] ? p->settings.public_url : public_url;
    char hook[UUID_TEXT_MAX];

    if (!*base)
        return false;
    size_t len = strlen(base);
    while (len > 0 && base[len - 1] == '/')
        len--;
    int n =
        snprintf(out, size, "%.*s/hooks/%s", (int)len, base, uuid_text(&p->hook, hook));
    return n > 0 && (size_t)n < size;
}

void provider_wipe(struct provider *p)
{
    sodium_memzero(p->token, sizeof(p->token));
    sodium_memzero(p->signing_token, sizeof(p->signing_token));
}
