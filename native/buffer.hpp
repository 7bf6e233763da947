// Memory for measurements: aligned, on huge pages where the system grants them, and already present.
#pragma once
#include <cstddef>

namespace steelyard {

// `count` zeroed floats, 2 MiB aligned and advised to huge pages when they fill one, else 64-byte aligned.
// Throws std::bad_alloc. Release with std::free.
float* allocate_floats(std::size_t count);

}  // namespace steelyard
