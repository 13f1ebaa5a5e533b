// Small questions that phase-1 rules ask again and again.
#ifndef EMU_OPS_CHECKS_H
#define EMU_OPS_CHECKS_H

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "../op.h"

namespace emu {

/**
 * Bytes that cube operators ask for beside their operands. The libraries ask for more, 16 MiB; all fresh memory is
 * poisoned, and nothing depends on the number.
 */
constexpr uint64_t kCubeWorkspace = 1 << 20;

/** aclnn status codes the op documents name. */
enum Status : int {
    kNullPointer = 161001,    // ACLNN_ERR_PARAM_NULLPTR
    kInvalid = 161002,        // ACLNN_ERR_PARAM_INVALID
    kPlatform = 361001,       // ACLNN_ERR_RUNTIME_ERROR, also "this platform is not supported"
    kTiling = 561002,         // ACLNN_ERR_INNER_TILING_ERROR
    kNoKernel = 561003,       // ACLNN_ERR_INNER_FIND_KERNEL_ERROR
    kInnerNull = 561103,      // ACLNN_ERR_INNER_NULLPTR
};

inline bool is950(const Arguments& a) {
    return a.soc() == Soc::PR950 || a.soc() == Soc::DT950;
}

/** An optional tensor counts as absent when it is null or has no elements: the documents allow both forms. */
inline const Tensor* present(const Arguments& a, const char* name) {
    const Tensor* tensor = a.tensor(name);
    return tensor != nullptr && tensor->numel() > 0 ? tensor : nullptr;
}

inline const std::vector<Tensor>* present_list(const Arguments& a, const char* name) {
    const std::vector<Tensor>* list = a.list(name);
    return list != nullptr && !list->empty() && list->front().numel() > 0 ? list : nullptr;
}

/** "[2, 3]" for messages. */
std::string dims_text(const std::vector<int64_t>& dims);

/** As Tensor::contiguous, but the first axis may have any stride (paged caches). */
bool contiguous_after_first(const Tensor& tensor);

/** Refuses with 161002 unless the tensor has exactly these extents; -1 accepts any extent. */
void expect_dims(Call& call, const char* name, const Tensor& tensor, const std::vector<int64_t>& expected,
                 const char* cite);
/** As above for an argument that may be absent. */
void expect_optional(Call& call, const char* name, aclDataType dtype, const std::vector<int64_t>& expected,
                     const char* cite);
/** Refuses with `status` unless `value` is one of `allowed`. */
void expect_one_of(Call& call, const char* name, int64_t value, std::initializer_list<int64_t> allowed, int status,
                   const char* cite);
void expect_range(Call& call, const char* name, int64_t value, int64_t low, int64_t high, int status,
                  const char* cite);
void expect_contiguous(Call& call, const char* name, const char* cite);

inline int64_t ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

}  // namespace emu

#endif
