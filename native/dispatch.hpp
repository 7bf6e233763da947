// Which instruction sets run here, and which tuned candidate each pass uses on each of them.
#pragma once
#include <array>
#include <cstddef>
#include <string>

#include "table.hpp"

namespace steelyard {

enum class Isa { scalar, avx2, avx512 };
inline constexpr std::array<const char*, 3> isa_names = {"scalar", "avx2", "avx512"};

enum class Pass { max, sum, store, write, multiply, extended_sum, extended_write, online, read, copy, triad };
inline constexpr std::array<const char*, 11> pass_names = {
    "max", "sum", "store", "write", "multiply", "extended_sum", "extended_write", "online", "read", "copy", "triad"};

// Rows up to this many bytes use the `cached` choice, longer ones the `memory` choice (one mebibyte: a common L2).
inline constexpr std::size_t cached_bytes = std::size_t{1} << 20;
enum class Regime { cached, memory };
inline constexpr std::array<const char*, 2> regime_names = {"cached", "memory"};

// Block lengths of the online algorithm (a segment is the longest).
inline constexpr std::array<int, 6> blocks = {720, 1440, 2880, 5760, 11520, 23040};

// candidate: index among the reductions, the maps or the blocks, whichever the pass is compiled from.
// ahead: software prefetch distance in bytes, 0 for none.
struct Choice {
    int candidate = 0;
    int ahead = 0;
};

// "" where `isa` runs here, else the reason it does not.
std::string missing(Isa isa);
Isa best_isa();
// Throws std::invalid_argument for an instruction set that was not compiled in.
const Table& table_of(Isa isa);
// How many candidates `pass` has.
int candidate_count(Isa isa, Pass pass);
Choice& choice(Isa isa, Regime regime, Pass pass, bool streaming);
// The processor's own name, "" where it cannot be asked.
std::string cpu_name();

}  // namespace steelyard
