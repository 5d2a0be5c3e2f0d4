/* The filter "Tapetum low light" for OBS Studio: brightens the frames of cameras and media.
 *
 * OBS draws nothing while a filter works, so no frame waits for its own enhancing: it shows the
 * one before, which came back in the meantime. SPDX-License-Identifier: MIT
 */
#define _GNU_SOURCE
#include "obs_interface.h"
#include "tapetum_client.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define MODEL_LENGTH 1024

typedef struct {
    float strength, denoise;
    bool when_dark, before;
    char model[MODEL_LENGTH];
} settings;

typedef struct {
    obs_source_t *source;
    tapetum_stream *stream;
    uint32_t width, height; /* that the log says it works with; 0 after a line that it does not */
    pthread_mutex_t lock;   /* of the two below, which other threads set and read */
    settings wanted;
    char status[700];
} filter;

EXPORT void obs_module_set_pointer(obs_module_t *module)
{
    (void)module;
}

EXPORT uint32_t obs_module_ver(void)
{
    return OBS_OLDEST_VERSION;
}

EXPORT const char *obs_module_name(void)
{
    return "Tapetum low light";
}

EXPORT const char *obs_module_description(void)
{
    return "Brightens dark video of cameras and media";
}

static const char *get_name(void *type_data)
{
    (void)type_data;
    return "Tapetum low light";
}

/* What the properties show; OBS draws them anew, so it is told of changes alone. */
static void set_status(filter *self, const char *text)
{
    pthread_mutex_lock(&self->lock);
    bool changed = strcmp(self->status, text) != 0;
    snprintf(self->status, sizeof self->status, "%s", text);
    pthread_mutex_unlock(&self->lock);
    if (changed)
        obs_source_update_properties(self->source);
}

static void log_line(void *context, const char *line)
{
    filter *self = context;
    self->width = self->height = 0;
    blog(OBS_LOG_WARNING, "[%s] %s", obs_source_get_name(self->source), line);
}

static void update(void *data, obs_data_t *values)
{
    filter *self = data;
    const char *denoise = obs_data_get_string(values, "denoise");
    double share = strtod(denoise, NULL);
    settings wanted = {.strength = (float)fmax(0, fmin(obs_data_get_double(values, "strength"), 2)),
                       .denoise = !strcmp(denoise, "auto") ? TAPETUM_DENOISE_AUTO
                                                           : (float)fmax(0, fmin(share, 1)),
                       .when_dark = obs_data_get_bool(values, "when_dark"),
                       .before = obs_data_get_bool(values, "before")};
    snprintf(wanted.model, sizeof wanted.model, "%s", obs_data_get_string(values, "model"));
    pthread_mutex_lock(&self->lock);
    self->wanted = wanted;
    pthread_mutex_unlock(&self->lock);
}

static void *create(obs_data_t *values, obs_source_t *source)
{
    filter *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    tapetum_options options = {.python = TAPETUM_PYTHON,
                               .patience_ms = TAPETUM_LIVE_PATIENCE_MS,
                               .log = log_line,
                               .log_context = self};
    self->source = source;
    self->stream = tapetum_open(&options);
    if (!self->stream) {
        free(self);
        return NULL;
    }
    pthread_mutex_init(&self->lock, NULL);
    snprintf(self->status, sizeof self->status, "No frame has come yet.");
    update(self, values);
    return self;
}

static void destroy(void *data)
{
    filter *self = data;
    tapetum_close(self->stream);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

static void get_defaults(obs_data_t *values)
{
    obs_data_set_default_double(values, "strength", 1);
    obs_data_set_default_string(values, "model", "grid");
    obs_data_set_default_string(values, "denoise", "off");
    obs_data_set_default_bool(values, "when_dark", true);
    obs_data_set_default_bool(values, "before", false);
}

static obs_properties_t *get_properties(void *data)
{
    filter *self = data;
    obs_properties_t *all = obs_properties_create();
    obs_properties_add_float_slider(all, "strength", "Strength", 0, 2, 0.05);
    obs_property_t *model =
        obs_properties_add_list(all, "model", "Model", OBS_COMBO_EDITABLE, OBS_COMBO_STRING);
    obs_property_list_add_string(model, "grid", "grid");
    obs_property_list_add_string(model, "unet", "unet");
    obs_property_t *denoise =
        obs_properties_add_list(all, "denoise", "Take noise out", OBS_COMBO_LIST, OBS_COMBO_STRING);
    obs_property_list_add_string(denoise, "No", "off");
    obs_property_list_add_string(denoise, "Where it is brightened", "auto");
    obs_property_list_add_string(denoise, "A quarter", "0.25");
    obs_property_list_add_string(denoise, "Half", "0.5");
    obs_property_list_add_string(denoise, "All", "1");
    obs_properties_add_bool(all, "when_dark", "Only when it is dark");
    obs_properties_add_bool(all, "before", "Compare: leave the left half as it is");
    pthread_mutex_lock(&self->lock);
    obs_properties_add_text(all, "status", self->status, OBS_TEXT_INFO);
    pthread_mutex_unlock(&self->lock);
    return all;
}

static tapetum_format format_of(int format)
{
    switch (format) {
    case OBS_I420: return TAPETUM_I420;
    case OBS_NV12: return TAPETUM_NV12;
    case OBS_YVYU: return TAPETUM_YVYU;
    case OBS_YUY2: return TAPETUM_YUY2;
    case OBS_UYVY: return TAPETUM_UYVY;
    case OBS_RGBA: return TAPETUM_RGBA;
    case OBS_BGRA:
    case OBS_BGRX: return TAPETUM_BGRA;
    case OBS_I444: return TAPETUM_I444;
    case OBS_I422: return TAPETUM_I422;
    case OBS_I010: return TAPETUM_I010;
    case OBS_P010: return TAPETUM_P010;
    default: return 0;
    }
}

/* H.273's code of the matrix: what red takes of Cr is 1.402 in BT.601, 1.5748 in BT.709 and 1.4746
 * in BT.2020, times 255/224 in limited range. */
static uint8_t matrix_of(const struct obs_source_frame *frame)
{
    double red = frame->color_matrix[2] * (frame->full_range ? 1 : 224.0 / 255);
    if (red < 1.3 || red > 1.7)
        return 2;
    return red < 1.438 ? 6 : red < 1.525 ? 9 : 1;
}

static bool halves_rows(tapetum_format format)
{
    return format == TAPETUM_I420 || format == TAPETUM_NV12 || format == TAPETUM_I010 ||
           format == TAPETUM_P010;
}

static bool brighten(filter *self, const struct obs_source_frame *frame)
{
    pthread_mutex_lock(&self->lock);
    settings wanted = self->wanted;
    pthread_mutex_unlock(&self->lock);
    bool is_hdr = frame->trc == OBS_TRC_PQ || frame->trc == OBS_TRC_HLG;
    tapetum_frame handed = {.format = format_of(frame->format),
                            .width = frame->width,
                            .height = frame->height,
                            .time_ns = (int64_t)frame->timestamp,
                            .matrix = matrix_of(frame),
                            .range = frame->full_range ? 2 : 1,
                            .primaries = is_hdr ? 9 : 2,
                            .transfer = is_hdr ? frame->trc == OBS_TRC_PQ ? 16 : 18 : 2,
                            .strength = wanted.strength,
                            .denoise = wanted.denoise,
                            .before = wanted.before ? 0.5f : 0,
                            .always = !wanted.when_dark,
                            .model = wanted.model};
    for (int plane = 0; plane < 3; plane++) {
        handed.planes[plane] = frame->data[plane];
        handed.strides[plane] = frame->linesize[plane];
    }
    /* OBS may keep no chroma for an odd last row: it gets the pixels of the one above. */
    bool odd = halves_rows(handed.format) && handed.height % 2;
    handed.height -= odd;
    bool bright = tapetum_exchange(self->stream, &handed);
    if (bright && odd) {
        uint8_t *last = frame->data[0] + (size_t)handed.height * frame->linesize[0];
        memcpy(last, last - frame->linesize[0], frame->linesize[0]);
    }
    return bright;
}

static struct obs_source_frame *filter_video(void *data, struct obs_source_frame *frame)
{
    filter *self = data;
    obs_source_t *shown = obs_filter_get_parent(self->source);
    if (!frame || !shown || !obs_source_showing(shown))
        return frame;
    char text[700];
    if (!brighten(self, frame)) { /* which is in the log already */
        snprintf(text, sizeof text, "Frames pass unchanged: %s.", tapetum_reason(self->stream));
        set_status(self, text);
        return frame;
    }
    snprintf(text, sizeof text, "Works: %u x %u pixels.", frame->width, frame->height);
    set_status(self, text);
    if (self->width != frame->width || self->height != frame->height)
        blog(OBS_LOG_INFO, "[%s] tapetum: works, %u x %u pixels", obs_source_get_name(self->source),
             frame->width, frame->height);
    self->width = frame->width;
    self->height = frame->height;
    return frame;
}

EXPORT bool obs_module_load(void)
{
    static const struct obs_source_info info = {.id = "tapetum_low_light",
                                                .type = OBS_FILTER,
                                                .output_flags = OBS_ASYNC_VIDEO,
                                                .get_name = get_name,
                                                .create = create,
                                                .destroy = destroy,
                                                .get_defaults = get_defaults,
                                                .get_properties = get_properties,
                                                .update = update,
                                                .filter_video = filter_video};
    obs_register_source_s(&info, sizeof info);
    return true;
}
