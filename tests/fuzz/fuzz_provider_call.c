/* Any form body, cut into several at line breaks: what is read is sound, and merging it
 * twice changes nothing, never goes back and never leaves a final state. */
#include <stdlib.h>
#include <string.h>

#include "base/form.h"
#include "base/str.h"
#include "campaigns/provider_call.h"
#include "fuzz/fuzz.h"

static void add(struct provider_call *call, enum provider_kind kind, const char *text,
                size_t len)
{
    struct provider_call_news news = PROVIDER_CALL_NEWS;
    struct form form = {0};
    enum provider_call_status before = call->known.status;

    int err = form_parse(&form, text, len);
    if (!err)
        err = provider_call_read_form(kind, &form, &news);
    form_free(&form);
    if (err)
        return;
    if (!news.call_id[0] || strpbrk(news.call_id, "/?#%& ") || news.sequence < -1 ||
        news.duration_s < -1 || news.price_micros < -1 || news.cause < 0 ||
        news.tech_cause < 0 || !str_is_utf8(news.says, strlen(news.says)))
        abort();
    (void)provider_call_merge(call, &news);
    if (call->known.status < before ||
        (provider_call_is_over(before) && call->known.status != before) ||
        provider_call_merge(call, &news))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct provider_call call = {.known = PROVIDER_CALL_NEWS};
    const char *at = (const char *)data, *end = at + size;

    if (size == 0)
        return 0;
    enum provider_kind kind = *at++ == 'p' ? PROVIDER_PLIVO : PROVIDER_TWILIO;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop)
            stop = end;
        add(&call, kind, at, (size_t)(stop - at));
        at = stop + 1;
    }
    return 0;
}
