// Runs the kernels of grid_fit.cu on the host: the code of each thread, one after another.

#include "kernels.cu"

#include "grid_fit.cu"

#include <vector>

extern "C" void fit_reduce(int grid_x, int, int threads, unsigned, const float *thumbnail,
                           const Reduced *out) {
    for (int i = 0; i < grid_x * threads; ++i) reduce_pixel(i, thumbnail, *out);
}

extern "C" void fit_sum(int grid_x, int, int threads, unsigned, const Reduced *in, float *sums) {
    for (int cell = 0; cell < grid_x; ++cell) {
        std::vector<Sample> samples(SQUARE);
        for (int i = 0; i < threads; ++i) take_sample(i, cell, *in, samples[i]);
        for (int i = 0; i < threads; ++i) sum_node(i, cell, samples.data(), sums);
    }
}

extern "C" void fit_solve(int, int, int threads, unsigned, const float *sums, float *grid) {
    Pooled pooled;
    for (int i = 0; i < threads; ++i) average_level(i, sums, pooled);
    for (int i = 0; i < threads; ++i) average_whole(i, pooled);
    for (int i = 0; i < threads; ++i)
        for (int node = i; node < NODES; node += threads) solve_node(node, sums, pooled, grid);
}
