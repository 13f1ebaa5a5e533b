// Return codes and the document that says what each is for. A check that answers with a code cites it; what more a rule
// says (operators' limits, misuse) is cited where the rule is.
#include <map>

#include "acl/acl_base.h"
#include "fault.h"
#include "hccl/hccl_types.h"

namespace emu {

namespace {

#define CODE(name) {name, #name}

const std::map<int, const char*>& names() {
    static const std::map<int, const char*> all = {
        CODE(ACL_ERROR_INVALID_PARAM),
        CODE(ACL_ERROR_UNINITIALIZE),
        CODE(ACL_ERROR_REPEAT_INITIALIZE),
        CODE(ACL_ERROR_RT_PARAM_INVALID),
        CODE(ACL_ERROR_RT_INVALID_DEVICEID),
        CODE(ACL_ERROR_RT_CONTEXT_NULL),
        CODE(ACL_ERROR_RT_STREAM_CONTEXT),
        CODE(ACL_ERROR_RT_INVALID_MEMORY_TYPE),
        CODE(ACL_ERROR_RT_INVALID_HANDLE),
        CODE(ACL_ERROR_RT_TASK_TIMEOUT),
        CODE(ACL_ERROR_RT_CAPTURE_DEPENDENCY),
        CODE(ACL_ERROR_RT_STREAM_UNJOINED),
        CODE(ACL_ERROR_RT_STREAM_CAPTURED),
        CODE(ACL_ERROR_RT_EVENT_CAPTURED),
        CODE(ACL_ERROR_RT_STREAM_NOT_CAPTURED),
        CODE(ACL_ERROR_STREAM_CAPTURE_IMPLICIT),
        CODE(ACL_ERROR_STREAM_CAPTURE_UNMATCHED),
        CODE(ACL_ERROR_STREAM_CAPTURE_WRONG_THREAD),
        CODE(ACL_ERROR_RT_CAPTURE_MODE_BLOCK_ASYNC),
        CODE(ACL_ERROR_RT_FEATURE_NOT_SUPPORT),
        CODE(ACL_ERROR_RT_MEMORY_ALLOCATION),
        CODE(ACL_ERROR_RT_NO_EVENT_RESOURCE),
        CODE(ACL_ERROR_RT_NO_STREAM_RESOURCE),
        CODE(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT),
        {507011, "ACL_ERROR_RT_MODEL_EXECUTE"},
        CODE(ACLNN_ERR_PARAM_NULLPTR),
        CODE(ACLNN_ERR_PARAM_INVALID),
        CODE(ACLNN_ERR_RUNTIME_ERROR),
        CODE(ACLNN_ERR_INNER),
        CODE(ACLNN_ERR_INNER_NULLPTR),
        CODE(HCCL_E_PARA),
        CODE(HCCL_E_PTR),
        CODE(HCCL_E_MEMORY),
        CODE(HCCL_E_INTERNAL),
        CODE(HCCL_E_NOT_SUPPORT),
        CODE(HCCL_E_NOT_FOUND),
        CODE(HCCL_E_UNAVAIL),
        CODE(HCCL_E_TIMEOUT),
        CODE(HCCL_E_RUNTIME),
        CODE(HCCL_E_REMOTE),
    };
    return all;
}

#undef CODE

}  // namespace

std::string cite_of(int code) {
    auto found = names().find(code);
    if (found == names().end()) {
        return "";
    }
    const char* list = code < 100 ? "hccl docs HcclResult" : code < 110000 || (code >= 200000 && code < 300000) ||
                                                                 code / 1000 == 507
                           ? "runtime docs aclError"
                           : "opbase docs aclnnStatus";
    return std::string(list) + ": " + std::to_string(code) + " " + found->second;
}

}  // namespace emu
