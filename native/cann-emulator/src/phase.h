// What the generated C entry points of operators call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <type_traits>

#include "acl/acl_base.h"

namespace emu {

enum class Kind : uint8_t {
    tensor,
    tensors,
    scalar,
    scalars,
    integers,
    floats,
    booleans,
    text,
    integer,
    real,
    flag
};

struct Parameter {
    const char* name;
    Kind kind;
    bool written;  // not const in the table
};

/** One phase-1 function of the table, without the two trailing out-parameters. */
struct Signature {
    const char* op;
    const char* library;
    const Parameter* parameters;
    size_t count;
    bool single_source;  // the table knows this signature from one source only
};

struct Value {
    const void* pointer = nullptr;
    int64_t integer = 0;
    double real = 0;

    Value(const void* p) : pointer(p) {}
    template <typename T, std::enable_if_t<std::is_integral_v<T> || std::is_enum_v<T>, int> = 0>
    Value(T v) : integer(static_cast<int64_t>(v)) {}
    template <typename T, std::enable_if_t<std::is_floating_point_v<T>, int> = 0, typename = void>
    Value(T v) : real(v) {}
};

aclnnStatus first_phase(const Signature& signature, std::initializer_list<Value> values, uint64_t* workspace_size,
                        aclOpExecutor** executor);
aclnnStatus second_phase(const char* op, void* workspace, uint64_t workspace_size, aclOpExecutor* executor,
                         aclrtStream stream);
/** A package's function that shares its name with one of CANN's and has other parameters: whoever calls it is mistaken. */
aclnnStatus other_form(const char* function, const char* package);
/** A function of the table that the emulator does not play: says so, returns `code`. */
int not_emulated(const char* function, int code);

}  // namespace emu
