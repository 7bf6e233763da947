// The passes of every softmax algorithm, written once for any vector type I, any step S and any accumulators A.
//
// Templates only, and every one depends on I: object files built for different instruction sets share no code that
// the linker could swap between them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <limits>

#include "constants.hpp"
#include "table.hpp"

#define STEELYARD_UNROLL _Pragma("GCC unroll 16")

namespace steelyard {

template <class I, int S>
inline void prefetch(const float* p, std::size_t ahead) {
    if (ahead == 0) return;
    const char* line = reinterpret_cast<const char*>(p) + ahead;
    constexpr int bytes = S * static_cast<int>(I::width) * 4;
    STEELYARD_UNROLL
    for (int at = 0; at < bytes; at += 64) __builtin_prefetch(line + at, 0, 3);
}

template <class I, bool Sound>
inline typename I::V guard(typename I::V x) {
    // maxps returns its second operand where either is NaN: a NaN in x survives the clamp.
    if constexpr (Sound && !I::absorbs_infinity) return I::max(I::set(kLowest), x);
    return x;
}

// exp(x - shift) for x <= shift, times the polynomial's factor, with the same polynomial as the extended form.
template <class I, bool Sound>
inline typename I::V shifted_exp(typename I::V x, typename I::V shift, const typename I::Polynomial& c) {
    const auto p = I::ext_exp(guard<I, Sound>(I::sub(x, shift)), c);
    return I::scale(p.m, p.n);
}

// The first of `n` floats at y that a streaming store may write (n when none).
template <class I>
inline std::size_t unaligned_head(const float* y, std::size_t n) {
    const std::size_t past = reinterpret_cast<std::uintptr_t>(y) % (I::width * 4);
    const std::size_t head = past == 0 ? 0 : (I::width * 4 - past) / 4;
    return head < n ? head : n;
}

template <class I, bool Stream>
inline void put(float* y, typename I::V v) {
    if constexpr (Stream)
        I::stream(y, v);
    else
        I::store(y, v);
}

template <class I, int S, int A>
float max_pass(const float* x, std::size_t n, std::size_t ahead) {
    using V = typename I::V;
    constexpr std::size_t W = I::width;
    constexpr float none = -std::numeric_limits<float>::infinity();
    V top[A];
    STEELYARD_UNROLL
    for (int a = 0; a < A; ++a) top[a] = I::set(none);
    for (; n >= S * W; n -= S * W, x += S * W) {
        prefetch<I, S>(x, ahead);
        STEELYARD_UNROLL
        for (int j = 0; j < S; ++j) top[j % A] = I::max(top[j % A], I::load(x + j * W));
    }
    STEELYARD_UNROLL
    for (int a = 1; a < A; ++a) top[0] = I::max(top[0], top[a]);
    for (; n >= W; n -= W, x += W) top[0] = I::max(top[0], I::load(x));
    if (n) top[0] = I::max(top[0], I::load_tail(x, n, none));
    return I::largest(top[0]);
}

template <class I, int S, int A>
float read_pass(const float* x, std::size_t n, std::size_t ahead) {
    using V = typename I::V;
    constexpr std::size_t W = I::width;
    V sum[A];
    STEELYARD_UNROLL
    for (int a = 0; a < A; ++a) sum[a] = I::set(0.0f);
    for (; n >= S * W; n -= S * W, x += S * W) {
        prefetch<I, S>(x, ahead);
        STEELYARD_UNROLL
        for (int j = 0; j < S; ++j) sum[j % A] = I::add(sum[j % A], I::load(x + j * W));
    }
    STEELYARD_UNROLL
    for (int a = 1; a < A; ++a) sum[0] = I::add(sum[0], sum[a]);
    for (; n >= W; n -= W, x += W) sum[0] = I::add(sum[0], I::load(x));
    if (n) sum[0] = I::add(sum[0], I::load_tail(x, n, 0.0f));
    return I::sum(sum[0]);
}

// sum of exp(x - shift); with Store also y = exp(x - shift).
template <class I, int S, int A, bool Sound, bool Store, bool Stream>
inline float exp_sum(const float* x, float* y, std::size_t n, float shift, std::size_t ahead) {
    using V = typename I::V;
    constexpr std::size_t W = I::width;
    const V s = I::set(shift);
    const typename I::Polynomial c;
    V sum[A];
    STEELYARD_UNROLL
    for (int a = 0; a < A; ++a) sum[a] = I::set(0.0f);
    const auto part = [&](std::size_t k) {  // the next k < W elements
        const V e = shifted_exp<I, Sound>(I::load_tail(x, k, shift), s, c);
        if constexpr (Store) {
            I::store_tail(y, e, k);
            y += k;
        }
        sum[0] = I::add(sum[0], I::keep_tail(e, I::set(0.0f), k));
        x += k;
        n -= k;
    };
    if constexpr (Stream)
        if (const std::size_t head = unaligned_head<I>(y, n)) part(head);
    for (; n >= S * W; n -= S * W, x += S * W) {
        prefetch<I, S>(x, ahead);
        V e[S];
        STEELYARD_UNROLL
        for (int j = 0; j < S; ++j) e[j] = shifted_exp<I, Sound>(I::load(x + j * W), s, c);
        if constexpr (Store) {
            STEELYARD_UNROLL
            for (int j = 0; j < S; ++j) put<I, Stream>(y + j * W, e[j]);
            y += S * W;
        }
        // The step's own terms first: the long-lived sums take one rounding a step, not one a vector.
        STEELYARD_UNROLL
        for (int j = A; j < S; ++j) e[j % A] = I::add(e[j % A], e[j]);
        STEELYARD_UNROLL
        for (int a = 0; a < A; ++a) sum[a] = I::add(sum[a], e[a]);
    }
    STEELYARD_UNROLL
    for (int a = 1; a < A; ++a) sum[0] = I::add(sum[0], sum[a]);
    for (; n >= W; n -= W, x += W) {
        const V e = shifted_exp<I, Sound>(I::load(x), s, c);
        if constexpr (Store) {
            put<I, Stream>(y, e);
            y += W;
        }
        sum[0] = I::add(sum[0], e);
    }
    if (n) part(n);
    return I::sum(sum[0]);
}

template <class I, int S, int A, bool Sound>
float sum_pass(const float* x, std::size_t n, float shift, std::size_t ahead) {
    return exp_sum<I, S, A, Sound, false, false>(x, nullptr, n, shift, ahead);
}

template <class I, int S, int A, bool Sound, bool Stream>
float store_pass(const float* x, float* y, std::size_t n, float shift, std::size_t ahead) {
    return exp_sum<I, S, A, Sound, true, Stream>(x, y, n, shift, ahead);
}

// Pass 1 of the two-pass algorithm: sum of (m, n) pairs, each lane of each accumulator with its own exponent.
template <class I, int S, int A, bool Sound>
Extended extended_sum_pass(const float* x, std::size_t n, std::size_t ahead) {
    using V = typename I::V;
    constexpr std::size_t W = I::width;
    // The published start is -inf. From -FLT_MAX every difference to it is defined, -inf - ae included.
    constexpr float start = Sound ? -std::numeric_limits<float>::max() : -std::numeric_limits<float>::infinity();
    const V none = I::set(start);
    const typename I::Polynomial c;
    V av[A], ae[A];
    STEELYARD_UNROLL
    for (int a = 0; a < A; ++a) av[a] = I::set(0.0f), ae[a] = none;
    for (; n >= S * W; n -= S * W, x += S * W) {
        prefetch<I, S>(x, ahead);
        typename I::Parts p[S];
        STEELYARD_UNROLL
        for (int j = 0; j < S; ++j) p[j] = I::ext_exp(guard<I, Sound>(I::load(x + j * W)), c);
        V e[A];
        STEELYARD_UNROLL
        for (int a = 0; a < A; ++a) e[a] = ae[a];
        STEELYARD_UNROLL
        for (int j = 0; j < S; ++j) e[j % A] = I::max(e[j % A], p[j].n);
        V step[A];  // the step's own terms first: av takes one rescale and one rounding a step, not one a vector
        STEELYARD_UNROLL
        for (int a = 0; a < A; ++a) step[a] = I::scale(p[a].m, I::sub(p[a].n, e[a]));
        STEELYARD_UNROLL
        for (int j = A; j < S; ++j) step[j % A] = I::add_scaled(step[j % A], p[j].m, I::sub(p[j].n, e[j % A]));
        STEELYARD_UNROLL
        for (int a = 0; a < A; ++a) av[a] = I::add_scaled(step[a], av[a], I::sub(ae[a], e[a])), ae[a] = e[a];
    }
    // A lane no element has reached has (0, -inf); against another such lane the difference would be NaN.
    const auto join = [](V& v, V& e, V m, V k) {
        const V top = I::max(I::max(e, k), I::set(-std::numeric_limits<float>::max()));
        v = I::add_scaled(I::scale(v, I::sub(e, top)), m, I::sub(k, top));
        e = top;
    };
    STEELYARD_UNROLL
    for (int a = 1; a < A; ++a) join(av[0], ae[0], av[a], ae[a]);
    for (; n >= W; n -= W, x += W) {
        const auto p = I::ext_exp(guard<I, Sound>(I::load(x)), c);
        join(av[0], ae[0], p.m, p.n);
    }
    if (n) {
        const auto p = I::ext_exp(guard<I, Sound>(I::load_tail(x, n, 0.0f)), c);
        join(av[0], ae[0], I::keep_tail(p.m, I::set(0.0f), n), I::keep_tail(p.n, ae[0], n));
    }
    const float exponent = I::largest(ae[0]);
    return {I::sum(I::scale(av[0], I::sub(ae[0], I::set(exponent)))), exponent};
}

// y = f(x) for n elements, S vectors a step; the store is streaming where asked and y aligned.
template <class I, int S, bool Stream, class F>
inline void map_pass(const float* x, float* y, std::size_t n, std::size_t ahead, F f) {
    using V = typename I::V;
    constexpr std::size_t W = I::width;
    if constexpr (Stream)
        if (const std::size_t head = unaligned_head<I>(y, n)) {
            I::store_tail(y, f(I::load_tail(x, head, 0.0f)), head);
            x += head, y += head, n -= head;
        }
    for (; n >= S * W; n -= S * W, x += S * W, y += S * W) {
        prefetch<I, S>(x, ahead);
        V v[S];
        STEELYARD_UNROLL
        for (int j = 0; j < S; ++j) v[j] = f(I::load(x + j * W));
        STEELYARD_UNROLL
        for (int j = 0; j < S; ++j) put<I, Stream>(y + j * W, v[j]);
    }
    for (; n >= W; n -= W, x += W, y += W) put<I, Stream>(y, f(I::load(x)));
    if (n) I::store_tail(y, f(I::load_tail(x, n, 0.0f)), n);
}

template <class I, int S, bool Sound, bool Stream>
void write_pass(const float* x, float* y, std::size_t n, float shift, float scale, std::size_t ahead) {
    const auto s = I::set(shift);
    const typename I::Polynomial c(scale);
    map_pass<I, S, Stream>(x, y, n, ahead, [=](auto v) { return shifted_exp<I, Sound>(v, s, c); });
}

// Pass 2 of the two-pass algorithm: y = (m * scale) * 2^(n - shift).
template <class I, int S, bool Sound, bool Stream>
void extended_write_pass(const float* x, float* y, std::size_t n, float shift, float scale, std::size_t ahead) {
    const auto e = I::set(shift);
    const typename I::Polynomial c(scale);
    map_pass<I, S, Stream>(x, y, n, ahead, [=](auto v) {
        const auto p = I::ext_exp(guard<I, Sound>(v), c);
        return I::scale(p.m, I::sub(p.n, e));
    });
}

template <class I, int S, bool Stream>
void multiply_pass(float* y, std::size_t n, float scale, std::size_t ahead) {
    const auto c = I::set(scale);
    map_pass<I, S, Stream>(y, y, n, ahead, [=](auto v) { return I::mul(v, c); });
}

template <class I, int S, bool Stream>
void copy_pass(const float* x, float* y, std::size_t n, std::size_t ahead) {
    map_pass<I, S, Stream>(x, y, n, ahead, [](auto v) { return v; });
}

// STREAM's triad, y = a + scale * b, on whole vectors of aligned buffers; the rest in plain C++.
template <class I, int S, bool Stream>
void triad_pass(const float* a, const float* b, float* y, std::size_t n, float scale, std::size_t ahead) {
    constexpr std::size_t W = I::width;
    const auto c = I::set(scale);
    if (unaligned_head<I>(y, n) == 0)
        for (; n >= S * W; n -= S * W, a += S * W, b += S * W, y += S * W) {
            prefetch<I, S>(a, ahead);
            prefetch<I, S>(b, ahead);
            STEELYARD_UNROLL
            for (int j = 0; j < S; ++j) put<I, Stream>(y + j * W, I::fma(I::load(b + j * W), c, I::load(a + j * W)));
        }
    for (; n; --n) *y++ = *a++ + scale * *b++;
}

}  // namespace steelyard
