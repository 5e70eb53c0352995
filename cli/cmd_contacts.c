/*
 * furrow contacts: list, show, rejects, undo; import is cli/contacts_import.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/pg.h"
#include "base/str.h"
#include "campaigns/import_undo_store.h"
#include "cli/contacts_export.h"
#include "cli/contacts_import.h"
#include "cli/groups.h"
#include "contacts/contact_store.h"

/* ---- list, show, rejects ---- */

static bool has_json_flag(int *argc, char **argv)
{
    if (*argc < 2 || strcmp(argv[*argc - 1], "--json") != 0)
        return false;
    (*argc)--;
    return true;
}

static int list_line(const struct contact_list *l, void *arg)
{
    char text[CLOCK_TEXT_MAX];

    (void)arg;
    printf("%-24s %10" PRId64 " contacts %6" PRId64 " imports  last %s\n", l->name,
           l->contacts, l->imports,
           l->last_import_ms ? clock_text(l->last_import_ms, text) : "-");
    return 0;
}

static int list_json(const struct contact_list *l, void *arg)
{
    char text[CLOCK_TEXT_MAX];
    json_t *last = l->last_import_ms ? json_string(clock_text(l->last_import_ms, text))
                                     : json_null();

    json_array_append_new(arg, json_pack("{s:s, s:I, s:I, s:o}", "name", l->name,
                                         "contacts", (json_int_t)l->contacts, "imports",
                                         (json_int_t)l->imports, "last_import", last));
    return 0;
}

static int cmd_list(struct cli *cli, int argc, char **argv)
{
    bool json = has_json_flag(&argc, argv);
    json_t *all = NULL;

    if (argc != 1)
        return cli_usage("unexpected argument '%s'", argv[1]);
    int code = cli_open_pg(cli);
    if (code)
        return code;
    all = json_array();
    int err = contact_lists(cli->pg, cli->tenant_id, list_json, all);
    if (!err && json)
        return cli_print_json(all);
    if (!err && json_array_size(all) == 0)
        puts("no lists; 'furrow contacts import FILE --list NAME' makes one");
    json_decref(all);
    if (!err)
        err = contact_lists(cli->pg, cli->tenant_id, list_line, NULL);
    return err ? cli_fail("%s", pg_error(cli->pg)) : CLI_OK;
}

struct shown {
    json_t *json; /* NULL: print lines */
    int n;
};

static int show_line(const struct contact_entry *c, void *arg)
{
    struct shown *s = arg;
    char text[PHONE_FORMAT_MAX];
    json_auto_t *attrs = json_loads(c->attrs, 0, NULL);
    const char *key = NULL;
    json_t *value = NULL;

    s->n++;
    if (s->json) {
        json_array_append_new(
            s->json,
            json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:I, s:O}", "id", (json_int_t)c->id,
                      "number", phone_text(c->phone, text), "list", c->list, "region",
                      c->region, "type", phone_type_name(c->type), "zones", c->zones,
                      "import_id", (json_int_t)c->import_id, "attrs", attrs));
        return 0;
    }
    printf("%s  contact %" PRId64 " in list '%s'\n", phone_format(c->phone, text), c->id,
           c->list);
    printf("  region %s, %s, zones %s, import %" PRId64 "\n", c->region,
           phone_type_name(c->type), *c->zones ? c->zones : "unknown", c->import_id);
    json_object_foreach(attrs, key, value) printf(
        "  %s: %s\n", key, json_string_value(value) ? json_string_value(value) : "");
    return 0;
}

static int cmd_show(struct cli *cli, int argc, char **argv)
{
    struct shown s = {.json = NULL};
    struct phone phone;
    bool json = has_json_flag(&argc, argv);

    if (argc != 2)
        return cli_usage("which number?");
    phone_parse(argv[1], strlen(argv[1]), NULL, &phone);
    if (!phone.e164)
        return cli_usage("'%s' is no number with + and country code", argv[1]);
    int code = cli_open_pg(cli);
    if (code)
        return code;
    s.json = json ? json_array() : NULL;
    int err = contact_find(cli->pg, cli->tenant_id, phone.e164, show_line, &s);
    if (err)
        code = cli_fail("%s", pg_error(cli->pg));
    else if (s.n == 0)
        code = cli_fail("%s is in no list", argv[1]);
    if (s.json && !code)
        return cli_print_json(s.json);
    json_decref(s.json);
    return code;
}

static int reject_line(const struct contact_reject *r, void *arg)
{
    enum import_reason reason = IMPORT_MISSING_PHONE;
    char value[256];

    (void)arg;
    bool known = import_reason_find(r->reason, &reason) == 0;
    printf("line %-8" PRId64 " %-18s %s: %s%s%s\n", r->line, r->reason, r->column,
           log_esc(r->value, value, sizeof(value)), known ? "  " : "",
           known ? import_reason_hint(reason, r->value) : "");
    return 0;
}

static int cmd_rejects(struct cli *cli, int argc, char **argv)
{
    int64_t id = 0;

    if (argc > 2 || (argc == 2 && (!str_to_i64(argv[1], &id) || id < 1)))
        return cli_usage("one number of an import, or none for the latest");
    int code = cli_open_pg(cli);
    if (code)
        return code;
    int err = contact_rejects(cli->pg, cli->tenant_id, id, reject_line, NULL);
    if (err == ENOENT)
        return cli_fail(id ? "no import %" PRId64 : "there was no import yet", id);
    return err ? cli_fail("%s", pg_error(cli->pg)) : CLI_OK;
}

/* ---- undo ---- */

static int cmd_undo(struct cli *cli, int argc, char **argv)
{
    bool json = has_json_flag(&argc, argv);
    struct import_undone u = {0};
    struct errtext e = {0};
    char text[PHONE_TEXT_MAX];
    int64_t id = 0;

    if (argc != 2 || !str_to_i64(argv[1], &id) || id < 1)
        return cli_usage("which import? 'furrow contacts import' said its number");
    int code = cli_open_pg(cli);
    if (code)
        return code;
    int err = import_undo(cli->pg, cli->tenant_id, id, clock_now_ms(), &u, &e);
    if (err)
        return cli_fail("%s", e.text);
    if (json)
        return cli_print_json(json_pack("{s:I, s:I, s:I, s:I}", "import_id",
                                        (json_int_t)id, "removed", (json_int_t)u.removed,
                                        "restored", (json_int_t)u.restored, "called",
                                        (json_int_t)u.called));
    printf("import %" PRId64 " is undone: %" PRId64 " contacts removed", id, u.removed);
    if (u.restored)
        printf(", %" PRId64 " as they were before", u.restored);
    putchar('\n');
    if (u.called == 0)
        return CLI_OK;
    printf("  %" PRId64 " were called already and stay:", u.called);
    for (size_t i = 0; i < u.shown; i++)
        printf(" %s", phone_text(u.phones[i], text));
    printf("%s\n  'furrow why NUMBER' shows the calls\n",
           u.called > (int64_t)u.shown ? " …" : "");
    return CLI_OK;
}

static const struct cli_verb verbs[] = {
    {.name = "import",
     .arguments =
         "FILE --list NAME [--map NAME=COLUMN …] [--region ET] [--person COLUMN] "
         "[--existing skip|update] [--rejects FILE] [--dry-run] [--json]",
     .about =
         "Read contacts from a CSV or JSON Lines file into a list; - reads standard "
         "input.\nRows that cannot be taken are counted by reason and go to --rejects as "
         "line, column, value,\nreason, hint. A large file goes in piece by piece, and "
         "calling may begin meanwhile; when it was\ncut off, the same command goes on "
         "where it was. 'furrow contacts undo' takes an import back.\n\n"
         "  --list NAME        the list; made when there is none\n"
         "  --map NAME=COLUMN  column (by name, or by number from 1) for the phone or "
         "for "
         "contact.NAME;\n"
         "                     phone2 … phone9 are further numbers of the same person\n"
         "  --person COLUMN    what tells persons apart: rows with the same value are "
         "one person\n"
         "  --region XX        country of numbers written without + (two letters)\n"
         "  --existing E       numbers the list has already: skip (default) or update "
         "with the file's columns\n"
         "  --rejects FILE     write rejected rows there\n"
         "  --dry-run          try everything, show what goes where, keep nothing\n"
         "  --format F         csv, or jsonl for an object a line (found by .jsonl)\n"
         "  --encoding E       utf-8, utf-16, utf-16le, utf-16be or windows-1252, "
         "instead "
         "of finding it\n"
         "  --delimiter C      instead of finding it: one character, or tab\n"
         "  --restart          do not go on with an import that was cut off\n"
         "  --batch N          rows that go in at once, default 100000\n"
         "  --threads N        parsers, default one per processor\n"
         "  --json             the summary as JSON",
     .example = "furrow contacts import farmers.csv --list farmers --map phone=Mobile "
                "--map phone2=Home --region ET --rejects rejects.csv",
     .run = contacts_import},
    {.name = "undo",
     .arguments = "IMPORT [--json]",
     .about =
         "Take an import back: contacts it added go, those it changed are as before.\n"
         "Contacts that were called already stay, and are said.",
     .example = "furrow contacts undo 3",
     .run = cmd_undo},
    {.name = "list",
     .arguments = "[--json]",
     .about = "Show the lists and how many contacts they have.",
     .example = "furrow contacts list",
     .run = cmd_list},
    {.name = "show",
     .arguments = "NUMBER [--json]",
     .about = "Show what is known of a number in every list.",
     .example = "furrow contacts show +251911234567",
     .run = cmd_show},
    {.name = "export",
     .arguments = "LIST|--campaign NAME [--format csv|jsonl] [--out FILE]",
     .about =
         "Write the contacts of a list, or of a campaign with how each stands there, as "
         "CSV or as JSON\nLines, to standard output or FILE. What a spreadsheet would "
         "run as a formula is defused in CSV.",
     .example = "furrow contacts export --campaign coffee-harvest --out harvest.csv",
     .run = contacts_export},
    {.name = "rejects",
     .arguments = "[IMPORT]",
     .about = "Show the rows an import (the latest when none is named) did not take.",
     .example = "furrow contacts rejects 3",
     .run = cmd_rejects},
};

const struct cli_group cmd_contacts = {.name = "contacts",
                                       .about = "import people and look at lists",
                                       .verbs = verbs,
                                       .verb_count = ARRAY_LEN(verbs)};
