#include "buffer.hpp"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <new>

namespace steelyard {
namespace {

constexpr std::size_t huge_page = std::size_t{2} << 20;

struct Layout {
    std::size_t alignment, bytes;
};

Layout layout(std::size_t count) {
    const std::size_t bytes = count * sizeof(float), alignment = bytes >= huge_page ? huge_page : 64;
    return {alignment, (bytes / alignment + 1) * alignment};
}

}  // namespace

float* allocate_floats(std::size_t count) {
    if (count > (std::size_t{1} << 48)) throw std::bad_alloc();
    const auto [alignment, bytes] = layout(count);
    void* p = std::aligned_alloc(alignment, bytes);
    if (!p) throw std::bad_alloc();
#if defined(MADV_HUGEPAGE)
    if (alignment == huge_page) madvise(p, bytes, MADV_HUGEPAGE);  // advice: refusal costs speed, not correctness
#endif
    std::memset(p, 0, bytes);  // every page is mapped now, not inside a measurement
    return static_cast<float*>(p);
}

}  // namespace steelyard
