#include "op.h"

#include <numeric>
#include <stdexcept>

#include "arguments.h"
#include "device_memory.h"
#include "stream.h"
#include "world.h"

namespace emu {

// ---- Tensor

int64_t Tensor::numel() const {
    return std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>());
}

int64_t Tensor::dim(int i) const {
    return dims.at(static_cast<size_t>(i < 0 ? i + rank() : i));
}

bool Tensor::contiguous() const {
    int64_t expected = 1;
    for (int i = rank() - 1; i >= 0; i--) {
        if (dims[i] != 1 && strides[i] != expected) {
            return false;
        }
        expected *= dims[i];
    }
    return true;
}

std::string describe(const Tensor& t) {
    std::string s = std::string(dtype_name(t.dtype)) + "[";
    for (size_t i = 0; i < t.dims.size(); i++) {
        s += (i ? ", " : "") + std::to_string(t.dims[i]);
    }
    return s + "]";
}

bool is_nz(aclFormat format) {
    return format == ACL_FORMAT_FRACTAL_NZ ||
           (format >= ACL_FORMAT_FRACTAL_NZ_C0_16 && format <= ACL_FORMAT_FRACTAL_NZ_C0_8);
}

// ---- Arguments

const Argument& ArgumentSet::get(const char* name, std::initializer_list<Kind> kinds) const {
    for (const Argument& a : arguments) {
        if (std::string(name) == a.parameter->name) {
            for (Kind kind : kinds) {
                if (a.parameter->kind == kind) {
                    return a;
                }
            }
            throw std::logic_error(std::string(signature->op) + ": parameter " + name + " is of another kind");
        }
    }
    throw std::logic_error(std::string(signature->op) + " has no parameter " + name);
}

const Tensor* Arguments::tensor(const char* name) const {
    const Argument& a = set_->get(name, {Kind::tensor});
    return a.present ? &a.tensors[0] : nullptr;
}

const std::vector<Tensor>* Arguments::list(const char* name) const {
    const Argument& a = set_->get(name, {Kind::tensors});
    return a.present ? &a.tensors : nullptr;
}

int64_t Arguments::integer(const char* name) const {
    return set_->get(name, {Kind::integer, Kind::flag}).integer;
}

double Arguments::real(const char* name) const {
    return set_->get(name, {Kind::real}).real;
}

bool Arguments::flag(const char* name) const {
    return set_->get(name, {Kind::flag, Kind::integer}).integer != 0;
}

std::string Arguments::text(const char* name) const {
    return set_->get(name, {Kind::text}).text;
}

const std::vector<int64_t>* Arguments::integers(const char* name) const {
    const Argument& a = set_->get(name, {Kind::integers, Kind::booleans});
    return a.present ? &a.integers : nullptr;
}

double Arguments::scalar(const char* name) const {
    return set_->get(name, {Kind::scalar}).real;
}

bool Arguments::has(const char* name) const {
    return set_->get(name, {Kind::tensor, Kind::tensors, Kind::scalar, Kind::scalars, Kind::integers, Kind::floats,
                            Kind::booleans, Kind::text})
        .present;
}

const char* Arguments::op() const {
    return set_->signature->op;
}

Soc Arguments::soc() const {
    return set_->soc;
}

// ---- Call

namespace {

/** A rule that nobody can look up is none: refusing by it is a bug of the operator. */
std::string cited(const char* op, const std::string& detail, const char* cite) {
    if (cite == nullptr || cite[0] == '\0') {
        throw std::logic_error(detail + ": no citation");
    }
    return std::string(op) + ": " + detail + " [" + cite + "]";
}

}  // namespace

void Call::refuse(int status, std::string detail, const char* cite) {
    throw Refusal{status, cited(op(), detail, cite)};
}

void Call::require(bool ok, int status, std::string detail, const char* cite) {
    if (!ok) {
        refuse(status, std::move(detail), cite);
    }
}

const Tensor& Call::need(const char* name) {
    const Tensor* t = tensor(name);
    if (t == nullptr) {
        refuse(ACLNN_ERR_PARAM_NULLPTR, std::string(name) + " is NULL", "aclnn return codes: 161001 PARAM_NULLPTR");
    }
    return *t;
}

void Call::dtypes(const char* name, std::initializer_list<aclDataType> allowed, const char* cite) {
    const Tensor* t = tensor(name);
    if (t == nullptr) {
        return;
    }
    std::string wanted;
    for (aclDataType dtype : allowed) {
        if (t->dtype == dtype) {
            return;
        }
        wanted += std::string(wanted.empty() ? "" : ", ") + dtype_name(dtype);
    }
    refuse(ACLNN_ERR_PARAM_INVALID, std::string(name) + " is " + describe(*t) + ", allowed: " + wanted, cite);
}

void Call::shape(const char* name, std::vector<int64_t> expected, const char* cite) {
    const Tensor* t = tensor(name);
    if (t != nullptr && t->dims != expected) {
        Tensor wanted = *t;
        wanted.dims = expected;
        refuse(ACLNN_ERR_PARAM_INVALID, std::string(name) + " is " + describe(*t) + ", expected " + describe(wanted),
               cite);
    }
}

// ---- Run

void* Run::raw(const Tensor& t) {
    int64_t bits = t.offset * dtype_bits(t.dtype);
    if (bits % 8 != 0) {
        throw std::logic_error("raw(): the offset of " + describe(t) + " is inside a byte");
    }
    return device_pointer(t.address + static_cast<uint64_t>(bits / 8));
}

void Run::device_exception(std::string detail, const char* cite, int code) {
    throw DeviceException{code, cited(op(), detail, cite)};
}

std::mt19937_64& Run::random() {
    return worker_random();
}

bool Run::jitter() const {
    return config().jitter;
}

bool Run::short_quotients() const {
    return config().short_quotients;
}

// ---- registry

namespace {
std::map<std::string, const Op*>& registry() {
    static auto* ops = new std::map<std::string, const Op*>();
    return *ops;
}
}  // namespace

Registration::Registration(const Op& op) {
    if (op.cite == nullptr || op.cite[0] == '\0') {
        throw std::logic_error(std::string(op.name) + ": no citation");
    }
    if (!registry().emplace(op.name, new Op(op)).second) {
        throw std::logic_error(std::string(op.name) + " is registered twice");
    }
}

void replace_op(const Op& op) {
    registry()[op.name] = new Op(op);
}

const Op* find_op(const std::string& name) {
    auto found = registry().find(name);
    return found == registry().end() ? nullptr : found->second;
}

}  // namespace emu
