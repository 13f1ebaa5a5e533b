// Tests of the engine: correct programs are clean, each misuse is named. The operators are simple ones made here, so
// that the tests do not depend on the emulated operators.
#include "harness.h"
#include "op.h"

namespace test {
int run(const char* only);
}

namespace {

void same_shape(emu::Call& call) {
    call.need("self");
    call.dtypes("self", {ACL_FLOAT}, "ops-math docs aclnnAdd");
    call.shape("out", call.need("self").dims, "ops-math docs aclnnAdd");
}

void run_add(emu::Run& run) {
    std::vector<float> a = run.floats(*run.tensor("self")), b = run.floats(*run.tensor("other"));
    for (size_t i = 0; i < a.size(); i++) {
        a[i] += static_cast<float>(run.scalar("alpha")) * b[i];
    }
    run.store(*run.tensor("out"), a);
}

void run_muls(emu::Run& run) {
    std::vector<float> a = run.floats(*run.tensor("self"));
    for (float& v : a) {
        v *= static_cast<float>(run.scalar("other"));
    }
    run.store(*run.tensor("out"), a);
}

void cast_rule(emu::Call& call) {
    call.need("self");
    call.need("out");
    call.workspace(1024);
}

void run_cast(emu::Run& run) {
    run.store(*run.tensor("out"), run.floats(*run.tensor("self")));
}

void cat_rule(emu::Call& call) {
    call.require(call.list("tensors") != nullptr, 161001, "tensors is NULL", "ops-math docs aclnnCat");
}

void run_cat(emu::Run& run) {
    std::vector<float> all;
    for (const emu::Tensor& t : *run.list("tensors")) {
        std::vector<float> part = run.floats(t);
        all.insert(all.end(), part.begin(), part.end());
    }
    run.store(*run.tensor("out"), all);
}

void embedding_rule(emu::Call& call) {
    call.need("weight");
}

void run_embedding(emu::Run& run) {
    std::vector<float> weight = run.floats(*run.tensor("weight")), out;
    int64_t width = run.tensor("weight")->dim(-1);
    for (int64_t index : run.ints(*run.tensor("indices"))) {
        if (index < 0 || index >= run.tensor("weight")->dim(0)) {
            run.device_exception("index " + std::to_string(index) + " out of range", "ops-nn docs aclnnEmbedding");
        }
        out.insert(out.end(), weight.begin() + index * width, weight.begin() + (index + 1) * width);
    }
    run.store(*run.tensor("out"), out);
}

void nothing(emu::Call&) {}

void run_bug(emu::Run& run) {
    run.tensor("no such parameter");
}

/** Every rank brings its number; elasticInfo, when given, gets the sum. */
void run_meeting(emu::Run& run) {
    int rank = -1, ranks = 0;
    std::string group = run.text("groupEp");
    emu::group_shape(group, rank, ranks);
    int64_t sum = 0;
    for (const auto& brought : run.exchange(group, "rounds " + std::to_string(run.integer("needSync")), {static_cast<uint8_t>(rank + 1)})) {
        sum += brought[0];
    }
    if (run.tensor("elasticInfo") != nullptr) {
        run.store(*run.tensor("elasticInfo"), std::vector<int64_t>(static_cast<size_t>(run.tensor("elasticInfo")->numel()), sum));
    }
}

}  // namespace

int main(int argc, char** argv) {
    const char* cite = "ops-math docs";
    emu::replace_op({"aclnnAdd", cite, same_shape, run_add, {"out"}});
    emu::replace_op({"aclnnMuls", cite, same_shape, run_muls, {"out"}, true, true});
    emu::replace_op({"aclnnCast", cite, cast_rule, run_cast, {"out"}, false});
    emu::replace_op({"aclnnCat", cite, cat_rule, run_cat, {"out"}});
    emu::replace_op({"aclnnEmbedding", cite, embedding_rule, run_embedding, {"out"}});
    emu::replace_op({"aclnnAbs", cite, nothing, run_bug, {"out"}});
    emu::replace_op({"aclnnMoeDistributeBufferReset", cite, nothing, run_meeting, {"elasticInfo"}});
    return test::run(argc > 1 ? argv[1] : nullptr);
}
