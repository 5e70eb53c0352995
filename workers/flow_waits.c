#include "workers/flow_waits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/pg.h"
#include "base/sha256.h"
#include "base/str.h"
#include "campaigns/flow_store.h"
#include "campaigns/subflow_store.h"
#include "ivr/ivr.h"

/* The call's program; EBADMSG when it does not compile any more. */
static int compile(struct flow_texts *s, int64_t revision_id, struct ivr_arena *arena,
                   struct ivr_prog **prog)
{
    struct flow_row row;
    struct ivr_issues issues = {0};
    const struct ivr_compile_options options = {
        .sha256 = sha256_of, .resolve = flow_resolve, .arg = s};
    char *source = NULL;

    int err = flow_load(s->pg, s->tenant_id, revision_id, &row, &source);
    if (err)
        return err;
    flow_texts_add(s, source);
    err = flow_texts_hold(s, revision_id);
    if (err)
        return err;
    err = ivr_compile(prog, source, strlen(source), &options, arena, &issues);
    return s->err ? s->err : err;
}

/* The state as the server sends it, in hex. */
static int read_state(const char *hex, struct ivr_arena *arena,
                      const struct ivr_state **out)
{
    size_t len = 0;
    unsigned char *bytes = PQunescapeBytea((const unsigned char *)hex, &len);

    if (!bytes)
        return ENOMEM;
    int err = ivr_state_read(bytes, len, arena, out);
    PQfreemem(bytes);
    return err;
}

static int ask(struct pg *pg, int tenant_id, const struct recording *r,
               struct ivr_arena *arena, bool *waits)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    CLEANUP(flow_texts_free)
    struct flow_texts sources = {.pg = pg, .tenant_id = tenant_id};
    struct pg_args a = {0};
    struct ivr_prog *prog = NULL;
    const struct ivr_state *state = NULL;

    pg_arg_uuid(&a, &r->call_id);
    int err = pg_run(pg, &res,
                     "SELECT s.state, c.flow_revision_id FROM ivr_sessions s JOIN calls "
                     "c ON c.id = s.call_id WHERE s.call_id = $1",
                     &a);
    if (err || PQntuples(res) == 0)
        return err;
    err = compile(&sources, pg_i64(res, 0, 1), arena, &prog);
    if (!err)
        err = read_state(pg_text(res, 0, 0), arena, &state);
    if (!err)
        *waits = ivr_state_expects(prog, state, IVR_WAIT_RECORDING, r->node);
    return err == EBADMSG || err == ENOENT ? 0 : err;
}

int flow_waits_for(struct pg *pg, int tenant_id, const struct recording *r, bool *waits)
{
    struct ivr_arena *arena = NULL;

    *waits = false;
    int err = ivr_arena_new(&arena, NULL);
    if (!err)
        err = ask(pg, tenant_id, r, arena, waits);
    ivr_arena_free(arena);
    return err;
}
