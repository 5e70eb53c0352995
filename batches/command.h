/*
 * command - commands as they are typed: "/commission 5 bags Yirgacheffe Abebe". The same
 * intents and entities come out as of what is spoken. Pure; any thread.
 *
 *   /commission <quantity>[unit] <variety> <origin>
 *   /ship <batch> <destination>
 *   /receive <batch> [condition]
 *   /transform <batch> <type> <kg>
 *   /pack <batch> <batch>… <container>
 *   /unpack <container>
 *   /split <batch> <kg> <kg>… [destination]…
 *
 * A quantity without a unit is kilograms. A place or name of several words is written
 * with "_" where a word must end (Addis_Ababa), or stands at the end of the line.
 */
#ifndef BATCHES_COMMAND_H
#define BATCHES_COMMAND_H

#include <stdbool.h>

#include "base/attrs.h"
#include "batches/understanding.h"

enum { COMMAND_TEXT_MAX = 1000 };

enum command_verdict {
    COMMAND_READ,    /* an intent; entities may still be missing */
    COMMAND_OTHER,   /* no typed command at all */
    COMMAND_UNKNOWN, /* begins with "/", but there is no such command */
    COMMAND_INVALID, /* longer than COMMAND_TEXT_MAX, or a word cannot be read */
};

/* Fills *out on COMMAND_READ, and usage (borrowed, never freed) with how such a command
 * is written on COMMAND_INVALID, with all of them on COMMAND_UNKNOWN; usage may be NULL.
 */
NODISCARD enum command_verdict command_read(struct understanding *out, const char *text,
                                            const char **usage);
/* How the command of that intent is typed: "/ship <batch> <destination>". */
const char *command_usage(enum intent intent);

#endif
