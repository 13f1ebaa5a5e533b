#include "entries.h"

#include <map>
#include <stdexcept>

static std::string kind_of(const std::string& type) {
    static const std::map<std::string, std::string> pointers = {
        {"aclTensor*", "tensor"},     {"aclTensorList*", "tensors"},   {"aclScalar*", "scalar"},
        {"aclScalarList*", "scalars"}, {"aclIntArray*", "integers"},    {"aclFloatArray*", "floats"},
        {"aclBoolArray*", "booleans"}, {"char*", "text"}};
    std::string bare = type.rfind("const ", 0) == 0 ? type.substr(6) : type;
    if (auto found = pointers.find(bare); found != pointers.end()) {
        return found->second;
    }
    if (bare.find('*') != std::string::npos) {
        throw std::runtime_error("no argument kind for " + type);
    }
    return bare == "double" || bare == "float" ? "real" : bare == "bool" ? "flag" : "integer";
}

std::string first_phase(const Row& row) {
    std::string op = op_of(row.function);
    std::string parameters, values;
    size_t count = row.params.size() - 2;
    for (size_t i = 0; i < count; i++) {
        const Param& p = row.params[i];
        std::string kind = kind_of(p.type);
        bool written = (kind == "tensor" || kind == "tensors") && p.type.rfind("const ", 0) != 0;
        parameters += "        {\"" + p.name + "\", Kind::" + kind + ", " + (written ? "true" : "false") + "},\n";
        values += (i ? ", " : "") + p.name;
    }
    return prototype(row) + " {\n    static const Parameter parameters[] = {\n" + parameters +
           "    };\n    static const Signature signature{\"" + op + "\", \"" + row.library + "\", parameters, " +
           std::to_string(count) + ", " + (row.confidence.rfind("2", 0) == 0 ? "false" : "true") +
           "};\n    return emu::first_phase(signature, {" + values + "}, " + row.params[count].name + ", " +
           row.params[count + 1].name + ");\n}\n\n";
}

std::string second_phase(const Row& row) {
    const auto& p = row.params;
    return prototype(row) + " {\n    return emu::second_phase(\"" + row.function + "\", " + p[0].name + ", " +
        p[1].name +
           ", " + p[2].name + ", " + p[3].name + ");\n}\n\n";
}
