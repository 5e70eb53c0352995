#include "store/furrow_run.h"

#include "unit/cm.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/pgtest.h"

enum { OUTPUT_MAX = 4000, ARGS_MAX = 32 };

const char *furrow_run(int code, const char *const *args)
{
    static char text[OUTPUT_MAX];
    const char *argv[ARGS_MAX] = {BUILD_DIR "/bin/furrow"};
    char path[300];
    int status = 0;

    for (size_t n = 1; *args && n < ARGS_MAX - 1; n++)
        argv[n] = *args++;
    assert_null(*args); /* all of them went in */
    snprintf(path, sizeof(path), "%s/output", pgtest_dir());
    pid_t pid = fork();
    if (pid == 0) {
        int out = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(open("/dev/null", O_RDONLY), 0);
        dup2(out, 1);
        dup2(out, 2);
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    fclose(f);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != code)
        fail_msg("wanted exit %d, status %#x: %s", code, (unsigned)status, text);
    return text;
}

void text_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("'%s' is not in: %s", part, text);
}
