/* Calls of the plugins' client, timed without Python, whose lock a thread may have to wait for. */
#define _GNU_SOURCE
#include "tapetum_client.h"

#include <time.h>

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void say_nothing(void *context, const char *line)
{
    (void)context;
    (void)line;
}

tapetum_stream *timed_open(const char *python, int patience_ms)
{
    tapetum_options options = {.python = python, .patience_ms = patience_ms, .log = say_nothing};
    return tapetum_open(&options);
}

/* Enhance or exchange a frame. */
bool timed_call(tapetum_stream *stream, const tapetum_frame *frame, bool exchange, int64_t *took_ns)
{
    int64_t begin_ns = now_ns();
    bool bright = exchange ? tapetum_exchange(stream, frame) : tapetum_enhance(stream, frame);
    *took_ns = now_ns() - begin_ns;
    return bright;
}

/* Sleep, and say how long it took. */
int64_t timed_sleep_ns(int64_t wanted_ns)
{
    struct timespec wanted = {wanted_ns / 1000000000LL, wanted_ns % 1000000000LL};
    int64_t begin_ns = now_ns();
    nanosleep(&wanted, NULL);
    return now_ns() - begin_ns;
}
