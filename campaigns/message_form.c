#include "campaigns/message_form.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/money.h"
#include "base/str.h"
#include "campaigns/provider_http.h"
#include "contacts/phone.h"

/* ---- names ---- */

/* Where each kind has its parts; NULL: nowhere. */
struct names {
    const char *id, *parent, *status, *error, *price, *from, *text, *word;
};

/* twilio.com/docs/messaging/guides/track-outbound-message-status and …/webhook-request,
 * plivo.com/docs/messaging/api/message#message-status-callbacks,
 * developers.africastalking.com/docs/sms/notifications. */
static const struct names of_kind[PROVIDER_KINDS] = {
    [PROVIDER_TWILIO] = {.id = "MessageSid",
                         .status = "MessageStatus",
                         .error = "ErrorCode",
                         .from = "From",
                         .text = "Body",
                         .word = "OptOutType"},
    /* Of a long message each part has an id; the whole has its parent's. */
    [PROVIDER_PLIVO] = {.id = "MessageUUID",
                        .parent = "ParentMessageUUID",
                        .status = "Status",
                        .error = "ErrorCode",
                        .price = "TotalAmount",
                        .from = "From",
                        .text = "Text"},
    [PROVIDER_AFRICASTALKING] = {.id = "id",
                                 .status = "status",
                                 .error = "failureReason",
                                 .from = "from",
                                 .text = "text"},
};

static struct names names_of(const struct message_told *t)
{
    const struct provider_http *h = t->http;

    if (t->kind != PROVIDER_HTTP || !h)
        return of_kind[t->kind];
    return (struct names){.id = h->reports ? h->report.id : NULL,
                          .status = h->reports ? h->report.status : NULL,
                          .error = h->reports ? h->report.error : NULL,
                          .price = h->reports ? h->report.price : NULL,
                          .from = h->receives ? h->inbound.from : NULL,
                          .text = h->receives ? h->inbound.text : NULL};
}

static const char *param(const struct form *f, const char *name)
{
    const struct form_text *v = f ? form_get(f, name) : NULL;

    return v && strlen(v->data) == v->len && str_is_utf8(v->data, v->len) ? v->data
                                                                          : NULL;
}

/* "" when it is not there. */
static void take(const struct message_told *t, const char *name, char *out, size_t size)
{
    out[0] = '\0';
    if (!name || !*name)
        return;
    if (*name == '/') {
        const char *text = json_string_value(provider_http_at(t->json, name));
        if (text)
            str_cut(out, size, text);
        else if (!provider_http_text_at(t->json, name, out, size))
            out[0] = '\0';
        return;
    }
    const char *text = param(t->body, name);
    if (!text)
        text = param(t->query, name);
    str_cut(out, size, text ? text : "");
}

/* ---- reports ---- */

static const struct {
    enum provider_kind kind;
    const char *word;
    enum message_state state;
} words[] = {
    {PROVIDER_TWILIO, "sent", MESSAGE_SENT},
    {PROVIDER_TWILIO, "delivered", MESSAGE_DELIVERED},
    {PROVIDER_TWILIO, "read", MESSAGE_DELIVERED},
    {PROVIDER_TWILIO, "partially_delivered", MESSAGE_UNDELIVERED},
    {PROVIDER_TWILIO, "undelivered", MESSAGE_UNDELIVERED},
    {PROVIDER_TWILIO, "failed", MESSAGE_FAILED},
    {PROVIDER_TWILIO, "canceled", MESSAGE_FAILED},
    {PROVIDER_PLIVO, "sent", MESSAGE_SENT},
    {PROVIDER_PLIVO, "delivered", MESSAGE_DELIVERED},
    {PROVIDER_PLIVO, "read", MESSAGE_DELIVERED},
    {PROVIDER_PLIVO, "undelivered", MESSAGE_UNDELIVERED},
    {PROVIDER_PLIVO, "failed", MESSAGE_FAILED},
    {PROVIDER_PLIVO, "rejected", MESSAGE_FAILED},
    {PROVIDER_AFRICASTALKING, "Sent", MESSAGE_SENT},
    {PROVIDER_AFRICASTALKING, "Submitted", MESSAGE_SENT},
    {PROVIDER_AFRICASTALKING, "Buffered", MESSAGE_SENT},
    {PROVIDER_AFRICASTALKING, "Success", MESSAGE_DELIVERED},
    {PROVIDER_AFRICASTALKING, "AbsentSubscriber", MESSAGE_UNDELIVERED},
    {PROVIDER_AFRICASTALKING, "Expired", MESSAGE_UNDELIVERED},
    {PROVIDER_AFRICASTALKING, "Failed", MESSAGE_FAILED},
    {PROVIDER_AFRICASTALKING, "Rejected", MESSAGE_FAILED},
};

static bool find_state(const struct message_told *t, const char *word,
                       enum message_state *out)
{
    if (t->kind == PROVIDER_HTTP)
        return t->http && provider_http_state(t->http, word, out);
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (words[i].kind == t->kind && strcasecmp(words[i].word, word) == 0) {
            *out = words[i].state;
            return true;
        }
    return false;
}

static bool says_opted_out(const struct message_told *t, const char *error)
{
    switch (t->kind) {
    case PROVIDER_TWILIO:
        return strcmp(error, "21610") == 0;
    case PROVIDER_PLIVO: /* blocked by a STOP of the destination */
        return strcmp(error, "200") == 0;
    case PROVIDER_AFRICASTALKING:
        return strcasecmp(error, "UserInBlackList") == 0;
    case PROVIDER_HTTP:
    case PROVIDER_KINDS:
        break;
    }
    return t->http && provider_http_is_one_of(t->http->send.opted_out, error);
}

static void read_price(const struct message_told *t, const struct names *n,
                       struct message_news *out)
{
    char price[MONEY_TEXT_MAX];

    take(t, n->price, price, sizeof(price));
    if (!money_parse(price, &out->price_micros)) {
        out->price_micros = 0;
        return;
    }
    out->price_micros = llabs(out->price_micros);
    str_cut(out->currency, sizeof(out->currency),
            t->kind == PROVIDER_HTTP ? t->http->report.currency : "USD");
}

bool message_read_report(const struct message_told *t, struct message_news *out)
{
    const struct names n = names_of(t);
    struct message_news news = {0};
    char word[64];

    take(t, n.status, word, sizeof(word));
    if (!*word || !find_state(t, word, &news.state))
        return false;
    take(t, n.parent, news.provider_id, sizeof(news.provider_id));
    if (!news.provider_id[0])
        take(t, n.id, news.provider_id, sizeof(news.provider_id));
    take(t, n.error, news.error, sizeof(news.error));
    if (strspn(news.error, "0") == strlen(news.error)) /* "0", "000": none */
        news.error[0] = '\0';
    news.opted_out = news.state >= MESSAGE_UNDELIVERED && says_opted_out(t, news.error);
    read_price(t, &n, &news);
    *out = news;
    return true;
}

/* ---- letters ---- */

static enum phone_error read_number(const char *lead, const char *text,
                                    const char *region, struct phone *out)
{
    char full[64];

    *out = (struct phone){0};
    if (str_copy(full, sizeof(full), lead) ||
        str_copy(full + strlen(lead), sizeof(full) - strlen(lead), text))
        return PHONE_NOT_A_NUMBER;
    return phone_parse(full, strlen(full), region, out);
}

/* With its plus, without, with one that was not escaped and came as a space, or as it is
 * dialled in the region. 0: a name, or no number at all. */
static int64_t number_of(const char *text, const char *region)
{
    struct phone phone, local;

    text += strspn(text, " ");
    bool abroad = strncmp(text, "00", 2) == 0;
    bool bare = *text >= '0' && *text <= '9';
    enum phone_error bad = read_number(bare ? "+" : "", text + 2 * abroad, "", &phone);

    if (bad != PHONE_VALID && bare && !abroad && *region &&
        read_number("", text, region, &local) == PHONE_VALID)
        return local.e164;
    /* Who wrote has the number, whatever plan it is in. */
    return bad == PHONE_VALID || bad == PHONE_INVALID ? phone.e164 : 0;
}

static enum message_word word_of(const char *said)
{
    static const struct {
        const char *said;
        enum message_word word;
    } known[] = {{"STOP", MESSAGE_WORD_STOP},
                 {"START", MESSAGE_WORD_START},
                 {"HELP", MESSAGE_WORD_HELP}};

    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(said, known[i].said) == 0)
            return known[i].word;
    return MESSAGE_WORD_NONE;
}

bool message_read_letter(const struct message_told *t, struct message_letter *out)
{
    const struct names n = names_of(t);
    char from[64], word[16];

    *out = (struct message_letter){0};
    take(t, n.from, from, sizeof(from));
    out->from = number_of(
        from, t->kind == PROVIDER_HTTP && t->http ? t->http->inbound.region : "");
    if (out->from <= 0)
        return false;
    take(t, t->kind == PROVIDER_HTTP && t->http ? t->http->inbound.id : n.id,
         out->provider_id, sizeof(out->provider_id));
    take(t, n.text, out->text, sizeof(out->text));
    take(t, n.word, word, sizeof(word));
    out->provider_word = word_of(word);
    return true;
}
