// Checks for tests of the emulator. Every test runs in a world of its own, on a thread of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "acl/acl_mdl.h"
#include "acl/acl_rt.h"
#include "aclnn/acl_meta.h"
#include "aclnnop/aclnn_add.h"
#include "aclnnop/aclnn_cast.h"
#include "aclnnop/aclnn_cat.h"
#include "aclnnop/aclnn_embedding.h"
#include "aclnnop/aclnn_muls.h"

extern "C" int weftEmulatorConfigure(const char* key, const char* value);
extern "C" const char* weftEmulatorFaults(void);
extern "C" int64_t weftEmulatorCount(const char* what);

namespace test {

struct Case {
    const char* name;
    std::vector<std::pair<const char*, const char*>> settings;
    std::function<void()> body;
};

std::vector<Case>& cases();

struct Add {
    Add(const char* name, std::function<void()> body) { cases().push_back({name, {}, std::move(body)}); }
    Add(const char* name, std::vector<std::pair<const char*, const char*>> settings, std::function<void()> body) {
        cases().push_back({name, std::move(settings), std::move(body)});
    }
};

void check(bool ok, const char* what, const char* file, int line);
void check_equal(long long found, long long expected, const char* what, const char* file, int line);
/** The faults since the last look, and which rules they name for the count of rules no case breaks. */
std::string take_faults();
/** The next faults must name exactly these rules, in any order and number. */
void expect_faults(std::vector<std::string> rules, const char* file, int line);

#define CHECK(condition) test::check((condition), #condition, __FILE__, __LINE__)
#define EQUAL(found, expected) test::check_equal((found), (expected), #found, __FILE__, __LINE__)
#define OK(call) EQUAL(call, 0)
#define FAULTS(...) test::expect_faults({__VA_ARGS__}, __FILE__, __LINE__)
#define TEST(identifier, ...) static const test::Add identifier(#identifier, __VA_ARGS__)

// ---- short forms

/** Float tensor, contiguous, on fresh device memory of its own. */
struct Buffer {
    void* data = nullptr;
    aclTensor* tensor = nullptr;
    std::vector<int64_t> dims;

    explicit Buffer(std::vector<int64_t> dims, aclDataType dtype = ACL_FLOAT);
    void release();
};

aclTensor* float_tensor(void* data, std::vector<int64_t> dims, std::vector<int64_t> storage = {});
aclrtStream make_stream();
aclrtEvent make_event(uint32_t flags = ACL_EVENT_SYNC);
void* device_bytes(size_t n);
void* pinned_bytes(size_t n);
void upload(void* device, const std::vector<float>& values);
std::vector<float> download(const void* device, size_t count);

/** Both phases of aclnnAdd: out = self + alpha * other. */
int add(const Buffer& self, const Buffer& other, const Buffer& out, aclrtStream stream);
aclOpExecutor* add_executor(const aclTensor* self, const aclTensor* other, aclTensor* out);
aclOpExecutor* muls_executor(const aclTensor* self, float factor, aclTensor* out);
bool message_has(const char* part);
/** Runs the body in a child process; true when it dies of SIGSEGV. */
bool traps(const std::function<void()>& body);

}  // namespace test
