/*
 * provider - an account at a provider of calls and messages: which kinds there are, and
 * what its settings may say. Pure; any thread. Rows: campaigns/provider_store.h.
 */
#ifndef CAMPAIGNS_PROVIDER_H
#define CAMPAIGNS_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "base/errors.h"
#include "base/uuid.h"

enum provider_kind {
    PROVIDER_TWILIO,
    PROVIDER_PLIVO,
    PROVIDER_AFRICASTALKING, /* messages only */
    PROVIDER_HTTP,           /* any gateway of messages, by a template */
    PROVIDER_KINDS,
};

enum { PROVIDER_URL_MAX = 256, PROVIDER_TEXT_MAX = 128, PROVIDER_SETTINGS_MAX = 4096 };

/* Behind an address at which Twilio, or Plivo of calls, only tells something: told again,
 * three times, when it was not taken. By default neither tells again what was answered,
 * whatever the answer was. It is neither sent nor signed. */
#define PROVIDER_TELL_AGAIN "#rc=3&rp=5xx,ct,rt"

enum { PROVIDER_APOLOGIES_MAX = 8 };

/* A recorded apology: what is heard when a call cannot go on. */
struct provider_apology {
    char lang[16];
    char asset[65]; /* content id of recorded audio */
};

struct provider_settings {
    char api_url[PROVIDER_URL_MAX];     /* of its REST API, without a slash at the end */
    char public_url[PROVIDER_URL_MAX];  /* by which it reaches us; "" as configured */
    char user[PROVIDER_TEXT_MAX];       /* Twilio: an API key's SID; "" the account */
    char sip_domain[PROVIDER_TEXT_MAX]; /* ext:2001 is sip:2001@it; "" no transfers */
    char media_hosts[PROVIDER_URL_MAX]; /* further domains of recordings */
    bool delete_recordings;             /* at the provider, once they are stored here */
    double cps;                         /* calls a second that it takes */
    char hold_music[65]; /* content id of what who waits hears; "" the usual one */
    struct provider_apology apologies[PROVIDER_APOLOGIES_MAX];
    size_t apology_count;
};

struct provider {
    int64_t id;
    int tenant_id;
    char name[64];
    enum provider_kind kind;
    char account[PROVIDER_TEXT_MAX]; /* account SID, auth id, user name; "" for http */
    struct uuid hook; /* its webhooks lie under <public_url>/hooks/<hook> */
    char settings_json[PROVIDER_SETTINGS_MAX];
    struct provider_settings settings;
    /* Wiped by provider_wipe: */
    char token[PROVIDER_URL_MAX];         /* password of the REST API */
    char signing_token[PROVIDER_URL_MAX]; /* signs webhooks; as token unless stated */
};

const char *provider_kind_name(enum provider_kind kind);
/* False: there is no such kind. */
NODISCARD bool provider_kind_find(const char *name, enum provider_kind *out);
bool provider_carries_calls(enum provider_kind kind);
/* Calls a second that a provider of that name takes of an account; 0: none such. */
double provider_usual_cps(const char *kind);
/* Small letters, digits, '.', '-', '_'. */
bool provider_name_is_sound(const char *name);

/* Reads settings_json of p->kind into p->settings. EINVAL with a text that names the
 * place: an unknown key, a value that cannot work. */
NODISCARD int provider_read_settings(struct provider *p, struct errtext *e);
/* Kind, name, account and settings together, as an operator wrote them. EINVAL. */
NODISCARD int provider_check(struct provider *p, struct errtext *e);

/* <public_url>/hooks/<hook>, without a slash at the end. False: it does not fit, or no
 * public URL is known. */
NODISCARD bool provider_hook_url(const struct provider *p, const char *public_url,
                                 char *out, size_t size);
void provider_wipe(struct provider *p); /* for CLEANUP */

#endif
