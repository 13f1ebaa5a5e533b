// Calls whose arguments may be temporaries: they live until both phases have run.
#pragma once

#include "operators.h"

namespace operators {

template <typename Plan, typename Phase2, typename... Args>
int apply(Session& session, Plan plan, Phase2 phase2, Args&&... args) {
    return session.call([&](uint64_t* size, aclOpExecutor** executor) { return plan(args..., size, executor); },
                        phase2);
}

#define APPLY(session, op, ...) operators::apply((session), op##GetWorkspaceSize, op, __VA_ARGS__)

/** Scalars and integer arrays that end with the test. */
class Host {
  public:
    Host() = default;
    Host(const Host&) = delete;
    ~Host() {
        for (aclScalar* s : scalars_) {
            aclDestroyScalar(s);
        }
        for (aclIntArray* a : arrays_) {
            aclDestroyIntArray(a);
        }
    }
    aclScalar* scalar(float v) {
        scalars_.push_back(aclCreateScalar(&v, ACL_FLOAT));
        return scalars_.back();
    }
    aclIntArray* ints(std::vector<int64_t> v) {
        arrays_.push_back(aclCreateIntArray(v.data(), v.size()));
        return arrays_.back();
    }

  private:
    std::vector<aclScalar*> scalars_;
    std::vector<aclIntArray*> arrays_;
};

/** Elements in the low half first. */
inline int nibble(const std::vector<uint8_t>& bytes, int64_t i) {
    return bytes[static_cast<size_t>(i / 2)] >> (i % 2 * 4) & 15;
}

}  // namespace operators
