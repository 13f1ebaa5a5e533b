// aclnnGroupedMatmulV4, V5 and WeightNz.
#include "grouped_matmul.h"

#include "checks.h"
#include "grouped_multiply.h"

namespace emu {

namespace grouped {

namespace {

const Tensor* optional(const Arguments& a, const char* list) {
    const std::vector<Tensor>* tensors = present_list(a, list);
    return tensors == nullptr ? nullptr : &tensors->front();
}

Operands operands(const Arguments& a) {
    const Scenario kind = scenario(a);
    const char* scale = kind == Scenario::kMxA8W4 ? "antiquantScaleOptional" : "scaleOptional";
    return {kind, optional(a, "x"), a.list("weight"), present_list(a, scale), optional(a, "perTokenScaleOptional"),
            present_list(a, "biasOptional")};
}

constexpr const char* kDocV4 = "ops-transformer docs aclnnGroupedMatmulV4";
constexpr const char* kDocV5 = "ops-transformer docs aclnnGroupedMatmulV5";
constexpr const char* kDocNz = "ops-transformer docs aclnnGroupedMatmulWeightNz";

void run(Run& run) {
    const Operands o = operands(run);
    const Multiply multiply(run, o);
    const Tensor& out = run.list("out")->front();
    for (const Group& g : groups(run, *run.tensor("groupListOptional"), run.integer("groupListType"),
                                 multiply.groups(), o.x->dim(0), kDocV5)) {
        if (g.rows > 0) {  // rows after the last group keep their contents
            run.store(rows_of(out, g), multiply.rows(g));
        }
    }
}

void rule_v4(Call& call) {
    check(call, Variant::kV4, kDocV4);
}
void rule_v5(Call& call) {
    check(call, Variant::kV5, kDocV5);
}
void rule_nz(Call& call) {
    check(call, Variant::kWeightNz, kDocNz);
}

EMU_OP(grouped_v4, .name = "aclnnGroupedMatmulV4", .cite = kDocV4, .rule = rule_v4, .run = run, .writes = {"out"});
EMU_OP(grouped_v5, .name = "aclnnGroupedMatmulV5", .cite = kDocV5, .rule = rule_v5, .run = run, .writes = {"out"});
EMU_OP(grouped_nz, .name = "aclnnGroupedMatmulWeightNz", .cite = kDocNz, .rule = rule_nz, .run = run,
       .writes = {"out"});

}  // namespace

}  // namespace grouped

}  // namespace emu
