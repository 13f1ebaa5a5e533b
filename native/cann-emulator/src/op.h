// What an emulated operator sees: its arguments by name, a phase 1 that may refuse, a phase 2 that computes.
//
// An operator is one EMU_OP record. Its C entry points are generated from the table of CANN functions; names of
// arguments are those of the table. Rules must cite the CANN document they come from: a rule nobody can look up is
// no rule.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "acl/acl_base.h"

namespace emu {

enum class Soc { A2, A3, PR950, DT950 };

/** A copy of an aclTensor taken in phase 1. Strides, offset and storage dims count elements (FP4: elements too). */
struct Tensor {
    aclDataType dtype = ACL_DT_UNDEFINED;
    aclFormat format = ACL_FORMAT_ND;
    std::vector<int64_t> dims, strides, storage;
    int64_t offset = 0;
    uint64_t address = 0;

    int64_t numel() const;
    int64_t dim(int i) const;  // negative from the end; throws std::out_of_range beyond the rank
    int rank() const { return static_cast<int>(dims.size()); }
    bool contiguous() const;  // row-major without gaps, offset allowed
};

struct ArgumentSet;  // arguments.h

/** Arguments by parameter name as in the table. A name or kind the table does not have is a bug and throws. */
class Arguments {
  public:
    explicit Arguments(std::shared_ptr<const ArgumentSet> set) : set_(std::move(set)) {}
    const Tensor* tensor(const char* name) const;             // nullptr: absent
    const std::vector<Tensor>* list(const char* name) const;  // nullptr: absent
    int64_t integer(const char* name) const;                  // any integer or enumeration parameter
    double real(const char* name) const;
    bool flag(const char* name) const;
    std::string text(const char* name) const;                      // "" for NULL
    const std::vector<int64_t>* integers(const char* name) const;  // aclIntArray or aclBoolArray; nullptr: absent
    double scalar(const char* name) const;                         // aclScalar as double
    bool has(const char* name) const;                              // pointer argument not NULL
    const char* op() const;
    Soc soc() const;

  protected:
    std::shared_ptr<const ArgumentSet> set_;
};

/** Phase 1: the documented rules of an operator. */
class Call : public Arguments {
  public:
    using Arguments::Arguments;
    [[noreturn]] void refuse(int status, std::string detail, const char* cite);
    void require(bool ok, int status, std::string detail, const char* cite);
    const Tensor& need(const char* name);  // 161001 when absent
    void dtypes(const char* name, std::initializer_list<aclDataType> allowed, const char* cite);
    void shape(const char* name, std::vector<int64_t> expected, const char* cite);
    void workspace(uint64_t bytes) { workspace_ = bytes; }
    uint64_t workspace() const { return workspace_; }

  private:
    uint64_t workspace_ = 0;
};

/** Phase 2, on the stream's thread: device memory is accessible and the accesses are already race-checked. */
class Run : public Arguments {
  public:
    using Arguments::Arguments;
    std::vector<float> floats(const Tensor& t) const;  // dense in the order of dims; any numeric dtype; NZ undone
    std::vector<int64_t> ints(const Tensor& t) const;
    void store(const Tensor& t, const std::vector<float>& values);  // to nearest even, saturating per dtype
    void store(const Tensor& t, const std::vector<int64_t>& values);
    void* raw(const Tensor& t);  // address of element 0 (offset applied when it falls on a byte) for hot loops
    /** Fails the stream late and poisons the context, as a core exception does (507015 unless told otherwise). */
    [[noreturn]] void device_exception(std::string detail, const char* cite, int code = 507015);
    std::mt19937_64& random();
    bool jitter() const;  // sum blocks in random order
    bool short_quotients() const;
    /**
     * All ranks of the communicator with that name meet in this operator; what each of them brought, by rank. Ranks
     * whose `what` differs (put everything into it that must agree) break the rule "collective-mismatch".
     */
    std::vector<std::vector<uint8_t>> exchange(const std::string& group, const std::string& what,
                                               std::vector<uint8_t> mine);
};

/** Rank and size of the current device's communicator of that name; false when there is none. */
bool group_shape(const std::string& group, int& rank, int& ranks);
/** Bytes of the exchange buffer of the current device's communicator of that name; 0 when there is none. */
int64_t group_buffer(const std::string& group);

struct Op {
    const char* name;     // "aclnnAdd"
    const char* cite;     // document the operator's semantics come from
    void (*rule)(Call&);  // refuse or return
    void (*run)(Run&);
    std::vector<const char*> writes = {};  // output and in-place parameters; non-const tensors of the table are
                                           // written in any case
    bool repeatable = true;                // aclSetAclOpExecutorRepeatable answers 561000 when false
    bool handwritten = false;              // executor kind: addresses are read from the live aclTensor
    bool inplace = false;                  // inputs may overlap outputs
};

struct Registration {
    explicit Registration(const Op& op);
};

const Op* find_op(const std::string& name);
/** Takes the place of a registered operator: tests of the engine bring their own simple ones. */
void replace_op(const Op& op);

/** Bytes that `elements` elements occupy, rounded up to whole bytes; bits per element for sub-byte dtypes. */
int dtype_bits(aclDataType dtype);  // 0: unknown
const char* dtype_name(aclDataType dtype);
std::string describe(const Tensor& t);  // "BF16[2, 4096]"
bool is_nz(aclFormat format);

}  // namespace emu

#define EMU_OP(identifier, ...) static const emu::Registration identifier{emu::Op{__VA_ARGS__}}
