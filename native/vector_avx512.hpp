// Sixteen floats with AVX-512F: `roundscale` rounds, `scalef` multiplies by 2^d for any float d, masks take the tail.
#pragma once
#include <immintrin.h>

#include <cstddef>

#include "constants.hpp"

namespace steelyard {

struct Avx512 {
    using V = __m512;
    static constexpr std::size_t width = 16;
    // Whether scale(NaN, -inf) is 0, so that -inf needs no clamp before its exponential.
    static constexpr bool absorbs_infinity = true;
    struct Parts {
        V m, n;
    };

    static __mmask16 mask(std::size_t k) { return static_cast<__mmask16>((1u << k) - 1u); }  // the first k lanes
    static V set(float a) { return _mm512_set1_ps(a); }
    static V load(const float* p) { return _mm512_loadu_ps(p); }
    static V load_tail(const float* p, std::size_t k, float fill) { return _mm512_mask_loadu_ps(set(fill), mask(k), p); }
    static void store(float* p, V a) { _mm512_storeu_ps(p, a); }
    static void stream(float* p, V a) { _mm512_stream_ps(p, a); }
    static void store_tail(float* p, V a, std::size_t k) { _mm512_mask_storeu_ps(p, mask(k), a); }
    static V keep_tail(V a, V other, std::size_t k) { return _mm512_mask_mov_ps(other, mask(k), a); }
    static V add(V a, V b) { return _mm512_add_ps(a, b); }
    static V sub(V a, V b) { return _mm512_sub_ps(a, b); }
    static V mul(V a, V b) { return _mm512_mul_ps(a, b); }
    static V fma(V a, V b, V c) { return _mm512_fmadd_ps(a, b, c); }
    static V max(V a, V b) { return _mm512_max_ps(a, b); }  // b where either is NaN
    static float sum(V a) { return _mm512_reduce_add_ps(a); }
    static float largest(V a) { return _mm512_reduce_max_ps(a); }

    // scale * exp(x): the factor is multiplied into the coefficients, once a row instead of once an element.
    struct Polynomial {
        V c0, c1, c2, c3, c4, c5;
        explicit Polynomial(float scale = 1.0f)
            : c0(set(kC0 * scale)), c1(set(kC1 * scale)), c2(set(kC2 * scale)), c3(set(kC3 * scale)),
              c4(set(kC4 * scale)), c5(set(kC5 * scale)) {}
    };
    static Parts ext_exp(V x, const Polynomial& c) {
        const V n = _mm512_roundscale_ps(mul(x, set(kLog2E)), 0);
        V t = _mm512_fnmadd_ps(n, set(kLn2High), x);
        t = _mm512_fnmadd_ps(n, set(kLn2Low), t);
        V m = fma(c.c5, t, c.c4);
        m = fma(m, t, c.c3);
        m = fma(m, t, c.c2);
        m = fma(m, t, c.c1);
        return {fma(m, t, c.c0), n};
    }
    static V scale(V a, V d) { return _mm512_scalef_ps(a, d); }
    static V add_scaled(V a, V m, V d) { return add(a, scale(m, d)); }
};

}  // namespace steelyard
