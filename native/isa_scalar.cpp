#include "instantiate.hpp"
#include "vector_scalar.hpp"

namespace steelyard {
const Table scalar_table = table<Scalar>;
}
