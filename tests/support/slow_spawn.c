/* Linked with --wrap=posix_spawn: a program takes SLOW_SPAWN_MS to start, as from a disk that is away. */
#define _POSIX_C_SOURCE 200809L
#include <spawn.h>
#include <stdlib.h>
#include <time.h>

int __real_posix_spawn(pid_t *, const char *, const posix_spawn_file_actions_t *,
                       const posix_spawnattr_t *, char *const[], char *const[]);

int __wrap_posix_spawn(pid_t *pid, const char *program, const posix_spawn_file_actions_t *files,
                       const posix_spawnattr_t *how, char *const words[], char *const variables[])
{
    long wait_ms = atol(getenv("SLOW_SPAWN_MS"));
    nanosleep(&(struct timespec){wait_ms / 1000, wait_ms % 1000 * 1000000}, NULL);
    return __real_posix_spawn(pid, program, files, how, words, variables);
}
