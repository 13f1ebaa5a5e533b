#include <fstream>
#include <stdexcept>

#include "entries.h"

namespace fs = std::filesystem;

namespace {

/** A declaration as the generator of operator packages writes it. */
std::string package_declaration(const Row& row) {
    std::string text = "__attribute__((visibility(\"default\")))\n" + row.result + " " + row.function + "(\n";
    for (size_t i = 0; i < row.params.size(); i++) {
        std::string type = row.params[i].type;
        size_t stars = type.find('*');
        std::string base = stars == std::string::npos ? type : trim(type.substr(0, stars));
        std::string pointer = stars == std::string::npos ? "" : type.substr(stars);
        text += "    " + base + " " + pointer + row.params[i].name + (i + 1 < row.params.size() ? ",\n" : ");\n\n");
    }
    return text;
}

/** Definition of a function whose arguments mean something else than those of CANN's function of the same name. */
std::string other_form(const Row& row, const std::string& package) {
    return unnamed_prototype(row) + " {\n    return emu::other_form(\"" + row.function + "\", \"" + package + "\");\n}\n\n";
}

/** Both functions of one operator of a package. */
struct Pair {
    Row first, second;
};

/**
 * A line of a package: operator, form, remark. The form is "cann" for the row of CANN's library, "vendor" for the row of
 * vendors' packages, or the parameters of the first phase up to the workspace size.
 */
Pair read_operator(const std::vector<std::string>& columns, const std::vector<Row>& cann,
                   const std::vector<Row>& vendors) {
    std::string name = trim(columns[0]), form = trim(columns[1]), first = name + "GetWorkspaceSize";
    if (form == "cann" || form == "vendor") {
        const std::vector<Row>& rows = form == "cann" ? cann : vendors;
        return {need_row(rows, first), need_row(rows, name)};
    }
    Pair pair{need_row(cann, first), need_row(cann, name)};
    std::vector<Param> end(pair.first.params.end() - 2, pair.first.params.end());
    pair.first.params = parse_params(form);
    pair.first.params.insert(pair.first.params.end(), end.begin(), end.end());
    return pair;
}

}  // namespace

void write_package(const fs::path& file, const std::vector<Row>& cann, const std::vector<Row>& vendors,
                   const fs::path& folder) {
    std::ifstream in(file);
    std::string package = file.stem().string();
    std::string body, includes;
    for (std::string line; std::getline(in, line);) {
        std::vector<std::string> columns = split(line, '\t');
        if (line.empty() || line[0] == '#') {
            continue;
        }
        if (columns.size() < 2) {
            throw std::runtime_error(file.string() + ": neither operator nor form: " + line);
        }
        Pair pair = read_operator(columns, cann, vendors);
        std::string header = "aclnn_" + snake(pair.second.function.substr(5)) + ".h";
        write(folder / package / header,
              "/* Of an emulated package. */\n#ifndef " + guard(package + "/" + header) + "\n#define " +
                  guard(package + "/" + header) + "\n\n#include \"aclnn/acl_meta.h\"\n\n#ifdef __cplusplus\nextern "
                  "\"C\" {\n#endif\n\n" + package_declaration(pair.first) + package_declaration(pair.second) +
                  "#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
        includes += "#include \"" + package + "/" + header + "\"\n";
        const Row* own = find_row(cann, pair.first.function);
        if (own != nullptr && !same_types(*own, pair.first)) {
            body += other_form(pair.first, package) + other_form(pair.second, package);
        } else {
            Row played = pair.first;
            played.library = kVendor;
            for (size_t i = 0; own != nullptr && i < played.params.size(); i++) {
                played.params[i].name = own->params[i].name;  // as the emulated operator knows its arguments
            }
            body += first_phase(played) + second_phase(pair.second);
        }
    }
    write(folder / (package + ".cpp"), "// Generated from Weft's table of CANN functions and packages/" + package +
                                           ".tsv.\n#include \"phase.h\"\n" + includes +
                                           "\nusing emu::Kind;\nusing emu::Parameter;\nusing emu::Signature;\n\n"
                                           "extern \"C\" {\n\n" + body + "}  // extern \"C\"\n");
}
