/*
 * phone_digits - expression → tree → nondeterministic automaton → subsets of its
 * states. The tree is compiled from its end to its beginning, so that every piece
 * knows what follows it; a repetition is written out.
 */
#include "contacts/phone_digits.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

enum {
    NODES_MAX = 4096,   /* of one expression's tree */
    NFA_MAX = 60000,    /* states */
    STATES_MAX = 30000, /* of the result; they are counted in 16 bits */
    BUCKETS = 16384,
    REPEAT_MAX = 20,
};

/* ---- the tree ---- */

enum node_kind { NODE_SET, NODE_EMPTY, NODE_PAIR, NODE_EITHER, NODE_REPEAT };

struct node {
    enum node_kind kind;
    unsigned set;    /* NODE_SET: bit d for digit d */
    int a, b;        /* children; of NODE_REPEAT only a */
    int least, most; /* NODE_REPEAT */
};

struct parser {
    const char *at;
    bool failed;
    int n;
    struct node nodes[NODES_MAX];
};

static int parse_either(struct parser *p);

static int add_node(struct parser *p, struct node node)
{
    if (p->n == NODES_MAX) {
        p->failed = true;
        return 0;
    }
    p->nodes[p->n] = node;
    return p->n++;
}

static unsigned parse_set(struct parser *p)
{
    unsigned set = 0;

    while (!p->failed && *p->at != ']') {
        char from = *p->at, to = from;

        if (p->at[0] && p->at[1] == '-' && p->at[2] != ']') {
            to = p->at[2];
            p->at += 2;
        }
        if (from < '0' || to > '9' || from > to) {
            p->failed = true;
            return 0;
        }
        p->at++;
        for (char c = from; c <= to; c++)
            set |= 1U << (c - '0');
    }
    p->at++;
    return set;
}

static int parse_atom(struct parser *p)
{
    char c = *p->at;

    if (c >= '0' && c <= '9') {
        p->at++;
        return add_node(p, (struct node){.kind = NODE_SET, .set = 1U << (c - '0')});
    }
    if (c == '\\' && p->at[1] == 'd') {
        p->at += 2;
        return add_node(p, (struct node){.kind = NODE_SET, .set = 0x3FF});
    }
    if (c == '[') {
        p->at++;
        unsigned set = parse_set(p);
        return add_node(p, (struct node){.kind = NODE_SET, .set = set});
    }
    if (c == '(') {
        p->at += strncmp(p->at, "(?:", 3) == 0 ? 3 : 1;
        int inner = parse_either(p);
        if (*p->at == ')')
            p->at++;
        else
            p->failed = true;
        return inner;
    }
    p->failed = true;
    return 0;
}

static int parse_number(struct parser *p)
{
    int v = 0;

    if (*p->at < '0' || *p->at > '9')
        p->failed = true;
    for (; *p->at >= '0' && *p->at <= '9' && v <= REPEAT_MAX; p->at++)
        v = v * 10 + (*p->at - '0');
    if (v > REPEAT_MAX)
        p->failed = true;
    return v;
}

static int parse_repeated(struct parser *p)
{
    int atom = parse_atom(p);
    struct node repeat = {.kind = NODE_REPEAT, .a = atom};

    if (p->failed || (*p->at != '?' && *p->at != '{'))
        return atom;
    if (*p->at++ == '?') {
        repeat.most = 1;
        return add_node(p, repeat);
    }
    repeat.least = repeat.most = parse_number(p);
    if (*p->at == ',') {
        p->at++;
        repeat.most = parse_number(p);
    }
    if (*p->at != '}' || repeat.most < repeat.least)
        p->failed = true;
    else
        p->at++;
    return add_node(p, repeat);
}

static int parse_sequence(struct parser *p)
{
    int all = add_node(p, (struct node){.kind = NODE_EMPTY});

    while (!p->failed && *p->at && *p->at != '|' && *p->at != ')') {
        int next = parse_repeated(p);
        all = add_node(p, (struct node){.kind = NODE_PAIR, .a = all, .b = next});
    }
    return all;
}

/* Recursion is bounded by NODES_MAX: each level adds a node. */
static int parse_either(struct parser *p)
{
    int all = parse_sequence(p);

    while (!p->failed && *p->at == '|') {
        p->at++;
        int other = parse_sequence(p);
        all = add_node(p, (struct node){.kind = NODE_EITHER, .a = all, .b = other});
    }
    return all;
}

/* ---- the nondeterministic automaton ---- */

struct nfa_state {
    unsigned set; /* 0: goes to both a and b without a digit; else to a with one */
    int a, b;     /* -1: none */
    int label;    /* pattern that ends here, -1: none */
};

struct nfa {
    int n;
    bool failed;
    struct nfa_state *at;
};

static int add_state(struct nfa *m, struct nfa_state state)
{
    if (m->n == NFA_MAX) {
        m->failed = true;
        return 0;
    }
    m->at[m->n] = state;
    return m->n++;
}

static int compile(struct nfa *m, const struct parser *p, int index, int next)
{
    const struct node *node = &p->nodes[index];

    if (m->failed)
        return 0;
    switch (node->kind) {
    case NODE_EMPTY:
        return next;
    case NODE_SET:
        return add_state(
            m, (struct nfa_state){.set = node->set, .a = next, .b = -1, .label = -1});
    case NODE_PAIR:
        return compile(m, p, node->a, compile(m, p, node->b, next));
    case NODE_EITHER: {
        int a = compile(m, p, node->a, next), b = compile(m, p, node->b, next);
        return add_state(m, (struct nfa_state){.a = a, .b = b, .label = -1});
    }
    case NODE_REPEAT:
        for (int i = node->most; i > node->least; i--) {
            int once = compile(m, p, node->a, next);
            next = add_state(m, (struct nfa_state){.a = once, .b = next, .label = -1});
        }
        for (int i = 0; i < node->least; i++)
            next = compile(m, p, node->a, next);
        return next;
    }
    return next;
}

static int add_pattern(struct nfa *m, struct parser *p, const char *pattern, int label,
                       int *start)
{
    p->at = pattern;
    p->n = 0;
    p->failed = false;
    int root = parse_either(p);
    if (p->failed || *p->at)
        return ENOTSUP;
    int end = add_state(m, (struct nfa_state){.a = -1, .b = -1, .label = label});
    int begin = compile(m, p, root, end);
    *start = add_state(m, (struct nfa_state){.a = begin, .b = *start, .label = -1});
    return m->failed ? EFBIG : 0;
}

/* ---- subsets ---- */

struct subset {
    int n, next_in_bucket; /* -1: last */
    int *states;           /* with a digit or a label; ascending */
};

struct builder {
    const struct nfa *m;
    struct digits *d;
    size_t cap;
    struct subset *subsets;
    int buckets[BUCKETS];
    /* The subset that is being collected. */
    unsigned *seen, round;
    int *stack, *found;
    int found_count;
};

static void collect(struct builder *b, int state)
{
    int depth = 0;

    b->stack[depth++] = state;
    while (depth) {
        int s = b->stack[--depth];
        const struct nfa_state *at = &b->m->at[s];

        if (b->seen[s] == b->round)
            continue;
        b->seen[s] = b->round;
        if (at->set || at->label >= 0) {
            b->found[b->found_count++] = s;
            continue;
        }
        /* Each state is pushed by at most its few predecessors; the stack has room
         * for two of each. */
        if (at->a >= 0)
            b->stack[depth++] = at->a;
        if (at->b >= 0)
            b->stack[depth++] = at->b;
    }
}

static int by_value(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;

    return (x > y) - (x < y);
}

static void grow(struct builder *b)
{
    struct digits *d = b->d;

    if (d->states < b->cap)
        return;
    b->cap = b->cap ? b->cap * 2 : 256;
    b->subsets = xrealloc(b->subsets, b->cap * sizeof(*b->subsets));
    d->next = xrealloc(d->next, b->cap * sizeof(*d->next));
    d->labels = xrealloc(d->labels, b->cap * sizeof(*d->labels));
}

/* The number of the subset that was collected, made when it is new; -1: too many. */
static int intern(struct builder *b)
{
    struct digits *d = b->d;
    uint32_t h = 2166136261U;
    size_t bytes = (size_t)b->found_count * sizeof(int);

    qsort(b->found, (size_t)b->found_count, sizeof(int), by_value);
    for (int i = 0; i < b->found_count; i++)
        h = (h ^ (uint32_t)b->found[i]) * 16777619U;
    int *bucket = &b->buckets[h % BUCKETS];
    for (int i = *bucket; i >= 0; i = b->subsets[i].next_in_bucket)
        if (b->subsets[i].n == b->found_count &&
            (bytes == 0 || memcmp(b->subsets[i].states, b->found, bytes) == 0))
            return i;
    if (d->states == STATES_MAX)
        return -1;
    grow(b);
    int made = (int)d->states++;
    struct subset *s = &b->subsets[made];
    *s = (struct subset){.n = b->found_count,
                         .next_in_bucket = *bucket,
                         .states = xcalloc((size_t)b->found_count + 1, sizeof(int))};
    *bucket = made;
    d->labels[made] = 0;
    if (bytes)
        memcpy(s->states, b->found, bytes);
    for (int i = 0; i < s->n; i++)
        if (b->m->at[s->states[i]].label >= 0)
            d->labels[made] |= (uint16_t)(1U << b->m->at[s->states[i]].label);
    memset(d->next[made], 0, sizeof(d->next[made]));
    return made;
}

static int step(struct builder *b, size_t from, unsigned digit)
{
    b->found_count = 0;
    b->round++;
    for (int i = 0; i < b->subsets[from].n; i++) {
        const struct nfa_state *s = &b->m->at[b->subsets[from].states[i]];

        if (s->set & 1U << digit)
            collect(b, s->a);
    }
    return intern(b);
}

static int build(struct builder *b, int start)
{
    b->round = 1;
    if (intern(b) != DIGITS_STUCK) /* the empty subset */
        return EFBIG;
    b->round++;
    collect(b, start);
    int first = intern(b);
    if (first == DIGITS_STUCK)
        return ENOTSUP; /* nothing at all */
    for (size_t s = DIGITS_START; s < b->d->states; s++) {
        for (unsigned digit = 0; digit < 10; digit++) {
            int to = step(b, s, digit);
            if (to < 0)
                return EFBIG;
            b->d->next[s][digit] = (uint16_t)to;
        }
    }
    return 0;
}

static int determinise(struct digits *d, const struct nfa *m, int start)
{
    size_t n = (size_t)m->n + 1;
    struct builder *b = xcalloc(1, sizeof(*b));

    b->m = m;
    b->d = d;
    b->seen = xcalloc(n, sizeof(*b->seen));
    b->stack = xcalloc(n * 2, sizeof(*b->stack));
    b->found = xcalloc(n, sizeof(*b->found));
    for (size_t i = 0; i < BUCKETS; i++)
        b->buckets[i] = -1;
    int err = build(b, start);
    for (size_t i = 0; i < d->states; i++)
        free(b->subsets[i].states);
    free(b->subsets);
    free(b->seen);
    free(b->stack);
    free(b->found);
    free(b);
    return err;
}

int digits_new(struct digits **out, const char *const *patterns, size_t n)
{
    struct digits *d = xcalloc(1, sizeof(*d));
    struct parser *p = xcalloc(1, sizeof(*p));
    struct nfa m = {.at = xcalloc(NFA_MAX, sizeof(*m.at))};
    int start = -1, err = n > DIGIT_PATTERNS_MAX ? ENOTSUP : 0;

    for (size_t i = 0; !err && i < n; i++)
        if (patterns[i] && *patterns[i])
            err = add_pattern(&m, p, patterns[i], (int)i, &start);
    if (!err && start < 0)
        err = ENOTSUP;
    if (!err)
        err = determinise(d, &m, start);
    free(m.at);
    free(p);
    if (err) {
        digits_free(d);
        return err;
    }
    *out = d;
    return 0;
}

void digits_free(struct digits *d)
{
    if (!d)
        return;
    free(d->next);
    free(d->labels);
    free(d);
}
