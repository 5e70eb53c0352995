#include "cli/campaign_document.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/files.h"
#include "cli/cli.h"

int campaign_document_read(const char *file, char **text, size_t *len)
{
    const char *path = strcmp(file, "-") == 0 ? "/dev/stdin" : file;

    int err = files_read(path, CAMPAIGN_TEXT_LIMIT, text, len);
    if (err == EMSGSIZE)
        return cli_fail("%s: a campaign's document has at most %d bytes", file,
                        CAMPAIGN_TEXT_LIMIT);
    return err ? cli_fail("%s: %s", file, strerror(err)) : CLI_OK;
}

static json_t *issues_to_json(const struct campaign_issues *issues)
{
    json_t *list = json_array();

    for (size_t i = 0; i < issues->n; i++) {
        const struct campaign_issue *at = &issues->at[i];

        json_array_append_new(list,
                              json_pack("{s:s, s:i, s:i, s:s, s:s}", "pointer",
                                        at->pointer, "line", at->line, "column",
                                        at->column, "text", at->text, "hint", at->hint));
    }
    return list;
}

int campaign_document_issues(const char *name, const struct campaign_issues *issues,
                             bool json, const char *outcome)
{
    for (size_t i = 0; i < issues->n && !json; i++) {
        const struct campaign_issue *at = &issues->at[i];

        fprintf(stderr, "%s:%d:%d: %s%s%s\n", name, at->line, at->column, at->text,
                at->hint[0] ? "\n    " : "", at->hint);
    }
    if (json)
        cli_print_json(
            json_pack("{s:b, s:o}", "valid", 0, "issues", issues_to_json(issues)));
    return cli_fail("%s: %zu %s wrong%s%s", name, issues->found,
                    issues->found == 1 ? "thing is" : "things are", outcome ? "; " : "",
                    outcome ? outcome : "");
}

void campaign_document_print_start(const char *name, const struct campaign_doc *doc)
{
    char next[CLOCK_TEXT_MAX];
    int64_t next_ms = 0;

    if (doc->end_at_ms && doc->end_at_ms <= clock_now_ms())
        printf("  but its 'end' has passed (%s): it will call nobody; 'furrow campaign "
               "change %s --set end=TIME'\n",
               clock_text(doc->end_at_ms, next), name);
    else if (campaign_doc_due(doc, 0, clock_now_ms(), &next_ms) == 0 &&
             !doc->has_schedule)
        puts("  its start has come: a running dialer starts it, or 'furrow run'");
    else if (campaign_doc_next_start(doc, clock_now_ms(), &next_ms) == 0)
        printf("  it starts at %s, or earlier by 'furrow run %s'\n",
               clock_text(next_ms, next), name);
    else
        printf("  'furrow run %s' works it off; 'furrow campaign start %s' leaves it to "
               "running dialers\n",
               name, name);
}
