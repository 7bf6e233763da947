// Compiles every candidate of one instruction set into its table. Candidates are those of the released source
// (8, 9, 10 and 12 vectors a step, one to six accumulators) and shorter steps, the same list for every algorithm.
#pragma once
#include "passes.hpp"

namespace steelyard {

template <class I, int S, int A>
inline constexpr Reduction reduction = {
    static_cast<int>(S * I::width),
    A,
    max_pass<I, S, A>,
    read_pass<I, S, A>,
    {sum_pass<I, S, A, false>, sum_pass<I, S, A, true>},
    {extended_sum_pass<I, S, A, false>, extended_sum_pass<I, S, A, true>},
    {{store_pass<I, S, A, false, false>, store_pass<I, S, A, false, true>},
     {store_pass<I, S, A, true, false>, store_pass<I, S, A, true, true>}},
};

template <class I, int S>
inline constexpr Map map = {
    static_cast<int>(S * I::width),
    {{write_pass<I, S, false, false>, write_pass<I, S, false, true>},
     {write_pass<I, S, true, false>, write_pass<I, S, true, true>}},
    {{extended_write_pass<I, S, false, false>, extended_write_pass<I, S, false, true>},
     {extended_write_pass<I, S, true, false>, extended_write_pass<I, S, true, true>}},
    {multiply_pass<I, S, false>, multiply_pass<I, S, true>},
    {copy_pass<I, S, false>, copy_pass<I, S, true>},
    {triad_pass<I, S, false>, triad_pass<I, S, true>},
};

template <class I>
inline constexpr Reduction reductions[] = {
    reduction<I, 1, 1>,  reduction<I, 2, 1>,  reduction<I, 2, 2>,  reduction<I, 4, 1>,  reduction<I, 4, 2>,
    reduction<I, 4, 4>,  reduction<I, 6, 1>,  reduction<I, 6, 2>,  reduction<I, 6, 3>,  reduction<I, 6, 6>,
    reduction<I, 8, 1>,  reduction<I, 8, 2>,  reduction<I, 8, 4>,  reduction<I, 9, 1>,  reduction<I, 9, 3>,
    reduction<I, 10, 1>, reduction<I, 10, 2>, reduction<I, 10, 5>, reduction<I, 12, 1>, reduction<I, 12, 2>,
    reduction<I, 12, 3>, reduction<I, 12, 4>, reduction<I, 12, 6>,
};

template <class I>
inline constexpr Map maps[] = {map<I, 1>, map<I, 2>, map<I, 4>, map<I, 6>, map<I, 8>, map<I, 12>};

template <class I>
inline constexpr Table table = {
    static_cast<int>(I::width),
    23040,
    reductions<I>,
    sizeof(reductions<I>) / sizeof(Reduction),
    maps<I>,
    sizeof(maps<I>) / sizeof(Map),
};

}  // namespace steelyard
