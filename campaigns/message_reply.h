/*
 * message_reply - what a person is answered who writes STOP, START or HELP, in the
 * person's language. Pure; any thread.
 */
#ifndef CAMPAIGNS_MESSAGE_REPLY_H
#define CAMPAIGNS_MESSAGE_REPLY_H

#include "base/attrs.h"
#include "compliance/opt_out_words.h"

/* service: who we are, at most a few words. language: en, am, om; another one gets
 * English. The caller's to free(); NULL for MESSAGE_WORD_NONE. */
char *message_reply(enum message_word word, const char *language, const char *service);

#endif
