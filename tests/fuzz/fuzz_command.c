/* Any bytes as a typed command, as speech and as an answer: what comes out is bounded and
 * sound, and is read back the same from its JSON. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "batches/command.h"
#include "batches/nlu_grammar.h"
#include "fuzz/fuzz.h"

static void check_same(const struct entities *e)
{
    json_auto_t *written = entities_to_json(e);
    struct understanding *again = xcalloc(1, sizeof(*again));

    if (e->packed_count > PACKED_MAX || e->part_count > PARTS_MAX || !written)
        abort();
    understanding_init(again);
    entities_from_json(&again->entities, written);
    if (again->entities.packed_count != e->packed_count ||
        again->entities.part_count != e->part_count ||
        again->entities.quantity != e->quantity)
        abort();
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 4000 || (size && !str_is_utf8((const char *)data, size)) ||
        memchr(data, 0, size))
        return 0;
    char *text = xmalloc(size + 1);
    memcpy(text, data, size);
    text[size] = 0;
    struct understanding *u = xcalloc(1, sizeof(*u));
    const char *usage = NULL;
    enum command_verdict v = command_read(u, text, &usage);
    if (v == COMMAND_READ)
        check_same(&u->entities);
    else if (v != COMMAND_OTHER && !usage)
        abort();
    nlu_grammar_understand(u, text);
    check_same(&u->entities);
    for (int m = 0; m < MISSING_COUNT; m++) {
        understanding_init(u);
        (void)nlu_grammar_answer(&u->entities, m, text);
        check_same(&u->entities);
    }
    free(u);
    free(text);
    return 0;
}
