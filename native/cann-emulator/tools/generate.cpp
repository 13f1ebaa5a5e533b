// Reads the table of CANN functions and writes, below an output folder,
//   include/**         declarations, laid out as in a CANN install
//   entry/<library>.cpp one file per emulated library: every operator's two entry points, and a weak answer "not
//                      emulated" for each other function; the hand-written definition, where there is one, wins
//   family8/include/**  the declarations that an install of CANN 8 has
//   family8/<library>.map the symbols of its libraries, for the linker
//
//   generate cann-abi.tsv OUTPUT
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

struct Param {
    std::string type, name;
};

struct Row {
    std::string library, older_library;  // "opapi_nn", and where CANN 8 has it, "opapi"
    std::string function, result, since, confidence, note;
    std::vector<Param> params;

    bool exported() const { return note.find("NOT exported") == std::string::npos; }
    /** Whether an install of CANN 8 has it; "since" is "<=8.1", "8.3..8.5" or something later. */
    bool in_family8() const { return since.rfind("<=8", 0) == 0 || since.rfind("8.", 0) == 0; }
};

std::string trim(const std::string& s) {
    size_t a = s.find_first_not_of(" \t\r"), b = s.find_last_not_of(" \t\r");
    return a == std::string::npos ? "" : s.substr(a, b - a + 1);
}

std::vector<std::string> split(const std::string& s, char separator) {
    std::vector<std::string> parts;
    std::istringstream in(s);
    for (std::string part; std::getline(in, part, separator);) {
        parts.push_back(part);
    }
    return parts;
}

bool ends_with(const std::string& s, const std::string& end) {
    return s.size() >= end.size() && s.compare(s.size() - end.size(), end.size(), end) == 0;
}

Param parse_param(const std::string& text) {
    size_t end = text.size();
    while (end > 0 && (std::isalnum(static_cast<unsigned char>(text[end - 1])) || text[end - 1] == '_')) {
        end--;
    }
    if (end == 0 || end == text.size()) {
        throw std::runtime_error("parameter without type or name: " + text);
    }
    return {trim(text.substr(0, end)), text.substr(end)};
}

/** "libhccl.so" -> "hccl". */
std::string bare(const std::string& file) {
    return file.rfind("lib", 0) == 0 && ends_with(file, ".so") ? file.substr(3, file.size() - 6) : "";
}

/** "libopapi_nn.so | libopapi.so" -> "opapi_nn"; empty for libraries the emulator does not play. */
std::string library_of(const std::string& column) {
    static const std::set<std::string> known = {"acl_rt",   "nnopbase", "opapi_math", "opapi_nn", "opapi_transformer",
                                                "hccl", "hcomm"};
    std::string name = bare(trim(column.substr(0, column.find('|'))));
    return known.count(name) ? name : "";
}

std::vector<Row> read_table(const fs::path& path) {
    std::ifstream in(path);
    if (!in) {
        throw std::runtime_error("cannot read " + path.string());
    }
    std::vector<Row> rows;
    std::set<std::string> seen;
    for (std::string line; std::getline(in, line);) {
        if (line.empty() || line[0] == '#') {
            continue;
        }
        std::vector<std::string> columns = split(line, '\t');
        std::string library = columns.size() < 7 ? "" : library_of(columns[0]);
        if (library.empty()) {
            continue;
        }
        Row row{library, bare(trim(columns[0].substr(columns[0].rfind('|') + 1))), trim(columns[1]), trim(columns[2]),
                trim(columns[4]), trim(columns[6]), columns.size() > 7 ? columns[7] : "", {}};
        if (row.older_library.empty()) {
            row.older_library = library;
        }
        if (!seen.insert(row.function).second) {
            throw std::runtime_error("two rows for " + row.function);
        }
        if (trim(columns[3]) != "void") {
            for (const std::string& p : split(columns[3], ';')) {
                row.params.push_back(parse_param(trim(p)));
            }
        }
        rows.push_back(std::move(row));
    }
    return rows;
}

std::string prototype(const Row& row) {
    std::string text = row.result + " " + row.function + "(";
    size_t column = text.size(), length = text.size();
    for (size_t i = 0; i < row.params.size(); i++) {
        std::string param = row.params[i].type + " " + row.params[i].name + (i + 1 < row.params.size() ? ", " : "");
        if (length + param.size() > 110 && i > 0) {
            text = trim(text) + "\n" + std::string(std::min<size_t>(column, 40), ' ');
            length = std::min<size_t>(column, 40);
        }
        text += param;
        length += param.size();
    }
    return text + (row.params.empty() ? "void)" : ")");
}

// ---- headers

/** aclnnMoeGatingTopKV2 -> moe_gating_top_k_v2, the way CANN names its header files. */
std::string snake(const std::string& name) {
    std::string out;
    for (size_t i = 0; i < name.size(); i++) {
        unsigned char c = name[i], before = i ? name[i - 1] : 0, after = i + 1 < name.size() ? name[i + 1] : 0;
        bool version = c == 'V' && std::isdigit(after);
        if (std::isupper(c) && i && (!std::isupper(before) || std::islower(after) || version)) {
            out += '_';
        }
        out += static_cast<char>(std::tolower(c));
    }
    return out;
}

std::string op_of(const std::string& function) {
    static const std::string suffix = "GetWorkspaceSize";
    return ends_with(function, suffix) ? function.substr(0, function.size() - suffix.size()) : function;
}

std::string header_of(const Row& row) {
    if (row.library == "acl_rt") {
        return row.function.rfind("aclmdlRI", 0) == 0 ? "acl/acl_mdl.h" : "acl/acl_rt.h";
    }
    if (row.library == "nnopbase") {
        return "aclnn/acl_meta.h";
    }
    if (row.library == "hccl") {
        return "hccl/hccl.h";
    }
    if (row.library == "hcomm") {
        return "hccl/hccl_comm.h";
    }
    return "aclnnop/aclnn_" + snake(op_of(row.function).substr(5)) + ".h";
}

void write(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ifstream old(path);
    std::ostringstream had;
    had << old.rdbuf();
    if (old && had.str() == text) {
        return;  // keeps the time stamp, so that nothing is compiled again
    }
    std::ofstream(path) << text;
}

std::string guard(const std::string& header) {
    std::string out = "WEFT_EMULATOR_";
    for (char c : header) {
        out += std::isalnum(static_cast<unsigned char>(c)) ? static_cast<char>(std::toupper(c)) : '_';
    }
    return out;
}

void write_headers(const std::vector<Row>& rows, const fs::path& folder) {
    std::map<std::string, std::string> bodies;
    for (const Row& row : rows) {
        std::string& body = bodies[header_of(row)];
        if (!row.exported()) {
            body += "/* " + row.function + ": inline in CANN's header, exported by no library. */\n\n";
        } else {
            body += "ACL_FUNC_VISIBILITY " + prototype(row) + ";\n\n";
        }
    }
    for (const auto& [header, body] : bodies) {
        std::string types = header.rfind("hccl/", 0) == 0 ? "hccl/hccl_types.h" : "acl/acl_base.h";
        write(folder / header, "/* Declarations generated from Weft's table of CANN functions. */\n#ifndef " + guard(header) +
                                   "\n#define " + guard(header) + "\n\n#include \"" + types +
                                   "\"\n\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n" + body +
                                   "#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
    }
}

// ---- entry points

std::string kind_of(const std::string& type) {
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
    return prototype(row) + " {\n    return emu::second_phase(\"" + row.function + "\", " + p[0].name + ", " + p[1].name +
           ", " + p[2].name + ", " + p[3].name + ");\n}\n\n";
}

std::string not_emulated(const Row& row) {
    std::string call = "emu::not_emulated(\"" + row.function + "\", ";
    std::string body;
    if (row.result == "void") {
        body = call + "0);";
    } else if (row.result == "HcclResult") {
        body = "return static_cast<HcclResult>(" + call + "HCCL_E_NOT_SUPPORT));";
    } else if (row.result == "aclError" || row.result == "aclnnStatus") {
        body = "return " + call + "ACL_ERROR_RT_FEATURE_NOT_SUPPORT);";
    } else {
        body = call + "0);\n    return {};";
    }
    std::string unnamed = row.result + " " + row.function + "(";
    for (size_t i = 0; i < row.params.size(); i++) {
        unnamed += (i ? ", " : "") + row.params[i].type;
    }
    return "__attribute__((weak)) " + unnamed + ") {\n    " + body + "\n}\n\n";
}

bool is_second_phase(const Row& row) {
    return row.params.size() == 4 && row.params[0].type == "void*" && row.params[2].type == "aclOpExecutor*";
}

void write_entries(const std::vector<Row>& rows, const fs::path& folder) {
    std::map<std::string, std::string> bodies;
    std::map<std::string, std::set<std::string>> includes;
    for (const Row& row : rows) {
        if (!row.exported()) {
            continue;
        }
        bool op = row.library.rfind("opapi", 0) == 0;
        includes[row.library].insert(header_of(row));
        bodies[row.library] += op && ends_with(row.function, "GetWorkspaceSize") ? first_phase(row)
                               : op && is_second_phase(row)                      ? second_phase(row)
                                                                                 : not_emulated(row);
    }
    for (const auto& [library, body] : bodies) {
        std::string head = "// Generated from Weft's table of CANN functions.\n#include \"phase.h\"\n";
        for (const std::string& include : includes[library]) {
            head += "#include \"" + include + "\"\n";
        }
        write(folder / (library + ".cpp"), head + "\nusing emu::Kind;\nusing emu::Parameter;\nusing emu::Signature;\n\n"
                                                  "extern \"C\" {\n\n" + body + "}  // extern \"C\"\n");
    }
}

/** Which symbols the libraries of CANN 8 show: linker version scripts. */
void write_family8(const std::vector<Row>& rows, const fs::path& folder) {
    std::map<std::string, std::string> symbols;
    std::vector<Row> known;
    for (const Row& row : rows) {
        if (row.in_family8()) {
            known.push_back(row);
            symbols[row.older_library] += row.exported() ? "    " + row.function + ";\n" : "";
        }
    }
    symbols["ascendcl"] += "    weftEmulator*;\n";
    for (const auto& [library, names] : symbols) {
        write(folder / (library + ".map"), "{\n  global:\n" + names + "  local:\n    *;\n};\n");
    }
    write_headers(known, folder / "include");
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::cerr << "usage: generate cann-abi.tsv OUTPUT\n";
        return 2;
    }
    try {
        std::vector<Row> rows = read_table(argv[1]);
        write_headers(rows, fs::path(argv[2]) / "include");
        write_entries(rows, fs::path(argv[2]) / "entry");
        write_family8(rows, fs::path(argv[2]) / "family8");
    } catch (const std::exception& e) {
        std::cerr << argv[1] << ": " << e.what() << "\n";
        return 1;
    }
}
