// C entry points of operators.
#pragma once

#include "table.h"

std::string first_phase(const Row& row);
std::string second_phase(const Row& row);

/** Entry points and headers of a vendor's package, below `folder`. */
void write_package(const std::filesystem::path& file, const std::vector<Row>& cann, const std::vector<Row>& vendors,
                   const std::filesystem::path& folder);
