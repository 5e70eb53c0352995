/* furrow_run - the command line as an operator runs it, with both outputs in one text. */
#ifndef TESTS_STORE_FURROW_RUN_H
#define TESTS_STORE_FURROW_RUN_H

/* args end with NULL. Fails the test unless it exits with code. The text is borrowed
 * until the next run. */
const char *furrow_run(int code, const char *const *args);
#define RUN(code, ...) furrow_run(code, (const char *const[]){__VA_ARGS__, NULL})

/* Fails the test unless part is in text. */
void text_has(const char *text, const char *part);

#endif
