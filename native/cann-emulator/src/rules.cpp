// The rules behind faults. Citations name the CANN document, header or source the rule was read in.
#include "fault.h"

namespace emu {

const std::vector<Rule>& rules() {
    static const std::vector<Rule> all = {
        // handles
        {"use-after-destroy", "an object is used after its destroy call",
            "runtime and nnopbase docs: destroy functions"},
        {"double-destroy", "an object is destroyed twice; a list destroys its members",
         "opbase source: aclDestroyTensorList, aclDestroyScalarList"},
        {"wrong-handle", "an object of another type, or no object at all, is passed",
            "runtime docs: 107017 INVALID_HANDLE"},
        {"destroy-with-pending-work", "a stream, graph or communicator is destroyed while work on it is queued",
         "runtime docs: aclrtDestroyStream, aclmdlRIDestroy, HcclCommDestroy"},
        {"leak", "an object or memory is still there at aclFinalize",
            "runtime docs: order of release before aclFinalize"},
        {"executor-leak", "phase 1 without phase 2", "opbase docs: two-phase interface"},
        // threads
        {"call-in-host-function", "a function run by a stream calls the runtime", "runtime docs: aclrtLaunchHostFunc"},
        // two phases
        {"executor-consumed", "phase 2 on an unknown, consumed or foreign executor",
            "opbase source: executor ownership of phase 2"},
        {"executor-repeatable", "an executor that was not made repeatable is re-addressed or destroyed",
         "opbase docs: aclSetAclOpExecutorRepeatable"},
        {"executor-wrong-tensor", "an address is set through another tensor than phase 1 got",
         "opbase source: address update of hand-written and generated operators"},
        {"argument-destroyed", "an aclTensor or list is destroyed while an executor still needs it",
         "opbase docs: two-phase interface; source: hand-written executors read the live aclTensor"},
        {"workspace-size", "phase 2 is given less workspace than phase 1 announced",
            "opbase docs: two-phase interface"},
        {"workspace-memory", "the workspace is not device memory of the size that is passed",
            "opbase docs: two-phase interface"},
        {"workspace-overlap", "the workspace overlaps an input or output", "opbase docs: two-phase interface"},
        {"address-unaligned", "a tensor or workspace address is not a multiple of 32", "opbase docs: aclCreateTensor"},
        {"address-memory", "a tensor's address is not device memory", "opbase docs: aclCreateTensor"},
        {"other-form", "a package's function is taken for CANN's of the same name, which has other parameters",
         "vllm-ascend csrc op definitions; ops-transformer docs: revisions of one operator's page"},
        // memory
        {"tensor-bounds", "a tensor does not lie inside one live allocation", "runtime docs: aclrtMalloc"},
        {"tensor-tail", "a tensor's storage, rounded up to 32 bytes (plus 32 on A2/A3), leaves its allocation",
         "runtime docs: aclrtMalloc, sub-allocation"},
        {"view-outside-storage", "the view's last element lies beyond the storage dims",
            "opbase docs: aclCreateTensor"},
        {"overlap", "an input overlaps an output of an operator that is not in place", "ops docs: in-place variants"},
        {"use-after-free", "work touches device memory that has been freed", "runtime docs: aclrtFree does not wait"},
        {"free-in-use", "memory is freed while queued work may touch it", "runtime docs: aclrtFree does not wait"},
        {"invalid-free", "a pointer is freed that no allocation starts at", "runtime docs: aclrtFree, aclrtFreeHost"},
        // order
        {"race", "two accesses to the same bytes are not ordered by a stream, an event or a host synchronisation",
         "runtime docs: stream and event management; aclrtMemcpy does not wait for streams"},
        {"host-memory-freed", "pinned memory is freed before a queued copy has used it",
            "runtime docs: aclrtMemcpyAsync"},
        // capture
        {"graph-memory", "a captured graph refers to memory that has been freed", "runtime docs: aclmdlRICaptureBegin"},
        {"capture-unfinished", "a stream is destroyed, or aclFinalize called, while it captures",
            "runtime docs: aclmdlRICaptureEnd"},
        // HCCL
        {"collective-mismatch", "ranks disagree about the operation, count, dtype, reduction or root of one collective",
         "hccl docs: collective communication, same order on all ranks"},
        {"collective-timeout", "a rank waited in vain for the others",
            "hccl docs: HCCL_EXEC_TIMEOUT, HCCL_CONNECT_TIMEOUT"},
        {"communicator-device", "a rank's call comes from another device than it was made on",
            "hccl docs: HcclCommInitRootInfo"},
        {"communicator-shared", "a communicator serves a fused operator and plain collectives",
         "ops-transformer docs aclnnMoeDistributeDispatch: the communicator must be dedicated"},
        // the emulator's own
        {"operator-bug", "an emulated operator failed in a way no document describes", "emulator"},
    };
    return all;
}

}  // namespace emu
