#include "softmax.hpp"

#include "constants.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <thread>
#include <vector>

#if defined(STEELYARD_X86)
#include <immintrin.h>
#endif

namespace steelyard {
namespace {

constexpr std::size_t smallest_share = 32768;  // floats a thread must get to be worth starting

// Sets flush-to-zero and denormals-are-zero for the current scope; streaming stores are ordered at its end.
class FloatState {
  public:
    explicit FloatState(const Plan& plan) : streaming_(plan.streaming) {
#if defined(STEELYARD_X86)
        saved_ = _mm_getcsr();
        if (plan.flush) _mm_setcsr(saved_ | 0x8040u);
#endif
    }
    ~FloatState() {
#if defined(STEELYARD_X86)
        _mm_setcsr(saved_);
        if (streaming_) _mm_sfence();
#endif
    }
    FloatState(const FloatState&) = delete;
    FloatState& operator=(const FloatState&) = delete;

  private:
    [[maybe_unused]] unsigned saved_ = 0;
    [[maybe_unused]] bool streaming_;
};

// A pass with the prefetch distance it was tuned with.
template <class F>
struct Tuned {
    F run;
    std::size_t ahead;
};

struct Passes {
    Tuned<MaxPass> max;
    Tuned<SumPass> sum;
    Tuned<StorePass> store;
    Tuned<WritePass> write;
    Tuned<MultiplyPass> multiply;
    Tuned<ExtendedSumPass> extended_sum;
    Tuned<WritePass> extended_write;
    std::size_t block, block_ahead, segment;

    Passes(const Plan& p, std::size_t n) {
        const Table& t = table_of(p.isa);
        const Regime regime = n * sizeof(float) <= cached_bytes ? Regime::cached : Regime::memory;
        const auto pick = [&](Pass pass) { return choice(p.isa, regime, pass, p.streaming); };
        const auto tuned = [](auto f, const Choice& c) { return Tuned<decltype(f)>{f, static_cast<std::size_t>(c.ahead)}; };
        Choice c = pick(Pass::max);
        max = tuned(t.reductions[c.candidate].max, c);
        c = pick(Pass::sum);
        sum = tuned(t.reductions[c.candidate].sum[p.sound], c);
        c = pick(Pass::store);
        store = tuned(t.reductions[c.candidate].store[p.sound][p.streaming], c);
        c = pick(Pass::extended_sum);
        extended_sum = tuned(t.reductions[c.candidate].extended_sum[p.sound], c);
        c = pick(Pass::write);
        write = tuned(t.maps[c.candidate].write[p.sound][p.streaming], c);
        c = pick(Pass::extended_write);
        extended_write = tuned(t.maps[c.candidate].extended_write[p.sound][p.streaming], c);
        c = pick(Pass::multiply);
        multiply = tuned(t.maps[c.candidate].multiply[p.streaming], c);
        c = pick(Pass::online);
        block = static_cast<std::size_t>(blocks[c.candidate]);
        block_ahead = static_cast<std::size_t>(c.ahead);
        segment = t.segment;
    }
};

// Runs body(thread) on `threads` threads, the caller's being the first.
template <class F>
void parallel(const Plan& plan, int threads, F body) {
    if (threads == 1) return body(0);
    std::vector<std::jthread> others;
    for (int t = 1; t < threads; ++t)
        others.emplace_back([&, t] {
            const FloatState state(plan);
            body(t);
        });
    body(0);
}

struct Shifted {
    float shift = 0.0f;
    double sum = 0.0;
};

// One row: every method is one pass of the algorithms, over all segments and threads.
struct Row {
    const Plan& plan;
    const Passes& passes;
    const Passes& clamped;  // the same algorithms with every x clamped first: safe for all input
    const float* x;
    float* y;
    std::size_t n;
    int threads;

    std::size_t segments() const { return (n + passes.segment - 1) / passes.segment; }

    // body(first, count) over spans of whole segments, one span a thread
    template <class F>
    void spans(F body) const {
        const std::size_t segment = passes.segment, share = (segments() + threads - 1) / threads;
        parallel(plan, threads, [&](int t) {
            const std::size_t first = std::min(n, t * share * segment), last = std::min(n, (t + 1) * share * segment);
            if (first < last) body(first, last - first);
        });
    }

    // the results of body(first, count) for each segment, in order
    template <class T, class F>
    const std::vector<T>& each_segment(F body) const {
        static thread_local std::vector<T> results;
        std::vector<T>& here = results;  // the caller's, whichever thread writes into it
        here.resize(segments());
        const std::size_t segment = passes.segment;
        spans([&](std::size_t first, std::size_t count) {
            for (const std::size_t end = first + count; first < end; first += segment)
                here[first / segment] = body(first, std::min(segment, end - first));
        });
        return here;
    }

    float max() const {
        const auto& tops = each_segment<float>(
            [&](std::size_t i, std::size_t k) { return passes.max.run(x + i, k, passes.max.ahead); });
        return *std::max_element(tops.begin(), tops.end());
    }

    double sum(float shift) const {
        double total = 0.0;
        for (const float s : each_segment<float>([&](std::size_t i, std::size_t k) {
                 return passes.sum.run(x + i, k, shift, passes.sum.ahead);
             }))
            total += s;
        return total;
    }

    double store(float shift) const {
        double total = 0.0;
        for (const float s : each_segment<float>([&](std::size_t i, std::size_t k) {
                 return passes.store.run(x + i, y + i, k, shift, passes.store.ahead);
             }))
            total += s;
        return total;
    }

    void write(float shift, float scale) const {
        spans([&](std::size_t i, std::size_t k) { passes.write.run(x + i, y + i, k, shift, scale, passes.write.ahead); });
    }

    void multiply(float scale) const {
        spans([&](std::size_t i, std::size_t k) { passes.multiply.run(y + i, k, scale, passes.multiply.ahead); });
    }

    // (M, E) of the row: the extended add over the segments' pairs, in double because it is free here.
    std::pair<double, float> extended_sum() const {
        const auto& parts = each_segment<Extended>([&](std::size_t i, std::size_t k) {
            return passes.extended_sum.run(x + i, k, passes.extended_sum.ahead);
        });
        float top = -std::numeric_limits<float>::infinity();
        for (const Extended& p : parts) top = p.exponent > top ? p.exponent : top;
        double total = 0.0;
        for (const Extended& p : parts) total += p.mantissa * std::exp2(static_cast<double>(p.exponent) - top);
        return {total, top};
    }

    void extended_write(float shift, float scale) const {
        spans([&](std::size_t i, std::size_t k) {
            passes.extended_write.run(x + i, y + i, k, shift, scale, passes.extended_write.ahead);
        });
    }

    // Running maximum and rescaled sum, block by block (Milakov and Gimelshein, arXiv:1805.02867, algorithm 3).
    Shifted online() const {
        // -FLT_MAX instead of -inf lets a block of -inf be subtracted without becoming NaN.
        const float lowest = plan.sound ? -std::numeric_limits<float>::max() : -std::numeric_limits<float>::infinity();
        const auto& parts = each_segment<Shifted>([&](std::size_t i, std::size_t k) {
            Shifted running{lowest, 0.0};
            for (const std::size_t end = i + k; i < end; i += passes.block) {
                const std::size_t count = std::min(passes.block, end - i);
                const float top = passes.max.run(x + i, count, passes.block_ahead);
                if (top > running.shift) {
                    running.sum *= std::exp(static_cast<double>(running.shift) - top);
                    running.shift = top;
                }
                running.sum += passes.sum.run(x + i, count, running.shift, 0);
            }
            return running;
        });
        Shifted all{lowest, 0.0};
        for (const Shifted& p : parts) all.shift = std::max(all.shift, p.shift);
        for (const Shifted& p : parts) all.sum += p.sum * std::exp(static_cast<double>(p.shift) - all.shift);
        return all;
    }

    // One pass more, for rows that the fast kernels cannot take: NaN, +inf, nothing but -inf, magnitudes above
    // kLargestExponent, and on AVX-512 finite values so low that the polynomial overflows (below about -1e15).
    void careful() const {
        const Row row{plan, clamped, clamped, x, y, n, threads};
        const float shift = row.max();
        row.write(shift, static_cast<float>(1.0 / row.sum(shift)));
    }

    // NaN, infinite, or zero (nothing but -inf where -inf was absorbed)
    bool lost(double sum) const { return plan.sound && !(sum > 0.0 && std::isfinite(sum)); }

    void two_pass() const {
        const auto [mantissa, exponent] = extended_sum();
        if (lost(mantissa) || (plan.sound && !(std::fabs(exponent) <= kLargestExponent))) return careful();
        extended_write(exponent, static_cast<float>(1.0 / mantissa));
    }

    void recompute() const {
        const float shift = max();
        const double total = sum(shift);
        if (lost(total)) return careful();
        write(shift, static_cast<float>(1.0 / total));
    }

    void reload() const {
        // In place the exponentials overwrite the input, so nothing could be redone.
        if (plan.sound && x == y && &passes != &clamped) return Row{plan, clamped, clamped, x, y, n, threads}.reload();
        const double total = store(max());
        if (lost(total) && x != y) return careful();
        multiply(static_cast<float>(1.0 / total));
    }

    void online_softmax() const {
        const Shifted all = online();
        if (lost(all.sum)) return careful();
        write(all.shift, static_cast<float>(1.0 / all.sum));
    }

    void run() const {
        if (plan.sound && n == 1) {  // m * (1 / m) need not be exactly one
            y[0] = std::isfinite(x[0]) ? 1.0f : std::numeric_limits<float>::quiet_NaN();
            return;
        }
        switch (plan.algorithm) {
            case Algorithm::two_pass:
                return two_pass();
            case Algorithm::three_pass_recompute:
                return recompute();
            case Algorithm::three_pass_reload:
                return reload();
            case Algorithm::online:
                return online_softmax();
        }
    }
};

int useful_threads(int threads, std::size_t floats) {
    return static_cast<int>(std::clamp<std::size_t>(floats / smallest_share, 1, static_cast<std::size_t>(threads)));
}

}  // namespace

void softmax(const Plan& plan, const float* x, std::ptrdiff_t x_stride, float* y, std::ptrdiff_t y_stride,
             std::size_t rows, std::size_t n) {
    if (rows == 0 || n == 0) return;
    const FloatState state(plan);
    const Passes passes(plan, n);
    // AVX-512 kernels need no clamp for -inf; where one is needed all the same, AVX2 (which every such CPU has) has it.
    const bool other = plan.isa == Isa::avx512;
    Plan with_clamp = plan;
    if (other) with_clamp.isa = Isa::avx2;
    const Passes second(with_clamp, n);
    const Passes& clamped = other ? second : passes;
    const auto some_rows = [&](std::size_t first, std::size_t last, int threads) {
        for (std::size_t r = first; r < last; ++r) {
            const auto i = static_cast<std::ptrdiff_t>(r);
            Row{plan, passes, clamped, x + i * x_stride, y + i * y_stride, n, threads}.run();
        }
    };
    const int threads = useful_threads(plan.threads, rows * n);
    if (rows < static_cast<std::size_t>(threads)) return some_rows(0, rows, useful_threads(threads, n));
    parallel(plan, threads, [&](int t) { some_rows(rows * t / threads, rows * (t + 1) / threads, 1); });
}

double run_pass(const Plan& plan, Pass pass, const PassArguments& a) {
    const FloatState state(plan);
    const Passes passes(plan, a.n);
    const Row row{plan, passes, passes, a.x, a.y, a.n, 1};
    const Table& t = table_of(plan.isa);
    const Choice c = choice(plan.isa, a.n * sizeof(float) <= cached_bytes ? Regime::cached : Regime::memory, pass,
                            plan.streaming);
    switch (pass) {
        case Pass::max:
            return row.max();
        case Pass::sum:
            return row.sum(a.shift);
        case Pass::store:
            return row.store(a.shift);
        case Pass::write:
            row.write(a.shift, a.scale);
            return 0.0;
        case Pass::multiply:
            row.multiply(a.scale);
            return 0.0;
        case Pass::extended_sum:
            return row.extended_sum().first;
        case Pass::extended_write:
            row.extended_write(a.shift, a.scale);
            return 0.0;
        case Pass::online:
            return row.online().sum;
        case Pass::read:
            return t.reductions[c.candidate].read(a.x, a.n, c.ahead);
        case Pass::copy:
            t.maps[c.candidate].copy[plan.streaming](a.x, a.y, a.n, c.ahead);
            return 0.0;
        case Pass::triad:
            t.maps[c.candidate].triad[plan.streaming](a.x, a.b, a.y, a.n, a.scale, c.ahead);
            return 0.0;
    }
    throw std::invalid_argument("no such pass");
}

}  // namespace steelyard
