// Runs the kernels of the restoring stage on the host; read at the end of host_kernels.cpp.

#include <cstring>

#if CHROMA == 420

// Poison, because shared memory is not cleared either.
template <class T>
struct Poisoned {
    T of;
    Poisoned() { memset(static_cast<void *>(&of), 0xA5, sizeof of); }
};

#define EACH_BLOCK                     \
    for (int y = 0; y < grid_y; ++y) \
        for (int x = 0; x < grid_x; ++x)
#define EACH_THREAD for (int i = 0; i < threads; ++i)
#define GEOMETRY int grid_x, int grid_y, int threads, unsigned
#define OF_FRAME const Picture *in, const Colors *colors, const Restoring *s

#define RUN_RESTORING(T, BITS)                                                             \
    extern "C" void halve_frame_##BITS(GEOMETRY, OF_FRAME) {                               \
        EACH_BLOCK EACH_THREAD halve_frame<T>(x * threads + i, y, *in, *colors, *s);       \
    }                                                                                      \
    extern "C" void learn_##BITS(GEOMETRY, OF_FRAME) {                                     \
        EACH_BLOCK {                                                                       \
            Poisoned<Changes> changes;                                                     \
            EACH_THREAD compare_cells<T>(i, threads, x, y, *in, *colors, *s, changes.of);  \
            EACH_THREAD learn_cell<T>(i, x, y, *in, *colors, *s, changes.of);              \
        }                                                                                  \
    }                                                                                      \
    extern "C" void finish_luma_##BITS(GEOMETRY, OF_FRAME) {                               \
        EACH_BLOCK {                                                                       \
            Poisoned<Tile> tile;                                                           \
            EACH_THREAD load_luma(i, threads, x, y, *s, tile.of);                          \
            EACH_THREAD finish_luma<T>(i, threads, x, y, *in, *colors, *s, tile.of);       \
        }                                                                                  \
    }                                                                                      \
    extern "C" void finish_chroma_##BITS(GEOMETRY, OF_FRAME) {                             \
        EACH_BLOCK {                                                                       \
            Poisoned<ChromaTiles> tiles;                                                   \
            EACH_THREAD load_chroma(i, threads, x, y, *s, tiles.of);                       \
            EACH_THREAD finish_chroma<T>(i, threads, x, y, *in, *colors, *s, tiles.of);    \
        }                                                                                  \
    }                                                                                      \
    extern "C" void apply_grid_to_restored_##BITS(GEOMETRY, const Picture *in,             \
                                                  const Colors *colors, const float *grid, \
                                                  const Picture *out, const Restoring *s) { \
        EACH_BLOCK {                                                                       \
            Poisoned<GridRow> table;                                                       \
            EACH_THREAD interpolate_rows(i, threads, grid, x, *in, table.of);              \
            EACH_THREAD apply_restored_row<T>(i, threads, x, *in, *colors, *s, table.of, *out); \
        }                                                                                  \
    }

RUN_RESTORING(unsigned char, 8)
RUN_RESTORING(unsigned short, 16)

extern "C" void halve_known(GEOMETRY, const int *scale, const Restoring *s) {
    EACH_BLOCK EACH_THREAD halve_known(x * threads + i, y, *scale, *s);
}

extern "C" void compare_means(GEOMETRY, const Restoring *s) {
    EACH_BLOCK EACH_THREAD compare_means(x * threads + i, *s);
}

extern "C" void find_medians(GEOMETRY, const Restoring *s) {
    EACH_BLOCK EACH_THREAD find_medians(x * threads + i, *s);
}

extern "C" void draw_light(GEOMETRY, const Restoring *s) {
    EACH_BLOCK EACH_THREAD draw_light(x * threads + i, *s);
}

extern "C" void relight_cells(GEOMETRY, const Restoring *s) {
    EACH_BLOCK EACH_THREAD relight_cell(x * threads + i, y, *s);
}

extern "C" void plan_restoring(GEOMETRY, const float *grid, const FrameNoise *noise,
                               const Restoring *s) {
    Poisoned<Planning> planning;
    EACH_BLOCK {
        EACH_THREAD sum_cells(i, grid, planning.of);
        EACH_THREAD average_cells(i, planning.of);
        EACH_THREAD brighten_step(i, *noise, planning.of);
        EACH_THREAD plan_step(i, *noise, planning.of, *s->plan);
        EACH_THREAD sum_seen(i, planning.of);
        EACH_THREAD decide(i, *s, planning.of);
    }
}

extern "C" void compare_wide(GEOMETRY, const Restoring *s) {
    EACH_BLOCK EACH_THREAD compare_wide(x * threads + i, y, *s);
}

extern "C" void judge_wide(GEOMETRY, const Restoring *s) {
    EACH_BLOCK EACH_THREAD judge_wide(x * threads + i, y, *s);
}

template <int SCALE>
static void correct_blocks(int grid_x, int grid_y, int threads, const Restoring *s) {
    EACH_BLOCK {
        Poisoned<Tile> tile;
        EACH_THREAD load_coarse<SCALE>(i, threads, x, y, *s, tile.of);
        EACH_THREAD correct<SCALE>(i, threads, x, y, *s, tile.of);
    }
}

extern "C" void correct_half(GEOMETRY, const Restoring *s) {
    correct_blocks<0>(grid_x, grid_y, threads, s);
}

extern "C" void correct_quarter(GEOMETRY, const Restoring *s) {
    correct_blocks<1>(grid_x, grid_y, threads, s);
}

extern "C" void correct_eighth(GEOMETRY, const Restoring *s) {
    correct_blocks<2>(grid_x, grid_y, threads, s);
}

extern "C" void restoring_bytes(int *sizes) {
    sizes[0] = sizeof(Restoring);
    sizes[1] = sizeof(FrameNoise);
    sizes[2] = sizeof(Plan);
    sizes[3] = sizeof(Light);
}

#endif
