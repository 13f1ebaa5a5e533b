#include "table.h"

#include <cctype>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>

namespace fs = std::filesystem;

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

static Param parse_param(const std::string& text) {
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
static std::string bare(const std::string& file) {
    return file.rfind("lib", 0) == 0 && ends_with(file, ".so") ? file.substr(3, file.size() - 6) : "";
}

/** "libopapi_nn.so | libopapi.so" -> "opapi_nn"; empty for libraries the emulator does not play. */
static std::string library_of(const std::string& column) {
    static const std::set<std::string> known = {"acl_rt",   "nnopbase", "opapi_math", "opapi_nn", "opapi_transformer",
                                                "hccl", "hcomm"};
    std::string name = bare(trim(column.substr(0, column.find('|'))));
    return known.count(name) ? name : "";
}

std::vector<Param> parse_params(const std::string& text) {
    std::vector<Param> params;
    if (trim(text) != "void") {
        for (const std::string& p : split(text, ';')) {
            params.push_back(parse_param(trim(p)));
        }
    }
    return params;
}

std::vector<Row> read_table(const fs::path& path, bool vendors) {
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
        bool of_vendor = columns[0].rfind(std::string("lib") + kVendor, 0) == 0;
        std::string library = columns.size() < 7 ? "" : of_vendor ? (vendors ? kVendor : "") : library_of(columns[0]);
        if (vendors && !of_vendor) {
            continue;
        }
        if (library.empty()) {
            continue;
        }
        Row row{library, bare(trim(columns[0].substr(columns[0].rfind('|') + 1))), trim(columns[1]), trim(columns[2]),
                trim(columns[4]), trim(columns[6]), columns.size() > 7 ? columns[7] : "", parse_params(columns[3])};
        if (row.older_library.empty()) {
            row.older_library = library;
        }
        if (!seen.insert(row.function).second) {
            throw std::runtime_error("two rows for " + row.function);
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

const Row* find_row(const std::vector<Row>& rows, const std::string& function) {
    for (const Row& row : rows) {
        if (row.function == function) {
            return &row;
        }
    }
    return nullptr;
}

const Row& need_row(const std::vector<Row>& rows, const std::string& function) {
    const Row* row = find_row(rows, function);
    if (row == nullptr) {
        throw std::runtime_error("the table has no row for " + function);
    }
    return *row;
}

bool same_types(const Row& a, const Row& b) {
    auto bare = [](const Param& p) { return p.type.rfind("const ", 0) == 0 ? p.type.substr(6) : p.type; };
    bool same = a.params.size() == b.params.size();
    for (size_t i = 0; same && i < a.params.size(); i++) {
        same = bare(a.params[i]) == bare(b.params[i]);
    }
    return same;
}

std::string unnamed_prototype(const Row& row) {
    std::string text = row.result + " " + row.function + "(";
    for (size_t i = 0; i < row.params.size(); i++) {
        text += (i ? ", " : "") + row.params[i].type;
    }
    return text + ")";
}

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
