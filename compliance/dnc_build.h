/*
 * dnc_build - makes a generation of a do-not-call list from the files registries give
 * out, and publishes it. Lines are read as they come: ten digits, eleven with the 1, with
 * + and country code, "area code,number", any of these with more columns behind; with
 * changes the last word of a line is add or delete. Memory is the bitmaps' alone.
 *
 * Thread: one at a time on a builder.
 */
#ifndef COMPLIANCE_DNC_BUILD_H
#define COMPLIANCE_DNC_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrs.h"
#include "compliance/dnc_list.h"

struct errtext;
struct dnc_build;

enum { DNC_REJECTS_KEPT = 5 };

struct dnc_build_options {
    const char *dir,
        *name;          /* name: as in list.h; its first two letters are the country */
    const char *source; /* shown in lists; e.g. the files' names */
    int64_t obtained_at_ms, valid_until_ms;
    bool changes; /* on top of the present generation */
    bool force;   /* publish although it shrank, is empty or much was rejected */
};

struct dnc_build_report {
    uint64_t lines, added, deleted, rejected, count, before;
    uint64_t generation;
    struct {
        uint64_t line;
        char text[40];
    } rejects[DNC_REJECTS_KEPT];
};

/* ENOENT: changes, and there is nothing to change; EINVAL: a name that is none. */
NODISCARD int dnc_build_new(struct dnc_build **out,
                            const struct dnc_build_options *options, struct errtext *e);
/* A piece of a file in any cut. EINVAL: this is no such file (XML, an archive). */
NODISCARD int dnc_build_feed(struct dnc_build *b, const char *data, size_t len,
                             struct errtext *e);
/* The file ends here; another may follow. */
NODISCARD int dnc_build_end_file(struct dnc_build *b, struct errtext *e);
/* Sums, writes, renames. EPERM: it shrank by more than 2 %, is empty, or more than 1 % of
 * the lines were rejected: not published (force does it). */
NODISCARD int dnc_build_publish(struct dnc_build *b, struct dnc_build_report *report,
                                struct errtext *e);
/* What is not published is gone. NULL is allowed. */
void dnc_build_free(struct dnc_build *b);

#endif
