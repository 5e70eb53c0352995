/*
 * sms_text - the texts people get by SMS, in their language, and how many
 * segments a text costs. Sends nothing. Pure; any thread.
 */
#ifndef WORKERS_SMS_TEXT_H
#define WORKERS_SMS_TEXT_H

#include <stdbool.h>

#include "base/attrs.h"

struct batch;

enum sms_notice {
    SMS_PROCESSING, /* the recording has arrived */
    SMS_COMPLETE,
    SMS_FAILED,     /* no detail that a farmer could use */
    SMS_WAITS,      /* no model takes it: a person will listen */
    SMS_REGISTERED, /* who wants to send commands waits for approval */
    SMS_APPROVED,   /* … has it */
};

struct sms_style {
    const char *service;  /* the name in front, e.g. "Voice Ledger" */
    const char *language; /* en, am, om; another one gets English */
    bool sign;            /* a coloured sign in front; it makes the text UCS-2 */
};

/* All return text that is the caller's to free(). */
char *sms_receipt(const struct sms_style *style, const struct batch *batch);
char *sms_notice(const struct sms_style *style, enum sms_notice notice);
/* To the cooperative, of a member's new batch; link: where it is verified, "" nowhere. */
char *sms_record(const struct sms_style *style, const struct batch *batch,
                 const char *member, const char *link);
/* To whose batch it is: its id and what it weighs from now on. */
char *sms_verified(const struct sms_style *style, const struct batch *batch);
/* details: what to do about it, in plain words. */
char *sms_error(const struct sms_style *style, const char *details);

/* What is missing, the question after it, and that an answer is waited for. */
char *sms_question(const struct sms_style *style, const char *details,
                   const char *question);

enum sms_encoding { SMS_GSM7, SMS_UCS2 };

struct sms_size {
    enum sms_encoding encoding;
    int units;    /* septets, or 16-bit units */
    int segments; /* 0 for an empty text */
};

/* text is UTF-8; a byte that is not counts as one UCS-2 unit. */
struct sms_size sms_measure(const char *text);
const char *sms_encoding_name(enum sms_encoding e); /* "GSM-7", "UCS-2" */

#endif
