#include "dispatch.hpp"

#include <cstring>
#include <stdexcept>

#if defined(STEELYARD_X86)
#include <cpuid.h>
#endif

namespace steelyard {

std::string missing(Isa isa) {
    if (isa == Isa::scalar) return "";
#if defined(STEELYARD_X86)
    // __builtin_cpu_supports asks CPUID and, through XGETBV, whether the operating system saves the registers.
    if (isa == Isa::avx2)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? "" : "no AVX2 with FMA on this CPU";
    return __builtin_cpu_supports("avx512f") ? "" : "no AVX-512F on this CPU";
#else
    return "not an x86-64 CPU";
#endif
}

Isa best_isa() {
    if (missing(Isa::avx512).empty()) return Isa::avx512;
    return missing(Isa::avx2).empty() ? Isa::avx2 : Isa::scalar;
}

const Table& table_of(Isa isa) {
    if (isa == Isa::scalar) return scalar_table;
#if defined(STEELYARD_X86)
    return isa == Isa::avx2 ? avx2_table : avx512_table;
#else
    throw std::invalid_argument("only the scalar kernels are compiled on this processor");
#endif
}

int candidate_count(Isa isa, Pass pass) {
    const Table& t = table_of(isa);
    switch (pass) {
        case Pass::max:
        case Pass::sum:
        case Pass::store:
        case Pass::extended_sum:
        case Pass::read:
            return t.reduction_count;
        case Pass::online:
            return static_cast<int>(blocks.size());
        default:
            return t.map_count;
    }
}

namespace {

int reduction_of(Isa isa, int vectors, int accumulators) {
    const Table& t = table_of(isa);
    for (int i = 0; i < t.reduction_count; ++i)
        if (t.reductions[i].elements == vectors * t.width && t.reductions[i].accumulators == accumulators) return i;
    throw std::logic_error("a default names a candidate that is not compiled");
}

int map_of(Isa isa, int vectors) {
    const Table& t = table_of(isa);
    for (int i = 0; i < t.map_count; ++i)
        if (t.maps[i].elements == vectors * t.width) return i;
    throw std::logic_error("a default names a candidate that is not compiled");
}

using Choices = std::array<std::array<std::array<std::array<Choice, 2>, pass_names.size()>, 2>, isa_names.size()>;

// What measuring gave on a Zen 4 server core: short steps with one accumulator keep everything in registers, since
// the dependent chain is one addition a step. `tune` replaces these by what the machine at hand prefers.
Choices defaults() {
    Choices all{};
    for (int i = 0; i < static_cast<int>(isa_names.size()); ++i) {
        const Isa isa = static_cast<Isa>(i);
        if (!missing(isa).empty()) continue;
        const bool wide = isa == Isa::avx512;
        const auto put = [&](Pass pass, int candidate) {
            for (auto& regime : all[i])
                for (auto& c : regime[static_cast<int>(pass)]) c = {candidate, 0};
        };
        put(Pass::max, reduction_of(isa, 4, 4));
        put(Pass::read, reduction_of(isa, 4, 4));
        put(Pass::sum, reduction_of(isa, 8, 1));
        put(Pass::store, reduction_of(isa, 6, 1));
        put(Pass::extended_sum, reduction_of(isa, wide ? 6 : 4, 1));
        put(Pass::write, map_of(isa, wide ? 4 : 2));
        put(Pass::extended_write, map_of(isa, wide ? 4 : 2));
        put(Pass::multiply, map_of(isa, 2));
        put(Pass::copy, map_of(isa, 4));
        put(Pass::triad, map_of(isa, 4));
        put(Pass::online, 3);
        auto& memory = all[i][static_cast<int>(Regime::memory)];
        for (auto& c : memory[static_cast<int>(Pass::online)]) c.candidate = 0;
        // Streaming stores leave the caches to the input: fetching one page ahead pays.
        for (const Pass pass : {Pass::store, Pass::write, Pass::extended_write, Pass::copy, Pass::triad})
            memory[static_cast<int>(pass)][1].ahead = 4096;
    }
    return all;
}

}  // namespace

Choice& choice(Isa isa, Regime regime, Pass pass, bool streaming) {
    static Choices all = defaults();
    return all[static_cast<int>(isa)][static_cast<int>(regime)][static_cast<int>(pass)][streaming];
}

std::string cpu_name() {
#if defined(STEELYARD_X86)
    char name[49] = {};
    for (unsigned i = 0; i < 3; ++i) {
        unsigned r[4];
        if (!__get_cpuid(0x80000002u + i, &r[0], &r[1], &r[2], &r[3])) return "";
        std::memcpy(name + 16 * i, r, 16);
    }
    return name;
#else
    return "";
#endif
}

}  // namespace steelyard
