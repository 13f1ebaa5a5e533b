// What the emulated cuBLASLt knows: handles, descriptors, and what a test has set. One lock guards it all.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

namespace weft::cublaslt {

using Lock = std::unique_lock<std::mutex>;

// cublasStatus_t
enum Status : int {
    SUCCESS = 0,
    NOT_INITIALIZED = 1,
    INVALID_VALUE = 7,
    EXECUTION_FAILED = 13,
    NOT_SUPPORTED = 15
};

// cudaDataType_t
enum Type : int { R_32F = 0, R_16BF = 14, R_8F_E4M3 = 28 };

/** Attributes that are played, and their bytes. Their values are looked at when an algorithm is asked for, as by the library. */
using Sizes = std::map<int, size_t>;

// cublasLtMatmulDescAttributes_t
enum DescriptorAttribute : int {
    TRANSA = 3,
    TRANSB = 4,
    A_SCALE_POINTER = 17,
    B_SCALE_POINTER = 18,
    A_SCALE_MODE = 31,
    B_SCALE_MODE = 32
};
inline const Sizes descriptor_sizes{{TRANSA, 4}, {TRANSB, 4}, {A_SCALE_POINTER, 8}, {B_SCALE_POINTER, 8}, {A_SCALE_MODE, 4}, {B_SCALE_MODE, 4}};

// cublasLtMatmulPreferenceAttributes_t
enum PreferenceAttribute : int { MAX_WORKSPACE_BYTES = 1, MIN_ALIGNMENT_A = 5, MIN_ALIGNMENT_B = 6, MIN_ALIGNMENT_C = 7, MIN_ALIGNMENT_D = 8 };
inline const Sizes preference_sizes{{MAX_WORKSPACE_BYTES, 8}, {MIN_ALIGNMENT_A, 4}, {MIN_ALIGNMENT_B, 4}, {MIN_ALIGNMENT_C, 4}, {MIN_ALIGNMENT_D, 4}};

// cublasOperation_t, cublasComputeType_t, cublasLtMatmulMatrixScale_t
constexpr int OP_N = 0, OP_T = 1, COMPUTE_32F = 68, SCALE_VEC128 = 4, SCALE_BLK128x128 = 5;

/** What attributes were set to. */
struct Attributes {
    std::map<int, uint64_t> values;

    uint64_t get(int attribute, uint64_t otherwise = 0) const {
        auto found = values.find(attribute);
        return found == values.end() ? otherwise : found->second;
    }
};

struct Handle {
    void *context;  // in which it was made
};

struct Descriptor : Attributes {
    int compute, scale;
};

struct Layout {
    int type;
    uint64_t rows, columns;
    int64_t pitch;
};

struct Preference : Attributes {};

/** Adds a broken rule to those kept until somebody asks. Under the lock. */
void fault(const std::string &rule, const std::string &detail);

/** Objects by handle. No handle is used twice. */
template <class T>
class Table {
public:
    void *add(T object) {
        void *handle = reinterpret_cast<void *>(next_ += 64);
        objects_.emplace(handle, std::make_shared<T>(std::move(object)));
        return handle;
    }
    std::shared_ptr<T> find(const void *handle, const std::string &function) {
        auto found = objects_.find(handle);
        if (found != objects_.end()) {
            return found->second;
        }
        uint64_t number = reinterpret_cast<uint64_t>(handle);
        bool was = number > first_ && number <= next_;
        fault(was ? "use-after-destroy" : "invalid-handle", function);
        return nullptr;
    }
    bool remove(const void *handle, const std::string &function) {
        return find(handle, function) && objects_.erase(handle) > 0;
    }
    size_t open() const { return objects_.size(); }

    explicit Table(uint64_t first) : first_(first), next_(first) {}

private:
    uint64_t first_, next_;
    std::map<const void *, std::shared_ptr<T>> objects_;
};

struct World {
    std::mutex mutex;
    Table<Handle> handles{0x10ull << 40};
    Table<Descriptor> descriptors{0x20ull << 40};
    Table<Layout> layouts{0x30ull << 40};
    Table<Preference> preferences{0x40ull << 40};
    std::string faults;
    std::map<std::string, std::string> settings{{"fail", ""}, {"version", "130101"}, {"refuse", ""}};
    std::map<std::string, uint64_t> calls;
};

World &world();

/** Counts a call; the status to fail with, or 0. Under the lock. */
int injected(const std::string &function);

}  // namespace weft::cublaslt
