#include "campaigns/provider_call.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/form.h"
#include "base/str.h"

/* ---- names ---- */

static const char *const statuses[] = {"",       "queued",    "dialled", "ringing",
                                       "up",     "completed", "busy",    "no_answer",
                                       "failed", "canceled"};
_Static_assert(ARRAY_LEN(statuses) == PROVIDER_CALL_STATUSES, "a name for each");
static const char *const answers[] = {"", "unsure", "human", "machine"};
_Static_assert(ARRAY_LEN(answers) == PROVIDER_ANSWERED_COUNT, "a name for each");

const char *provider_call_status_name(enum provider_call_status s)
{
    return statuses[s];
}

bool provider_call_status_parse(const char *name, enum provider_call_status *out)
{
    for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
        if (strcmp(name, statuses[i]) == 0) {
            *out = (enum provider_call_status)i;
            return true;
        }
    return false;
}

bool provider_call_is_over(enum provider_call_status s)
{
    return s >= PROVIDER_CALL_COMPLETED;
}

const char *provider_answered_by_name(enum provider_answered_by a)
{
    return answers[a];
}

bool provider_answered_by_parse(const char *name, enum provider_answered_by *out)
{
    for (size_t i = 0; i < ARRAY_LEN(answers); i++)
        if (strcmp(name, answers[i]) == 0) {
            *out = (enum provider_answered_by)i;
            return true;
        }
    return false;
}

/* ---- words and codes ---- */

struct word {
    const char *word;
    int means;
};

static int meaning(const struct word *words, size_t n, const char *word)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(words[i].word, word) == 0)
            return words[i].means;
    return 0;
}

enum provider_call_status provider_twilio_status(const char *word)
{
    static const struct word words[] = {
        {"queued", PROVIDER_CALL_QUEUED},       {"initiated", PROVIDER_CALL_DIALLED},
        {"ringing", PROVIDER_CALL_RINGING},     {"in-progress", PROVIDER_CALL_UP},
        {"completed", PROVIDER_CALL_COMPLETED}, {"busy", PROVIDER_CALL_BUSY},
        {"no-answer", PROVIDER_CALL_NO_ANSWER}, {"failed", PROVIDER_CALL_FAILED},
        {"canceled", PROVIDER_CALL_CANCELED}};

    return (enum provider_call_status)meaning(words, ARRAY_LEN(words), word);
}

enum provider_call_status provider_plivo_status(const char *word)
{
    static const struct word words[] = {
        {"queued", PROVIDER_CALL_QUEUED},     {"ringing", PROVIDER_CALL_RINGING},
        {"in-progress", PROVIDER_CALL_UP},    {"completed", PROVIDER_CALL_COMPLETED},
        {"busy", PROVIDER_CALL_BUSY},         {"no-answer", PROVIDER_CALL_NO_ANSWER},
        {"timeout", PROVIDER_CALL_NO_ANSWER}, {"failed", PROVIDER_CALL_FAILED},
        {"cancel", PROVIDER_CALL_CANCELED}};

    return (enum provider_call_status)meaning(words, ARRAY_LEN(words), word);
}

enum provider_answered_by provider_twilio_answered_by(const char *word)
{
    static const struct word words[] = {
        {"human", PROVIDER_ANSWERED_HUMAN},
        {"machine_start", PROVIDER_ANSWERED_MACHINE},
        {"machine_end_beep", PROVIDER_ANSWERED_MACHINE},
        {"machine_end_silence", PROVIDER_ANSWERED_MACHINE},
        {"machine_end_other", PROVIDER_ANSWERED_MACHINE},
        {"machine", PROVIDER_ANSWERED_MACHINE},
        {"fax", PROVIDER_ANSWERED_MACHINE},
        {"unknown", PROVIDER_ANSWERED_UNSURE}};

    return (enum provider_answered_by)meaning(words, ARRAY_LEN(words), word);
}

static int cause_of_status(enum provider_call_status s)
{
    static const int causes[PROVIDER_CALL_STATUSES] = {[PROVIDER_CALL_COMPLETED] = 16,
                                                       [PROVIDER_CALL_BUSY] = 17,
                                                       [PROVIDER_CALL_NO_ANSWER] = 19,
                                                       [PROVIDER_CALL_CANCELED] = 26};

    return causes[s];
}

/* A carrier's 404 says that it has no way there now, not that nobody ever will. */
static int cause_of_sip(int sip)
{
    static const struct {
        int sip, cause;
    } table[] = {{404, 20}, {408, 102}, {410, 22}, {480, 18}, {484, 28}, {486, 17},
                 {487, 19}, {488, 65},  {500, 41}, {502, 38}, {503, 41}, {504, 102},
                 {600, 17}, {603, 21},  {604, 1},  {606, 58}, {401, 21}, {402, 21},
                 {403, 21}, {407, 21},  {429, 42}};

    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (table[i].sip == sip)
            return table[i].cause;
    return 0;
}

static int small_number(const char *text, int max)
{
    int64_t n = 0;

    return str_to_i64(text, &n) && n >= 0 && n <= max ? (int)n : -1;
}

void provider_twilio_cause(struct provider_call_news *news, const char *sip_status)
{
    int sip = small_number(sip_status, 999);

    if (!provider_call_is_over(news->status))
        return;
    news->tech_cause = sip > 0 ? sip : 0;
    news->cause = cause_of_status(news->status);
    if (news->status == PROVIDER_CALL_FAILED)
        news->cause = cause_of_sip(sip);
    if (sip > 0)
        str_cut(news->code, sizeof(news->code), sip_status);
}

enum { PLIVO_MACHINE = 9100 };

/* 7xxx and 8xxx: our own answer could not be had or read. */
static int cause_of_plivo(int code)
{
    static const struct {
        int code, cause;
    } table[] = {{1000, 26}, {1010, 50}, {1020, 34}, {2000, 1},  {2010, 27}, {2020, 20},
                 {2030, 50}, {2040, 50}, {2050, 50}, {2060, 50}, {2070, 50}, {3000, 19},
                 {3010, 17}, {3020, 21}, {3030, 50}, {3040, 21}, {3050, 1},  {3070, 102},
                 {3080, 41}, {3090, 34}, {3100, 17}, {3110, 21}, {3120, 1},  {3130, 50},
                 {3140, 50}, {4000, 16}, {4010, 16}, {4020, 16}, {4030, 16}, {5000, 38},
                 {5010, 41}, {5020, 34}, {6000, 16}, {6010, 19}, {6020, 16}, {9000, 26},
                 {9100, 16}, {9110, 16}};

    for (size_t i = 0; i < ARRAY_LEN(table); i++)
        if (table[i].code == code)
            return table[i].cause;
    return code >= 7000 && code < 9000 ? 50 : 0;
}

void provider_plivo_cause(struct provider_call_news *news, const char *code,
                          const char *name)
{
    int n = small_number(code, 99999);

    if (!provider_call_is_over(news->status))
        return;
    news->cause = n > 0 ? cause_of_plivo(n) : 0;
    if (!news->cause)
        news->cause = cause_of_status(news->status);
    if (n == PLIVO_MACHINE)
        news->answered_by = PROVIDER_ANSWERED_MACHINE;
    if (n >= 0)
        str_cut(news->code, sizeof(news->code), code);
    str_cut(news->says, sizeof(news->says), str_is_utf8(name, strlen(name)) ? name : "");
}

int64_t provider_micros(const char *amount)
{
    enum { DECIMALS = 6, WHOLE_MAX = 9 };
    const char *p = amount + (*amount == '-' || *amount == '+');
    int64_t micros = 0;
    int whole = 0, decimals = 0;

    for (; isdigit((unsigned char)*p) && whole < WHOLE_MAX; p++, whole++)
        micros = micros * 10 + (*p - '0');
    if (*p == '.')
        for (p++; isdigit((unsigned char)*p); p++)
            if (decimals < DECIMALS) {
                micros = micros * 10 + (*p - '0');
                decimals++;
            }
    if (*p || whole == 0)
        return -1;
    for (; decimals < DECIMALS; decimals++)
        micros *= 10;
    return micros;
}

/* ---- webhooks ---- */

static const char *text_of(const struct form *form, const char *name)
{
    const struct form_text *t = form_get(form, name);

    return t && strlen(t->data) == t->len ? t->data : "";
}

/* Letters, digits and dashes: it becomes part of addresses. */
static int copy_id(char out[PROVIDER_CALL_ID_MAX], const char *id)
{
    if (id[strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")])
        return EBADMSG;
    return str_copy(out, PROVIDER_CALL_ID_MAX, id) ? EBADMSG : 0;
}

static void read_twilio(const struct form *f, struct provider_call_news *n)
{
    n->status = provider_twilio_status(text_of(f, "CallStatus"));
    n->sequence = small_number(text_of(f, "SequenceNumber"), 1000000);
    n->answered_by = provider_twilio_answered_by(text_of(f, "AnsweredBy"));
    provider_twilio_cause(n, text_of(f, "SipResponseCode"));
    if (provider_call_is_over(n->status))
        n->duration_s = small_number(text_of(f, "CallDuration"), 10000000);
    if (text_of(f, "ErrorCode")[0])
        str_cut(n->code, sizeof(n->code), text_of(f, "ErrorCode"));
}

static void read_plivo(const struct form *f, struct provider_call_news *n)
{
    n->status = provider_plivo_status(text_of(f, "CallStatus"));
    if (str_is(text_of(f, "Machine"), "true"))
        n->answered_by = PROVIDER_ANSWERED_MACHINE;
    provider_plivo_cause(n, text_of(f, "HangupCauseCode"), text_of(f, "HangupCauseName"));
    if (!provider_call_is_over(n->status))
        return;
    n->duration_s = small_number(text_of(f, "Duration"), 10000000);
    n->price_micros = provider_micros(text_of(f, "TotalCost"));
    if (n->price_micros >= 0)
        str_cut(n->currency, sizeof(n->currency), "USD"); /* it bills in no other */
}

int provider_call_read_form(enum provider_kind kind, const struct form *form,
                            struct provider_call_news *out)
{
    struct provider_call_news n = PROVIDER_CALL_NEWS;
    bool twilio = kind == PROVIDER_TWILIO;

    if (!provider_carries_calls(kind) ||
        copy_id(n.call_id, text_of(form, twilio ? "CallSid" : "CallUUID")) ||
        !n.call_id[0] ||
        copy_id(n.request_id, twilio ? "" : text_of(form, "RequestUUID")))
        return EBADMSG;
    if (twilio)
        read_twilio(form, &n);
    else
        read_plivo(form, &n);
    *out = n;
    return 0;
}

/* ---- what is known ---- */

static bool fill_text(char *known, size_t size, const char *said)
{
    if (known[0] || !said[0])
        return false;
    str_cut(known, size, said);
    return true;
}

static bool merge_status(struct provider_call_news *k, const struct provider_call_news *n)
{
    bool late = n->sequence >= 0 && n->sequence < k->sequence;
    bool changed = n->sequence > k->sequence;

    if (changed)
        k->sequence = n->sequence;
    if (late || n->status <= k->status || provider_call_is_over(k->status))
        return changed;
    k->status = n->status;
    return true;
}

static bool merge_answer(struct provider_call_news *k, const struct provider_call_news *n)
{
    if (n->answered_by == PROVIDER_ANSWERED_UNSAID ||
        k->answered_by > PROVIDER_ANSWERED_UNSURE || n->answered_by == k->answered_by)
        return false;
    k->answered_by = n->answered_by;
    return true;
}

/* What is told with the end, and later. */
static bool merge_end(struct provider_call_news *k, const struct provider_call_news *n)
{
    bool changed = fill_text(k->code, sizeof(k->code), n->code);

    changed |= fill_text(k->says, sizeof(k->says), n->says);
    if (!k->cause && n->cause) {
        k->cause = n->cause;
        changed = true;
    }
    if (!k->tech_cause && n->tech_cause) {
        k->tech_cause = n->tech_cause;
        changed = true;
    }
    if (k->duration_s < 0 && n->duration_s >= 0) {
        k->duration_s = n->duration_s;
        changed = true;
    }
    if (k->price_micros < 0 && n->price_micros >= 0) {
        k->price_micros = n->price_micros;
        str_cut(k->currency, sizeof(k->currency), n->currency);
        changed = true;
    }
    return changed;
}

bool provider_call_merge(struct provider_call *call,
                         const struct provider_call_news *news)
{
    struct provider_call_news *k = &call->known;
    bool changed = merge_status(k, news);

    changed |= merge_answer(k, news);
    changed |= merge_end(k, news);
    changed |= fill_text(k->call_id, sizeof(k->call_id), news->call_id);
    changed |= fill_text(k->request_id, sizeof(k->request_id), news->request_id);
    if (news->opted_out && !k->opted_out)
        changed = k->opted_out = true;
    if (news->callback_at_ms && news->callback_at_ms != k->callback_at_ms) {
        k->callback_at_ms = news->callback_at_ms;
        changed = true;
    }
    call->version += changed;
    return changed;
}
