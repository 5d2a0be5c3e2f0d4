/* A host for the tests: hands raw frames of a file to the client, and writes what came back.
 *
 * plugin_host FORMAT WIDTH HEIGHT PATIENCE_MS PAUSE_MS MODEL IN OUT [OPTION...]
 *
 * FORMAT is as in the header. Options are exchange, always, denoise=SHARE, before=SHARE, step=MS,
 * stay=MS, which is how long the host goes on without a stream.
 * Rows are padded on the host's side. Prints a line for each frame: 1 if it was enhanced, else 0,
 * and how many milliseconds the call took.
 */
#define _GNU_SOURCE
#include "tapetum_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PADDING 13

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

/* What exchanges waits for no start, so the host does: new scenes of its frame, which it keeps. */
static void wait_for_worker(tapetum_stream *stream, tapetum_frame frame, const size_t *rows)
{
    for (int plane = 0; plane < 3; plane++) {
        size_t bytes = rows[plane] * frame.strides[plane] + 1;
        frame.planes[plane] = memcpy(malloc(bytes), frame.planes[plane], bytes);
    }
    for (int tried = 0; tried < 900; tried++) {
        frame.time_ns = (tried - 1000) * 10000000000LL;
        if (tapetum_exchange(stream, &frame))
            break;
        nanosleep(&(struct timespec){0, 100000000}, NULL);
    }
    for (int plane = 0; plane < 3; plane++)
        free(frame.planes[plane]);
}

int main(int count, char **words)
{
    if (count < 9)
        return 2;
    unsigned format = atoi(words[1]), width = atoi(words[2]), height = atoi(words[3]);
    int pause_ms = atoi(words[5]);
    size_t half = (width + 1) / 2, rows[3] = {height, (height + 1) / 2, (height + 1) / 2};
    size_t columns[3] = {0};
    switch (format) {
    case TAPETUM_I420: columns[0] = width; columns[1] = columns[2] = half; break;
    case TAPETUM_NV12: columns[0] = width; columns[1] = 2 * half; break;
    case TAPETUM_P010: columns[0] = 2 * width; columns[1] = 4 * half; break;
    case TAPETUM_I010: columns[0] = 2 * width; columns[1] = columns[2] = 2 * half; break;
    case TAPETUM_I422:
    case TAPETUM_I444:
        rows[1] = rows[2] = height;
        columns[0] = width;
        columns[1] = columns[2] = format == TAPETUM_I444 ? width : half;
        break;
    case TAPETUM_YUY2:
    case TAPETUM_UYVY:
    case TAPETUM_YVYU: columns[0] = 4 * half; break;
    default: columns[0] = 4 * width;
    }
    tapetum_options options = {.patience_ms = atoi(words[4])};
    tapetum_stream *stream = tapetum_open(&options);
    tapetum_frame frame = {.format = format, .width = width, .height = height, .matrix = 6,
                           .range = 1, .primaries = 2, .transfer = 2, .strength = 1,
                           .model = words[6]};
    bool exchange = false;
    int64_t step_ms = 40;
    int stay_ms = 0;
    for (int word = 9; word < count; word++) {
        const char *value = strchr(words[word], '=');
        if (!strcmp(words[word], "exchange"))
            exchange = true;
        else if (!strcmp(words[word], "always"))
            frame.always = true;
        else if (value && !strncmp(words[word], "denoise", 7))
            frame.denoise = (float)atof(value + 1);
        else if (value && !strncmp(words[word], "before", 6))
            frame.before = (float)atof(value + 1);
        else if (value && !strncmp(words[word], "step", 4))
            step_ms = atoi(value + 1);
        else if (value && !strncmp(words[word], "stay", 4))
            stay_ms = atoi(value + 1);
        else
            return 2;
    }
    for (int plane = 0; plane < 3; plane++) {
        frame.strides[plane] = columns[plane] + PADDING;
        frame.planes[plane] = malloc(rows[plane] * (columns[plane] + PADDING) + 1);
    }
    FILE *in = fopen(words[7], "rb"), *out = fopen(words[8], "wb");
    if (!in || !out)
        return 2;
    for (int number = 0;; number++) {
        for (int plane = 0; plane < 3; plane++)
            for (size_t row = 0; columns[plane] && row < rows[plane]; row++)
                if (!fread(frame.planes[plane] + row * frame.strides[plane], columns[plane], 1, in))
                    goto end;
        if (exchange && number == 0)
            wait_for_worker(stream, frame, rows);
        frame.time_ns = number * step_ms * 1000000;
        double begin = now_ms();
        int enhanced = exchange ? tapetum_exchange(stream, &frame) : tapetum_enhance(stream, &frame);
        printf("%d %.2f\n", enhanced, now_ms() - begin);
        fflush(stdout);
        for (int plane = 0; plane < 3; plane++)
            for (size_t row = 0; columns[plane] && row < rows[plane]; row++)
                fwrite(frame.planes[plane] + row * frame.strides[plane], columns[plane], 1, out);
        struct timespec pause = {0, pause_ms * 1000000L};
        nanosleep(&pause, NULL);
    }
end:
    for (int plane = 0; plane < 3; plane++)
        free(frame.planes[plane]);
    fclose(in);
    fclose(out);
    tapetum_close(stream);
    nanosleep(&(struct timespec){stay_ms / 1000, stay_ms % 1000 * 1000000L}, NULL);
    return 0;
}
