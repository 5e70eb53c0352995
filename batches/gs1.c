#include "batches/gs1.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

enum {
    PREFIX_LEAST = 6,
    PREFIX_MOST = 12,
    INDICATOR_MOST = 8, /* 9 is for variable measure */
    GTIN_LEN = GTIN_MAX - 1,
    GLN_LEN = GLN_MAX - 1,
    SSCC_LEN = SSCC_MAX - 1,
};

static bool all_digits(const char *s)
{
    return *s && strspn(s, "0123456789") == strlen(s);
}

bool gs1_prefix_is_sound(const char *prefix)
{
    size_t n = strlen(prefix);

    return n >= PREFIX_LEAST && n <= PREFIX_MOST && all_digits(prefix);
}

char gs1_check_digit(const char *digits)
{
    size_t n = strlen(digits);
    unsigned sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (unsigned)(digits[n - 1 - i] - '0') * (i % 2 ? 1 : 3);
    return (char)('0' + (10 - sum % 10) % 10);
}

bool gs1_is_valid(const char *code)
{
    size_t n = strlen(code);
    char body[SSCC_MAX];

    if ((n != 8 && n != 12 && n != GLN_LEN && n != GTIN_LEN && n != SSCC_LEN) ||
        !all_digits(code))
        return false;
    memcpy(body, code, n - 1);
    body[n - 1] = 0;
    return gs1_check_digit(body) == code[n - 1];
}

static int64_t power_of_ten(size_t n)
{
    int64_t p = 1;

    while (n-- > 0)
        p *= 10;
    return p;
}

/* lead (or none), prefix, and number filling what is left of len; then the check digit.
 */
static int assemble(const char *lead, const char *prefix, int64_t number, size_t len,
                    char *out)
{
    size_t head = strlen(lead) + strlen(prefix);
    size_t width = len - 1 - head;

    if (number < 0 || number >= power_of_ten(width))
        return ERANGE;
    snprintf(out, len, "%s%s", lead, prefix);
    if (width > 0) /* a prefix of twelve digits leaves none */
        snprintf(out + head, width + 1, "%0*" PRId64, (int)width, number);
    out[len - 1] = 0;
    out[len - 1] = gs1_check_digit(out);
    out[len] = 0;
    return 0;
}

int gs1_gtin(const char *prefix, int64_t number, char out[GTIN_MAX])
{
    char made[GTIN_MAX], lead[2] = "0";

    if (!gs1_prefix_is_sound(prefix))
        return EINVAL;
    int64_t items = power_of_ten(PREFIX_MOST - strlen(prefix));
    if (number < 0 || number / items > INDICATOR_MOST)
        return ERANGE;
    lead[0] = (char)('0' + number / items);
    int err = assemble(lead, prefix, number % items, GTIN_LEN, made);
    if (!err)
        memcpy(out, made, sizeof(made));
    return err;
}

int gs1_gln(const char *prefix, int64_t number, char out[GLN_MAX])
{
    char made[GLN_MAX];

    if (!gs1_prefix_is_sound(prefix))
        return EINVAL;
    int err = assemble("", prefix, number, GLN_LEN, made);
    if (!err)
        memcpy(out, made, sizeof(made));
    return err;
}

int gs1_sscc(const char *prefix, enum sscc_extension extension, int64_t number,
             char out[SSCC_MAX])
{
    char made[SSCC_MAX], lead[2] = {(char)('0' + extension), 0};

    if (!gs1_prefix_is_sound(prefix) || extension < 0 || (int)extension > 9)
        return EINVAL;
    int err = assemble(lead, prefix, number, SSCC_LEN, made);
    if (!err)
        memcpy(out, made, sizeof(made));
    return err;
}

/* --- URNs -------------------------------------------------------------------------- */

/* What a URN may not hold as it is, and what GS1 does not allow in a serial at all, is
 * written as %XX; both ends then agree on one text. */
static int escape(const char *text, char *out, size_t size)
{
    size_t n = 0;

    if (!*text || strlen(text) > GS1_LOT_LEN)
        return EINVAL;
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = isascii(c) && (isalnum(c) || strchr("!'()*+,-.:;=_", c));
        int took = snprintf(out + n, size - n, plain ? "%c" : "%%%02X", c);
        n += (size_t)took;
        if (n >= size)
            return EINVAL;
    }
    return 0;
}

static bool is_of_prefix(const char *code, size_t len, size_t lead, const char *prefix)
{
    return gs1_prefix_is_sound(prefix) && strlen(code) == len && gs1_is_valid(code) &&
           strncmp(code + lead, prefix, strlen(prefix)) == 0;
}

/* form:prefix.<digit 0 of a led code><rest without the check digit>[.tail] */
static int urn(const char *form, const char *prefix, const char *code, size_t lead,
               const char *tail, char out[EPC_URN_MAX])
{
    char escaped[GS1_LOT_LEN * 3 + 1] = "";
    const char *rest = code + lead + strlen(prefix);

    if (tail && escape(tail, escaped, sizeof(escaped)))
        return EINVAL;
    snprintf(out, EPC_URN_MAX, "%s:%s.%.*s%.*s%s%s", form, prefix, (int)lead, code,
             (int)strlen(rest) - 1, rest, tail ? "." : "", escaped);
    return 0;
}

int gs1_sgtin_urn(const char *prefix, const char *gtin, const char *serial,
                  char out[EPC_URN_MAX])
{
    return is_of_prefix(gtin, GTIN_LEN, 1, prefix)
               ? urn("urn:epc:id:sgtin", prefix, gtin, 1, serial, out)
               : EINVAL;
}

int gs1_lgtin_urn(const char *prefix, const char *gtin, const char *lot,
                  char out[EPC_URN_MAX])
{
    return is_of_prefix(gtin, GTIN_LEN, 1, prefix)
               ? urn("urn:epc:class:lgtin", prefix, gtin, 1, lot, out)
               : EINVAL;
}

int gs1_sgln_urn(const char *prefix, const char *gln, const char *extension,
                 char out[EPC_URN_MAX])
{
    return is_of_prefix(gln, GLN_LEN, 0, prefix)
               ? urn("urn:epc:id:sgln", prefix, gln, 0, extension, out)
               : EINVAL;
}

int gs1_sscc_urn(const char *prefix, const char *sscc, char out[EPC_URN_MAX])
{
    return is_of_prefix(sscc, SSCC_LEN, 1, prefix)
               ? urn("urn:epc:id:sscc", prefix, sscc, 1, NULL, out)
               : EINVAL;
}
