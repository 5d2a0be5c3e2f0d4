/* The frei0r filter "tapetum", for FFmpeg, mpv, MLT (Kdenlive, Shotcut) and GStreamer.
 *
 * Written from frei0r's published interface, version 1.2. MLT calls f0r_deinit before it destroys
 * the instances, so everything belongs to an instance. SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "tapetum_client.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define FILTER 0
#define RGBA8888 1
#define INTERFACE_VERSION 1
#define FILE_PATIENCE_MS 60000 /* a file waits for the worker's start rather than begin dark */

enum parameter_type { BOOL = 0, DOUBLE = 1, STRING = 4 };
enum parameter { STRENGTH, MODEL, LIVE, DENOISE, WHEN_DARK, BEFORE, PARAMETERS };

typedef struct {
    const char *name, *author;
    int plugin_type, color_model, frei0r_version, major_version, minor_version, num_params;
    const char *explanation;
} plugin_info;

typedef struct {
    const char *name;
    int type;
    const char *explanation;
} parameter_info;

typedef struct {
    unsigned width, height;
    double strength, live, when_dark, before, last_time;
    char *model, *denoise;
    int64_t time_ns;
    tapetum_stream *stream;
} filter;

EXPORT int f0r_init(void)
{
    return 1;
}

EXPORT void f0r_deinit(void)
{
}

EXPORT void f0r_get_plugin_info(plugin_info *info)
{
    *info = (plugin_info){"tapetum", "The Tapetum developers", FILTER, RGBA8888, INTERFACE_VERSION,
                          0, 1, PARAMETERS, "Brightens dark video"};
}

EXPORT void f0r_get_param_info(parameter_info *info, int index)
{
    static const parameter_info all[PARAMETERS] = {
        {"strength", DOUBLE, "0 leaves the picture as it is, 1 is the model's output (default)"},
        {"model", STRING, "grid (default), unet, or a model file"},
        {"live", BOOL, "Never wait: leave frames dark that are not ready within 40 ms"},
        {"denoise", STRING, "off (default), auto, or from 0 to 1"},
        {"when-dark", BOOL, "Leave what is well lit as it is (default)"},
        {"before", DOUBLE, "So much of the width, from the left, stays as it was"},
    };
    if (index >= 0 && index < PARAMETERS)
        *info = all[index];
}

EXPORT void *f0r_construct(unsigned width, unsigned height)
{
    filter *made = calloc(1, sizeof *made);
    if (!made)
        return NULL;
    made->width = width;
    made->height = height;
    made->strength = made->when_dark = 1;
    made->last_time = NAN;
    return made;
}

EXPORT void f0r_destruct(void *instance)
{
    filter *ended = instance;
    tapetum_close(ended->stream);
    free(ended->model);
    free(ended->denoise);
    free(ended);
}

static void set_text(char **text, const char *value)
{
    char *copy = value ? strdup(value) : NULL; /* before the free: it may be our own */
    if (!copy)
        return;
    free(*text);
    *text = copy;
}

EXPORT void f0r_set_param_value(void *instance, void *value, int index)
{
    filter *self = instance;
    switch (index) {
    case STRENGTH:
        self->strength = *(double *)value;
        break;
    case MODEL:
        set_text(&self->model, *(char **)value);
        break;
    case LIVE:
        if ((*(double *)value >= 0.5) != (self->live >= 0.5)) {
            tapetum_close(self->stream); /* the next frame opens one with the other patience */
            self->stream = NULL;
        }
        self->live = *(double *)value;
        break;
    case DENOISE:
        set_text(&self->denoise, *(char **)value);
        break;
    case WHEN_DARK:
        self->when_dark = *(double *)value;
        break;
    case BEFORE:
        self->before = *(double *)value;
    }
}

EXPORT void f0r_get_param_value(void *instance, void *value, int index)
{
    filter *self = instance;
    static char grid[] = "grid", off[] = "off";
    switch (index) {
    case STRENGTH:
        *(double *)value = self->strength;
        break;
    case MODEL:
        *(char **)value = self->model ? self->model : grid;
        break;
    case LIVE:
        *(double *)value = self->live;
        break;
    case DENOISE:
        *(char **)value = self->denoise ? self->denoise : off;
        break;
    case WHEN_DARK:
        *(double *)value = self->when_dark;
        break;
    case BEFORE:
        *(double *)value = self->before;
    }
}

/* What is no number is refused by the worker, with a line that says so. */
static float denoise_of(const char *text)
{
    if (!text || !*text || !strcmp(text, "off"))
        return 0;
    if (!strcmp(text, "auto"))
        return TAPETUM_DENOISE_AUTO;
    char *end;
    double value = strtod(text, &end);
    return *end || value < 0 ? NAN : (float)value;
}

/* Hosts give seconds (frei0r's rule, MLT, GStreamer) or milliseconds (FFmpeg), and sometimes
 * neither. No two frames of a video are over a second or under a millisecond apart, so the step
 * tells which it is; any other step is a jump, which lasts long enough to start a new scene. */
static int64_t frame_time_ns(filter *self, double time)
{
    double step = time - self->last_time;
    self->last_time = time;
    if (step >= 0 && step <= 1)
        self->time_ns += (int64_t)(step * 1e9);
    else if (step > 1 && step <= 1000)
        self->time_ns += (int64_t)(step * 1e6);
    else
        self->time_ns += 10000000000LL;
    return self->time_ns;
}

EXPORT void f0r_update(void *instance, double time, const uint32_t *in, uint32_t *out)
{
    filter *self = instance;
    if (in != out)
        memcpy(out, in, (size_t)self->width * self->height * 4);
    if (!self->stream) {
        tapetum_options options = {
            .python = TAPETUM_PYTHON,
            .patience_ms = self->live >= 0.5 ? TAPETUM_LIVE_PATIENCE_MS : FILE_PATIENCE_MS};
        self->stream = tapetum_open(&options);
    }
    if (!self->stream)
        return;
    double strength = self->strength >= 0 ? fmin(self->strength, 2) : 0;
    tapetum_frame frame = {.format = TAPETUM_RGBA,
                           .width = self->width,
                           .height = self->height,
                           .planes = {(uint8_t *)out},
                           .strides = {(ptrdiff_t)self->width * 4},
                           .time_ns = frame_time_ns(self, time),
                           .matrix = 2,
                           .range = 2,
                           .primaries = 2,
                           .transfer = 2,
                           .strength = (float)strength,
                           .denoise = denoise_of(self->denoise),
                           .before = (float)self->before,
                           .always = self->when_dark < 0.5,
                           .model = self->model};
    tapetum_enhance(self->stream, &frame);
}
