// Descriptions of arguments, executors.
#include <algorithm>

#include "aclnn/acl_meta.h"
#include "executor.h"
#include "meta.h"

using emu::HandleKind;
using emu::HostValue;
using emu::Lock;
using emu::Numbering;
using emu::world;

namespace {

/** Dimensions are handed out as C++ arrays that the caller deletes. */
int hand_out(const std::vector<int64_t>& values, int64_t** out, uint64_t* count) {
    *out = new int64_t[std::max<size_t>(values.size(), 1)];
    std::copy(values.begin(), values.end(), *out);
    *count = values.size();
    return 0;
}

template <typename Read>
int with_tensor(const aclTensor* tensor, const char* function, Read read) {
    Lock lock(world().mutex);
    int code;
    auto found = emu::find_tensor(tensor, function, code);
    if (found != nullptr) {
        read(*found);
    }
    return code;
}

template <typename T>
int count_of(const emu::Handles<T>& handles, const void* handle, uint64_t* size, size_t (*count)(const T&)) {
    Lock lock(world().mutex);
    auto found = handles.find(handle);
    if (found == nullptr || size == nullptr) {
        return emu::fail(ACLNN_ERR_PARAM_NULLPTR, "not a live object, or size is NULL");
    }
    *size = count(*found);
    return 0;
}

template <typename T>
T* as(void* handle) {
    return static_cast<T*>(handle);
}

}  // namespace

extern "C" {

aclnnStatus aclnnInit(const char*) {
    emu::expire_message();
    int code = emu::init();
    return code == ACL_ERROR_REPEAT_INITIALIZE ? 0 : code;
}

aclnnStatus aclnnFinalize(void) {
    return 0;  // aclFinalize ends the world
}

aclTensor* aclCreateTensor(const int64_t* viewDims, uint64_t viewDimsNum, aclDataType dataType, const int64_t* stride,
                           int64_t offset, aclFormat format, const int64_t* storageDims, uint64_t storageDimsNum,
                           void* tensorData) {
    return as<aclTensor>(emu::create_tensor(
        {viewDims, viewDimsNum, dataType, stride, offset, format, storageDims, storageDimsNum, tensorData}));
}

aclnnStatus aclInitTensor(aclTensor* tensor, const int64_t* viewDims, uint64_t viewDimsNum, aclDataType dataType,
                          const int64_t* stride, int64_t offset, aclFormat format, const int64_t* storageDims,
                          uint64_t storageDimsNum, void* tensorDataAddr) {
    return emu::init_tensor(
        tensor, {viewDims, viewDimsNum, dataType, stride, offset, format, storageDims, storageDimsNum, tensorDataAddr});
}

aclScalar* aclCreateScalar(void* value, aclDataType dataType) {
    return as<aclScalar>(emu::create_scalar(value, dataType));
}

aclIntArray* aclCreateIntArray(const int64_t* value, uint64_t size) {
    HostValue v;
    v.integers.assign(value, value + size);
    return as<aclIntArray>(emu::create_array(HandleKind::integers, std::move(v)));
}

aclFloatArray* aclCreateFloatArray(const float* value, uint64_t size) {
    HostValue v;
    v.reals.assign(value, value + size);
    return as<aclFloatArray>(emu::create_array(HandleKind::floats, std::move(v)));
}

aclBoolArray* aclCreateBoolArray(const bool* value, uint64_t size) {
    HostValue v;
    v.integers.assign(value, value + size);
    return as<aclBoolArray>(emu::create_array(HandleKind::booleans, std::move(v)));
}

aclTensorList* aclCreateTensorList(const aclTensor* const* value, uint64_t size) {
    return as<aclTensorList>(emu::create_list(reinterpret_cast<const void* const*>(value), size));
}

aclScalarList* aclCreateScalarList(const aclScalar* const* value, uint64_t size) {
    return as<aclScalarList>(emu::create_scalar_list(reinterpret_cast<const void* const*>(value), size));
}

aclnnStatus aclDestroyTensor(const aclTensor* tensor) {
    return emu::destroy_tensor(tensor);
}

aclnnStatus aclDestroyScalar(const aclScalar* scalar) {
    return emu::destroy_value(world().scalars, scalar);
}

aclnnStatus aclDestroyIntArray(const aclIntArray* array) {
    return emu::destroy_value(world().integers, array);
}

aclnnStatus aclDestroyFloatArray(const aclFloatArray* array) {
    return emu::destroy_value(world().floats, array);
}

aclnnStatus aclDestroyBoolArray(const aclBoolArray* array) {
    return emu::destroy_value(world().booleans, array);
}

aclnnStatus aclDestroyTensorList(const aclTensorList* array) {
    return emu::destroy_list(array);
}

aclnnStatus aclDestroyScalarList(const aclScalarList* array) {
    return emu::destroy_scalar_list(array);
}

// ---- questions

aclnnStatus aclGetViewShape(const aclTensor* tensor, int64_t** viewDims, uint64_t* viewDimsNum) {
    return with_tensor(tensor, "aclGetViewShape", [&](auto& t) { hand_out(t.value.dims, viewDims, viewDimsNum); });
}

aclnnStatus aclGetStorageShape(const aclTensor* tensor, int64_t** storageDims, uint64_t* storageDimsNum) {
    return with_tensor(tensor, "aclGetStorageShape",
                       [&](auto& t) { hand_out(t.value.storage, storageDims, storageDimsNum); });
}

aclnnStatus aclGetViewStrides(const aclTensor* tensor, int64_t** stridesValue, uint64_t* stridesNum) {
    return with_tensor(tensor, "aclGetViewStrides",
                       [&](auto& t) { hand_out(t.value.strides, stridesValue, stridesNum); });
}

aclnnStatus aclGetViewOffset(const aclTensor* tensor, int64_t* offset) {
    return with_tensor(tensor, "aclGetViewOffset", [&](auto& t) { *offset = t.value.offset; });
}

aclnnStatus aclGetFormat(const aclTensor* tensor, aclFormat* format) {
    return with_tensor(tensor, "aclGetFormat", [&](auto& t) { *format = t.value.format; });
}

aclnnStatus aclGetDataType(const aclTensor* tensor, aclDataType* dataType) {
    return with_tensor(tensor, "aclGetDataType", [&](auto& t) { *dataType = t.value.dtype; });
}

aclnnStatus aclGetRawTensorAddr(const aclTensor* tensor, void** addr) {
    return with_tensor(tensor, "aclGetRawTensorAddr",
                       [&](auto& t) { *addr = reinterpret_cast<void*>(t.value.address); });
}

aclnnStatus aclSetRawTensorAddr(aclTensor* tensor, void* addr) {
    return with_tensor(tensor, "aclSetRawTensorAddr",
                       [&](auto& t) { t.value.address = reinterpret_cast<uint64_t>(addr); });
}

aclnnStatus aclGetIntArraySize(const aclIntArray* array, uint64_t* size) {
    return count_of<HostValue>(world().integers, array, size, [](const HostValue& v) { return v.integers.size(); });
}

aclnnStatus aclGetFloatArraySize(const aclFloatArray* array, uint64_t* size) {
    return count_of<HostValue>(world().floats, array, size, [](const HostValue& v) { return v.reals.size(); });
}

aclnnStatus aclGetBoolArraySize(const aclBoolArray* array, uint64_t* size) {
    return count_of<HostValue>(world().booleans, array, size, [](const HostValue& v) { return v.integers.size(); });
}

aclnnStatus aclGetTensorListSize(const aclTensorList* tensorList, uint64_t* size) {
    return count_of<emu::TensorList>(world().lists, tensorList, size,
                                     [](const emu::TensorList& l) { return l.members.size(); });
}

// ---- executors

aclnnStatus aclSetAclOpExecutorRepeatable(aclOpExecutor* executor) {
    return emu::set_repeatable(executor);
}

aclnnStatus aclDestroyAclOpExecutor(aclOpExecutor* executor) {
    return emu::destroy_executor(executor);
}

aclnnStatus aclSetInputTensorAddr(aclOpExecutor* executor, const size_t index, aclTensor* tensor, void* addr) {
    return emu::set_address(executor, Numbering::inputs, index, tensor, addr);
}

aclnnStatus aclSetOutputTensorAddr(aclOpExecutor* executor, const size_t index, aclTensor* tensor, void* addr) {
    return emu::set_address(executor, Numbering::outputs, index, tensor, addr);
}

aclnnStatus aclSetTensorAddr(aclOpExecutor* executor, const size_t index, aclTensor* tensor, void* addr) {
    return emu::set_address(executor, Numbering::all, index, tensor, addr);
}

aclnnStatus aclSetDynamicInputTensorAddr(aclOpExecutor* executor, size_t irIndex, const size_t relativeIndex,
                                         aclTensorList* tensors, void* addr) {
    return emu::set_list_address(executor, Numbering::inputs, irIndex, relativeIndex, tensors, addr);
}

aclnnStatus aclSetDynamicOutputTensorAddr(aclOpExecutor* executor, size_t irIndex, const size_t relativeIndex,
                                          aclTensorList* tensors, void* addr) {
    return emu::set_list_address(executor, Numbering::outputs, irIndex, relativeIndex, tensors, addr);
}

aclnnStatus aclSetDynamicTensorAddr(aclOpExecutor* executor, size_t irIndex, const size_t relativeIndex,
                                    aclTensorList* tensors, void* addr) {
    return emu::set_list_address(executor, Numbering::all, irIndex, relativeIndex, tensors, addr);
}

}  // extern "C"
