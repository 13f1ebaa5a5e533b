// Reads the table of CANN functions and writes, below an output folder,
//   include/**         declarations, laid out as in a CANN install
//   entry/<library>.cpp one file per emulated library: every operator's two entry points, and a weak answer "not
//                      emulated" for each other function; the hand-written definition, where there is one, wins
//   <release>/include/** the declarations that an install of an older CANN has, and
//   <release>/<library>.map the symbols of its libraries, for the linker; releases are family8, cann81 and cann90
//   packages/<package>.cpp, packages/<package>/*.h entry points and declarations of a vendor's package
//
//   generate cann-abi.tsv OUTPUT PACKAGE.tsv...
#include <iostream>
#include <map>
#include <set>

#include "entries.h"

namespace fs = std::filesystem;

namespace {

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
        write(folder / header, "/* Declarations generated from Weft's table of CANN functions. */\n#ifndef " +
              guard(header) +
                                   "\n#define " + guard(header) + "\n\n#include \"" + types +
                                   "\"\n\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n" + body +
                                   "#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
    }
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
    return "__attribute__((weak)) " + unnamed_prototype(row) + " {\n    " + body + "\n}\n\n";
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

/** Which symbols the libraries of a release show, as linker version scripts, and its headers. */
void write_release(const std::vector<Row>& rows, const fs::path& folder, bool (Row::*has)() const,
                   std::string Row::*library, const std::string& runtime) {
    std::map<std::string, std::string> symbols;
    std::vector<Row> known;
    for (const Row& row : rows) {
        if ((row.*has)()) {
            known.push_back(row);
            symbols[row.*library] += row.exported() ? "    " + row.function + ";\n" : "";
        }
    }
    symbols[runtime] += "    weftEmulator*;\n";
    for (const auto& [name, names] : symbols) {
        write(folder / (name + ".map"), "{\n  global:\n" + names + "  local:\n    *;\n};\n");
    }
    write_headers(known, folder / "include");
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::cerr << "usage: generate cann-abi.tsv OUTPUT PACKAGE.tsv...\n";
        return 2;
    }
    try {
        fs::path output = argv[2];
        std::vector<Row> rows = read_table(argv[1], false);
        write_headers(rows, output / "include");
        write_entries(rows, output / "entry");
        write_release(rows, output / "family8", &Row::in_family8, &Row::older_library, "ascendcl");
        write_release(rows, output / "cann81", &Row::in_cann81, &Row::older_library, "ascendcl");
        write_release(rows, output / "cann90", &Row::in_cann90, &Row::library, "acl_rt");
        for (int i = 3; i < argc; i++) {
            write_package(argv[i], rows, read_table(argv[1], true), output / "packages");
        }
    } catch (const std::exception& e) {
        std::cerr << argv[1] << ": " << e.what() << "\n";
        return 1;
    }
}
