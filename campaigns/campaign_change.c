#include "campaigns/campaign_change.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/doc_reader.h"

enum { KEY_MAX = 128 };

/* ---- settings ---- */

static json_t *value_of(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);

    return value ? value : json_string(text);
}

/* The object that holds the last part of the key; objects on the way are made. */
static json_t *descend(json_t *root, char *key, char **last, const char *setting,
                       struct errtext *e)
{
    json_t *at = root;
    char *part = key;

    for (char *dot = strchr(part, '.'); dot; part = dot + 1, dot = strchr(part, '.')) {
        *dot = '\0';
        json_t *next = json_object_get(at, part);
        if (!next) {
            next = json_object();
            json_object_set_new(at, part, next);
        }
        if (!json_is_object(next)) {
            errtext_set(e, EINVAL, 0, 0,
                        "'%s': '%s' is %s in the document and has no keys", setting, part,
                        doc_type_name(next));
            return NULL;
        }
        at = next;
    }
    *last = part;
    return at;
}

static int apply(json_t *root, const char *setting, struct errtext *e)
{
    const char *equals = strchr(setting, '=');
    char key[KEY_MAX], *last = NULL;

    if (!equals || equals == setting || (size_t)(equals - setting) >= sizeof(key))
        return errtext_set(e, EINVAL, 0, 0,
                           "'%.60s' is no setting: write KEY=VALUE, e.g. pacing.cps=2",
                           setting);
    memcpy(key, setting, (size_t)(equals - setting));
    key[equals - setting] = '\0';
    json_t *owner = descend(root, key, &last, setting, e);
    if (!owner)
        return EINVAL;
    if (!*last)
        return errtext_set(e, EINVAL, 0, 0, "'%.60s': a part of the key is empty",
                           setting);
    if (!equals[1]) {
        if (json_object_del(owner, last))
            return errtext_set(e, EINVAL, 0, 0,
                               "'%.60s': the document has no such key to take out",
                               setting);
        return 0;
    }
    json_t *value = value_of(equals + 1);
    if (!value || json_object_set_new(owner, last, value))
        return errtext_set(e, EINVAL, 0, 0, "'%.60s' is not UTF-8", setting);
    return 0;
}

int campaign_text_with(const char *document, const char *const *settings, size_t n,
                       char **out, struct errtext *e)
{
    json_auto_t *root = json_loads(document, 0, NULL);
    int err = 0;

    if (!json_is_object(root))
        return errtext_set(e, EINVAL, 0, 0, "the document is no JSON object");
    for (size_t i = 0; !err && i < n; i++)
        err = apply(root, settings[i], e);
    if (err)
        return err;
    CLEANUP(free_cleanup) char *text = json_dumps(root, JSON_INDENT(2));
    if (!text)
        return errtext_set(e, EINVAL, 0, 0, "the document cannot be written");
    *out = STEAL(text);
    return 0;
}

/* ---- what may not change ---- */

static const char clone_hint[] = "'furrow campaign clone' makes another campaign with it";

static void check_same(struct doc_reader *r, const char *pointer, const char *before,
                       const char *after, const char *what)
{
    if (!str_is(before, after))
        doc_issue(r, pointer, JSON_PLACE_VALUE, clone_hint,
                  "the %s of a campaign stays what it was: '%s'", what, before);
}

static bool trunks_are_equal(const struct campaign_doc *a, const struct campaign_doc *b)
{
    if (a->trunk_count != b->trunk_count)
        return false;
    for (size_t i = 0; i < a->trunk_count; i++)
        if (!str_is(a->trunks[i].name, b->trunks[i].name) ||
            a->trunks[i].weight != b->trunks[i].weight ||
            a->trunks[i].priority != b->trunks[i].priority)
            return false;
    return true;
}

void campaign_check_change(const struct campaign_doc *before,
                           const struct campaign_doc *after, const char *text, size_t len,
                           struct campaign_issues *issues)
{
    struct doc_reader r = {.text = text, .len = len, .issues = issues};

    check_same(&r, "/name", before->name, after->name, "name");
    check_same(&r, "/list", before->list, after->list, "list");
    if (!campaign_lists_are_equal(&before->lists, &after->lists))
        doc_issue(&r, "/lists", JSON_PLACE_VALUE, clone_hint,
                  "the lists of a campaign stay what they were");
    check_same(&r, "/flow", before->flow, after->flow, "flow");
    /* Whether the flow leads to the queue is looked up when a campaign is made. */
    if (before->mode.kind != after->mode.kind ||
        !str_is(before->mode.queue, after->mode.queue))
        doc_issue(&r, "/mode", JSON_PLACE_VALUE, clone_hint,
                  "kind and queue of a campaign's mode stay what they were");
    check_same(&r, "/trunk", before->trunk, after->trunk, "trunk");
    if (str_is(before->trunk, after->trunk) && !trunks_are_equal(before, after))
        doc_issue(&r, "/trunks", JSON_PLACE_VALUE, clone_hint,
                  "the trunks of a campaign stay what they were");
    check_same(&r, "/machine/flow", before->machine.flow, after->machine.flow,
               "flow of the message");
    if (memcmp(&before->variants, &after->variants, sizeof(before->variants)) != 0)
        doc_issue(&r, "/variants", JSON_PLACE_VALUE,
                  "'furrow campaign clone' makes another campaign of it",
                  "the variants of a campaign stay as they are: people keep theirs");
}

static void add_key(struct buf *out, const char *key)
{
    buf_printf(out, "%s%s", out->len ? ", " : "", key);
}

void campaign_changed_keys(const char *before, const char *after, struct buf *out)
{
    json_auto_t *old = json_loads(before, 0, NULL);
    json_auto_t *new = json_loads(after, 0, NULL);
    const char *key = NULL;
    json_t *value = NULL;

    json_object_foreach(new, key, value)
    {
        json_t *was = json_object_get(old, key);
        if (!was || !json_equal(was, value))
            add_key(out, key);
    }
    json_object_foreach(old, key, value)
    {
        if (!json_object_get(new, key))
            add_key(out, key);
    }
}
