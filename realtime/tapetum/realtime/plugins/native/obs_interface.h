/* What the filter for OBS Studio uses of libobs: names, numbers and layouts, no code.
 *
 * Written from the reference at docs.obsproject.com, for OBS 28 and newer, whose later versions
 * only add to it. So nothing but a compiler is needed to make the plugin: its symbols are found in
 * the running OBS. SPDX-License-Identifier: MIT
 */
#ifndef TAPETUM_OBS_INTERFACE_H
#define TAPETUM_OBS_INTERFACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OBS_OLDEST_VERSION (28u << 24)
#define OBS_FILTER 1
#define OBS_ASYNC_VIDEO (1 << 2 | 1 << 0)
#define OBS_LOG_WARNING 200
#define OBS_LOG_INFO 300
#define OBS_COMBO_EDITABLE 1
#define OBS_COMBO_LIST 2
#define OBS_COMBO_STRING 3
#define OBS_TEXT_INFO 3
#define OBS_PLANES 8
#define OBS_TRC_PQ 2
#define OBS_TRC_HLG 3

enum obs_format {
    OBS_I420 = 1,
    OBS_NV12,
    OBS_YVYU,
    OBS_YUY2,
    OBS_UYVY,
    OBS_RGBA,
    OBS_BGRA,
    OBS_BGRX,
    OBS_I444 = 10,
    OBS_I422 = 12,
    OBS_I010 = 17,
    OBS_P010
};

typedef struct obs_data obs_data_t;
typedef struct obs_module obs_module_t;
typedef struct obs_properties obs_properties_t;
typedef struct obs_property obs_property_t;
typedef struct obs_source obs_source_t;

/* One frame; what comes after these is libobs's own. */
struct obs_source_frame {
    uint8_t *data[OBS_PLANES];
    uint32_t linesize[OBS_PLANES];
    uint32_t width, height;
    uint64_t timestamp; /* nanoseconds */
    int format;
    float color_matrix[16]; /* from YUV to RGB, by rows */
    bool full_range;
    uint16_t max_luminance;
    float color_range_min[3], color_range_max[3];
    bool flip;
    uint8_t flags, trc;
};

/* libobs is told how many of its members there are. */
struct obs_source_info {
    const char *id;
    int type;
    uint32_t output_flags;
    const char *(*get_name)(void *type_data);
    void *(*create)(obs_data_t *settings, obs_source_t *source);
    void (*destroy)(void *data);
    uint32_t (*get_width)(void *data);
    uint32_t (*get_height)(void *data);
    void (*get_defaults)(obs_data_t *settings);
    obs_properties_t *(*get_properties)(void *data);
    void (*update)(void *data, obs_data_t *settings);
    void (*activate)(void *data);
    void (*deactivate)(void *data);
    void (*show)(void *data);
    void (*hide)(void *data);
    void (*video_tick)(void *data, float seconds);
    void (*video_render)(void *data, void *effect);
    struct obs_source_frame *(*filter_video)(void *data, struct obs_source_frame *frame);
};

void obs_register_source_s(const struct obs_source_info *info, size_t size);
void blog(int level, const char *format, ...);
obs_source_t *obs_filter_get_parent(const obs_source_t *filter);
bool obs_source_showing(const obs_source_t *source);
const char *obs_source_get_name(const obs_source_t *source);
void obs_source_update_properties(obs_source_t *source);

const char *obs_data_get_string(obs_data_t *data, const char *name);
double obs_data_get_double(obs_data_t *data, const char *name);
bool obs_data_get_bool(obs_data_t *data, const char *name);
void obs_data_set_default_string(obs_data_t *data, const char *name, const char *value);
void obs_data_set_default_double(obs_data_t *data, const char *name, double value);
void obs_data_set_default_bool(obs_data_t *data, const char *name, bool value);

obs_properties_t *obs_properties_create(void);
obs_property_t *obs_properties_add_bool(obs_properties_t *all, const char *name, const char *text);
obs_property_t *obs_properties_add_float_slider(obs_properties_t *all, const char *name,
                                                const char *text, double least, double most,
                                                double step);
obs_property_t *obs_properties_add_list(obs_properties_t *all, const char *name, const char *text,
                                        int type, int format);
size_t obs_property_list_add_string(obs_property_t *list, const char *text, const char *value);
obs_property_t *obs_properties_add_text(obs_properties_t *all, const char *name, const char *text,
                                        int type);

#endif
