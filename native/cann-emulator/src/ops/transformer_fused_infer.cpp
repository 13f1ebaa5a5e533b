// aclnnFusedInferAttentionScore: which product has which version. No kernel is emulated: callers must take their
// composite path, and on real devices these answers decide which version is tried.
#include "checks.h"

namespace emu {

namespace {

constexpr const char* kDoc = "ops-transformer source FusedInferAttentionScore, guard on DAV_3510";
constexpr const char* kDocV5 = "ops-transformer docs aclnnFusedInferAttentionScoreV5";

void older_rule(Call& call) {
    call.require(!is950(call), kPlatform, "EZ9903: versions before V5 are not supported on Ascend 950", kDoc);
    call.refuse(kNoKernel, "EMULATOR: dense attention is not emulated", kDoc);
}

void v5_rule(Call& call) {
    call.require(is950(call), kNoKernel, "V5 exists on Ascend 950 only", kDocV5);
    call.refuse(kNoKernel, "EMULATOR: dense attention is not emulated", kDocV5);
}

void never(Run& run) {
    run.device_exception("EMULATOR: a call that phase 1 refuses was run", kDoc);
}

EMU_OP(fused_infer_v3, .name = "aclnnFusedInferAttentionScoreV3", .cite = kDoc, .rule = older_rule, .run = never,
       .writes = {"attentionOut", "softmaxLse"});
EMU_OP(fused_infer_v4, .name = "aclnnFusedInferAttentionScoreV4", .cite = kDoc, .rule = older_rule, .run = never,
       .writes = {"attentionOut", "softmaxLse"});
EMU_OP(fused_infer_v5, .name = "aclnnFusedInferAttentionScoreV5", .cite = kDocV5, .rule = v5_rule, .run = never,
       .writes = {"attentionOut", "softmaxLse"});

}  // namespace

}  // namespace emu
