// AV1 whose tiles hold samples as they are, as far as the stand-ins for NVDEC and NVENC write and read
// it: AV1 has no uncompressed blocks, so only the headers are AV1, which is all that FFmpeg itself
// reads where a GPU decodes. By the AV1 Bitstream & Decoding Process Specification, 5.5 and 5.9.

#pragma once

#include "fake_pcm_video.h"

namespace {
constexpr int SEQUENCE_HEADER = 1, FRAME_WITH_TILES = 6, SUPERBLOCK = 64;

void append_obu(Bytes& stream, int type, const Bytes& payload) {
    stream.push_back(type << 3 | 2);  // a size follows
    std::size_t size = payload.size();
    for (; size > 127; size >>= 7) stream.push_back((size & 127) | 128);
    stream.push_back(size);
    stream.insert(stream.end(), payload.begin(), payload.end());
}

Bytes av1_sets(int width, int height) {
    BitWriter sequence;
    sequence.bits(0, 3), sequence.bits(0, 4);   // profile; a video, no times, no delays
    sequence.bits(0, 5), sequence.bits(0, 12);  // one operating point
    sequence.bits(8, 5), sequence.bits(0, 1);   // level 4.0
    sequence.bits(15, 4), sequence.bits(15, 4);
    sequence.bits(width - 1, 16), sequence.bits(height - 1, 16);
    sequence.bits(0, 4);                        // no numbers, superblocks of 64, no filters
    sequence.bits(0, 5);                        // nothing of inter prediction
    sequence.bits(1, 1), sequence.bits(1, 1);   // screen content, whole vectors: frames say
    sequence.bits(0, 3);                        // no filters after decoding
    sequence.bits(0, 4), sequence.bits(0, 2), sequence.bits(0, 1);  // 8 bits, 4:2:0, limited range
    sequence.bits(0, 1), sequence.stop();       // no film grain
    Bytes stream;
    append_obu(stream, SEQUENCE_HEADER, sequence.data());
    return stream;
}

// How many times a row or column of superblocks can be halved to tiles decides on a flag.
void no_more_tiles(BitWriter& to, int size) {
    if (size > SUPERBLOCK) to.bits(0, 1);
}

void append_av1(Bytes& stream, const Picture& picture) {
    BitWriter frame;
    frame.bits(0, 1), frame.bits(0, 2), frame.bits(1, 1);  // new, a key frame, shown
    frame.bits(1, 1), frame.bits(0, 1);                    // no adaptation, no screen content
    frame.bits(0, 1), frame.bits(0, 1);                    // of the sequence's size
    frame.bits(1, 1);                                      // uniform tiles
    no_more_tiles(frame, picture.width), no_more_tiles(frame, picture.height);
    frame.bits(100, 8), frame.bits(0, 3), frame.bits(0, 1);  // quantiser
    frame.bits(0, 1), frame.bits(0, 1);                      // no segments, no changes of it
    frame.bits(0, 12), frame.bits(0, 3), frame.bits(0, 1);   // no deblocking
    frame.bits(0, 1), frame.bits(0, 1);                      // transforms
    frame.align();
    for (int size : {picture.width, picture.height}) frame.byte(size & 255), frame.byte(size >> 8);
    for (int row = 0; row < picture.height * 3 / 2; ++row) {
        const auto* samples = row < picture.height
                                  ? picture.luma + row * picture.pitch
                                  : picture.chroma + (row - picture.height) * picture.pitch;
        for (int column = 0; column < picture.width; ++column) frame.byte(samples[column]);
    }
    append_obu(stream, FRAME_WITH_TILES, frame.data());
}

bool decode_av1(const Bytes& tile, const Picture& into) {
    if (tile.size() < 4) return false;
    int width = tile[0] | tile[1] << 8, height = tile[2] | tile[3] << 8;
    if (width > into.width || height > into.height) return false;
    if (tile.size() != 4 + static_cast<std::size_t>(width) * height * 3 / 2) return false;
    const auto* from = tile.data() + 4;
    for (int row = 0; row < height * 3 / 2; ++row, from += width) {
        auto* rows = row < height ? into.luma + row * into.pitch
                                  : into.chroma + (row - height) * into.pitch;
        std::copy(from, from + width, rows);
    }
    return true;
}
}  // namespace
