#include "cli/service.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

enum { PAUSE_MIN_MS = 500, PAUSE_MAX_MS = 15000, HEALTHY_MS = 30000, EXEC_FAILED = 127 };

void service_user_choose(struct service_user *out)
{
    static const char *const names[] = {"furrow", "postgres", "nobody"};

    *out = (struct service_user){0};
    for (size_t i = 0; geteuid() == 0 && i < ARRAY_LEN(names); i++) {
        const struct passwd *pw = getpwnam(names[i]);
        if (!pw)
            continue;
        str_cut(out->name, sizeof(out->name), names[i]);
        out->uid = pw->pw_uid;
        out->gid = pw->pw_gid;
        return;
    }
}

static int become(const struct service_user *user)
{
    if (!user || !user->name[0])
        return 0;
    return initgroups(user->name, user->gid) || setgid(user->gid) || setuid(user->uid);
}

bool service_user_reaches(const struct service_user *user, const char *path)
{
    int status = 0;

    pid_t pid = fork();
    if (pid == 0)
        _exit(become(user) || access(path, R_OK | X_OK) ? 1 : 0);
    if (pid < 0)
        return false;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void child(const struct service *s)
{
    sigset_t none;

    int log = open(s->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (log < 0 || null < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0)
        _exit(EXEC_FAILED);
    setsid(); /* Ctrl-C is for `furrow up`, which ends its children in order */
    if (become(s->user))
        _exit(EXEC_FAILED);
    prctl(PR_SET_PDEATHSIG, s->stop_signal); /* after setuid, which clears it */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    execvp(s->argv[0], (char *const *)(uintptr_t)s->argv);
    _exit(EXEC_FAILED);
}

int service_start(struct service *s)
{
    pid_t pid = fork();

    if (pid == 0)
        child(s);
    if (pid < 0)
        return errno;
    s->pid = pid;
    s->started_ms = mono_ms();
    s->restart_at_ms = 0;
    return 0;
}

bool service_tend(struct service *s, int64_t mono_now_ms)
{
    int status = 0;

    if (s->pid > 0 && waitpid(s->pid, &status, WNOHANG) == s->pid) {
        if (mono_now_ms - s->started_ms > HEALTHY_MS)
            s->restarts = 0;
        s->status = status;
        int shift = s->restarts < 6 ? s->restarts : 6;
        int64_t pause_ms = (int64_t)PAUSE_MIN_MS << shift;
        s->pid = 0;
        s->restarts++;
        s->restart_at_ms =
            mono_now_ms + (pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS);
        return true;
    }
    if (s->pid == 0 && s->restart_at_ms && mono_now_ms >= s->restart_at_ms &&
        service_start(s))
        s->restart_at_ms = mono_now_ms + PAUSE_MAX_MS;
    return false;
}

void service_signal_stop(struct service *s)
{
    s->restart_at_ms = 0;
    if (s->pid > 0)
        kill(s->pid, s->stop_signal);
}

/* True when it ended within the time; its status is kept in *status. */
static bool await(struct service *s, int timeout_ms, int *status)
{
    int fd = (int)syscall(SYS_pidfd_open, s->pid, 0);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int64_t end_ms = mono_ms() + timeout_ms;
    int n = 0;

    do {
        int64_t left = end_ms - mono_ms();
        n = fd < 0 ? 0 : poll(&p, 1, left > 0 ? (int)left : 0);
    } while (n < 0 && errno == EINTR && mono_ms() < end_ms);
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return false;
    while (waitpid(s->pid, status, 0) < 0 && errno == EINTR)
        ;
    s->pid = 0;
    return true;
}

void service_wait_stop(struct service *s)
{
    int status = 0;

    if (s->pid <= 0 || await(s, s->stop_ms, &status))
        return;
    kill(s->pid, SIGKILL);
    while (waitpid(s->pid, &status, 0) < 0 && errno == EINTR)
        ;
    s->pid = 0;
}

int service_run_once(struct service *s, int timeout_ms)
{
    int status = 0;

    int err = service_start(s);
    if (err)
        return err;
    if (!await(s, timeout_ms, &status)) {
        service_wait_stop(s);
        return ETIMEDOUT;
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : ECHILD;
}
