#include "cli/variant_view.h"

#include <inttypes.h>

#include "base/attrs.h"

static double percent(int64_t part, int64_t of)
{
    return of > 0 ? 100.0 * (double)part / (double)of : 0;
}

static void print_csv(const struct variant_result *v, FILE *to)
{
    const struct {
        const char *key;
        int64_t count;
    } figures[] = {{"contacts", v->contacts},   {"calls", v->calls},
                   {"answered", v->answered},   {"short", v->shorts},
                   {"completed", v->completed}, {"opt_outs", v->opt_outs}};

    for (size_t i = 0; i < ARRAY_LEN(figures); i++)
        fprintf(to, "variant %s,%s,%" PRId64 "\n", v->name, figures[i].key,
                figures[i].count);
}

void variants_print(const struct variant_result *list, size_t n, bool csv, FILE *to)
{
    for (size_t i = 0; i < n; i++) {
        const struct variant_result *v = &list[i];

        if (csv) {
            print_csv(v, to);
            continue;
        }
        fprintf(to,
                "variant %-12s %7" PRId64 " calls to %" PRId64 " contacts: %" PRId64
                " answered (%.1f %%), of these %" PRId64 " completed (%.1f %%), %" PRId64
                " short, %" PRId64 " opt-outs\n",
                v->name, v->calls, v->contacts, v->answered,
                percent(v->answered, v->calls), v->completed,
                percent(v->completed, v->answered), v->shorts, v->opt_outs);
    }
}

json_t *variants_to_json(const struct variant_result *list, size_t n)
{
    json_t *all = json_array();

    for (size_t i = 0; i < n; i++) {
        const struct variant_result *v = &list[i];

        json_array_append_new(
            all, json_pack(
                     "{s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "name", v->name, "contacts",
                     (json_int_t)v->contacts, "calls", (json_int_t)v->calls, "answered",
                     (json_int_t)v->answered, "short", (json_int_t)v->shorts, "completed",
                     (json_int_t)v->completed, "opt_outs", (json_int_t)v->opt_outs));
    }
    return all;
}
