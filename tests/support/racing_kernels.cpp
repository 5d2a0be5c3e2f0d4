// Runs the CUDA kernels on the host with real threads, for ThreadSanitizer and AddressSanitizer: the
// threads of a block side by side, with their barriers, or blocks side by side. A barrier may be
// left out. Memory is as large as the kernels are told, to the byte.

#include "kernels.cu"

#include "grid_fit.cu"

#include <atomic>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {
constexpr int WORKERS = 4, WIDTH = 98, HEIGHT = 66, GAP = 6;
int left_out = -1;
bool side_by_side = true;

// Each barrier has a counter of its own: one that all shared would order what only the barrier that
// is left out orders.
class Barriers {
public:
    explicit Barriers(std::size_t count) : arrived_(count) {}
    void wait(int number) {
        auto &arrived = arrived_[number];
        arrived.fetch_add(1);
        while (arrived.load() < WORKERS) std::this_thread::yield();
    }

private:
    std::vector<std::atomic<int>> arrived_;
};

using Phase = std::function<void(int)>;

void workers(const std::function<void(int)> &work) {
    std::vector<std::thread> all;
    for (int worker = 0; worker < WORKERS; ++worker) all.emplace_back(work, worker);
    for (auto &thread : all) thread.join();
}

// What the threads of one block do, from barrier to barrier.
void block(int threads, const std::vector<Phase> &phases) {
    if (!side_by_side) {
        for (const auto &phase : phases)
            for (int thread = 0; thread < threads; ++thread) phase(thread);
        return;
    }
    Barriers barriers(phases.size());
    workers([&](int worker) {
        for (int number = 0; number < static_cast<int>(phases.size()); ++number) {
            for (int thread = worker; thread < threads; thread += WORKERS) phases[number](thread);
            if (number != left_out) barriers.wait(number);
        }
    });
}

void blocks(int count, const std::function<void(int)> &run) {
    if (side_by_side) {
        for (int number = 0; number < count; ++number) run(number);
        return;
    }
    workers([&](int worker) {
        for (int number = worker; number < count; number += WORKERS) run(number);
    });
}

template <class T>
struct Frame {
    std::vector<T> luma, chroma;
    Picture picture;

    explicit Frame(unsigned seed)
        : luma((WIDTH + GAP) * (HEIGHT - 1) + WIDTH),
          chroma((2 * chroma_width(WIDTH) + GAP) * (chroma_height(HEIGHT) - 1) +
                 2 * chroma_width(WIDTH)) {
        std::mt19937 random(seed);
        for (auto *plane : {&luma, &chroma})
            for (auto &sample : *plane) sample = static_cast<T>(random());
        const long long across = sizeof(T) * (WIDTH + GAP);
        const long long chroma_across = sizeof(T) * (2 * chroma_width(WIDTH) + GAP);
        picture = {reinterpret_cast<unsigned char *>(luma.data()),
                   reinterpret_cast<unsigned char *>(chroma.data()),
                   across, chroma_across, WIDTH, HEIGHT};
    }
};

std::vector<float> numbers(std::size_t count, unsigned seed) {
    std::mt19937 random(seed);
    std::vector<float> made(count);
    for (auto &value : made) value = std::uniform_real_distribution<float>(0.1f, 1)(random);
    return made;
}

const Colors COLORS{0, 1, 0, 16, 219, 128, 224, 0, 255, 0, 255, 0.2126f, 0.0722f};

template <class T>
void apply() {
    Frame<T> in(1), out(2);
    const auto grid = numbers(GRID_SIZE, 3);
    blocks(chroma_height(HEIGHT), [&](int row) {
        GridRow table;
        const auto expand = [&](int thread) {
            interpolate_rows(thread, 256, grid.data(), 1, row, in.picture, table);
        };
        const auto brighten = [&](int thread) {
            apply_row<T>(thread, 256, row, in.picture, COLORS, table, out.picture);
        };
        block(256, {expand, brighten});
    });
}

template <class T>
void reduce() {
    Frame<T> in(1);
    std::vector<float> out(3 * THUMBNAIL * THUMBNAIL);
    const int chroma = 2 * chroma_width(WIDTH);
    const int shared = WIDTH / 8 + 12 + chroma / 8 + 36;  // thumbnail_shared_bytes, in words
    const int across = THUMBNAIL / BLOCK_BINS;
    blocks(across * THUMBNAIL, [&](int number) {
        if (side_by_side && number % 97) return;  // real threads are slow to start
        std::vector<unsigned> sums(shared);
        const int column = number % across, row = number / across;
        const auto sum = [&](int thread) {
            sum_bins<T>(thread, 128, column, row, in.picture, sums.data());
        };
        const auto write = [&](int thread) {
            write_thumbnail(thread, column, row, in.picture, COLORS, sums.data(), out.data());
        };
        block(128, {sum, write});
    });
}

void smooth() {
    const auto thumbnail = numbers(3 * THUMBNAIL * THUMBNAIL, 1), grid = numbers(GRID_SIZE, 2);
    auto old = numbers(GRID_SIZE, 3), scene = numbers(VIEW_SIZE, 4), view = numbers(VIEW_SIZE, 5);
    std::vector<float> fault(2);
    const Smoothing by{0.04f, 0.3f, 0.1f, 0.5f, 0.05f, 0, 1};
    const Past past{old.data(), scene.data(), view.data()};
    Views views;
    Darkness cells;
    const auto look = [&](int i) {
        view_pixel(i, thumbnail.data(), views);
        cell_luma(i, thumbnail.data(), cells);
    };
    const auto sum = [&](int i) { sum_view_row(i, past, views), rank_cell(i, cells); };
    const auto average = [&](int i) { average_view(i, views), darken_cell(i, cells); };
    const auto find = [&](int i) { find_large(i, cells); };
    const auto grow = [&](int i) { grow_cell(i, cells); };
    const auto share = [&](int i) { share_cell(i, cells); };
    const auto finish = [&](int i) {
        smooth(i, grid.data(), by, past, views, cells, fault.data());
    };
    block(VIEW_SIZE, {look, sum, average, find, grow, share, finish});
}

template <class T>
void convert() {
    Frame<T> in(1), out(2);
    const int width = 112, height = 80;
    std::vector<Half> samples(3 * width * height);
    const Tensor tensor{samples.data(), width, height, 7, 7};
    blocks(height, [&](int row) {
        block(256, {[&](int thread) {
            planes_to_rgb<T>(thread, row, in.picture, COLORS, tensor);
        }});
    });
    std::vector<float> fault(2);
    blocks(chroma_height(HEIGHT), [&](int row) {
        block(256, {[&](int thread) {
            change_to_planes<T>(thread, row, in.picture, COLORS, tensor, 1, out.picture,
                                fault.data());
        }});
    });
}

void fit() {
    const auto thumbnail = numbers(3 * THUMBNAIL * THUMBNAIL, 1), light = numbers(GRID_SIZE, 2);
    std::vector<float> before(3 * REDUCED_SIZE), sums(NODES * TERMS), grid(GRID_SIZE);
    std::vector<Half> after(3 * REDUCED_SIZE);
    const Reduced small{before.data(), after.data(), light.data()};
    blocks(REDUCED_SIZE / 128, [&](int number) {
        block(128, {[&](int thread) { reduce_pixel(128 * number + thread, thumbnail.data(), small); }});
    });
    blocks(CELL_COUNT, [&](int cell) {
        std::vector<Sample> samples(SQUARE);
        const auto take = [&](int i) { take_sample(i, cell, small, samples[i]); };
        const auto sum = [&](int i) { sum_node(i, cell, samples.data(), sums.data()); };
        block(SQUARE, {take, sum});
    });
}

void solve() {
    const auto sums = numbers(NODES * TERMS, 1);
    std::vector<float> grid(GRID_SIZE);
    Pooled pooled;
    const auto level = [&](int i) { average_level(i, sums.data(), pooled); };
    // Another worker than the one that made what it reads.
    const auto whole = [&](int i) { average_whole((i + 1) % 1024, pooled); };
    const auto finish = [&](int i) {
        for (int node = i; node < NODES; node += 1024)
            solve_node(node, sums.data(), pooled, grid.data());
    };
    block(1024, {level, whole, finish});
}
}  // namespace

int main(int count, char **given) {
    const std::string kernel = given[1];
    side_by_side = std::string(given[2]) == "threads";
    if (count > 3) left_out = std::atoi(given[3]);
    if (kernel == "apply_grid") apply<unsigned char>(), apply<unsigned short>();
    if (kernel == "thumbnail") reduce<unsigned char>(), reduce<unsigned short>();
    if (kernel == "smooth_grid") smooth();
    if (kernel == "fit_sum") fit();
    if (kernel == "fit_solve") solve();
    if (kernel == "rgb") convert<unsigned char>(), convert<unsigned short>();
    return 0;
}
