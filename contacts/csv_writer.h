/*
 * csv_writer - one cell of a CSV file that people open in a spreadsheet: quoted where
 * it must be, and what the spreadsheet would run as a formula gets an apostrophe.
 * Whatever writes CSV with text that came from outside writes it by this.
 */
#ifndef CONTACTS_CSV_WRITER_H
#define CONTACTS_CSV_WRITER_H

#include <stdio.h>

void csv_put_cell(FILE *file, const char *s);

#endif
