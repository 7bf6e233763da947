// Eight floats with AVX2 and FMA: 2^d is built in the exponent field.
#pragma once
#include <immintrin.h>

#include <cstddef>

#include "constants.hpp"

namespace steelyard {

struct Avx2 {
    using V = __m256;
    static constexpr std::size_t width = 8;
    // Whether scale(NaN, -inf) is 0, so that -inf needs no clamp before its exponential.
    static constexpr bool absorbs_infinity = false;
    struct Parts {
        V m, n;
    };
    alignas(32) static constexpr int mask_table[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};

    static __m256i mask(std::size_t k) {  // the first k lanes
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(mask_table + 8 - k));
    }
    static V set(float a) { return _mm256_set1_ps(a); }
    static V load(const float* p) { return _mm256_loadu_ps(p); }
    static V load_tail(const float* p, std::size_t k, float fill) {
        return _mm256_blendv_ps(set(fill), _mm256_maskload_ps(p, mask(k)), _mm256_castsi256_ps(mask(k)));
    }
    static void store(float* p, V a) { _mm256_storeu_ps(p, a); }
    static void stream(float* p, V a) { _mm256_stream_ps(p, a); }
    static void store_tail(float* p, V a, std::size_t k) { _mm256_maskstore_ps(p, mask(k), a); }
    static V keep_tail(V a, V other, std::size_t k) { return _mm256_blendv_ps(other, a, _mm256_castsi256_ps(mask(k))); }
    static V add(V a, V b) { return _mm256_add_ps(a, b); }
    static V sub(V a, V b) { return _mm256_sub_ps(a, b); }
    static V mul(V a, V b) { return _mm256_mul_ps(a, b); }
    static V fma(V a, V b, V c) { return _mm256_fmadd_ps(a, b, c); }
    static V max(V a, V b) { return _mm256_max_ps(a, b); }  // b where either is NaN
    static float sum(V a) {
        __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
        s = _mm_add_ps(s, _mm_movehl_ps(s, s));
        return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
    }
    static float largest(V a) {
        __m128 s = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
        s = _mm_max_ps(s, _mm_movehl_ps(s, s));
        return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
    }

    // scale * exp(x): the factor is multiplied into the coefficients, once a row instead of once an element.
    struct Polynomial {
        V c0, c1, c2, c3, c4, c5;
        explicit Polynomial(float scale = 1.0f)
            : c0(set(kC0 * scale)), c1(set(kC1 * scale)), c2(set(kC2 * scale)), c3(set(kC3 * scale)),
              c4(set(kC4 * scale)), c5(set(kC5 * scale)) {}
    };
    static Parts ext_exp(V x, const Polynomial& c) {
        const V n = _mm256_round_ps(mul(x, set(kLog2E)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        V t = _mm256_fnmadd_ps(n, set(kLn2High), x);
        t = _mm256_fnmadd_ps(n, set(kLn2Low), t);
        V m = fma(c.c5, t, c.c4);
        m = fma(m, t, c.c3);
        m = fma(m, t, c.c2);
        m = fma(m, t, c.c1);
        return {fma(m, t, c.c0), n};
    }
    static V power(V d) {  // 2^d for whole d <= 0; 0 from -127 down
        const V biased = add(max(d, set(-127.0f)), set(kExponentBias));
        return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(biased), 23));
    }
    static V scale(V a, V d) { return mul(a, power(d)); }
    static V add_scaled(V a, V m, V d) { return fma(m, power(d), a); }
};

}  // namespace steelyard
