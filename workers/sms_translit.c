#include "workers/sms_translit.h"

#include <stdlib.h>
#include <string.h>

#include "base/attrs.h"
#include "base/str.h"
#include "workers/sms_text.h"

/* What GSM-7 lacks, and what is read the same. */
static const struct {
    const char *to, *from; /* from: characters with blanks between */
} look_alikes[] = {
    {"'", "‘ ’ ‚ ‛ ʼ ʻ ′ ` ´ ‹ ›"},
    {"\"", "“ ” „ ‟ ″ « »"},
    {"-", "‐ ‑ ‒ – — ― −"},
    {"...", "…"},
    {"*", "• ·"},
    {"x", "×"},
    {"1/2", "½"},
    {"1/4", "¼"},
    {"3/4", "¾"},
    {"a", "á â ã ă ā ą ª"},
    {"A", "À Á Â Ã Ă Ā Ą"},
    {"c", "ç ć č"},
    {"C", "Ć Č"},
    {"d", "ď đ"},
    {"D", "Ď Đ"},
    {"e", "ê ë ē ę ě"},
    {"E", "È Ê Ë Ē Ę Ě"},
    {"g", "ğ"},
    {"G", "Ğ"},
    {"i", "í î ï ī ı"},
    {"I", "Ì Í Î Ï Ī İ"},
    {"l", "ł"},
    {"L", "Ł"},
    {"n", "ń ň"},
    {"N", "Ń Ň"},
    {"o", "ó ô õ ō ő º"},
    {"O", "Ò Ó Ô Õ Ō Ő"},
    {"oe", "œ"},
    {"OE", "Œ"},
    {"r", "ř"},
    {"R", "Ř"},
    {"s", "ś š ş ș"},
    {"S", "Ś Š Ş Ș"},
    {"t", "ť ţ ț"},
    {"T", "Ť Ţ Ț"},
    {"u", "ú û ū ů ű"},
    {"U", "Ù Ú Û Ū Ů Ű"},
    {"y", "ý ÿ"},
    {"Y", "Ý Ÿ"},
    {"z", "ź ż ž"},
    {"Z", "Ź Ż Ž"},
    {" ", "\t \xc2\xa0 \xe2\x80\x82 \xe2\x80\x83 \xe2\x80\x87 \xe2\x80\x88 \xe2\x80\x89 "
          "\xe2\x80\x8a \xe2\x80\xaf"},
    {"", "\xc2\xad \xe2\x80\x8b \xe2\x80\x8c \xe2\x80\x8d \xe2\x81\xa0 \xef\xbb\xbf"},
};

/* How many bytes of text are from, 0 when it begins with none of its characters. */
static size_t begins_with_one(const char *text, const char *from)
{
    while (*from) {
        size_t len = strcspn(from, " ");
        if (len > 0 && strncmp(text, from, len) == 0)
            return len;
        from += len + (from[len] == ' ');
    }
    return 0;
}

char *sms_transliterate(const char *text)
{
    struct sms_size before = sms_measure(text);
    struct buf out = {0};

    if (before.encoding == SMS_GSM7)
        return NULL;
    while (*text) {
        size_t len = 0, i = 0;
        for (; i < ARRAY_LEN(look_alikes) && len == 0; i++)
            len = begins_with_one(text, look_alikes[i].from);
        if (len > 0)
            buf_puts(&out, look_alikes[i - 1].to);
        else
            buf_add(&out, text, 1);
        text += len ? len : 1;
    }
    struct sms_size after = sms_measure(out.data ? out.data : "");
    if (after.encoding == SMS_GSM7 && after.segments <= before.segments)
        return buf_take(&out);
    buf_free(&out);
    return NULL;
}
