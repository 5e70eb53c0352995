/*
 * campaign_change - a campaign's document with some values set anew, as text: what
 * `campaign change` and `campaign clone` make before it is validated like any other
 * document. Pure.
 */
#ifndef CAMPAIGNS_CAMPAIGN_CHANGE_H
#define CAMPAIGNS_CAMPAIGN_CHANGE_H

#include <stddef.h>

#include "base/attrs.h"
#include "base/errors.h"
#include "campaigns/campaign.h"

struct buf;

/* A setting is "pacing.cps=2", "windows={\"mon\": [\"09:00-12:00\"]}" or "budget=", which
 * takes the key out; a value that is no JSON is text. *out: the new document, free().
 * EINVAL with a text: a setting that cannot be read, or a document that is no object.
 * Keys keep their order. */
NODISCARD int campaign_text_with(const char *document, const char *const *settings,
                                 size_t n, char **out, struct errtext *e);

/* Puts in issues what a running campaign may not change: its name, its lists, its flow
 * and its trunk. What is the same is no issue. */
void campaign_check_change(const struct campaign_doc *before,
                           const struct campaign_doc *after, const char *text, size_t len,
                           struct campaign_issues *issues);

/* Appends the top-level keys in which two documents differ: "pacing, windows". */
void campaign_changed_keys(const char *before, const char *after, struct buf *out);

#endif
