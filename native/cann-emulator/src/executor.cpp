// Repeatable executors: reuse and new addresses.
#include "executor.h"

#include "meta.h"

namespace emu {

namespace {

std::shared_ptr<Executor> find_executor(const void* handle, const char* function, int& code) {
    World& w = world();
    code = 0;
    if (handle == nullptr) {
        code = fail(ACLNN_ERR_INNER_NULLPTR, std::string(function) + ": executor is NULL");
        return nullptr;
    }
    auto executor = w.executors.find(handle);
    if (executor == nullptr) {
        fault("executor-consumed", std::string(function) + " with " + describe_handle(handle) +
              ", which is not a live executor");
        code = fail(ACLNN_ERR_INNER_NULLPTR, std::string(function) + ": no such executor");
    }
    return executor;
}

struct Slot {
    Argument* argument;
    size_t member;
};

/**
 * Tensors in the order executors of generated operators number them: inputs in declaration order, absent ones and
 * every member of a list included, then outputs.
 */
std::vector<Slot> slots(ArgumentSet& set, Numbering numbering) {
    std::vector<Slot> out;
    for (bool written : {false, true}) {
        if ((written && numbering == Numbering::inputs) || (!written && numbering == Numbering::outputs)) {
            continue;
        }
        for (Argument& a : set.arguments) {
            bool tensor = a.parameter->kind == Kind::tensor || a.parameter->kind == Kind::tensors;
            if (!tensor || a.written != written) {
                continue;
            }
            for (size_t i = 0; i < std::max<size_t>(a.tensors.size(), 1); i++) {
                out.push_back({&a, i});
            }
        }
    }
    return out;
}

int check_address(const char* function, const Executor& executor, const void* address) {
    if (!executor.repeatable) {
        fault("executor-repeatable", std::string(function) + " on an executor of " + executor.arguments->op->name +
                                         " that is not repeatable");
        return fail(ACLNN_ERR_INNER, std::string(function) + ": the executor is not repeatable");
    }
    if (reinterpret_cast<uint64_t>(address) % 32 != 0) {
        fault("address-unaligned", std::string(function) + " with " + hex(reinterpret_cast<uint64_t>(address)));
        return fail(ACLNN_ERR_PARAM_INVALID, std::string(function) + ": the address is not a multiple of 32");
    }
    return 0;
}

/** Puts the address where this kind of operator takes it from. */
int assign(const char* function, Executor& executor, const Slot* slot, const void* tensor, uint64_t address) {
    uint64_t handle = reinterpret_cast<uint64_t>(tensor);
    const char* op = executor.arguments->op->name;
    if (executor.arguments->op->handwritten) {
        bool known = false;
        for (const Argument& a : executor.arguments->arguments) {
            known |= std::find(a.handles.begin(), a.handles.end(), handle) != a.handles.end();
        }
        if (!known) {
            fault("executor-wrong-tensor", std::string(function) + ": " + describe_handle(tensor) +
                  " is no argument of this " + op +
                                               "; hand-written operators rewrite the tensor they are given");
        }
        world().tensors.find(tensor)->value.address = address;
        return 0;
    }
    if (slot == nullptr || slot->argument->tensors.size() <= slot->member) {
        return fail(ACLNN_ERR_PARAM_INVALID, std::string(function) + ": no tensor of " + op + " has this index");
    }
    if (slot->argument->handles[slot->member] != handle) {
        fault("executor-wrong-tensor", std::string(function) + ": the index means " + slot->argument->parameter->name +
              " of " + op +
                                           ", but " + describe_handle(tensor) + " is another tensor");
    }
    slot->argument->tensors[slot->member].address = address;
    return 0;
}

}  // namespace

int set_repeatable(void* handle) {
    Lock lock(world().mutex);
    int code;
    auto executor = find_executor(handle, "aclSetAclOpExecutorRepeatable", code);
    if (code) {
        return code;
    }
    if (!executor->arguments->op->repeatable) {
        return fail(ACLNN_ERR_INNER, std::string("aclSetAclOpExecutorRepeatable: ") + executor->arguments->op->name +
                                         " cannot be repeated");
    }
    executor->repeatable = true;
    return 0;
}

int destroy_executor(void* handle) {
    World& w = world();
    Lock lock(w.mutex);
    if (handle == nullptr) {
        return 0;
    }
    int code;
    auto executor = find_executor(handle, "aclDestroyAclOpExecutor", code);
    if (code) {
        return code;
    }
    if (!executor->repeatable) {
        fault("executor-repeatable", std::string("aclDestroyAclOpExecutor of ") + executor->arguments->op->name +
                                         ", which was not made repeatable");
        return fail(ACLNN_ERR_INNER, "aclDestroyAclOpExecutor: the executor is not repeatable");
    }
    w.executors.take(handle);
    return 0;
}

int set_address(void* handle, Numbering numbering, size_t index, const void* tensor, void* address) {
    static const char* names[] = {"aclSetInputTensorAddr", "aclSetOutputTensorAddr", "aclSetTensorAddr"};
    const char* function = names[static_cast<int>(numbering)];
    Lock lock(world().mutex);
    int code;
    auto executor = find_executor(handle, function, code);
    if (code) {
        return code;
    }
    if (tensor == nullptr) {
        return fail(ACLNN_ERR_INNER_NULLPTR, std::string(function) + ": tensor is NULL");
    }
    find_tensor(tensor, function, code);
    if (code || (code = check_address(function, *executor, address))) {
        return code;
    }
    std::vector<Slot> all = slots(*executor->arguments, numbering);
    return assign(function, *executor, index < all.size() ? &all[index] : nullptr, tensor,
                  reinterpret_cast<uint64_t>(address));
}

int set_list_address(void* handle, Numbering numbering, size_t parameter, size_t member, const void* list,
                     void* address) {
    static const char* names[] = {"aclSetDynamicInputTensorAddr", "aclSetDynamicOutputTensorAddr",
        "aclSetDynamicTensorAddr"};
    const char* function = names[static_cast<int>(numbering)];
    World& w = world();
    Lock lock(w.mutex);
    int code;
    auto executor = find_executor(handle, function, code);
    if (code) {
        return code;
    }
    auto tensors = list == nullptr ? nullptr : w.lists.find(list);
    if (tensors == nullptr) {
        if (list != nullptr) {
            fault(w.lists.why(list), std::string(function) + " with " + describe_handle(list));
        }
        return fail(ACLNN_ERR_INNER_NULLPTR, std::string(function) + ": not a live list");
    }
    if ((code = check_address(function, *executor, address))) {
        return code;
    }
    if (member >= tensors->members.size()) {
        return fail(ACLNN_ERR_PARAM_INVALID, std::string(function) + ": the list has " +
                    std::to_string(tensors->members.size()) +
                                                 " members");
    }
    // the first index counts parameters here, not tensors
    std::vector<Slot> all = slots(*executor->arguments, numbering);
    const Slot* wanted = nullptr;
    size_t seen = 0;
    for (const Slot& slot : all) {
        if (slot.member == 0 && seen++ == parameter) {
            wanted = &slot;
        }
    }
    Slot chosen{wanted ? wanted->argument : nullptr, member};
    return assign(function, *executor, wanted ? &chosen : nullptr, tensors->members[member],
                  reinterpret_cast<uint64_t>(address));
}

}  // namespace emu
