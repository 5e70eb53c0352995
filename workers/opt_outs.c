#include "workers/opt_outs.h"

#include "base/str.h"
#include "compliance/dnc_store.h"

int opt_out_spoken(struct pg *pg, int tenant_id, int64_t phone,
                   const struct uuid *call_id, int64_t now_ms)
{
    const struct dnc_entry entry = {.phone = phone, .source = "speech", .call = call_id};
    bool added = false;

    return phone == 0 ? 0 : dnc_add(pg, tenant_id, &entry, now_ms, &added);
}

static int see_stop(const struct dnc_row *row, void *arg)
{
    bool *stopped = arg;

    *stopped |= row->removed_at_ms == 0 && str_is(row->source, "sms");
    return 0;
}

int opt_out_by_sms(struct pg *pg, int tenant_id, int64_t phone, bool *out)
{
    *out = false;
    return dnc_find(pg, tenant_id, phone, see_stop, out);
}
