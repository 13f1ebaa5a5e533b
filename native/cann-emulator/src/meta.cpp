#include "meta.h"

#include <cstring>

#include "numeric.h"

namespace emu {

namespace {

/** False, with a message, when the description makes no tensor. */
bool build(const TensorSpec& s, Tensor& t) {
    auto refuse = [](const std::string& why) {
        fail(ACLNN_ERR_PARAM_INVALID, "aclCreateTensor: " + why);
        return false;
    };
    if ((s.rank > 0 && s.dims == nullptr) || (s.storage_rank > 0 && s.storage == nullptr)) {
        return refuse("dims are NULL");
    }
    if (dtype_bits(s.dtype) == 0) {
        return refuse("no such dtype: " + std::to_string(s.dtype));
    }
    if (s.rank > 8 || s.storage_rank > 8) {
        return refuse("more than 8 dimensions");
    }
    t.dtype = s.dtype;
    t.format = s.format;
    t.offset = s.offset;
    t.address = reinterpret_cast<uint64_t>(s.data);
    t.dims.assign(s.dims, s.dims + s.rank);
    t.storage.assign(s.storage, s.storage + s.storage_rank);
    for (int64_t d : t.dims) {
        if (d < 0) {
            return refuse("a negative dimension");
        }
    }
    if (s.strides != nullptr) {
        t.strides.assign(s.strides, s.strides + s.rank);
    } else {
        t.strides.assign(t.dims.size(), 1);
        for (int i = t.rank() - 2; i >= 0; i--) {
            t.strides[i] = t.strides[i + 1] * t.dims[i + 1];
        }
    }
    for (int64_t stride : t.strides) {
        if (stride < 0) {
            return refuse("a negative stride");
        }
    }
    return s.offset >= 0 || refuse("a negative offset");
}

/** The fault for a handle a destroy function does not know. */
template <typename T>
int unknown_destroy(const Handles<T>& handles, const void* handle) {
    bool before = was_handle(handle, handles.kind());
    fault(before ? "double-destroy" : "wrong-handle", std::string("destroy of ") + kind_name(handles.kind()) +
          " with " +
                                                          describe_handle(handle));
    return fail(ACLNN_ERR_PARAM_INVALID, std::string("not a live ") + kind_name(handles.kind()));
}

}  // namespace

void* create_tensor(const TensorSpec& spec) {
    auto made = std::make_shared<TensorObject>();
    if (!build(spec, made->value)) {
        return nullptr;
    }
    Lock lock(world().mutex);
    return world().tensors.add(made);
}

int init_tensor(const void* handle, const TensorSpec& spec) {
    Tensor value;
    if (!build(spec, value)) {
        return ACLNN_ERR_PARAM_INVALID;
    }
    Lock lock(world().mutex);
    int code;
    auto tensor = find_tensor(handle, "aclInitTensor", code);
    if (tensor != nullptr) {
        tensor->value = value;
    }
    return code;
}

std::shared_ptr<TensorObject> find_tensor(const void* handle, const char* function, int& code) {
    World& w = world();
    code = 0;
    if (handle == nullptr) {
        code = fail(ACLNN_ERR_PARAM_NULLPTR, std::string(function) + ": tensor is NULL");
        return nullptr;
    }
    auto tensor = w.tensors.find(handle);
    if (tensor == nullptr) {
        fault(w.tensors.why(handle), std::string(function) + " with " + describe_handle(handle) + " as tensor");
        code = fail(ACLNN_ERR_PARAM_INVALID, std::string(function) + ": not a live tensor");
    }
    return tensor;
}

int destroy_tensor(const void* handle) {
    World& w = world();
    Lock lock(w.mutex);
    if (handle == nullptr) {
        return 0;
    }
    auto tensor = w.tensors.find(handle);
    if (tensor == nullptr) {
        return unknown_destroy(w.tensors, handle);
    }
    if (tensor->list != nullptr && w.lists.find(tensor->list) != nullptr) {
        fault("double-destroy", "aclDestroyTensor of " + describe_handle(handle) + ", which " +
              describe_handle(tensor->list) +
                                    " owns and will destroy");
    }
    w.tensors.take(handle);
    return 0;
}

void* create_list(const void* const* members, uint64_t count) {
    World& w = world();
    Lock lock(w.mutex);
    auto list = std::make_shared<TensorList>();
    for (uint64_t i = 0; i < count; i++) {
        int code;
        auto tensor = find_tensor(members[i], "aclCreateTensorList", code);
        if (tensor == nullptr) {
            return nullptr;
        }
        if (tensor->list != nullptr && w.lists.find(tensor->list) != nullptr) {
            fault("double-destroy", describe_handle(members[i]) + " is put into a second list; both would destroy it");
        }
        list->members.push_back(members[i]);
    }
    void* handle = w.lists.add(list);
    for (const void* member : list->members) {
        w.tensors.find(member)->list = handle;
    }
    return handle;
}

int destroy_list(const void* handle) {
    World& w = world();
    Lock lock(w.mutex);
    if (handle == nullptr) {
        return 0;
    }
    auto list = w.lists.take(handle);
    if (list == nullptr) {
        return unknown_destroy(w.lists, handle);
    }
    for (const void* member : list->members) {
        w.tensors.take(member);
    }
    return 0;
}

void* create_scalar(const void* value, aclDataType dtype) {
    int bits = dtype_bits(dtype);
    if (value == nullptr || bits < 8 || bits > 64) {
        fail(ACLNN_ERR_PARAM_INVALID, "aclCreateScalar: NULL value or dtype " + std::string(dtype_name(dtype)));
        return nullptr;
    }
    auto made = std::make_shared<HostValue>();
    made->dtype = dtype;
    const uint8_t* bytes = static_cast<const uint8_t*>(value);
    made->reals.push_back(decode(dtype, bytes, 0));
    made->integers.push_back(is_integer(dtype) ? decode_integer(dtype, bytes, 0) : 0);
    Lock lock(world().mutex);
    return world().scalars.add(made);
}

void* create_array(HandleKind kind, HostValue value) {
    World& w = world();
    Lock lock(w.mutex);
    auto made = std::make_shared<HostValue>(std::move(value));
    Handles<HostValue>& handles = kind == HandleKind::integers ? w.integers
                                  : kind == HandleKind::floats ? w.floats
                                                               : w.booleans;
    return handles.add(made);
}

int destroy_value(Handles<HostValue>& handles, const void* handle) {
    Lock lock(world().mutex);
    if (handle == nullptr || handles.take(handle) != nullptr) {
        return 0;
    }
    return unknown_destroy(handles, handle);
}

void* create_scalar_list(const void* const* members, uint64_t count) {
    World& w = world();
    Lock lock(w.mutex);
    auto list = std::make_shared<std::vector<const void*>>(members, members + count);
    for (const void* member : *list) {
        if (w.scalars.find(member) == nullptr) {
            fault(w.scalars.why(member), "aclCreateScalarList with " + describe_handle(member));
            fail(ACLNN_ERR_PARAM_INVALID, "aclCreateScalarList: not a live scalar");
            return nullptr;
        }
    }
    return w.scalar_lists.add(list);
}

int destroy_scalar_list(const void* handle) {
    World& w = world();
    Lock lock(w.mutex);
    if (handle == nullptr) {
        return 0;
    }
    auto list = w.scalar_lists.take(handle);
    if (list == nullptr) {
        return unknown_destroy(w.scalar_lists, handle);
    }
    for (const void* member : *list) {
        w.scalars.take(member);
    }
    return 0;
}

}  // namespace emu
