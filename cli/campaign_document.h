/*
 * campaign_document - what the verbs that take a campaign's document share: reading it,
 * and telling what is wrong with it.
 */
#ifndef CLI_CAMPAIGN_DOCUMENT_H
#define CLI_CAMPAIGN_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attrs.h"
#include "campaigns/campaign.h"

/* "-" is standard input. *text: free(). Says what is wrong; an exit code. */
NODISCARD int campaign_document_read(const char *file, char **text, size_t *len);

/* Prints each issue; name: of the file or whatever the text was made from; outcome:
 * "nothing was created", or NULL. Returns CLI_FAILED. */
int campaign_document_issues(const char *name, const struct campaign_issues *issues,
                             bool json, const char *outcome);

/* When a draft that was made just now starts, or who starts it. */
void campaign_document_print_start(const char *name, const struct campaign_doc *doc);

#endif
