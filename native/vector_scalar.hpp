// One element at a time, in double: the portable path, and the plainest reading of the algorithm.
//
// Portable C++ has no cheap fused multiply-add, without which the range reduction loses bits in float; double costs the
// same one element at a time, and keeps long sums exact enough to be a reference for the vector kernels.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>

#include "constants.hpp"

namespace steelyard {

struct Scalar {
    using V = double;
    static constexpr std::size_t width = 1;
    static constexpr bool absorbs_infinity = false;
    struct Parts {
        V m, n;
    };

    static V set(float a) { return a; }
    static V load(const float* p) { return *p; }
    static V load_tail(const float* p, std::size_t, float) { return *p; }
    static void store(float* p, V a) { *p = static_cast<float>(a); }
    static void stream(float* p, V a) { store(p, a); }  // plain C++ has no non-temporal store
    static void store_tail(float* p, V a, std::size_t) { store(p, a); }
    static V keep_tail(V a, V, std::size_t) { return a; }
    static V add(V a, V b) { return a + b; }
    static V sub(V a, V b) { return a - b; }
    static V mul(V a, V b) { return a * b; }
    static V fma(V a, V b, V c) { return a * b + c; }
    static V max(V a, V b) { return a > b ? a : b; }  // b where either is NaN, like maxps
    static float sum(V a) { return static_cast<float>(a); }
    static float largest(V a) { return static_cast<float>(a); }

    struct Polynomial {
        double scale;
        explicit Polynomial(float factor = 1.0f) : scale(factor) {}
    };
    static Parts ext_exp(V x, const Polynomial& c) {
        constexpr double bias = 0x1.8p52;  // adding and subtracting it rounds to the nearest even integer
        const double n = (x * kLog2E + bias) - bias;
        const double t = x - n * 0x1.62E42FEFA39EFp-1;
        const double m = kC0 + t * (kC1 + t * (kC2 + t * (kC3 + t * (kC4 + t * kC5))));
        return {m * c.scale, n};
    }
    static double power(double d) {  // 2^d for whole d <= 0; 0 from -1023 down
        constexpr double exponent_bias = 0x1.8p52 + 1023;
        d = d > -1023.0 ? d : -1023.0;
        return std::bit_cast<double>(std::bit_cast<std::uint64_t>(d + exponent_bias) << 52);
    }
    static V scale(V a, V d) { return a * power(d); }
    static V add_scaled(V a, V m, V d) { return a + m * power(d); }
};

}  // namespace steelyard
