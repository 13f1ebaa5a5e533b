// The table of CANN functions, and what every generated file needs of it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

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
    bool in_cann81() const { return since.rfind("<=8.1", 0) == 0; }
    /** Whether CANN 9.0 has it: operators that only development sources show are not in it. */
    bool in_cann90() const { return since.rfind("9.x master", 0) != 0; }
};

/** Library of the operators of vendors' packages. */
inline const char* const kVendor = "cust_opapi";

std::string trim(const std::string& s);
std::vector<std::string> split(const std::string& s, char separator);
bool ends_with(const std::string& s, const std::string& end);
/** "const aclTensor* x; double eps". */
std::vector<Param> parse_params(const std::string& text);

/** Rows of the libraries that the emulator plays, or those of vendors' packages. */
std::vector<Row> read_table(const std::filesystem::path& path, bool vendors);
/** nullptr where there is none. */
const Row* find_row(const std::vector<Row>& rows, const std::string& function);
/** Throws where there is none. */
const Row& need_row(const std::vector<Row>& rows, const std::string& function);
/** Whether two functions are called alike; const does not matter. */
bool same_types(const Row& a, const Row& b);

std::string prototype(const Row& row);
/** Result, name and parameters without names, for functions that look at none. */
std::string unnamed_prototype(const Row& row);
/** aclnnMoeGatingTopKV2 -> moe_gating_top_k_v2, the way CANN names its header files. */
std::string snake(const std::string& name);
std::string op_of(const std::string& function);
std::string header_of(const Row& row);
/** Name of a macro that guards a header. */
std::string guard(const std::string& header);
/** Writes a file unless it has this text already. */
void write(const std::filesystem::path& path, const std::string& text);
