// One float as a vector of width 1: the portable path, and the plainest reading of the algorithm.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>

#include "constants.hpp"

namespace steelyard {

struct Scalar {
    using V = float;
    static constexpr std::size_t width = 1;
    static constexpr bool absorbs_infinity = false;
    struct Parts {
        V m, n;
    };

    static V set(float a) { return a; }
    static V load(const float* p) { return *p; }
    static V load_tail(const float* p, std::size_t, float) { return *p; }
    static void store(float* p, V a) { *p = a; }
    static void stream(float* p, V a) { *p = a; }  // plain C++ has no non-temporal store
    static void store_tail(float* p, V a, std::size_t) { *p = a; }
    static V keep_tail(V a, V, std::size_t) { return a; }
    static V add(V a, V b) { return a + b; }
    static V sub(V a, V b) { return a - b; }
    static V mul(V a, V b) { return a * b; }
    static V fma(V a, V b, V c) { return a * b + c; }
    static V max(V a, V b) { return a > b ? a : b; }  // b where either is NaN, like maxps
    static float sum(V a) { return a; }
    static float largest(V a) { return a; }

    // Without FMA the reduction would lose bits, so it runs in double: same coefficients, same n.
    struct Polynomial {
        double scale;
        explicit Polynomial(float factor = 1.0f) : scale(factor) {}
    };
    static Parts ext_exp(V x, const Polynomial& c) {
        constexpr double bias = 0x1.8p52;  // adding and subtracting it rounds to the nearest even integer
        const double n = (static_cast<double>(x) * kLog2E + bias) - bias;
        const double t = static_cast<double>(x) - n * 0x1.62E42FEFA39EFp-1;
        const double m = kC0 + t * (kC1 + t * (kC2 + t * (kC3 + t * (kC4 + t * kC5))));
        return {static_cast<float>(m * c.scale), static_cast<float>(n)};
    }
    static float power(float d) {  // 2^d for whole d <= 0; 0 from -127 down
        d = d > -127.0f ? d : -127.0f;
        return std::bit_cast<float>(std::bit_cast<std::uint32_t>(d + kExponentBias) << 23);
    }
    static V scale(V a, V d) { return a * power(d); }
    static V add_scaled(V a, V m, V d) { return a + m * power(d); }
};

}  // namespace steelyard
