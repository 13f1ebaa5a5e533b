// The objects callers describe arguments with: aclTensor, lists, scalars, host arrays.
#pragma once

#include <cstdint>
#include <vector>

#include "op.h"
#include "world.h"

namespace emu {

struct TensorObject {
    Tensor value;
    const void* list = nullptr;  // the list that owns it
};

struct TensorList {
    std::vector<const void*> members;
};

/** aclScalar and the host arrays: copies of the caller's values. */
struct HostValue {
    aclDataType dtype = ACL_DT_UNDEFINED;
    std::vector<int64_t> integers;
    std::vector<double> reals;
};

struct TensorSpec {
    const int64_t* dims;
    uint64_t rank;
    aclDataType dtype;
    const int64_t* strides;
    int64_t offset;
    aclFormat format;
    const int64_t* storage;
    uint64_t storage_rank;
    void* data;
};

/** nullptr, with a message, when the description makes no tensor. */
void* create_tensor(const TensorSpec& spec);
int init_tensor(const void* handle, const TensorSpec& spec);
int destroy_tensor(const void* handle);
void* create_list(const void* const* members, uint64_t count);
int destroy_list(const void* handle);
void* create_scalar(const void* value, aclDataType dtype);
void* create_array(HandleKind kind, HostValue value);
int destroy_value(Handles<HostValue>& handles, const void* handle);
void* create_scalar_list(const void* const* members, uint64_t count);
int destroy_scalar_list(const void* handle);
/** nullptr and 161001 or 161002 when it is no live tensor. Lock held. */
std::shared_ptr<TensorObject> find_tensor(const void* handle, const char* function, int& code);

}  // namespace emu
