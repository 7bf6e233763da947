// The softmax algorithms over rows, built from one instruction set's passes.
#pragma once
#include <cstddef>

#include "dispatch.hpp"

namespace steelyard {

enum class Algorithm { two_pass, three_pass_recompute, three_pass_reload, online };
inline constexpr std::array<const char*, 4> algorithm_names = {"two-pass", "three-pass-recompute", "three-pass-reload",
                                                               "online"};

struct Plan {
    Algorithm algorithm;
    Isa isa;
    bool streaming;
    bool sound;
    bool flush;  // subnormal results become zero (x86: FTZ and DAZ are set during the call and restored)
    int threads;
};

// y[r] = softmax(x[r]) for `rows` rows of n floats; strides are in floats. x == y is allowed, other overlap is not.
void softmax(const Plan& plan, const float* x, std::ptrdiff_t x_stride, float* y, std::ptrdiff_t y_stride,
             std::size_t rows, std::size_t n);

struct PassArguments {
    const float* x;
    const float* b;  // triad's second input
    float* y;
    std::size_t n;
    float shift, scale;
};

// One pass alone over one row on one thread, as the algorithm would run it. Returns what a reduction returns.
double run_pass(const Plan& plan, Pass pass, const PassArguments& a);

}  // namespace steelyard
