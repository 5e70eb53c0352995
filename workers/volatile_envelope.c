#include "workers/volatile_envelope.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "base/xalloc.h"

enum { VERSION = 1, TRIES_MAX = 1000000 };

static int read_members(const json_t *root, struct volatile_envelope *v)
{
    const char *id = json_string_value(json_object_get(root, "id"));
    json_int_t tenant = json_integer_value(json_object_get(root, "tenant"));
    json_int_t tries = json_integer_value(json_object_get(root, "tries"));

    if (json_integer_value(json_object_get(root, "v")) != VERSION || !id ||
        uuid_parse(id, &v->id) || tenant < 1 || tenant > INT32_MAX || tries < 0 ||
        tries > TRIES_MAX)
        return EBADMSG;
    v->tenant_id = (int)tenant;
    v->tries = (int)tries;
    v->key = json_string_value(json_object_get(root, "key"));
    if (v->key && strlen(v->key) >= VOLATILE_KEY_MAX)
        return EBADMSG;
    v->payload = json_object_get(root, "payload");
    return json_is_object(v->payload) ? 0 : EBADMSG;
}

int volatile_envelope_read(const char *text, struct volatile_envelope *out)
{
    json_auto_t *root = json_loads(text, 0, NULL);
    struct volatile_envelope v = {0};

    int err = json_is_object(root) ? read_members(root, &v) : EBADMSG;
    if (err)
        return err;
    *out = v;
    out->root = STEAL(root);
    return 0;
}

void volatile_envelope_clear(struct volatile_envelope *v)
{
    json_decref(v->root);
    *v = (struct volatile_envelope){0};
}

static void add_quoted(struct buf *b, const char *name, const char *text)
{
    json_auto_t *json = json_string(text);
    CLEANUP(free_cleanup) char *quoted = json_dumps(json, JSON_ENCODE_ANY);

    buf_printf(b, ",\"%s\":%s", name, quoted ? quoted : "\"\"");
}

char *volatile_envelope_text(const struct volatile_envelope *v, const char *why)
{
    CLEANUP(free_cleanup)
    char *payload = v->payload ? json_dumps(v->payload, JSON_COMPACT) : NULL;
    struct buf b = {0};
    char id[UUID_TEXT_MAX];

    buf_printf(&b, "{\"v\":%d,\"id\":\"%s\",\"tenant\":%d,\"tries\":%d", VERSION,
               uuid_text(&v->id, id), v->tenant_id, v->tries);
    if (v->key)
        add_quoted(&b, "key", v->key);
    buf_printf(&b, ",\"payload\":%s", payload ? payload : "{}");
    if (why && why[0])
        add_quoted(&b, "why", why);
    buf_puts(&b, "}");
    return buf_take(&b);
}
