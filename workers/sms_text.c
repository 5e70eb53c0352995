#include "workers/sms_text.h"

#include <stdint.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"

#include "batches/batch_rules.h"

/* --- the texts -------------------------------------------------------------------- */

enum language { LANGUAGE_EN, LANGUAGE_AM, LANGUAGE_OM, LANGUAGE_COUNT };

struct texts {
    const char *code;
    const char *recorded[INTENT_COUNT];
    const char *type, *quantity, *grade, *id, *destination;
    const char *bags, *kg, *quintals, *tonnes;
    const char *notice[6];
    const char *error, *try_again, *answer;
    const char *container, *batches;
    const char *new_batch, *member, *verify, *verified;
};

static const struct texts texts[LANGUAGE_COUNT] = {
    [LANGUAGE_EN] =
        {
            .code = "en",
            .recorded = {[INTENT_NONE] = "Recorded successfully!",
                         [INTENT_COMMISSION] = "Batch recorded successfully!",
                         [INTENT_RECEIPT] = "Receipt recorded successfully!",
                         [INTENT_SHIPMENT] = "Shipment recorded successfully!",
                         [INTENT_TRANSFORMATION] =
                             "Transformation recorded successfully!",
                         [INTENT_PACK] = "Packing recorded successfully!",
                         [INTENT_UNPACK] = "Unpacking recorded successfully!",
                         [INTENT_SPLIT] = "Split recorded successfully!"},
            .type = "Type",
            .quantity = "Qty",
            .grade = "Grade",
            .id = "ID",
            .destination = "To",
            .bags = "bags",
            .kg = "kg",
            .quintals = "quintals",
            .tonnes = "tonnes",
            .notice = {[SMS_PROCESSING] = "Processing your recording...",
                       [SMS_COMPLETE] = "Processing complete!",
                       [SMS_FAILED] = "Processing failed. Please try again.",
                       [SMS_WAITS] =
                           "We have your recording. A person will listen to it and "
                           "answer by message. You need not call again.",
                       [SMS_REGISTERED] =
                           "Your registration has arrived. You can send commands as soon "
                           "as it is approved.",
                       [SMS_APPROVED] = "Your number is registered and approved."},
            .error = "Error",
            .try_again = "Please try again or contact support.",
            .answer = "Answer this message or call back within 5 minutes.",
            .container = "Container",
            .batches = "Batches",
            .new_batch = "New batch",
            .member = "Farmer",
            .verify = "Verify",
            .verified = "Batch verified!",
        },
    [LANGUAGE_AM] =
        {
            .code = "am",
            .recorded = {[INTENT_NONE] = "ተመዝግቧል!",
                         [INTENT_COMMISSION] = "ምርቱ ተመዝግቧል!",
                         [INTENT_RECEIPT] = "ርክክቡ ተመዝግቧል!",
                         [INTENT_SHIPMENT] = "ጭነቱ ተመዝግቧል!",
                         [INTENT_TRANSFORMATION] = "ዝግጅቱ ተመዝግቧል!",
                         [INTENT_PACK] = "ማሸጉ ተመዝግቧል!",
                         [INTENT_UNPACK] = "መፍታቱ ተመዝግቧል!",
                         [INTENT_SPLIT] = "ክፍፍሉ ተመዝግቧል!"},
            .type = "ዓይነት",
            .quantity = "መጠን",
            .grade = "ደረጃ",
            .id = "መለያ",
            .destination = "ወደ",
            .bags = "ከረጢት",
            .kg = "ኪ.ግ",
            .quintals = "ኩንታል",
            .tonnes = "ቶን",
            .notice =
                {[SMS_PROCESSING] = "ድምፅዎን እያዘጋጀን ነው...",
                 [SMS_COMPLETE] = "ዝግጅቱ ተጠናቋል!",
                 [SMS_FAILED] = "አልተሳካም። እባክዎ እንደገና ይሞክሩ።",
                 [SMS_WAITS] =
                     "ድምፅዎ ደርሶናል። ሰው ያዳምጠዋል፤ መልሱ በመልእክት ይደርስዎታል። እንደገና መደወል አያስፈልግም።",
                 [SMS_REGISTERED] = "ምዝገባዎ ደርሶናል። ሲጸድቅ ትዕዛዝ መላክ ይችላሉ።",
                 [SMS_APPROVED] = "ቁጥርዎ ተመዝግቧል፤ ጸድቋል።"},
            .error = "ስህተት",
            .try_again = "እባክዎ እንደገና ይሞክሩ ወይም ድጋፍ ይጠይቁ።",
            .answer = "በ5 ደቂቃ ውስጥ ለዚህ መልእክት ይመልሱ ወይም መልሰው ይደውሉ።",
            .container = "ማሸጊያ",
            .batches = "ምርቶች",
            .new_batch = "አዲስ ምርት ተመዝግቧል",
            .member = "ገበሬ",
            .verify = "ያረጋግጡ",
            .verified = "ምርትዎ ተረጋግጧል!",
        },
    [LANGUAGE_OM] =
        {
            .code = "om",
            .recorded = {[INTENT_NONE] = "Galmaa'eera!",
                         [INTENT_COMMISSION] = "Oomishni galmaa'eera!",
                         [INTENT_RECEIPT] = "Fudhannaan galmaa'eera!",
                         [INTENT_SHIPMENT] = "Ergaan galmaa'eera!",
                         [INTENT_TRANSFORMATION] = "Qophiin galmaa'eera!",
                         [INTENT_PACK] = "Hidhuun galmaa'eera!",
                         [INTENT_UNPACK] = "Hiikuun galmaa'eera!",
                         [INTENT_SPLIT] = "Qooduun galmaa'eera!"},
            .type = "Gosa",
            .quantity = "Hamma",
            .grade = "Sadarkaa",
            .id = "ID",
            .destination = "Gara",
            .bags = "keeshaa",
            .kg = "kg",
            .quintals = "kuntaala",
            .tonnes = "toonii",
            .notice = {[SMS_PROCESSING] = "Sagalee keessan qopheessaa jirra...",
                       [SMS_COMPLETE] = "Qophiin xumurameera!",
                       [SMS_FAILED] = "Hin milkoofne. Maaloo irra deebi'aa yaalaa.",
                       [SMS_WAITS] =
                           "Sagaleen kee nu ga'eera. Namni ni dhaggeeffata, deebiin "
                           "ergaadhaan si ga'a. Irra deebitee bilbiluu hin qabdu.",
                       [SMS_REGISTERED] = "Galmeen keessan nu ga'eera. Yommuu mirkanaa'u "
                                          "ajaja erguu dandeessu.",
                       [SMS_APPROVED] = "Lakkoofsi keessan galmaa'ee mirkanaa'eera."},
            .error = "Dogoggora",
            .try_again = "Maaloo irra deebi'aa yaalaa yookiin gargaarsa gaafadhaa.",
            .answer = "Daqiiqaa 5 keessatti ergaa kanaaf deebisaa yookiin deebisaa "
                      "bilbilaa.",
            .container = "Qabduu",
            .batches = "Oomishoota",
            .new_batch = "Oomisha haaraa",
            .member = "Qonnaan bulaa",
            .verify = "Mirkaneessaa",
            .verified = "Oomishni keessan mirkanaa'eera!",
        },
};

static const struct texts *texts_for(const char *language)
{
    for (size_t i = 0; i < LANGUAGE_COUNT; i++)
        if (str_is(language, texts[i].code))
            return &texts[i];
    return &texts[LANGUAGE_EN];
}

static void start(struct buf *b, const struct sms_style *style, const char *sign)
{
    if (style->sign)
        buf_printf(b, "%s ", sign);
    buf_puts(b, style->service);
}

static const char *unit_text(const struct texts *t, const char *unit)
{
    const struct {
        const char *unit, *text;
    } units[] = {{"bags", t->bags}, {"quintals", t->quintals}, {"tonnes", t->tonnes}};

    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (str_is(unit, units[i].unit))
            return units[i].text;
    return t->kg;
}

/* How many parts a message lists; the rest is found in the ledger. */
enum { LISTED_MAX = 6 };

static void put_lots(struct buf *b, const struct texts *t, const struct batch *batch)
{
    if (*batch->sscc) {
        buf_printf(b, "\n%s: %s", t->container, batch->container);
        if (!str_is(batch->container, batch->sscc))
            buf_printf(b, "\nSSCC: %s", batch->sscc);
        buf_printf(b, "\n%s: %zu", t->batches, batch->lot_count);
        if (batch->quantity_kg > 0)
            buf_printf(b, " (%.10g %s)", batch->quantity_kg, t->kg);
        return;
    }
    for (size_t i = 0; i < batch->lot_count && i < LISTED_MAX; i++)
        buf_printf(b, "\n%s: %s (%.10g %s)", t->id, batch->lots[i].batch_id,
                   batch->lots[i].kg, t->kg);
}

/* What it is and how much. */
static void put_what(struct buf *b, const struct texts *t, const struct batch *batch)
{
    if (*batch->variety)
        buf_printf(b, "\n%s: %s", t->type, batch->variety);
    if (batch->quantity >= 0 && !str_is(batch->unit, "kg"))
        buf_printf(b, "\n%s: %g %s (%.10g %s)", t->quantity, batch->quantity,
                   unit_text(t, batch->unit), batch->quantity_kg, t->kg);
    else if (batch->quantity >= 0)
        buf_printf(b, "\n%s: %.10g %s", t->quantity, batch->quantity_kg, t->kg);
    if (*batch->grade)
        buf_printf(b, "\n%s: %s", t->grade, batch->grade);
}

char *sms_receipt(const struct sms_style *style, const struct batch *batch)
{
    const struct texts *t = texts_for(style->language);
    struct buf b = {0};

    start(&b, style, "✅");
    buf_printf(&b, ": %s\n", t->recorded[batch->event]);
    if (batch->lot_count > 0) {
        put_lots(&b, t, batch);
        return buf_take(&b);
    }
    put_what(&b, t, batch);
    if (*batch->destination)
        buf_printf(&b, "\n%s: %s", t->destination, batch->destination);
    buf_printf(&b, "\n%s: %s", t->id, batch->batch_id);
    return buf_take(&b);
}

char *sms_record(const struct sms_style *style, const struct batch *batch,
                 const char *member, const char *link)
{
    const struct texts *t = texts_for(style->language);
    struct buf b = {0};

    start(&b, style, "✅");
    buf_printf(&b, ": %s\n\n%s: %s", t->new_batch, t->member, member);
    put_what(&b, t, batch);
    buf_printf(&b, "\n%s: %s", t->id, batch->batch_id);
    if (*link)
        buf_printf(&b, "\n%s: %s", t->verify, link);
    return buf_take(&b);
}

char *sms_verified(const struct sms_style *style, const struct batch *batch)
{
    const struct texts *t = texts_for(style->language);
    struct buf b = {0};

    start(&b, style, "✅");
    buf_printf(&b, ": %s\n\n%s: %s\n%s: %.10g %s", t->verified, t->id, batch->batch_id,
               t->quantity, batch->quantity_kg, t->kg);
    return buf_take(&b);
}

char *sms_notice(const struct sms_style *style, enum sms_notice notice)
{
    static const char *const signs[] = {
        [SMS_PROCESSING] = "🔄", [SMS_COMPLETE] = "✅",   [SMS_FAILED] = "❌",
        [SMS_WAITS] = "⏳",      [SMS_REGISTERED] = "⏳", [SMS_APPROVED] = "✅"};
    struct buf b = {0};

    start(&b, style, signs[notice]);
    buf_printf(&b, ": %s", texts_for(style->language)->notice[notice]);
    return buf_take(&b);
}

char *sms_error(const struct sms_style *style, const char *details)
{
    const struct texts *t = texts_for(style->language);
    struct buf b = {0};

    start(&b, style, "❌");
    buf_printf(&b, " %s\n\n%s\n\n%s", t->error, details, t->try_again);
    return buf_take(&b);
}

char *sms_question(const struct sms_style *style, const char *details,
                   const char *question)
{
    const struct texts *t = texts_for(style->language);
    struct buf b = {0};

    start(&b, style, "❓");
    buf_printf(&b, ": %s\n\n%s\n%s", details, question, t->answer);
    return buf_take(&b);
}

/* --- segments --------------------------------------------------------------------- */

enum {
    GSM_SINGLE = 160,
    GSM_PART = 153, /* the rest is the concatenation header */
    UCS_SINGLE = 70,
    UCS_PART = 67,
};

/* GSM 03.38 beyond ASCII, by code point. */
static const uint16_t gsm_other[] = {
    0xA1,  0xA3,  0xA4,  0xA5,  0xA7,  0xBF,  0xC4,  0xC5,  0xC6,  0xC7,
    0xC9,  0xD1,  0xD6,  0xD8,  0xDC,  0xDF,  0xE0,  0xE4,  0xE5,  0xE6,
    0xE8,  0xE9,  0xEC,  0xF1,  0xF2,  0xF6,  0xF8,  0xF9,  0xFC,  0x393,
    0x394, 0x398, 0x39B, 0x39E, 0x3A0, 0x3A3, 0x3A6, 0x3A8, 0x3A9,
};

/* Septets one character costs; 0 when GSM-7 lacks it. */
static int gsm_cost(uint32_t c)
{
    if (c == 0x20AC || (c && c < 0x80 && strchr("^{}\\[]~|\f", (int)c)))
        return 2;
    if (c == '\n' || c == '\r')
        return 1;
    if (c < 0x80)
        return c >= ' ' && c != '`' && c != 0x7F;
    for (size_t i = 0; i < ARRAY_LEN(gsm_other); i++)
        if (gsm_other[i] == c)
            return 1;
    return 0;
}

static int ucs_cost(uint32_t c)
{
    return c > 0xFFFF ? 2 : 1;
}

/* The next code point; a broken sequence is one character of its first byte. */
static uint32_t next_char(const unsigned char **at)
{
    const unsigned char *s = *at;
    int more = s[0] >= 0xF0 ? 3 : s[0] >= 0xE0 ? 2 : s[0] >= 0xC0 ? 1 : 0;
    uint32_t c = more ? s[0] & (0x3FU >> more) : s[0] < 0x80 ? s[0] : 0xFFFD;

    for (int i = 1; i <= more; i++) {
        if ((s[i] & 0xC0) != 0x80) {
            *at = s + 1;
            return 0xFFFD;
        }
        c = c << 6 | (s[i] & 0x3FU);
    }
    *at = s + 1 + more;
    return c;
}

static struct sms_size pack(const char *text, enum sms_encoding encoding)
{
    const unsigned char *at = (const unsigned char *)text;
    int single = encoding == SMS_GSM7 ? GSM_SINGLE : UCS_SINGLE;
    int part = encoding == SMS_GSM7 ? GSM_PART : UCS_PART;
    struct sms_size size = {.encoding = encoding};
    int parts = 1, used = 0;

    while (*at) {
        uint32_t c = next_char(&at);
        int cost = encoding == SMS_GSM7 ? gsm_cost(c) : ucs_cost(c);
        /* A pair (escape or surrogate) never lies across two parts. */
        if (used + cost > part) {
            parts++;
            used = 0;
        }
        used += cost;
        size.units += cost;
    }
    size.segments = size.units == 0 ? 0 : size.units <= single ? 1 : parts;
    return size;
}

struct sms_size sms_measure(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;

    while (*at)
        if (gsm_cost(next_char(&at)) == 0)
            return pack(text, SMS_UCS2);
    return pack(text, SMS_GSM7);
}

const char *sms_encoding_name(enum sms_encoding e)
{
    return e == SMS_GSM7 ? "GSM-7" : "UCS-2";
}
