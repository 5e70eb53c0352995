/* furrow doctor: furrow-server, the contracts that it serves, and who may ask it. Its
 * settings are what the program beside us says of this environment. */
#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "base/http.h"
#include "base/pg.h"
#include "base/proc.h"
#include "base/str.h"
#include "base/xalloc.h"
#include "campaigns/api_key_store.h"
#include "campaigns/slot_store.h"
#include "cli/doctor.h"

enum { SETTINGS_BYTES = 64 << 10, PLACES_TEXT = 300 };

struct settings {
    char *text; /* "name = value" lines */
};

static const struct served {
    const char *name, *prefix; /* of its settings */
    const char *probe;
} contracts[] = {{"plivo-ivr", "plivo_ivr", "/api/health"},
                 {"ivr-simulator", "ivr_simulator", "/"},
                 {"voice-ledger", "voice_ledger", "/voice/health"}};

/* ---- settings ---- */

static bool read_settings(struct doctor *d, struct settings *s)
{
    char self[PATH_MAX] = "", program[PATH_MAX + 20], out[] = "/tmp/furrow-doctor-XXXXXX";
    const char *const argv[] = {program, "--show-config", NULL};
    const struct proc p = {.argv = argv, .output_path = out, .timeout_ms = 10000};
    size_t len = 0;

    if (readlink("/proc/self/exe", self, sizeof(self) - 1) <= 0)
        return false;
    snprintf(program, sizeof(program), "%s/furrow-server", dirname(self));
    if (access(program, X_OK)) {
        doctor_found(d, "server", WARN,
                     "there is no %s: calls at providers, contracts and the voice API "
                     "need it",
                     program);
        return false;
    }
    int fd = mkstemp(out);
    if (fd < 0)
        return false;
    close(fd);
    int err = proc_run(&p, NULL);
    if (!err)
        err = files_read(out, SETTINGS_BYTES, &s->text, &len);
    unlink(out);
    if (err)
        doctor_found(d, "server", FAIL,
                     "its configuration is wrong; 'furrow-server --check-config' says "
                     "why");
    return !err;
}

/* Of <prefix>_<name>, or of <name> alone; "" too where it is not set. */
static const char *setting(const struct settings *s, const char *prefix, const char *name,
                           char out[PLACES_TEXT])
{
    char key[80];
    int n = snprintf(key, sizeof(key), "\n%s%s%s = ", prefix, *prefix ? "_" : "", name);
    const char *at = strstr(s->text, key);

    out[0] = '\0';
    if (at)
        snprintf(out, PLACES_TEXT, "%.*s", (int)strcspn(at + n, "\n"), at + n);
    if (str_is(out, "(unset)"))
        out[0] = '\0';
    return out;
}

/* ---- who answers ---- */

/* Where this machine reaches what listens at an address. */
static void address_of(const char *address, const char *port, char *out, size_t size)
{
    bool any = !*address || str_is(address, "0.0.0.0");

    snprintf(out, size, "http://%s:%s", any ? "127.0.0.1" : address, port);
}

/* The status, 0 without an answer; *text is its first line. */
static long ask(const char *base, const char *path, char text[PLACES_TEXT])
{
    CLEANUP(http_resp_free) struct http_resp resp = {0};
    char url[2 * PLACES_TEXT];
    const struct http_req req = {.url = url, .connect_ms = 2000, .timeout_ms = 4000};
    struct http *http = NULL;

    text[0] = '\0';
    snprintf(url, sizeof(url), "%s%s", base, path);
    if (http_new(&http, NULL))
        return 0;
    int err = http_do(http, &req, &resp);
    http_free(http);
    if (!err && resp.body)
        snprintf(text, PLACES_TEXT, "%.*s", (int)strcspn(resp.body, "\n"), resp.body);
    return err ? 0 : resp.status;
}

static bool look_at_health(struct doctor *d, const struct settings *s,
                           char base[2 * PLACES_TEXT])
{
    char address[PLACES_TEXT], port[PLACES_TEXT], text[PLACES_TEXT];

    setting(s, "", "port", port);
    if (str_is(port, "0")) {
        doctor_found(d, "server", OK, "not asked: it takes any free port");
        return false;
    }
    address_of(setting(s, "", "listen_address", address), port, base, 2 * PLACES_TEXT);
    long status = ask(base, "/healthz", text);
    if (!status)
        doctor_found(d, "server", WARN,
                     "nobody answers at %s: start furrow-server, or 'furrow up'; calls "
                     "at providers, contracts and the voice API need it",
                     base);
    else if (status != 200 || strncmp(text, "ok", 2) != 0)
        doctor_found(d, "server", WARN, "%s answers %ld: %.200s", base, status, text);
    else
        doctor_found(d, "server", OK, "%s answers", base);
    return status != 0;
}

/* ---- contracts ---- */

static bool is_named(const char *list, const char *name)
{
    size_t len = strlen(name);

    for (const char *at = list; (at = strstr(at, name)) != NULL; at += len)
        if ((at == list || strchr(", ", at[-1])) && (!at[len] || strchr(", ", at[len])))
            return true;
    return false;
}

/* False: it does not, and that is said. */
static bool answers(struct doctor *d, const struct served *c, const char *base,
                    const char *below)
{
    char path[PLACES_TEXT], text[PLACES_TEXT];

    snprintf(path, sizeof(path), "%s%s", below, c->probe);
    long status = ask(base, path, text);
    if (status == 200)
        return true;
    doctor_found(d, "contract", WARN,
                 "%s: %s%s %s: is furrow-server running with these settings?", c->name,
                 base, path, status ? "is not well" : "does not answer");
    return false;
}

/* "host:port", ":port" or "port". */
static void listener_of(const char *listen, char *out, size_t size)
{
    const char *colon = strrchr(listen, ':');
    char address[PLACES_TEXT] = "";

    if (colon)
        snprintf(address, sizeof(address), "%.*s", (int)(colon - listen), listen);
    address_of(address, colon ? colon + 1 : listen, out, size);
}

static void look_at_tenant(struct doctor *d, const struct settings *s,
                           const struct served *c)
{
    char tenant[PLACES_TEXT];
    struct errtext e = {0};
    int id = 0;

    setting(s, c->prefix, "tenant", tenant);
    if (d->cli->pg && pg_tenant_find(d->cli->pg, tenant, &id, &e))
        doctor_found(d, "contract", FAIL,
                     "%s is to serve the tenant '%s': %s; furrow-server does not start",
                     c->name, tenant, e.text);
}

/* What anybody may who reaches it. */
static void look_at_guards(struct doctor *d, const struct settings *s,
                           const struct served *c)
{
    char value[PLACES_TEXT];
    bool plivo = str_is(c->name, "plivo-ivr"), ledger = str_is(c->name, "voice-ledger");

    if (plivo && !*setting(s, c->prefix, "token", value))
        doctor_found(d, "contract", WARN,
                     "plivo-ivr: whoever reaches it may read calls and change menus; "
                     "FURROW_PLIVO_IVR_TOKEN");
    if (plivo && !*setting(s, c->prefix, "auth_token", value))
        doctor_found(d, "contract", WARN,
                     "plivo-ivr: webhooks are believed unsigned; PLIVO_AUTH_TOKEN");
    if (ledger && !*setting(s, c->prefix, "account", value) &&
        !*setting(s, c->prefix, "auth_token", value))
        doctor_found(d, "contract", WARN,
                     "voice-ledger: webhooks are believed unsigned; "
                     "FURROW_VOICE_LEDGER_ACCOUNT names the account that signs, "
                     "TWILIO_AUTH_TOKEN is its token alone");
}

/* base: of the server; "" it is not there, and nothing below it is asked. */
static bool look_at_contract(struct doctor *d, const struct settings *s,
                             const struct served *c, const char *base)
{
    char profile[PLACES_TEXT], value[PLACES_TEXT], own[2 * PLACES_TEXT];
    CLEANUP(buf_free) struct buf places = {0};
    char below[64];
    bool well = true;

    setting(s, "", "profile", profile);
    bool alone = str_is(profile, c->name), all = str_is(profile, "all");
    snprintf(below, sizeof(below), "/%s", c->name);
    if (alone || (all && is_named(setting(s, "", "contracts", value), c->name))) {
        buf_printf(&places, ", %sbelow %s", alone ? "at the root and " : "", below);
        well = !*base || answers(d, c, base, below);
    }
    if (all && *setting(s, c->prefix, "host", value))
        buf_printf(&places, ", at the root of %s", value);
    if (all && *setting(s, c->prefix, "listen", value)) {
        listener_of(value, own, sizeof(own));
        buf_printf(&places, ", at %s", own);
        well &= !*base || answers(d, c, own, "");
    }
    if (places.len == 0)
        return false;
    if (well)
        doctor_found(d, "contract", OK, "%s: %s%s", c->name, places.data + 2,
                     *base ? "" : "; not asked");
    look_at_tenant(d, s, c);
    look_at_guards(d, s, c);
    return true;
}

/* ---- the voice API ---- */

static void look_at_keys(struct doctor *d, const struct settings *s)
{
    CLEANUP(pg_result_free) PGresult *res = NULL;
    char tenant[PLACES_TEXT], given[PLACES_TEXT];
    struct errtext e = {0};
    int id = 0, workers = 0;

    if (!d->cli->pg ||
        pg_tenant_find(d->cli->pg, setting(s, "voice_ledger", "tenant", tenant), &id, &e))
        return;
    int err =
        pg_run_alone(d->cli->pg, id, &res,
                     "SELECT count(*), count(*) FILTER (WHERE per_minute IS NULL) FROM "
                     "api_keys WHERE 'voice' = ANY (scopes) AND revoked_at IS NULL",
                     NULL);
    if (!err)
        err = slot_count_live(d->cli->pg, "worker", &workers);
    if (err) {
        doctor_found(d, "voice API", FAIL, "%s", pg_error(d->cli->pg));
        return;
    }
    int64_t keys = pg_i64(res, 0, 0), unlimited = pg_i64(res, 0, 1);
    bool old = *setting(s, "", "voice_ledger_api_key", given);
    if (keys + old == 0)
        doctor_found(d, "voice API", WARN,
                     "nobody has a key; 'furrow key create NAME --scope voice'");
    else
        doctor_found(d, "voice API", OK,
                     "%" PRId64 " keys, %" PRId64 " of them without a limit%s", keys,
                     unlimited, old ? ", and VOICE_LEDGER_API_KEY" : "");
    if (keys + old > 0 && workers == 0)
        doctor_found(d, "voice API", WARN,
                     "no worker is running: what is asked is refused; start "
                     "furrow-worker, or 'furrow up'");
}

void doctor_look_at_server(struct doctor *d)
{
    CLEANUP(free_cleanup) char *text = NULL;
    struct settings s = {0};
    char base[2 * PLACES_TEXT] = "";
    bool ledger = false;

    if (!read_settings(d, &s))
        return;
    text = s.text;
    if (!look_at_health(d, &s, base))
        base[0] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(contracts); i++)
        ledger = look_at_contract(d, &s, &contracts[i], base);
    if (ledger) /* the last one of them */
        look_at_keys(d, &s);
}
