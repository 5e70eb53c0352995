#include <stdio.h>

#include "base/migrate.h"
#include "base/pg.h"
#include "cli/groups.h"

static int run(struct cli *cli, int argc, char **argv)
{
    struct errtext e = {0};
    struct pg *pg = NULL;
    int applied = 0;

    if (argc > 1)
        return cli_usage("unexpected argument '%s'", argv[1]);
    if (!cli->config.common.database_url[0])
        return cli_fail("no database: set DATABASE_URL");
    /* As the connecting user: it makes roles and tables. */
    const struct pg_options options = {.url = cli->config.common.database_url,
                                       .name = "furrow-migrate"};
    int err = pg_open(&pg, &options, &e);
    if (!err)
        err = migrate_run(pg, &applied, &e);
    pg_close(pg);
    if (err)
        return cli_fail("%s", e.text);
    printf("%d migration%s applied, the schema is at %d\n", applied,
           applied == 1 ? "" : "s", migrations[migration_count - 1].number);
    return CLI_OK;
}

static const struct cli_verb verbs[] = {
    {.name = "",
     .arguments = "",
     .about = "Bring the database of DATABASE_URL to the schema of this program.\n"
              "Run it as a database superuser: it makes the roles furrow_owner, "
              "furrow_app and\n"
              "furrow_import. Safe to run again and from several machines at once.",
     .example = "DATABASE_URL=postgresql://localhost/furrow furrow migrate",
     .run = run},
};

const struct cli_group cmd_migrate = {.name = "migrate",
                                      .about =
                                          "bring the database to this program's schema",
                                      .verbs = verbs,
                                      .verb_count = ARRAY_LEN(verbs)};
