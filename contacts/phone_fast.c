/*
 * phone_fast - the library's way from text to an answer, step by step, where each
 * step is certain:
 *
 *   text        digits with blanks, hyphens, dots, parentheses; one + before them
 *   country     after + or the region's own literal international prefix; else the
 *               default region's, written before the number or not
 *   prefix      the national prefix (0 …), also where somebody wrote it after the
 *               country code, is taken off when that makes a possible length
 *   region      of the several with one country code: by leading digits, else the
 *               first whose patterns know the number
 *   type        the first pattern that matches, in the library's order
 */
#include "contacts/phone_fast.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "contacts/phone_digits.h"

enum {
    TEXT_LIMIT = 40,
    NSN_LEAST = 2,
    NSN_MOST = 17,
    E164_MOST = 18, /* digits that an int64 always holds */
    COUNTRY_CODES = 1000,
    LETTERS = 26,
};

/* What the beginning of a number may be: a national or international prefix. */
struct prefix {
    bool none;            /* the library has no such pattern */
    struct digits *match; /* NULL: cannot be known */
    char literal[8];      /* the first alternative when it is digits only */
    size_t literal_len;
    bool has_rule; /* what is matched may be rewritten */
};

struct plan {
    const struct phone_region *region;
    struct digits *patterns; /* NULL: beyond us */
    struct digits *leading;  /* NULL: the region has none */
    struct prefix national, international;
};

static struct {
    pthread_once_t once;
    const struct phone_region *regions;
    size_t n;
    int16_t by_letters[LETTERS][LETTERS]; /* index + 1 */
    /* Regions of a country code, main one first: index + 1, chained. */
    int16_t first_of[COUNTRY_CODES];
    int16_t *next_of;
    _Atomic(struct plan *) *plans;
    pthread_mutex_t lock; /* guards making a plan */
} table = {.once = PTHREAD_ONCE_INIT, .lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- plans ---- */

static void chain(size_t i, bool front)
{
    int16_t *at = &table.first_of[table.regions[i].country_code];

    while (!front && *at)
        at = &table.next_of[*at - 1];
    table.next_of[i] = *at;
    *at = (int16_t)(i + 1);
}

static void make_table(void)
{
    table.n = phone_regions(&table.regions);
    table.next_of = xcalloc(table.n + 1, sizeof(*table.next_of));
    table.plans = xcalloc(table.n + 1, sizeof(*table.plans));
    for (size_t i = 0; i < table.n; i++) {
        const struct phone_region *r = &table.regions[i];

        if (r->country_code < 1 || r->country_code >= COUNTRY_CODES)
            continue;
        if (r->id[0] >= 'A' && r->id[0] <= 'Z' && r->id[1] >= 'A' && r->id[1] <= 'Z')
            table.by_letters[r->id[0] - 'A'][r->id[1] - 'A'] = (int16_t)(i + 1);
        chain(i, r->is_main);
    }
}

static void make_prefix(struct prefix *p, const char *pattern, const char *rule)
{
    size_t digits = strspn(pattern, "0123456789");

    p->none = !*pattern;
    p->has_rule = *rule != '\0';
    if (digits > 0 && digits < sizeof(p->literal) &&
        (pattern[digits] == '\0' || pattern[digits] == '|')) {
        memcpy(p->literal, pattern, digits);
        p->literal_len = digits;
    }
    /* "1|([2-9]\d{6})$": without its anchor it matches more, never less. */
    char *open = xstrdup(pattern);
    size_t len = strlen(open);
    if (len && open[len - 1] == '$')
        open[len - 1] = '\0';
    const char *const one[] = {open};
    if (digits_new(&p->match, one, 1))
        p->match = NULL;
    free(open);
}

static struct plan *make_plan(const struct phone_region *r)
{
    struct plan *plan = xcalloc(1, sizeof(*plan));
    const char *const leading[] = {r->leading_digits};

    plan->region = r;
    if (digits_new(&plan->patterns, r->patterns, PHONE_PATTERNS))
        plan->patterns = NULL;
    if (*r->leading_digits && digits_new(&plan->leading, leading, 1)) {
        digits_free(plan->patterns);
        plan->patterns = NULL;
    }
    make_prefix(&plan->national, r->prefix, r->prefix_rule);
    make_prefix(&plan->international, r->international_prefix, "");
    return plan;
}

/* Made once, kept for the life of the process. */
static const struct plan *plan_of(int index)
{
    _Atomic(struct plan *) *at = &table.plans[index];
    struct plan *plan = atomic_load_explicit(at, memory_order_acquire);

    if (plan)
        return plan;
    pthread_mutex_lock(&table.lock);
    plan = atomic_load_explicit(at, memory_order_relaxed);
    if (!plan) {
        plan = make_plan(&table.regions[index]);
        atomic_store_explicit(at, plan, memory_order_release);
    }
    pthread_mutex_unlock(&table.lock);
    return plan;
}

static const struct plan *plan_of_region(const char *region)
{
    if (!region || region[0] < 'A' || region[0] > 'Z' || region[1] < 'A' ||
        region[1] > 'Z' || region[2])
        return NULL;
    int index = table.by_letters[region[0] - 'A'][region[1] - 'A'];
    return index ? plan_of(index - 1) : NULL;
}

/* ---- questions to one plan ---- */

struct span {
    const char *at;
    size_t len;
};

enum taken { TAKEN_NOTHING, TAKEN_SURELY, TAKEN_PERHAPS };

/* What the library takes off the beginning of s: *n digits. */
static enum taken take_prefix(const struct prefix *p, struct span s, size_t *n)
{
    unsigned state = DIGITS_START;
    size_t ways = 0;

    if (p->none)
        return TAKEN_NOTHING;
    /* The first alternative wins when it fits. */
    if (p->literal_len && s.len >= p->literal_len &&
        memcmp(s.at, p->literal, p->literal_len) == 0) {
        *n = p->literal_len;
        return TAKEN_SURELY;
    }
    if (!p->match)
        return TAKEN_PERHAPS;
    for (size_t i = 0; i < s.len && state; i++) {
        state = p->match->next[state][(unsigned)(s.at[i] - '0')];
        if (p->match->labels[state]) {
            ways++;
            *n = i + 1;
        }
    }
    if (ways == 0)
        return TAKEN_NOTHING;
    bool may_be_empty = p->match->labels[DIGITS_START] != 0;
    return ways == 1 && !may_be_empty && !p->has_rule ? TAKEN_SURELY : TAKEN_PERHAPS;
}

static bool is_general(const struct plan *plan, struct span s)
{
    return digits_match(plan->patterns, s.at, s.len) & 1U << PHONE_PATTERN_GENERAL;
}

/* The library's TestNumberLength. */
enum length { LENGTH_POSSIBLE, LENGTH_TOO_LONG, LENGTH_OTHER };

static enum length length_of(const struct plan *plan, size_t len)
{
    uint32_t lengths = plan->region->lengths[PHONE_PATTERN_GENERAL];
    uint32_t bit = UINT32_C(1) << len;

    if (plan->region->local_lengths & bit)
        return LENGTH_OTHER;
    if (lengths & bit)
        return LENGTH_POSSIBLE;
    return lengths && lengths < bit ? LENGTH_TOO_LONG : LENGTH_OTHER;
}

/* The library's MaybeStripNationalPrefixAndCarrierCode. False: not sure. */
static bool strip_national(const struct plan *plan, struct span *s)
{
    size_t n = 0;
    enum taken taken = s->len ? take_prefix(&plan->national, *s, &n) : TAKEN_NOTHING;

    if (taken != TAKEN_SURELY)
        return taken == TAKEN_NOTHING;
    struct span rest = {s->at + n, s->len - n};
    if (!is_general(plan, *s) || is_general(plan, rest))
        *s = rest;
    return true;
}

static bool has_leading(const struct plan *plan, struct span s)
{
    unsigned state = DIGITS_START;

    for (size_t i = 0; i < s.len && state; i++) {
        state = plan->leading->next[state][(unsigned)(s.at[i] - '0')];
        if (plan->leading->labels[state])
            return true;
    }
    return false;
}

static enum phone_type type_of(const struct plan *plan, struct span s)
{
    static const enum phone_type types[PHONE_PATTERN_FIXED] = {
        [PHONE_PATTERN_PREMIUM] = PHONE_PREMIUM,
        [PHONE_PATTERN_TOLL_FREE] = PHONE_TOLL_FREE,
        [PHONE_PATTERN_SHARED_COST] = PHONE_SHARED_COST,
        [PHONE_PATTERN_VOIP] = PHONE_VOIP,
        [PHONE_PATTERN_PERSONAL] = PHONE_PERSONAL,
        [PHONE_PATTERN_PAGER] = PHONE_PAGER,
        [PHONE_PATTERN_UAN] = PHONE_UAN,
        [PHONE_PATTERN_VOICEMAIL] = PHONE_VOICEMAIL,
    };
    unsigned found = digits_match(plan->patterns, s.at, s.len);

    for (int i = 0; i < PHONE_PATTERNS; i++)
        if (plan->region->lengths[i] &&
            !(plan->region->lengths[i] & UINT32_C(1) << s.len))
            found &= ~(1U << i);
    if (!(found & 1U << PHONE_PATTERN_GENERAL))
        return PHONE_UNKNOWN;
    for (int i = PHONE_PATTERN_PREMIUM; i < PHONE_PATTERN_FIXED; i++)
        if (found & 1U << i)
            return types[i];
    bool fixed = found & 1U << PHONE_PATTERN_FIXED;
    bool mobile = found & 1U << PHONE_PATTERN_MOBILE;
    if (fixed)
        return mobile || plan->region->same_mobile_and_fixed ? PHONE_FIXED_OR_MOBILE
                                                             : PHONE_FIXED;
    return mobile && !plan->region->same_mobile_and_fixed ? PHONE_MOBILE : PHONE_UNKNOWN;
}

/* ---- the steps ---- */

/* Plain writing only. Returns how many digits, 0: not plain. */
static size_t read_digits(const char *text, size_t len, char out[TEXT_LIMIT], bool *plus)
{
    size_t n = 0;

    *plus = false;
    if (len > TEXT_LIMIT)
        return 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (c >= '0' && c <= '9')
            out[n++] = c;
        else if (c == '+' && n == 0 && !*plus)
            *plus = true;
        else if (c != ' ' && c != '-' && c != '.' && c != '(' && c != ')')
            return 0;
    }
    return n;
}

/* Takes the country code off; 0: there is none. */
static int take_country(struct span *s)
{
    int code = 0;

    if (s->len <= NSN_LEAST || s->at[0] == '0')
        return 0;
    for (size_t n = 1; n <= 3 && n <= s->len; n++) {
        code = code * 10 + (s->at[n - 1] - '0');
        if (table.first_of[code]) {
            s->at += n;
            s->len -= n;
            return code;
        }
    }
    return 0;
}

/* "251911234567" without a + in Ethiopia. False: not sure. */
static bool take_own_country(const struct plan *home, struct span *s, bool *taken)
{
    char code[8];
    int v = home->region->country_code;
    size_t n = 0;

    *taken = false;
    for (int left = v; left; left /= 10)
        n++;
    for (size_t i = n; i > 0; i--, v /= 10)
        code[i - 1] = (char)('0' + v % 10);
    if (s->len < n || memcmp(s->at, code, n) != 0)
        return true;
    struct span rest = {s->at + n, s->len - n};
    if (!strip_national(home, &rest))
        return false;
    *taken = (!is_general(home, *s) && is_general(home, rest)) ||
             length_of(home, s->len) == LENGTH_TOO_LONG;
    if (*taken)
        *s = rest;
    return true;
}

/* Which plan's prefixes hold for the rest of the number, and its country code; NULL:
 * not sure. */
static const struct plan *find_country(const struct plan *home, bool plus, struct span *s,
                                       int *code)
{
    bool own = false;

    if (!plus && home) {
        size_t n = 0;
        enum taken taken = take_prefix(&home->international, *s, &n);

        if (taken == TAKEN_PERHAPS)
            return NULL;
        plus = taken == TAKEN_SURELY;
        if (plus) {
            s->at += n;
            s->len -= n;
        }
    }
    if (plus) {
        *code = take_country(s);
        return *code ? plan_of(table.first_of[*code] - 1) : NULL;
    }
    if (!home || !take_own_country(home, s, &own))
        return NULL;
    *code = home->region->country_code;
    return own ? plan_of(table.first_of[*code] - 1) : home;
}

/* The region a valid number belongs to; NULL: not sure, or none. */
static const struct plan *find_region(int code, struct span s, enum phone_type *type)
{
    int index = table.first_of[code];
    bool only = !table.next_of[index - 1];

    for (; index; index = table.next_of[index - 1]) {
        const struct plan *plan = plan_of(index - 1);

        if (!plan->patterns)
            return NULL;
        if (!only && plan->leading && !has_leading(plan, s))
            continue;
        *type = type_of(plan, s);
        if (only || plan->leading || *type != PHONE_UNKNOWN)
            return *type == PHONE_UNKNOWN ? NULL : plan;
    }
    return NULL;
}

bool phone_fast_parse(const char *text, size_t len, const char *region, struct phone *out)
{
    char digits[TEXT_LIMIT];
    bool plus = false;
    int code = 0;

    pthread_once(&table.once, make_table);
    struct span s = {digits, read_digits(text, len, digits, &plus)};
    if (s.len < 5 || table.n == 0)
        return false;
    const struct plan *home = plan_of_region(region);
    if (home && !home->patterns)
        return false;
    const struct plan *plan = find_country(home, plus, &s, &code);
    if (!plan || !plan->patterns || s.len < NSN_LEAST || s.len > E164_MOST)
        return false;
    struct span stripped = s;
    if (!strip_national(plan, &stripped))
        return false;
    if (length_of(plan, stripped.len) != LENGTH_OTHER)
        s = stripped;
    if (s.len < NSN_LEAST || s.len > NSN_MOST)
        return false;
    enum phone_type type = PHONE_UNKNOWN;
    plan = find_region(code, s, &type);
    if (!plan || plan->region->id[0] == '0')
        return false;
    int64_t e164 = code;
    for (size_t i = 0; i < s.len && i < E164_MOST - 3; i++)
        e164 = e164 * 10 + (s.at[i] - '0');
    *out = (struct phone){.e164 = e164, .type = type, .valid = true};
    memcpy(out->region, plan->region->id, sizeof(out->region));
    return s.len <= E164_MOST - 3;
}

bool phone_fast_is_on(void)
{
    pthread_once(&table.once, make_table);
    return table.n > 0;
}
