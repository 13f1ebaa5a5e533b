#include "blocked.h"

// Wider registers where the processor has them; the written order of the sums is the same in both copies.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define EMU_WIDE __attribute__((target_clones("avx2", "default"), optimize("O3")))
#else
#define EMU_WIDE
#endif

namespace emu {

EMU_WIDE float dot(const float* a, const float* b, int64_t n) {
    constexpr int kLanes = 16;
    float sums[kLanes] = {};
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
        for (int lane = 0; lane < kLanes; lane++) {
            sums[lane] += a[i + lane] * b[i + lane];
        }
    }
    for (; i < n; i++) {
        sums[i % kLanes] += a[i] * b[i];
    }
    for (int half = kLanes / 2; half > 0; half /= 2) {
        for (int lane = 0; lane < half; lane++) {
            sums[lane] += sums[lane + half];
        }
    }
    return sums[0];
}

EMU_WIDE int32_t dot_integers(const float* a, const float* b, int64_t n) {
    int32_t sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += static_cast<int32_t>(a[i]) * static_cast<int32_t>(b[i]);
    }
    return sum;
}

EMU_WIDE void add_scaled(float* y, float scale, const float* x, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        y[i] += scale * x[i];
    }
}

}  // namespace emu
