#include "workers/opt_outs.h"

#include "compliance/dnc_store.h"

int opt_out_spoken(struct pg *pg, int tenant_id, int64_t phone,
                   const struct uuid *call_id, int64_t now_ms)
{
    const struct dnc_entry entry = {.phone = phone, .source = "speech", .call = call_id};
    bool added = false;

    return phone == 0 ? 0 : dnc_add(pg, tenant_id, &entry, now_ms, &added);
}
