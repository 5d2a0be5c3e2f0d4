// H.264 and HEVC of uncompressed blocks (PCM), as far as the stand-ins for NVDEC and NVENC write and
// read them: what comes out is bit for bit what went in. By Rec. ITU-T H.264 and H.265.

#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace {
using Bytes = std::vector<std::uint8_t>;
constexpr int BLOCK = 16, SAMPLES = 384, FRAME_NUMBER_BITS = 4;  // samples of a block, all planes

// Bits --------------------------------------------------------------------------------------------

class BitWriter {
public:
    void bits(std::uint32_t value, int count) {
        for (int bit = count - 1; bit >= 0; --bit) put(value >> bit & 1);
    }
    void ue(std::uint32_t value) {
        int length = 0;
        for (std::uint32_t rest = value + 1; rest > 1; rest >>= 1) ++length;
        bits(0, length);
        bits(value + 1, length + 1);
    }
    void align(int fill = 0) {
        while (used_ % 8) put(fill);
    }
    void byte(std::uint8_t value) { data_.push_back(value), used_ += 8; }
    void stop() { put(1), align(); }
    void bytes(const Bytes& given) {
        for (auto value : given) byte(value);
    }
    const Bytes& data() const { return data_; }

private:
    void put(int bit) {
        if (used_ % 8 == 0) data_.push_back(0);
        data_.back() |= bit << (7 - used_++ % 8);
    }
    Bytes data_;
    std::size_t used_ = 0;
};

class BitReader {
public:
    explicit BitReader(const Bytes& data) : data_(data) {}
    std::uint32_t bits(int count) {
        std::uint32_t value = 0;
        while (count--) value = value << 1 | bit();
        return value;
    }
    std::uint32_t ue() {
        int zeros = 0;
        while (!bit() && zeros < 32) ++zeros;
        return (1u << zeros) - 1 + bits(zeros);
    }
    // Go to the next whole byte; whether as many more are there.
    bool align(std::size_t count) {
        used_ = (used_ + 7) / 8 * 8;
        return used_ / 8 + count <= data_.size();
    }

private:
    int bit() {
        if (used_ / 8 >= data_.size()) return 1;
        int value = data_[used_ / 8] >> (7 - used_ % 8) & 1;
        ++used_;
        return value;
    }
    const Bytes& data_;
    std::size_t used_ = 0;
};

void append_unit(Bytes& stream, const Bytes& header, const Bytes& payload) {
    stream.insert(stream.end(), {0, 0, 0, 1});
    stream.insert(stream.end(), header.begin(), header.end());
    int zeros = 0;
    for (auto value : payload) {
        if (zeros == 2 && value <= 3) stream.push_back(3), zeros = 0;
        stream.push_back(value);
        zeros = value ? 0 : zeros + 1;
    }
}

Bytes without_escapes(const std::uint8_t* data, std::size_t size) {
    Bytes plain;
    int zeros = 0;
    for (std::size_t place = 0; place < size; ++place) {
        if (zeros == 2 && data[place] == 3) {
            zeros = 0;
            continue;
        }
        plain.push_back(data[place]);
        zeros = data[place] ? 0 : zeros + 1;
    }
    return plain;
}

// Pictures ----------------------------------------------------------------------------------------

// NV12, or P010 where samples are deeper than 8 bits: they are the upper bits of words there.
struct Picture {
    std::uint8_t *luma, *chroma;
    std::size_t pitch;
    int width, height, depth;

    int sample_bytes() const { return depth > 8 ? 2 : 1; }
    int get(const std::uint8_t* plane, int row, int column) const {
        const auto* here = plane + row * pitch + column * sample_bytes();
        return depth > 8 ? (here[0] | here[1] << 8) >> (16 - depth) : here[0];
    }
    void set(std::uint8_t* plane, int row, int column, int value) const {
        auto* here = plane + row * pitch + column * sample_bytes();
        if (depth > 8) value <<= 16 - depth, here[1] = value >> 8;
        here[0] = value & 255;
    }
    // The samples of a block as it lies in a stream: luma, U, V; beyond the edge the nearest ones.
    std::vector<int> block(int top, int left) const {
        std::vector<int> samples;
        for (int place = 0; place < 256; ++place)
            samples.push_back(get(luma, std::min(top + place / 16, height - 1),
                                  std::min(left + place % 16, width - 1)));
        for (int place = 0; place < 128; ++place)
            samples.push_back(
                get(chroma, std::min(top / 2 + place % 64 / 8, height / 2 - 1),
                    2 * std::min(left / 2 + place % 8, width / 2 - 1) + place / 64));
        return samples;
    }
    void put_block(int top, int left, BitReader& from) const {
        for (int place = 0; place < 256; ++place)
            set(luma, top + place / 16, left + place % 16, from.bits(depth));
        for (int place = 0; place < 128; ++place)
            set(chroma, top / 2 + place % 64 / 8, 2 * (left / 2 + place % 8) + place / 64,
                from.bits(depth));
    }
    std::size_t size() const { return pitch * height * 3 / 2; }
};

// H.264 of uncompressed blocks --------------------------------------------------------------------

Bytes h264_sets(int width, int height) {
    int across = (width + BLOCK - 1) / BLOCK, down = (height + BLOCK - 1) / BLOCK;
    BitWriter sequence;
    sequence.bits(66, 8), sequence.bits(0xC0, 8), sequence.bits(40, 8);  // profile, level
    sequence.ue(0), sequence.ue(FRAME_NUMBER_BITS - 4), sequence.ue(2);  // id, order of showing
    sequence.ue(1), sequence.bits(0, 1);                                 // reference frames
    sequence.ue(across - 1), sequence.ue(down - 1);
    sequence.bits(1, 1), sequence.bits(1, 1);  // frames, direct 8x8
    sequence.bits(1, 1);                       // cropped
    sequence.ue(0), sequence.ue((across * BLOCK - width) / 2);
    sequence.ue(0), sequence.ue((down * BLOCK - height) / 2);
    sequence.bits(0, 1), sequence.stop();
    BitWriter picture;
    picture.ue(0), picture.ue(0), picture.bits(0, 2);  // ids, CAVLC
    picture.ue(0), picture.ue(0), picture.ue(0), picture.bits(0, 3);
    picture.ue(0), picture.ue(0), picture.ue(0);            // quantisers
    picture.bits(1, 1), picture.bits(0, 2), picture.stop();  // deblocking is said
    Bytes stream;
    append_unit(stream, {0x67}, sequence.data());
    append_unit(stream, {0x68}, picture.data());
    return stream;
}

void append_h264(Bytes& stream, const Picture& picture, unsigned number) {
    BitWriter slice;
    slice.ue(0), slice.ue(7), slice.ue(0), slice.bits(0, FRAME_NUMBER_BITS);
    slice.ue(number % 2), slice.bits(0, 2), slice.ue(0), slice.ue(1);  // no deblocking
    for (int top = 0; top < picture.height; top += BLOCK)
        for (int left = 0; left < picture.width; left += BLOCK) {
            slice.ue(25), slice.align();
            for (int value : picture.block(top, left)) slice.byte(value);
        }
    slice.stop();
    append_unit(stream, {0x65}, slice.data());
}

bool decode_h264(const Bytes& plain, const Picture& into) {
    BitReader slice(plain);
    if (slice.ue() != 0 || slice.ue() != 7) return false;
    slice.ue(), slice.bits(FRAME_NUMBER_BITS), slice.ue(), slice.bits(2), slice.ue(), slice.ue();
    for (int top = 0; top < into.height; top += BLOCK)
        for (int left = 0; left < into.width; left += BLOCK) {
            if (slice.ue() != 25 || !slice.align(SAMPLES)) return false;
            into.put_block(top, left, slice);
        }
    return true;
}

// HEVC of uncompressed blocks ---------------------------------------------------------------------

// What the arithmetic coder (9.3.4 of H.265) makes of what stands before a block's samples: that the
// slice has not ended, that the block is whole, and that it is uncompressed.
class BlockHeads {
public:
    Bytes next() {
        BitWriter out;
        int low = 0, range = state_ < 0 ? 510 : 508;  // 2 less after "the slice has not ended"
        state_ = std::min(state_ + 1, 62);
        range -= LEAST_PROBABLE[state_];
        flush(out, low + range - 2);
        return out.data();
    }
    static Bytes end() {
        BitWriter out;
        flush(out, 510 - 2);
        return out.data();
    }

private:
    // The interval of the value that a flag was coded with, in ranges from 448 on.
    static constexpr int LEAST_PROBABLE[63] = {
        240, 227, 216, 205, 195, 185, 175, 166, 158, 150, 142, 135, 128, 122, 116, 110,
        104, 99,  94,  89,  85,  80,  76,  72,  69,  65,  62,  59,  56,  53,  50,  48,
        45,  43,  41,  39,  37,  35,  33,  31,  30,  28,  27,  25,  24,  23,  22,  21,
        20,  19,  18,  17,  16,  15,  14,  14,  13,  12,  12,  11,  11,  10,  9};
    // Nothing was written before: 10 bits of `low` are left, the first of which is never written,
    // and the last is 1.
    static void flush(BitWriter& out, int low) {
        low <<= 7;  // `range` is 2, which becomes 256
        out.bits(low >> 9 & 127, 7);
        out.bits((low >> 7 & 3) | 1, 2);
        out.align();
    }
    int state_ = -1;
};

void profile_tier_level(BitWriter& to, int depth) {
    int profile = depth > 8 ? 2 : 1;
    to.bits(profile, 8), to.bits(depth > 8 ? 0x20000000 : 0x60000000, 32);
    to.bits(9, 4), to.bits(0, 32), to.bits(0, 12), to.bits(120, 8);
}

Bytes hevc_sets(int width, int height, int depth) {
    int across = (width + BLOCK - 1) / BLOCK * BLOCK, down = (height + BLOCK - 1) / BLOCK * BLOCK;
    BitWriter video;
    video.bits(0, 4), video.bits(3, 2), video.bits(0, 9), video.bits(1, 1), video.bits(0xFFFF, 16);
    profile_tier_level(video, depth);
    video.bits(1, 1), video.ue(0), video.ue(0), video.ue(0);  // pictures that are kept
    video.bits(0, 6), video.ue(0), video.bits(0, 2), video.stop();
    BitWriter sequence;
    sequence.bits(0, 7), sequence.bits(1, 1);
    profile_tier_level(sequence, depth);
    sequence.ue(0), sequence.ue(1), sequence.ue(across), sequence.ue(down);
    sequence.bits(1, 1), sequence.ue(0), sequence.ue((across - width) / 2);  // cropped
    sequence.ue(0), sequence.ue((down - height) / 2);
    sequence.ue(depth - 8), sequence.ue(depth - 8), sequence.ue(4);
    sequence.bits(1, 1), sequence.ue(0), sequence.ue(0), sequence.ue(0);
    sequence.ue(1), sequence.ue(0);                  // blocks of 16x16
    sequence.ue(0), sequence.ue(2), sequence.ue(0), sequence.ue(0);  // transforms
    sequence.bits(0, 3), sequence.bits(1, 1);        // no lists, no filter; uncompressed blocks
    sequence.bits(depth - 1, 4), sequence.bits(depth - 1, 4), sequence.ue(1), sequence.ue(0);
    sequence.bits(1, 1), sequence.ue(0);             // unfiltered; sets of reference pictures
    sequence.bits(0, 5), sequence.stop();
    BitWriter picture;
    picture.ue(0), picture.ue(0), picture.bits(0, 7), picture.ue(0), picture.ue(0);
    picture.ue(0), picture.bits(0, 3), picture.ue(0), picture.ue(0);  // quantisers
    picture.bits(0, 7), picture.bits(1, 1), picture.bits(1, 2);       // no deblocking
    picture.bits(0, 2), picture.ue(0), picture.bits(0, 2), picture.stop();
    Bytes stream;
    append_unit(stream, {0x40, 1}, video.data());
    append_unit(stream, {0x42, 1}, sequence.data());
    append_unit(stream, {0x44, 1}, picture.data());
    return stream;
}

void append_hevc(Bytes& stream, const Picture& picture) {
    BitWriter slice;
    slice.bits(2, 2), slice.ue(0), slice.ue(2), slice.ue(0), slice.stop();
    BlockHeads heads;
    for (int top = 0; top < picture.height; top += BLOCK)
        for (int left = 0; left < picture.width; left += BLOCK) {
            slice.bytes(heads.next());
            for (int value : picture.block(top, left)) slice.bits(value, picture.depth);
        }
    slice.bytes(BlockHeads::end());
    append_unit(stream, {0x26, 1}, slice.data());
}

bool decode_hevc(const Bytes& plain, const Picture& into) {
    BitReader slice(plain);
    if (slice.bits(2) != 2 || slice.ue() != 0 || slice.ue() != 2 || slice.ue() != 0) return false;
    slice.bits(1);
    BlockHeads heads;
    for (int top = 0; top < into.height; top += BLOCK)
        for (int left = 0; left < into.width; left += BLOCK) {
            Bytes head = heads.next();
            if (!slice.align(head.size() + SAMPLES * into.depth / 8)) return false;
            for (auto value : head)
                if (slice.bits(8) != value) return false;
            into.put_block(top, left, slice);
        }
    return true;
}

enum class Codec { H264, HEVC, AV1 };

Bytes parameter_sets(Codec codec, int width, int height, int depth) {
    return codec == Codec::H264 ? h264_sets(width, height) : hevc_sets(width, height, depth);
}

bool decode(Codec codec, const Bytes& unit, const Picture& into) {
    const auto* data = unit.data();
    std::size_t size = unit.size();
    while (size > 3 && !(data[0] == 0 && data[1] == 0 && data[2] == 1)) ++data, --size;
    if (size < 6) return false;
    if (codec == Codec::H264)
        return (data[3] & 31) == 5 && decode_h264(without_escapes(data + 4, size - 4), into);
    return (data[3] >> 1 & 63) == 19 && decode_hevc(without_escapes(data + 5, size - 5), into);
}
}  // namespace
