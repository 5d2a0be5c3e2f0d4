// Runs the CUDA kernels on the host: the code of each thread, one after another, block by block.

#include "kernels.cu"
#include "picture_edges.cu"
#include "steady_grid.cu"
#include "restoring.cu"

#include <vector>

template <class T>
static void grid_block(int row, int threads, const Picture &in, const Colors &colors,
                       const float *grid, const Picture &out) {
    GridRow table;
    for (int i = 0; i < threads; ++i)
        interpolate_rows(i, threads, grid, row, in, table);
    for (int i = 0; i < threads; ++i) apply_row<T>(i, threads, row, in, colors, table, out);
}

template <class T>
static void thumbnail_block(int block, int row, int threads, unsigned shared, const Picture &in,
                            const Colors &colors, float *out) {
    // Poison, because shared memory is not cleared either.
    std::vector<unsigned> sums(shared / sizeof(unsigned), 0xDEADBEEF);
    for (int i = 0; i < threads; ++i) sum_bins<T>(i, threads, block, row, in, sums.data());
    for (int i = 0; i < threads; ++i)
        write_thumbnail(i, block, row, in, colors, sums.data(), out);
}

#define JOINED(NAME, OF, BITS) NAME##_##OF##_##BITS
#define NAMED(NAME, OF, BITS) JOINED(NAME, OF, BITS)

#define RUN(T, BITS)                                                                             \
    extern "C" void NAMED(planes_to_rgb, CHROMA, BITS)(int grid_x, int grid_y, int threads, unsigned,          \
                                         const Picture *in, const Colors *colors,                \
                                         const Tensor *out) {                                    \
        for (int y = 0; y < grid_y; ++y)                                                         \
            for (int i = 0; i < grid_x * threads; ++i) planes_to_rgb<T>(i, y, *in, *colors, *out); \
    }                                                                                            \
    extern "C" void NAMED(change_to_planes, CHROMA, BITS)(int grid_x, int grid_y, int threads, unsigned,       \
                                            const Picture *in, const Colors *colors,             \
                                            const Tensor *result, const float *strength,         \
                                            const Picture *out, float *fault) {                  \
        for (int y = 0; y < grid_y; ++y)                                                         \
            for (int i = 0; i < grid_x * threads; ++i)                                           \
                change_to_planes<T>(i, y, *in, *colors, *result, *strength, *out, fault);               \
    }                                                                                            \
    extern "C" void NAMED(apply_grid, CHROMA, BITS)(int grid_x, int, int threads, unsigned, const Picture *in, \
                                      const Colors *colors, const float *grid,                   \
                                      const Picture *out) {                                      \
        for (int x = 0; x < grid_x; ++x)                                                         \
            grid_block<T>(x, threads, *in, *colors, grid, *out);                                 \
    }                                                                                            \
    extern "C" void NAMED(thumbnail, CHROMA, BITS)(int grid_x, int grid_y, int threads, unsigned shared,       \
                                     const Picture *in, const Colors *colors, float *out) {      \
        for (int y = 0; y < grid_y; ++y)                                                         \
            for (int x = 0; x < grid_x; ++x)                                                     \
                thumbnail_block<T>(x, y, threads, shared, *in, *colors, out);                    \
    }                                                                                            \
    extern "C" void NAMED(look_around, CHROMA, BITS)(int grid_x, int, int threads, unsigned,     \
                                                     const Picture *in, const float *thumbnail,  \
                                                     float *corners, T *samples) {               \
        for (int i = 0; i < grid_x * threads; ++i)                                               \
            look_around<T>(i, *in, thumbnail, corners, samples);                                 \
    }                                                                                            \
    extern "C" void NAMED(keep_outside, CHROMA, BITS)(int grid_x, int grid_y, int threads,       \
                                                      unsigned, const Picture *in,               \
                                                      const Circles *circles,                    \
                                                      const Picture *out) {                      \
        for (int y = 0; y < grid_y; ++y)                                                         \
            for (int i = 0; i < grid_x * threads; ++i)                                           \
                keep_outside<T>(i, y, *in, *circles, *out);                                      \
    }

RUN(unsigned char, 8)
RUN(unsigned short, 16)

#if CHROMA == 420
extern "C" void smooth_grid(int, int, int threads, unsigned, const float *thumbnail,
                            const float *grid, const Smoothing *by, const Past *past,
                            const Past *next, float *applied, float *fault) {
    Views views;
    for (int i = 0; i < threads; ++i) view_pixel(i, thumbnail, views);
    for (int i = 0; i < threads; ++i) sum_view_row(i, *past, views);
    for (int i = 0; i < threads; ++i) average_view(i, views);
    Darkness cells;
    Trials trials;
    for (int i = 0; i < threads; ++i) look_at_cell(i, thumbnail, cells);
    if (by->brightness)
        for (int i = 0; i < threads; ++i) try_strengths(i, threads, grid, cells, trials);
    for (int i = 0; i < threads; ++i) sum_trials(i, trials);
    for (int i = 0; i < threads; ++i) average_trials(i, trials);
    for (int i = 0; i < threads; ++i) choose_strength(i, by->brightness, trials);
    for (int i = 0; i < threads; ++i) rank_cell(i, cells);
    for (int i = 0; i < threads; ++i) darken_cell(i, cells);
    for (int i = 0; i < threads; ++i) find_large(i, cells);
    for (int i = 0; i < threads; ++i) grow_cell(i, cells);
    for (int i = 0; i < threads; ++i) share_cell(i, cells);
    for (int i = 0; i < threads; ++i)
        smooth(i, grid, *by, *past, *next, views, cells, trials, applied, fault);
}

extern "C" void measure_cells(int grid_x, int, int threads, unsigned, const float *thumbnail,
                              float *luma) {
    for (int i = 0; i < grid_x * threads; ++i) luma[i] = cell_luma(i, thumbnail);
}
#endif

extern "C" int entry_bytes() { return sizeof(Entry); }

extern "C" int entries_of_a_level() { return STEPS; }

extern "C" int sums_needed(int width, int block) {
    const int chroma = chroma_width(width), last = block * BLOCK_BINS + BLOCK_BINS - 1;
    const int luma_end = (bin_end(last, width) - block_start(block, width, 1) + 3) & ~3;
    const int chroma_end = (2 * bin_end(last, chroma) - block_start(block, chroma, 2) + 3) & ~3;
    return luma_end > chroma_sums(width) ? -1 : chroma_sums(width) + chroma_end;
}

#include "host_restoring.h"
