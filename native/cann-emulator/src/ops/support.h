// What the plain operators share: groups of dtypes, broadcasting, type promotion, axes, exact moves of elements.
#ifndef EMU_OPS_SUPPORT_H
#define EMU_OPS_SUPPORT_H

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "op.h"

namespace emu {

using Dims = std::vector<int64_t>;
using DtypeList = std::initializer_list<aclDataType>;

inline constexpr DtypeList kFloats = {ACL_FLOAT, ACL_FLOAT16, ACL_BF16};
inline constexpr DtypeList kIndices = {ACL_INT32, ACL_INT64};
inline constexpr DtypeList kIntegers = {ACL_INT8, ACL_UINT8, ACL_INT16, ACL_INT32, ACL_INT64};
/** What element-wise and data-moving operators take on every product. */
inline constexpr DtypeList kNumbers = {ACL_FLOAT, ACL_FLOAT16, ACL_BF16,  ACL_DOUBLE, ACL_INT8,
                                       ACL_UINT8, ACL_INT16,   ACL_INT32, ACL_INT64,  ACL_BOOL};

bool is_float(aclDataType dtype);
/** FP8, FP6, FP4, HiFloat8 and E8M0: dtypes that exist on the 950 only. */
bool is_narrow_float(aclDataType dtype);

/** Refuses with 161002 unless out has these extents. */
void same_shape(Call& call, const char* name, const Dims& expected, const char* cite);
void max_rank(Call& call, const char* name, int rank, const char* cite);
/** The axis counted from 0; refuses one outside the rank. */
int axis_of(Call& call, int64_t axis, int rank, const char* cite);
inline int axis_of(int64_t axis, int rank) {
    return static_cast<int>(axis < 0 ? axis + (rank == 0 ? 1 : rank) : axis);
}

/** Common shape of two operands; refuses with 161002 when they do not broadcast. */
Dims broadcast(Call& call, const Tensor& a, const Tensor& b, const char* cite);
/** The same elements seen with these extents, stride 0 on broadcast axes. */
Tensor expand(const Tensor& t, const Dims& dims);

/** dtype two operands are computed in. */
aclDataType promote(aclDataType a, aclDataType b);
/** Refuses when a result of dtype `from` may not be written as tensor `name`. */
void convertible(Call& call, aclDataType from, const char* name, const char* cite);

/** A tensor as [outer, extent, inner] around one axis. */
struct Around {
    int64_t outer = 1, extent = 1, inner = 1;
    Around(const Dims& dims, int axis);
};

/** The tensor with an integer dtype of the same width: moves elements without touching their bits. */
Tensor bits_of(const Tensor& t);
/** The part of a tensor at one position of an axis; the axis goes. */
Tensor at(const Tensor& t, int axis, int64_t position);
/** Copies equal shapes of equal element width, bit for bit. */
void move(Run& run, const Tensor& from, const Tensor& to);
/** An index into `extent` entries; ends the task with a device exception outside of it. */
int64_t checked_index(Run& run, int64_t index, int64_t extent, bool negative_counts, const char* cite);
/** dims without gaps. */
Dims dense_strides(const Dims& dims);
/** The last two axes swapped. */
Tensor transposed(const Tensor& t);

/** Two's complement wrap to the width of an integer dtype; other dtypes pass. */
int64_t wrapped(aclDataType dtype, int64_t value);

/** The order in which blocks are summed: 0..n-1, shuffled under `jitter`. */
std::vector<int64_t> sum_order(Run& run, int64_t n);

}  // namespace emu

#endif
