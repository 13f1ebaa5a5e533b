// The gated activation: y = w * (silu(min(g, limit)) * clamp(u, -limit, limit)).
#ifndef WEFT_CUDA_SWI_GLU_CUH
#define WEFT_CUDA_SWI_GLU_CUH

#include "weft/cuda/vectors.cuh"

namespace weft {

constexpr int SWI_GLU_RUN = 8;

// g = a run of row i from column c on, not rounded. Attributes: limit, weighted.
template <class T>
__device__ __forceinline__ void swi_glu_values(const Call &call, i64 i, i64 c, float (&g)[SWI_GLU_RUN]) {
    const Rows gate = rows_of(call.at[0]);
    const Rows up = rows_of(call.at[1]);
    const bool weighted = call.attribute[1] != 0;
    const T *g_from = gate.row<T>(i) + c;
    const T *u_from = up.row<T>(i) + c;
    float u[SWI_GLU_RUN];
    load_run(g_from, gate.columns - c, is_aligned(g_from, 16), g);
    load_run(u_from, gate.columns - c, is_aligned(u_from, 16), u);
    const float limit = static_cast<float>(real(call.attribute[0]));
    const float weight = weighted ? static_cast<const float *>(call.at[2].data)[i] : 1.0f;
#pragma unroll
    for (int j = 0; j < SWI_GLU_RUN; j++) {
        // comparisons, because the minimum of a NaN and a number would be the number
        const float gj = g[j] > limit ? limit : g[j];
        const float uj = u[j] > limit ? limit : u[j] < -limit ? -limit : u[j];
        g[j] = weight * (gj / (1 + expf(-gj)) * uj);
    }
}

template <class T>
__device__ __forceinline__ void swi_glu_run(const Call &call, i64 i, i64 c) {
    const Rows y = rows_of(call.at[call.attribute[1] != 0 ? 3 : 2]);
    T *to = y.row<T>(i) + c;
    float v[SWI_GLU_RUN];
    swi_glu_values<T>(call, i, c, v);
    store_run(to, y.columns - c, is_aligned(to, 16), v);
}

}  // namespace weft

#endif
