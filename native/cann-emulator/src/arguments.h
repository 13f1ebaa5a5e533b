// The arguments of one phase-1 call, copied out of the caller's objects.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "op.h"
#include "phase.h"

namespace emu {

struct Argument {
    const Parameter* parameter = nullptr;
    bool present = true;      // false: a NULL pointer
    bool written = false;     // by table or by Op::writes
    int64_t integer = 0;      // integer, flag, enumeration
    double real = 0;          // real, or the aclScalar
    std::string text;
    std::vector<int64_t> integers;  // aclIntArray, aclBoolArray
    std::vector<double> reals;      // aclFloatArray, aclScalarList
    std::vector<Tensor> tensors;    // one for a tensor, any number for a list
    std::vector<uint64_t> handles;  // the aclTensor objects behind `tensors`, the same order
    uint64_t list_handle = 0;
};

struct ArgumentSet {
    const Signature* signature = nullptr;
    const Op* op = nullptr;  // nullptr: the emulator has no kernel
    Soc soc = Soc::DT950;
    std::vector<Argument> arguments;

    /** Throws std::logic_error when the table has no such parameter of that kind. */
    const Argument& get(const char* name, std::initializer_list<Kind> kinds) const;
};

/** Thrown by Call::refuse: a phase-1 answer that follows a documented rule. */
struct Refusal {
    int status;
    std::string message;
};

/** Thrown by a running task: the stream fails with `code`. */
struct DeviceException {
    int code;
    std::string message;
};

}  // namespace emu
