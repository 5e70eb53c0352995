#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

enum { DEFAULT_TIMEOUT_MS = 30000, EXEC_FAILED = 127 };

/* Only async-signal-safe calls: other threads may have held locks at fork. */
static void child(const struct proc *p, int in)
{
    int out = open(p->output_path ? p->output_path : "/dev/null",
                   O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    sigset_t none;

    if (out < 0 || null < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(null, 2) < 0)
        _exit(EXEC_FAILED);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (p->memory_mb > 0) {
        rlim_t bytes = (rlim_t)p->memory_mb << 20;
        setrlimit(RLIMIT_AS, &(struct rlimit){bytes, bytes});
    }
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
