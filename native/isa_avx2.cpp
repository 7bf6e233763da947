#include "instantiate.hpp"
#include "vector_avx2.hpp"

namespace steelyard {
const Table avx2_table = table<Avx2>;
}
