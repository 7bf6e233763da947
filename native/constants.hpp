// The constants of the extended exponential (arXiv:2001.04438; values as in the released source).
#pragma once

namespace steelyard {

constexpr float kLog2E = 0x1.715476p+0f;
constexpr float kLn2High = 0x1.62E43p-1f;
constexpr float kLn2Low = -0x1.05C61p-29f;
constexpr float kC0 = 1.0f;
constexpr float kC1 = 0x1.FFFFF6p-1f;
constexpr float kC2 = 0x1.FFFDC6p-2f;
constexpr float kC3 = 0x1.555A80p-3f;
constexpr float kC4 = 0x1.573A1Ap-5f;
constexpr float kC5 = 0x1.0F9F9Cp-7f;

// Added to a whole d in [-127, 0], it leaves d + 127 in the low bits: shifted left by 23 they are the float 2^d.
constexpr float kExponentBias = 0x1.8000FEp23f;

// profile=sound, scalar and AVX2: x is clamped here first, so that -inf and huge negative values become an exact
// zero instead of NaN. (AVX-512's scalef maps (NaN, -inf) to 0 by definition and needs no clamp.)
constexpr float kLowest = -0x1p22f;
// profile=sound: beyond this exponent of the row, x * log2(e) is no longer rounded to the right integer often
// enough for the polynomial's range; the row is then computed with the maximum subtracted first.
constexpr float kLargestExponent = 0x1p17f;

}  // namespace steelyard
