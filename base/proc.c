#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

enum { DEFAULT_TIMEOUT_MS = 30000, EXEC_FAILED = 127, NOBODY = 65534 };

static void limit(int what, int64_t n)
{
    if (n > 0)
        setrlimit(what, &(struct rlimit){(rlim_t)n, (rlim_t)n});
}

/* The kernel's own calls: the library's tell other threads, which a child has not. */
static bool confine(void)
{
    bool root = geteuid() == 0;

    /* A namespace without a network; not every kernel or container lets us make one. */
    (void)unshare(root ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    if (root && (syscall(SYS_setgroups, 0, NULL) ||
                 syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY) ||
                 syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY)))
        return false;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

/* Only async-signal-safe calls: other threads may have held locks at fork. */
static void child(const struct proc *p, int in)
{
    int out = open(p->output_path ? p->output_path : "/dev/null",
                   O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    sigset_t none;

    if (p->input_path)
        in = open(p->input_path, O_RDONLY | O_CLOEXEC);
    if (in < 0 || out < 0 || null < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 ||
        dup2(null, 2) < 0)
        _exit(EXEC_FAILED);
    setpgid(0, 0);
    limit(RLIMIT_AS, (int64_t)p->memory_mb << 20);
    limit(RLIMIT_CPU, p->cpu_s);
    limit(RLIMIT_FSIZE, p->output_bytes);
    if (p->confined && !confine())
        _exit(EXEC_FAILED);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a change of user would clear it */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    execvp(p->argv[0], (char *const *)(unsigned long)p->argv);
    _exit(EXEC_FAILED);
}

/* Feed stdin without ever blocking longer than the deadline. */
static void feed(int fd, const struct proc *p, int64_t deadline_ms)
{
    size_t done = 0;

    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (p->input && done < p->input_len) {
        ssize_t n = write(fd, p->input + done, p->input_len - done);
        if (n > 0) {
            done += (size_t)n;
            continue;
        }
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            break;
        int64_t left = deadline_ms - mono_ms();
        if (left <= 0 ||
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, (int)left) == 0)
            break;
    }
    close(fd);
}

static int await(pid_t pid, int64_t deadline_ms, int *status)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    int64_t left = deadline_ms - mono_ms();
    int err = 0;

    if (left < 0)
        left = 0;
    if (pidfd < 0 ||
        poll(&(struct pollfd){.fd = pidfd, .events = POLLIN}, 1, (int)left) <= 0) {
        kill(-pid, SIGKILL);
        kill(pid, SIGKILL);
        err = ETIMEDOUT;
    }
    if (pidfd >= 0)
        close(pidfd);
    while (waitpid(pid, status, 0) < 0 && errno == EINTR)
        ;
    return err;
}

int proc_run(const struct proc *p, int *status)
{
    int fds[2], st = 0;
    int64_t deadline_ms =
        mono_ms() + (p->timeout_ms > 0 ? p->timeout_ms : DEFAULT_TIMEOUT_MS);

    if (pipe2(fds, O_CLOEXEC))
        return errno;
    pid_t pid = fork();
    if (pid == 0)
        child(p, fds[0]);
    close(fds[0]);
    if (pid < 0) {
        close(fds[1]);
        return EAGAIN;
    }
    feed(fds[1], p, deadline_ms);
    int err = await(pid, deadline_ms, &st);
    if (status)
        *status = st;
    if (err)
        return err;
    if (WIFEXITED(st) && WEXITSTATUS(st) == EXEC_FAILED)
        return ENOENT;
    return WIFEXITED(st) && WEXITSTATUS(st) == 0 ? 0 : ECHILD;
}

bool proc_exists(const char *program)
{
    const char *at = getenv("PATH");
    char path[1024];

    while (at && *at) {
        size_t n = strcspn(at, ":");
        int len = snprintf(path, sizeof(path), "%.*s/%s", (int)n, at, program);
        if (n > 0 && len > 0 && (size_t)len < sizeof(path) && access(path, X_OK) == 0)
            return true;
        at += n + (at[n] == ':');
    }
    return false;
}
