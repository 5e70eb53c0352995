/* Any answer of a provider: only a 4xx is a refusal, and no id that is read could lead an
 * address elsewhere. */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "campaigns/provider_rest.h"
#include "fuzz/fuzz.h"

static void check(const struct provider_call_news *n)
{
    if (strpbrk(n->call_id, "/?#%& ") || strpbrk(n->request_id, "/?#%& ") ||
        !str_is_utf8(n->says, strlen(n->says)) || n->duration_s < -1 ||
        n->price_micros < -1 || n->cause < 0)
        abort();
}

static void read_all(const struct provider_rest_ops *ops, long status, const char *body,
                     size_t len)
{
    static struct provider_seen all[PROVIDER_SEEN_MAX];
    struct provider_call_news news;
    size_t count = 0;

    enum provider_judgement judgement = ops->judge(status, body, len, &news);
    check(&news);
    if (judgement == PROVIDER_REFUSED && (status < 400 || status > 499))
        abort();
    if (judgement == PROVIDER_TOOK && !news.call_id[0] && !news.request_id[0])
        abort();
    enum provider_control control =
        provider_judge_control(ops->kind, status, body, len, &news);
    check(&news);
    if (control == PROVIDER_CONTROL_DONE && (status < 200 || status > 299))
        abort();
    for (int n = 0; n < 3; n++) {
        if (ops->see(n, status, body, len, &all[0]) == PROVIDER_SEEN)
            check(&all[0].news);
        if (ops->list(n, status, body, len, all, &count) == PROVIDER_SEEN && count == 0)
            abort();
        for (size_t i = 0; i < count; i++)
            check(&all[i].news);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const long statuses[] = {200, 201, 404, 400, 409, 429, 500, 0};

    if (size == 0)
        return 0;
    long status = statuses[data[0] % ARRAY_LEN(statuses)];
    read_all(&provider_rest_twilio, status, (const char *)data + 1, size - 1);
    read_all(&provider_rest_plivo, status, (const char *)data + 1, size - 1);
    return 0;
}
