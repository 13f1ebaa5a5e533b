// The executor between phase 1 and phase 2.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "arguments.h"
#include "stream.h"

namespace emu {

struct Executor {
    std::shared_ptr<ArgumentSet> arguments;
    uint64_t workspace = 0;
    bool repeatable = false;
    uint64_t runs = 0;
};

int set_repeatable(void* executor);
int destroy_executor(void* executor);

enum class Numbering { inputs, outputs, all };
/** aclSet{Input,Output,}TensorAddr: index over flattened tensors. */
int set_address(void* executor, Numbering numbering, size_t index, const void* tensor, void* address);
/** aclSetDynamic...TensorAddr: parameter `parameter`, member `member` of its list. */
int set_list_address(void* executor, Numbering numbering, size_t parameter, size_t member, const void* list,
                     void* address);

/** Checks where tensors and workspace lie, and lists what the operator will touch. 0 or a code after a fault. */
int check_placement(const ArgumentSet& arguments, int device, void* workspace, uint64_t workspace_size,
                    std::vector<Access>& accesses);

}  // namespace emu
