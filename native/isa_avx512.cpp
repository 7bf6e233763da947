#include "instantiate.hpp"
#include "vector_avx512.hpp"

namespace steelyard {
const Table avx512_table = table<Avx512>;
}
