// Misuse of handles, executors, workspaces and placement: each is named.
#include <dlfcn.h>

#include <cstring>
#include <thread>

#include "aclnnop/aclnn_abs.h"
#include "aclnnop/aclnn_mhc_post.h"
#include "harness.h"

using namespace test;

namespace {

/** Releases what a case needed besides the mistake it makes. */
void release(std::initializer_list<Buffer*> buffers) {
    for (Buffer* buffer : buffers) {
        buffer->release();
    }
}

TEST(init_twice, [] {
    EQUAL(aclInit(nullptr), 100002);
    OK(aclFinalize());
    EQUAL(aclFinalize(), 100001);
    EQUAL(aclrtSetDevice(0), 100001);
    FAULTS();
});

TEST(errors_cite_the_list_of_their_code, [] {
    void* memory;
    EQUAL(aclrtMalloc(&memory, 0, ACL_MEM_MALLOC_HUGE_FIRST), 100000);
    CHECK(message_has("[runtime docs aclError: 100000 ACL_ERROR_INVALID_PARAM]"));
    aclOpExecutor* none = nullptr;
    EQUAL(aclSetAclOpExecutorRepeatable(none), 561103);
    CHECK(message_has("[opbase docs aclnnStatus: 561103 ACLNN_ERR_INNER_NULLPTR]"));
    FAULTS();
});

TEST(tensor_used_after_destroy, [] {
    Buffer a({16}), out({16});
    OK(aclDestroyTensor(a.tensor));
    float two = 2;
    aclScalar* scalar = aclCreateScalar(&two, ACL_FLOAT);
    uint64_t workspace;
    aclOpExecutor* executor;
    EQUAL(aclnnMulsGetWorkspaceSize(a.tensor, scalar, out.tensor, &workspace, &executor), 161002);
    FAULTS("use-after-destroy");
    OK(aclDestroyScalar(scalar));
    OK(aclrtFree(a.data));
    out.release();
});

TEST(tensor_destroyed_twice, [] {
    Buffer a({16});
    OK(aclDestroyTensor(a.tensor));
    EQUAL(aclDestroyTensor(a.tensor), 161002);
    FAULTS("double-destroy");
    OK(aclrtFree(a.data));
});

TEST(member_of_destroyed_list_destroyed, [] {
    Buffer a({16});
    const aclTensor* members[] = {a.tensor};
    aclTensorList* list = aclCreateTensorList(members, 1);
    OK(aclDestroyTensorList(list));
    EQUAL(aclDestroyTensor(a.tensor), 161002);
    FAULTS("double-destroy");
    OK(aclrtFree(a.data));
});

TEST(tensor_in_two_lists, [] {
    Buffer a({16});
    const aclTensor* members[] = {a.tensor};
    aclTensorList* first = aclCreateTensorList(members, 1);
    aclTensorList* second = aclCreateTensorList(members, 1);
    FAULTS("double-destroy");
    OK(aclDestroyTensorList(first));
    OK(aclDestroyTensorList(second));
    OK(aclrtFree(a.data));
});

TEST(stream_passed_as_tensor, [] {
    aclrtStream stream = make_stream();
    EQUAL(aclDestroyTensor(static_cast<aclTensor*>(stream)), 161002);
    FAULTS("wrong-handle");
    EQUAL(aclrtSynchronizeStream(reinterpret_cast<aclrtStream>(0x1234)), 107017);
    FAULTS("wrong-handle");
    OK(aclrtDestroyStream(stream));
});

TEST(handles_cannot_be_read, [] {
    Buffer a({16});
    CHECK(traps([&] { volatile char c = *reinterpret_cast<char*>(a.tensor); (void)c; }));
    a.release();
});

TEST(executor_run_twice, [] {
    Buffer a({16}), b({16}), out({16});
    aclOpExecutor* executor = add_executor(a.tensor, b.tensor, out.tensor);
    OK(aclnnAdd(nullptr, 0, executor, nullptr));
    EQUAL(aclnnAdd(nullptr, 0, executor, nullptr), 561103);
    FAULTS("executor-consumed");
    OK(aclrtSynchronizeStream(nullptr));
    release({&a, &b, &out});
});

TEST(executor_of_another_operator, [] {
    Buffer a({16}), b({16}), out({16});
    EQUAL(aclnnMuls(nullptr, 0, add_executor(a.tensor, b.tensor, out.tensor), nullptr), 561000);
    FAULTS("executor-consumed");
    release({&a, &b, &out});
});

TEST(executor_never_run, [] {
    Buffer a({16}), b({16}), out({16});
    add_executor(a.tensor, b.tensor, out.tensor);
    release({&a, &b, &out});
    OK(aclFinalize());
    FAULTS("executor-leak");
});

TEST(executor_destroyed_though_not_repeatable, [] {
    Buffer a({16}), b({16}), out({16});
    aclOpExecutor* executor = add_executor(a.tensor, b.tensor, out.tensor);
    EQUAL(aclDestroyAclOpExecutor(executor), 561000);
    FAULTS("executor-repeatable");
    OK(aclnnAdd(nullptr, 0, executor, nullptr));
    OK(aclrtSynchronizeStream(nullptr));
    release({&a, &b, &out});
});

TEST(address_set_on_single_use_executor, [] {
    Buffer a({16}), b({16}), out({16});
    aclOpExecutor* executor = add_executor(a.tensor, b.tensor, out.tensor);
    EQUAL(aclSetInputTensorAddr(executor, 0, a.tensor, b.data), 561000);
    FAULTS("executor-repeatable");
    OK(aclnnAdd(nullptr, 0, executor, nullptr));
    OK(aclrtSynchronizeStream(nullptr));
    release({&a, &b, &out});
});

TEST(operator_that_cannot_be_repeated, [] {
    Buffer a({16}), out({16});
    uint64_t size = 0;
    aclOpExecutor* executor = nullptr;
    OK(aclnnCastGetWorkspaceSize(a.tensor, ACL_FLOAT, out.tensor, &size, &executor));
    EQUAL(aclSetAclOpExecutorRepeatable(executor), 561000);
    void* workspace = device_bytes(size);
    OK(aclnnCast(workspace, size, executor, nullptr));
    OK(aclrtSynchronizeStream(nullptr));
    OK(aclrtFree(workspace));
    release({&a, &out});
});

TEST(wrong_index_repoints_another_tensor, [] {
    Buffer a({16}), b({16}), out({16}), other({16});
    aclOpExecutor* executor = add_executor(a.tensor, b.tensor, out.tensor);
    OK(aclSetAclOpExecutorRepeatable(executor));
    OK(aclSetInputTensorAddr(executor, 0, b.tensor, other.data));
    FAULTS("executor-wrong-tensor");
    EQUAL(aclSetInputTensorAddr(executor, 1, b.tensor, static_cast<char*>(other.data) + 4), 161002);
    FAULTS("address-unaligned");
    OK(aclDestroyAclOpExecutor(executor));
    release({&a, &b, &out, &other});
});

TEST(repeatable_handwritten_needs_its_tensors, [] {
    Buffer a({16}), out({16});
    aclOpExecutor* executor = muls_executor(a.tensor, 2, out.tensor);
    OK(aclSetAclOpExecutorRepeatable(executor));
    OK(aclnnMuls(nullptr, 0, executor, nullptr));
    OK(aclDestroyTensor(a.tensor));
    EQUAL(aclnnMuls(nullptr, 0, executor, nullptr), 161002);
    FAULTS("argument-destroyed");
    OK(aclrtSynchronizeStream(nullptr));
    OK(aclDestroyAclOpExecutor(executor));
    OK(aclrtFree(a.data));
    out.release();
});

TEST(stale_executor_address, [] {
    Buffer a({16}), b({16}), out({16});
    aclOpExecutor* executor = add_executor(a.tensor, b.tensor, out.tensor);
    OK(aclSetAclOpExecutorRepeatable(executor));
    OK(aclnnAdd(nullptr, 0, executor, nullptr));
    OK(aclrtSynchronizeStream(nullptr));
    OK(aclrtFree(b.data));
    EQUAL(aclnnAdd(nullptr, 0, executor, nullptr), 161002);
    FAULTS("use-after-free");
    OK(aclDestroyAclOpExecutor(executor));
    OK(aclDestroyTensor(b.tensor));
    release({&a, &out});
});

TEST(tensor_destroyed_between_phases, [] {
    Buffer a({16}), b({16}), out({16});
    aclOpExecutor* executor = add_executor(a.tensor, b.tensor, out.tensor);
    OK(aclDestroyTensor(b.tensor));
    EQUAL(aclnnAdd(nullptr, 0, executor, nullptr), 161002);
    FAULTS("argument-destroyed");
    OK(aclrtFree(b.data));
    release({&a, &out});
});

/** Phase 1 of a cast that wants 1024 bytes of workspace. */
aclOpExecutor* cast_executor(const Buffer& a, const Buffer& out) {
    uint64_t size = 0;
    aclOpExecutor* executor = nullptr;
    OK(aclnnCastGetWorkspaceSize(a.tensor, ACL_FLOAT, out.tensor, &size, &executor));
    EQUAL(size, 1024);
    return executor;
}

TEST(workspaces, [] {
    Buffer a({512}), out({512});
    void* workspace = device_bytes(4096);
    EQUAL(aclnnCast(nullptr, 1024, cast_executor(a, out), nullptr), 161001);
    FAULTS();
    EQUAL(aclnnCast(workspace, 1000, cast_executor(a, out), nullptr), 161002);
    FAULTS("workspace-size");
    EQUAL(aclnnCast(static_cast<char*>(workspace) + 8, 1024, cast_executor(a, out), nullptr), 161002);
    FAULTS("address-unaligned");
    EQUAL(aclnnCast(static_cast<char*>(workspace) + 3584, 1024, cast_executor(a, out), nullptr), 161002);
    FAULTS("workspace-memory");
    std::vector<char> host(1024);
    EQUAL(aclnnCast(host.data(), 1024, cast_executor(a, out), nullptr), 161002);
    FAULTS("workspace-memory");
    EQUAL(aclnnCast(a.data, 1024, cast_executor(a, out), nullptr), 161002);
    FAULTS("workspace-overlap");
    OK(aclnnCast(workspace, 1024, cast_executor(a, out), nullptr));
    OK(aclrtSynchronizeStream(nullptr));
    OK(aclrtFree(workspace));
    release({&a, &out});
});

/** Runs Muls from and to the addresses; what it returns. */
int muls_between(void* from, void* to, int64_t count) {
    aclTensor *self = float_tensor(from, {count}), *out = float_tensor(to, {count});
    int code = aclnnMuls(nullptr, 0, muls_executor(self, 2, out), nullptr);
    OK(aclDestroyTensor(self));
    OK(aclDestroyTensor(out));
    OK(aclrtSynchronizeStream(nullptr));
    return code;
}

TEST(placement_of_tensors, [] {
    char* block = static_cast<char*>(device_bytes(1024));
    std::vector<float> host(64);
    EQUAL(muls_between(block + 4, block + 512, 16), 161002);
    FAULTS("address-unaligned");
    EQUAL(muls_between(block, block + 992, 16), 161002);
    FAULTS("tensor-bounds");
    EQUAL(muls_between(host.data(), block, 16), 161002);
    FAULTS("address-memory");
    EQUAL(muls_between(block, block + 32, 16), 161002);
    FAULTS("overlap");
    OK(muls_between(block, block + 64, 16));
    int64_t view = 32, storage = 16;
    aclTensor* beyond = aclCreateTensor(&view, 1, ACL_FLOAT, nullptr, 0, ACL_FORMAT_ND, &storage, 1, block);
    aclTensor* out = float_tensor(block + 512, {32});
    EQUAL(aclnnMuls(nullptr, 0, muls_executor(beyond, 2, out), nullptr), 161002);
    FAULTS("view-outside-storage");
    OK(aclDestroyTensor(beyond));
    OK(aclDestroyTensor(out));
    OK(aclrtFree(block));
});

TEST(tail_of_old_products, {{"soc", "Ascend910_9382"}}, [] {
    char* block = static_cast<char*>(device_bytes(256));
    // a piece of its own keeps 32 bytes behind it: the second half of the block has them only thanks to the rounding
    OK(muls_between(block, block + 192, 16));
    EQUAL(muls_between(block, block + 224, 16), 161002);
    FAULTS("tensor-tail");
    OK(aclrtFree(block));
});

TEST(memory_of_another_device, [] {
    Buffer a({16});
    OK(aclrtSetDevice(1));
    Buffer out({16});
    EQUAL(aclnnMuls(nullptr, 0, muls_executor(a.tensor, 2, out.tensor), nullptr), 161002);
    FAULTS("address-memory");
    out.release();
    OK(aclrtSetDevice(0));
    a.release();
});

TEST(stream_of_another_context, [] {
    aclrtStream stream = make_stream();
    OK(aclrtSetDevice(1));
    EQUAL(aclrtSynchronizeStream(stream), 107003);
    EQUAL(aclrtDestroyStream(stream), 107003);
    Buffer a({16}), b({16}), out({16});
    EQUAL(add(a, b, out, stream), 361001);
    CHECK(message_has("107003"));
    release({&a, &b, &out});
    OK(aclrtSetDevice(0));
    OK(aclrtDestroyStream(stream));
});

TEST(operators_need_a_context_on_their_thread, [] {
    Buffer a({16}), out({16});
    std::thread([&] {
        float two = 2;
        aclScalar* scalar = aclCreateScalar(&two, ACL_FLOAT);
        uint64_t workspace;
        aclOpExecutor* executor;
        EQUAL(aclnnMulsGetWorkspaceSize(a.tensor, scalar, out.tensor, &workspace, &executor), 361001);
        CHECK(message_has("107002"));
        OK(aclDestroyScalar(scalar));
    }).join();
    release({&a, &out});
});

TEST(documented_rules_refuse, [] {
    Buffer a({16}, ACL_BF16), out({8});
    float two = 2;
    aclScalar* scalar = aclCreateScalar(&two, ACL_FLOAT);
    uint64_t workspace;
    aclOpExecutor* executor = nullptr;
    EQUAL(aclnnMulsGetWorkspaceSize(a.tensor, scalar, out.tensor, &workspace, &executor), 161002);
    CHECK(message_has("ops-math docs"));
    EQUAL(aclnnMulsGetWorkspaceSize(nullptr, scalar, out.tensor, &workspace, &executor), 161001);
    EQUAL(aclnnMulsGetWorkspaceSize(a.tensor, scalar, out.tensor, nullptr, &executor), 161001);
    CHECK(executor == nullptr);
    OK(aclDestroyScalar(scalar));
    release({&a, &out});
});

using Post = decltype(&aclnnMhcPostGetWorkspaceSize);

/** The first phase of aclnnMhcPost, or of what takes its place, from a package. */
Post post_of(const char* package, const char* function) {
    std::string path = std::string(WEFT_PACKAGES "/") + package + "/op_api/lib/libcust_opapi.so";
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    CHECK(library != nullptr);
    return reinterpret_cast<Post>(dlsym(library, function));
}

TEST(function_of_a_package_taken_for_canns, [] {
    uint64_t workspace;
    aclOpExecutor* executor;
    Post own = post_of("ops_transformer", "aclnnMhcPostGetWorkspaceSize");
    EQUAL(own(nullptr, nullptr, nullptr, nullptr, nullptr, &workspace, &executor), 161001);
    FAULTS();
    Post other = post_of("other_revisions", "aclnnMhcPreSinkhornGetWorkspaceSize");
    EQUAL(other(nullptr, nullptr, nullptr, nullptr, nullptr, &workspace, &executor), 561000);
    FAULTS("other-form");
});

TEST(bugs_of_operators_are_not_hidden, [] {
    Buffer a({16}), out({16});
    uint64_t workspace;
    aclOpExecutor* executor = nullptr;
    OK(aclnnAbsGetWorkspaceSize(a.tensor, out.tensor, &workspace, &executor));
    OK(aclnnAbs(nullptr, 0, executor, nullptr));
    EQUAL(aclrtSynchronizeStream(nullptr), 507015);
    CHECK(message_has("no such parameter"));
    FAULTS("operator-bug");
    release({&a, &out});
});

}  // namespace
