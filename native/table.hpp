// What an instruction set offers: every pass, compiled for every candidate of (elements per step, accumulators).
#pragma once
#include <cstddef>

namespace steelyard {

// One extended sum, mantissa * 2^exponent. The exponent stays a float, so no finite input can overflow it.
struct Extended {
    float mantissa;
    float exponent;
};

// `ahead` is the software prefetch distance in bytes; 0 leaves prefetching to the hardware.
using MaxPass = float (*)(const float* x, std::size_t n, std::size_t ahead);
using SumPass = float (*)(const float* x, std::size_t n, float shift, std::size_t ahead);
using StorePass = float (*)(const float* x, float* y, std::size_t n, float shift, std::size_t ahead);
using ExtendedSumPass = Extended (*)(const float* x, std::size_t n, std::size_t ahead);
using ReadPass = float (*)(const float* x, std::size_t n, std::size_t ahead);
// y = exp(x - shift) * scale, or for the extended form y = mantissa(x) * scale * 2^(exponent(x) - shift).
using WritePass = void (*)(const float* x, float* y, std::size_t n, float shift, float scale, std::size_t ahead);
using MultiplyPass = void (*)(float* y, std::size_t n, float scale, std::size_t ahead);
using CopyPass = void (*)(const float* x, float* y, std::size_t n, std::size_t ahead);
using TriadPass = void (*)(const float* a, const float* b, float* y, std::size_t n, float scale, std::size_t ahead);

// Indices: [sound] is 0 for the algorithm as published, 1 with x clamped from below; [streaming] is 0 or 1.
struct Reduction {
    int elements, accumulators;
    MaxPass max;
    ReadPass read;
    SumPass sum[2];
    ExtendedSumPass extended_sum[2];
    StorePass store[2][2];
};

struct Map {
    int elements;
    WritePass write[2][2];
    WritePass extended_write[2][2];
    MultiplyPass multiply[2];
    CopyPass copy[2];
    TriadPass triad[2];
};

struct Table {
    int width;  // floats in one vector
    // Rows are reduced in segments of this many floats whatever the number of threads, and the segments' results
    // merged in order: no result depends on the threads, and float sums stay short. A multiple of every step.
    std::size_t segment;
    const Reduction* reductions;
    int reduction_count;
    const Map* maps;
    int map_count;
};

extern const Table scalar_table;
#if defined(STEELYARD_X86)
extern const Table avx2_table;
extern const Table avx512_table;
#endif

}  // namespace steelyard
