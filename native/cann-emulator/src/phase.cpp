#include "phase.h"

#include <chrono>
#include <thread>

#include "executor.h"
#include "meta.h"

namespace emu {

namespace {

std::string where(const Signature& s, const Parameter& p) {
    return std::string(s.op) + "GetWorkspaceSize: " + p.name;
}

/** 161002 after a fault when the handle is not a live object of the kind. */
template <typename T>
int unknown(const Handles<T>& handles, const Signature& s, const Parameter& p, const void* handle) {
    fault(handles.why(handle), where(s, p) + " is " + describe_handle(handle));
    return fail(ACLNN_ERR_PARAM_INVALID, where(s, p) + " is not a live " + kind_name(handles.kind()));
}

int take_tensor(const Signature& s, Argument& a, const void* handle) {
    World& w = world();
    auto tensor = w.tensors.find(handle);
    if (tensor == nullptr) {
        return unknown(w.tensors, s, *a.parameter, handle);
    }
    a.tensors.push_back(tensor->value);
    a.handles.push_back(reinterpret_cast<uint64_t>(handle));
    return 0;
}

int take_value(const Signature& s, Argument& a, const Handles<HostValue>& handles, const void* handle) {
    auto value = handles.find(handle);
    if (value == nullptr) {
        return unknown(handles, s, *a.parameter, handle);
    }
    a.integers = value->integers;
    a.reals = value->reals;
    a.real = value->reals.empty() ? 0 : value->reals[0];
    a.integer = value->integers.empty() ? 0 : value->integers[0];
    return 0;
}

int take_list(const Signature& s, Argument& a, const void* handle) {
    World& w = world();
    auto list = w.lists.find(handle);
    if (list == nullptr) {
        return unknown(w.lists, s, *a.parameter, handle);
    }
    a.list_handle = reinterpret_cast<uint64_t>(handle);
    for (const void* member : list->members) {
        if (int code = take_tensor(s, a, member)) {
            return code;
        }
    }
    return 0;
}

int take_scalars(const Signature& s, Argument& a, const void* handle) {
    World& w = world();
    auto list = w.scalar_lists.find(handle);
    if (list == nullptr) {
        return unknown(w.scalar_lists, s, *a.parameter, handle);
    }
    for (const void* member : *list) {
        auto scalar = w.scalars.find(member);
        if (scalar == nullptr) {
            return unknown(w.scalars, s, *a.parameter, member);
        }
        a.reals.push_back(scalar->reals[0]);
    }
    return 0;
}

/** Copies one argument out of the caller's object. Lock held. */
int take(const Signature& s, Argument& a, const Value& v) {
    World& w = world();
    Kind kind = a.parameter->kind;
    if (kind == Kind::integer || kind == Kind::flag) {
        a.integer = v.integer;
        return 0;
    }
    if (kind == Kind::real) {
        a.real = v.real;
        return 0;
    }
    a.present = v.pointer != nullptr;
    if (!a.present) {
        return 0;
    }
    switch (kind) {
        case Kind::text:
            a.text = static_cast<const char*>(v.pointer);
            return 0;
        case Kind::tensor:
            return take_tensor(s, a, v.pointer);
        case Kind::tensors:
            return take_list(s, a, v.pointer);
        case Kind::scalar:
            return take_value(s, a, w.scalars, v.pointer);
        case Kind::integers:
            return take_value(s, a, w.integers, v.pointer);
        case Kind::floats:
            return take_value(s, a, w.floats, v.pointer);
        case Kind::booleans:
            return take_value(s, a, w.booleans, v.pointer);
        default:
            return take_scalars(s, a, v.pointer);
    }
}

/** What every function of an operator starts with: 0 or an aclnn code. */
int enter_operator(const std::string& function) {
    expire_message();
    if (on_worker()) {
        fault("call-in-host-function", function + " called from a function a stream runs");
        return fail(ACLNN_ERR_RUNTIME_ERROR, function + " called from a host function");
    }
    if (!world().ready) {
        return fail(ACLNN_ERR_RUNTIME_ERROR, function + ": neither aclInit nor aclnnInit has been called");
    }
    if (int code = injected_failure(function.c_str())) {
        return tell(code, function + ": failure injected by the test");
    }
    return 0;
}

bool names(const std::vector<const char*>& list, const char* name) {
    for (const char* entry : list) {
        if (std::string(entry) == name) {
            return true;
        }
    }
    return false;
}

int apply_rule(const Op& op, Call& call) {
    try {
        op.rule(call);
        return 0;
    } catch (const Refusal& refusal) {
        return tell(refusal.status, refusal.message);
    } catch (const std::exception& e) {
        fault("operator-bug", std::string(op.name) + " phase 1: " + e.what());
        return tell(ACLNN_ERR_INNER, std::string(op.name) + ": " + e.what());
    }
}

}  // namespace

aclnnStatus first_phase(const Signature& s, std::initializer_list<Value> values, uint64_t* workspace_size,
                        aclOpExecutor** executor) {
    std::string function = std::string(s.op) + "GetWorkspaceSize";
    if (int code = enter_operator(function)) {
        return code;
    }
    World& w = world();
    Lock lock(w.mutex);
    if (current_context(function.c_str()) == nullptr) {
        return ACLNN_ERR_RUNTIME_ERROR;
    }
    if (workspace_size == nullptr || executor == nullptr) {
        return fail(ACLNN_ERR_PARAM_NULLPTR, function + ": workspaceSize or executor is NULL");
    }
    *executor = nullptr;
    auto set = std::make_shared<ArgumentSet>();
    set->signature = &s;
    set->op = find_op(s.op);
    set->soc = config().soc;
    set->arguments.resize(s.count);
    for (size_t i = 0; i < s.count; i++) {
        Argument& a = set->arguments[i];
        a.parameter = &s.parameters[i];
        a.written = s.parameters[i].written || (set->op != nullptr && names(set->op->writes, a.parameter->name));
        if (int code = take(s, a, values.begin()[i])) {
            return code;
        }
    }
    if (set->op == nullptr) {
        return tell(ACLNN_ERR_INNER_FIND_KERNEL_ERROR, std::string("EMULATOR: no kernel for ") + s.op);
    }
    Call call(set);
    lock.unlock();
    if (int code = apply_rule(*set->op, call)) {
        return code;
    }
    lock.lock();
    if (s.single_source && w.single_source_ops.insert(s.op).second) {
        log(std::string(s.op) + ": signature known from one source");
    }
    auto made = std::make_shared<Executor>();
    made->arguments = set;
    made->workspace = call.workspace();
    *workspace_size = made->workspace;
    *executor = static_cast<aclOpExecutor*>(w.executors.add(made));
    w.first_phases++;
    return 0;
}

// ---- phase 2

namespace {

int check_workspace(const Executor& e, const char* op, void* workspace, uint64_t size) {
    if (e.workspace > 0 && workspace == nullptr) {
        return fail(ACLNN_ERR_PARAM_NULLPTR, std::string(op) + ": workspace is NULL, phase 1 asked for " +
                                                 std::to_string(e.workspace) + " bytes");
    }
    if (size < e.workspace) {
        fault("workspace-size", std::string(op) + " is given " + std::to_string(size) + " bytes, phase 1 asked for " +
                                    std::to_string(e.workspace));
        return fail(ACLNN_ERR_PARAM_INVALID, std::string(op) + ": the workspace is too small");
    }
    if (size != e.workspace) {
        log(std::string(op) + ": workspace size " + std::to_string(size) + ", phase 1 said " +
            std::to_string(e.workspace));
    }
    return 0;
}

/** Arguments as phase 2 sees them: hand-written operators read addresses from the live aclTensor. */
int refresh(const Executor& e, ArgumentSet& set) {
    World& w = world();
    for (Argument& a : set.arguments) {
        for (size_t i = 0; i < a.handles.size(); i++) {
            const void* handle = reinterpret_cast<const void*>(a.handles[i]);
            auto live = w.tensors.find(handle);
            if (live != nullptr) {
                if (set.op->handwritten) {
                    a.tensors[i].address = live->value.address;
                }
            } else if (!e.repeatable || set.op->handwritten) {
                fault("argument-destroyed", std::string(set.op->name) + ": " + a.parameter->name + ", " +
                                                describe_handle(handle) + ", is destroyed before phase 2");
                return fail(ACLNN_ERR_PARAM_INVALID, std::string(set.op->name) + ": " + a.parameter->name +
                            " is destroyed");
            }
        }
    }
    return 0;
}

/** Real operators load their kernels when they first run. */
void warm_up(const char* op) {
    if (config().cold == 0) {
        return;
    }
    {
        Lock lock(world().mutex);
        if (!world().warm_ops.insert(op).second) {
            return;
        }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(config().cold));
}

Task make_task(std::shared_ptr<const ArgumentSet> set, std::vector<Access> accesses) {
    return {set->op->name, std::move(accesses), [set] {
                warm_up(set->op->name);
                Run run(set);
                set->op->run(run);
            }};
}

}  // namespace

aclnnStatus second_phase(const char* op, void* workspace, uint64_t workspace_size, aclOpExecutor* handle,
                         aclrtStream on) {
    World& w = world();
    if (int code = enter_operator(op)) {
        Lock lock(w.mutex);
        auto executor = w.executors.find(handle);
        if (executor != nullptr && !executor->repeatable) {
            w.executors.take(handle);  // a failing phase 2 deletes it too
        }
        return code;
    }
    Lock lock(w.mutex);
    if (handle == nullptr) {
        return fail(ACLNN_ERR_PARAM_NULLPTR, std::string(op) + ": executor is NULL");
    }
    auto executor = w.executors.find(handle);
    if (executor == nullptr) {
        fault("executor-consumed", std::string(op) + " with " + describe_handle(handle) +
              ", which is not a live executor");
        return fail(ACLNN_ERR_INNER_NULLPTR, std::string(op) + ": no such executor");
    }
    if (!executor->repeatable) {
        w.executors.take(handle);  // phase 2 owns it from here, whatever happens
    }
    executor->runs++;
    if (std::string(op) != executor->arguments->op->name) {
        fault("executor-consumed", std::string(op) + " with an executor of " + executor->arguments->op->name);
        return fail(ACLNN_ERR_INNER, std::string(op) + ": foreign executor");
    }
    std::shared_ptr<Stream> stream;
    if (find_stream(on, op, stream) != 0) {
        return ACLNN_ERR_RUNTIME_ERROR;
    }
    int code = check_workspace(*executor, op, workspace, workspace_size);
    auto set = std::make_shared<ArgumentSet>(*executor->arguments);
    std::vector<Access> accesses;
    if (code || (code = refresh(*executor, *set)) ||
        (code = check_placement(*set, stream->device, workspace, workspace_size, accesses))) {
        return code;
    }
    if (submit(stream, make_task(set, std::move(accesses))) != 0) {
        return ACLNN_ERR_RUNTIME_ERROR;
    }
    w.second_phases++;
    return 0;
}

aclnnStatus other_form(const char* function, const char* package) {
    fault("other-form", std::string(function) + " of package " + package + " has other parameters than CANN's");
    return fail(ACLNN_ERR_INNER, std::string(function) + ": arguments cannot be read");
}

int not_emulated(const char* function, int code) {
    return tell(code, std::string("EMULATOR: ") + function + " is not played");
}

}  // namespace emu
