/* A child is told to die at a place; the parent sees how, and what was noted. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/files.h"
#include "unit/cm.h"

enum { PASSES = 5 };

/* How many passes of "here" a child survives; PASSES when it is not killed. */
static int passes_survived(const char *wanted, const char *log)
{
    int pipe_fd[2];
    char passed[PASSES];
    int status = 0;

    assert_int_equal(pipe(pipe_fd), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        setenv("FURROW_FAULT", wanted, 1);
        setenv("FURROW_FAULT_LOG", log, 1);
        for (int i = 0; i < PASSES; i++) {
            fault_point("elsewhere");
            fault_point("here");
            if (write(pipe_fd[1], ".", 1) != 1)
                _exit(2);
        }
        _exit(0);
    }
    close(pipe_fd[1]);
    int n = 0;
    while (n < PASSES && read(pipe_fd[0], passed, 1) == 1)
        n++;
    close(pipe_fd[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (n < PASSES) {
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGKILL);
    }
    return n;
}

static void dies_at_the_stated_pass_and_notes_it(void **state)
{
    char log[] = "/tmp/furrow-fault-XXXXXX";
    char *text = NULL;
    size_t len = 0;

    (void)state;
    int fd = mkstemp(log);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(passes_survived("here:3", log), 2);
    assert_int_equal(files_read(log, 1000, &text, &len), 0);
    assert_non_null(strstr(text, "here "));
    free(text);
    unlink(log);
}

static void dies_at_the_first_pass_without_a_number(void **state)
{
    (void)state;
    assert_int_equal(passes_survived("here", "/dev/null"), 0);
}

static void goes_on_when_the_wish_is_another_place_or_nonsense(void **state)
{
    (void)state;
    assert_int_equal(passes_survived("nowhere", "/dev/null"), PASSES);
    assert_int_equal(passes_survived("here:soon", "/dev/null"), PASSES);
    assert_int_equal(passes_survived("", "/dev/null"), PASSES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dies_at_the_stated_pass_and_notes_it),
        cmocka_unit_test(dies_at_the_first_pass_without_a_number),
        cmocka_unit_test(goes_on_when_the_wish_is_another_place_or_nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
