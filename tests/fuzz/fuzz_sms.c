/* Any bytes as a message, as a provider's answer, as a report, and as the description of
 * a gateway: nothing breaks out of a request, and what is read is sound. */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/form.h"
#include "base/xalloc.h"
#include "campaigns/message_form.h"
#include "campaigns/provider_http.h"
#include "compliance/opt_out_words.h"
#include "fuzz/fuzz.h"
#include "workers/sms_sender.h"
#include "workers/sms_text.h"
#include "workers/sms_translit.h"

static const char gateway[] =
    "{\"send\": {\"url\": \"https://x.test/{account}?t={text}&f={from}\", \"content\": "
    "\"json\", \"headers\": {\"A\": \"{token}\"}, \"body\": {\"m\": \"{text}\"}, \"id\": "
    "\"/a/0/b\", \"error\": \"/e\", \"ok_at\": \"/ok\", \"ok_is\": [\"1\"]}, \"report\": "
    "{\"id\": \"id\", \"status\": \"/s\", \"states\": {\"D\": \"delivered\"}}, "
    "\"inbound\": {\"from\": \"from\", \"text\": \"/t\"}}";

static void check_request(const struct sms_out *m, const struct sms_request *r)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (strpbrk(r->headers[i], "\r\n"))
            abort();
    if (strpbrk(r->url, " \r\n\"<>#"))
        abort();
    if (m->account->kind != PROVIDER_HTTP)
        return;
    /* The text in the address is the text, and in the body too when it is UTF-8. */
    struct form f = {0};
    const char *query = strchr(r->url, '?') + 1;
    if (form_parse(&f, query, strlen(query)) || f.n != 2 ||
        strcmp(form_get(&f, "t")->data, m->body) != 0)
        abort();
    form_free(&f);
    json_auto_t *body = json_loadb(r->body.data, r->body.len, 0, NULL);
    const char *text = json_string_value(json_object_get(body, "m"));
    if (!body || (str_is_utf8(m->body, strlen(m->body)) && !str_is(text, m->body)))
        abort();
}

static void one_kind(enum provider_kind kind, const char *text, size_t len)
{
    struct provider p = {.kind = kind, .account = "AC1", .token = "tok"};
    struct sms_request r = {0};
    struct sms_answer a = {0};
    struct errtext e = {0};

    str_cut(p.settings_json, sizeof(p.settings_json),
            kind == PROVIDER_HTTP ? gateway : "{}");
    if (provider_read_settings(&p, &e))
        abort();
    const struct sms_out m = {.account = &p,
                              .sender = "a\r\nb: c&d",
                              .phone = 251911234567,
                              .body = text,
                              .report_url = "https://x.test/h"};
    if (!sms_sender_of(kind)->build(&m, &r, &e))
        check_request(&m, &r);
    sms_request_free(&r);
    const long statuses[] = {200, 201, 202, 400, 401, 429, 500};
    struct http_resp resp = {.body = (char *)(uintptr_t)text, .len = len};
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
        resp.status = statuses[i];
        a = (struct sms_answer){0};
        sms_sender_of(kind)->judge(&m, &resp, &a);
        if ((a.verdict == SMS_TAKEN) != !a.why[0] ||
            (a.verdict == SMS_TAKEN && resp.status / 100 != 2))
            abort();
    }
}

static void told(enum provider_kind kind, const char *text, size_t len)
{
    struct provider_http h = {0};
    json_auto_t *json = json_loadb(text, len, 0, NULL);
    struct message_letter *letter = xcalloc(1, sizeof(*letter));
    struct message_news news;
    struct form f = {0};
    struct errtext e = {0};

    if (provider_http_read(gateway, &h, &e))
        abort();
    if (!form_parse(&f, text, len)) {
        const struct message_told t = {
            .kind = kind, .http = &h, .body = &f, .json = json};
        if (message_read_report(&t, &news) &&
            (news.price_micros < 0 || !str_is_utf8(news.error, strlen(news.error)) ||
             !str_is_utf8(news.provider_id, strlen(news.provider_id))))
            abort();
        if (message_read_letter(&t, letter) &&
            (letter->from <= 0 || !str_is_utf8(letter->text, strlen(letter->text))))
            abort();
    }
    form_free(&f);
    free(letter);
    provider_http_free(&h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct provider_http h = {0};
    struct errtext e = {0};
    const char *language = NULL;

    if (size == 0 || size > 20000)
        return 0;
    char *text = xmalloc(size);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    enum provider_kind kind = data[0] % PROVIDER_KINDS;
    one_kind(kind, text, size - 1);
    told(kind, text, size - 1);
    if (!provider_http_read(text, &h, &e))
        provider_http_free(&h);
    char *plain = sms_transliterate(text);
    if (plain && (sms_measure(plain).encoding != SMS_GSM7 ||
                  sms_measure(plain).segments > sms_measure(text).segments))
        abort();
    free(plain);
    (void)message_word_of(text, &language);
    free(text);
    return 0;
}
