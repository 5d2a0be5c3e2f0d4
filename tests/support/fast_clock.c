/* Linked with --wrap=clock_gettime: the monotonic clock runs ten times as fast. */
#define _POSIX_C_SOURCE 200809L
#include <time.h>

int __real_clock_gettime(clockid_t, struct timespec *);

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
    int failed = __real_clock_gettime(clock, time);
    if (clock == CLOCK_MONOTONIC && !failed) {
        long long tenths = time->tv_nsec * 10LL;
        time->tv_sec = time->tv_sec * 10 + tenths / 1000000000;
        time->tv_nsec = tenths % 1000000000;
    }
    return failed;
}
