/*
 * flow_source - flow files as the commands take them: read, compiled, every issue said
 * with its place. Sub-flows are the files NAME.json beside it, else what is published; of
 * one that is to be published, what is published alone. Single-threaded.
 */
#ifndef CLI_FLOW_SOURCE_H
#define CLI_FLOW_SOURCE_H

#include "base/attrs.h"
#include "campaigns/table_memory.h"
#include "cli/cli.h"
#include "ivr/ivr.h"

struct flow_source {
    const char *path; /* "-": standard input; borrowed */
    char *text;
    size_t len;
    struct ivr_arena *arena;
    struct ivr_prog *prog; /* NULL: it has errors */
    struct ivr_issues issues;
    struct cli *cli; /* for published sub-flows */
    bool published;  /* they alone are taken */
    char *texts[64]; /* of sub-flows, kept until the end */
    size_t text_count;
};

/* published: its sub-flows are those. backends: what it must also run on
 * (ivr_compile_options), or NULL. CLI_FAILED only when the file cannot be read at all;
 * else prog or issues are set. flow_source_close in any case. */
NODISCARD int flow_source_open(struct flow_source *f, struct cli *cli, const char *path,
                               bool published, const char *const *backends);
void flow_source_close(struct flow_source *f);

/* "file:line:column: error: text (at pointer)" and the hint, for each; on stderr. */
void flow_source_say(const struct flow_source *f);
json_t *flow_source_issues_json(const struct flow_source *f);

/* A call in the terminal; see cmd_flow.c's help. */
struct flow_phone {
    const char *from, *language;
    json_t *contact; /* borrowed; NULL none */
    bool trace;
    struct table_memory *tables; /* NULL: data nodes find nothing but their mocks */
};
int flow_phone_call(const struct flow_source *f, const struct flow_phone *phone);

#endif
