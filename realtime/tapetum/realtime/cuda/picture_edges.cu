// What of a frame is picture, within its bars and its circle: what the host looks for these in, and what
// lies around them. It is read after kernels.cu, by the same compilers. The host's part is the CPU
// path's own: black_bars.py and picture_circle.py in tapetum/realtime/cpu.

// What is seen of a frame ---------------------------------------------------------------------------

const int VIEW_SIDE = 64, CORNERS = 12;

// Where line `i` of `count` lies on an axis; the outermost are among them: see `spread`.
BOTH int spread(int i, int count, int size) {
    return count > 1 ? static_cast<long long>(i) * (size - 1) / (count - 1) : 0;
}

BOTH int view_side(int size) { return size < VIEW_SIDE ? size : VIEW_SIDE; }

// Samples of the first and last row of a plane, then of its first and last column.
BOTH int border_size(int width, int height, int step) { return 2 * width + 2 * height * step; }

template <class T>
BOTH T border_sample(int i, unsigned char *plane, long long pitch, int width, int height,
                     int step) {
    if (i < 2 * width) return row_of<T>(plane, pitch, i < width ? 0 : height - 1)[i % width];
    i -= 2 * width;
    const int first = i < height * step ? 0 : width - step;
    i %= height * step;
    return row_of<T>(plane, pitch, i / step)[first + i % step];
}

// One thread: a sample of the view, or of the border of luma or of chroma, one after another; or a
// channel of a corner of the thumbnail.
template <class T>
BOTH void look_around(int i, const Picture &in, const float *thumbnail, float *corners,
                      T *samples) {
    if (i < CORNERS) {
        const int last = THUMBNAIL - 1, channel = i / 4, row = i / 2 % 2, column = i % 2;
        corners[i] = thumbnail[(channel * THUMBNAIL + row * last) * THUMBNAIL + column * last];
        return;
    }
    i -= CORNERS;
    const int across = view_side(in.width), down = view_side(in.height);
    const int chroma = 2 * chroma_width(in.width), rows = chroma_height(in.height);
    const int view = across * down, luma = border_size(in.width, in.height, 1);
    if (i < view) {
        const T *row = row_of<T>(in.luma, in.luma_pitch, spread(i / across, down, in.height));
        samples[i] = row[spread(i % across, across, in.width)];
    } else if (i < view + luma) {
        samples[i] =
            border_sample<T>(i - view, in.luma, in.luma_pitch, in.width, in.height, 1);
    } else if (i < view + luma + border_size(chroma, rows, 2)) {
        samples[i] =
            border_sample<T>(i - view - luma, in.chroma, in.chroma_pitch, chroma, rows, 2);
    }
}

// Around a round picture ----------------------------------------------------------------------------

// Ellipses in pixels of the thumbnail: centre and radii, across and down.
struct Circles {
    int count;
    float x[2], y[2], radius_x[2], radius_y[2];
};

// Whether a sample of a plane lies outside of all.
BOTH bool is_outside(int x, int y, int width, int height, const Circles &circles) {
    const float across = (static_cast<float>(x) + 0.5f) / width * THUMBNAIL - 0.5f;
    const float down = (static_cast<float>(y) + 0.5f) / height * THUMBNAIL - 0.5f;
    for (int i = 0; i < circles.count; ++i) {
        const float right = (across - circles.x[i]) / circles.radius_x[i];
        const float below = (down - circles.y[i]) / circles.radius_y[i];
        if (right * right + below * below <= 1) return false;
    }
    return true;
}

// One thread: a pixel, and the chroma that begins at it, as they were where they lie outside.
template <class T>
BOTH void keep_outside(int x, int y, const Picture &in, const Circles &circles,
                       const Picture &out) {
    if (x >= in.width) return;
    if (is_outside(x, y, in.width, in.height, circles))
        row_of<T>(out.luma, out.luma_pitch, y)[x] = row_of<T>(in.luma, in.luma_pitch, y)[x];
    if (x % ACROSS || y % DOWN) return;
    const int pair = x / ACROSS, row = y / DOWN;
    if (!is_outside(pair, row, chroma_width(in.width), chroma_height(in.height), circles)) return;
    const T *from = row_of<T>(in.chroma, in.chroma_pitch, row) + 2 * pair;
    T *to = row_of<T>(out.chroma, out.chroma_pitch, row) + 2 * pair;
    to[0] = from[0];
    to[1] = from[1];
}

#ifdef __CUDACC__

#define EDGE_KERNELS(T, BITS)                                                                     \
    extern "C" __global__ void NAMED(look_around, CHROMA, BITS)(                                  \
        Picture in, const float *thumbnail, float *corners, T *samples) {                         \
        look_around<T>(blockIdx.x * blockDim.x + threadIdx.x, in, thumbnail, corners, samples);   \
    }                                                                                             \
    extern "C" __global__ void NAMED(keep_outside, CHROMA, BITS)(Picture in, Circles circles,     \
                                                                 Picture out) {                   \
        keep_outside<T>(blockIdx.x * blockDim.x + threadIdx.x, blockIdx.y, in, circles, out);     \
    }

EDGE_KERNELS(unsigned char, 8)
EDGE_KERNELS(unsigned short, 16)

#endif
