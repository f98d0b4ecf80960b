/* A library for LD_PRELOAD that tries, when the process ends, what a hostile file that took it over would: to read, change and make files, to
 * connect, and to start a program. It says what came of each in the file PROBE_LOG, which it opens before anything else happens. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int log_fd = -1;

__attribute__((constructor)) static void begin(void) {
    const char *log = getenv("PROBE_LOG");
    if (log) log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
}

static void say(const char *what, int is_done) {
    dprintf(log_fd, "%s: %s\n", what, is_done ? "done" : errno == EACCES ? "denied" : strerror(errno));
}

__attribute__((destructor)) static void end(void) {
    const char *secret = getenv("PROBE_SECRET"), *new = getenv("PROBE_NEW"), *port = getenv("PROBE_PORT");
    if (log_fd < 0 || !secret || !new || !port) return;
    say("read", open(secret, O_RDONLY | O_CLOEXEC) >= 0);
    say("change", open(secret, O_WRONLY | O_CLOEXEC) >= 0);
    say("make", open(new, O_WRONLY | O_CREAT | O_CLOEXEC, 0666) >= 0);
    say("make a folder", mkdir(getenv("PROBE_FOLDER"), 0777) == 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(port)), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int to = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    say("connect", connect(to, (struct sockaddr *)&address, sizeof address) == 0);
    unsetenv("LD_PRELOAD");
    pid_t child = fork();
    if (child == 0) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(errno == EACCES ? 100 : 101);
    }
    int status = 0;
    waitpid(child, &status, 0);
    errno = WEXITSTATUS(status) == 100 ? EACCES : ENOSYS;
    say("start a program", WEXITSTATUS(status) == 0);
}
