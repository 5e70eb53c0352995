#include "base/money.h"

#include <stdio.h>
#include <string.h>

enum { DECIMALS = 6, WHOLE_DIGITS_MAX = 10 };
static const int64_t most = INT64_C(9000000000) * 1000000;

bool money_parse(const char *text, int64_t *micros)
{
    bool negative = *text == '-';
    int64_t value = 0;

    text += negative;
    size_t whole = strspn(text, "0123456789");
    if (whole > WHOLE_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < whole; i++)
        value = value * 10 + (text[i] - '0');
    text += whole;
    size_t part = *text == '.' ? strspn(text + 1, "0123456789") : 0;
    if ((whole == 0 && part == 0) || (*text == '.' ? text[1 + part] : *text) != '\0')
        return false;
    for (size_t i = 0; i < DECIMALS; i++)
        value = value * 10 + (i < part ? text[1 + i] - '0' : 0);
    if (value > most)
        return false;
    *micros = negative ? -value : value;
    return true;
}

const char *money_text(int64_t micros, char out[MONEY_TEXT_MAX])
{
    int64_t size = micros < 0 ? -micros : micros;
    int n = snprintf(out, MONEY_TEXT_MAX, "%s%lld.%06lld", micros < 0 ? "-" : "",
                     (long long)(size / 1000000), (long long)(size % 1000000));

    for (int cut = 0; cut < DECIMALS - 2 && out[n - 1] == '0'; cut++)
        out[--n] = '\0';
    return out;
}

bool money_is_currency(const char *text)
{
    return strlen(text) == 3 && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 3;
}
