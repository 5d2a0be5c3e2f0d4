/* The client of Tapetum's worker: brightens a host's video frames in another process.
 *
 * A host opens one stream for each video and hands its frames over, which are changed in place.
 * Whatever happens to the worker, a frame that is not enhanced in time stays as it was: the host
 * is never ended by it. A stream is used by one thread at a time; streams are independent.
 *
 * C11 and POSIX (Linux). Compile tapetum_client.c into the plugin; link with -pthread and -ldl.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAPETUM_CLIENT_H
#define TAPETUM_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAPETUM_NO_TIME INT64_MIN
#define TAPETUM_LIVE_PATIENCE_MS 40
#define TAPETUM_DENOISE_AUTO (-1.0f)

typedef enum {
    TAPETUM_I420 = 1,
    TAPETUM_NV12,
    TAPETUM_P010, /* little endian */
    TAPETUM_YUY2,
    TAPETUM_RGBA, /* alpha is kept */
    TAPETUM_BGRA,
    TAPETUM_I422,
    TAPETUM_I444,
    TAPETUM_I010, /* little endian */
    TAPETUM_UYVY,
    TAPETUM_YVYU
} tapetum_format;

typedef struct {
    tapetum_format format;
    uint32_t width, height; /* pixels; any size from 1x1, odd ones too */
    uint8_t *planes[3];     /* as many as the format has */
    ptrdiff_t strides[3];   /* bytes from row to row */
    int64_t time_ns;        /* on the video's own clock, or TAPETUM_NO_TIME; a jump is a new scene */
    uint8_t matrix;         /* code points of ITU-T H.273; 2 is unspecified */
    uint8_t range;          /* 1 limited, 2 full, 0 unspecified */
    uint8_t primaries, transfer;
    float strength;         /* 0 leaves the frame as it is, 1 is the model's output, 2 the most */
    float denoise;          /* 0 is off, up to 1; or TAPETUM_DENOISE_AUTO */
    float before;           /* so much of the width, from the left, stays as it was; 0 to 1 */
    bool always;            /* brighten what is well lit too */
    const char *model;      /* "grid", "unet" or a file; NULL is "grid" */
} tapetum_frame;

typedef struct {
    const char *python; /* the Python that has Tapetum; NULL for the one of TAPETUM_PYTHON */
    int patience_ms;    /* how long a frame may take; TAPETUM_LIVE_PATIENCE_MS for live video */
    void (*log)(void *context, const char *line); /* NULL for stderr */
    void *log_context;
} tapetum_options;

typedef struct tapetum_stream tapetum_stream;

/* Open a stream; NULL where memory runs out. The worker starts with the first frame. */
tapetum_stream *tapetum_open(const tapetum_options *options);

/* Enhance a frame in place. False if it was left as it was; why is logged once. */
bool tapetum_enhance(tapetum_stream *stream, const tapetum_frame *frame);

/* For live video: hand a frame over, and fill it with the last one that came back, which is mostly
 * the one before it. Does not wait for the enhancing, but for the first frame, for patience_ms at
 * most. A slow worker's last frame is shown again, for a second, rather than flash dark ones.
 * False if the frame was left as it was; why is logged once. */
bool tapetum_exchange(tapetum_stream *stream, const tapetum_frame *frame);

/* Why the last frame was left as it was; NULL if it was not. */
const char *tapetum_reason(const tapetum_stream *stream);

/* Close a stream; the last one ends the worker. */
void tapetum_close(tapetum_stream *stream);

#endif
